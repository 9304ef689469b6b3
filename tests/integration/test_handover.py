"""MQTT 3.1.1, filters that change, and a broker that sends a copy for each overlapping subscription: the moments between SUBSCRIBE and
UNSUBSCRIBE, word for word.

SPDX-License-Identifier: MIT
"""

import itertools
import signal
import time

from env import quick
from test_reload import rule_on


def begin(env, topic):
    """A bridge whose session holds one filter, and its connection."""
    env.sql("create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    bridge = env.bridge(rule_on(topic), broker={"url": broker.url, "status_topic": "", "protocol": "3.1.1"}, ready=False)
    session = broker.accept()
    session.wait("SUBSCRIBE")
    bridge.wait_ready()
    broker.session_present = True
    return broker, bridge, session


@quick
def test_stopped_behind_subscribe(env):
    """SIGTERM before SUBACK of a reload: the old filter is left all the same, or the session would collect two copies until the start."""
    broker, bridge, session = begin(env, "t/+")
    asked = []

    def grant(name, qos):
        asked.append(name)
        bridge.signal(signal.SIGTERM)
        bridge.wait_log("stopping within_ms")
        time.sleep(0.3)  # longer than the bridge takes to notice that it stops
        return qos
    broker.grant = grant
    bridge.configure(rule_on("t/#"))
    bridge.signal(signal.SIGHUP)
    assert bridge.wait() == 0
    assert asked == ["t/#"] and broker.held == {"t/#"}, f"{asked} {broker.held}"
    assert session.wait("DISCONNECT") is not None
    bridge.start()
    session = broker.accept()
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    assert not [name for name, _ in session.received if name in ("SUBSCRIBE", "UNSUBSCRIBE")], session.received
    assert bridge.stop() == 0


@quick
def test_killed_behind_subscribe(env):
    """kill -9 before SUBACK of a reload: the queue has two copies of each message until the old filter is left, then one."""
    broker, bridge, session = begin(env, "t/+")

    def kill(name, qos):
        bridge.kill9()
        return qos
    broker.grant = kill
    bridge.configure(rule_on("t/#"))
    bridge.signal(signal.SIGHUP)
    session.wait("EOF")
    env.wait(lambda: broker.held == {"t/+", "t/#"}, 10, lambda: broker.held)
    before = ["one", "one", "two", "two", "same", "same", "same", "same", "three", "three"]
    behind = ["four", "four", "five", "six", "same"]
    stored_values = ["one", "two", "same", "same", "three", "four", "five", "six", "same"]
    check_queue(env, broker, bridge, before, behind, stored_values)


@quick
def test_killed_behind_unsubscribe(env):
    """… and once more when the old filter was left, and the queue has not come: its messages have two copies still."""
    broker, bridge, session = begin(env, "t/+")
    bridge.configure(rule_on("t/#"))

    def kill(leaving, name):
        bridge.kill9()
        return False
    broker.hangs_up_at_leaving = kill
    bridge.signal(signal.SIGHUP)
    session.wait("EOF")
    broker.hangs_up_at_leaving = lambda leaving, name: False
    bridge.start(ready=False)
    session = broker.accept()
    session.wait("UNSUBSCRIBE")
    bridge.wait_log("subscribed subscriptions=1 new=. removed=1")
    bridge.kill9()
    bridge.start(ready=False)
    session = broker.accept()
    for number, value in enumerate(["one", "one", "two", "two", "three", "four"], 1):
        session.send("t/x", value, packet_id=number)
    session.wait("PUBACK", 6)
    env.wait_rows("got", 4)
    bridge.check_books()
    assert bridge.stop() == 0


@quick
def test_ended_between_two_copies(env):
    """The bridge is killed, or the connection is lost, when the first copy of a message is acknowledged and the second has not come."""
    broker, bridge, session = begin(env, "t/+")
    bridge.configure(rule_on("t/#"))
    broker.mute = True
    bridge.signal(signal.SIGHUP)
    session.wait("SUBSCRIBE", [("t/#", 1)])
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    bridge.kill9()
    broker.mute = False
    bridge.start(ready=False)
    session = broker.accept()
    session.send("t/x", "one", packet_id=2, duplicate=True)
    session.send("t/x", "two", packet_id=3)
    session.wait("PUBACK", 3)
    session.drop()
    session = broker.accept()
    session.send("t/x", "two", packet_id=4)
    for number, value in enumerate(("three", "three", "four"), 5):
        session.send("t/x", value, packet_id=number)
    session.wait("PUBACK", 7)
    env.wait_rows("got", 4)
    assert [v for v, in env.sql("select v from got order by id")] == ["one", "two", "three", "four"]
    bridge.check_books()
    assert bridge.stop() == 0


@quick
def test_equal_messages_in_the_queue(env):
    """The filter is edited while the bridge is away: equal messages in the queue are messages of their own. After those it
    takes two messages with copies to believe in copies."""
    broker, bridge, _ = begin(env, "t/+")
    bridge.stop()
    bridge.configure(rule_on("t/#"))
    check_queue(env, broker, bridge, ["same"] * 8 + ["one", "two", "two", "three"], ["a", "a", "b", "b", "c", "c", "d", "d", "e"],
                ["same"] * 8 + ["one", "two", "two", "three", "a", "a", "b", "b", "c", "d", "e"])


@quick
def test_copies_at_the_end_of_the_queue(env):
    """… where no equal messages are neighbours, equal ones are copies from the first one on."""
    broker, bridge, _ = begin(env, "t/+")
    bridge.stop()
    bridge.configure(rule_on("t/#"))
    values = [str(n) for n in range(20)]
    check_queue(env, broker, bridge, values, ["a", "a", "b", "b", "c"], values + ["a", "b", "c"])



def check_queue(env, broker, bridge, before, behind, expected):
    """What the broker has queued comes before SUBACK, and before UNSUBACK."""
    numbers = itertools.count(100)

    def send(values):
        for value in values:
            broker.clients[-1].send("t/x", value, packet_id=next(numbers))

    def grant(name, qos):
        send(before)
        return qos

    def leave(session, name):
        send(behind)
        return False
    broker.grant, broker.hangs_up_at_leaving = grant, leave
    bridge.start(ready=False)
    session = broker.accept()
    session.wait("PUBACK", 99 + len(before) + len(behind), 20)
    assert broker.held == {"t/#"}, broker.held
    env.wait_rows("got", len(expected))
    assert [v for v, in env.sql("select v from got order by id")] == expected
    bridge.check_books()
    assert bridge.stop() == 0
