"""Subscriptions that a broker refuses: by SUBACK, by ending the connection, or by granting what it does not have.

SPDX-License-Identifier: MIT
"""

import re
import signal
import time

from env import limit
from scenes import stored

RULE = '{ name = "%s"; topic = "%s"; format = "text"; table = "got"; columns = { v = "$"; }; %s }'


def rules(topics, more=""):
    return ", ".join(RULE % (topic.replace("/", "_").replace("+", "x").replace("#", "y")[:60], topic, more) for topic in topics)


def begin(env, topics, version, more="", **broker_is):
    env.sql("drop table if exists got; create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    for name, value in broker_is.items():
        setattr(broker, name, value)
    bridge = env.bridge(rules(topics, more), broker={"url": broker.url, "protocol": version, "status_topic": ""}, ready=False)
    return broker, bridge


def open_session(broker):
    return [each for each in broker.clients if each.open][-1]


def test_broker_hangs_up_at_a_filter(env):
    """It is found, left out and named; the other rules are stored; after a reload it is tried again."""
    topics = [f"a{n}/+" for n in range(12)]
    for version in ("3.1.1", "5"):
        forbidden = {"a7/+", "a9/+"}
        broker, bridge = begin(env, topics, version, hangs_up_at=lambda session, name: name in forbidden, session_present=True)  # pylint: disable=cell-var-from-loop
        for name in ("a7/.", "a9/."):
            line = bridge.wait_log(f"broker ends the connection at a subscription.*{name}", 20)
            assert "ERROR" in line, line
        env.wait(lambda: broker.held == set(topics) - {"a7/+", "a9/+"}, 20, lambda: f"{version}: held {broker.held}")  # pylint: disable=cell-var-from-loop
        env.wait(lambda: "2 subscriptions refused" in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))  # pylint: disable=cell-var-from-loop
        assert len(broker.clients) <= 9, f"{version}: {len(broker.clients)} connections"
        session = open_session(broker)
        session.send("a1/x", "one", packet_id=1, **({"subscriptions": [session_identifier(broker, "a1/+")]} if version == "5" else {}))
        session.wait("PUBACK", 1)
        stored(env, "one")
        shown = env.cli("status", config=bridge).out
        assert re.search(r"^broker +connected .*2 subscriptions refused: a", shown, re.M), shown
        forbidden.clear()
        bridge.signal(signal.SIGHUP)
        env.wait(lambda: broker.held == set(topics), 20, lambda: f"{version}: held {broker.held} after a reload")  # pylint: disable=cell-var-from-loop
        bridge.wait_ready()
        bridge.stop()


def test_one_subscription_too_many(env):
    """A broker that takes eleven filters a session and hangs up at the twelfth: eleven are held and stored, one is left out and named."""
    topics = [f"a{n}/+" for n in range(12)]
    broker, bridge = begin(env, topics, "5", hangs_up_at=lambda session, name: len(session.broker.held | {name}) > 11, session_present=True)
    bridge.wait_log("broker ends the connection at a subscription", 20)
    env.wait(lambda: len(broker.held) == 11, 20, lambda: broker.held)
    env.wait(lambda: "1 subscription refused" in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))
    session = open_session(broker)
    session.send("a0/x", "one", packet_id=1, subscriptions=[session_identifier(broker, "a0/+")])
    session.wait("PUBACK", 1)
    stored(env, "one")
    bridge.stop()


@limit(90)
def test_reload_at_the_limit_of_subscriptions(env):
    """A broker that takes twelve filters a session, all of them held: after a reload that changes two of them the old ones are given back
    although the new one is left out, and then it is granted. Nobody blames a second bridge for the hang-ups, also of filters never granted."""
    topics, never = [f"a{n}/+" for n in range(12)], ["y/+", "z/+"]
    broker, bridge = begin(env, topics, "3.1.1", hangs_up_at=lambda session, name: name in never or len(session.broker.held | {name}) > 12, session_present=True)
    bridge.wait_ready()
    bridge.configure(rules(topics[2:] + ["b/+"] + never))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: broker.held == {*topics[2:], "b/+"}, 40, lambda: f"held {broker.held}")
    env.wait(lambda: all(len(re.findall(f"at a subscription.*{name[0]}/", bridge.log())) == 2 for name in never), 40, "they are not tried again")
    assert "same client_id" not in bridge.log(), bridge.log()
    bridge.stop()


