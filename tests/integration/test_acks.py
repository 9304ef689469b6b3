"""Acknowledgments: after the row, at least once, with the fields and to the topic that the rule says.

SPDX-License-Identifier: MIT
"""

import datetime
import glob
import json
import os
import re
import signal
import sys
import threading
import time

import mqtt_raw
from bridge import wait_time
from env import ROOT, Skip, limit, quick

sys.path.append(os.path.join(ROOT, "tests", "chaos"))

from disks import make_disk  # noqa: E402

RULE = """{ name = "reading"; topic = "~/devices/{device}/telemetry"; table = "reading"; qos = 1;
  columns = { device = "{device}"; id = "$.id | required"; v = "$.v"; };
  ack: { topic = "%s"; qos = 1; %s
         fields = { status = "@status"; id = "$.id"; device = "{device}"; at = "@stored_at"; reason = "@reason"; rows = "@rows";
                    state = "@sqlstate"; }; }; }"""
TABLE = "create table reading (device text, id bigint, v double precision check (v < 1000))"
TO_CAPTURE = "~/devices/{device}/ack"
# The acknowledgment goes to a topic of twice as many levels. Mosquitto ends the connection of a client that publishes to more than 200
# levels; it takes a message for TOO_DEEP, but not its acknowledgment. (Mosquitto 2.0.21 also refuses such a response_topic.)
DEEP_RULE = (RULE % ("~/answers/{rest}/{rest}", "")).replace("/telemetry", "/{rest...}")
TOO_DEEP = "a/" * 120 + "a"


def by_id(inbox):
    return {ack["id"]: ack for ack in (json.loads(text) for text in list(inbox.payloads))}


