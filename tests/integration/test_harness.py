"""The harness itself: what the other tests lean on counts, cuts and kills as it says. No bridge takes part.

SPDX-License-Identifier: MIT
"""

import socket
import time

import paho.mqtt.client as paho
import psycopg2

import mqtt_raw
from env import quick


@quick
def test_publisher_and_subscriber_agree(env):
    inbox = env.subscribe("~/#", qos=2)
    count = env.publish([(f"~/{i % 7}", f"{i}", i % 3) for i in range(3000)])
    assert count == 3000
    inbox.wait(3000)
    assert sorted(int(text) for text in inbox.payloads) == list(range(3000))


def test_publisher_is_fast(env):
    start = time.process_time()  # what it costs, however busy the machine is
    assert env.publish(("~/speed", b"x" * 100) for _ in range(100000)) == 100000
    rate = 100000 / (time.process_time() - start)
    assert rate > 10000, f"only {rate:.0f} messages a second of its own time"


def test_publisher_with_mqtt5_properties(env):
    inbox = env.subscribe("~/p")
    env.publish([("~/p", "x", 1, {"content_type": "text/plain", "response_topic": "back", "correlation_data": b"\0\1",
                                  "user": [("a", "b"), ("a", "c")]})])
    message = inbox.wait(1)[0]
    assert message.properties.ContentType == "text/plain"
    assert message.properties.ResponseTopic == "back"
    assert message.properties.CorrelationData == b"\0\1"
    assert message.properties.UserProperty == [("a", "b"), ("a", "c")]


def test_rate_is_kept(env):
    start = time.monotonic()
    assert env.publish_in_background(((f"~/{i}", "x") for i in range(500)), rate=1000).finish() == 500
    assert 0.3 < time.monotonic() - start < 30


@quick
def test_proxy_cuts_stalls_and_refuses(env):
    proxy = env.proxy(env.broker.port)
    client = mqtt_raw.Client("127.0.0.1", proxy.port, env.prefix + "-a")
    client.socket.sendall(mqtt_raw.packet(mqtt_raw.PINGREQ))
    assert client.receive()[0] == mqtt_raw.PINGRESP
    proxy.stalled = True
    client.socket.sendall(mqtt_raw.packet(mqtt_raw.PINGREQ))
    try:
        client.receive(timeout=0.3)
        raise AssertionError("an answer passed while stalled")
    except socket.timeout:
        pass
    proxy.stalled = False
    assert client.receive()[0] == mqtt_raw.PINGRESP
    proxy.cut()
    try:
        client.receive(timeout=2)
        raise AssertionError("not cut")
    except (ConnectionError, OSError):
        pass
    proxy.refusing = True
    try:
        mqtt_raw.Client("127.0.0.1", proxy.port, env.prefix + "-b", timeout=2)
        raise AssertionError("not refused")
    except (ConnectionError, OSError):
        pass


def test_proxy_cuts_at_a_byte(env):
    """The filter lets two bytes of an answer through and cuts then."""
    proxy = env.proxy(env.broker.port)
    client = mqtt_raw.Client("127.0.0.1", proxy.port, env.prefix + "-a")
    proxy.filter = lambda link, direction, data: (data[:1], True) if direction == "down" else (data, False)
    client.socket.sendall(mqtt_raw.packet(mqtt_raw.PINGREQ))
    got = b""
    try:
        while part := client.socket.recv(10):
            got += part
    except OSError:
        pass
    assert len(got) <= 1, got


def test_scripted_broker_with_a_real_client(env):
    broker = env.scripted_broker()
    client = paho.Client(client_id="someone", clean_session=False, protocol=paho.MQTTv311)
    messages = []
    client.on_message = lambda c, d, message: messages.append((message.topic, message.payload, message.dup, message.qos))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    session = broker.accept()
    assert (session.client_id, session.version, session.clean) == ("someone", 4, False)
    client.subscribe("a/#", 1)
    assert session.wait("SUBSCRIBE") == [("a/#", 1)]
    session.send("a/1", "x", packet_id=7)
    session.wait("PUBACK", 7)
    session.send("a/1", "x", packet_id=7, duplicate=True)
    session.send("a/2", "y", qos=2, packet_id=8)
    session.wait("PUBREC", 8)
    assert not session.has("PUBCOMP", 8)
    session.pubrel(8)
    session.wait("PUBCOMP", 8)
    env.wait(lambda: len(messages) == 3)
    assert messages == [("a/1", b"x", False, 1), ("a/1", b"x", True, 1), ("a/2", b"y", False, 2)]
    client.publish("b", "from the client", 1)
    env.wait(lambda: session.published == [("b", b"from the client")])
    session.drop()
    broker.session_present = True
    assert broker.accept().client_id == "someone"
    client.disconnect()
    client.loop_stop()


@quick
def test_postgres_is_killed_and_comes_back(env):
    env.sql("create table t (i int)")
    env.sql("insert into t select generate_series(1, 1000)")
    env.postgres.kill()
    try:
        env.run.connect(env.database)
        raise AssertionError("postgres is not dead")
    except psycopg2.OperationalError:
        pass
    env.postgres.start()
    assert env.one("select count(*) from t") == 1000, "kill -9 of the processes loses nothing that was committed"
    env.postgres.stop("immediate")
    env.postgres.start()
    assert env.one("select count(*) from t") == 1000


def test_broker_keeps_sessions_over_a_restart(env):
    broker = env.own_broker().start()
    client = mqtt_raw.Client("127.0.0.1", broker.port, "keeper", clean=False)
    client.socket.sendall(mqtt_raw.packet(mqtt_raw.SUBSCRIBE, b"\0\1" + mqtt_raw.field("a") + b"\1", 2))
    assert client.receive()[0] == mqtt_raw.SUBACK
    client.close()
    env.publish([("a", str(i)) for i in range(5000)])
    broker.restart()
    client = mqtt_raw.Client("127.0.0.1", broker.port, "keeper", clean=False)
    assert client.session_present
    got = 0
    while got < 20:
        kind, _, _ = client.receive()
        got += kind == mqtt_raw.PUBLISH
    client.close()


def test_passwords_count_over_tcp(env):
    try:
        psycopg2.connect(env.postgres.conninfo(env.database, tcp=True, password="wrong"))
        raise AssertionError("a wrong password was taken")
    except psycopg2.OperationalError as error:
        assert "password authentication failed" in str(error)
    psycopg2.connect(env.postgres.conninfo(env.database, tcp=True)).close()
