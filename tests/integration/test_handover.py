"""MQTT 3.1.1, filters that change, and a broker that sends a copy for each overlapping subscription: the moments between SUBSCRIBE and
UNSUBSCRIBE, word for word.

SPDX-License-Identifier: MIT
"""

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
