"""Keys of the payload that no column takes: told in `status`; with add_columns they become columns.

SPDX-License-Identifier: MIT
"""

import json
import signal

from env import quick

RULE = '{ name = "plug"; topic = "~/plug/{id}"; table = "plug"; columns = { id = "{id}"; volt = "$.volt"; lat = "$.pos.lat"; }; }'


def not_taken(bridge, rule="plug"):
    status = json.loads(bridge.get("/status.json").out)
    return next(found["not_taken"] for found in status["rules"] if found["name"] == rule)


@quick
def test_keys_that_no_column_takes_are_told(env):
    """Each once, in status and its JSON; a reload that takes them forgets them; the number that is kept is bounded."""
    env.sql("create table plug (id text, volt float8, lat float8, power float8)")
    bridge = env.bridge(RULE)
    env.publish([("~/plug/a", '{"volt": 230, "power": 5, "co2": 1, "pos": {"lat": 1, "lon": 2}}')] * 3)
    env.wait(lambda: not_taken(bridge) == ["power", "co2", "pos.lon"], 15, lambda: not_taken(bridge))
    status = env.cli("status", config=bridge)
    assert status.code == 0 and "not taken plug: power, co2, pos.lon\n" in status.out, status
    bridge.configure(RULE.replace('volt = "$.volt"', 'volt = "$.volt"; power = "$.power"'))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: not_taken(bridge) == [], 15, lambda: not_taken(bridge))
    env.publish([("~/plug/b", json.dumps({f"k{n:02}": n for n in range(40)}))])
    env.wait(lambda: len(not_taken(bridge)) == 8, 15, lambda: not_taken(bridge))
    assert " and 24 more" in env.cli("status", config=bridge).out
    bridge.check_books()


ADDING = RULE.replace('table = "plug";', 'table = "plug"; add_columns = true;')


def columns(env):
    return dict(env.sql("select column_name::text, data_type::text from information_schema.columns where table_name = 'plug'"))


@quick
def test_later_keys_become_columns(env):
    """From the very first value on, also behind a restart; odd names and nested values too; every message once."""
    env.sql("create table plug (id text, volt float8, lat float8)")
    bridge = env.bridge(ADDING)
    env.publish([("~/plug/a", '{"volt": 230}')] * 3)
    env.wait_rows("plug", 3)
    env.publish([("~/plug/b", '{"volt": 230, "power": 5, "State": "on", "pos": {"lat": 1, "lon": 2.5}, "odd key": true, "nested": {"a": [1]}, "none": null}')] * 3)
    env.publish([("~/plug/c", '{"power": 0.123456789012345678901, "none": 1}')])
    env.wait_rows("plug", 7)
    assert columns(env) == {"id": "text", "volt": "double precision", "lat": "double precision", "power": "numeric", "state": "text",
                            "pos_lon": "numeric", "odd_key": "boolean", "nested": "jsonb", "none": "numeric"}, columns(env)
    assert env.sql("select power::text, state, pos_lon::text, odd_key, nested, none from plug where id = 'b'") == [("5", "on", "2.5", True, {"a": [1]}, None)] * 3
    assert env.sql("select power::text, none::int from plug where id = 'c'") == [("0.123456789012345678901", 1)]
    assert not_taken(bridge) == []
    bridge.wait_log("rules follow the columns")
    assert "configuration reloaded" not in bridge.log()
    bridge.check_books()
    bridge.restart()
    env.publish([("~/plug/d", '{"power": 7}')])
    env.wait_rows("plug", 8)
    assert env.one("select power::int from plug where id = 'd'") == 7
    explained = env.cli("explain", env.topic("~/plug/e"), '{"power": 7}', config=bridge)
    assert '"power":7' in explained.out, explained
    bridge.configure(RULE)
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    env.wait(lambda: env.publish([("~/plug/f", '{"power": 8}')]) and env.one("select count(*) from plug where id = 'f' and power is null") > 0, 15)


def test_keys_of_parked_messages(env):
    """The table is away, and once the rule gets another name meanwhile: new keys are columns when the messages are stored."""
    env.sql("create table plug (id text, volt float8, lat float8)")
    bridge = env.bridge(ADDING)
    env.publish([("~/plug/a", '{"n": 1}')])
    env.wait_rows("plug", 1)
    env.sql("alter table plug rename to away")
    env.publish([("~/plug/b", '{"n": %d, "power": 5}' % n) for n in range(2, 12)])
    env.wait(lambda: len(env.dead_letters()) == 10, 15, bridge.log)
    env.sql("alter table away rename to plug")
    bridge.configure(ADDING.replace('name = "plug"', 'name = "other"'))
    bridge.signal(signal.SIGHUP)
    env.publish([("~/plug/c", '{"n": 12, "power": 5}')])
    env.wait_rows("plug", 12)
    assert env.sql("select n::int, power::int from plug where n > 1 order by n") == [(n, 5) for n in range(2, 13)], env.sql("table plug")
    env.sql("alter table plug rename to away")
    env.publish([("~/plug/d", '{"late": %d}' % n) for n in range(5)])
    env.wait(lambda: len(env.dead_letters()) == 5, 15, bridge.log)
    env.sql("alter table away rename to plug")
    env.wait_rows("plug", 17)  # the bridge looks at the table every 5 s
    assert env.sql("select late::int from plug where id = 'd' order by 1") == [(n,) for n in range(5)], env.sql("table plug")
    assert "can't become a column" not in bridge.log()
    bridge.check_books()


