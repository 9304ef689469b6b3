"""A message that can't become rows goes to the dead letters alone, with the reason; the rest of its batch is stored.

SPDX-License-Identifier: MIT
"""

import json
import shutil
import signal

from bridge import ALL_BY_COPY
from env import limit, quick
from scenes import fill_journal, numbered

TABLES = """
create table unit (name text primary key);
insert into unit values ('C'), ('F');
create table reading (
    n int not null, small int2, text_ text, amount numeric(6,2), day date, unit text references unit, code text,
    positive int check (positive > 0), must text not null, dup int, part int, short varchar(4), flag bool, id uuid,
    at timestamptz, doc jsonb
) partition by range (part);
create table reading_0 partition of reading for values from (0) to (100);
create unique index on reading_0 (code);
alter table reading_0 add constraint dup_once unique (dup) deferrable initially deferred;
create function refuse() returns trigger language plpgsql as $$ begin
    if new.text_ = 'refuse me' then raise exception 'refused by the trigger'; end if; return new; end $$;
create trigger refuse before insert on reading_0 for each row execute function refuse();
"""
COLUMNS = ["n", "small", "text_", "amount", "day", "unit", "code", "positive", "must", "dup", "part", "short", "flag", "id", "at",
           "doc"]
RULE = '{ name = "reading"; topic = "~/r/{x}"; table = "reading"; columns = { %s }; }' % " ".join(
    f'{name} = "$.{name}{" | required" if name == "n" else ""}";' for name in COLUMNS)


def good(n, **changes):
    part = n % 100 if isinstance(n, int) else 1
    return json.dumps({"n": n, "must": "x", "part": part, "code": f"c{n}", "dup": n, "unit": "C", "positive": 1, **changes})


# (what is wrong with it, payload, what its dead letter must say in one of the spellings, sqlstate)
BAD = [
    ("no JSON", "{", ["json"], None),
    ("empty", "", ["json"], None),
    ("trailing garbage", good(1) + "x", ["json"], None),
    ("invalid UTF-8", b'{"n": 1, "must": "\xff\xfe", "part": 1}', ["utf-8"], None),
    ("leading zero", '{"n": 01, "must": "x", "part": 1}', ["json"], None),
    ("NaN", '{"n": NaN}', ["json"], None),
    ("array instead of object", "[1]", ["n", "missing", "required"], None),
    ("missing required", '{"must": "x", "part": 1}', ["n", "missing", "required"], None),
    ("null required", '{"n": null, "must": "x", "part": 1}', ["n"], None),
    ("fraction into integer", good(1).replace('"n": 1,', '"n": 1.5,'), ["n", "1.5"], None),
    ("above int", good(3000000000), ["n", "3000000000"], None),
    ("below smallint", good(1, small=-32769), ["small", "-32769"], None),
    ("text into int", good("twelve"), ["n", "twelve"], None),
    ("bool into int", good(True), ["n"], None),
    ("object into int", good({"a": 1}), ["n"], None),
    ("too many digits", good(1, amount=123456.78), ["amount", "123456.78"], None),
    ("text into numeric", good(1, amount="a lot"), ["amount", "a lot"], None),
    ("NUL in text", good(1, text_="a\0b"), ["text_"], None),
    ("lone surrogate", '{"n": 1, "must": "\\ud800", "part": 1}', ["surrogate"], None),
    ("no such day", good(1, day="2023-02-30"), ["day", "2023-02-30"], None),
    ("number into date", good(1, day=20230201), ["day", "20230201"], None),
    ("too long", good(1, short="fünf!"), ["short"], None),
    ("number into bool", good(1, flag=2), ["flag", "2"], None),
    ("no uuid", good(1, id="a0eebc99"), ["id", "a0eebc99"], None),
    ("bare number into timestamptz", good(1, at=1700000000), ["at", "1700000000"], None),
    ("no timestamp", good(1, at="yesterday-ish"), ["at", "yesterday-ish"], None),
    ("NUL in jsonb", good(1, doc={"a": "\0"}), ["doc", "\\u0000", "unicode"], None),
    ("huge number in jsonb", good(1).replace('"must"', '"doc": {"v": 1e400000}, "must"'), ["doc", "numeric", "overflow"], None),
    ("CHECK", good(1, code="b1", dup=-1, positive=-1), ["positive"], "23514"),
    ("NOT NULL by value", good(1, must=None), ["must"], None),
    ("NOT NULL, missing", '{"n": 1, "part": 1, "dup": -7}', ["must"], None),
    ("unique", good(1, code="c77", dup=-2), ["code", "unique"], "23505"),
    ("foreign key", good(1, code="b2", dup=-3, unit="K"), ["unit"], "23503"),
    ("trigger", good(1, code="b3", dup=-4, text_="refuse me"), ["refused by the trigger"], "P0001"),
    ("deferred unique", good(1, code="b4", dup=77), ["dup_once"], "23505"),
    ("no partition", good(1, code="b5", dup=-6, part=100), ["partition"], "23514"),
    ("part missing", '{"n": 1, "must": "x"}', ["part"], None),
]
assert len(BAD) == 37


