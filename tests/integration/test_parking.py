"""A rule whose table is missing, renamed or denied: its messages are parked, and stored by themselves when it works; other rules go on.

SPDX-License-Identifier: MIT
"""

import re

from bridge import wait_time
from env import quick
from scenes import NUMBERED_RULE, check_numbered, fill_journal, make_numbered, numbered


def test_table_missing_at_first(env):
    """Its messages are parked, the other rule goes on; when the table appears they are stored by themselves, in order."""
    make_numbered(env)
    rules = NUMBERED_RULE + """, { name = "other"; topic = "~/n/{who}"; table = "other"; columns = { n = "$.n"; }; }"""
    bridge = env.bridge(rules)
    env.publish(numbered("a", 0, 500))
    check_numbered(env, {"a": 500})
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked and rule = 'other'") == 500, 15,
             "not parked")
    assert "other" in bridge.wait_log("other.*does not exist|does not exist.*other|missing.*other|other.*missing")
    assert bridge.metric("rule_parked", rule="other") == 1 and bridge.metric("rule_parked", rule="numbered") == 0
    status = env.cli("status", config=bridge)
    assert status.code == 1 and "Rule other is parked" in status.out and re.search('parked +other +for .*\n +table "other" does not exist', status.out), status
    env.sql("create table other (id int generated always as identity, n int)")
    load = env.publish_in_background(numbered("a", 500, 500), rate=200)  # new ones meanwhile
    load.finish()
    env.wait_rows("other", 1000, 45)
    assert [row[0] for row in env.sql("select n from other order by id")] == list(range(1000)), "not in order"
    assert env.dead_letters() == []
    env.wait(lambda: bridge.metric("rule_parked", rule="other") == 0, 10, "still parked")
    assert "parked" not in env.cli("status", config=bridge).out
    bridge.check_books()


def test_newer_wait_behind_many(env):
    """More are parked than are stored at a go, and new ones come in between: still in order."""
    bridge = env.bridge('{ name = "late"; topic = "~/l"; table = "late"; columns = { n = "$.n"; }; }')
    env.publish([("~/l", '{"n": %d}' % n) for n in range(1500)])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 1500, 15, "not parked")
    env.sql("create table late (id int generated always as identity, n int)")
    total = 1500
    while env.one("select count(*) from late") < 1500 and total < 20000:
        env.publish([("~/l", '{"n": %d}' % n) for n in range(total, total + 10)])
        total += 10
    env.wait_rows("late", total, 45)
    assert [row[0] for row in env.sql("select n from late order by id")] == list(range(total)), "not in order"
    bridge.check_books()


def test_healing_gives_way(env):
    """400 letters whose rows take 20 ms each: they are stored in turns, between which the other rule has its own."""
    env.sql("create table o (n int, received timestamptz, stored timestamptz default clock_timestamp())")
    bridge = env.bridge("""{ name = "r"; topic = "~/r"; table = "r"; columns = { n = "$.n"; }; },
                           { name = "o"; topic = "~/o"; table = "o"; columns = { n = "$.n"; received = "@received_at"; }; }""")
    env.publish([("~/r", '{"n": %d}' % n) for n in range(400)])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 400, 15, "not parked")
    env.publish_in_background([("~/o", '{"n": %d}' % n) for n in range(200)], rate=15)
    env.sql("""create function slowly() returns trigger language plpgsql as 'begin perform pg_sleep(0.02); return new; end';
               begin; create table r (id int generated always as identity, n int, stored timestamptz default clock_timestamp());
               create trigger slowly before insert on r for each row execute function slowly(); commit""")
    env.wait(lambda: env.one("select count(*) from r") == 400 and env.one("select count(*) from o") == 200, 40, "not stored")
    assert [row[0] for row in env.sql("select n from r order by id")] == list(range(400)) and env.dead_letters() == []
    longest = float(env.one("select max(extract(epoch from stored - received)) from o"))
    healing = float(env.one("select extract(epoch from max(stored) - min(stored)) from r"))
    print(f"     the longest wait {longest:.1f} s of {healing:.1f} s")
    assert longest < max(5, healing * 0.6), f"a row of the other rule waited {longest:.1f} s of {healing:.1f} s"
    bridge.check_books()


