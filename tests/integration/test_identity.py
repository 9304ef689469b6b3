"""Whose position and whose dead letters: bridges side by side in one schema, renamed bridges, lost rows of progress.

Two processes with one client_id: test_crash.py.

SPDX-License-Identifier: MIT
"""

from env import quick


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
