"""Outages: messages wait in the journal, however many; and a journal that is full.

In fast motion: an hour of the database away, at 2,000 messages a second, is 7.2 million messages that wait.

In the suite it is 500,000; MQTT2PG_OUTAGE=7200000 tests/integration/run.py outage: runs the hour (some 2 GB of disk).

SPDX-License-Identifier: MIT
"""

import os
import time

from env import limit
from scenes import NUMBERED_RULE, check_numbered, fill_journal, make_numbered, numbered

MESSAGES = int(os.environ.get("MQTT2PG_OUTAGE", "500000"))
SENDERS = ("a", "b", "c", "d")


@limit(120 + MESSAGES // 8000)
def test_journal_of_an_outage_drains(env):
    """Ready in a few seconds with all of it waiting, never above 64 MB, drained completely, each once and in order."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, start=False)
    started = time.monotonic()
    fill_journal(env, bridge.journal, MESSAGES, SENDERS)
    filled = time.monotonic()
    size = sum(entry.stat().st_size for entry in os.scandir(bridge.journal) if entry.is_file())
    bridge.start(ready=False)
    bridge.wait_ready(5)  # 0.5 s where nobody else works
    ready = time.monotonic()
    env.wait(lambda: bridge.metric("journal_messages") == 0, 60 + MESSAGES // 10000,
             lambda: f"{bridge.metric('journal_messages'):.0f} messages still wait")
    drained = time.monotonic()
    peak = bridge.rss_peak_mb()
    assert env.patience > 1 or peak <= 64, f"{peak:.0f} MB"
    bridge.check_books()
    assert bridge.metric("messages_processed_total") == MESSAGES
    each = MESSAGES // len(SENDERS)
    assert env.admin("select topic, count(*), count(distinct n), min(n), max(n) from numbered group by topic order by topic") == [
        (who, each, each, 0, each - 1) for who in SENDERS]
    late = env.admin("select count(*) from (select n, lag(n) over (partition by topic order by id) as before from numbered) x "
                     "where n <> before + 1")
    assert late == [(0,)], f"{late} out of order"
    if "MQTT2PG_OUTAGE" in os.environ:
        print(f"     {MESSAGES} messages, {size >> 20} MB: made in {filled - started:.1f} s, ready after {ready - filled:.2f} s, "
              f"drained in {drained - ready:.1f} s ({MESSAGES / (drained - ready):,.0f} a second), peak {peak:.0f} MB")


def test_batches_are_bounded(env):
    """What waits is stored in batches of at most max_rows rows and about max_bytes bytes, for memory is bounded by them."""
    env.sql("create table got (v text)")
    rule = '{ name = "got"; topic = "~/%s"; format = "text"; table = "got"; columns = { v = "$"; }; }'
    rows = env.bridge(rule % "rows", batch={"max_rows": 100})
    size = env.bridge(rule % "bytes", batch={"max_bytes": "64KB"})
    env.postgres.stop()
    env.publish([("~/rows", "x")] * 1000 + [("~/bytes", "x" * 16000)] * 100)
    for bridge, messages in ((rows, 1000), (size, 100)):
        env.wait(lambda b=bridge, n=messages: b.metric("journal_messages") == n, 20, "not in the journal")
    env.postgres.start()
    env.wait_rows("got", 1100)
    for bridge in (rows, size):
        bridge.wait_quiet()  # until then the last batch may not be counted
    assert rows.metric("batches_total") >= 1000 / 100, rows.metric("batches_total")
    assert size.metric("batches_total") >= 100 * 16000 / 65536 / 1.5, size.metric("batches_total")


@limit(180)
def test_memory_does_not_grow_while_the_database_is_away(env):
    """200,000 messages wait in the journal; the process stays small, and they drain when the database is back."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 200000), timeout=120)
    env.wait(lambda: bridge.metric("journal_messages") == 200000, 60, lambda: f"{bridge.metric('journal_messages')} in the journal")
    health = bridge.get("/readyz")
    assert health.code == 503 and "database" in health.out.lower(), health
    assert env.patience > 1 or bridge.rss_peak_mb() <= 64, f"{bridge.rss_peak_mb():.0f} MB"
    env.postgres.start()
    check_numbered(env, {"a": 200000})
    assert env.patience > 1 or bridge.rss_peak_mb() <= 64, f"{bridge.rss_peak_mb():.0f} MB"


@limit(180)
def test_starts_fast_with_a_backlog(env):
    """Killed with 200,000 waiting messages: ready in a few seconds, then drained."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 200000), timeout=120)
    env.wait(lambda: bridge.metric("journal_messages") == 200000, 60, lambda: f"{bridge.metric('journal_messages')} in the journal")
    bridge.kill9()
    env.postgres.start()
    bridge.start(ready=False)
    bridge.wait_ready(5)  # 0.5 s where nobody else works
    check_numbered(env, {"a": 200000})
    bridge.check_books()


@limit(120)
def test_journal_full(env):
    """max_size reached with the database away: it stops taking and says so, the broker keeps the rest, and all is stored later."""
    for protocol in ("5", "3.1.1"):
        env.sql("drop table if exists numbered")
        make_numbered(env)
        bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "1MB"}, broker={"protocol": protocol})
        env.postgres.stop()
        env.publish([(topic, payload[:-1] + ',"x":"%s"}' % ("x" * 300), qos) for topic, payload, qos in numbered("a", 0, 20000)])
        env.wait(lambda b=bridge: b.get("/readyz").code == 503 and "journal" in b.get("/readyz").out.lower(), 20,
                 lambda b=bridge: f"/readyz says nothing of the journal: {b.get('/readyz').out}")
        bridge.wait_log("journal")
        # One cause, once: the broker is paused, not away, and the sentence blames the database.
        env.wait(lambda b=bridge: b.metric("receiving_paused") == 1, 20, "receiving is not paused")
        told = bridge.get("/status.json").json
        assert told["health"]["broker"]["paused"] and told["summary"]["headline"].startswith(
            "The journal is full because the database has been away for"), told["summary"]
        size = sum(entry.stat().st_size for entry in os.scandir(bridge.journal) if entry.is_file())
        assert size <= 1.3 * 1024 * 1024, f"the journal takes {size} bytes"
        waiting = bridge.metric("journal_messages")
        assert 500 < waiting < 20000, waiting
        env.postgres.start()
        check_numbered(env, {"a": 20000})
        bridge.wait_ready()
        bridge.check_books()
        assert env.sql("select * from mqtt2pg.gap") == []
        bridge.stop()


def test_journal_full_and_killed(env):
    """The same with kill -9 at the full journal: it starts with the full journal and drains it."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "1MB"})
    env.postgres.stop()
    env.publish([(topic, payload[:-1] + ',"x":"%s"}' % ("x" * 300), qos) for topic, payload, qos in numbered("a", 0, 8000)])
    env.wait(lambda: "journal" in bridge.get("/readyz").out.lower(), 20, "not full")
    bridge.kill9()
    bridge.start(ready=False)
    env.wait(lambda: bridge.get("/healthz").code == 200, 10, "does not start with a full journal")
    env.postgres.start()
    check_numbered(env, {"a": 8000})
