"""Whose position and whose dead letters: bridges side by side in one schema, renamed bridges, lost rows of progress.

Two processes with one client_id: test_crash.py.

SPDX-License-Identifier: MIT
"""

import re
import shutil

from env import quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered


def parked(env, bridge):
    return env.one("select count(*) from mqtt2pg.dead_letter where parked and client_id = %s", bridge.client_id)


def rule(topic, table):
    return f'{{ name = "late"; topic = "{topic}"; table = "{table}"; columns = {{ n = "$.n"; }}; }}'


def healed(env, table, count):
    env.wait_rows(table, count)
    assert [n for n, in env.sql(f"select n from {table} order by id")] == list(range(count)), "not in order"


@quick
def test_bridges_with_a_rule_of_one_name(env):
    """One schema, three bridges, a rule of the same name each: no bridge stores, rejects, retries or removes letters of another."""
    owner = env.bridge(rule("~/l", "late"))
    env.publish([("~/l", '{"n": %d}' % n) for n in range(5)])
    env.wait(lambda: parked(env, owner) == 5, 15, "not parked")
    env.sql("create table same (id int generated always as identity, n int); create table other (like same including all)")
    same = env.bridge(rule("~/l", "same"))
    other = env.bridge(rule("~/elsewhere", "other"))
    env.publish([("~/elsewhere", '{"n": "no number"}')])
    env.wait(lambda: len(env.dead_letters()) == 6, 15, "not rejected")
    for bridge in (same, other):
        assert bridge.metric("rule_parked", rule="late") == 0, f"{bridge.name} goes by letters of another bridge"
    assert "6 more belong to other bridges" in env.cli("dead-letters", "retry", config=same).err
    assert env.cli("dead-letters", "retry", "--rule", "late", config=other).out.startswith("1 dead letter retried: 0 stored")
    listed = env.cli("dead-letters", "list", config=other)
    assert listed.out.count("\n") == 1 and "elsewhere" in listed.out and owner.client_id in listed.err, listed
    listed = env.cli("dead-letters", "list", "--client-id", owner.client_id, config=other)
    assert listed.out.count("parked") == 5, listed
    assert env.cli("dead-letters", "purge", "--all", config=same).out == "0 dead letters removed\n"
    assert env.cli("dead-letters", "purge", "--all", config=other).out == "1 dead letter removed\n"
    assert parked(env, owner) == 5 and env.one("select (select count(*) from same) + (select count(*) from other)") == 0
    env.sql("create table late (like same including all)")
    healed(env, "late", 5)
    assert env.dead_letters() == []
    for bridge in (owner, same, other):
        bridge.check_books()


def test_letters_of_a_bridge_that_is_gone(env):
    """A person may send the letters of another bridge through the rules of this one, or remove them."""
    gone = env.bridge(rule("~/l", "late"))
    env.publish([("~/l", '{"n": %d}' % n) for n in range(3)])
    env.wait(lambda: parked(env, gone) == 3, 15, "not parked")
    gone.stop()
    env.sql("create table late (id int generated always as identity, n int)")
    heir = env.bridge(rule("~/l", "late"))
    retried = env.cli("dead-letters", "retry", "--client-id", gone.client_id, config=heir)
    assert retried.code == 0 and "3 stored" in retried.out, retried
    healed(env, "late", 3)


# --- the position


