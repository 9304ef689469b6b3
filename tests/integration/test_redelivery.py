"""What a broker repeats is stored once, what only looks like it is stored again: word for word, with a scripted broker.

SPDX-License-Identifier: MIT
"""

import os
import signal

from env import quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered, scripted, stored


@quick
def test_redelivery_is_recognised(env):
    """The broker never got the PUBACK: DUP, same identifier, same content, on the next connection: not stored again."""
    for version in (4, 5):
        broker, bridge, session = scripted(env, version)
        for packet_id, value in ((1, "one"), (2, "two"), (3, "three")):
            session.send("t/x", value, packet_id=packet_id)
        session.wait("PUBACK", 3)
        session.drop()
        session = broker.accept()
        env.wait(lambda b=bridge: b.log().count("connected to broker") == 2, 10, "a reconnect that is not logged")
        session.send("t/x", "two", packet_id=2, duplicate=True)
        session.send("t/x", "three", packet_id=3, duplicate=True)
        session.send("t/x", "four", packet_id=4)
        session.wait("PUBACK", 4)
        session.wait("PUBACK", 2)
        stored(env, "one", "two", "three", "four")
        assert bridge.metric("messages_duplicate_total") == 2
        bridge.stop()


@quick
def test_redelivery_is_recognised_after_kill(env):
    """The same over kill -9: the memory is rebuilt from the journal."""
    for version in (4, 5):
        broker, bridge, session = scripted(env, version)
        for packet_id in (1, 2, 3):
            session.send("t/x", str(packet_id), packet_id=packet_id)
        session.wait("PUBACK", 3)
        bridge.kill9()
        bridge.start(ready=False)
        session = broker.accept()
        for packet_id in (2, 3):
            session.send("t/x", str(packet_id), packet_id=packet_id, duplicate=True)
        session.send("t/x", "4", packet_id=4)
        session.wait("PUBACK", 4)
        stored(env, "1", "2", "3", "4")
        bridge.stop()


@quick
def test_redelivery_of_deleted_messages(env):
    """A journal of 1 MB has deleted most of what the broker repeats after kill -9: still known."""
    for version, qos in ((4, 1), (5, 1), (5, 2)):
        broker, bridge, session = scripted(env, version, qos, {"max_size": "1MB", "keep": "0s"})
        answer = "PUBACK" if qos == 1 else "PUBREC"
        values = [f"{packet_id} " + "x" * 20000 for packet_id in range(1, 201)]
        for start in range(0, 200, 20):
            for packet_id in range(start + 1, start + 21):
                session.send("t/x", values[packet_id - 1], qos=qos, packet_id=packet_id)
            session.wait(answer, start + 20)
            stored(env, *values[:start + 20])
        bridge.kill9()
        bridge.start(ready=False)
        session = broker.accept()
        for packet_id in range(1, 201):
            session.send("t/x", values[packet_id - 1], qos=qos, packet_id=packet_id, duplicate=True)
        session.send("t/x", "new", qos=qos, packet_id=201)
        session.wait(answer, 201)
        stored(env, *values, "new")
        assert bridge.metric("messages_duplicate_total") == 200
        bridge.stop()


@quick
def test_look_alikes_are_no_redelivery(env):
    """Same content again, identifiers used again, DUP of something that never came: all genuine, all stored."""
    for version in (4, 5):
        broker, bridge, session = scripted(env, version)
        session.send("t/x", "same", packet_id=1)
        session.wait("PUBACK", 1)
        session.send("t/x", "same", packet_id=2)          # another message with the same content
        session.wait("PUBACK", 2)
        session.send("t/x", "same", packet_id=1)          # the identifier is free again
        session.send("t/y", "last", packet_id=7)
        session.wait("PUBACK", 7)
        stored(env, "same", "same", "same", "last")
        session.drop()
        session = broker.accept()
        session.send("t/x", "never came", packet_id=9, duplicate=True)   # sent, yet lost on the way
        session.send("t/y", "other content", packet_id=7, duplicate=True)
        session.send("t/x", "same", packet_id=2)          # no DUP: a new message
        session.wait("PUBACK", 2)
        stored(env, "same", "same", "same", "last", "never came", "other content", "same")
        assert bridge.metric("messages_duplicate_total") == 0
        bridge.stop()


