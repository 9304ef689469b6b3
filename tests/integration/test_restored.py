"""An older state of the database server comes back whole, as from a backup: tables, partitions, dead letters, memory and positions together.

SPDX-License-Identifier: MIT
"""

import json
import os
import shutil
import signal
import subprocess
import time

from env import limit
from scenes import own_server
from sparkplug import birth, data
from test_partitions import MINUTE, RULE, not_kept, of_minute, partitions, reading


class Backup:
    """Of a server of the test's own: its data directory, taken while it is stopped."""

    def __init__(self, env):
        self.server, self.copy = env.postgres, os.path.join(env.folder, "backup")

    def take(self):
        self.server.stop()
        subprocess.run(["cp", "-a", self.server.data, self.copy], check=True)
        self.server.start()

    def restore(self):
        self.server.stop()
        shutil.rmtree(self.server.data)
        os.rename(self.copy, self.server.data)
        self.server.start()


@limit(90)
def test_partitions_come_back(env):
    """Partitions that were dropped since are there again and go again; messages for them are stored once, by the service and by a replay."""
    own_server(env)
    bridge = env.bridge(RULE, journal={"keep": "1h"})
    now, backup = time.time(), Backup(env)
    old, young = now - 20 * MINUTE, now - 10 * MINUTE
    env.publish([reading("a", old), reading("a", now)])
    env.wait(lambda: partitions(env).get(of_minute(old)) == 1 and not_kept(bridge) is None, 25, lambda: f"{partitions(env)}\n{bridge.log()}")
    bridge.wait_quiet()
    backup.take()
    bridge.wait_ready()
    env.publish([reading("b", old), reading("b", young), reading("b", now)])
    env.wait_rows("reading", 5)
    bridge.configure(RULE.replace('"30m"', '"15m"'))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: of_minute(old) not in partitions(env), 25, lambda: f"{partitions(env)}\n{bridge.log()}")
    bridge.wait_quiet()
    backup.restore()
    env.wait(lambda: env.one("select count(*) from reading where device = 'b' and time >= now() - interval '15 minutes'") == 2, 30, bridge.log)
    env.wait(lambda: of_minute(old) not in partitions(env), 25, lambda: f"{partitions(env)}\n{bridge.log()}")
    bridge.wait_ready()
    bridge.wait_quiet()
    replayed = env.cli("replay", "--rule", "reading", config=bridge)
    assert replayed.code == 0 and "replayed 5 messages" in replayed.out, replayed
    assert env.one("select count(*) from reading where time >= now() - interval '15 minutes'") == 3
    assert env.one("select count(*) from reading where time < now() - interval '15 minutes'") == 2
    env.wait(lambda: partitions(env).get("reading_default") == 2 and partitions(env).get(of_minute(young)) == 1, 20, lambda: partitions(env))
    assert env.dead_letters() == [] and not_kept(bridge) is None
    bridge.check_books()


RULES = """
{ name = "computed"; topic = "~/c/{device}"; table = "computed"; columns = { n = "$"; device = "{device} :: text"; };
  compute = { device_id = "(select id from device where name = device)"; twice = "n * 2"; }; },
{ name = "later"; topic = "~/l/{device}"; table = "later"; retry_for = "1h"; columns = { device = "{device}"; n = "$"; };
  ack: { topic = "~/ack"; qos = 1; fields = { n = "$"; status = "@status"; rows = "@rows"; }; }; },
{ name = "spb"; topic = "spBv1.0/%s/#"; format = "sparkplug_b"; rows = "$.metrics[*]"; where = "$$.type = 'NDATA'"; table = "spb";
  columns = { name = "$.name"; value = "$.value"; }; }"""

TABLES = """create table device (id int generated always as identity, name text primary key);
            create table computed (n int, device_id int not null, twice int); create table later (device text references device, n int);
            create table spb (name text, value float8)"""