@quick
def test_a_column_that_can_not_be_added(env):
    """Denied, locked, or a person's own: told once, and the messages are stored without it; nobody waits."""
    env.admin("create table plug (id text, volt float8, lat float8, mine text); grant insert, select on plug to bridge")
    bridge = env.bridge(ADDING)
    for n in range(3):
        env.publish([("~/plug/a", '{"volt": 230, "power": 5, "mine": 1}')])
        env.wait_rows("plug", n + 1)
    assert bridge.log().count("must be owner") == 1, bridge.log()
    assert not_taken(bridge) == ["power", "mine"] and env.dead_letters() == []
    env.admin("alter table plug owner to bridge")
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    reader = env.run.connect(env.database)
    reader.autocommit = False
    reader.cursor().execute("select count(*) from plug")
    env.publish([("~/plug/b", '{"volt": 230, "power": 5, "mine": 1}')])
    env.wait_rows("plug", 4, 8)  # ALTER TABLE waits 0.2 s for its lock
    assert "power" not in columns(env)
    reader.rollback()
    bridge.restart()  # else it tries again in a minute
    env.publish([("~/plug/c", '{"volt": 230, "power": 5, "mine": 1}')])
    env.wait_rows("plug", 5)
    assert env.sql("select power::int, mine from plug where id = 'c'") == [(5, None)] and "that is not the bridge's" in bridge.log()
    bridge.check_books()


@quick
def test_killed_behind_a_column(env):
    """The column is in the table, and nothing else knows of it: the next process takes it for its own."""
    env.sql("create table plug (id text, volt float8, lat float8)")
    bridge = env.bridge(ADDING, faults="load.column.added=kill@1")
    env.publish([("~/plug/a", '{"power": 5}')])
    env.wait(lambda: not bridge.running(), 15)
    assert "power" in columns(env) and env.one("select count(*) from plug") == 0
    bridge.start()
    env.wait_rows("plug", 1)
    assert env.sql("select id, power::int from plug") == [("a", 5)]
    bridge.check_books()


@quick
def test_nulls_block_no_column(env):
    """Keys that are always null fill the list of keys that are kept; a key with a value becomes a column all the same."""
    env.sql("create table plug (id text, volt float8, lat float8)")
    bridge = env.bridge(ADDING)
    nulls = {f"k{n:02}": None for n in range(40)}
    env.publish([("~/plug/a", json.dumps({"volt": 230, **nulls}))])
    env.wait_rows("plug", 1)
    env.publish([("~/plug/b", json.dumps({**nulls, "power": 5}))])
    env.wait_rows("plug", 2)
    assert env.sql("select id, power::int from plug order by 1") == [("a", None), ("b", 5)]
    bridge.check_books()


@quick
def test_an_added_column_is_dropped(env):
    """By a person, under a running bridge and under a stopped one: the rule goes on without it; a value of the key brings it back."""
    env.sql("create table plug (id text, volt float8, lat float8)")
    bridge = env.bridge(ADDING)
    env.publish([("~/plug/a", '{"volt": 230, "power": 5, "co2": 1}')])
    env.wait_rows("plug", 1)
    env.sql("alter table plug drop column power")
    env.publish([("~/plug/b", '{"volt": 231, "co2": 2}')])
    env.wait_rows("plug", 2, 15)
    env.wait(lambda: env.dead_letters() == [] and bridge.metric("rule_parked", rule="plug") == 0, 15, env.dead_letters)
    env.publish([("~/plug/c", '{"power": 7}')])
    env.wait_rows("plug", 3, 15)
    assert bridge.stop() == 0
    env.sql("alter table plug drop column co2")
    bridge.start()
    env.publish([("~/plug/d", '{"volt": 232}')])
    env.wait_rows("plug", 4, 15)
    assert env.sql("select id, volt::int, power::int from plug order by 1") == [("a", 230, None), ("b", 231, None), ("c", None, 7), ("d", 232, None)]
    env.wait(lambda: env.dead_letters() == [], 15, env.dead_letters)
    bridge.check_books()


def test_one_column_for_two_rules_and_two_bridges(env):
    """Two rules of one bridge and a second bridge write one table: whoever sees the key first adds the column, and the others fill it."""
    env.sql("create table plug (id text, volt float8, lat float8)")
    first = env.bridge(ADDING + ", " + ADDING.replace('"plug"; topic = "~/plug', '"socket"; topic = "~/socket'))
    second = env.bridge(ADDING.replace("~/plug", "~/other"), name="second")
    topics = ("plug", "socket", "other")
    for n in range(5):
        env.publish([(f"~/{topic}/{topic}{n}", '{"volt": 230, "power": %d}' % n) for topic in topics])
    env.wait_rows("plug", 15)
    assert env.sql("select id, power::int from plug order by 1") == sorted((f"{topic}{n}", n) for topic in topics for n in range(5))
    assert env.dead_letters() == []
    first.check_books()
    second.check_books()