def session_identifier(broker, name):
    """The subscription identifier that the filter was asked with, on whatever connection."""
    return next(each.identifiers[name] for each in reversed(broker.clients) if name in each.identifiers)


def test_packets_are_small(env):
    """Sixty filters: at most eight in one SUBSCRIBE or UNSUBSCRIBE, as AWS IoT wants it."""
    for version in ("3.1.1", "5"):
        broker, bridge = begin(env, [f"a{n}/+" for n in range(60)], version)
        bridge.wait_ready()
        session = open_session(broker)
        sizes = [len(value) for name, value in session.received if name == "SUBSCRIBE"]
        assert sum(sizes) == 60 and max(sizes) <= 8, sizes
        bridge.configure(rules(["b/+"]))
        bridge.signal(signal.SIGHUP)
        session.wait("UNSUBSCRIBE")
        env.wait(lambda: session.count_unsubscribed() == 60, 10, lambda: session.count_unsubscribed())  # pylint: disable=cell-var-from-loop
        assert max(session.unsubscribed) <= 8, session.unsubscribed
        bridge.stop()


LEVELS_MAX, BYTES_MAX = 8, 256  # AWS IoT: seven slashes
DEEP, LONG = "d/1/2/3/4/5/6/7/8", "l/" + "x" * 300


def is_beyond(session, name):
    return name.count("/") >= LEVELS_MAX or len(name) > BYTES_MAX


def test_too_many_levels_and_too_long(env):
    """A broker that hangs up at a filter beyond its limits, at SUBSCRIBE and at UNSUBSCRIBE: it is left out and named, and whoever
    takes it out of the rules, by a reload or behind a restart, gets a session that stays."""
    for version, beyond, by_restart in (("3.1.1", DEEP, False), ("5", LONG, True)):
        broker, bridge = begin(env, ["a/+", "b/+", beyond], version, hangs_up_at=is_beyond, hangs_up_at_leaving=is_beyond, session_present=True)
        assert "ERROR" in bridge.wait_log(f"broker ends the connection at a subscription.*{beyond[:40]}", 20)
        env.wait(lambda: "1 subscription refused" in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))  # pylint: disable=cell-var-from-loop
        assert broker.held == {"a/+", "b/+"}, broker.held
        send(env, broker, version, "a/+", "one")
        bridge.configure(rules(["a/+", "c/+"]))
        if by_restart:
            bridge.restart(ready=False)
        else:
            bridge.signal(signal.SIGHUP)
        assert "ERROR" in bridge.wait_log(f"broker ends the connection at an unsubscription.*{beyond[:40]}", 20)
        env.wait(lambda: broker.held == {"a/+", "c/+"}, 10, lambda: broker.held)  # pylint: disable=cell-var-from-loop
        bridge.wait_ready()
        send(env, broker, version, "c/+", "one", "two")
        connections = len(broker.clients)
        bridge.restart()
        assert len(broker.clients) == connections + 1, "it asks again"
        assert bridge.log().count("at an unsubscription") == 1, bridge.log()
        bridge.stop()


def test_reload_while_the_broker_is_away(env):
    """As after any reload, a filter that was left out is tried again at once, although there was no connection to tell."""
    forbidden, asked = {"b/+"}, []
    broker, bridge = begin(env, ["a/+", "b/+"], "3.1.1", hangs_up_at=lambda session, name: name in forbidden, session_present=True)
    env.wait(lambda: asked.append(time.monotonic()) or "1 subscription refused" in bridge.get("/readyz").out, 20, lambda: bridge.get("/readyz"))
    broker.refuse = lambda session: 3
    open_session(broker).drop()
    connections = len(broker.clients)
    env.wait(lambda: len(broker.clients) > connections, 10, lambda: broker.clients)
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    forbidden.clear()
    broker.refuse = lambda session: 0
    bridge.wait_ready(20)
    assert broker.held == {"a/+", "b/+"}, broker.held
    took = time.monotonic() - [0, *asked][-2]  # since it was not left out yet: it is tried after 10 s anyway
    assert took > 10 or "the subscription that was left out" not in bridge.log(), "it was tried when its time had come"
    bridge.stop()


