"""Sparkplug B: names and datatypes come from the BIRTH, whatever happens between it and the DATA.

SPDX-License-Identifier: MIT
"""

import gzip
import os
import signal
import subprocess
import threading
import time

from env import limit, quick
from npm_modules import npm_modules
from sparkplug import birth, data, death

RULES = """
{ name = "spb"; topic = "spBv1.0/%s/#"; format = "sparkplug_b"; rows = "$.metrics[*]"; where = "$$.type in ('NDATA', 'DDATA')"; table = "spb";
  columns = { edge = "$$.edge"; device = "$$.device"; name = "$.name"; value = "$.value"; }; },
{ name = "deaths"; topic = "spBv1.0/%s/NDEATH/{edge}"; format = "sparkplug_b"; table = "deaths"; columns = { edge = "{edge}"; }; }
"""


class Plant:
    """One group at the broker, its tables, and a bridge for it."""

    def __init__(self, env, **config):
        self.env = env
        self.group = env.topic("~").replace("/", "-")
        env.sql("""create table spb (id int generated always as identity, edge text, device text, name text, value float8);
                   create table deaths (edge text)""")
        self.bridge = env.bridge(config.pop("rules", RULES % (self.group, self.group)), **config)

    def send(self, kind, what, edge="E"):
        """kind: "NBIRTH", or "DDATA/D" for the device D."""
        kind, _, device = kind.partition("/")
        self.env.publish([(f"spBv1.0/{self.group}/{kind}/{edge}" + (f"/{device}" if device else ""), what)])

    def rows(self):
        return self.env.sql("select edge, device, name, value from spb order by id")

    def wait(self, rows):
        self.env.wait(lambda: self.rows() == rows, 15, lambda: f"{self.rows()}, not {rows}")


@quick
def test_births_survive(env):
    """kill -9, a reload and a reconnect between BIRTH and DATA: aliases keep their names, and an NBIRTH ends those of its devices."""
    plant = Plant(env)
    plant.send("NBIRTH", birth({"a": 1}, bdseq=0))
    plant.send("DBIRTH/D", birth({"d": 2}, seq=1))
    plant.send("NDATA", data({1: 1}))
    rows = [("E", None, "a", 1.0)]
    plant.wait(rows)
    plant.bridge.kill9()
    plant.bridge.start()
    plant.send("DDATA/D", data({2: 2}))
    rows.append(("E", "D", "d", 2.0))
    plant.wait(rows)
    plant.bridge.configure((RULES % (plant.group, plant.group)).replace('"spb"; topic', '"renamed"; topic'))
    plant.bridge.signal(signal.SIGHUP)
    plant.bridge.wait_log("configuration reloaded")
    plant.send("NDATA", data({1: 3}))
    rows.append(("E", None, "a", 3.0))
    plant.wait(rows)
    env.admin("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bridge' and pid <> pg_backend_pid()")
    plant.send("NDATA", data({1: 4}))
    rows.append(("E", None, "a", 4.0))
    plant.wait(rows)
    plant.send("NBIRTH", birth({"b": 1}, bdseq=1))
    plant.send("NDATA", data({1: 5}))
    plant.send("DDATA/D", data({2: 6}))
    rows.append(("E", None, "b", 5.0))
    plant.wait(rows)
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "the device's DATA was taken")
    reason = env.one("select reason from mqtt2pg.dead_letter")
    assert f"alias 2 of {plant.group}/E/D is unknown: no BIRTH" in reason, reason
    plant.send("NDEATH", death(0))
    plant.send("NDEATH", death(1))
    env.wait_rows("deaths", 1)
    plant.bridge.check_books()


