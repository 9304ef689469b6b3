"""One row per rule, however many copies of a message a broker sends for overlapping subscriptions.

SPDX-License-Identifier: MIT
"""

import os
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from env import Skip, limit, quick
from servers import RabbitMQ

RULES = """
  { name = "wide"; topic = "~/o/#"; qos = 1; format = "text"; table = "wide"; columns = { topic = "@topic"; n = "$"; }; },
  { name = "middle"; topic = "~/o/{x}/t"; qos = %d; format = "text"; table = "middle"; columns = { topic = "{x}"; n = "$"; }; },
  { name = "same"; topic = "~/o/{y}/t"; qos = 1; format = "text"; table = "same"; columns = { topic = "{y}"; n = "$"; }; },
  { name = "exact"; topic = "~/o/a/t"; qos = 2; format = "text"; table = "exact"; columns = { topic = "@topic"; n = "$"; }; },
  { name = "other"; topic = "~/p/+"; qos = 1; format = "text"; table = "other"; columns = { topic = "@topic"; n = "$"; }; }
"""
TABLES = ("wide", "middle", "same", "exact", "other")


def check_one_row_per_rule(env, protocol, middle_qos=2, name=None):
    """100 messages on each of three topics, live and from the offline queue."""
    env.sql("".join(f"drop table if exists {table}; create table {table} (topic text, n int);" for table in TABLES))
    bridge = env.bridge(RULES % middle_qos, broker={"url": env.broker.url, "protocol": protocol}, name=name)
    expected = {"wide": 300, "middle": 200, "same": 200, "exact": 100, "other": 0}

    def load(first):
        env.publish([(topic, str(n), 1) for n in range(first, first + 50) for topic in ("~/o/a/t", "~/o/b/t", "~/o/c")])
    load(0)
    for table, count in expected.items():
        env.wait_rows(table, count // 2)
    bridge.stop()
    load(50)  # waits in the broker
    bridge.start()
    for table, count in expected.items():
        env.wait_rows(table, count)
        twice = env.sql(f"select topic, n from {table} group by 1, 2 having count(*) > 1 limit 3")
        assert not twice, f"{table}: more than one row for {twice}"
    bridge.check_books()
    assert env.dead_letters() == []
    assert bridge.stop() == 0


@quick
def test_mosquitto_5(env):
    check_one_row_per_rule(env, "5")


@quick
def test_mosquitto_311(env):
    check_one_row_per_rule(env, "3.1.1")


def test_mosquitto_with_duplicates_allowed(env):
    """allow_duplicate_messages true: with 3.1.1 a copy per subscription, none of which says for which."""
    env.own_broker(allow_duplicate_messages="true").start()
    check_one_row_per_rule(env, "5", name="five")
    check_one_row_per_rule(env, "3.1.1", name="three")


def leave_subscription(env, client_id, topic, identifier):
    """What another bridge with this client_id leaves in the broker's session."""
    done = threading.Event()
    client = paho.Client(client_id=client_id, protocol=paho.MQTTv5)
    client.on_subscribe = lambda *_: done.set()
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", env.broker.port, clean_start=False, properties=session)
    client.loop_start()
    options = Properties(PacketTypes.SUBSCRIBE)
    options.SubscriptionIdentifier = identifier
    client.subscribe(env.topic(topic), options=paho.SubscribeOptions(qos=1), properties=options)
    assert done.wait(10), "no SUBACK"
    client.disconnect()
    client.loop_stop()


def test_subscription_of_another_bridge(env):
    """Another bridge used the client_id, with another journal: its subscription is told, and what it brings is left out."""
    env.own_broker(allow_duplicate_messages="true").start()  # each subscription brings a copy in any case
    env.sql("create table got (n int)")
    bridge = env.bridge('{ name = "got"; topic = "~/s/{x}/y"; table = "got"; columns = { n = "$"; }; }')
    bridge.stop()
    leave_subscription(env, bridge.client_id, "~/s/#", 77)
    bridge.start()
    env.publish([("~/s/a/y", str(n)) for n in range(50)])
    bridge.wait_log("subscription that this bridge did not make")
    env.wait(lambda: env.one("select count(distinct n) from got") == 50, 10, "rows are missing")
    env.publish([("~/s/a/y", str(n)) for n in range(50, 100)])
    env.wait(lambda: env.one("select count(distinct n) from got") == 100, 10, "rows are missing")
    bridge.wait_quiet()
    assert env.one("select count(*) from got where n >= 50") == 50
    assert env.one("select count(*) from got") <= 101
    assert bridge.log().count("did not make") == 1


def test_mosquitto_without_duplicates(env):
    """allow_duplicate_messages false, and a rule of QoS 0 that overlaps one of QoS 1: the QoS 1 messages still survive an absence."""
    env.own_broker(allow_duplicate_messages="false").start()
    check_one_row_per_rule(env, "5", name="five")
    check_one_row_per_rule(env, "3.1.1", name="three")
    env.sql("create table low (n int); create table high (n int)")
    rules = """{ name = "low"; topic = "~/q/+"; qos = 0; format = "text"; table = "low"; columns = { n = "$"; }; },
               { name = "high"; topic = "~/q/#"; qos = 1; format = "text"; table = "high"; columns = { n = "$"; }; }"""
    for protocol in ("5", "3.1.1"):
        env.sql("truncate low, high")
        bridge = env.bridge(rules, broker={"url": env.broker.url, "protocol": protocol}, name="low" + protocol)
        bridge.stop()
        env.publish([("~/q/x", str(n)) for n in range(100)])
        bridge.start()
        env.wait_rows("high", 100)
        bridge.stop()


def test_queue_holds_one_copy(env):
    """MQTT 5, a broker that sends a copy for each subscription: rules that cover each other share one, so its queue holds as many messages
    as with one rule."""
    env.own_broker(allow_duplicate_messages="true", max_queued_messages="100").start()
    rule = '{ name = "%s"; topic = "%s"; format = "text"; table = "%s"; columns = { topic = "@topic"; n = "$"; }; }'
    rules = {"wide": "~/o/#", "middle": "~/o/+/t", "exact": "~/o/a/t"}
    env.sql("".join(f"create table {table} (topic text, n int);" for table in rules))
    bridge = env.bridge(", ".join(rule % (table, topic, table) for table, topic in rules.items()), broker={"url": env.broker.url, "protocol": "5"})
    bridge.stop()
    env.publish([("~/o/a/t", str(n), 1) for n in range(100)])
    bridge.start()
    for table in rules:
        env.wait(lambda t=table: env.sql(f"select count(*), count(distinct n) from {t}") == [(100, 100)], 10,
                 lambda t=table: f"{t}: {env.sql(f'select count(*), count(distinct n) from {t}')}")
    bridge.check_books()


def test_retained_with_overlap(env):
    """A retained message comes once per subscription in every version: still one row per rule."""
    env.publish([("~/o/a/t", "7", 1, {"retain": True})])
    env.sql("".join(f"create table {table} (topic text, n int);" for table in TABLES))
    for round_, protocol in enumerate(("5", "3.1.1"), 1):
        bridge = env.bridge(RULES % 1, broker={"protocol": protocol})
        for table in ("wide", "middle", "same", "exact"):
            env.wait_rows(table, round_)
        bridge.check_books()
        bridge.stop()


def test_shared_subscriptions(env):
    """Two bridges with one share group: each message in one of them, all rows there once."""
    env.sql("create table s (n int, client text)")
    rule = '{ name = "s"; topic = "~/s/{x}"; share = "group"; format = "text"; table = "s"; ' \
           'columns = { n = "$"; client = "@client_id"; }; }'
    bridges = [env.bridge(rule), env.bridge(rule)]
    env.publish([(f"~/s/{n % 10}", str(n)) for n in range(2000)])
    env.wait_rows("s", 2000)
    assert env.one("select count(distinct n) from s") == 2000
    assert {row[0] for row in env.sql("select distinct client from s")} == {bridge.client_id for bridge in bridges}


@limit(300)
def test_rabbitmq(env):
    """RabbitMQ's MQTT plugin speaks 3.1.1 and sends a copy per queue; 5.0 is refused with one clear line."""
    if not RabbitMQ.installed():
        raise Skip("rabbitmq-server is not installed")
    rabbit = RabbitMQ(os.path.join(env.folder, "rabbitmq"))
    env.closing.append(rabbit.stop)
    env.broker = rabbit.start()
    check_one_row_per_rule(env, "3.1.1", middle_qos=0, name="three")
    bridge = env.bridge(RULES % 1, broker={"url": rabbit.url, "protocol": "5"}, name="five", ready=False)
    line = bridge.wait_log("set protocol.*3\\.1\\.1")
    assert "mqtt" in line.lower(), line
    assert len([line for line in bridge.log().splitlines() if "set protocol" in line]) == 1, bridge.log()
