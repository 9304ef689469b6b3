"""The container files: that they agree with each other and with the program, and that the image's configuration works as it would there.

The image itself is built and run by `make test-image` (test_image.py).

SPDX-License-Identifier: MIT
"""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess

import yaml

from env import ROOT, Skip
from servers import find_program, signal_quietly

DOCKER = os.path.join(ROOT, "docker")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::[-?][^}]*)?\}")
READ_ONLY = """
set -e
mount --bind "$1" "$1"
while read -r device folder rest; do
    case $folder in "$1" | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) ;; *) mount -o remount,bind,ro "$folder" 2>/dev/null || true ;; esac
done </proc/self/mounts
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all "$2" --config "$3" run
"""


def read(name):
    with open(os.path.join(DOCKER, name)) as file:
        return file.read()


def load(name):
    return yaml.safe_load(read(name))


def variables(config):
    """What a configuration takes from the environment, comments aside: name → has a default."""
    text = "\n".join(line.split("#")[0] if line.lstrip().startswith("#") else line for line in config.splitlines())
    return {found.group(1): ":-" in found.group(0) for found in VARIABLE.finditer(text)}


def version():
    with open(os.path.join(ROOT, "Makefile")) as file:
        return re.search(r"^VERSION = (\S+)", file.read(), re.MULTILINE).group(1)


def instructions():
    text = "\n".join(line for line in read("Dockerfile").splitlines() if not line.startswith("#"))
    return [line.split(None, 1) for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]


def sent_files():
    """What `docker build` would send: the files that .dockerignore lets through."""
    with open(os.path.join(ROOT, ".dockerignore")) as file:
        patterns = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in (".git", "build")]
        for path in (os.path.relpath(os.path.join(folder, name), ROOT) for name in files):
            parts, sent = path.split("/"), True
            for pattern in patterns:  # the last that matches the file or a folder above it decides
                if any(fnmatch.fnmatch("/".join(parts[:n]), pattern.lstrip("!")) for n in range(1, len(parts) + 1)):
                    sent = pattern.startswith("!")
            if sent:
                yield path


# --- the files

def test_dockerfile(env):
    """Pinned, small, without root or shell; installs what deps.sh says a build needs, no more; gets every file that the build reads."""
    lines = instructions()
    words = [word for word, _ in lines]
    runs = [rest for word, rest in lines if word == "RUN"]
    assert [rest.split()[0] for word, rest in lines if word == "FROM"] == ["debian:12-slim", "scratch"]
    assert "ADD" not in words and not any("sudo" in run for run in runs)
    for run in (run for run in runs if "apt-get install" in run):
        assert "apt-get update" in run and "--no-install-recommends" in run and "rm -rf /var/lib/apt/lists" in run, run
        installed = set(re.search(r"--no-install-recommends (.*?) &&", run).group(1).split())
        with open(os.path.join(ROOT, "tests/tools/deps.sh")) as file:
            build = set(re.search(r"^build=\((.*?)\)", file.read(), re.MULTILINE | re.DOTALL).group(1).split())
        assert installed == build - {"libsystemd-dev"} | {"ca-certificates", "tzdata"}, installed ^ build
    last = dict(lines[len(words) - words[::-1].index("FROM"):])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"]), "not a number: Kubernetes can't see that it is not root"
    assert "RUN" not in last and last["VOLUME"] == "/var/lib/mqtt2pg"
    assert json.loads(last["ENTRYPOINT"]) == ["/usr/bin/mqtt2pg"] and json.loads(last["CMD"]) == ["run"]
    assert json.loads(last["HEALTHCHECK"].split("CMD")[1]) == ["/usr/bin/mqtt2pg", "status", "--alive"]
    # Without it OpenSSL finds no public CA in an image that is not a Debian.
    assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" in last["ENV"]
    assert f'image.version="{version()}"' in last["LABEL"]
    sent = set(sent_files())
    for needed in ("Makefile", "LICENSE", "docker/mqtt2pg.cfg", "config/mqtt2pg.cfg", "sql/mqtt2pg.sql", "src/main.c", "src/admin/status_page.html",
                   "tests/tools/embed-sql.sh", "tests/tools/image-packages.sh", "tests/tools/embed-page.sh"):
        assert needed in sent, f".dockerignore keeps {needed} away"
    wrong = [path for path in sent if path.startswith(("build/", ".git/", "tests/integration", "docker/compose"))]
    assert not wrong, wrong