def test_rebirths_are_asked_for(env):
    """An edge node without a BIRTH, one whose sequence numbers have a hole, and one whose BIRTH lacks a metric are asked once; one that is
    well is not."""
    group = env.topic("~").replace("/", "-")
    commands = env.subscribe(f"spBv1.0/{group}/NCMD/+")
    plant = Plant(env, rules=(RULES % (group, group)).replace('rows =', 'sparkplug: { rebirth = "gap"; }; rows =', 1))
    plant.send("NDATA", data({1: 1}, seq=5), edge="lost")
    commands.wait(1)
    plant.send("NDATA", data({1: 1}, seq=6), edge="lost")
    plant.send("NBIRTH", birth({"a": 1}, bdseq=0), edge="well")
    plant.send("NDATA", data({1: 1}, seq=1), edge="well")
    plant.send("NBIRTH", birth({"a": 1}, bdseq=0), edge="holed")
    plant.send("DBIRTH/D", birth({"d": 2}, seq=1), edge="holed")
    plant.send("NDATA", data({1: 1}, seq=3), edge="holed")
    plant.send("NBIRTH", birth({"a": 1}, bdseq=0), edge="short")
    plant.send("NDATA", data({9: 1}, seq=1), edge="short")
    plant.send("NDATA", data({9: 1}, seq=2), edge="short")
    commands.wait(3)
    topics = [message.topic for message in commands.messages]
    assert topics == [f"spBv1.0/{group}/NCMD/{edge}" for edge in ("lost", "holed", "short")], topics
    assert all(b"\x12\x1a\x0a\x14Node Control/Rebirth\x20\x0b\x70\x01" in message.payload for message in commands.messages)
    plant.bridge.check_books()


def test_compressed_births_are_known(env):
    """Rules of different compression: each edge node is known by its BIRTH, and a damaged BIRTH ends what the one before it said."""
    group = env.topic("~").replace("/", "-")
    rule = (RULES % (group, group)).strip().splitlines()[0:2]
    zipped = "\n".join(rule).replace('"spb"; topic = "spBv1.0/%s' % group, '"zipped"; compression = "gzip"; topic = "spBv1.0/%s-zip' % group)
    plant = Plant(env, rules=(RULES % (group, group)).rstrip() + ",\n" + zipped.rstrip().rstrip(","))

    def zip_send(kind, what):
        env.publish([(f"spBv1.0/{group}-zip/{kind}/E", gzip.compress(what))])

    plant.send("NBIRTH", birth({"plain": 1}, bdseq=0))
    zip_send("NBIRTH", birth({"zipped": 1}, bdseq=0))
    plant.send("NDATA", data({1: 1}))
    zip_send("NDATA", data({1: 2}))
    plant.wait([("E", None, "plain", 1.0), ("E", None, "zipped", 2.0)])
    env.publish([(f"spBv1.0/{group}-zip/NBIRTH/E", gzip.compress(birth({"zipped": 1}, bdseq=1))[:-9])])
    zip_send("NDATA", data({1: 3}))
    env.wait(lambda: len(env.dead_letters()) == 2, 10, "the DATA behind a damaged BIRTH was taken")
    assert env.sql("select reason from mqtt2pg.dead_letter where reason like '%BIRTH could not be read%'") != []
    plant.bridge.check_books()


def test_letters_keep_their_names(env):
    """A dead letter is retried by the BIRTH that it came behind, also when a newer one says otherwise, or by the first one behind it."""
    plant = Plant(env)
    env.sql("alter table spb add constraint low check (value < 100)")
    plant.send("NDATA", data({1: 1}))
    plant.send("NBIRTH", birth({"old": 1}, bdseq=0))
    plant.send("NDATA", data({1: 100}))
    plant.send("NBIRTH", birth({"new": 1}, bdseq=1))
    plant.send("NDATA", data({1: 2}))
    plant.wait([("E", None, "new", 2.0)])
    env.wait(lambda: len(env.dead_letters()) == 2, 10, "no two dead letters")
    plant.bridge.kill9()
    plant.bridge.start()
    env.sql("alter table spb drop constraint low")
    retried = env.cli("dead-letters", "retry", config=plant.bridge)
    assert retried.code == 0, retried
    plant.wait([("E", None, "new", 2.0), ("E", None, "old", 1.0), ("E", None, "old", 100.0)])
    assert env.dead_letters() == []
    plant.send("NBIRTH", birth({"newest": 1}, bdseq=2))
    plant.send("NDATA", data({1: 3}))
    env.wait_rows("spb", 4)
    plant.bridge.check_books()


