"""Secrets are nowhere but in the files that hold them; what comes from the broker breaks no log line and no page.

SPDX-License-Identifier: MIT
"""

import json
import os
import pty
import re
import signal
import stat
import subprocess

import psycopg2

from certificates import Authority
from env import ROOT, Skip, quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered
from servers import free_port, make_folder

MARK = "m4rk3r"
TEXT_LINE = re.compile(r'^(<\d>|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z )(\033\[\d+m)?(DEBUG|INFO |WARN |ERROR)(\033\[0m)? '
                       r'[^\x00-\x1f"=]+?( [a-z_]+=("(?:[^"]|\\")*"|[^ "=]*))*$')


def secret(name, folder=None, content=None):
    """A marker; with a folder, a file of mode 0600 that holds it."""
    text = f"{MARK}-{name}"
    if folder is None:
        return text
    path = os.path.join(folder, name)
    with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write((content or text) + "\n")
    return path


COMMANDS = [["check"], ["status", "--json"], ["status"], ["journal", "dump"], ["check", "--database"], ["settings"], ["schema"],
            ["dead-letters", "list"]]


def everything(bridge, env, commands):
    """All that the process has ever written or shown, and what commands do, as {where: text}."""
    found = {"log": bridge.log(), "command line": open(f"/proc/{bridge.pid}/cmdline").read(),
             "title": open(f"/proc/{bridge.pid}/comm").read()}
    for method, path in (("GET", "/"), ("GET", "/status.json"), ("GET", "/metrics"), ("GET", "/readyz"), ("GET", "/nothing"), ("POST", "/")):
        answer = bridge.get(path, method)
        found[f"{method} {path}"] = answer.out + str(answer.headers)
    for command in commands:
        answer = env.cli(*command, config=bridge)
        found[" ".join(command)] = answer.out + answer.err
    for folder, _, files in os.walk(bridge.journal):
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                found[f"file {name}"] = file.read().decode("latin-1")
    return found


def no_marker(found):
    shown = [where for where, text in found.items() if MARK in text]
    assert not shown, f"a secret is shown: {[(where, found[where][max(0, found[where].index(MARK) - 80):][:200]) for where in shown]}"