def check_service(name, service):
    """What holds for each service of ours and of others."""
    image = service["image"]
    assert re.search(r":v?\d+\.\d+", image), f"{name}: image {image} is not pinned to a version"
    assert "healthcheck" in service or image.startswith("mqtt2pg:"), f"{name} has no healthcheck"
    assert service["restart"] == "unless-stopped", name
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{name}: port {port} is open to everybody"
    assert not service.get("privileged") and "network_mode" not in service, name
    if image.startswith("mqtt2pg:"):
        assert image == f"mqtt2pg:{version()}", image
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
        assert os.path.exists(os.path.join(DOCKER, service["build"]["context"], service["build"]["dockerfile"]))
        assert any(volume.endswith(":/var/lib/mqtt2pg") for volume in service["volumes"]), "the journal is no volume"
        assert int(service["stop_grace_period"].rstrip("s")) > 20, "killed before `shutdown` is over"


def test_compose(env):
    """Services, volumes, files and variables of both compose files agree with each other and with the configurations."""
    for name, expected in (("compose.yaml", {"broker", "database", "mqtt2pg", "prometheus", "grafana", "fleet"}), ("compose.sidecar.yaml", {"mqtt2pg"})):
        compose = load(name)
        services = compose["services"]
        assert set(services) == expected, services.keys()
        used = set()
        for service, content in services.items():
            check_service(service, content)
            for other, how in content.get("depends_on", {}).items():
                assert how["condition"] == "service_healthy" and "healthcheck" in services[other], f"{service} on {other}"
            for volume in content.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    assert os.path.exists(os.path.join(DOCKER, source)), f"{name}: {source} is not there"
                    assert volume.endswith(":ro"), f"{name}: {volume} could be written"
                else:
                    used.add(source)
        assert used == set(compose["volumes"]), used ^ set(compose["volumes"])
        bridge = services["mqtt2pg"]
        mounted = [volume.split(":")[0] for volume in bridge["volumes"] if ":/etc/mqtt2pg/mqtt2pg.cfg" in volume]
        known = variables(read(mounted[0] if mounted else "mqtt2pg.cfg"))
        given = set(bridge["environment"])
        assert given <= set(known), f"{name}: nobody reads {given - set(known)}"
        needed = {variable for variable, has_default in known.items() if not has_default}
        assert needed <= given, f"{name}: {needed - given} not given"
    # Scripts that the others run.
    fleet = load("compose.yaml")["services"]["fleet"]["environment"]
    assert all(variable in read("fleet/fleet.sh") for variable in fleet), fleet
    database = load("compose.yaml")["services"]["database"]["environment"]
    assert all(variable in database for variable in re.findall(r"\$([A-Z0-9_]+_PASSWORD)", read("postgres/init.sh"))), database
    assert os.access(os.path.join(DOCKER, "postgres/init.sh"), os.X_OK)


def test_configuration_is_documented(env):
    """The comment at the top of docker/mqtt2pg.cfg names each variable, and no other."""
    text = read("mqtt2pg.cfg")
    named = set(re.findall(r"MQTT2PG_[A-Z_]+", text[:text.index("\nbroker:")]))
    assert named == set(variables(text)), named ^ set(variables(text))
    assert {name for name, has_default in variables(text).items() if not has_default} == {"MQTT2PG_BROKER_URL", "MQTT2PG_DATABASE"}