@quick
def test_stored_and_rejected(env):
    env.sql(TABLE)
    inbox = env.subscribe("~/devices/+/ack")
    bridge = env.bridge(RULE % (TO_CAPTURE, ""))
    env.publish([("~/devices/d1/telemetry", '{"id": 1, "v": 1.5}'), ("~/devices/d2/telemetry", '{"id": 2, "v": "warm"}'),
                 ("~/devices/d3/telemetry", '{"id": 3, "v": 5000}'), ("~/devices/d4/telemetry", '{"v": 1}')])
    inbox.wait(4)
    acks = by_id(inbox)
    assert {message.topic for message in inbox.messages} == {env.topic(f"~/devices/d{n}/ack") for n in range(1, 5)}
    assert (acks[1]["status"], acks[1]["device"], acks[1]["rows"], acks[1]["reason"]) == ("stored", "d1", 1, None), acks[1]
    at = datetime.datetime.fromisoformat(acks[1]["at"].replace("Z", "+00:00"))
    assert abs((at - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60
    assert acks[2]["status"] == "rejected" and "warm" in acks[2]["reason"] and "v" in acks[2]["reason"], acks[2]
    assert acks[3]["status"] == "rejected" and acks[3]["state"] == "23514", acks[3]
    assert acks[None]["status"] == "rejected" and "id" in acks[None]["reason"], acks[None]
    bridge.check_books()
    for status, count in (("stored", 1), ("rejected", 3)):
        env.wait(lambda s=status, c=count: bridge.metric("acks_published_total", rule="reading", status=s) == c, 5, f"{status}: not counted")
    env.wait(lambda: bridge.metric("acks_waiting") == 0, 5, "still waiting")


def connections(env, bridge, port=None):
    """How many connections to the broker the bridge's process has."""
    sockets = set()
    if not os.access(f"/proc/{bridge.pid}/fd", os.R_OK):
        raise Skip("the bridge closes its /proc entries to everybody but root")
    for name in os.listdir(f"/proc/{bridge.pid}/fd"):
        try:
            sockets.add(os.readlink(f"/proc/{bridge.pid}/fd/{name}").removeprefix("socket:[").rstrip("]"))
        except OSError:
            pass  # closed meanwhile
    with open(f"/proc/{bridge.pid}/net/tcp") as file:
        lines = [line.split() for line in file][1:]
    return sum(line[9] in sockets and line[2].endswith(f":{port or env.broker.port:04X}") and line[3] == "01" for line in lines)


def ack_delay(env, inbox, number):
    """Seconds from when the row can be seen to the acknowledgment."""
    env.publish([("~/devices/d/telemetry", f'{{"id": {number}, "v": 1}}')])
    env.wait(lambda: env.one("select count(*) from reading where id = %s", number) == 1, 15, "not stored")
    stored = time.monotonic()
    env.wait(lambda: number in by_id(inbox), 15, "not acknowledged")
    return time.monotonic() - stored


def test_first_is_soon(env):
    """The connection is there before the first acknowledgment: at the start, after a reload that brings the first rule with one, and after a
    restart of the broker. Made on first use it takes Paho two seconds."""
    env.sql(TABLE)
    env.own_broker().start()
    inbox = env.subscribe("~/devices/+/ack")
    soon = 1.7 * env.patience
    bridge = env.bridge(RULE % (TO_CAPTURE, ""))
    delay = ack_delay(env, inbox, 1)
    assert delay < soon, f"{delay} s after the start"

    bridge.stop()
    plain = re.sub(r"ack: .*?; }; };", "", bridge.rules, flags=re.S)
    with_ack, bridge.rules = bridge.rules, plain
    bridge.configure().start()
    assert connections(env, bridge) == 1, "a connection that nobody needs"
    bridge.rules = with_ack
    bridge.configure().signal(signal.SIGHUP)
    env.wait(lambda: connections(env, bridge) == 2, 15, "no connection after the reload")
    delay = ack_delay(env, inbox, 2)
    assert delay < soon, f"{delay} s after the reload"

    env.broker.end(9)
    env.wait(lambda: connections(env, bridge) == 0, 15, "the broker's end is not noticed")
    env.broker.start()
    env.wait(lambda: connections(env, bridge) == 2, 30, "no connection after the broker's restart")
    inbox = env.subscribe("~/devices/+/ack")
    delay = ack_delay(env, inbox, 3)
    assert delay < soon, f"{delay} s after the broker's restart"


@quick
def test_only_what_on_says(env):
    env.sql(TABLE)
    inbox = env.subscribe("~/devices/+/ack")
    env.bridge(RULE % (TO_CAPTURE, 'on = ("rejected");'))
    env.publish([("~/devices/d/telemetry", '{"id": 1, "v": 1}'), ("~/devices/d/telemetry", '{"id": 2, "v": "x"}'),
                 ("~/devices/d/telemetry", '{"id": 3, "v": 3}'), ("~/devices/d/telemetry", '{"id": 4, "v": "x"}')])
    inbox.wait(2)
    env.wait_rows("reading", 2)
    assert sorted(by_id(inbox)) == [2, 4]


@quick
def test_response_topic_and_correlation(env):
    """MQTT 5 request and answer; a request without a response topic gets none, and is stored all the same."""
    env.sql(TABLE)
    inbox = env.subscribe("~/answers/#")
    env.bridge(RULE % ("@response_topic", ""))
    env.publish([("~/devices/d/telemetry", '{"id": 0}'),
                 ("~/devices/d/telemetry", '{"id": 1}', 1, {"response_topic": env.topic("~/answers/me"),
                                                             "correlation_data": b"\0\xffnumber one"}),
                 ("~/devices/d/telemetry", '{"id": "two"}', 1, {"response_topic": env.topic("~/answers/you"),
                                                                 "correlation_data": b"2"})])
    inbox.wait(2)
    env.wait_rows("reading", 2)
    answers = {message.topic: message for message in inbox.messages}
    assert answers[env.topic("~/answers/me")].properties.CorrelationData == b"\0\xffnumber one"
    assert json.loads(answers[env.topic("~/answers/me")].payload)["status"] == "stored"
    assert answers[env.topic("~/answers/you")].properties.CorrelationData == b"2"
    assert json.loads(answers[env.topic("~/answers/you")].payload)["status"] == "rejected"


@limit(120)
def test_topic_that_ends_the_connection(env):
    """A device chooses where the answer goes, and Mosquitto ends the connection of who publishes to a topic of more than 200 levels:
    this one answer does not stand in the way of all others, also over kill -9."""
    env.sql(TABLE)
    inbox = env.subscribe("~/answers/#")
    bridge = env.bridge(DEEP_RULE)
    env.publish([("~/devices/d/" + (TOO_DEEP if n == 2 else "me"), '{"id": %d}' % n, 1) for n in range(5)])
    env.wait_rows("reading", 5)
    env.wait(lambda: set(by_id(inbox)) == {0, 1, 3, 4}, 40, lambda: f"only {sorted(by_id(inbox))} were acknowledged")
    assert bridge.metric("acks_waiting") == 1
    bridge.kill9()
    bridge.start()
    env.publish([("~/devices/d/me", '{"id": 5}', 1)])
    env.wait(lambda: 5 in by_id(inbox), 40, "it stands in the way after kill -9")
    assert "ERROR" in bridge.wait_log("an acknowledgment is given up", 40)
    env.wait(lambda: bridge.metric("acks_waiting") == 0, 5, "still waiting")


@limit(120)
def test_many_topics_that_end_the_connection(env):
    """Among 140 honest requests 70 whose answers end the connection, more than may stand aside: each honest one is answered, the
    others are given up, and storing goes on."""
    env.sql(TABLE)
    inbox = env.subscribe("~/answers/#")
    bridge = env.bridge(DEEP_RULE)
    env.publish([("~/devices/d/" + (TOO_DEEP if n % 3 == 2 else "me"), '{"id": %d}' % n, 1) for n in range(210)])
    env.wait_rows("reading", 210)
    env.wait(lambda: set(by_id(inbox)) == {n for n in range(210) if n % 3 != 2}, 60, lambda: f"{len(by_id(inbox))} of 140")
    env.publish([("~/devices/d/me", '{"id": %d}' % n, 1) for n in range(300, 310)])
    env.wait(lambda: {*range(300, 310)} <= set(by_id(inbox)), 20, "new ones wait behind those")
    env.wait(lambda: bridge.metric("acks_waiting") == 0, 40, "still waiting")


@limit(120)
def test_deep_topics_do_not_slow_the_others(env):
    """At a broker 20 ms away, one answer of fifty ends the connection: the honest ones still go out many at a time."""
    env.sql(TABLE)
    inbox = env.subscribe("~/answers/#")
    far = env.proxy(env.broker.port)
    far.delay = 0.01
    bridge = env.bridge(DEEP_RULE, broker={"url": f"mqtt://127.0.0.1:{far.port}"})
    start = time.monotonic()
    env.publish([("~/devices/d/" + (TOO_DEEP if n % 50 == 10 else "me"), '{"id": %d}' % n, 1) for n in range(2000)])
    env.wait(lambda: set(by_id(inbox)) == {n for n in range(2000) if n % 50 != 10}, 100, lambda: f"{len(by_id(inbox))} of 1960")
    took = time.monotonic() - start
    assert took < 30 * env.patience, f"took {took:.1f} s: one at a time needs 40 s and more"
    env.wait(lambda: bridge.metric("acks_waiting") == 0 or env.publish([("~/devices/d/me", '{"id": -1}', 1)]),
             30, "still waiting")


def scripted_acks(env, broker, qos=1, status=""):
    env.sql("create table got (v text)")
    bridge = env.bridge("""{ name = "got"; topic = "t/{x}"; format = "text"; table = "got"; columns = { v = "$"; };
                             ack: { topic = "ack/{x}"; qos = %d; fields = { v = "$"; }; }; }""" % qos,
                        broker={"url": broker.url, "status_topic": status}, ready=False)
    session = broker.accept()
    session.wait("SUBSCRIBE")
    return bridge, session


def acknowledged(broker):
    return {topic for session in list(broker.all) for topic, _ in list(session.published)}


@limit(120)
def test_connection_that_ends_by_chance(env):
    """Connections that end three times where one acknowledgment is published: it is not the cause, and goes out; of one that always ends
    them nobody else takes harm."""
    broker = env.scripted_broker()
    chances = [True, True, True]  # among a thousand, alone, set aside
    broker.ends_at = lambda topic: topic == "ack/never" or topic == "ack/chance" and bool(chances) and chances.pop()
    bridge, session = scripted_acks(env, broker)
    for number, name in enumerate(("a", "chance", "b", "never", "c"), 1):
        session.send("t/" + name, name, packet_id=number)
    env.wait(lambda: acknowledged(broker) == {"ack/a", "ack/b", "ack/c", "ack/chance"}, 60, lambda: str(acknowledged(broker)))
    assert "ack/never" in bridge.wait_log("an acknowledgment is given up", 40)
    assert bridge.log().count("is given up") == 1 and not chances
    env.wait(lambda: bridge.metric("acks_waiting") == 0, 5, "still waiting")


@limit(120)
def test_connection_that_ends_at_any_of_them(env):
    """A broker that has none of them may have them tomorrow: none is given up."""
    broker = env.scripted_broker()
    ended = []
    broker.ends_at = lambda topic: ended.append(topic) is None
    bridge, session = scripted_acks(env, broker)
    session.send("t/x", "x", packet_id=1)
    env.wait(lambda: len(ended) >= 5, 60, lambda: f"tried {ended}")
    assert bridge.metric("acks_waiting") == 1
    broker.ends_at = lambda topic: False
    env.wait(lambda: acknowledged(broker) == {"ack/x"}, 40, lambda: str(acknowledged(broker)))
    assert "given up" not in bridge.log()


def test_refused_publication_is_named(env):
    """PUBACK or PUBREC of the broker refuses an acknowledgment or the status: the log says which topic and why, and nothing waits for it."""
    for topic, qos, code, words in (("ack/x", 1, 0x87, "not authorized"), ("ack/x", 2, 0x90, "topic name invalid"), ("status/x", 1, 0x99, "payload format")):
        env.sql("drop table if exists got")
        broker = env.scripted_broker()
        broker.puback = lambda name: code if name == topic else 0  # pylint: disable=cell-var-from-loop
        bridge, session = scripted_acks(env, broker, qos=qos, status="status/x")
        session.send("t/x", "x", packet_id=1)
        line = bridge.wait_log("broker refused a publication").lower()
        assert f"topic={topic}" in line and words in line and "password" not in line, line
        env.wait(lambda: bridge.metric("rows_stored_total", rule="got") == 1 and bridge.metric("acks_waiting") == 0, 10, "it waits")  # pylint: disable=cell-var-from-loop
        bridge.stop()


def test_to_the_broker_that_the_messages_come_from(env):
    """Of two brokers, both there, both connections to the first one break: the acknowledgments go there where the messages come from."""
    env.sql(TABLE)
    other = env.own_broker().start()
    first = env.own_broker().start()  # the test's own clients go there
    proxy = env.proxy(first.port)
    bridge = env.bridge(RULE % (TO_CAPTURE, ""), broker={"url": [f"mqtt://127.0.0.1:{proxy.port}", other.url]})
    inbox = env.subscribe("~/devices/+/ack")
    for turn in range(3):
        env.publish([("~/devices/d/telemetry", '{"id": %d}' % turn)])
        env.wait(lambda t=turn: t in by_id(inbox), 15, lambda t=turn: f"turn {t}: acknowledged to nobody")  # pylint: disable=cell-var-from-loop
        before = bridge.metric("broker_reconnects_total")
        proxy.cut()
        env.wait(lambda b=before: bridge.metric("broker_reconnects_total") > b, 15, "not connected again")  # pylint: disable=cell-var-from-loop


def test_follows_the_messages_to_another_broker(env):
    """The connection that receives goes to the other broker, the one for acknowledgments is not lost: it follows."""
    env.sql(TABLE)
    left = env.own_broker().start()
    there = env.own_broker().start()  # the test's own clients go there
    proxies = [env.proxy(left.port), env.proxy(there.port)]
    proxies[1].refusing = True
    bridge = env.bridge(RULE % (TO_CAPTURE, ""), broker={"url": [f"mqtt://127.0.0.1:{proxy.port}" for proxy in proxies]})
    inbox = env.subscribe("~/devices/+/ack")
    env.wait(lambda: connections(env, bridge, proxies[0].port) == 2, 10, "it has not two connections")
    proxies[0].refusing, proxies[1].refusing = True, False
    thief = mqtt_raw.Client("127.0.0.1", left.port, bridge.client_id, version=5, clean=False, expiry=60)
    env.closing.append(thief.close)
    env.wait(lambda: bridge.metric("broker_url") == 1 and bridge.metric("broker_connected") == 1, 30, "it has not gone to the other one")
    env.publish([("~/devices/d/telemetry", '{"id": 1}')])
    env.wait(lambda: 1 in by_id(inbox), 15, "acknowledged to nobody")


@quick
def test_retain_and_qos_0(env):
    env.sql(TABLE)
    bridge = env.bridge((RULE % (TO_CAPTURE, "retain = true;")).replace("qos = 1; retain", "qos = 0; retain"))
    env.publish([("~/devices/d/telemetry", '{"id": 1}')])
    env.wait(lambda: bridge.metric("acks_published_total", rule="reading", status="stored") == 1, 10, "not published")
    message = env.subscribe("~/devices/d/ack").wait(1)[0]
    assert message.retain and message.qos == 0 and json.loads(message.payload)["status"] == "stored"


@limit(120)
def test_never_before_the_row_is_visible(env):
    """At each acknowledgment its row is already there, seen from another connection."""
    env.sql(TABLE)
    env.sql("create index on reading (id)")
    early, lock = [], threading.Lock()
    connection = env.run.connect(env.database)

    def look(message):
        ack = json.loads(message.payload)
        with lock, connection.cursor() as cursor:
            cursor.execute("select count(*) from reading where id = %s", (ack["id"],))
            if cursor.fetchone()[0] != 1:
                early.append(ack)
    inbox = env.subscribe("~/devices/+/ack", on_message=look)
    env.bridge(RULE % (TO_CAPTURE, ""))
    env.publish((f"~/devices/d{n % 5}/telemetry", '{"id": %d, "v": 1}' % n) for n in range(3000))
    inbox.wait(3000, 60)
    assert not early, f"{len(early)} acknowledgments before their rows, such as {early[0]}"
    assert len(by_id(inbox)) == 3000
    connection.close()


@quick
def test_none_while_commit_is_under_way(env):
    """COMMIT is held up for a while: no acknowledgment leaves before it; then each does."""
    env.sql(TABLE)
    inbox = env.subscribe("~/devices/+/ack")
    env.bridge(RULE % (TO_CAPTURE, ""), faults="store.commit.before=delay:2000@1")
    env.publish([("~/devices/d/telemetry", '{"id": 1, "v": 1}'), ("~/devices/d/telemetry", '{"id": 2, "v": 2000}')])
    env.holds(lambda: not inbox.messages or env.one("select count(*) from reading") == 1, 3, "acknowledged before the commit")
    env.wait(lambda: set(by_id(inbox)) == {1, 2}, 10, "not acknowledged")


@quick
def test_none_for_a_commit_that_never_came_about(env):
    """The connection breaks before COMMIT reaches the server, and the next one takes a while: no acknowledgment before the row."""
    env.sql(TABLE)
    inbox = env.subscribe("~/devices/+/ack")
    bridge = env.bridge(RULE % (TO_CAPTURE, ""))
    bridge.stop()  # its tables are there: the first COMMIT below is the first message's, which warms up the publisher
    bridge.start(faults="pg.commit.before=fail@2,pg.connect=delay:2000@2")
    for number in (1, 2):
        env.publish([("~/devices/d/telemetry", '{"id": %d, "v": 1}' % number)])
        env.wait(lambda n=number: set(by_id(inbox)) == {1} or n == 2, 10, "not acknowledged")
    env.holds(lambda: 2 not in by_id(inbox) or env.one("select count(*) from reading") == 2, 1.5, "acknowledged before the commit")
    env.wait(lambda: set(by_id(inbox)) == {1, 2}, 10, "not acknowledged")
    env.wait_rows("reading", 2)
    assert bridge.metric("database_reconnects_total") == 1


@quick
def test_killed_between_commit_and_publishing(env):
    """kill -9 right after COMMIT: what it has stored and rejected is acknowledged by the next start."""
    env.sql(TABLE)
    inbox = env.subscribe("~/devices/+/ack")
    bridge = env.bridge(RULE % (TO_CAPTURE, ""), faults="store.commit.after=kill@1")
    env.publish([("~/devices/d/telemetry", '{"id": 1, "v": 1}')])
    assert bridge.wait(10) == -signal.SIGKILL
    assert env.one("select count(*) from reading") == 1 and not inbox.messages
    bridge.start()
    env.wait(lambda: set(by_id(inbox)) == {1}, 10, "what was stored is not acknowledged")


@limit(120)
def test_at_least_once_over_kill(env):
    """kill -9 again and again under load: each message is acknowledged at least once, each stored once."""
    env.sql(TABLE)
    inbox = env.subscribe("~/devices/+/ack")
    bridge = env.bridge(RULE % (TO_CAPTURE, ""), batch={"max_rows": 200})
    load = env.publish_in_background(((f"~/devices/d{n % 5}/telemetry", '{"id": %d, "v": %d}' % (n, 2000 if n % 100 == 50 else 1))
                                      for n in range(6000)), rate=1200)
    for _ in range(6):
        bridge.wait_ready()
        wait_time(0.25)
        bridge.kill9()
        bridge.launch()
    load.finish()
    env.wait_rows("reading", 5940, 60)
    env.wait(lambda: len(by_id(inbox)) == 6000, 30, lambda: f"{6000 - len(by_id(inbox))} messages have no acknowledgment")
    acks = by_id(inbox)
    assert all(ack["status"] == ("rejected" if number % 100 == 50 else "stored") for number, ack in acks.items())
    assert len(inbox.messages) < 12000, f"{len(inbox.messages)} acknowledgments for 6000 messages"


@limit(120)
def test_broker_away_while_the_database_works(env):
    """Messages wait in the journal, the broker dies; their rows come, and their acknowledgments when the broker is back."""
    env.sql(TABLE)
    broker = env.own_broker().start()
    proxy = env.proxy(broker.port)
    # The bridge goes through the proxy, the test does not.
    bridge = env.bridge(RULE % (TO_CAPTURE, ""), broker={"url": f"mqtt://127.0.0.1:{proxy.port}"})
    inbox = env.subscribe("~/devices/+/ack")
    env.postgres.stop()
    env.publish([(f"~/devices/d{n}/telemetry", '{"id": %d}' % n) for n in range(500)])
    env.wait(lambda: bridge.metric("journal_messages") == 500, 20, "not all in the journal")
    proxy.refusing = True
    proxy.cut()
    env.postgres.start()
    env.wait_rows("reading", 500)
    assert not inbox.messages
    # The rows can be seen before the bridge has PostgreSQL's word for it, and counts.
    env.wait(lambda: bridge.metric("acks_waiting") == 500, 15, lambda: f"{bridge.metric('acks_waiting'):.0f} acknowledgments wait")
    bridge.kill9()
    bridge.start(ready=False)
    env.wait(lambda: bridge.metric("acks_waiting") == 500, 15, "forgotten over kill -9")
    proxy.refusing = False
    env.wait(lambda: len(by_id(inbox)) == 500, 40, lambda: f"{len(by_id(inbox))} acknowledgments")
    env.wait(lambda: bridge.metric("acks_waiting") == 0, 10, "still waiting")


def test_several_rules_acknowledge_each(env):
    env.sql("create table a (n int); create table b (n int check (n < 5))")
    inbox = env.subscribe("~/ack/#")
    env.bridge("".join('{ name = "%s"; topic = "~/m"; table = "%s"; columns = { n = "$.n"; }; ack: { topic = "~/ack/%s"; '
                       'fields = { rule = "@rule"; status = "@status"; n = "$.n"; }; }; },' % (name, name, name) for name in "ab"))
    env.publish([("~/m", '{"n": 1}'), ("~/m", '{"n": 7}')])
    inbox.wait(4)
    assert sorted((ack["rule"], ack["n"], ack["status"]) for ack in map(json.loads, inbox.payloads)) == [
        ("a", 1, "stored"), ("a", 7, "stored"), ("b", 1, "stored"), ("b", 7, "rejected")]


def test_parked_is_acknowledged_when_stored(env):
    """A parked message is neither stored nor rejected: its acknowledgment comes once it is in the table."""
    inbox = env.subscribe("~/devices/+/ack")
    env.bridge(RULE % (TO_CAPTURE, ""))
    env.publish([("~/devices/d/telemetry", '{"id": %d}' % n) for n in range(5)])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 5, 15, "not parked")
    assert not inbox.messages
    env.sql(TABLE)
    inbox.wait(5, 40)
    assert {ack["status"] for ack in by_id(inbox).values()} == {"stored"}


# Between the rows and the last confirmation; in the order in which they are passed.
HEALING_POINTS = ("ack.file.written", "store.commit.before", "pg.commit.sent", "pg.commit.after", "store.commit.after",
                  "ack.publish.before", "ack.publish.after", "ack.file.deleted")


@limit(120)
def test_parked_is_acknowledged_over_kill(env):
    """Killed at each point while parked messages are stored: each stored once, acknowledged at least once, none before its row."""
    for point in HEALING_POINTS:
        inbox = env.subscribe("~/devices/+/ack")
        bridge = env.bridge(RULE % (TO_CAPTURE, ""), name="at-" + point)
        env.publish([("~/devices/d/telemetry", '{"id": %d}' % n) for n in range(50)])
        env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 50, 15, "not parked")
        bridge.wait_quiet()
        bridge.kill9()
        env.sql(TABLE)
        bridge.start(ready=False, faults=f"{point}=kill@1")
        assert bridge.wait(20) == -signal.SIGKILL, f"not killed at {point}"
        before = {ack["id"] for ack in by_id(inbox).values()}
        assert not before or env.one("select count(*) from reading") == 50, f"{point}: acknowledged before it was stored"
        bridge.start()
        env.wait_rows("reading", 50)
        env.wait(lambda i=inbox: len(by_id(i)) == 50, 20, lambda i=inbox, p=point: f"{p}: {50 - len(by_id(i))} have no acknowledgment")
        assert {ack["status"] for ack in by_id(inbox).values()} == {"stored"}
        assert env.dead_letters() == [] and env.one("select count(distinct id) from reading") == 50
        assert bridge.stop() == 0
        inbox.stop()
        env.sql("drop table reading")


