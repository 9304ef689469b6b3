"""One table in trouble, with real parts: a full tablespace, a damaged index, too few locks, a long lock. The other rule's rows go on.

SPDX-License-Identifier: MIT
"""

import os
import subprocess

from env import Skip, limit
from scenes import own_server
from servers import make_folder

# Rule r has the trouble. What rule o stores tells how long its rows waited.
RULES = """{ name = "r"; topic = "~/r"; table = "r"; columns = { n = "$.n"; v = "$.v"; }; },
           { name = "o"; topic = "~/o"; table = "o"; columns = { n = "$.n"; received = "@received_at"; }; }"""
OTHER = "create table o (n int, received timestamptz, stored timestamptz default clock_timestamp());"
TABLES = OTHER + "create table r (id bigint generated always as identity, n int, v text)"
FEW_SECONDS = 8  # 2 to 4 where nobody else works; whoever waits for the other table waits much longer
VALUE = "x" * 500


def both(first, count):
    """A message for either rule by turns."""
    for n in range(first, first + count):
        yield "~/r", '{"n": %d, "v": "%d %s"}' % (n, n, VALUE)
        yield "~/o", '{"n": %d}' % n


def others_did_not_wait(env, count):
    """All rows of rule o are there, and none waited longer than a few seconds."""
    env.wait(lambda: env.one("select count(distinct n) from o") == count, 30,
             lambda: f"rule o stands: {env.one('select count(*) from o')} of {count}")
    longest = float(env.one("select max(extract(epoch from stored - received)) from o"))
    assert longest < FEW_SECONDS * env.patience, f"a row of rule o waited {longest:.1f} s"


def all_in_order(env, bridge, count, table="r"):
    """All of rule r is there once, in order, nothing is left among the dead letters, and the books balance."""
    env.wait(lambda: env.one(f"select count(*) from {table}") >= count, 40,
             lambda: f"{env.one(f'select count(*) from {table}')} rows of {count}; {env.dead_letters()[:3]}")
    assert [row[0] for row in env.sql(f"select n from {table} order by id")] == list(range(count))
    env.wait(lambda: env.dead_letters() == [], 10, lambda: env.dead_letters()[:3])
    bridge.wait_quiet()
    bridge.check_books()