def messages(count):
    """`count` messages of which len(BAD) are bad, spread over all; the good ones that bad ones repeat come first."""
    places = {200 + i * ((count - 300) // len(BAD)): i for i in range(len(BAD))}
    number = 0
    for place in range(count):
        if place in places:
            yield f"~/r/bad{places[place]}", BAD[places[place]][1]
        else:
            yield f"~/r/good{place % 10}", good(number)
            number += 1


@limit(120)
def test_ten_thousand_with_37_bad(env):
    """One batch of 10,000 with 37 bad ones of different kinds: 9,963 rows, 37 dead letters that say why."""
    env.sql(TABLES)
    # All wait for the database, so that they really are one batch.
    proxy = env.proxy(env.postgres.port)
    bridge = env.bridge(RULE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)},
                        batch={"max_rows": 10000, "max_bytes": "64MB"})
    proxy.refusing = True
    proxy.cut()
    env.publish(messages(10000))
    env.wait(lambda: bridge.metric("journal_messages") == 10000, 20, lambda: bridge.metric("journal_messages"))
    proxy.refusing = False
    env.wait_rows("reading", 9963, 90)
    bridge.wait_quiet()
    letters = {topic: (rule, reason, state, parked) for rule, topic, reason, state, parked in env.dead_letters()}
    assert len(letters) == 37 and len(env.dead_letters()) == 37, f"{len(env.dead_letters())} dead letters"
    wrong = []
    for index, (kind, _, words, state) in enumerate(BAD):
        rule, reason, got_state, parked = letters[f"r/bad{index}"]
        if not any(word in reason.lower() for word in words) or (state and got_state != state) or parked or rule != "reading":
            wrong.append(f"{kind}: {reason!r} {got_state}")
        if not state and all(word in COLUMNS for word in words[:1]) and words[0] not in reason:
            wrong.append(f"{kind}: {reason!r} does not name the column {words[0]}")
    assert not wrong, "\n     ".join(wrong)
    assert env.one("select count(distinct n) from reading") == 9963
    whole = env.sql("select payload, qos, retained from mqtt2pg.dead_letter where topic like %s", "%/bad3")[0]
    assert (bytes(whole[0]), whole[1], whole[2]) == (BAD[3][1], 1, False), "the payload is kept whole"
    bridge.check_books()
    assert bridge.metric("rule_messages_total", rule="reading", outcome="rejected") == 37


