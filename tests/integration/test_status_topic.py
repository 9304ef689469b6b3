"""Brokers that do not allow the status topic: the service goes on without it, and says its name.

SPDX-License-Identifier: MIT
"""

from scenes import stored
from scripted_broker import HANG_UP

RULE = '{ name = "got"; topic = "t/#"; format = "text"; table = "got"; columns = { v = "$"; }; }'

# What the broker does about the status topic, for which versions, and how many connections that may cost.
CASES = (
    ("CONNACK retain not supported", (5,), {"refuse": lambda session: 0x9a if session.will else 0}, 2),
    ("CONNACK qos not supported", (5,), {"refuse": lambda session: 0x9b if session.will else 0}, 2),
    ("CONNACK not authorized", (4, 5), {"refuse": lambda session: (5 if session.version == 4 else 0x87) if session.will else 0}, 2),
    ("hangs up on CONNECT with a will", (4, 5), {"refuse": lambda session: HANG_UP if session.will else 0}, 3),
    ("DISCONNECT not authorized on PUBLISH", (5,), {"ends_at": lambda topic: 0x87 if topic.endswith("/status") else False}, 2),
    ("hangs up on PUBLISH", (4, 5), {"ends_at": lambda topic: topic.endswith("/status")}, 4),
    ("PUBACK not authorized", (5,), {"puback": lambda topic: 0x87 if topic.endswith("/status") else 0}, 1),
)


def test_forbidden_status_topic(env):
    """Whatever way a broker forbids it: given up after a few connections, named in the log and on the page; messages are stored."""
    for name, versions, behaviour, connections in CASES:
        for version in versions:
            env.sql("drop table if exists got; create table got (id int generated always as identity, v text)")
            broker = env.scripted_broker()
            for member, does in behaviour.items():
                setattr(broker, member, does)
            broker.session_present = False
            bridge = env.bridge(RULE, broker={"url": broker.url, "protocol": "5" if version == 5 else "3.1.1"}, ready=False)
            line = bridge.wait_log("broker does not allow the status topic", 20)
            assert "ERROR" in line and bridge.client_id in line, f"{name}, {version}: {line}"
            bridge.wait_ready()
            session = [each for each in broker.clients if each.open][-1]
            session.send("t/x", "one", packet_id=1)
            session.wait("PUBACK", 1)
            stored(env, "one")
            assert "status_topic" in bridge.get("/status.json").json["health"]["broker"]["text"], f"{name}: {bridge.get('/status.json')}"
            assert len(broker.clients) == connections, f"{name}, {version}: {len(broker.clients)} connections"
            assert "again and again" not in bridge.log() and "client_id?" not in bridge.log(), f"{name}: {bridge.log()}"
            bridge.stop()


def test_status_topic_is_not_to_blame(env):
    """Wrong credentials: tried once without the status topic, which is there again when somebody mends them."""
    broker = env.scripted_broker()
    allowed = False
    broker.refuse = lambda session: 0 if allowed else 0x87
    env.sql("create table got (id int generated always as identity, v text)")
    bridge = env.bridge(RULE, broker={"url": broker.url}, ready=False)
    bridge.wait_log("broker refused the connection: not authorized .user name and password right")
    env.wait(lambda: len(broker.clients) == 2, 10, "it did not try without the status topic")
    assert [each.will for each in broker.clients] == [True, False]
    allowed = True
    bridge.wait_ready(30)
    session = broker.accept()
    env.wait(lambda: (f"mqtt2pg/{bridge.client_id}/status", b"online") in session.published, 10, lambda: session.published)
    assert session.will and "does not allow" not in bridge.log()


def test_own_status_is_no_message(env):
    """A rule for "#" does not store what the bridge says of itself; one that names the topic does."""
    env.own_broker().start()
    env.sql("create table got (topic text, v text)")
    rule = '{ name = "got"; topic = "%s"; format = "text"; table = "got"; columns = { topic = "@topic"; v = "$"; }; }'
    bridge = env.bridge(rule % "#")
    bridge.restart()
    env.publish([("~/x", "1")])
    env.wait_rows("got", 1)
    bridge.check_books()
    assert env.sql("select topic, v from got") == [(env.topic("~/x"), "1")]
    bridge.configure(rule % f"mqtt2pg/{bridge.client_id}/#")
    bridge.restart()
    env.wait(lambda: ("online",) in env.sql("select v from got"), 15)
