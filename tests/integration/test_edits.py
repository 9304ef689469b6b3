"""Edits of the rules while something waits: parked messages, letters that may pass later, a batch on its way.

SPDX-License-Identifier: MIT
"""

import json
import signal

from env import quick


def rule(name, topic, table="got", more=""):
    return f'{{ name = "{name}"; topic = "{topic}"; table = "{table}"; columns = {{ n = "$"; topic = "@topic"; }}; {more} }}'


def edit(bridge, rules, mend=lambda: None):
    """mend() comes right before: the bridge looks at tables that do not work every 5 s, and behind an edit at once."""
    before = bridge.log().count("configuration reloaded")
    bridge.configure(rules)
    mend()
    bridge.signal(signal.SIGHUP)
    bridge.env.wait(lambda: bridge.log().count("configuration reloaded") > before, 20, "no reload")


def restart(bridge, rules, mend=lambda: None):
    bridge.kill9()
    mend()
    bridge.configure(rules)
    bridge.start()


def parked(env):
    return env.one("select count(*) from mqtt2pg.dead_letter where parked")


def publish(env, first, count):
    env.publish([(f"~/k/{n % 2}", str(n)) for n in range(first, first + count)])


def in_order(env, table, wanted):
    """Each number once, those of each topic in their order."""
    env.wait(lambda: env.one(f"select count(distinct n) from {table}") == len(wanted), 20, lambda: f"{table}: {env.sql(f'select n from {table} order by id')} {env.dead_letters()}")
    rows = env.sql(f"select n, topic from {table} order by id")
    assert sorted(n for n, _ in rows) == sorted(wanted), rows
    for topic in {topic for _, topic in rows}:
        there = [n for n, found in rows if found == topic]
        assert there == sorted(there), there


def check_inherited(env, before, after, tables, change, away=None):
    """Messages are parked for the rules before, then the tables are back and the rules change: each of (table, digit) has the numbers of its topic once."""
    for table in {table for table, _ in tables}:
        env.sql(f"create table {table} (id bigint generated always as identity, n int, topic text)")
        if away in (None, table):
            env.sql(f"alter table {table} rename to away_{table}")
    bridge = env.bridge(",".join(before))
    publish(env, 0, 20)
    env.wait(lambda: parked(env) == 20 * (len(before) if away is None else 1), 15, lambda: bridge.log())
    bridge.wait_quiet()
    change(bridge, ",".join(after), lambda: env.sql("".join(f"alter table if exists away_{table} rename to {table};" for table in {table for table, _ in tables})))
    publish(env, 20, 20)
    for table, rest in tables:
        in_order(env, table, [n for n in range(40) if rest is None or n % 2 == rest])
    env.wait(lambda: parked(env) == 0, 15, env.dead_letters)
    assert env.dead_letters() == []
    bridge.check_books()
    assert bridge.stop() == 0
    return bridge


@quick
def test_parked_rule_is_renamed(env):
    """The messages that are parked go to the rule under its new name, in front of newer ones."""
    bridge = check_inherited(env, [rule("one", "~/k/{p}")], [rule("other", "~/k/{p}")], [("got", None)], edit)
    assert "go to another one" in bridge.log()


def test_parked_rule_is_renamed_by_a_restart(env):
    """The same when the bridge is killed, and starts with the new name and a wider filter."""
    check_inherited(env, [rule("one", "~/k/{p}")], [rule("other", "~/{p...}")], [("got", None)], restart)


def test_parked_rules_are_renamed_together(env):
    """Two rules with the same topic and a table each: each table gets each message once."""
    check_inherited(env, [rule("a", "~/k/{p}"), rule("b", "~/k/{p}", "got2")], [rule("y", "~/k/{p}"), rule("x", "~/k/{p}", "got2")],
                    [("got", None), ("got2", None)], edit)


def test_parked_rule_and_its_neighbour_are_renamed(env):
    """The same when only one of the tables is away: the rule of the other one has had the messages, under its former name."""
    check_inherited(env, [rule("a", "~/k/{p}"), rule("b", "~/k/{p}", "got2")], [rule("y", "~/k/{p}"), rule("x", "~/k/{p}", "got2")],
                    [("got", None), ("got2", None)], restart, away="got2")


def test_parked_rules_swap_their_names(env):
    """The same when each gets the other's name, and when both are parked: messages follow what the rules do, not what they are called."""
    swapped = [rule("a", "~/k/{p}", "got2"), rule("b", "~/k/{p}")]
    check_inherited(env, [rule("a", "~/k/{p}"), rule("b", "~/k/{p}", "got2")], swapped, [("got", None), ("got2", None)], edit, away="got2")
    env.sql("drop table got, got2")
    check_inherited(env, [rule("a", "~/k/{p}"), rule("b", "~/k/{p}", "got2")], swapped, [("got", None), ("got2", None)], restart)


