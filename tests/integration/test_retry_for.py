"""What becomes of a letter that retry_for tries again, and what its acknowledgment says: each end is told once.

SPDX-License-Identifier: MIT
"""

import json

from env import limit

TABLES = """create table device (name text primary key);
            create table soon (device text references device, n int); create table later (like soon); create table plain (like soon);
            alter table later add foreign key (device) references device; alter table plain add foreign key (device) references device"""


def rule(name, retry_for, ack=True):
    return (f'{{ name = "{name}"; topic = "~/{name}/{{device}}"; table = "{name}"; retry_for = "{retry_for}"; columns = {{ device = "{{device}}"; n = "$"; }};'
            + (' ack: { topic = "~/ack"; qos = 1; fields = { rule = "@rule"; n = "$"; status = "@status"; sqlstate = "@sqlstate"; rows = "@rows"; }; };'
               if ack else "") + " }")


def letters(env):
    """(rule, payload, parked, waits), oldest first."""
    return env.sql("select rule, convert_from(payload, 'UTF8'), parked, properties ? 'waits' from mqtt2pg.dead_letter order by sequence")


@limit(120)
def test_each_end_is_acknowledged(env):
    """Given up; stored by the service, straight and behind a parked rule; refused while the rule heals; taken by nobody else; retried by a person."""
    env.sql(TABLES)
    inbox = env.subscribe("~/ack")

    def told(wanted):
        env.wait(lambda: len(inbox.messages) >= len(wanted), 40, lambda: f"{inbox.payloads}, {env.dead_letters()}")
        acks = sorted((ack["rule"], ack["n"], ack["status"], ack["sqlstate"], ack["rows"]) for ack in map(json.loads, inbox.payloads))
        assert acks == wanted, acks

    bridge = env.bridge(", ".join((rule("soon", "4s"), rule("later", "1h"), rule("plain", "1h", ack=False))))
    env.publish([("~/soon/x", "1"), ("~/later/x", "1"), ("~/plain/x", "1")])
    env.wait(lambda: letters(env) == [("soon", "1", False, True), ("later", "1", False, True), ("plain", "1", False, True)], 15, env.dead_letters)
    assert inbox.payloads == []
    given_up = [("soon", 1, "rejected", "23503", 0)]
    told(given_up)
    assert letters(env)[0] == ("soon", "1", False, False)
    env.sql("alter table later rename to away")
    env.publish([("~/later/x", "2"), ("~/later/y", "3")])
    env.wait(lambda: letters(env)[3:] == [("later", "2", True, False), ("later", "3", True, False)], 15, env.dead_letters)
    bridge.stop()
    env.sql("alter table away rename to later; insert into device values ('x')")
    retried = env.cli("dead-letters", "retry", config=bridge)
    assert retried.code == 0 and "2 dead letters retried: 2 stored" in retried.out, retried  # those of plain and soon: who waits for the others gets an answer
    assert letters(env) == [("later", "1", False, True), ("later", "2", True, False), ("later", "3", True, False)]
    bridge.start()
    env.wait(lambda: letters(env) == [("later", "3", False, True)], 30, env.dead_letters)
    stored = [("later", n, "stored", None, 1) for n in (1, 2)]
    told(stored + given_up)
    env.sql("insert into device values ('y')")
    env.wait(lambda: letters(env) == [], 60, env.dead_letters)
    told(stored + [("later", 3, "stored", None, 1)] + given_up)
    for table, numbers in (("soon", [1]), ("later", [1, 2, 3]), ("plain", [1])):
        assert [n for n, in env.sql(f"select n from {table} order by n")] == numbers
    bridge.check_books()


def test_purge_leaves_what_waits(env):
    """Somebody waits for its acknowledgment. Who names the rule, which may be gone, removes it all the same."""
    env.sql(TABLES)
    inbox = env.subscribe("~/ack")
    bridge = env.bridge(rule("later", "1h"))
    env.publish([("~/later/x", "1"), ("~/later/x", "no number")])
    env.wait(lambda: len(letters(env)) == 2, 15, env.dead_letters)
    purged = env.cli("dead-letters", "purge", "--all", config=bridge)
    assert purged.out == "1 dead letter removed\n" and letters(env) == [("later", "1", False, True)], purged
    env.sql("insert into device values ('x')")
    env.wait_rows("later", 1, 30)
    inbox.wait(2)
    env.publish([("~/later/y", "2")])
    env.wait(lambda: letters(env) == [("later", "2", False, True)], 15, env.dead_letters)
    purged = env.cli("dead-letters", "purge", "--rule", "later", config=bridge)
    assert purged.out == "1 dead letter removed\n" and letters(env) == [], purged