@quick
def test_reasons_name_rule_column_and_value(env):
    """A small batch under instruments: what never reaches PostgreSQL, and what it refuses."""
    env.sql(TABLES)
    env.bridge(RULE)
    env.publish([("~/r/a", good(1)), ("~/r/b", good(2, small=40000)), ("~/r/c", good(3, positive=-5)), ("~/r/d", good(4))])
    env.wait_rows("reading", 2)
    env.wait(lambda: len(env.dead_letters()) == 2, 10, env.dead_letters)
    by_topic = {letter[1]: letter for letter in env.dead_letters()}
    for word in ('rule "reading"', "small", "40000"):
        assert word in by_topic["r/b"][2], by_topic["r/b"]
    for word in ('rule "reading"', "positive", "-5"):
        assert word in by_topic["r/c"][2] and by_topic["r/c"][3] == "23514", by_topic["r/c"]


@quick
def test_order_is_kept_around_a_bad_row(env):
    env.sql("create table o (id int generated always as identity, n int check (n % 10 <> 0))")
    bridge = env.bridge('{ name = "o"; topic = "~/o"; table = "o"; columns = { n = "$.n"; }; }')
    env.publish([("~/o", '{"n": %d}' % n) for n in range(1, 301)])
    env.wait_rows("o", 270)
    bridge.wait_quiet()
    assert [row[0] for row in env.sql("select n from o order by id")] == [n for n in range(1, 301) if n % 10]
    assert env.one("select count(*) from mqtt2pg.dead_letter") == 30


@quick
def test_dead_letter_once_over_kill(env):
    """Killed before COMMIT: the dead letter is rolled back with the rows, and there once after the next start."""
    env.sql("create table k (n int)")
    bridge = env.bridge('{ name = "k"; topic = "~/k"; table = "k"; columns = { n = "$.n"; }; }', faults="store.commit.before=kill@1")
    env.publish([("~/k", '{"n": 1}'), ("~/k", '{"n": "none"}'), ("~/k", '{"n": 3}')])
    assert bridge.wait(10) == -signal.SIGKILL
    assert env.one("select count(*) from k") == 0 and env.dead_letters() == []
    bridge.start()
    env.wait_rows("k", 2)
    bridge.wait_quiet()
    assert len(env.dead_letters()) == 1, env.dead_letters()


def test_bad_for_one_rule_only(env):
    """The other rules of the same message store it."""
    env.sql("create table a (n int check (n < 5)); create table b (n int)")
    bridge = env.bridge("""{ name = "a"; topic = "~/m"; table = "a"; columns = { n = "$.n"; }; },
                           { name = "b"; topic = "~/m"; table = "b"; columns = { n = "$.n"; }; }""")
    env.publish([("~/m", '{"n": %d}' % n) for n in range(10)])
    env.wait_rows("b", 10)
    env.wait_rows("a", 5)
    bridge.wait_quiet()
    assert [letter[0] for letter in env.dead_letters()] == ["a"] * 5
    bridge.check_books()


def test_rows_of_one_message_together(env):
    """PostgreSQL refuses one of a message's rows: none of that message is stored, all of the others are."""
    env.sql("create table e (m int, v int check (v <> 13))")
    bridge = env.bridge('{ name = "e"; topic = "~/e"; table = "e"; rows = "$.v[*]"; columns = { m = "$$.m"; v = "$"; }; }')
    env.publish([("~/e", json.dumps({"m": m, "v": [1, 13 if m == 5 else 2, 3]})) for m in range(10)])
    env.wait_rows("e", 27)
    bridge.wait_quiet()
    assert env.one("select count(*) from e where m = 5") == 0
    assert len(env.dead_letters()) == 1


def test_a_column_changes_under_its_feet(env):
    """ALTER TABLE while it runs: the new type counts, nothing becomes a dead letter for the old one."""
    env.sql("create table w (v int)")
    bridge = env.bridge('{ name = "w"; topic = "~/w"; table = "w"; columns = { v = "$.v"; }; }')
    env.publish([("~/w", '{"v": 1}')])
    env.wait_rows("w", 1)
    env.sql("alter table w alter v type bigint")
    env.publish([("~/w", '{"v": 2}')])
    env.wait_rows("w", 2)
    env.sql("alter table w alter v type text")
    env.publish([("~/w", '{"v": 3}')])
    env.wait_rows("w", 3)
    bridge.wait_quiet()
    assert env.dead_letters() == []