def test_database_that_went_back(env):
    """A restored database lacks a BIRTH, the rows behind it and its own memory of it: all of them come from the journal again."""
    plant = Plant(env)
    plant.send("NBIRTH", birth({"old": 1}, bdseq=0))
    plant.send("NDATA", data({1: 1}))
    plant.wait([("E", None, "old", 1.0)])
    plant.bridge.wait_quiet()
    position = env.one("select position from mqtt2pg.progress")
    plant.send("NBIRTH", birth({"new": 1}, bdseq=1))
    plant.send("NDATA", data({1: 2}))
    plant.wait([("E", None, "old", 1.0), ("E", None, "new", 2.0)])
    plant.bridge.wait_quiet()
    env.sql(f"""delete from spb where name = 'new'; delete from mqtt2pg.memory where sequence > {position};
                update mqtt2pg.progress set position = {position}, stored_at = now() - interval '1 day'""")
    plant.send("NDATA", data({1: 3}))
    plant.wait([("E", None, "old", 1.0), ("E", None, "new", 2.0), ("E", None, "new", 3.0)])
    assert env.dead_letters() == [] and env.one("select max(sequence) from mqtt2pg.memory") > position
    plant.bridge.check_books()


@limit(90)
def test_backlog_of_many_edge_nodes(env):
    """1,000 edge nodes with new aliases every time, while the database is away: each value gets the name that its own BIRTH said."""
    nodes, metrics, rounds = 1000, int(os.environ.get("MQTT2PG_METRICS", "10")), int(os.environ.get("MQTT2PG_ROUNDS", "3"))
    plant = Plant(env)
    env.postgres.stop()
    for number in range(rounds):
        alias = {f"{number}/{m}": (m + number) % metrics for m in range(metrics)}
        born, said = birth(alias, bdseq=number), data({alias[f"{number}/3"]: number}, seq=1)
        env.publish([(f"spBv1.0/{plant.group}/{kind}/E{node}", what) for node in range(nodes) for kind, what in (("NBIRTH", born), ("NDATA", said))])
    env.wait(lambda: plant.bridge.metric("journal_messages") == 2 * nodes * rounds, 40, "not in the journal")
    started = time.monotonic()
    env.postgres.start()
    env.wait(lambda: plant.bridge.metric("journal_messages") == 0, 60, "messages still wait")
    drained = time.monotonic() - started
    assert env.sql("select name, value, count(distinct edge), count(*) from spb group by 1, 2 order by 2") == [
        (f"{number}/3", float(number), nodes, nodes) for number in range(rounds)]
    assert env.dead_letters() == []
    plant.bridge.check_books()
    plant.bridge.kill9()
    started = time.monotonic()
    plant.bridge.start()
    ready = time.monotonic() - started
    plant.send("NDATA", data({alias[f"{number}/5"]: 99}, seq=2), edge="E7")
    env.wait(lambda: env.sql("select name from spb where value = 99") == [(f"{number}/5",)], 10, "the BIRTH is forgotten")
    if "MQTT2PG_METRICS" in os.environ:
        bytes_kept = env.one("select sum(length(content)) from mqtt2pg.memory")
        print(f"     {nodes} edge nodes, {metrics} metrics, {rounds} BIRTHs of each ({bytes_kept >> 20} MB): drained {drained:.1f} s after the "
              f"database came, ready {ready:.2f} s after a restart, {plant.bridge.rss_mb():.0f} MB")


@limit(90)
def test_brokers_are_not_mixed(env):
    """Two brokers with an edge node of one name and other aliases: each keeps its BIRTH; with cluster = true they are one."""
    here = env.own_broker().start()
    there = env.own_broker().start()  # the test's own clients go there
    proxies = [env.proxy(here.port), env.proxy(there.port)]
    proxies[1].refusing = True
    plant = Plant(env, broker={"url": [f"mqtt://127.0.0.1:{proxy.port}" for proxy in proxies]})
    topic = f"spBv1.0/{plant.group}/%s/E"
    env.publish([(topic % "NBIRTH", birth({"here": 1}, bdseq=0)), (topic % "NDATA", data({1: 1}))], port=here.port)
    plant.wait([("E", None, "here", 1.0)])
    here.kill()
    proxies[1].refusing = False
    env.wait(lambda: plant.bridge.metric("broker_url") == 1 and plant.bridge.metric("broker_connected") == 1, 30, "it has not gone to the other one")
    plant.send("NDATA", data({1: 2}))
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "DATA of one broker was named by the BIRTH of the other")
    assert "its BIRTH came from another address of broker.url" in env.one("select reason from mqtt2pg.dead_letter")
    plant.send("NBIRTH", birth({"there": 1}, bdseq=0))
    plant.send("NDATA", data({1: 3}))
    rows = [("E", None, "here", 1.0), ("E", None, "there", 3.0)]
    plant.wait(rows)
    env.sql("update mqtt2pg.memory set content = set_byte(content, 0, get_byte(content, 0) & 15 | 16)")  # as if it had come from the other one
    plant.bridge.configure((RULES % (plant.group, plant.group)).replace("rows =", "sparkplug: { cluster = true; }; rows =", 1))
    plant.bridge.signal(signal.SIGHUP)
    plant.bridge.wait_log("configuration reloaded")
    plant.send("NDATA", data({1: 4}))
    plant.wait([*rows, ("E", None, "there", 4.0)])
    plant.bridge.check_books()


