"""Two brokers in `url` that go and come by turns; and somebody else who connects with the bridge's client_id.

SPDX-License-Identifier: MIT
"""

import re
import signal
import struct
import threading
import time

import mqtt_raw
from bridge import wait_time
from env import limit
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered, scripted, stored

TURNS = 20
BACKOFF_MS = (250, 500)  # of the first wait after a connection that was lost


@limit(120)
def test_two_brokers_by_turns(env):
    """Always connected again after the first wait, to the one that is there; what each has accepted is stored, once and in order."""
    make_numbered(env)
    brokers = [env.own_broker().start() for _ in range(2)]
    bridge = env.bridge(NUMBERED_RULE, broker={"url": [broker.url for broker in brokers]}, start=False)
    brokers[1].stop()
    bridge.start()
    count, longest = 0, 0
    for turn in range(1, TURNS + 1):
        here, there = brokers[(turn - 1) % 2], brokers[turn % 2]
        env.publish(numbered("a", count, 50), port=here.port)
        # The order of two brokers' messages is the order in which they gave them.
        env.wait_rows("numbered", count + 50)
        count += 50
        before = bridge.metric("broker_reconnects_total")
        there.start()
        if turn > 1:  # it has a session there, which waits for it
            env.publish(numbered("a", count, 20), port=there.port)
            count += 20
        here.stop()
        left = time.monotonic()
        env.wait(lambda b=before: bridge.metric("broker_reconnects_total") > b, 15, lambda: f"turn {turn}: {bridge.last_line()}")  # pylint: disable=cell-var-from-loop
        longest = max(longest, time.monotonic() - left)
    check_numbered(env, {"a": count})
    bridge.wait_ready()
    bridge.check_books()
    assert bridge.metric("broker_reconnects_total") == TURNS
    assert env.sql("select * from mqtt2pg.gap") == []
    waits = [int(word) for word in re.findall(r"connection lost .*retry_ms=(\d+)", bridge.log())]
    # Drawn by chance, each by itself: two may be the same, all are not.
    assert waits and all(BACKOFF_MS[0] <= wait <= BACKOFF_MS[1] for wait in waits) and len(set(waits)) > 2, waits
    assert "again and again" not in bridge.log()
    assert longest < 5 * env.patience, f"{longest:.1f} s without a broker"


def test_taken_over_with_a_word(env):
    """DISCONNECT 0x8E: an error in the log that says what to look for, and no coming back at once; the second time it waits longer."""
    broker, bridge, session = scripted(env, 5)
    for turn, least in ((1, 2.4), (2, 4.8)):
        gone = time.monotonic()
        session.write(mqtt_raw.packet(mqtt_raw.DISCONNECT, b"\x8e\0"))
        session.drop()
        line = bridge.wait_log("another client took over the broker session")
        assert "ERROR" in line and bridge.client_id in line, line
        env.wait(lambda: "same client_id" in bridge.get("/readyz").out, 10, lambda: f"/readyz says {bridge.get('/readyz')}")
        session = broker.accept()
        assert time.monotonic() - gone > least, f"turn {turn}: it came back after {time.monotonic() - gone:.1f} s"
        if turn == 1:
            session.send("t/x", "after", packet_id=1)
            session.wait("PUBACK", 1)
            stored(env, "after")


def test_taken_over_under_load(env):
    """EMQX and Mosquitto say 0x8E behind what was under way, and close: Paho meets the closed socket before it reads that; told all the same."""
    _, bridge, session = scripted(env, 5)
    burst = b"".join(mqtt_raw.publish_packet("t/x", str(n), 1, n, 5) for n in range(1, 501))
    bridge.signal(signal.SIGSTOP)  # else it may be so fast that it reads all of it before the end
    session.write(burst + mqtt_raw.packet(mqtt_raw.DISCONNECT, b"\x8e\0"))
    session.drop()
    bridge.signal(signal.SIGCONT)
    line = bridge.wait_log("another client took over the broker session")
    assert bridge.client_id in line, line
    assert bridge.metric("messages_received_total") < 500, "it read all of them: nothing was shown"
    bridge.stop()


class Twin:
    """Another client with the same client_id and session, which comes back as soon as it is thrown out, and acknowledges nothing."""

    def __init__(self, port, client_id):
        self.port, self.client_id, self.connected, self.stopped = port, client_id, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped:
            try:
                client = mqtt_raw.Client("127.0.0.1", self.port, self.client_id, version=5, clean=False, expiry=3600)
                self.connected += 1
                while not self.stopped:
                    try:
                        client.receive(0.2)
                    except TimeoutError:
                        pass
                client.close()
            except (OSError, struct.error):
                pass

    def stop(self):
        self.stopped = True
        self.thread.join(10)


def test_two_that_throw_each_other_out(env):
    """Mosquitto 2.0.11 says nothing to the one that it throws out, 2.0.21 does: noticed both times, told, and soon given up for a while;
    nothing is lost."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    twin = Twin(env.broker.port, bridge.client_id)
    env.closing.append(twin.stop)
    line = bridge.wait_log("broker connection is lost soon after connecting, again and again|another client took over the broker session", 30)
    assert "ERROR" in line and bridge.client_id in line, line
    before = twin.connected
    env.publish(numbered("a", 0, 200))
    wait_time(4)
    assert twin.connected - before <= 2, f"thrown out {twin.connected - before} times in 4 s"
    assert twin.connected <= 6, twin.connected
    twin.stop()
    bridge.wait_ready(90)
    check_numbered(env, {"a": 200})
    bridge.check_books()
    assert env.sql("select * from mqtt2pg.gap") == []