def test_no_secret_is_ever_shown(env):
    """A full run at debug level with a marker for each secret, as texts and as files, right and wrong, in both log formats."""
    make_numbered(env)
    ours = Authority(os.path.join(env.folder, "ca"))
    certificate, key = ours.serve("server")
    mine, mine_key = ours.issue("mine", password=secret("key"))
    broker = env.own_broker()
    port = free_port()
    broker.listeners.append((port, [f"certfile {certificate}", f"keyfile {key}"]))
    broker.password_file(bridge=secret("broker"))
    broker.start()
    env.admin(f"create role t_secret login password '{secret('database')}' in role bridge")
    env.closing.append(lambda: env.admin("drop owned by t_secret; drop role t_secret"))
    tls = {"ca_file": ours.file, "cert_file": mine, "key_file": mine_key}
    conninfo = f"host=127.0.0.1 port={env.postgres.port} dbname={env.database} user=t_secret gssencmode=disable"
    texts = ({"username": "bridge", "password": secret("broker"), "tls": {**tls, "key_password": secret("key")}},
             {"conninfo": f"{conninfo} password={secret('database')}"})
    files = ({"username": "bridge", "password_file": secret("broker", env.folder), "tls": {**tls, "key_password_file": secret("key", env.folder)}},
             {"conninfo": conninfo, "password_file": secret("database", env.folder)})
    uri = f"postgresql://t_secret:{secret('database')}@127.0.0.1:{env.postgres.port}/{env.database}?gssencmode=disable"
    for n, (broker_group, database, form) in enumerate(((*texts, "text"), (*files, "json"), (texts[0], {"conninfo": uri}, "text"))):
        bridge = env.bridge(NUMBERED_RULE.replace("~/n", f"~/{n}"), start=False, database={**database, "schema": f"s{n}"},
                            log={"level": "debug", "format": form},
                            broker={"url": f"mqtts://localhost:{port}", "protocol": ("5", "3.1.1")[n % 2], **broker_group})
        bridge.start()
        bridge.wait_log("subscribed")
        bridge.signal(signal.SIGHUP)
        bridge.wait_log("configuration reloaded")
        no_marker(everything(bridge, env, COMMANDS if n == 0 else COMMANDS[:2]))
        assert re.search(r"Max core file size +0 +0 ", open(f"/proc/{bridge.pid}/limits").read())
        bridge.stop()
        no_marker({"log": bridge.log()})
    right = {"username": "bridge", "password": secret("broker")}
    wrong = [({**right, "password": secret("wrong")}, {}, "not authorized"),
             (right, {"conninfo": f"{conninfo} password={secret('wrong')}"}, "password authentication failed"),
             (right, {"conninfo": f"{conninfo} pass word={secret('wrong')}"}, "malformed"),
             (right, {"conninfo": f"{conninfo} password=two {secret('words')}"}, "malformed"),
             (right, {"conninfo": f"{uri}&bad={MARK}"}, "malformed"),
             ({"url": f"mqtt://me:{secret('url')}@localhost"}, {}, "user name and password belong")]
    for broker_group, database, words in wrong:
        bridge = env.bridge(NUMBERED_RULE, start=False, broker=broker_group, database=database, log={"level": "debug"})
        bridge.launch()
        bridge.may_end = True
        bridge.wait_log(words)
        no_marker({"log": bridge.log(), "check": str(env.cli("check", "--database", config=bridge))})
        bridge.clean_up()


@quick
def test_nobody_else_reads_the_journal(env):
    """Directory 0700, files 0600, whatever the umask is."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE.replace('columns', 'ack = { topic = "~/ack"; }; columns'), start=False)
    wrapper = os.path.join(env.folder, "wrapper")
    with open(wrapper, "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
        file.write(f'#!/bin/sh\numask 0\nexec {env.binary} "$@"\n')
    bridge.binary = wrapper
    bridge.start()
    env.publish(numbered("a", 0, 100))
    check_numbered(env, {"a": 100})
    bridge.stop()
    modes = {}
    for folder, folders, files in os.walk(bridge.journal):
        for name in [".", *files]:
            path = os.path.join(folder, name)
            modes[path] = stat.S_IMODE(os.stat(path).st_mode)
    assert len(modes) > 3, modes
    for path, mode in modes.items():
        assert mode == (0o700 if os.path.isdir(path) else 0o600), f"{path}: {mode:04o}"


@quick
def test_files_with_secrets_that_others_can_read(env):
    """A secret in a configuration that everybody can read is warned of, at each start; a file with a secret is refused."""
    make_numbered(env)
    conninfo = f"{env.postgres.conninfo(env.database)} password={secret('database')}"
    bridge = env.bridge(NUMBERED_RULE, start=False, database={"conninfo": conninfo})
    bridge.start()
    assert "can read" not in bridge.log()
    bridge.stop()
    os.chmod(bridge.file, 0o644)
    bridge.start()
    line = bridge.wait_log("everybody can read")
    assert " WARN " in line and MARK not in line and "chmod 600" in line, line
    bridge.stop()
    path = secret("broker", env.folder)
    os.chmod(path, 0o640)
    refused = env.bridge(NUMBERED_RULE, start=False, broker={"username": "u", "password_file": path})
    refused.launch()
    assert refused.wait() == 3 and "can be read by others" in refused.log(), refused.log()


def test_secrets_of_a_container(env):
    """Docker's secrets are 0444 under /run/secrets: taken there, and from nowhere else, also not through a link."""
    if os.getuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        raise Skip("only root can make a /run of its own")
    path = secret("broker", env.folder)
    os.chmod(path, 0o444)
    make_folder(env.folder + "/run")
    cases = {path: 3, "/run/secrets/broker": 0, env.folder + "/link": 0, "/run/secrets/../broker": 3}
    os.symlink("/run/secrets/broker", env.folder + "/link")
    for file, code in cases.items():
        config = env.config_file('broker = { username = "u"; password_file = "%s"; }; rules = (%s);' % (file, NUMBERED_RULE))
        script = ('mount -t tmpfs tmpfs /run && mkdir /run/secrets && cp -p "$0" /run/secrets/broker && cp -p "$0" /run/broker && '
                  'exec "$1" --config "$2" check')
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script, path, env.binary, config], capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{file}: {done}"