def test_kubernetes(env):
    """Selectors match, probes and ports exist, nothing runs as root, each replica has its own client id and shares the subscription."""
    documents = {document["kind"]: document for document in yaml.safe_load_all(read("kubernetes.yaml"))}
    assert set(documents) == {"ConfigMap", "Service", "PodDisruptionBudget", "StatefulSet"}
    stateful = documents["StatefulSet"]["spec"]
    pod = stateful["template"]["spec"]
    container, = pod["containers"]
    labels = stateful["template"]["metadata"]["labels"].items()
    for selector in (stateful["selector"]["matchLabels"], documents["Service"]["spec"]["selector"],
                     documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"], pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]):
        assert selector.items() <= labels, selector
    assert stateful["serviceName"] == documents["Service"]["metadata"]["name"]
    assert container["image"] == f"mqtt2pg:{version()}" and stateful["replicas"] > 1
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz" and container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 300
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert all(container[f"{kind}Probe"]["httpGet"]["port"] in ports for kind in ("liveness", "readiness", "startup")) and ports == {"http": 9464}
    assert documents["Service"]["metadata"]["annotations"]["prometheus.io/port"] == "9464"
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001 == pod["securityContext"]["fsGroup"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert pod["terminationGracePeriodSeconds"] > 20 and "limits" in container["resources"]
    known = variables(read("mqtt2pg.cfg"))
    data = documents["ConfigMap"]["data"]
    given = set(data) | {item["name"] for item in container["env"]}
    assert given <= set(known) and {name for name, has_default in known.items() if not has_default} <= given, given
    assert data["MQTT2PG_SHARE"] and "MQTT2PG_CLIENT_ID" in {item["name"] for item in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    claims = [claim["metadata"]["name"] for claim in stateful["volumeClaimTemplates"]]
    assert set(mounts) == set(claims) | {volume["name"] for volume in pod["volumes"]} and mounts["journal"] == "/var/lib/mqtt2pg"
    # Kubernetes writes modes in octal; the bridge takes a password from a file of root's that its group may read.
    assert pod["volumes"][0]["secret"]["defaultMode"] == 0o440
    assert all(data[name].startswith(mounts["secrets"] + "/") for name in data if name.endswith("_FILE"))
    assert all(os.path.basename(data[name]) in read("kubernetes.yaml").split("apiVersion")[0] for name in data if name.endswith("_FILE"))


def test_kustomize_and_prometheus_operator(env):
    """The base names files that are there; the PodMonitor finds the pods and their port."""
    base = load("kustomization.yaml")
    assert all(os.path.exists(os.path.join(DOCKER, name)) for name in base["resources"]), base
    stateful = next(document for document in yaml.safe_load_all(read("kubernetes.yaml")) if document["kind"] == "StatefulSet")["spec"]["template"]
    monitor = load("podmonitor.yaml")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= stateful["metadata"]["labels"].items()
    ports = {port["name"] for port in stateful["spec"]["containers"][0]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports


def test_compose_for_debian(env):
    """Debian's own docker-compose 1.29 takes the files: no top-level name."""
    assert all("name" not in load(name) for name in ("compose.yaml", "compose.sidecar.yaml"))


# --- the image's configuration, for real

def contained(env, variables_, wrap=None, bridge=None):
    """A bridge with docker/mqtt2pg.cfg; only the journal and the port are not where the image has them."""
    bridge = bridge or env.bridge("", start=False)
    bridge.file = os.path.join(env.folder, "mqtt2pg.cfg")
    shutil.copy(os.path.join(DOCKER, "mqtt2pg.cfg"), bridge.file)
    os.makedirs(bridge.journal)
    bridge.environment = {**env.environment, "MQTT2PG_HTTP": f"127.0.0.1:{bridge.http_port}", "MQTT2PG_JOURNAL": bridge.journal, **variables_}
    return launch(bridge, wrap)


def launch(bridge, wrap):
    command = wrap(bridge) if wrap else [bridge.env.binary, "--config", bridge.file, "run"]
    with open(bridge.log_file, "ab") as log:
        bridge.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=bridge.environment)
    bridge.may_end = False
    return bridge


def readable(bridge):
    """The program where user 10001 can reach it."""
    program = os.path.join(bridge.env.folder, "mqtt2pg")
    if not os.path.exists(program):
        shutil.copy(bridge.env.binary, program)
    os.chown(bridge.journal, 10001, 10001)
    os.chmod(bridge.file, 0o644)
    return program


def as_user(bridge):
    return ["setpriv", "--reuid", "10001", "--regid", "10001", "--clear-groups", readable(bridge), "--config", bridge.file, "run"]


def in_container(bridge):
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", READ_ONLY, "sh", bridge.journal, readable(bridge), bridge.file]


def four(env):
    return {"MQTT2PG_BROKER_URL": env.broker.url, "MQTT2PG_DATABASE": env.postgres.conninfo(env.database, tcp=True),
            "MQTT2PG_TOPIC": env.topic("~/#"), "MQTT2PG_TABLE": "archive"}


def status(env, bridge):
    """What HEALTHCHECK runs."""
    return env.cli("status", config=bridge.file, environment=bridge.environment)


def test_four_variables_are_enough(env):
    """Every payload becomes a row: JSON, numbers, text, bytes, nothing at all; no dead letters. HEALTHCHECK knows when the database is away."""
    bridge = contained(env, four(env)).wait_ready()
    payloads = [b'{"a": {"b": [1, 2.50]}}', b"21.5", b"on", b'"on"', b'{"broken', b"\xff\xd8\xff\x00", b"", b"null", "grün".encode(), b"a\0b"]
    env.publish([(f"~/x/{n}", payload) for n, payload in enumerate(payloads)])
    env.wait_rows("archive", len(payloads))
    rows = env.sql("select topic, payload::text, bytes, received > now() - interval '1 minute' from archive order by topic")
    assert [topic for topic, *_ in rows] == [env.topic(f"~/x/{n}") for n in range(len(payloads))]
    found = [bytes(binary) if binary is not None else payload for _, payload, binary, _ in rows]
    assert found == ['{"a": {"b": [1, 2.50]}}', "21.5", '"on"', '"on"', '"{\\"broken"', b"\xff\xd8\xff\x00", '""', None, '"grün"', b"a\0b"], found
    assert all(recent for *_, recent in rows) and env.dead_letters() == []
    assert env.sql("select payload #>> '{a,b,1}' from archive where topic like '%%/0'") == [("2.50",)]
    well = status(env, bridge)
    assert well.code == 0 and "ready" in well.out, well
    env.postgres.stop()
    env.wait(lambda: bridge.get("/readyz").code == 503, 20, "ready without a database")
    ill = status(env, bridge)
    assert ill.code == 1 and "not ready" in ill.out, ill
    env.postgres.start()
    bridge.wait_ready()
    assert bridge.stop() == 0
    assert status(env, bridge).code == 1


def test_names_what_is_not_set(env):
    bridge = contained(env, {"MQTT2PG_BROKER_URL": env.broker.url})
    bridge.may_end = True
    assert bridge.wait() == 3 and "MQTT2PG_DATABASE is not set" in bridge.log(), bridge.log()


def test_passwords_in_files(env):
    """The _FILE twins; as root with the owner and the mode that Kubernetes gives to files of secrets."""
    broker = env.own_broker()
    broker.password_file(bob="over the fence")
    broker.start()
    root = os.getuid() == 0
    given = {**four(env), "MQTT2PG_BROKER_URL": broker.url, "MQTT2PG_BROKER_USERNAME": "bob"}
    given["MQTT2PG_DATABASE"] = given["MQTT2PG_DATABASE"].replace("password=secret", "")
    for name, text in (("BROKER", "over the fence\n"), ("DATABASE", "secret")):
        path = os.path.join(env.folder, name)
        with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o440 if root else 0o400)) as file:
            file.write(text)
        if root:
            os.chown(path, 0, 10001)
        given[f"MQTT2PG_{name}_PASSWORD_FILE"] = path
    bridge = contained(env, given, as_user if root else None).wait_ready()
    assert bridge.stop() == 0


def test_read_only_root(env):
    """As in the container: user 10001, no capabilities, everything read-only but the journal; kill -9 and all, nothing else is needed."""
    if os.getuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("needs root and mount namespaces")
    bridge = env.bridge("", start=False)
    bridge = contained(env, {**four(env), "MQTT2PG_HTTP": f"*:{bridge.http_port}"}, in_container, bridge).wait_ready()
    # What HEALTHCHECK runs, where not even localhost has a name.
    alone = "mount --bind /dev/null /etc/hosts && mount --bind /dev/null /etc/resolv.conf && exec \"$@\""
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", alone, "sh", env.binary, "-c", bridge.file, "status"],
                          env=bridge.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "ready" in done.stdout, done
    with open(f"/proc/{bridge.pid}/status") as file:
        text = file.read()
    assert re.search(r"^Uid:\s+10001\s", text, re.MULTILINE) and re.search(r"^CapEff:\s+0+$", text, re.MULTILINE), text
    with open(f"/proc/{bridge.pid}/mountinfo") as file:
        root = [line.split() for line in file if line.split()[4] == "/"][-1]
    assert "ro" in root[5].split(","), root
    env.publish([("~/a", "1"), ("~/b", "two")])
    env.wait_rows("archive", 2)
    bridge.kill9()
    env.publish([("~/c", "3")])
    launch(bridge, in_container)
    env.wait_rows("archive", 3)
    assert bridge.wait_ready().stop() == 0


def test_demonstration(env):
    """What compose.yaml puts together, with the servers that are here: init.sh, the fleet, fleet.cfg, logged in as the role that init.sh made."""
    environment = {**env.environment, "PGHOST": env.postgres.sockets, "PGPORT": str(env.postgres.port), "POSTGRES_USER": "test",
                   "POSTGRES_DB": env.database, "MQTT2PG_PASSWORD": "one's own", "GRAFANA_PASSWORD": "x", "SQL_FOLDER": os.path.join(ROOT, "sql"),
                   "PATH": os.path.dirname(find_program("psql")) + ":" + env.environment["PATH"]}
    done = subprocess.run(["bash", os.path.join(DOCKER, "postgres/init.sh")], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
    bridge = env.bridge("", start=False)
    bridge.file = os.path.join(DOCKER, "fleet/fleet.cfg")
    bridge.launch({"MQTT2PG_BROKER_URL": env.broker.url, "MQTT2PG_HTTP": f"127.0.0.1:{bridge.http_port}", "MQTT2PG_JOURNAL": bridge.journal,
                   "MQTT2PG_DATABASE": f"host=127.0.0.1 port={env.postgres.port} dbname={env.database} user=mqtt2pg", "MQTT2PG_DATABASE_PASSWORD": "one's own"})
    bridge.wait_ready()
    fleet = subprocess.Popen(["sh", os.path.join(DOCKER, "fleet/fleet.sh")], start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env={**env.environment, "FLEET_BROKER": "127.0.0.1", "FLEET_PORT": str(env.broker.port), "FLEET_DEVICES": "5", "FLEET_SECONDS": "1"})
    try:
        env.wait(lambda: env.admin("select count(*) >= 10, count(distinct device) from telemetry") == [(True, 5)], 20,
                 lambda: env.admin("select device, count(*) from telemetry group by 1"))
    finally:
        fleet.send_signal(signal.SIGTERM)
        fleet.wait(10)
        signal_quietly(-fleet.pid, signal.SIGKILL)  # its process group, which is its own
    assert env.admin("select count(*) from telemetry where temperature between 10 and 30 and battery between 5 and 100 and humidity between 30 and 60 "
                     "and abs(extract(epoch from received - time)) < 30") == env.admin("select count(*) from telemetry")
    assert bridge.stop() == 0
