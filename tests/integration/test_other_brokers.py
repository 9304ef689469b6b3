"""The promises at brokers besides Mosquitto: RabbitMQ and ejabberd where Debian's packages are installed, aedes where npm is,
FlashMQ and NanoMQ where FLASHMQ and NANOMQ name their programs.

SPDX-License-Identifier: MIT
"""

import os
import threading

from env import Skip, limit
from npm_modules import npm_modules
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered
from servers import Aedes, Ejabberd, FlashMQ, NanoMQ, RabbitMQ

# A second rule whose topic overlaps: some brokers send a copy a subscription, some one copy for all.
OVERLAPPING = NUMBERED_RULE + ', ' + NUMBERED_RULE.replace('"numbered"; topic = "~/n/{who}"', '"all"; topic = "~/n/#"').replace(
    'table = "numbered"', 'table = "everything"').replace('"{who}"', '"@topic"')
MESSAGES = 1500


def start(env, kind):
    if not kind.installed():
        raise Skip(f"{kind.name} is not installed")
    broker = kind(os.path.join(env.folder, kind.name))
    env.closing.append(broker.stop)
    return broker.start()


def publish(env, broker, messages, version=4):
    login = {name: broker.options[name] for name in ("username", "password") if name in broker.options}
    publisher = env.publisher(version, port=broker.port, **login)
    publisher.publish([env.prepare(message) for message in messages], 60 * env.patience)


def promises(env, broker, versions, kills=3):
    """Kills -9 under load, two overlapping rules, and what the broker keeps for a bridge that is away: each message once a rule."""
    for number, version in enumerate(versions):
        env.sql("drop table if exists numbered; drop table if exists everything")
        make_numbered(env)
        env.sql("create table everything (like numbered including all)")
        bridge = env.bridge(OVERLAPPING.replace("~/n", f"~/{number}/n"), broker={"url": broker.url, "protocol": version, **broker.options, "status_topic": ""})
        bridge.wait_subscribed()
        topics = [(topic.replace("~/n", f"~/{number}/n"), payload, qos) for topic, payload, qos in numbered("a", 0, MESSAGES)]
        load = threading.Thread(target=publish, args=(env, broker, topics), daemon=True)
        load.start()
        for _ in range(kills):
            env.wait(lambda: bridge.metric("messages_received_total") > 0 or not load.is_alive(), 30, "nothing comes")  # pylint: disable=cell-var-from-loop
            bridge.kill9()
            bridge.start(ready=False)
            bridge.wait_ready(60)
        load.join(60)
        bridge.stop()
        later = [(topic.replace("~/n", f"~/{number}/n"), payload, qos) for topic, payload, qos in numbered("a", MESSAGES, 200)]
        publish(env, broker, later)
        bridge.start()
        check_numbered(env, {"a": MESSAGES + 200})
        env.wait(lambda: env.sql("select count(*), count(distinct n) from everything") == [(MESSAGES + 200, MESSAGES + 200)], 20,
                 lambda: f"{broker.name} {version}: {env.sql('select count(*), count(distinct n) from everything')}")  # pylint: disable=cell-var-from-loop
        bridge.check_books()
        assert "older session" not in bridge.log(), bridge.log()
        assert [row for row in env.sql("select cause from mqtt2pg.gap") if "perhaps" not in row[0]] == []
        bridge.stop()


@limit(240)
def test_rabbitmq(env):
    """RabbitMQ 3.10: MQTT 3.1.1, one copy for all, numbers each connection anew."""
    promises(env, start(env, RabbitMQ), ("3.1.1",))


@limit(180)
def test_ejabberd(env):
    """ejabberd 23.01: MQTT 5 with a copy a subscription, and 3.1.1; named by check --broker."""
    broker = start(env, Ejabberd)
    promises(env, broker, ("5", "3.1.1"))
    bridge = env.bridge(OVERLAPPING, start=False, broker={"url": broker.url, **broker.options, "status_topic": ""})
    shown = env.cli("check", "--broker", config=bridge)
    assert shown.code == 0 and "connected to ejabberd, 1 subscription granted" in shown.out, shown


@limit(120)
def test_aedes(env):
    """aedes: MQTT 3.1.1, repeats without DUP. It repeats some behind new messages, so there is no kill under load, but a cut with all open."""
    Aedes.modules = npm_modules("aedes@1.2.0")
    promises(env, start(env, Aedes), ("3.1.1",), kills=0)


@limit(120)
def test_flashmq(env):
    """FlashMQ: a copy a subscription, repeats without DUP; named by check --broker with both versions."""
    broker = start(env, FlashMQ)
    promises(env, broker, ("3.1.1", "5"))
    for version in ("5", "3.1.1"):
        bridge = env.bridge(OVERLAPPING, start=False, broker={"url": broker.url, "protocol": version})
        shown = env.cli("check", "--broker", config=bridge)
        assert shown.code == 0 and "connected to FlashMQ" in shown.out, shown


def test_nanomq(env):
    """NanoMQ loses messages, whoever subscribes: check --broker and the log say that no setting helps."""
    broker = start(env, NanoMQ)
    bridge = env.bridge(OVERLAPPING, start=False, broker={"url": broker.url})
    shown = env.cli("check", "--broker", config=bridge)
    assert shown.code == 0 and "connected to NanoMQ" in shown.out and "nothing helps" in shown.out, shown
    make_numbered(env)
    env.sql("create table everything (like numbered including all)")
    bridge.start()
    bridge.wait_log("broker=NanoMQ .*nothing helps")