# --- what comes from the broker

ODD = ["t/line\nbreak", "t/\033[31mred", 't/"quoted" key=value', "t/\x7f\u0085", "t/<b>&amp;", "t/" + "x" * 300, "t/ü\u202e", b"t/nul\0", b"t/\xff\xfe", "t/+/#"]


@quick
def test_odd_topics_and_payloads(env):
    """Newlines, escapes and quotes in topics and payloads: each log line is one line, in both formats, and the pages parse."""
    for form in ("text", "json"):
        env.sql("create table if not exists got (v int)")
        broker = env.scripted_broker()
        bridge = env.bridge('{ name = "odd \\"rule\\" \\\\ x=1 é"; topic = "t/#"; table = "got"; columns = { v = "$"; }; }',
                            broker={"url": broker.url, "status_topic": ""}, log={"level": "debug", "format": form}, ready=False)
        session = broker.accept()
        session.wait("SUBSCRIBE")
        for number, topic in enumerate(ODD, 1):
            session.send(topic, '"a\033]0;title\007\r\nb"', packet_id=number)
            session.wait("PUBACK", number)
        env.wait(lambda b=bridge: b.metric("messages_processed_total") == len(ODD), 15, "not all are processed")
        bridge.stop()
        lines = bridge.log().split("\n")[:-1]
        assert len(lines) > 5 and any("rejected" in line for line in lines)
        for line in lines:
            if form == "json":
                assert set(json.loads(line)) >= {"time", "level", "event"}, line
            assert not re.search(r"[\x00-\x1f\x7f\x80-\x9f]", line), repr(line)
            assert form == "json" or TEXT_LINE.match(line), repr(line)
        assert "title" not in bridge.log(), "a payload is in the log"
        env.sql("drop schema mqtt2pg cascade; drop table got")


@quick
def test_values_are_never_sql(env):
    """SQL in topics, payloads and properties is stored as the text that it is, by COPY, by an upsert and by the rule's own SQL."""
    evil = "x'); drop table plain; --\\"
    env.sql("create table plain (v text, w text); create table upsert (v text primary key, w text); create table own (v text, w text)")
    columns = 'columns = { v = "{v}"; w = "$"; };'
    env.bridge(f"""{{ name = "plain"; topic = "~/s/{{v}}"; format = "text"; table = "plain"; {columns} }},
        {{ name = "upsert"; topic = "~/s/{{v}}"; format = "text"; table = "upsert"; on_conflict = "update"; key = ("v"); {columns} }},
        {{ name = "own"; topic = "~/s/{{v}}"; format = "text"; sql = "insert into own select v, w from batch";
           columns = {{ v = "{{v}} :: text"; w = "$ :: text"; }}; }}""")
    env.publish([(f"~/s/{evil}", evil), ("~/s/b", "\\N\t\\.\n")])
    for table in ("plain", "upsert", "own"):
        env.wait_rows(table, 2)
        assert set(env.sql(f"select * from {table}")) == {(evil, evil), ("b", "\\N\t\\.\n")}, table