class SmallTablespace:
    """The tablespace `small` on a tmpfs of a few megabytes, which one file fills."""

    def __init__(self, env, own=True):
        folder = make_folder(os.path.join(env.folder, "small"))
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False)
        if mounted.returncode != 0:
            raise Skip(f"tmpfs can't be mounted here: {mounted.stderr.decode().strip()}")
        env.closing.append(lambda: subprocess.run(["umount", "-l", folder], check=False))
        self.filler = os.path.join(folder, "filler")
        self.space = make_folder(os.path.join(folder, "space"))
        if own:
            own_server(env)
        env.admin(f"create tablespace small location '{self.space}'")
        env.admin("grant create on tablespace small to bridge")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            for size in (65536, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def free(self):
        os.remove(self.filler)


@limit(120)
def test_full_tablespace_holds_its_rule_only(env):
    """The tablespace of r takes nothing more: r is held with the reason, and follows in order when there is room."""
    small = SmallTablespace(env)
    env.sql(OTHER + "create table r (id bigint generated always as identity, n int, v text) tablespace small")
    bridge = env.bridge(RULES)
    env.publish(both(0, 50))
    others_did_not_wait(env, 50)
    small.fill()
    env.publish(both(50, 200))
    others_did_not_wait(env, 250)
    line = bridge.wait_log("rule held")
    assert "rule=r" in line and "could not extend file" in line and "No space left on device" in line, line
    said = env.cli("status", config=bridge)
    assert said.code == 1 and "Rule r is held" in said.out and "held      r" in said.out, said
    env.publish(both(250, 50))
    others_did_not_wait(env, 300)
    assert "no free space" not in bridge.get("/readyz").out
    small.free()
    all_in_order(env, bridge, 300)


@limit(120)
def test_full_temporary_tablespace_holds_its_rule_only(env):
    """A rule's own SQL needs a temporary table, for which there is no room."""
    small = SmallTablespace(env)
    env.sql(TABLES)
    env.admin("alter role bridge set temp_tablespaces = 'small'")
    bridge = env.bridge("""{ name = "r"; topic = "~/r"; columns = { n = "$.n :: int"; v = "$.v :: text"; };
                             sql = "create index on batch (n); insert into r (n, v) select n, v from batch order by n"; },"""
                        + RULES[RULES.index("{ name = \"o\""):])
    env.publish(both(0, 50))
    others_did_not_wait(env, 50)
    small.fill()
    env.publish(both(50, 50))
    others_did_not_wait(env, 100)
    line = bridge.wait_log("rule held")
    assert "rule=r" in line and "No space left on device" in line, line
    small.free()
    all_in_order(env, bridge, 100)


@limit(150)
def test_damaged_index_holds_its_rule_only(env):
    """Bytes of an index are overwritten: r is held with PostgreSQL's advice, journalling goes on; after REINDEX all follows in order."""
    server = own_server(env)
    env.sql(TABLES + "; alter table r add primary key (id)")
    bridge = env.bridge(RULES)
    env.publish(both(0, 10))
    others_did_not_wait(env, 10)
    count = 10
    for block, garbage, words in ((0, bytes(8192), "unexpected zero page at block 0; hint: Please REINDEX it"), (1, b"\x5a" * 8192, "invalid page in block 1")):
        path = os.path.join(server.data, env.one("select pg_relation_filepath('r_pkey')"))
        server.stop()
        with open(path, "r+b") as file:
            file.seek(block * 8192)
            file.write(garbage)
        server.start()
        env.wait(lambda: env.one("select 1") == 1, 20, "the server is not back")
        bridge.wait_ready()
        env.publish(both(count, 50))
        count += 50
        env.sql("update o set stored = received")  # what waited for the server counts not
        env.wait(lambda: env.one("select count(*) from o") == count, 10, "rule o stands")  # pylint: disable=cell-var-from-loop
        env.wait(lambda: words in bridge.get("/readyz").out + bridge.get("/status.json").out, 10, "not told")  # pylint: disable=cell-var-from-loop
        env.publish(both(count, 50))
        count += 50
        env.wait(lambda: bridge.metric("messages_journaled_total") == 2 * count, 10, "not journalled")  # pylint: disable=cell-var-from-loop
        others_did_not_wait(env, count)
        env.admin("reindex table r")
        all_in_order(env, bridge, count)


@limit(150)
def test_too_few_locks_make_batches_smaller(env):
    """A batch that goes to more partitions than one transaction may lock: it gets smaller, nothing becomes a dead letter."""
    server = own_server(env, "max_locks_per_transaction=10", "max_connections=20", "max_worker_processes=2", "max_wal_senders=0")
    env.sql(OTHER + "create table r (id bigint generated always as identity, n int not null, v text) partition by list (n)")
    for first in range(0, 690, 30):
        env.sql(f"""do $$ begin for i in {first} .. {first + 29} loop
                      execute format('create table r_%s partition of r for values in (%s)', i, i); end loop; end $$""")
    bridge = env.bridge(RULES, batch={"max_delay": "2s"})  # long enough for all of them
    env.publish(both(0, 690))
    others_did_not_wait(env, 690)
    bridge.wait_quiet()
    with open(server.log, errors="replace") as file:
        refused = file.read().count("ERROR:  out of shared memory")
    assert 1 <= refused <= 6, f"{refused} batches needed too many locks"
    assert "rule held" not in bridge.log() and env.dead_letters() == [], env.dead_letters()[:3]
    server.stop()
    server.SETTINGS = (*server.SETTINGS, "max_locks_per_transaction=200")  # to look at all of it
    server.start()
    all_in_order(env, bridge, 690)


@limit(90)
def test_long_lock_holds_its_rule_only(env):
    """A migration locks r for a while, under load: how long rows of rule o wait is bounded, and r follows in order."""
    env.sql(TABLES)
    bridge = env.bridge(RULES)
    holder = env.run.connect(env.database, "bridge", env.postgres)
    env.closing.append(holder.close)
    holder.autocommit = False
    env.publish(both(0, 10))
    others_did_not_wait(env, 10)
    holder.cursor().execute("lock table r in access exclusive mode")
    load = env.publish_in_background(both(10, 1500), rate=300)
    load.finish()
    others_did_not_wait(env, 1510)
    assert env.one("select count(*) from mqtt2pg.dead_letter where parked") > 1000, "the lock did not hold"
    bridge.wait_log("rule held")
    holder.rollback()
    all_in_order(env, bridge, 1510)
