"""The container image as it was built, run by podman: only under `make test-image`, which says with MQTT2PG_PODMAN how to run it.

SPDX-License-Identifier: MIT
"""

import json
import os
import shlex
import subprocess

from bridge import wait_time
from certificates import Authority
from env import Skip, limit
from servers import free_port

IMAGE = "localhost/mqtt2pg"
# As the compose files and kubernetes.yaml run it. The servers are on the loopback of the host.
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host"]


def podman(*arguments, check=True):
    if "MQTT2PG_PODMAN" not in os.environ:
        raise Skip("needs the image: make test-image")
    done = subprocess.run([*shlex.split(os.environ["MQTT2PG_PODMAN"]), *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done
    return done


class Container:
    """A container of the image that is removed at the end of the test."""

    def __init__(self, env, variables, *options):
        # Beyond the usual limits nothing may be raised where the tests run.
        limits = os.environ.get("MQTT2PG_PODMAN_RUN", "").split()
        given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        self.id = podman("run", "--detach", *limits, *HARDENED, *given, *options, IMAGE).stdout.strip()
        env.closing.append(lambda: podman("rm", "--force", "--time", "0", "--volumes", self.id, check=False))

    def exec(self, *command):
        return podman("exec", self.id, *command, check=False)

    def log(self):
        done = podman("logs", self.id)
        return done.stdout + done.stderr

    def state(self):
        return json.loads(podman("inspect", self.id).stdout)[0]["State"]


def variables(env, **more):
    return {"MQTT2PG_BROKER_URL": env.broker.url, "MQTT2PG_DATABASE": env.postgres.conninfo(env.database, tcp=True),
            "MQTT2PG_TOPIC": env.topic("~/#"), "MQTT2PG_TABLE": "archive", "MQTT2PG_HTTP": f"127.0.0.1:{free_port()}", **more}


@limit(120)
def test_four_variables_are_enough(env):
    """Hardened, it stores; healthy while the database is away; SIGTERM stores the rest and ends with 0."""
    container = Container(env, variables(env))
    env.wait(lambda: "subscribed" in container.log(), 30, lambda: container.log())
    env.publish([(f"~/{n}", str(n)) for n in range(100)])
    env.wait_rows("archive", 100)
    assert container.exec("/usr/bin/mqtt2pg", "status", "--alive").returncode == 0
    env.postgres.stop()
    env.publish([("~/late", "1")])
    wait_time(1)
    assert container.exec("/usr/bin/mqtt2pg", "status", "--alive").returncode == 0, "an orchestrator would restart it"
    assert container.exec("/usr/bin/mqtt2pg", "status").returncode == 1
    env.postgres.start()
    env.wait_rows("archive", 101)
    podman("stop", "--time", "30", container.id)
    assert container.state()["ExitCode"] == 0, container.log()


@limit(120)
def test_runs_in_its_root(env):
    """Where no container runs: the same four variables in a root of the image's files; alive while the database is away; SIGTERM stores the rest and ends with 0."""
    if "MQTT2PG_IMAGE_ROOT" not in os.environ:
        raise Skip("needs the files of the image: make test-image, where podman runs no container")
    command = ["/usr/sbin/chroot", "--userspec=10001:10001", *shlex.split(os.environ["MQTT2PG_IMAGE_ROOT"]), "/usr/bin/mqtt2pg"]
    given = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", **variables(env)}
    path = os.path.join(env.folder, "log")

    def log():
        with open(path) as file:
            return file.read()
    with open(path, "w") as file:
        process = subprocess.Popen([*command, "run"], env=given, stdout=file, stderr=file)
    env.closing.append(lambda: process.poll() is None and process.kill())
    env.wait(lambda: "subscribed" in log(), 60, log)
    env.publish([(f"~/{n}", str(n)) for n in range(100)])
    env.wait_rows("archive", 100, 60)
    env.postgres.stop()
    env.publish([("~/late", "1")])
    env.wait(lambda: "messages wait in the journal" in log(), 30, log)
    assert [subprocess.run([*command, "status", *more], env=given, check=False).returncode for more in (["--alive"], [])] == [0, 1]
    env.postgres.start()
    env.wait_rows("archive", 101, 60)
    process.terminate()
    assert process.wait(60) == 0, log()


@limit(60)
def test_public_authorities_count_by_default(env):
    """Without tls.ca_file the image's own authorities count: a broker of an unknown one is refused, of a known one taken."""
    authority = Authority(os.path.join(env.folder, "ca"))
    certificate, key = authority.serve("good")
    broker, port = env.own_broker(), free_port()
    broker.listeners.append((port, [f"certfile {certificate}", f"keyfile {key}"]))
    broker.start()
    url = f"mqtts://localhost:{port}"
    unknown = Container(env, variables(env, MQTT2PG_BROKER_URL=url, MQTT2PG_CLIENT_ID="unknown"))
    env.wait(lambda: "certificate" in unknown.log(), 30, lambda: unknown.log())
    assert "subscribed" not in unknown.log()
    # The file that SSL_CERT_FILE names in the image, with another authority in it.
    known = Container(env, variables(env, MQTT2PG_BROKER_URL=url, MQTT2PG_CLIENT_ID="known"),
                      "--volume", f"{authority.file}:/etc/ssl/certs/ca-certificates.crt:ro")
    env.wait(lambda: "subscribed" in known.log(), 30, lambda: known.log())


def test_contains_what_is_needed_only(env):
    """Small, without a shell, not root, with labels, a health check, its packages and the public authorities."""
    image = json.loads(podman("image", "inspect", IMAGE).stdout)[0]
    assert image["Size"] <= 25e6, image["Size"]
    assert image["User"] == "10001:10001" and image["Healthcheck"]["Test"] == ["CMD", "/usr/bin/mqtt2pg", "status", "--alive"], image
    assert {f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses", "version")} <= set(image["Labels"])
    mounted = podman("image", "mount", IMAGE).stdout.strip()
    try:
        assert not [name for name in ("bin/sh", "usr/bin/sh", "bin/bash") if os.path.exists(os.path.join(mounted, name))]
        with open(os.path.join(mounted, "etc/ssl/certs/ca-certificates.crt")) as file:
            assert file.read().count("BEGIN CERTIFICATE") > 100
        with open(os.path.join(mounted, "usr/share/doc/mqtt2pg/sbom.spdx.json")) as file:
            packages = {package["name"] for package in json.load(file)["packages"]}
        assert packages == set(os.listdir(os.path.join(mounted, "var/lib/dpkg/status.d")))
        assert {"libpq5", "libpaho-mqtt1.3", "libssl3", "libc6", "ca-certificates", "tzdata"} <= packages, packages
    finally:
        podman("image", "unmount", IMAGE)