@quick
def test_role_with_least_privileges(env):
    """A bridge as the role of sql/role.sql does all its work, and could do no more."""
    psql = ["psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", env.postgres.conninfo(env.database, "test")]
    env.admin("create table numbered (topic text, n bigint, qos smallint, received timestamptz); create table private (v int)")
    for arguments in (["-f", "sql/mqtt2pg.sql"], ["-v", "role=t_least", "-v", "table=public.numbered", "-f", "sql/role.sql"]):
        done = subprocess.run([*psql, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
    env.closing.append(lambda: env.admin("drop owned by t_least; drop role t_least"))
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": env.postgres.conninfo(env.database, "t_least")})
    env.publish([*numbered("a", 0, 100), ("~/n/bad", "no json")])
    env.wait(lambda: env.admin("select (select count(*) from numbered), (select count(*) from mqtt2pg.dead_letter)") == [(100, 1)], 15,
             "not stored")
    assert env.cli("check", "--database", config=bridge).code == 0
    assert env.cli("dead-letters", "purge", "--all", config=bridge).code == 0
    for statement in ("select * from private", "delete from numbered", "drop table numbered", "create table x (v int)",
                      "delete from mqtt2pg.progress", "drop schema mqtt2pg"):
        try:
            env.sql(statement, user="t_least")
        except psycopg2.Error as error:
            assert error.pgcode == "42501", f"{statement}: {error}"
        else:
            raise AssertionError(f"the role may: {statement}")


@quick
def test_environment(env):
    """Variables by which Paho would send MQTT through a proxy or write payloads to a file have no effect."""
    make_numbered(env)
    trace = os.path.join(env.folder, "trace")
    bridge = env.bridge(NUMBERED_RULE, start=False)
    bridge.start(http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1", MQTT_C_CLIENT_TRACE=trace,
                 MQTT_C_CLIENT_TRACE_LEVEL="PROTOCOL")
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})
    bridge.stop()
    assert not os.path.exists(trace) and not os.path.exists(trace + ".0")


@quick
def test_series_do_not_grow_with_topics(env):
    """Ten thousand topics give as many lines of /metrics and of the log as one does."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish([("~/n/first", '{"n":0}'), ("~/n/bad", "no json")])
    env.wait_rows("numbered", 1)
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "no dead letter")
    before = sorted(bridge.metrics())
    logged = len(bridge.log().splitlines())
    env.publish([(f"~/n/{n}", '{"n":0}' if n % 2 else "no json") for n in range(10000)])
    env.wait_rows("numbered", 5001)
    bridge.wait_quiet()
    assert sorted(bridge.metrics()) == before
    assert len(bridge.log().splitlines()) - logged < 5, "the log grows with the messages"


# --- the log of the service

def run_on(env, bridge, descriptor, **environment):
    """`run` until it is ready, with standard error on this descriptor."""
    process = subprocess.Popen([env.binary, "--config", bridge.file, "run"], stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor,
                               env={**env.environment, **environment})
    try:
        env.wait(lambda: bridge.get("/readyz").code == 200, 15, "not ready")
    finally:
        process.terminate()
        process.wait(20)


@quick
def test_log_on_a_terminal(env):
    """Coloured there, unless NO_COLOR is set; never in a file."""
    make_numbered(env)
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        bridge = env.bridge(NUMBERED_RULE, start=False)
        ours, theirs = pty.openpty()
        run_on(env, bridge, theirs, **environment)
        os.set_blocking(ours, False)
        said = os.read(ours, 100000).decode().replace("\r\n", "\n")
        assert ("\033[32mINFO" in said) == coloured and ("\033" in said) == coloured, repr(said[:300])
        for line in said.strip().split("\n"):
            assert TEXT_LINE.match(line), repr(line)
        os.close(ours)
        os.close(theirs)


@quick
def test_log_under_systemd(env):
    """Priorities instead of the time when JOURNAL_STREAM is standard error; not when it is another stream, and not in JSON."""
    make_numbered(env)
    path = os.path.join(env.folder, "stream")
    for form, own, wanted in (("text", True, "<6>INFO  "), ("text", False, "20"), ("json", True, "{")):
        bridge = env.bridge(NUMBERED_RULE, start=False, log={"format": form})
        with open(path, "w") as file:
            status = os.fstat(file.fileno())
            run_on(env, bridge, file, JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino if own else status.st_ino + 1}")
        lines = open(path).read().splitlines()
        assert lines and all(line.startswith((wanted, wanted.replace("6>INFO ", "4>WARN "))) for line in lines), lines[:3]


@quick
def test_log_level_by_reload(env):
    """SIGHUP takes level and format."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, log={"level": "warn"})
    assert " INFO " not in bridge.log()
    bridge.configure(log={"level": "debug", "format": "json"})
    bridge.signal(signal.SIGHUP)
    line = bridge.wait_log("configuration reloaded")
    assert json.loads(line)["level"] == "info", line