def stored_and_stopped(env):
    """A bridge that has stored 200 messages, which its journal still has, and has ended."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 200))
    check_numbered(env, {"a": 200})
    bridge.wait_quiet()
    assert bridge.stop() == 0
    return bridge


@quick
def test_renamed_client_id(env):
    """The position and the parked letters go with the journal: nothing is stored again, and the log says what the broker keeps."""
    bridge = stored_and_stopped(env)
    former = bridge.client_id
    env.sql("alter table numbered rename to away")
    bridge.start()
    env.publish(numbered("a", 200, 50))
    env.wait(lambda: parked(env, bridge) == 50, 15, "not parked")
    bridge.wait_quiet()
    bridge.stop()
    bridge.configure(broker={"client_id": former + "-new"})
    bridge.start()
    line = bridge.wait_log("client_id was renamed")
    assert former in line and "queues" in line, line
    assert env.sql("select client_id from mqtt2pg.progress") == [(former + "-new",)]
    env.sql("alter table away rename to numbered")
    env.publish(numbered("a", 250, 50))
    check_numbered(env, {"a": 300})
    assert env.dead_letters() == []
    bridge.check_books()


def test_copy_of_a_running_journal(env):
    """A copied journal under another client_id beside the bridge that owns it: the copy does not take the position away."""
    bridge = stored_and_stopped(env)
    copy = env.bridge(NUMBERED_RULE, start=False)
    shutil.copytree(bridge.journal, copy.journal)
    bridge.start()
    copy.start(ready=False)
    copy.may_end = True
    assert copy.wait(20) == 4
    assert "copy of this journal" in copy.log() and bridge.client_id in copy.log()
    env.publish(numbered("a", 200, 50))
    check_numbered(env, {"a": 250})


UNKNOWN = {
    "schema renamed": lambda env, bridge: bridge.configure(database={"schema": "Other"}),
    "row deleted": lambda env, bridge: env.sql("delete from mqtt2pg.progress"),
    "schema dropped": lambda env, bridge: env.sql("drop schema mqtt2pg cascade"),
}


def test_position_that_nobody_knows(env):
    """Without a row of progress it refuses to guess, names both ways out, and goes the one that is taken."""
    bridge = stored_and_stopped(env)
    for what, harm in UNKNOWN.items():
        harm(env, bridge)
        bridge.start(ready=False)
        bridge.may_end = True
        assert bridge.wait(20) == 4, what
        said = re.findall(".*position is not known.*", bridge.log())[-1].replace('\\"', '"')
        insert = re.search(r"insert into \S+progress \(.*?\) values \(.*?\)", said)
        assert insert and "200" in said and "position 0 instead" in said, said
        assert env.one("select count(*) from numbered") == 200, f"{what}: stored again"
        env.sql(insert.group(0))
        bridge.start()
        bridge.wait_quiet()
        assert env.one("select count(*) from numbered") == 200, f"{what}: stored again"
        bridge.stop()
        bridge.configure(database={"schema": None})
    # The other way out.
    env.sql("update mqtt2pg.progress set position = 0")
    bridge.start()
    env.wait_rows("numbered", 400)


def test_row_deleted_while_it_runs(env):
    """It stores nothing until the row is there again, takes messages meanwhile, and says why."""
    bridge = stored_and_stopped(env)
    bridge.start()
    row = env.sql("select client_id, journal, position from mqtt2pg.progress")[0]
    env.sql("delete from mqtt2pg.progress")
    env.publish(numbered("a", 200, 50))
    bridge.wait_log("has no row of progress")
    env.publish(numbered("a", 250, 50))
    assert env.one("select count(*) from numbered") == 200 and bridge.get("/readyz").code == 503
    env.sql("insert into mqtt2pg.progress (client_id, journal, position) values (%s, %s, %s)", *row)
    check_numbered(env, {"a": 300})
    bridge.check_books()


def test_two_started_while_the_database_is_away(env):
    """The one that has to end names what it took; started when the other one has stopped it stores that: nothing lost, nothing twice."""
    make_numbered(env)
    env.postgres.stop()
    first = env.bridge(NUMBERED_RULE, ready=False)
    first.wait_subscribed()
    env.publish(numbered("a", 0, 100))
    env.wait(lambda: first.metric("messages_journaled_total") == 100, 10, "not taken")
    second = env.bridge(NUMBERED_RULE, broker={"client_id": first.client_id}, ready=False)
    second.wait_subscribed()
    env.publish(numbered("b", 0, 100))
    env.wait(lambda: first.metric("messages_journaled_total") + second.metric("messages_journaled_total") == 200, 20, "not taken")
    taken = {bridge: bridge.metric("messages_journaled_total") for bridge in (first, second)}
    first.may_end = second.may_end = True
    env.postgres.start()
    env.wait(lambda: not first.running() or not second.running(), 30, "both go on")
    ended, other = (first, second) if not first.running() else (second, first)
    assert ended.wait(5) == 4
    if taken[ended] > 0:
        assert "acknowledged messages stay in this journal" in ended.log(), ended.log()
    other.wait_ready(60)
    other.wait_quiet(60)
    other.stop()
    ended.start()
    ended.wait_quiet(60)
    check_numbered(env, {"a": 100, "b": 100})


# --- how it is, by SQL


def test_row_of_bridge(env):
    """Each bridge writes how it is; where it may not, it warns once and stores all the same."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 100))
    check_numbered(env, {"a": 100})
    found = "select version, host, started_at <= connected_at, backlog, last_error from mqtt2pg.bridge where client_id = %s"
    version, host, ordered, backlog, error = env.wait(lambda: env.sql(found, bridge.client_id), 15, "no row")[0]
    assert version and host and ordered and backlog == 0 and error is None
    first = env.one("select refreshed_at from mqtt2pg.bridge")
    env.wait(lambda: env.one("select refreshed_at > %s and rows_per_second >= 0 from mqtt2pg.bridge", first), 15, "not refreshed")
    holder = env.run.connect(env.database)
    env.closing.append(holder.close)
    holder.autocommit = False
    holder.cursor().execute("select from mqtt2pg.bridge for update")  # somebody's transaction that is left open
    first = env.one("select refreshed_at from mqtt2pg.bridge")
    env.wait(lambda: env.admin("select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"), 15,
             "the bridge does not ask for its row")
    env.publish(numbered("a", 100, 100))
    env.wait_rows("numbered", 200, 3)
    holder.rollback()
    env.wait(lambda: env.one("select refreshed_at > %s from mqtt2pg.bridge", first), 15, "not refreshed behind a lock")
    env.sql("alter table mqtt2pg.bridge rename to away")
    bridge.wait_log("the table bridge is not written")
    env.publish(numbered("a", 200, 200))
    check_numbered(env, {"a": 400})
    bridge.wait_ready()
    bridge.check_books()