def test_redelivery_with_other_numbers(env):
    """RabbitMQ numbers the messages of each connection anew: A=1 … H=8, acknowledged 2 and 6, come again as A=1 C=2 D=3 …"""
    broker, bridge, session = scripted(env, 4)
    for packet_id, value in enumerate("ABCDEFGH", 1):
        session.send("t/x", value, packet_id=packet_id)
    session.wait("PUBACK", 8)
    session.drop()
    session = broker.accept()
    for packet_id, value in enumerate("ACDEGH", 1):
        session.send("t/x", value, packet_id=packet_id, duplicate=True)
    session.send("t/x", "I", packet_id=7, duplicate=True)  # was lost on the way
    session.send("t/x", "J", packet_id=8)
    session.wait("PUBACK", 8)
    stored(env, *"ABCDEFGHIJ")
    assert bridge.metric("messages_duplicate_total") == 6
    bridge.stop()


@quick
def test_repeats_on_the_same_connection(env):
    """EMQX 4.x repeats after 30 s what was not acknowledged, on the connection that it came on: each message is stored once."""
    for version in (4, 5):
        _, bridge, session = scripted(env, version)
        session.send("t/x", "one", packet_id=21)
        session.send("t/x", "two", packet_id=22)
        for _ in range(2):
            session.send("t/x", "one", packet_id=21, duplicate=True)
        session.send("t/x", "one", packet_id=23)          # another message with the same content
        session.send("t/x", "lost", packet_id=24, duplicate=True)
        session.wait("PUBACK", 24)
        stored(env, "one", "two", "one", "lost")
        assert session.received.count(("PUBACK", 21)) == 3, session.received
        assert bridge.metric("messages_duplicate_total") == 2
        assert bridge.metric("messages_unmarked_total") == 0
        bridge.stop()


@quick
def test_repeats_without_a_mark(env):
    """FlashMQ and aedes repeat without DUP: the same identifiers and contents, first thing after CONNACK; also over kill -9."""
    for version in (4, 5):
        broker, bridge, session = scripted(env, version)
        for packet_id in (1, 2, 3):
            session.send("t/x", str(packet_id), packet_id=packet_id)
        session.wait("PUBACK", 3)
        session.drop()
        session = broker.accept()
        for packet_id in (2, 3, 4):
            session.send("t/x", str(packet_id), packet_id=packet_id)
        session.wait("PUBACK", 4)
        stored(env, "1", "2", "3", "4")
        assert bridge.metric("messages_unmarked_total") == 2 == bridge.metric("messages_duplicate_total")
        bridge.wait_log("repeats messages without marking them")
        bridge.kill9()
        bridge.start(ready=False)
        session = broker.accept()
        for packet_id in (3, 4, 5):
            session.send("t/x", str(packet_id), packet_id=packet_id)
        session.wait("PUBACK", 5)
        stored(env, "1", "2", "3", "4", "5")
        bridge.stop()


def test_marked_repeats_are_remembered_over_a_kill(env):
    """A broker that has set DUP in its session is known for it behind kill -9: what equals an older delivery and has no DUP is new."""
    broker, bridge, session = scripted(env, 5)
    for packet_id in (7, 8):
        session.send("t/x", "same", packet_id=packet_id)
    session.wait("PUBACK", 8)
    session.drop()
    session = broker.accept()
    session.send("t/x", "same", packet_id=8, duplicate=True)
    session.wait("PUBACK", 8)
    path = os.path.join(bridge.sections["journal"]["directory"], "session")
    env.wait(lambda: "marks_repeats" in open(path).read(), 10, lambda: open(path).read())
    bridge.kill9()
    bridge.start(ready=False)
    session = broker.accept()
    session.send("t/x", "same", packet_id=7)
    session.wait("PUBACK", 7)
    stored(env, "same", "same", "same")
    bridge.kill9()
    broker.session_present = False  # perhaps another broker: nothing is known of it
    bridge.start(ready=False)
    broker.accept()
    env.wait(lambda: "marks_repeats" not in open(path).read(), 10, lambda: open(path).read())
    bridge.stop()


