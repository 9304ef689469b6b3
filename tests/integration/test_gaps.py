"""What nobody can bring back is told: in mqtt2pg.gap, in the log, in status; exactly, once, and also over kill -9.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import signal

from env import limit
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered

GAPS = "select cause, from_time, to_time, messages from mqtt2pg.gap order by id"
PERHAPS = "broker session perhaps lost"


@limit(90)
def test_killed_before_a_lost_session_is_written_down(env):
    """The broker answered that the session is new, and the bridge dies before it can say so: the next one says it, with the times."""
    make_numbered(env)
    broker = env.own_broker(persistence="false").start()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url}, faults="mqtt.connack.after=kill@2")
    env.publish(numbered("a", 0, 10))
    env.wait_rows("numbered", 10)
    before = env.one("select now()")
    broker.restart()
    assert bridge.wait(20) == -signal.SIGKILL
    env.publish(numbered("a", 10, 5))  # into the new session, which subscribes nothing yet: gone
    bridge.start()
    env.publish(numbered("a", 15, 10))
    env.wait_rows("numbered", 20)
    env.wait(lambda: len(env.sql(GAPS)) == 1, 15, lambda: env.sql(GAPS))
    cause, begin, end, messages = env.sql(GAPS)[0]
    assert cause == PERHAPS and begin <= before < end and messages is None, env.sql(GAPS)
    bridge.check_books()
    # Now it is known again: nothing more is said.
    for _ in range(2):
        bridge.kill9()
        bridge.start()
    assert len(env.sql(GAPS)) == 1, env.sql(GAPS)


def test_no_gap_where_the_broker_could_not_be_reached(env):
    """Killed while the broker is away: nothing is known to be lost, nothing is reported."""
    make_numbered(env)
    broker = env.own_broker().start()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url})
    env.publish(numbered("a", 0, 10))
    env.wait_rows("numbered", 10)
    broker.stop()
    bridge.wait_log("broker can't be reached")
    for _ in range(3):
        bridge.kill9()
        bridge.start(ready=False)
        env.wait(lambda: bridge.get("/healthz").code == 200, 10, "does not start")
        bridge.wait_log("broker can't be reached")
    broker.start()
    bridge.wait_ready()
    env.publish(numbered("a", 10, 10))
    check_numbered(env, {"a": 20})
    assert env.sql(GAPS) == []


@limit(120)
def test_database_older_than_the_journal(env):
    """Restored to a state older than what the journal keeps: the gap has the exact number and times; the rest is stored again."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "1MB", "keep": "0s"}, batch={"max_rows": 500})
    env.publish((topic, payload[:-1] + ',"x":"%s"}' % ("x" * 400), qos) for topic, payload, qos in numbered("a", 0, 6000))
    check_numbered(env, {"a": 6000})
    bridge.wait_quiet()
    bridge.stop()
    info = env.cli("journal", "info", config=bridge).out
    first = int(re.search(r"first message:?\s+([\d,]+)", info).group(1).replace(",", ""))
    assert first > 1000, first
    # The older state: the rows of the first 100 messages, and the position behind them.
    times = dict(env.sql("select n + 1, received from numbered"))
    env.sql("delete from numbered where n >= 100; update mqtt2pg.progress set position = 100, stored_at = now() - interval '1 day'")
    bridge.start()
    bridge.wait_quiet()
    gaps = env.sql(GAPS)
    assert len(gaps) == 1 and gaps[0][0] == "database went back", gaps
    cause, begin, end, messages = gaps[0]
    assert messages == first - 101, (messages, first)
    assert end == times[first] and (begin is None or begin <= times[101]), (gaps, times[100], times[101], times[first])
    assert env.sql("select count(*), count(distinct n), min(n) filter (where n >= 100), max(n) from numbered") == [
        (6000 - messages, 6000 - messages, first - 1, 5999)]
    bridge.check_books()
    line = bridge.wait_log("messages may be missing")
    assert str(messages) in line and cause in line, line
    status = env.cli("status", config=bridge)
    assert cause in status.out and f"{messages:,}" in status.out, status
    told = json.loads(env.cli("status", "--json", config=bridge).out)["gaps"]
    assert [(gap["cause"], gap["messages"]) for gap in told] == [(cause, messages)] and told[0]["to"][:19] == end.strftime("%Y-%m-%dT%H:%M:%S")
    assert bridge.metric("gaps_total") == 1
    # Red until somebody says that it was dealt with, over a restart too.
    assert status.code == 1 and "Messages may be missing" in status.out, status
    listed = env.cli("gaps", "list", config=bridge)
    number = re.match(r"\s*(\d+)  ", listed.out).group(1)
    assert listed.out.count("\n") == 1 and f"{messages:,} messages, {cause}" in listed.out, listed
    assert env.cli("gaps", "ack", "999999", config=bridge).code == 1 and env.cli("gaps", "ack", config=bridge).code == 2
    bridge.stop()
    bridge.start()
    env.wait(lambda: bridge.metric("gaps_open") == 1, 10, "an old gap is forgotten by a restart")
    assert env.cli("gaps", "ack", number, config=bridge).out == "1 gap acknowledged\n"
    env.wait(lambda: bridge.metric("gaps_open") == 0, 15, "the acknowledgment is not noticed")
    assert env.cli("status", config=bridge).code == 0
    assert env.cli("gaps", "list", config=bridge).out == "" and "acknowledged" in env.cli("gaps", "list", "--all", config=bridge).out
    # What is told is told once. Connected again: the crowded journal had it leave the broker, and a kill amid CONNECT is a gap of its own.
    bridge.wait_ready()
    bridge.kill9()
    bridge.start()
    env.publish(numbered("a", 6000, 10))
    env.wait(lambda: env.one("select max(n) from numbered") == 6009, 15)
    assert env.sql(GAPS) == gaps


