"""What can go wrong, as a table: each disturbance is a generator that begins it, yields, and puts it right again.

Disturbances of different subjects overlap; of one subject there is one at a time. What begins later ends earlier.

SPDX-License-Identifier: MIT
"""

import collections
import os
import signal
import time

from servers import alive, children, signal_quietly, wait_until
from world import THIRD_RULES

# --- the bridge


def kill_bridge(world):
    world.bridge.kill9()
    yield
    world.launch()


def kill_bridge_while_it_starts(world):
    world.bridge.kill9()
    world.launch()
    world.wait(0, 0.4)
    world.bridge.kill9()
    yield
    world.launch()


def terminate_bridge(world):
    code = world.bridge.stop()
    if code != 0:
        world.trouble(f"SIGTERM: the bridge ended with {code}")
    yield
    world.launch()


def stop_bridge(world):
    world.bridge.process.send_signal(signal.SIGSTOP)
    yield
    world.bridge.process.send_signal(signal.SIGCONT)


def kill_other(world):
    world.other.kill9()
    yield
    world.other.launch()


def kill_both(world):
    """Their rules of the same name come back together."""
    world.bridge.kill9()
    world.other.kill9()
    yield
    world.launch()
    world.other.launch()


def terminate_other(world):
    code = world.other.stop()
    if code != 0:
        world.trouble(f"SIGTERM: the second bridge ended with {code}")
    yield
    world.other.launch()


def deny_dead_letters(world):
    """
    The bridge's own table: a message that must go there can't, and nothing may get lost over it. A process that starts meanwhile says what
    is denied and ends with 4, so this is of the bridge's disturbances, and waits for one that has been there.
    """
    if not world.stores():
        yield
        return
    world.try_sql("revoke insert on mqtt2pg.dead_letter from bridge")
    yield
    world.must_sql("grant insert on mqtt2pg.dead_letter to bridge")


# --- PostgreSQL


def kill_postgres(world):
    world.postgres.kill()
    yield
    world.postgres.start()


def kill_postmaster(world):
    """Its children notice by themselves; until then they may go on."""
    pids = children(world.postgres.process.pid)
    world.postgres.kill_postmaster()
    yield
    wait_until(lambda: not any(alive(pid) for pid in pids), 30, "the postmaster's children did not end")
    world.postgres.start()


def stop_postgres_immediately(world):
    world.postgres.stop("immediate")
    yield
    world.postgres.start()


def restart_postgres(world):
    world.postgres.stop("fast")
    world.postgres.start()
    yield


def terminate_backends(world):
    for _ in range(world.chance.randrange(1, 4)):
        world.try_sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bridge' "
                      "and datname = current_database() and application_name <> 'test'")
        world.wait(0, 0.15)
    yield


def kill_backend(world):
    """kill -9 of one backend: the postmaster throws all of them out and recovers."""
    for pid in world.backends()[:1]:
        signal_quietly(pid, signal.SIGKILL)
    yield