def send(env, broker, version, name, *values):
    """The last of the values comes by this subscription; then all of them are stored."""
    session = open_session(broker)
    session.send(name.replace("+", "x"), values[-1], packet_id=len(values), **({"subscriptions": [session_identifier(broker, name)]} if version == "5" else {}))
    session.wait("PUBACK", len(values))
    stored(env, *values)


def test_no_shared_subscriptions(env):
    """RabbitMQ 4 says in CONNACK that it has none and grants them all the same: refused, not ready; no word where no rule shares."""
    broker, bridge = begin(env, ["t/+"], "5", 'share = "g";', properties=b"\x2a\x00")
    line = bridge.wait_log("broker refused a subscription.*share/g/t/")
    assert "no shared subscriptions" in line, line
    assert bridge.get("/readyz").code == 503
    assert not broker.held
    bridge.stop()
    broker, bridge = begin(env, ["t/+"], "5", properties=b"\x2a\x00")
    bridge.wait_ready()
    assert "WARN" not in bridge.log() and "ERROR" not in bridge.log(), bridge.log()


def test_taken_over_during_subscribe(env):
    """Another client with the same id ends each connection while the filter is not answered: the filter is not to blame, and is not left out."""
    broker, bridge = begin(env, ["t/+"], "5", mute=True)
    for _ in range(3):
        session = broker.accept()
        session.wait("SUBSCRIBE")
        session.dismiss(0x8E)
    broker.mute = False
    bridge.wait_ready(30)
    assert "ends the connection at a subscription" not in bridge.log(), bridge.log()
    assert broker.held == {"t/+"}
    bridge.stop()


def test_connection_ends_during_subscribe(env):
    """Nobody refused anything: no such word, and the next connection subscribes what was not answered."""
    broker, bridge = begin(env, ["t/+"], "5", mute=True)
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.mute = False
    session.drop()
    bridge.wait_ready(20)
    assert "refused a subscription" not in bridge.log(), bridge.log()
    assert broker.held == {"t/+"}


def test_old_filter_stays_while_the_new_one_is_left_out(env):
    """A reload changes the only filter, and every SUBSCRIBE of the new one is cut: the session keeps the old one until a retry is granted."""
    cut = {"old/#"}
    broker, bridge = begin(env, ["old/+"], "3.1.1", hangs_up_at=lambda session, name: name in cut, session_present=True)
    bridge.wait_ready()
    bridge.configure(rules(["old/#"]))
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("broker ends the connection at a subscription.*old/#", 20)
    env.wait(lambda: "subscription refused" in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))
    assert sum(each.count_unsubscribed() for each in broker.clients) == 0
    cut.clear()
    bridge.wait_log("broker grants the subscription that was left out.*old/#", 20)
    env.wait(lambda: open_session(broker).count_unsubscribed() == 1, 10, lambda: open_session(broker).unsubscribed)
    bridge.wait_ready()


def test_held_filter_is_never_left_out(env):
    """The session holds it: however often its SUBSCRIBE for another qos is cut, it is subscribed again."""
    cut = set()
    broker, bridge = begin(env, ["t/+"], "3.1.1", "qos = 1;", hangs_up_at=lambda session, name: name in cut, session_present=True)
    bridge.wait_ready()
    cut.add("t/+")
    before = len(broker.clients)
    bridge.configure(rules(["t/+"], "qos = 0;"))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: len(broker.clients) >= before + 5, 20, lambda: len(broker.clients))
    cut.clear()
    bridge.wait_ready(20)
    assert "broker ends the connection at a subscription" not in bridge.log(), bridge.log()
