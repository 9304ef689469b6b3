"""What nobody can bring back is told: in mqtt2pg.gap, in the log, in status; exactly, once, and also over kill -9.

SPDX-License-Identifier: MIT
"""

import json
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
    bridge.wait_log("broker can not be reached")
    for _ in range(3):
        bridge.kill9()
        bridge.start(ready=False)
        env.wait(lambda: bridge.get("/healthz").code == 200, 10, "does not start")
        bridge.wait_log("broker can not be reached")
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
    # What is told is told once.
    bridge.kill9()
    bridge.start()
    env.publish(numbered("a", 6000, 10))
    env.wait(lambda: env.one("select max(n) from numbered") == 6009, 15)
    assert env.sql(GAPS) == gaps