def test_shared_subscription_is_refused(env):
    """With share, BIRTH and DATA may reach different bridges: check says so."""
    file = env.config_file('rules = ( { name = "s"; topic = "spBv1.0/#"; share = "g"; format = "sparkplug_b"; table = "x"; columns = { a = "$"; }; } );')
    checked = env.cli("check", config=file)
    assert checked.code == 3 and "BIRTH and DATA would reach different bridges" in checked.out, checked


CLIENT = "sparkplug-client@3.2.4"


class EdgeNode:
    """tests/integration/npm/edge_node.js as a process."""

    def __init__(self, env, group, name, devices, metrics):
        script = os.path.join(os.path.dirname(__file__), "npm/edge_node.js")
        self.env, self.lines = env, []
        self.process = subprocess.Popen(["node", script, f"mqtt://127.0.0.1:{env.broker.port}", group, name, str(devices), str(metrics)],
                                        env={**os.environ, "NODE_PATH": npm_modules(CLIENT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        env.closing.append(self.process.kill)
        threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")), daemon=True).start()

    def wait(self, line, count=1):
        self.env.wait(lambda: sum(one.startswith(line) for one in self.lines) >= count, 20, lambda: f"no {line}: {self.lines}")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@limit(150)
def test_edge_node_of_another_maker(env):
    """npm's sparkplug-client: 100 devices × 100 metrics, kill -9 between BIRTH and DATA, a rebirth that the bridge asks for, a death."""
    npm_modules(CLIENT)
    group = env.topic("~").replace("/", "-")
    rules = (RULES % (group, group)).replace("rows =", 'sparkplug: { rebirth = "unknown"; }; rows =', 1)
    plant = Plant(env, rules=rules, batch={"max_delay": "20ms"})
    edge = EdgeNode(env, group, "E", 100, 100)
    edge.wait("born")
    edge.say("round")
    env.wait_rows("spb", 10000, 60)
    plant.bridge.kill9()
    plant.bridge.start()
    edge.say("round")
    env.wait_rows("spb", 20000, 60)
    wrong = "select count(*) from spb where value <> -((%s) + substr(device, 2)::int * 100 + substr(name, 2)::int)"
    assert env.one(wrong % "case when id <= 10000 then 10000 else 20000 end") == 0, "values or names are wrong"
    other = EdgeNode(env, group, "F", 1, 1)
    other.wait("born")
    env.wait(lambda: env.one("select count(*) from mqtt2pg.memory where key like '%/F/d0'") == 1, 10, "the BIRTH is not kept")
    env.sql("delete from mqtt2pg.memory where key like '%/F%'")  # as when the bridge had been away
    plant.bridge.kill9()
    plant.bridge.start()
    other.say("round")
    other.wait("rebirth")
    env.wait(lambda: env.one("select count(*) from mqtt2pg.memory where key like '%/F/d0'") == 1, 10, "no rebirth came")
    other.say("round")
    # It names name and datatype in DATA as well, so that even the round before the rebirth could be read.
    env.wait(lambda: env.sql("select value from spb where edge = 'F' order by id") == [(-10000.0,), (-20000.0,)], 10, "its DATA is not stored")
    edge.process.kill()  # the broker publishes its will
    env.wait_rows("deaths", 1, 30)
    plant.bridge.check_books()


def test_names_too_long_to_be_remembered(env):
    """A BIRTH whose names no index takes is a dead letter, and nothing waits behind it."""
    plant = Plant(env)
    plant.send("NBIRTH", birth({"a": 1}, bdseq=0), edge=os.urandom(2000).hex())
    plant.send("NBIRTH", birth({"a": 1}, bdseq=0), edge="e" * 900)
    plant.send("NDATA", data({1: 1}), edge="e" * 900)
    plant.wait([("e" * 900, None, "a", 1.0)])
    assert "more than 1024 bytes" in env.one("select reason from mqtt2pg.dead_letter")
    plant.bridge.check_books()