def test_emqx_after_a_takeover(env):
    """The session of a killed bridge is taken over: EMQX repeats with DUP what is open, then sends what waits, and from 5.9 on some of
    that once more with new identifiers. Nobody can tell these from new messages; with a key and on_conflict = "nothing" each is stored once."""
    env.sql("create table got (id int generated always as identity, v text); create table once (v text primary key)")
    broker = env.scripted_broker()
    rule = '{ name = "%s"; topic = "t/#"; format = "text"; table = "%s"; columns = { v = "$"; }; %s }'
    bridge = env.bridge(rule % ("got", "got", "") + ", " + rule % ("once", "once", 'key = ("v"); on_conflict = "nothing";'),
                        broker={"url": broker.url, "status_topic": ""})
    session = broker.accept()
    for packet_id in (1, 2, 3):
        session.send("t/x", str(packet_id), packet_id=packet_id)
    session.wait("PUBACK", 3)
    broker.session_present = True
    bridge.kill9()
    bridge.start(ready=False)
    session = broker.accept()
    for packet_id, value in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 4), (7, 6)):
        session.send("t/x", str(value), packet_id=packet_id, duplicate=packet_id <= 3)
    session.wait("PUBACK", 7)
    stored(env, "1", "2", "3", "4", "5", "4", "6")
    env.wait(lambda: env.sql("select v from once order by v") == [(str(n),) for n in range(1, 7)], 10, lambda: env.sql("select v from once"))
    assert bridge.metric("messages_duplicate_total") == 3
    bridge.check_books()


def test_repeats_of_two_brokers_after_kill(env):
    """Two brokers that are no cluster and give the same identifiers: the journal knows after kill -9 which one a message came from."""
    first, bridge, session = scripted(env, 5)
    second = env.scripted_broker()
    second.refuse = lambda session: 0x88
    bridge.stop()
    bridge.configure(broker={"url": [first.url, second.url]})
    bridge.start(ready=False)
    for broker, other, letter in ((first, second, "a"), (second, first, "b")):
        broker.refuse, other.refuse = (lambda session: 0), (lambda session: 0x88)
        if broker is second:
            session.drop()
        session = broker.accept()
        session.wait("SUBSCRIBE" if broker is second else "CONNECT")
        broker.session_present = True
        for packet_id in (1, 2, 3):
            session.send("t/x", f"{letter}{packet_id}", packet_id=packet_id)
        session.wait("PUBACK", 3)
    bridge.kill9()
    bridge.start(ready=False)
    for broker, other, letter in ((second, first, "b"), (first, second, "a")):
        broker.refuse, other.refuse = (lambda session: 0), (lambda session: 0x88)
        if broker is first:
            session.drop()
        session = broker.accept(30)
        for packet_id in (2, 3):
            session.send("t/x", f"{letter}{packet_id}", packet_id=packet_id, duplicate=True)
        session.send("t/x", f"{letter}4", packet_id=4)
        session.wait("PUBACK", 4)
    stored(env, "a1", "a2", "a3", "b1", "b2", "b3", "b4", "a4")
    assert bridge.metric("messages_duplicate_total") == 4
    bridge.stop()


def test_broker_comes_back_with_an_older_session(env):
    """Mosquitto after kill -9: session present, and identifiers from half an hour ago: a gap tells of what it had queued since."""
    broker, bridge, session = scripted(env, 5)
    for packet_id in range(1, 21):
        session.send("t/x", str(packet_id), packet_id=packet_id)
    session.wait("PUBACK", 20)
    session.drop()
    session = broker.accept()
    session.send("t/x", "new", packet_id=8)
    session.wait("PUBACK", 8)
    stored(env, *[str(n) for n in range(1, 21)], "new")
    bridge.wait_log("broker came back with an older session")
    env.wait(lambda: env.sql("select cause from mqtt2pg.gap") == [("broker session perhaps lost",)], 10, "no gap")
    bridge.stop()


def test_mosquitto_restarts_without_a_gap(env):
    """A restart of Mosquitto in good order goes on with its packet identifiers: no gap; kill -9 brings an older session back, and a gap tells."""
    for version in ("5", "3.1.1"):
        broker = env.own_broker()
        broker.start()
        env.sql("drop table if exists numbered")
        make_numbered(env)
        bridge = env.bridge(NUMBERED_RULE, broker={"protocol": version})
        count = 0

        def more(n):
            nonlocal count
            env.publish(numbered("a", count, n))  # pylint: disable=cell-var-from-loop
            count += n

        more(20)
        check_numbered(env, {"a": count})
        broker.restart()  # connected, nothing under way
        bridge.wait_ready()
        more(20)
        check_numbered(env, {"a": count})
        bridge.stop()
        more(20)
        broker.restart()  # some wait
        bridge.start()
        more(20)
        check_numbered(env, {"a": count})
        os.kill(bridge.pid, signal.SIGSTOP)
        more(60)
        bridge.kill9()
        broker.restart()  # some are under way, some wait
        bridge.start()
        more(20)
        check_numbered(env, {"a": count})
        assert "older session" not in bridge.log(), bridge.log()
        assert env.sql("select * from mqtt2pg.gap") == []

        os.kill(broker.process.pid, signal.SIGUSR1)  # Mosquitto saves its sessions
        more(20)
        check_numbered(env, {"a": count})
        broker.kill()
        broker.start()
        bridge.wait_ready()
        more(1)
        bridge.wait_log("older session")
        check_numbered(env, {"a": count})
        env.wait(lambda: env.sql("select cause from mqtt2pg.gap") == [("broker session perhaps lost",)], 10, "no gap")
        bridge.stop()
        env.sql("delete from mqtt2pg.gap")