def test_table_comes_back_within_a_backlog(env):
    """Thousands wait when the table comes back, so that batches are built ahead: none stays behind among the parked ones."""
    env.sql("""create table pace (seconds float);
               insert into pace values (0.3);
               create table slow (n int);
               create function slowly() returns trigger language plpgsql as
               'begin perform pg_sleep(seconds) from pace; return null; end';
               create trigger slowly after insert on slow for each statement execute function slowly()""")
    rules = NUMBERED_RULE + """, { name = "slow"; topic = "~/n/+"; table = "slow"; columns = { n = "$.n"; }; }"""
    bridge = env.bridge(rules, start=False, batch={"max_rows": 200})
    fill_journal(env, bridge.journal, 50000, "a")
    bridge.start()
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") >= 500, 15, "not parked")
    make_numbered(env)
    env.wait(lambda: env.one("select count(*) from numbered") > 0, 30, "the rule does not work again")
    env.sql("update pace set seconds = 0.05")
    bridge.wait_log("rule works again")
    assert env.one("select count(*) from slow") < 50000, "nothing waits any more: this test proves nothing"
    env.sql("update pace set seconds = 0")
    check_numbered(env, {"a": 50000})
    assert env.dead_letters() == []
    bridge.check_books()


# Two rules write to one table, each in its own way and each the messages of every topic that the other one does not take.
TWO_RULES = """{ name = "even"; topic = "~/two/{who}"; table = "two"; columns = { n = "$.n"; who = "{who}"; }; where = "$.odd = false"; },
               { name = "odd"; topic = "~/two/{who}"; table = "public.two"; columns = { n = "$.n"; who = "{who}"; extra = "$.odd"; }; where = "$.odd = true"; }"""
MAKE_TWO = "create table two (id int generated always as identity, n int, who text, extra bool)"


def two(first, count):
    return [(f"~/two/{'ab'[n // 3 % 2]}", '{"n": %d, "odd": %s}' % (n, "true" if n % 2 else "false")) for n in range(first, first + count)]


def check_two(env, count):
    env.wait_rows("two", count, 45)
    for who in "ab":
        rows = [n for (n,) in env.sql(f"select n from two where who = '{who}' order by id")]
        assert rows == sorted(rows), f"topic {who} is out of order: {[n for before, n in zip(rows, rows[1:]) if n < before][:10]}"
    assert env.dead_letters() == []


def test_two_rules_of_a_table_that_is_denied(env):
    """Both are parked, each message for both; they become well together, and what comes meanwhile waits behind the letters of both."""
    env.admin(MAKE_TWO + "; grant select on two to bridge")
    bridge = env.bridge(TWO_RULES, batch={"max_rows": 50})
    env.publish(two(0, 700))
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 1400, 15, "not parked")
    env.admin("grant insert on two to bridge")
    load = env.publish_in_background(two(700, 1000), rate=150)
    load.finish()
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter") == 0, 30, "still parked")
    check_two(env, 1700)
    bridge.check_books()


def test_letters_of_two_rules_are_retried_in_order(env):
    """`dead-letters retry` stores the letters of both rules in the order of delivery, too."""
    bridge = env.bridge(TWO_RULES)
    env.publish(two(0, 200))
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 400, 15, "not parked")
    bridge.kill9()
    env.sql(MAKE_TWO)
    retried = env.cli("dead-letters", "retry", config=bridge)
    assert retried.code == 0 and "200 stored" in retried.out, retried
    check_two(env, 200)


def test_a_column_changes_while_parked_are_stored(env):
    """More are parked than are stored at a go, and in between a column gets another type: none is taken for a bad row."""
    bridge = env.bridge('{ name = "late"; topic = "~/l"; table = "late"; columns = { n = "$.n"; }; }')
    env.publish([("~/l", '{"n": %d}' % n) for n in range(700)])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 700, 15, "not parked")
    bridge.wait_quiet()
    bridge.kill9()
    env.sql("create table late (id int generated always as identity, n int)")
    bridge.start(ready=False, faults="store.commit.before=delay:4000@1")
    env.wait(lambda: env.one("select count(*) from pg_locks where relation = 'late'::regclass and mode = 'RowExclusiveLock'") > 0, 10,
             "nothing is stored")
    env.sql("alter table late alter n type bigint")  # waits for the first portion, and the second for it
    assert env.one("select count(*) from late") == 500, "too late: this test proves nothing"
    env.wait_rows("late", 700)
    assert [row[0] for row in env.sql("select n from late order by id")] == list(range(700)), "not in order"
    assert env.dead_letters() == []
    bridge.check_books()


