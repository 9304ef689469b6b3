"""init: from a broker and a database to a configuration that runs, by options and by a person at a terminal.

SPDX-License-Identifier: MIT
"""

import os
import pty
import select
import signal
import stat
import termios
import time

from env import quick

NOBODY = "mqtt://127.0.0.1:1"


def retained(env, *messages):
    """Messages that are there whenever somebody listens."""
    client = env.subscribe(env.topic("~/none"), qos=0).client
    for topic, payload in messages:
        client.publish(env.topic(topic), payload, 1, True).wait_for_publish(10)


def conninfo(env, user="bridge", database=None):
    return env.postgres.conninfo(database or env.database, user)


def init(env, *options, output="first.cfg", faults=None, **given):
    path = os.path.join(env.folder, output)
    arguments = {"broker": env.broker.url, "database": conninfo(env), "topic": env.topic("~/#"), "for": "300ms", "client-id": f"{env.prefix}-init", "output": path, **given}
    environment = {"MQTT2PG_FAULTS": faults} if faults else None
    return env.cli("init", *[word for key, value in arguments.items() for word in (f"--{key}", value)], *options, environment=environment), path


def run(env, path):
    """The service with the file as it was written, but for the port of its status page."""
    bridge = env.bridge("", start=False)
    with open(path, encoding="utf-8") as file:
        bridge.write(file.read() + f'http: {{ listen = "127.0.0.1:{bridge.http_port}"; }};\n')
    return bridge.start()


@quick
def test_written_configuration_stores(env):
    """By options only: the file passes `check --database --broker`, is for all to read, and the service stores rows with it."""
    retained(env, ("~/devices/d1/telemetry", '{"ts": 1700000000000, "temperature": 21.5}'), ("~/devices/d2/telemetry", '{"ts": 1700000000001, "temperature": 20}'))
    done, path = init(env)
    assert done.code == 0 and done.out.count("connected to") == 2 and "1 rule, no mistakes" in done.out, done
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    checked = env.cli("check", "--database", "--broker", config=path)
    assert checked.code == 0 and "no mistakes, and the tables fit" in checked.out, checked

    run(env, path)
    env.wait_rows("telemetry", 2)
    with open(path, encoding="utf-8") as file:
        written = file.read()
    assert '# the broker keeps the session' in written and 'directory     = "journal"' in written, written
    again, _ = init(env)
    assert again.code == 1 and "--force" in again.err, again
    with open(path, encoding="utf-8") as file:
        assert file.read() == written
    replaced, _ = init(env, "--force", topic=env.topic("~/devices/{unit}/#"))
    with open(path, encoding="utf-8") as file:
        assert "{unit}" in file.read(), replaced


@quick
def test_what_is_missing_in_the_database_is_told(env):
    """Role, database and privileges, as lines for a shell that make it work; nothing is written before that."""
    retained(env, ("~/a", '{"n": 1}'))
    name = f"{env.database}_init"
    done, path = init(env, database=conninfo(env, name, name))
    assert done.code == 1 and f" {name}\n" in done.out and "sudo -iu postgres createuser " in done.out and f"-O {name} {name} " in done.out, done
    assert done.out.count("connected to") == 1 and not os.path.exists(path), done
    tcp = f"host=127.0.0.1 port={env.postgres.port} dbname={name} user={name}"
    asked, _ = init(env, database=tcp)
    assert asked.code == 1 and f"createuser -p {env.postgres.port} --pwprompt {name} " in asked.out, asked
    env.admin(f"create role {name} login")
    done, _ = init(env, database=conninfo(env, name, name))
    assert done.code == 1 and "createuser" not in done.out and f" -O {name} {name}\n" in done.out, done
    done, _ = init(env, database=conninfo(env, name))
    assert done.code == 1, done
    grants = [line.rsplit(" -c ", 1)[1].strip("'") for line in done.out.splitlines() if " psql " in line]
    assert any("create on database" in grant for grant in grants) and all(grant.endswith(f" to {name}") for grant in grants), done
    for grant in grants:
        env.admin(grant)
    done, _ = init(env, database=conninfo(env, name))
    assert done.code == 0, done
    assert env.cli("check", "--database", "--broker", config=path).code == 0
    env.admin(f"drop owned by {name}; drop role {name}")


@quick
def test_both_are_tried_and_nothing_is_written(env):
    """One clear line each; no file; bad words are bad usage."""
    done, path = init(env, broker=NOBODY, database="host=127.0.0.1 port=1 dbname=x")
    assert done.code == 1 and "broker: no connection" in done.out and "database: no connection" in done.out, done
    assert not os.path.exists(path)
    for given in ({"broker": "http://x"}, {"database": "host=x nonsense"}, {"topic": "a/#/b"}, {"for": "soon"}, {"protocol": "4"}, {"password-file": "/x"}):
        assert init(env, **given)[0].code == 2, given
    assert env.cli("init", "--nonsense").code == 2