def test_renewed_token(env):
    """A token in a file is read at each attempt to connect: a renewed one needs no reload; a file that is gone is told by its setting."""
    token = os.path.join(env.folder, "token")

    def renew(text):
        with open(token + ".new", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text + "\n")
        os.rename(token + ".new", token)

    renew("first")
    broker = env.scripted_broker()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url, "username": "u", "password_file": token}, ready=False)
    session = broker.accept()
    assert (session.username, session.password) == ("u", "first")
    session.wait("SUBSCRIBE")
    renew("second")
    session.drop()
    session = broker.accept()
    assert session.password == "second"
    os.remove(token)
    session.drop()
    line = bridge.wait_log("ERROR.*broker.password_file.*No such file")
    assert "first" not in line and "second" not in line
    renew("third")
    assert broker.accept(30).password == "third"
    bridge.stop()


def test_conninfo_file_is_read_at_each_attempt(env):
    """The database moves, and the file says where: the next attempt goes there, without a restart; a file that is cut off is waited for."""
    gone, there = env.proxy(env.postgres.port), env.proxy(env.postgres.port)
    path = env.config_file(env.postgres.conninfo(env.database, port=gone.port) + "\n", "conninfo")
    os.chmod(path, 0o600)
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": None, "conninfo_file": path})
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})
    gone.refusing = True
    gone.cut()
    os.remove(path)
    env.wait(lambda: "database.conninfo_file: " in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))
    env.config_file(f"host = 127.0.0.1 password={MARK} nonsense\n", "conninfo")
    env.wait(lambda: "malformed" in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))
    env.config_file(env.postgres.conninfo(env.database, port=there.port) + "\n", "conninfo")
    bridge.wait_ready()
    env.publish(numbered("a", 10, 10))
    check_numbered(env, {"a": 20})
    assert there.connections > 0 and MARK not in bridge.log()


def test_database_password_is_read_at_each_attempt(env):
    """The role gets another password, its file too: the next attempt works, without a restart."""
    role = f"rotating_{env.database}"
    env.admin(f"create role {role} login password 'first'; grant create on database {env.database} to {role}; grant bridge to {role}")
    env.closing.append(lambda: env.admin(f"drop owned by {role}; drop role {role}"))
    path = env.config_file("first\n", "password")
    os.chmod(path, 0o600)
    env.sql("create table t (v text)")
    conninfo = f"host=127.0.0.1 port={env.postgres.port} dbname={env.database} user={role} sslmode=disable gssencmode=disable"
    bridge = env.bridge('{ name = "t"; topic = "~/t"; format = "text"; table = "t"; columns = { v = "$"; }; }',
                        database={"conninfo": conninfo, "password_file": path})
    env.admin(f"alter role {role} password 'second'")
    env.admin("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", role)
    bridge.wait_log("password authentication failed")
    env.config_file("second\n", "password")
    bridge.wait_ready()
    env.publish([("~/t", "x")])
    env.wait_rows("t", 1)
