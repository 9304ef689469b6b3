"""What the broker gives less of than was asked for is said, exactly: CONNACK, SUBACK, and the queues that bound the promise.

SPDX-License-Identifier: MIT
"""

import struct

import mqtt_raw
from env import quick
from scripted_broker import RECEIVE_MAXIMUM, connect_numbers

RULES = "".join('{ name = "%s"; topic = "%s/#"; qos = 2; format = "text"; table = "got"; columns = { v = "$"; }; },' % (name, name)
                for name in ("full", "lower", "denied"))


def start(env, version, properties=b""):
    env.sql("drop table if exists got; create table got (v text)")
    broker = env.scripted_broker()
    broker.properties = properties
    refusal = 0x87 if version == "5" else 0x80
    broker.grant = lambda name, qos: refusal if name.startswith("denied") else qos - 1 if name.startswith("lower") else qos
    bridge = env.bridge(RULES, broker={"url": broker.url, "protocol": version, "status_topic": "",
                                       "session_expiry": "7d", "max_packet": "1MB"} if version == "5" else
                        {"url": broker.url, "protocol": version, "status_topic": ""}, ready=False)
    session = broker.accept()
    session.wait("SUBSCRIBE")
    return bridge, session


@quick
def test_refusals_of_suback_are_told(env):
    """A lower QoS than asked and each refusal is told by its filter; /readyz is not ready while a subscription is refused."""
    for version in ("5", "3.1.1"):
        bridge, _ = start(env, version)
        line = bridge.wait_log("broker refused a subscription.*denied/#").lower()
        assert ("not authorized" in line or version == "3.1.1") and "password" not in line, line
        line = bridge.wait_log("lower qos.*lower/#")
        # With 3.1.1 QoS 2 is asked for as QoS 1.
        assert ("asked=2" in line and "granted=1" in line) if version == "5" else ("asked=1" in line and "granted=0" in line), line
        assert "full/#" not in bridge.log()
        env.wait(lambda: "denied/#" in bridge.get("/readyz").out, 5, "/readyz does not name the filter")
        assert bridge.get("/readyz").code == 503
        bridge.stop()


@quick
def test_limits_of_connack_are_told(env):
    """Each limit that is lower than wanted, with both numbers; none where the broker gives all."""
    bridge, _ = start(env, "5", b"\x11" + struct.pack("!I", 3600) + b"\x24\x01" + b"\x27" + struct.pack("!I", 65536) + b"\x25\x00")
    for pattern in ("WARN.*session_expiry.*asked_s=604800 granted_s=3600", "WARN.*no more than this qos asked=2 granted=1",
                    "WARN.*max_packet.*asked_bytes=1048576 granted_bytes=65536", "WARN.*retains nothing"):
        bridge.wait_log(pattern)
    bridge.stop()
    bridge, _ = start(env, "5")
    bridge.wait_log("subscribed subscriptions")
    assert "granted_s" not in bridge.log() and "granted_bytes" not in bridge.log() and "retains nothing" not in bridge.log()
    bridge.stop()


@quick
def test_queues_are_told_once_at_start(env):
    """One line names the settings of the brokers that bound how much they keep for an absent bridge."""
    bridge, session = start(env, "5")
    line = bridge.wait_log("max_queued_messages")
    assert "INFO" in line and "max_mqueue_len" in line and "session_expiry_interval" in line, line
    bridge.wait_log("subscribed subscriptions")
    session.drop()
    env.wait(lambda: bridge.metric("broker_reconnects_total") == 1, 15, "no new connection")
    assert bridge.log().count("max_queued_messages") == 1


@quick
def test_qos_2_with_mqtt_3(env):
    """check says what will be done, and run does it."""
    bridge = env.bridge(RULES, broker={"protocol": "3.1.1"}, start=False)
    checked = env.cli("check", config=bridge)
    assert checked.code == 0 and (checked.out + checked.err).count("2 is subscribed as 1") == 3, checked
    running, session = start(env, "3.1.1")
    assert all(qos == 1 for name, filters in session.received if name == "SUBSCRIBE" for _, qos in filters), session.received
    running.wait_log("WARN.*qos 2 is subscribed as qos 1")


def test_larger_than_max_packet_with_mqtt_3(env):
    """The head becomes a dead letter with the reason, is acknowledged, and nothing waits behind it."""
    env.sql("create table got (v text)")
    bridge = env.bridge('{ name = "all"; topic = "~/t"; format = "text"; table = "got"; columns = { v = "$"; }; }',
                        broker={"protocol": "3.1.1"}, journal={"max_size": "1MB"})
    env.publish([("~/t", "before", 1), ("~/t", "x" * 2_000_000, 1), ("~/t", "x" * 600_000, 1), ("~/t", "after", 1)])
    env.wait_rows("got", 2)
    env.wait(lambda: len(env.dead_letters()) == 2, 15, "no dead letters")
    rows = env.sql("select reason, length(payload), parked from mqtt2pg.dead_letter order by sequence")
    assert [(length, parked) for _, length, parked in rows] == [(4096, False)] * 2, rows
    assert "2000000 bytes" in rows[0][0] and "600000 bytes" in rows[1][0], rows
    assert bridge.running() and bridge.get("/readyz").code == 200
    bridge.check_books()
    retried = env.cli("dead-letters", "retry", config=bridge)
    assert "0 stored" in retried.out and "2 rejected again" in retried.out, retried
    assert env.one("select count(*) from got") == 2 and rows[0][0] == env.one("select reason from mqtt2pg.dead_letter order by sequence limit 1")
    checked = env.cli("check", config=bridge)
    assert "broker.max_packet: larger than half of journal.max_size" in checked.out + checked.err, checked


def test_packets_at_the_limit_of_emqx(env):
    """EMQX takes packets of 1 MB from publishers and drops those that its subscription identifier makes larger than max_packet: with the
    default of 2 MB it drops none."""
    env.sql("create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    bridge = env.bridge('{ name = "got"; topic = "t/#"; format = "text"; table = "got"; columns = { v = "$"; }; }',
                        broker={"url": broker.url, "status_topic": ""}, ready=False)
    session = broker.accept()
    session.wait("SUBSCRIBE")
    assert connect_numbers(session.properties)[RECEIVE_MAXIMUM] == 65535  # FlashMQ and NanoMQ drop what exceeds it
    head = len(mqtt_raw.publish_packet("t/x", b"x" * 1_000_000, 1, 1, 5)) - 1_000_000  # as the publisher sends it
    sizes = range(1024 * 1024 - 5, 1024 * 1024 + 6)
    for packet_id, size in enumerate(sizes, 1):
        assert session.send_if_it_fits("t/x", b"x" * (size - head), 1, packet_id, subscriptions=[session.identifiers["t/#"]]), f"{size} bytes dropped"
    session.wait("PUBACK", len(sizes))
    env.wait(lambda: env.sql("select length(v) from got order by id") == [(size - head,) for size in sizes], 20,
             lambda: env.sql("select length(v) from got order by id"))
    bridge.check_books()