@quick
def test_nothing_came(env):
    """Then one rule stores each message whole, whatever comes; a password in the file is for its owner only."""
    done, path = init(env, database=conninfo(env) + " password='hidden-one'")
    assert done.code == 0 and "no message" in done.out and "hidden" not in done.out + done.err, done
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    checked = env.cli("check", "--database", "--broker", config=path)
    assert checked.code == 0, checked
    run(env, path)
    env.publish([("~/a", '{"n": 1}'), ("~/b", "21.5 C"), ("~/c", b"\x00\xff")])
    env.wait_rows("mqtt_messages", 3)
    assert env.dead_letters() == []
    os.chmod(path, 0o666)
    assert init(env, "--force", database=conninfo(env) + " password='hidden-one'")[0].code == 0
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@quick
def test_replaced_file_is_whole_or_as_it_was(env):
    """--force on a full disk leaves the old file and nothing else; a new file keeps the mode of the old one, and a link stays a link."""
    kept = os.path.join(env.folder, "kept")
    os.mkdir(kept)
    path = os.path.join(kept, "old.cfg")
    with open(path, "w", encoding="utf-8") as file:
        file.write("# mine\n")
    os.chmod(path, 0o640)
    link = os.path.join(env.folder, "first.cfg")
    os.symlink(path, link)
    env.binary = env.faulty
    for fault in ("file.write=fail:ENOSPC@4", "file.sync=fail:EIO", "init.renamed=kill@1"):
        failed, _ = init(env, "--force", faults=fault)
        with open(path, encoding="utf-8") as file:
            assert failed.code != 0 and file.read() == "# mine\n", (fault, failed)
        assert fault.startswith("init.") or os.listdir(kept) == ["old.cfg"], (fault, os.listdir(kept))
    done, _ = init(env, "--force")
    assert done.code == 0 and os.path.islink(link) and stat.S_IMODE(os.stat(path).st_mode) == 0o640, done
    assert env.cli("check", config=path).code == 0


@quick
def test_address_of_the_status_page(env):
    """--http sets it, and switches it off; a wrong one is bad usage."""
    for address in ("127.0.0.1:9999", ""):
        done, path = init(env, "--force", http=address)
        with open(path, encoding="utf-8") as file:
            assert done.code == 0 and f'listen        = "{address}";' in file.read(), done
    assert init(env, "--force", http="nonsense")[0].code == 2


class Person:
    """Somebody at a terminal who waits for a question and types an answer."""

    def __init__(self, env, *arguments):
        self.env, self.seen = env, ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT):  # who runs the tests in the background has them ignored
                signal.signal(number, signal.SIG_DFL)
            os.execve(env.binary, [env.binary, "init", *arguments], env.environment)

    def read(self, end):
        if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError(f"nothing more behind: {self.seen}")
        try:
            data = os.read(self.terminal, 4096)
        except OSError:  # the other side is closed
            data = b""
        self.seen += data.decode()
        return data

    def answer(self, question, text):
        end = time.monotonic() + 20 * self.env.patience
        while question not in self.seen:
            assert self.read(end), (question, self.seen)
        self.seen = self.seen[self.seen.index(question) + len(question):]
        os.write(self.terminal, (text + "\n").encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def finish(self):
        end = time.monotonic() + 20 * self.env.patience
        while self.read(end):
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@quick
def test_a_person_is_asked(env):
    """A wrong broker, a wrong database and a mistyped filter are asked for again; the password is not shown; the file is for its owner."""
    retained(env, ("~/a/x", '{"n": 1}'))
    path = os.path.join(env.folder, "asked.cfg")
    person = Person(env, "--for", "300ms", "--output", path)
    person.answer("[mqtt://localhost:1883]: ", NOBODY)
    person.answer("an empty line for none: ", "")
    person.answer("no connection", "")  # waits for the reason, and answers the next question with an empty line
    person.answer("an empty line for none: ", "")
    person.answer(f"[{NOBODY}]: ", env.broker.url)
    person.answer("an empty line for none: ", "somebody")
    person.answer("its password: ", "hidden-one")
    person.answer("[dbname=telemetry]: ", "host=127.0.0.1 nonsense")
    person.answer("[dbname=telemetry]: ", conninfo(env, database="nowhere_at_all"))
    person.answer("createdb", "")
    person.answer("tries again; or another", conninfo(env))
    person.answer("[#]: ", "a/#/b")
    person.answer("[#]: ", env.topic("~/#"))
    assert person.finish() == 0, person.seen
    assert "hidden" not in person.seen and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, encoding="utf-8") as file:
        written = file.read()
    assert '"hidden-one"' in written and '"somebody"' in written, written


@quick
def test_ctrl_c_at_the_password(env):
    """The terminal shows again what is typed, however the question ends; Ctrl-Z does not leave the question."""
    for key, code in (("\x03", -signal.SIGINT), ("\x1c", -signal.SIGQUIT), (None, -signal.SIGTERM)):
        person = Person(env, "--output", os.path.join(env.folder, "asked.cfg"))
        person.answer("[mqtt://localhost:1883]: ", env.broker.url)
        person.answer("an empty line for none: ", "somebody")
        env.wait(lambda: not person.echoes(), 10)
        if key is None:
            os.kill(person.pid, signal.SIGTERM)
        else:
            os.write(person.terminal, b"\x1a" + key.encode())
        assert os.waitstatus_to_exitcode(os.waitpid(person.pid, 0)[1] & 0x7f) == code
        assert person.echoes(), key
        os.close(person.terminal)