def test_a_column_changes_to_a_type_of_the_same_width(env):
    """In binary a bigint is eight bytes, and so are double precision and timestamptz: COPY alone would take one for the other."""
    env.sql("create table w (v bigint)")
    bridge = env.bridge('{ name = "w"; topic = "~/w"; table = "w"; columns = { v = "$.v"; }; }', faults=ALL_BY_COPY)
    env.publish([("~/w", '{"v": 1}')])
    env.wait_rows("w", 1)
    env.sql("alter table w alter v type double precision")
    env.publish([("~/w", '{"v": 2}')])
    env.wait_rows("w", 2)
    assert env.sql("select v from w order by v") == [(1,), (2,)]
    env.sql("alter table w alter v type timestamptz using to_timestamp(v)")
    env.publish([("~/w", '{"v": 3}'), ("~/w", '{"v": "2026-11-23T00:00:00Z"}')])
    env.wait_rows("w", 3)
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "a number became a time")
    assert env.one("select count(*) from w where v = '2026-11-23T00:00:00Z'") == 1
    bridge.wait_quiet()
    bridge.check_books()


def test_a_column_changes_to_a_type_that_rounds(env):
    """The same where rows go through INSERT … SELECT, which makes 2 of 1.5 without a word."""
    env.sql("create table w (k text primary key, v double precision)")
    bridge = env.bridge("""{ name = "w"; topic = "~/w/{k}"; table = "w"; columns = { k = "{k}"; v = "$.v"; }; key = ("k");
                             on_conflict = "update"; }""")
    env.publish([("~/w/a", '{"v": 1.5}')])
    env.wait_rows("w", 1)
    env.sql("alter table w alter v type int")
    env.publish([("~/w/b", '{"v": 1.5}'), ("~/w/c", '{"v": 3}')])
    env.wait_rows("w", 2)
    assert env.sql("select k, v from w order by k") == [("a", 2), ("c", 3)]
    assert len(env.dead_letters()) == 1
    bridge.check_books()