def test_parked_rules_of_one_table_are_edited_there_and_back(env):
    """Two rules share a topic's messages and a table; names and filter change twice while the table is away: each message once, in order."""
    def rules(low, high, topic):
        return rule(low, topic, more="where = \"$ ~ '[0-4]$'\";") + "," + rule(high, topic, more="where = \"$ ~ '[5-9]$'\";")
    env.sql("create table away (id bigint generated always as identity, n int, topic text)")
    bridge = env.bridge(rules("one", "two", "~/k/{p}"))
    publish(env, 0, 20)
    env.wait(lambda: parked(env) == 40, 15, lambda: bridge.log())
    edit(bridge, rules("uno", "dos", "~/{p...}"))
    edit(bridge, rules("ichi", "ni", "~/k/{p}"))
    env.sql("alter table away rename to got")
    edit(bridge, rules("ichi", "ni", "~/k/{p}"))  # the bridge looks at the table at once
    publish(env, 20, 20)
    in_order(env, "got", range(40))
    assert env.dead_letters() == []
    bridge.check_books()


def test_more_parked_messages_than_a_portion(env):
    """Letters go to their heirs by portions of 500: a message with a letter on either side of such an end gives each heir one."""
    def rules(low, high, other, deep):
        return ",".join((rule(other, f"~/x/{deep}"), rule(low, f"~/k/{deep}"), rule(high, f"~/k/{deep}", more="qos = 0;")))
    env.sql("create table away (id bigint generated always as identity, n int, topic text)")
    bridge = env.bridge(rules("one", "two", "x", "{p}"))
    env.publish([("~/x/0", "-1")])
    env.wait(lambda: parked(env) == 1, 15, lambda: bridge.log())
    publish(env, 0, 300)
    env.wait(lambda: parked(env) == 601, 15, lambda: bridge.log())
    edit(bridge, rules("uno", "dos", "y", "{p...}"), lambda: env.sql("alter table away rename to got"))
    env.wait(lambda: parked(env) == 0, 15, env.dead_letters)
    odd = env.sql("select n, count(*) from got group by n having count(*) <> 2")
    assert odd == [(-1, 1)], odd
    assert env.one("select count(*) from got") == 601
    bridge.check_books()


def test_parked_rules_are_merged(env):
    """Two rules that share a topic's messages become one: each message once."""
    check_inherited(env, [rule("a", "~/k/{p}", more='where = "$ < 30";'), rule("b", "~/k/{p}", more='where = "$ >= 30";')],
                    [rule("both", "~/k/{p}")], [("got", None)], edit)


def test_parked_rule_is_split(env):
    """One rule becomes two with a table each."""
    check_inherited(env, [rule("one", "~/k/{p}")], [rule("even", "~/k/0"), rule("odd", "~/k/1", "got2")], [("got", 0), ("got2", 1)], edit)


def test_parked_rule_gives_topics_away(env):
    """One rule keeps its name and a part of its topics; another one, with a table of its own, gets the rest."""
    check_inherited(env, [rule("one", "~/k/{p...}")], [rule("one", "~/k/0/#"), rule("two", "~/k/+", "got2", 'where = "@topic like \'%1\'";')],
                    [("got", 0), ("got2", 1)], restart)


@quick
def test_parked_rule_is_removed(env):
    """Another rule that took the same messages takes them no second time; a line names what stays; the rule comes back and stores them."""
    env.sql("create table got (id bigint generated always as identity, n int, topic text); create table away (like got including all)")
    bridge = env.bridge(rule("all", "~/#") + "," + rule("one", "~/k/{p}", "gone"))
    publish(env, 0, 20)
    env.wait(lambda: parked(env) == 20, 15, lambda: bridge.log())
    edit(bridge, rule("all", "~/#"))
    assert 'rule=one' in bridge.wait_log("belong to a rule that is not there")
    publish(env, 20, 20)
    in_order(env, "got", range(40))
    assert parked(env) == 20
    env.wait(lambda: bridge.metric("dead_letters_waiting") == 20, 15, "nobody sees them")
    env.sql("alter table away rename to gone")
    edit(bridge, rule("all", "~/#") + "," + rule("one", "~/k/{p}", "gone"))
    in_order(env, "gone", range(20))
    in_order(env, "got", range(40))
    bridge.check_books()


def test_parked_of_a_removed_rule_are_purged(env):
    """Nobody will store them, so purge removes them when it is told their rule's name; parked messages of other rules stay."""
    bridge = env.bridge(rule("one", "~/k/{p}", "gone") + "," + rule("two", "~/k/{p}", "gone"))
    publish(env, 0, 20)
    env.wait(lambda: parked(env) == 40, 15, lambda: bridge.log())
    edit(bridge, rule("two", "~/k/{p}", "gone"))
    assert "20 more belong to rules that this configuration does not have (one)" in str(env.cli("dead-letters", "retry", config=bridge))
    for name, removed in (("two", 0), ("one", 20)):
        assert f"{removed} dead letters removed" in env.cli("dead-letters", "purge", "--rule", name, config=bridge).out
    assert parked(env) == 20


