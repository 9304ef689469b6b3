"""SIGHUP takes what the reference says it takes: the settings whose effect shows in batches and at the end.

test_shutdown.py has reloading itself (whole or not at all, under load, what needs a restart), test_http.py what the page shows.

SPDX-License-Identifier: MIT
"""

import signal
import time

from env import quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered


def reload(bridge, **config):
    bridge.configure(**config)
    bridge.signal(signal.SIGHUP)


@quick
def test_reload_takes_limits_of_batches(env):
    """batch.max_delay and batch.max_bytes: how long a lonely message waits, and how many batches a heap of messages takes."""
    make_numbered(env)
    env.sql("alter table numbered add column x text")
    bridge = env.bridge(NUMBERED_RULE.replace("columns = {", 'columns = { x = "$.x";'), batch={"max_delay": "30s"})
    env.publish(numbered("a", 0, 1))
    env.holds(lambda: env.one("select count(*) from numbered") == 0, 1.5, "stored before max_delay")
    reload(bridge, batch={"max_delay": "200ms"})
    env.publish(numbered("a", 1, 1))
    env.wait_rows("numbered", 2, 20)

    heap = [(topic, payload[:-1] + ',"x":"%s"}' % ("x" * 1000), qos) for topic, payload, qos in numbered("a", 2, 1000)]

    def batches_for(messages, first):
        """All wait in the journal, so that only the settings decide."""
        bridge.wait_quiet()
        before = bridge.metric("batches_total")
        env.postgres.stop()
        env.publish(messages)
        env.wait(lambda: bridge.metric("journal_messages") == len(messages), 20, "not in the journal")
        env.postgres.start()
        env.wait_rows("numbered", first + len(messages), 40)
        bridge.wait_quiet()
        return bridge.metric("batches_total") - before
    few = batches_for(heap[:500], 2)
    reload(bridge, batch={"max_bytes": "64KB"})
    many = batches_for(heap[500:], 502)
    assert few <= 5 and many >= 8, (few, many)
    check_numbered(env, {"a": 1002})
    bridge.check_books()


def test_reload_takes_the_time_of_a_stop(env):
    """shutdown: with a database that does not answer, SIGTERM waits no longer than the new value says."""
    make_numbered(env)
    proxy = env.proxy(env.postgres.port)
    bridge = env.bridge(NUMBERED_RULE, shutdown="40s", database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    proxy.stalled = True
    env.publish(numbered("a", 0, 100))
    env.wait(lambda: bridge.metric("messages_journaled_total") == 100, 20, "not in the journal")
    reload(bridge, shutdown="2s")  # the loader hangs, so nobody says that it is taken; SIGTERM comes after SIGHUP all the same
    start = time.monotonic()
    assert bridge.stop(60) == 0
    assert time.monotonic() - start < 20 * env.patience, f"took {time.monotonic() - start:.1f} s"
    proxy.cut()
    proxy.stalled = False
    bridge.start()
    check_numbered(env, {"a": 100})
