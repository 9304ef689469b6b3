"""What `@rows` of an acknowledgment says: how many rows of this message PostgreSQL has stored.

SPDX-License-Identifier: MIT
"""

import json

from env import limit, quick

ACK = 'ack: { topic = "~/ack"; fields = { id = "$.id"; rule = "@rule"; rows = "@rows"; some = "@rows | map 0 \'none\' else \'some\'"; status = "@status"; }; };'
RULES = ", ".join('{ name = "%s"; topic = "~/%s"; columns = { %s }; %s %s }' % (name, name, columns, settings, ACK) for name, columns, settings in (
    ("keep", 'k = "$.k"; id = "$.id";', 'table = "keep"; on_conflict = "nothing"; key = "k";'),
    ("newest", 'k = "$.k"; at = "$.at"; id = "$.id";', 'table = "newest"; on_conflict = "update"; key = "k"; newest = "at";'),
    ("several", 'k = "$"; id = "$$.id";', 'table = "several"; on_conflict = "nothing"; key = "k"; rows = "$.list[*]";'),
    ("plain", 'k = "$.k"; id = "$.id";', 'table = "plain";'),
    ("refused", 'k = "$.k"; id = "$.id";', 'table = "refused"; on_conflict = "nothing"; key = "k";'),
    ("own", 'k = "$ :: int"; id = "$$.id :: int";', 'sql = "insert into own select k, id from batch where k > 1"; rows = "$.list[*]";')))
TABLES = """create table keep (k int primary key, id int); insert into keep values (9, 0);
            create table newest (k int primary key, at int, id int); create table several (k int primary key, id int);
            create table plain (k int, id int); create table own (k int, id int);
            create function odd_only() returns trigger language plpgsql as $$ begin return case when new.k % 2 = 1 then new end; end $$;
            create trigger odd_only before insert on plain for each row execute function odd_only();
            create table refused (k int primary key check (k < 5), id int)"""

# Rule, payload without its id, rows that the acknowledgment must tell. In order, some of them in one batch.
CASES = [
    ("keep", {"k": 1}, 1), ("keep", {"k": 1}, 0), ("keep", {"k": 9}, 0), ("keep", {"k": 2}, 1), ("keep", {"k": None}, None),
    ("newest", {"k": 1, "at": 5}, 1), ("newest", {"k": 1, "at": 4}, 0), ("newest", {"k": 1, "at": 6}, 1), ("newest", {"k": 2, "at": 1}, 1),
    ("several", {"list": [1, 2, 3]}, 3), ("several", {"list": [3, 4, 4, 5]}, 2), ("several", {"list": [1, 5]}, 0), ("several", {"list": []}, 0),
    ("plain", {"k": 1}, 1), ("plain", {"k": 2}, 0), ("plain", {"k": 3}, 1), ("plain", {"k": 4}, 0),
    ("refused", {"k": 1}, 1), ("refused", {"k": 7}, None), ("refused", {"k": 1}, 0),
    ("own", {"list": [1, 2, 3]}, 3),  # what a rule's own SQL makes of its rows is not known
]


def check(env, inbox, cases, first):
    """An acknowledgment for each case, and what it says; None: rejected."""
    inbox.wait(first + len(cases))
    told = {ack["id"]: ack for ack in map(json.loads, inbox.payloads)}
    for number, (rule, payload, rows) in enumerate(cases, first):
        ack = told[number]
        expected = (rule, "rejected", 0, "none") if rows is None else (rule, "stored", rows, "some" if rows else "none")
        assert (ack["rule"], ack["status"], ack["rows"], ack["some"]) == expected, (rule, payload, rows, ack)
    assert len(inbox.messages) == first + len(cases)


def messages(cases, first):
    return [(f"~/{rule}", json.dumps({**payload, "id": number})) for number, (rule, payload, _) in enumerate(cases, first)]