@limit(120)
def test_many_refusals_without_a_line(env):
    """PostgreSQL names no line for a foreign key: 250 of 10,000 messages in one batch are found in a bounded number of COPYs."""
    count, every = 10000, 40
    env.sql("create table unit (name text primary key)")
    env.sql("insert into unit values ('C')")
    env.sql("create table reading (n int, unit text references unit)")
    proxy, seen = env.proxy(env.postgres.port), {b"pgcopy": 0}

    def tally(_link, direction, data):
        if direction == "up":
            for word in seen:
                seen[word] += data.lower().count(word)
        return data, False
    rule = '{ name = "reading"; topic = "~/r/{x}"; table = "reading"; columns = { n = "$.n"; unit = "$.unit"; }; }'
    bridge = env.bridge(rule, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)}, batch={"max_rows": count})
    proxy.refusing = True
    proxy.cut()
    env.publish((f"~/r/{n % 3}", json.dumps({"n": n, "unit": "?" if n % every == 7 else "C"}), 1) for n in range(count))
    env.wait(lambda: bridge.metric("journal_messages") == count, 20, "not all received")
    proxy.filter = tally
    proxy.refusing = False
    env.wait(lambda: env.one("select count(*) from reading") == count - count // every, 60, "not all stored")
    bad = env.sql("select convert_from(payload, 'UTF8')::json->>'n', sqlstate from mqtt2pg.dead_letter order by id")
    assert bad == [(str(n), "23503") for n in range(7, count, every)], bad[:5]
    # Trying every half needs 3,200, each with a savepoint of its own.
    assert seen[b"pgcopy"] < 2800, seen
    bridge.check_books()


def test_letters_that_may_pass_later(env):
    """With retry_for: a foreign key whose row comes later, a partition that is made later. CHECK stays refused; without retry_for all stays.
    The device is told the end, once."""
    env.sql("""create table device (name text primary key);
               create table reading (device text references device, n int check (n < 100));
               create table plain (device text references device);
               create table parts (n int) partition by range (n);
               create table parts_low partition of parts for values from (0) to (10)""")
    bridge = env.bridge("""
        { name = "reading"; topic = "~/r/{device}"; table = "reading"; retry_for = "1h"; columns = { device = "{device}"; n = "$"; };
          ack: { topic = "~/ack"; qos = 1; fields = { status = "@status"; n = "$"; }; }; },
        { name = "plain"; topic = "~/r/{device}"; table = "plain"; columns = { device = "{device}"; }; },
        { name = "parts"; topic = "~/p"; table = "parts"; retry_for = "1d"; columns = { n = "$"; }; }""")
    inbox = env.subscribe("~/ack")
    env.publish([("~/r/new", "1"), ("~/p", "5"), ("~/p", "15"), ("~/r/new", "100")])
    env.wait(lambda: len(env.dead_letters()) == 5, 15, lambda: f"{env.dead_letters()}")
    assert env.one("select count(*) from parts") == 1
    waiting = env.sql("select rule, convert_from(payload, 'UTF8') from mqtt2pg.dead_letter where properties ? 'waits' order by rule")
    assert waiting == [("parts", "15"), ("reading", "1")], waiting
    env.sql("insert into device values ('new'); create table parts_high partition of parts for values from (10) to (20)")
    env.wait(lambda: len(env.dead_letters()) == 3, 40, lambda: f"{env.dead_letters()}")
    assert env.sql("select * from reading") == [("new", 1)] and env.sql("select n from parts order by n") == [(5,), (15,)]
    assert sorted(letter[0] for letter in env.dead_letters()) == ["plain", "plain", "reading"]
    inbox.wait(2)
    assert [json.loads(text) for text in inbox.payloads] == [{"status": "rejected", "n": 100}, {"status": "stored", "n": 1}]
    bridge.check_books()
    assert bridge.metric("rule_matched_total", rule="reading") == 2


@limit(60)
def test_letters_that_may_pass_later_in_smaller_portions(env):
    """Letters that take longer than statement_timeout together, and less alone, are stored."""
    env.sql("create table device (name text primary key); create table reading (device text references device, n int)")
    env.admin(f'alter role bridge in database "{env.database}" set statement_timeout = \'500ms\'')
    bridge = env.bridge("""{ name = "reading"; topic = "~/r/{device}"; table = "reading"; retry_for = "1h";
                              columns = { device = "{device}"; n = "$"; }; }""")
    env.publish([("~/r/new", str(n)) for n in range(30)])
    env.wait(lambda: len(env.dead_letters()) == 30, 15, env.dead_letters)
    env.sql("""create function linger() returns trigger language plpgsql as $$ begin perform pg_sleep(0.03); return new; end $$;
               create trigger linger before insert on reading for each row execute function linger(); insert into device values ('new')""")
    env.wait(lambda: env.one("select count(*) from reading") == 30 and not env.dead_letters(), 40, env.dead_letters)
    assert env.sql("select n from reading order by n") == [(n,) for n in range(30)]
    bridge.check_books()


def copy_letters(env, copies):
    """Of the only dead letter, which a foreign key refused."""
    columns = "received_at, failed_at, rule, topic, payload, qos, retained, properties, reason, sqlstate, parked, client_id"
    env.sql(f"insert into mqtt2pg.dead_letter ({columns}) select {columns} from mqtt2pg.dead_letter, generate_series(1, %s)", copies)


def test_bad_rows_while_letters_are_tried(env):
    """What a batch has learned is kept while letters are tried between the batches: a bad message does not stop all until no letter is left."""
    env.sql("""create table device (name text primary key); insert into device values ('known');
               create table reading (device text references device, stored timestamptz default clock_timestamp());
               create function slowly() returns trigger language plpgsql as 'begin perform pg_sleep(0.003); return new; end';
               create trigger slowly before insert on reading for each row execute function slowly()""")
    bridge = env.bridge("""{ name = "reading"; topic = "~/r/{device}"; table = "reading"; retry_for = "1h"; columns = { device = "{device}"; }; }""")
    env.publish([("~/r/new", "")])
    env.wait(lambda: len(env.dead_letters()) == 1, 15, "not refused")
    bridge.stop()
    copy_letters(env, 300)
    last = "select failed_at from mqtt2pg.dead_letter where id = (select max(id) from mqtt2pg.dead_letter where id <= %s)"
    seeded = env.one("select max(id) from mqtt2pg.dead_letter")
    before = env.one(last, seeded)
    env.publish([("~/r/new", ""), ("~/r/known", "")])  # wait in the broker: they come while the first of many letters are tried
    bridge.start()
    env.wait_rows("reading", 1, 60)
    env.wait(lambda: env.one(last, seeded) > before, 60, "the letters are not tried")
    assert env.one("select stored from reading") < env.one(last, seeded), "the good message waited for the letters"
    bridge.check_books()


def test_table_goes_while_letters_are_tried(env):
    """A letter finds the table gone when the next batch has been built ahead with rows for it: that batch is built again."""
    env.sql("""create table device (name text primary key); insert into device values ('a');
               create table reading (device text references device, n int);
               create table other (n int);
               create table pace (seconds float); insert into pace values (0);
               create function slowly() returns trigger language plpgsql as 'begin perform pg_sleep(seconds) from pace; return null; end';
               create trigger slowly after insert on other for each statement execute function slowly()""")
    bridge = env.bridge("""
        { name = "reading"; topic = "~/n/{device}"; table = "reading"; retry_for = "1h"; columns = { device = "{device}"; n = "$.n"; }; },
        { name = "other"; topic = "~/n/+"; table = "other"; columns = { n = "$.n"; }; }""", batch={"max_rows": 200})
    env.publish(numbered("b", 0, 1))
    env.wait(lambda: len(env.dead_letters()) == 1, 15, "not refused")
    bridge.stop()
    copy_letters(env, 150)  # the second portion comes behind the first batch
    shutil.rmtree(bridge.journal)
    fill_journal(env, bridge.journal, 2000, "a")
    env.sql("update pace set seconds = 1.5")
    bridge.start(ready=False)
    env.wait(lambda: env.one("select count(*) from pg_locks where relation = 'other'::regclass and mode = 'RowExclusiveLock'") > 0, 10,
             "nothing is stored")
    env.sql("update pace set seconds = 0")
    env.sql("alter table reading rename to away")  # waits for the first batch, and the letters for it
    env.wait_rows("other", 2001, 30)
    assert 0 < env.one("select count(*) from away") < 2000, "too late or too soon: this test proves nothing"
    env.sql("alter table away rename to reading")
    env.wait_rows("reading", 2000, 30)
    assert env.one("select count(distinct n) from reading") == 2000
    bridge.check_books()


def test_each_rule_counts_its_own_rejects(env):
    """More rejects in one batch than are kept for people: the log tells each rule's own number, with a reason of that rule."""
    env.sql("create table got (v int)")
    rule = '{ name = "%s"; topic = "~/%s"; table = "got"; columns = { v = "$.v | required"; }; }'
    bridge = env.bridge(", ".join(rule % (name, name) for name in ("first", "second")), batch={"max_delay": "1500ms"})
    bridge.wait_ready()
    bridge.stop()
    env.publish([("~/first", "no json", 1)] * 30 + [("~/second", '{"w": 1}', 1)] * 12)
    bridge.start()
    env.wait(lambda: len(env.dead_letters()) == 42, 15, lambda: f"{len(env.dead_letters())} dead letters")
    for name, count, reason in (("first", 30, "not json"), ("second", 12, "required")):
        line = bridge.wait_log(f"messages rejected.*rule={name} ")
        assert f" messages={count} " in line and reason in line, line