def test_new_session_means_new_messages(env):
    """session present = 0: the broker has forgotten; what looks like a repeat is none."""
    broker, bridge, session = scripted(env, 5)
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    stored(env, "one")
    session.drop()
    broker.session_present = False
    session = broker.accept()
    session.wait("SUBSCRIBE")
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    stored(env, "one", "one")
    env.wait(lambda: env.one("select count(*) from mqtt2pg.gap") == 1, 15, "the lost session is no row in mqtt2pg.gap")
    # Of a third session the first delivery got lost on its way: the repeat is the first that comes of it.
    session.drop()
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.session_present = True
    session.drop()
    session = broker.accept()
    session.send("t/x", "one", packet_id=1, duplicate=True)
    session.wait("PUBACK", 1)
    stored(env, "one", "one", "one")
    bridge.stop()


def test_session_present_subscribes_nothing_again(env):
    broker, bridge, session = scripted(env, 5)
    session.drop()
    session = broker.accept()
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    assert not [item for item in session.received if item[0] in ("SUBSCRIBE", "UNSUBSCRIBE")], session.received
    bridge.stop()


def test_limits_are_told_for_a_new_session(env):
    """The hint on the broker's limits comes with a new session only: whoever restarts the service has read it."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    bridge.wait_log("only within its own limits")
    bridge.restart()
    bridge.wait_log("session=resumed")
    assert bridge.log().count("only within its own limits") == 1


@quick
def test_exactly_once_with_qos2(env):
    """MQTT 5, QoS 2: repeats of PUBLISH before PUBREC, PUBREL after a new connection, kill -9 in between: one row each."""
    broker, bridge, session = scripted(env, 5, qos=2)
    session.send("t/x", "one", qos=2, packet_id=1)
    session.wait("PUBREC", 1)
    session.drop()
    session = broker.accept()
    session.pubrel(1)
    session.wait("PUBCOMP", 1)
    session.send("t/x", "two", qos=2, packet_id=2)
    session.wait("PUBREC", 2)
    session.drop()                                        # PUBREC got lost
    session = broker.accept()
    session.send("t/x", "two", qos=2, packet_id=2, duplicate=True)
    session.wait("PUBREC", 2)
    bridge.kill9()
    bridge.start(ready=False)
    session = broker.accept()
    session.send("t/x", "two", qos=2, packet_id=2, duplicate=True)
    session.wait("PUBREC", 2)
    session.pubrel(2)
    session.wait("PUBCOMP", 2)
    session.send("t/x", "three", qos=2, packet_id=3)
    session.wait("PUBREC", 3)
    session.pubrel(3)
    session.wait("PUBCOMP", 3)
    stored(env, "one", "two", "three")
    bridge.stop()


def test_session_parameters_on_the_wire(env):
    """CONNECT keeps the session: clean start 0, expiry as configured; never 0xFFFFFFFF, which Paho would turn into 255 seconds."""
    for text, seconds in (("7d", 7 * 86400), ("1h", 3600)):
        broker = env.scripted_broker()
        bridge = env.bridge('{ name = "r"; topic = "t"; format = "text"; table = "r"; columns = { v = "$"; }; }',
                            broker={"url": broker.url, "session_expiry": text, "receive_maximum": 77, "max_packet": "64KB",
                                    "keepalive": "33s"}, ready=False)
        session = broker.accept()
        assert (session.version, session.clean, session.keepalive) == (5, False, 33)
        found = session.properties
        assert b"\x11" + seconds.to_bytes(4, "big") in found, found.hex()
        assert b"\x21\0\x4d" in found and b"\x27\0\1\0\0" in found, found.hex()
        bridge.kill9()