class Stored:
    """Rules whose rows depend on more than their message: on another table, on a row that comes later, on an earlier message."""

    def __init__(self, env, **config):
        self.env, self.group = env, env.topic("~").replace("/", "-")
        env.sql(TABLES)
        self.inbox = env.subscribe("~/ack")
        self.bridge = env.bridge(RULES % self.group, **config)

    def send(self, n, names=None):
        """One message for each rule; `names` are those of a new BIRTH before."""
        spb = f"spBv1.0/{self.group}"
        self.env.publish([(f"{spb}/NBIRTH/E", birth(names, bdseq=n))] if names else [])
        self.env.publish([("~/c/one", str(n)), ("~/l/two", str(n)), (f"{spb}/NDATA/E", data({1: n}))])

    def rows(self):
        return [self.env.sql(f"select {columns} from {table} order by 1, 2") for table, columns in
                (("computed", "n, twice, device_id"), ("later", "n, device"), ("spb", "value::int, name"))]

    def wait(self, computed, later, spb):
        wanted = [computed, later, spb]
        self.env.wait(lambda: self.rows() == wanted, 30, lambda: f"{self.rows()}, not {wanted}; {self.env.dead_letters()}\n{self.bridge.log()}")
        self.bridge.wait_ready()
        self.bridge.wait_quiet()

    def acknowledged(self):
        return sorted({(ack["n"], ack["status"], ack["rows"]) for ack in map(json.loads, self.inbox.payloads)})


@limit(90)
def test_rows_that_depend_on_others(env):
    """compute, retry_for with its acknowledgment, and what Sparkplug remembers: all again as before, each row once."""
    own_server(env)
    scene, backup = Stored(env), Backup(env)
    env.sql("insert into device (name) values ('one')")
    scene.send(1, {"old": 1})
    scene.wait([(1, 2, 1)], [], [(1, "old")])
    env.wait(lambda: len(env.dead_letters()) == 1, 15, env.dead_letters)
    scene.bridge.wait_quiet()
    backup.take()
    scene.bridge.wait_ready()
    env.sql("insert into device (name) values ('two')")
    scene.send(2, {"new": 1})
    scene.wait([(1, 2, 1), (2, 4, 1)], [(1, "two"), (2, "two")], [(1, "old"), (2, "new")])
    env.wait(lambda: scene.acknowledged() == [(1, "stored", 1), (2, "stored", 1)], 15, scene.acknowledged)
    backup.restore()
    env.wait(lambda: len(env.dead_letters()) == 2, 30, lambda: f"{env.dead_letters()}\n{scene.bridge.log()}")
    scene.wait([(1, 2, 1), (2, 4, 1)], [], [(1, "old"), (2, "new")])
    told = len(scene.inbox.messages)
    env.sql("insert into device (name) values ('two')")
    scene.wait([(1, 2, 1), (2, 4, 1)], [(1, "two"), (2, "two")], [(1, "old"), (2, "new")])
    env.wait(lambda: len(scene.inbox.messages) == told + 2, 15, scene.acknowledged)
    scene.send(3)
    scene.wait([(1, 2, 1), (2, 4, 1), (3, 6, 1)], [(1, "two"), (2, "two"), (3, "two")], [(1, "old"), (2, "new"), (3, "new")])
    assert scene.acknowledged() == [(n, "stored", 1) for n in (1, 2, 3)] and env.dead_letters() == []
    scene.bridge.check_books()


@limit(60)
def test_rows_that_depend_on_others_behind_a_pooler(env):
    """The same rules through PgBouncer in transaction mode, with kill -9 between the letter and the row that it waits for."""
    scene = Stored(env, database={"conninfo": env.pooler("transaction").conninfo(env.database)})
    env.sql("insert into device (name) values ('one')")
    scene.send(1, {"old": 1})
    scene.wait([(1, 2, 1)], [], [(1, "old")])
    env.wait(lambda: len(env.dead_letters()) == 1, 15, env.dead_letters)
    scene.bridge.kill9()
    env.sql("insert into device (name) values ('two')")
    scene.bridge.start()
    scene.send(2)
    scene.wait([(1, 2, 1), (2, 4, 1)], [(1, "two"), (2, "two")], [(1, "old"), (2, "old")])
    env.wait(lambda: scene.acknowledged() == [(1, "stored", 1), (2, "stored", 1)], 15, scene.acknowledged)
    assert env.dead_letters() == []
    scene.bridge.check_books()