def test_none_for_parked_that_was_rolled_back(env):
    """Killed when the acknowledgments of parked messages are written down and not committed: the next start throws them away."""
    inbox = env.subscribe("~/devices/+/ack")
    bridge = env.bridge(RULE % (TO_CAPTURE, ""))
    env.publish([("~/devices/d/telemetry", '{"id": %d}' % n) for n in range(1, 6)])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 5, 15, "not parked")
    bridge.wait_quiet()
    bridge.kill9()
    env.sql(TABLE)
    bridge.start(ready=False, faults="ack.file.written=kill@1")
    assert bridge.wait(20) == -signal.SIGKILL
    env.sql("alter table reading rename to away")
    bridge.start()
    env.wait(lambda: not glob.glob(bridge.journal + "/**/*.ack", recursive=True), 10, "the file is still there")
    env.publish([("~/devices/marker/ack", '{"id": 0}')])  # what was published before it is there before it
    inbox.wait(1, 10)
    assert set(by_id(inbox)) == {0}, "acknowledged, and not stored"
    env.sql("alter table away rename to reading")
    env.wait(lambda: set(by_id(inbox)) == set(range(6)), 20, "not acknowledged")
    assert env.one("select count(*) from reading") == 5


@quick
def test_retry_leaves_parked_messages_to_the_service(env):
    """`dead-letters retry` acknowledges nothing, so it does not take away what waits for its acknowledgment."""
    inbox = env.subscribe("~/devices/+/ack")
    bridge = env.bridge(RULE % (TO_CAPTURE, ""))
    env.publish([("~/devices/d/telemetry", '{"id": %d}' % n) for n in range(3)])
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 3, 15, "not parked")
    bridge.stop()
    env.sql(TABLE)
    retried = env.cli("dead-letters", "retry", config=bridge)
    assert retried.code == 0 and retried.out.startswith("0 dead letters"), retried
    number = env.one("select min(id) from mqtt2pg.dead_letter")
    single = env.cli("dead-letters", "retry", "--id", str(number), config=bridge)
    assert single.code == 1 and "service" in single.err, single
    bridge.start()
    inbox.wait(3)
    assert env.one("select count(*) from reading") == 3 and env.dead_letters() == []