def test_table_renamed_away_and_back(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 300))
    env.wait_rows("numbered", 300)
    env.sql("alter table numbered rename to away")
    env.publish(numbered("a", 300, 300))
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 300, 20, "not parked")
    env.sql("alter table away rename to numbered")
    env.publish(numbered("a", 600, 300))
    env.wait_rows("numbered", 900, 45)
    check_numbered(env, {"a": 900})
    assert env.dead_letters() == []
    bridge.check_books()


def test_rules_of_a_table_are_parked_together(env):
    """The table is away for a moment, in which one of its two rules has a message: the next one, of the other rule, does not overtake it."""
    env.sql("create table got (id bigint generated always as identity, n int)")
    bridge = env.bridge(",".join('{ name = "%s"; topic = "~/t"; table = "got"; columns = { n = "$"; }; where = "$ %s 10"; }' % half
                                 for half in (("low", "<"), ("high", ">="))))
    env.publish([("~/t", "1"), ("~/t", "11")])
    env.wait_rows("got", 2)
    env.sql("alter table got rename to away")
    env.publish([("~/t", "2")])
    bridge.wait_log("rule parked.*rule=low")
    env.sql("alter table away rename to got")
    env.publish([("~/t", "12"), ("~/t", "3")])
    env.wait_rows("got", 5)
    assert env.sql("select string_agg(n::text, ' ' order by id) from got") == [("1 11 2 12 3",)], (env.sql("select n from got order by id"), bridge.log())
    bridge.check_books()


def test_table_denied_and_granted(env):
    make_numbered(env)
    env.admin("alter table numbered owner to test; grant select, insert on numbered to bridge")
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 100))
    env.wait(lambda: env.admin("select count(*) from numbered") == [(100,)], 15, "not stored")
    env.admin("revoke insert on numbered from bridge")
    env.publish(numbered("a", 100, 100))
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 100, 20, "not parked")
    bridge.kill9()
    bridge.start()
    env.admin("grant insert on numbered to bridge")
    env.publish(numbered("a", 200, 100))
    check_numbered(env, {"a": 300})
    assert env.dead_letters() == []


def test_denied_column_is_named(env):
    """INSERT is granted on all columns but one: the rule is parked with the column's name and what to do; then its messages follow."""
    env.admin("create table t (a int, b int); grant select, insert (a) on t to bridge")
    bridge = env.bridge('{ name = "t"; topic = "~/t"; table = "t"; columns = { a = "$.a"; b = "$.b"; }; }')
    env.publish([("~/t", '{"a": 1, "b": 2}')])
    line = bridge.wait_log("rule parked")
    assert "no permission to insert into column" in line and "grant insert (b)" in line.replace('\\"', ""), line
    env.admin("grant insert (b) on t to bridge")
    env.wait(lambda: env.admin("select a, b from t") == [(1, 2)], 15, "not stored")
    assert env.dead_letters() == []


@quick
def test_denied_rule_leaves_the_others_alone(env):
    """Also while its table is looked at again, which happens every five seconds."""
    env.sql("create table good (n int)")
    env.admin("create table denied (n int); grant select on denied to bridge")
    bridge = env.bridge('{ name = "good"; topic = "~/good"; table = "good"; columns = { n = "$.n"; }; },'
                        '{ name = "denied"; topic = "~/denied"; table = "denied"; columns = { n = "$.n"; }; }')
    for n in range(26):
        env.publish([("~/good", '{"n": %d}' % n), ("~/denied", '{"n": %d}' % n)])
        env.wait(lambda: env.one("select count(*) from good") == n + 1, 10, "the denied rule stands in the way")
        wait_time(0.2)
    assert bridge.metric("database_reconnects_total") == 0
    env.admin("grant insert on denied to bridge")
    env.wait(lambda: env.admin("select count(*), count(distinct n) from denied") == [(26, 26)], 15, "not stored when it was granted")
    env.wait(lambda: env.dead_letters() == [], 10, env.dead_letters)


@quick
def test_own_tables_denied_for_a_while(env):
    """The bridge's own dead letters are denied while it runs: it waits, says what is missing, and goes on by itself."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 10))
    env.wait_rows("numbered", 10)
    env.admin("revoke insert on mqtt2pg.dead_letter from bridge")
    env.publish([("~/n/a", "no JSON", 1), *numbered("a", 10, 10)])
    assert "dead_letter" in bridge.wait_log("privileges are missing")
    env.holds(bridge.running, 1, "it ended")
    env.admin("grant insert on mqtt2pg.dead_letter to bridge")
    check_numbered(env, {"a": 20})
    assert len(env.dead_letters()) == 1
    bridge.check_books()