def test_broker_session_lost_is_a_gap(env):
    """The broker forgets the session: one row in mqtt2pg.gap with the time span, and it goes on."""
    make_numbered(env)
    broker = env.own_broker(persistence="false").start()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url})
    env.publish(numbered("a", 0, 10))
    env.wait_rows("numbered", 10)
    broker.restart()
    bridge.wait_log("session")
    bridge.wait_ready()
    env.wait(lambda: env.one("select count(*) from mqtt2pg.gap") == 1, 15, "no row in mqtt2pg.gap")
    env.wait(lambda: bridge.metric("gaps_total") == 1, 5, "the metric does not tell of it")
    cause, client, valid = env.sql("select cause, client_id, from_time <= to_time and to_time <= noticed_at + interval '1 second' "
                                   "from mqtt2pg.gap")[0]
    assert "session" in cause and client == bridge.client_id and valid
    assert "messages=unknown" in bridge.wait_log("messages may be missing")
    bridge.wait_ready()  # the row may be there before the new session has its subscription
    env.publish(numbered("a", 10, 10))
    check_numbered(env, {"a": 20})


@limit(120)
def test_database_restored_to_an_older_state(env):
    """A copy of the database from before: what it lacks is stored again from the journal."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 1000))
    check_numbered(env, {"a": 1000})
    bridge.wait_quiet()
    env.make_database(env.database + "_other")  # only to know that the name is free
    env.admin("select 1")
    bridge.signal(signal.SIGSTOP)
    for key in list(env._connections):
        env._connections.pop(key).close()
    admin = env.run.connect("postgres").cursor()
    admin.execute(f"drop database {env.database}_other")
    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (env.database,))
    env.wait(lambda: not (admin.execute("select 1 from pg_stat_activity where datname = %s", (env.database,)) or admin.fetchall()))
    admin.execute(f"create database {env.database}_old template {env.database} owner bridge")
    bridge.signal(signal.SIGCONT)
    bridge.wait_ready()
    env.publish(numbered("a", 1000, 1000))
    check_numbered(env, {"a": 2000})
    bridge.wait_quiet()
    for connection in env._connections.values():
        connection.close()
    admin.execute(f"drop database {env.database} with (force)")
    admin.execute(f"alter database {env.database}_old rename to {env.database}")
    check_numbered(env, {"a": 2000})
    bridge.wait_ready()
    env.publish(numbered("a", 2000, 100))
    check_numbered(env, {"a": 2100})
    assert env.sql("select * from mqtt2pg.gap") == []


def test_damaged_journal_is_reported(env):
    """A flipped byte amid waiting messages: all others are stored, the missing one is a row in mqtt2pg.gap, verify says so."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 1000))
    env.wait(lambda: bridge.metric("journal_messages") == 1000, 10, "not in the journal")
    bridge.kill9()
    hit = None
    for folder, _, files in os.walk(bridge.journal):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                data = file.read()
            if b'{"n":500}' in data:
                hit = (path, data.index(b'{"n":500}') + 5)
    with open(hit[0], "r+b") as file:
        file.seek(hit[1])
        file.write(b"X")
    verify = env.cli("journal", "verify", config=bridge)
    assert verify.code == 1 and "1 damaged" in verify.out, verify
    env.postgres.start()
    bridge.start()
    env.wait_rows("numbered", 999)
    env.wait(lambda: env.one("select count(*) from mqtt2pg.gap") == 1, 10, "no row in mqtt2pg.gap")
    assert env.sql("select messages, cause like '%%journal%%' from mqtt2pg.gap where client_id = %s", bridge.client_id) == [(1, True)]
    assert env.one("select count(*) from numbered where n = 500") == 0
    bridge.check_books()