@limit(120)
def test_journal_leaves_room_for_acknowledgments(env):
    """The journal's disk is smaller than max_size: it must not take the last of it, for a batch's acknowledgments stand there, too."""
    count = 10000
    disk = make_disk(os.path.join(env.folder, "bridge1", "journal"), small=True)
    env.closing.append(disk.close)
    if not disk.can_fill:
        raise Skip("a small disk can be mounted by root only")
    env.own_broker(max_inflight_messages="0").start()
    env.sql("create table reading (device text, id bigint, v double precision)")
    inbox = env.subscribe("~/devices/+/ack")
    bridge = env.bridge(RULE % (TO_CAPTURE, ""), broker={"url": env.broker.url}, journal={"keep": "0s", "max_size": "16MB"})
    env.postgres.stop()
    env.publish(("~/devices/d%d/telemetry" % (n % 5), '{"id": %d, "v": 1, "x": "%s"}' % (n, "x" * 700)) for n in range(count))
    env.wait(lambda: "journal" in bridge.get("/readyz").out, 20, lambda: f"not full: {bridge.get('/readyz')}")
    env.postgres.start()
    env.wait_rows("reading", count, 40)
    env.wait(lambda: len(by_id(inbox)) == count, 20, lambda: f"{count - len(by_id(inbox))} messages have no acknowledgment")
    bridge.check_books()