@quick
@limit(60)
def test_rows_are_those_stored(env):
    """In one batch and message by message: conflicts, older rows, triggers and refusals are not counted."""
    env.sql(TABLES)
    inbox = env.subscribe("~/ack")
    bridge = env.bridge(RULES, batch={"max_delay": "200ms"})
    env.publish(messages(CASES, 0))
    check(env, inbox, CASES, 0)
    stored = {rule: sum(rows or 0 for name, _, rows in CASES if name == rule) for rule in ("keep", "newest", "several", "plain", "refused")}
    assert {rule: bridge.metric("rows_stored_total", rule=rule) for rule in stored} == stored
    again = [("keep", {"k": 1}, 0), ("several", {"list": [5, 6]}, 1), ("plain", {"k": 2}, 0), ("keep", {"k": 3}, 1), ("plain", {"k": 5}, 1)]
    for one, payload in enumerate(messages(again, len(CASES))):
        env.publish([payload])
        inbox.wait(len(CASES) + one + 1)
    check(env, inbox, again, len(CASES))
    bridge.check_books()


def test_rows_of_parked_messages(env):
    """The table is away for a while: the acknowledgments that follow count what was stored then."""
    env.sql(TABLES)
    inbox = env.subscribe("~/ack")
    bridge = env.bridge(RULES)
    env.sql("alter table keep rename to away; alter table plain rename to away_too")
    cases = [case for case in CASES if case[0] in ("keep", "plain")]
    env.publish(messages(cases, 0))
    env.wait(lambda: len(env.dead_letters()) == len(cases), 15, env.dead_letters)
    env.sql("alter table away rename to keep; alter table away_too rename to plain")
    check(env, inbox, cases, 0)
    bridge.check_books()


@limit(90)
def test_no_room_for_acknowledgments(env):
    """The broker is slow to take acknowledgments: batches wait until there is room for theirs, and are not sent to be rolled back."""
    count = 3000
    proxy = env.proxy(env.broker.port)
    env.sql("create table t (n int, x text)")
    inbox = env.subscribe("~/ack")
    bridge = env.bridge("""{ name = "t"; topic = "~/t"; table = "t"; columns = { n = "$.n"; x = "$.x"; };
                             ack: { topic = "~/ack"; fields = { n = "$.n"; x = "$.x"; rows = "@rows"; }; }; }""",
                        broker={"url": f"mqtt://127.0.0.1:{proxy.port}"}, journal={"max_size": "1MB", "keep": "0s"}, batch={"max_rows": 100})
    rollbacks = "select xact_rollback from pg_stat_database where datname = current_database()"
    before = env.one(rollbacks)
    proxy.delay = 0.005
    env.publish(("~/t", '{"n": %d, "x": "%s"}' % (n, "x" * 400)) for n in range(count))
    bridge.wait_log("storing waits until the broker has taken acknowledgments", 40)
    proxy.delay = 0
    # At least once: on a busy machine the broker does not confirm some in time.
    env.wait(lambda: {json.loads(text)["n"] for text in list(inbox.payloads)} == set(range(count)), 40, lambda: f"{len(inbox.messages)} came")
    bridge.check_books()
    bridge.stop()
    assert env.one(rollbacks) - before == 0, f"{env.one(rollbacks) - before} transactions were rolled back"


def test_rows_behind_a_pooler(env):
    """The same numbers through PgBouncer in transaction mode, where each batch may have another backend."""
    env.sql(TABLES)
    inbox = env.subscribe("~/ack")
    bridge = env.bridge(RULES, batch={"max_delay": "200ms"}, database={"conninfo": env.pooler("transaction").conninfo(env.database)})
    env.publish(messages(CASES, 0))
    check(env, inbox, CASES, 0)
    bridge.kill9()
    bridge.start()
    again = [("keep", {"k": 1}, 0), ("plain", {"k": 5}, 1)]
    env.publish(messages(again, len(CASES)))
    check(env, inbox, again, len(CASES))
    bridge.check_books()