def test_retry_for_is_taken_away(env):
    """A letter that waits gets its last try; whoever waits for its acknowledgment gets one."""
    env.sql("create table device (name text primary key); create table reading (device text references device)")
    text = """{ name = "reading"; topic = "~/r/{device}"; table = "reading"; %s columns = { device = "{device}"; };
                ack: { topic = "~/ack"; fields = { status = "@status"; device = "{device}"; }; }; }"""
    bridge = env.bridge(text % 'retry_for = "1h";')
    inbox = env.subscribe("~/ack")
    env.publish([("~/r/new", "1"), ("~/r/known", "2")])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where properties ? 'waits'") == 2, 15, env.dead_letters)
    assert not inbox.payloads
    env.sql("insert into device values ('known')")
    bridge.configure(text % "")
    retried = env.cli("dead-letters", "retry", config=bridge)
    assert retried.out.startswith("0 dead letters retried"), retried  # the service acknowledges them
    edit(bridge, text % "")
    inbox.wait(2)
    assert sorted(json.loads(ack)["status"] for ack in inbox.payloads) == ["rejected", "stored"]
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where not properties ? 'waits'") == 1, 10, env.dead_letters)
    bridge.check_books()
    assert bridge.metric("rule_matched_total", rule="reading") == 2


@quick
def test_waiting_rule_is_renamed(env):
    """A message that waits by retry_for is stored, once, by the rule under its new name, which acknowledges it; another rule has stored it before."""
    env.sql("""create table device (name text primary key); create table reading (device text references device);
               create table got (id bigint generated always as identity, n int, topic text)""")
    text = """{ name = "%s"; topic = "~/r/{device}"; table = "reading"; retry_for = "1h"; columns = { device = "{device}"; };
                ack: { topic = "~/ack"; fields = { status = "@status"; device = "{device}"; }; }; }"""
    bridge = env.bridge(text % "reading" + "," + rule("all", "~/r/#"))
    inbox = env.subscribe("~/ack")
    env.publish([("~/r/new", "1"), ("~/r/never", "2")])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where properties ? 'waits'") == 2, 15, env.dead_letters)
    env.sql("insert into device values ('new')")
    edit(bridge, text % "measure" + "," + rule("all", "~/r/#"))
    inbox.wait(1)
    assert [json.loads(ack) for ack in inbox.payloads] == [{"status": "stored", "device": "new"}]
    assert env.sql("select device from reading") == [("new",)]
    assert env.sql("select rule, topic from mqtt2pg.dead_letter") == [("measure", env.topic("~/r/never"))]
    assert env.one("select count(*) from got") == 2
    bridge.check_books()


def test_letter_is_retried_while_its_rule_is_split(env):
    """`dead-letters retry` deletes a letter that it has stored while the service gives it to two rules: neither of them gets it."""
    env.sql("create table got (id bigint generated always as identity, n int, topic text); create table got2 (like got including all)")
    bridge = env.bridge(rule("one", "~/k/{p}", "gone"))
    publish(env, 0, 1)
    env.wait(lambda: parked(env) == 1, 15, lambda: bridge.log())
    env.admin("begin")
    env.admin("delete from mqtt2pg.dead_letter")
    bridge.configure(rule("x", "~/k/{p}") + "," + rule("y", "~/k/{p}", "got2"))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: env.one("select count(*) from pg_locks where not granted") > 0, 15, "the service does not wait")
    env.admin("commit")
    publish(env, 1, 1)
    for table in ("got", "got2"):
        in_order(env, table, [1])
    assert env.dead_letters() == []


@quick
def test_parked_and_another_client_id(env):
    """Messages that were parked under the former client_id are stored by the next process, in front of newer ones."""
    env.sql("create table away (id bigint generated always as identity, n int, topic text)")
    bridge = env.bridge(rule("one", "~/k/{p}"))
    publish(env, 0, 20)
    env.wait(lambda: parked(env) == 20, 15, lambda: bridge.log())
    assert bridge.stop() == 0
    env.sql("alter table away rename to got")
    bridge.configure(broker={"client_id": bridge.client_id + "-renamed"})
    bridge.start()
    publish(env, 20, 20)
    in_order(env, "got", range(40))
    assert env.dead_letters() == []


def test_interrupted_replay_and_another_client_id(env):
    """A replay that was interrupted under the former client_id goes on behind what it has stored, and stores nothing twice."""
    env.sql("create table got (id bigint generated always as identity, n int, topic text)")
    bridge = env.bridge(rule("one", "~/k/{p}"), journal={"keep": "1h"})
    publish(env, 0, 20)
    env.wait_rows("got", 20)
    assert bridge.stop() == 0
    env.sql("delete from got where n >= 5")
    # As kill -9 leaves it behind 5 messages.
    env.sql("""insert into mqtt2pg.replay (client_id, journal, rule, from_time, to_time, position, started_at, moved_at, last, left_out)
               select client_id, journal, 'one', '2000-01-01', '2100-01-01', 5, now(), now(), 20, '{}' from mqtt2pg.progress""")
    bridge.configure(broker={"client_id": bridge.client_id + "-renamed"})
    bridge.start()
    bridge.wait_quiet()
    replayed = env.cli("replay", "--rule", "one", config=bridge)
    assert replayed.code == 0, replayed
    assert sorted(n for (n,) in env.sql("select n from got")) == list(range(20)), replayed