@limit(120)
def test_parked_letters_wait_for_the_broker_only(env):
    """A small journal's outbox is full again and again while a rule's parked letters are stored: on it goes as soon as the broker has
    taken enough."""
    count = 6000
    proxy = env.proxy(env.broker.port)
    inbox = env.subscribe("~/devices/+/ack")
    rule = RULE.replace("id = \"$.id\";", "id = \"$.id\"; x = \"$.x\";")
    assert rule != RULE
    bridge = env.bridge(rule % (TO_CAPTURE, ""), broker={"url": f"mqtt://127.0.0.1:{proxy.port}"},
                        journal={"max_size": "1MB", "keep": "0s"})
    for start in range(0, count, 500):
        env.publish(("~/devices/d%d/telemetry" % (n % 5), '{"id": %d, "v": 1, "x": "%s"}' % (n, "x" * 900)) for n in range(start, start + 500))
        env.wait(lambda there=start + 500: env.one("select count(*) from mqtt2pg.dead_letter where parked") == there, 20, "not parked")
    proxy.delay = 0.002
    env.sql(TABLE)
    env.wait(lambda: env.one("select count(*) from reading") == count, 40, lambda: f"only {env.one('select count(*) from reading')} rows")
    env.wait(lambda: len(by_id(inbox)) == count, 20, lambda: f"{count - len(by_id(inbox))} messages have no acknowledgment")
    bridge.check_books()