def stop_backends(world):
    pids = world.backends()
    for pid in pids:
        signal_quietly(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        signal_quietly(pid, signal.SIGCONT)


def keep_database_away_until_journal_is_full(world):
    """… or for as long as a round may take."""
    world.to_postgres.refusing = True
    world.to_postgres.cut()
    for _ in range(12):
        if not world.bridge.running() or "journal" in world.bridge.get("/readyz").out:
            break
        time.sleep(0.2)  # none of the seed's chances: how often is not in its hand
    yield
    world.to_postgres.refusing = False


def take_commit(arrives):
    """A COMMIT arrives and its answer does not, or not even the COMMIT: what became of the batch only `progress` can tell."""
    def look(link, direction, data):
        if direction == "up" and b"commit\0" in data:
            link.state["deaf"] = True
            return (data, False) if arrives else (b"", True)
        return (b"", True) if "deaf" in link.state else (data, False)

    def disturb(world):
        world.to_postgres.filter = look
        world.wait(0, 0.5)
        yield
        world.to_postgres.filter = None
    return disturb


# --- the broker: restarted cleanly only. Mosquitto writes its sessions when it ends in peace; what it loses by kill -9 is its
# --- own loss, and no bridge could have had it.


def restart_broker(world):
    world.broker.stop()
    yield
    world.broker.start()


def stop_broker(world):
    pid = world.broker.process.pid
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


# --- the ways between; `way` names one of the world's proxies


def cut(way):
    def disturb(world):
        for _ in range(world.chance.randrange(1, 4)):
            getattr(world, way).cut()
            world.wait(0.02, 0.3)
        yield
    return disturb


def stall(way, then_cut):
    def disturb(world):
        proxy = getattr(world, way)
        proxy.stalled = True
        yield
        if then_cut:
            proxy.cut()
        proxy.stalled = False
    return disturb


def delay(way):
    def disturb(world):
        proxy = getattr(world, way)
        proxy.delay = world.chance.choice((0.002, 0.01, 0.05))
        yield
        proxy.delay = 0.0
    return disturb


def refuse(way):
    def disturb(world):
        proxy = getattr(world, way)
        proxy.refusing = True
        proxy.cut()
        yield
        proxy.refusing = False
    return disturb


# --- the rules' tables


def rename_tables(*choices):
    """One of these groups of tables goes away, and comes back."""
    def disturb(world):
        tables = world.chance.choice(choices)
        for table in tables:
            world.try_sql(f"alter table if exists {table} rename to {table}_away")
        yield
        world.must_sql(*(f"alter table if exists {table}_away rename to {table}" for table in tables))
    return disturb


rename_table = rename_tables(("numbered",), ("second",), ("mirror",))
# Of rules that have one name and belong to two bridges.
rename_both_tables = rename_tables(("numbered", "mirror"))


def deny_table(world):
    table = world.chance.choice(("numbered", "second", "latest", "mirror"))
    world.try_sql(f"revoke insert on {table} from bridge")
    yield
    world.must_sql(f"grant insert on {table} to bridge")


def change_table(world):
    """A column comes and goes again: what the bridge read of the catalog is out of date."""
    table = world.chance.choice(("numbered", "second"))
    world.try_sql(f"alter table {table} add column if not exists added int default 7")
    yield
    world.must_sql(f"alter table {table} drop column if exists added")


# --- the configuration


def hang_up(world):
    """SIGHUP, for a process that has had time to expect it."""
    if world.bridge.running() and world.started_long_ago():
        world.bridge.signal(signal.SIGHUP)


def edit(world):
    """A rule comes or goes; others are renamed, widened, narrowed, split or merged."""
    world.has_extra = not world.has_extra
    world.third = world.chance.randrange(len(THIRD_RULES))
    world.bridge.configure(world.rules(), batch={"max_rows": world.chance.choice((100, 500, 10000))})


def reload(world):
    edit(world)
    hang_up(world)
    yield


def reload_there_and_back(world):
    """Two edits, one right behind the other."""
    for _ in range(2):
        edit(world)
        hang_up(world)
        world.wait(0, 0.4)
    yield


def edit_while_away(world):
    """Other rules while the bridge is stopped or killed: what the broker queues comes for subscriptions that go."""
    if world.chance.random() < 0.5:
        world.bridge.kill9()
    else:
        code = world.bridge.stop()
        if code != 0:
            world.trouble(f"SIGTERM: the bridge ended with {code}")
    world.wait(0.1, 0.6)
    edit(world)
    yield
    world.launch()


def reload_broken(world):
    """Refused whole; a process that starts meanwhile would end, so none does."""
    if world.bridge.running() and world.started_long_ago():
        with open(world.bridge.file) as file:
            text = file.read()
        world.bridge.write(text.replace('table = "second"', 'tabel = "second"'))
        hang_up(world)
        world.wait(0.1, 0.3)
        world.bridge.write(text)
        hang_up(world)
    yield


# --- the disk


def fill_disk(world):
    world.disk.fill()
    yield
    world.disk.free()


# They begin before, and so end after, what takes the database away.
PUT_RIGHT_BY_SQL = (deny_dead_letters, rename_table, rename_both_tables, deny_table, change_table)

Disturbance = collections.namedtuple("Disturbance", "name subject weight function")

# What ends each leg: nothing after it, not even another start, puts a wrong position right.
LAST = "take the answer to COMMIT"

DISTURBANCES = (
    Disturbance("kill -9 the bridge", "bridge", 4, kill_bridge),
    Disturbance("kill -9 the bridge, and again while it starts", "bridge", 2, kill_bridge_while_it_starts),
    Disturbance("SIGTERM the bridge", "bridge", 2, terminate_bridge),
    Disturbance("SIGSTOP the bridge", "bridge", 1, stop_bridge),
    Disturbance("edit the rules while the bridge is away", "bridge", 3, edit_while_away),
    Disturbance("kill -9 the second bridge", "bridge", 2, kill_other),
    Disturbance("kill -9 both bridges", "bridge", 1, kill_both),
    Disturbance("SIGTERM the second bridge", "bridge", 1, terminate_other),
    Disturbance("deny the dead letters", "bridge", 1, deny_dead_letters),
    Disturbance("kill -9 PostgreSQL", "postgres", 2, kill_postgres),
    Disturbance("kill -9 the postmaster", "postgres", 1, kill_postmaster),
    Disturbance("stop PostgreSQL immediately", "postgres", 2, stop_postgres_immediately),
    Disturbance("restart PostgreSQL", "postgres", 1, restart_postgres),
    Disturbance("terminate the backends", "postgres", 2, terminate_backends),
    Disturbance("kill -9 a backend", "postgres", 1, kill_backend),
    Disturbance("SIGSTOP the backends", "postgres", 2, stop_backends),
    Disturbance("restart the broker", "broker", 3, restart_broker),
    Disturbance("SIGSTOP the broker", "broker", 1, stop_broker),
    Disturbance("cut the broker's connections", "way to the broker", 3, cut("to_broker")),
    Disturbance("stall the broker's connections", "way to the broker", 1, stall("to_broker", False)),
    Disturbance("stall the broker's connections, then cut", "way to the broker", 2, stall("to_broker", True)),
    Disturbance("delay the broker's connections", "way to the broker", 1, delay("to_broker")),
    Disturbance("refuse the broker's connections", "way to the broker", 1, refuse("to_broker")),
    Disturbance("cut the database's connections", "way to the database", 3, cut("to_postgres")),
    Disturbance("stall the database's connections", "way to the database", 1, stall("to_postgres", False)),
    Disturbance("stall the database's connections, then cut", "way to the database", 2, stall("to_postgres", True)),
    Disturbance("delay the database's connections", "way to the database", 1, delay("to_postgres")),
    Disturbance("take the answer to COMMIT", "way to the database", 2, take_commit(True)),
    Disturbance("take COMMIT", "way to the database", 1, take_commit(False)),
    Disturbance("keep the database away until the journal is full", "way to the database", 2,
                keep_database_away_until_journal_is_full),
    Disturbance("rename a table away", "tables", 3, rename_table),
    Disturbance("rename the tables of both bridges away", "tables", 2, rename_both_tables),
    Disturbance("deny a table", "tables", 2, deny_table),
    Disturbance("add a column", "tables", 1, change_table),
    Disturbance("reload", "configuration", 3, reload),
    Disturbance("reload twice", "configuration", 2, reload_there_and_back),
    Disturbance("reload a broken file", "configuration", 1, reload_broken),
    Disturbance("fill the disk", "disk", 2, fill_disk),
)


def choose(world, count):
    """So many disturbances of different subjects."""
    chosen = []
    there = [one for one in DISTURBANCES if one.subject != "disk" or world.disk.can_fill]
    while len(chosen) < count:
        one = world.chance.choices(there, [each.weight for each in there])[0]
        if one.subject not in {each.subject for each in chosen}:
            chosen.append(one)
    return chosen


def named(names):
    """The disturbances of these names, for a test that leaves only the time to chance."""
    by_name = {one.name: one for one in DISTURBANCES}
    return [by_name[name] for name in names]


def run_round(world, chosen=None):
    """One round: one to three disturbances at once, then a moment of rest. Returns what it did, in words."""
    chosen = chosen or choose(world, world.chance.choice((1, 1, 2, 2, 3)))
    chosen.sort(key=lambda one: one.function not in PUT_RIGHT_BY_SQL)
    under_way = []
    for one in chosen:
        world.note("begin  " + one.name)
        generator = one.function(world)
        next(generator)
        under_way.append((one, generator))
        world.wait(0.02, 0.4)
    world.wait(0, 0.6)
    for one, generator in reversed(under_way):
        next(generator, None)
        world.note("end    " + one.name)
        world.wait(0, 0.2)
    world.wait(0.05, 0.9)
    world.check_alive()
    return " + ".join(one.name for one in chosen)


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
