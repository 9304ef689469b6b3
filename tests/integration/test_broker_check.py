"""`check --broker`: what a broker grants and refuses, without touching anybody's session; and the settings that brokers need.

SPDX-License-Identifier: MIT
"""

import os
import re

from env import ROOT
from scripted_broker import HANG_UP

RULE = '{ name = "%s"; topic = "%s"; format = "text"; table = "got"; columns = { v = "$"; }; %s }'
TOPICS = ("a/+", "b/+", "c/+", "d/+")
# As EMQX 5.8 writes them; the environment's names are made of these (EMQX documentation, "environment variables").
EMQX = {"mqtt.max_mqueue_len": "1000000", "mqtt.max_inflight": "1000",
        "force_shutdown.max_heap_size": "4GB", "force_shutdown.max_mailbox_size": "1000000"}


def rules(more=""):
    return ", ".join(RULE % (topic[0], topic, more) for topic in TOPICS)


def test_refusals_are_named(env):
    """By SUBACK and by hanging up: each is named, the exit code says so; the running bridge keeps its connection."""
    for version in ("5", "3.1.1"):
        broker = env.scripted_broker()
        env.sql("drop table if exists got; create table got (v text)")
        bridge = env.bridge(rules(), broker={"url": broker.url, "protocol": version, "status_topic": ""})
        running = broker.accept()
        broker.grant = lambda name, qos: 0x87 if name == "b/+" else qos
        broker.hangs_up_at = lambda session, name: name == "d/+"
        shown = env.cli("check", "--broker", config=bridge)
        assert shown.code == 3, shown
        reason = "not authorized" if version == "5" else ""
        assert re.search(rf"b/\+: the broker refuses this subscription: .*{reason}", shown.out), shown
        assert re.search(r"d/\+: the broker refuses .*ending the connection", shown.out), shown
        assert "2 subscriptions granted, 2 refused" in shown.out, shown
        assert running.open and all(each.clean and "-check-" in each.client_id for each in broker.clients if each is not running)
        broker.grant, broker.hangs_up_at = (lambda name, qos: qos), (lambda session, name: False)
        shown = env.cli("check", "--broker", config=bridge)
        assert shown.code == 0 and "4 subscriptions granted, 0 refused" in shown.out, shown
        bridge.stop()


def test_rules_that_cover_each_other(env):
    """One subscription is tried for rules that cover each other, as the service does it; the others when the broker refuses the wide one."""
    broker = env.scripted_broker()
    covering = ", ".join(RULE % (name, topic, "") for name, topic in (("narrow", "a/b/+"), ("wide", "a/#"), ("other", "b/+")))
    for version in ("5", "3.1.1"):
        bridge = env.bridge(covering, broker={"url": broker.url, "protocol": version, "status_topic": ""}, start=False)
        for refused, code, words in (((), 0, "2 subscriptions granted, 0 refused"),
                                     (("a/#",), 3, "2 subscriptions granted, 1 refused"),
                                     (("a/#", "a/b/+"), 3, "1 subscription granted, 2 refused")):
            broker.grant = lambda name, qos: 0x80 if name in refused else qos  # pylint: disable=cell-var-from-loop
            shown = env.cli("check", "--broker", config=bridge)
            assert shown.code == code and words in shown.out, shown
            assert all(f"{name}: the broker refuses" in shown.out for name in refused), shown


def test_shared_subscription_takes_no_messages_away(env):
    """A shared subscription is tried under a group of its own: a member of the real one would take its messages away."""
    broker = env.scripted_broker()
    bridge = env.bridge(rules('share = "g";'), broker={"url": broker.url}, start=False)
    shown = env.cli("check", "--broker", config=bridge)
    assert shown.code == 0, shown
    asked = [name for each in broker.clients for kind, filters in each.received if kind == "SUBSCRIBE" for name, _ in filters]
    assert [name.split("/", 2)[2] for name in asked if name.startswith("$share/")] == list(TOPICS), asked
    assert not any(name.startswith("$share/g/") for name in asked), asked
    broker.properties = b"\x2a\x00"
    shown = env.cli("check", "--broker", config=bridge)
    assert shown.code == 3 and shown.out.count("the broker has no shared subscriptions") == 4, shown
    broker.properties = b"\x28\x00"  # Wildcard Subscription Available; as the service, whatever SUBACK would say
    shown = env.cli("check", "--broker", config=bridge)
    assert shown.code == 3 and shown.out.count("the broker has no wildcard subscriptions") == 4, shown


def test_status_topic_is_tried_too(env):
    """Its will and its publication are tried too, on a connection of their own; what is refused is a warning, since the service goes on without."""
    cases = (("", "5", {}),
             ("", "3.1.1", {"puback": lambda topic: 0x87}),  # PUBACK of 3.1.1 has no code
             ("will.*not supported", "5", {"refuse": lambda session: 0x9a if session.will else 0}),
             ("will.*not authorized", "3.1.1", {"refuse": lambda session: 5 if session.will else 0}),
             ("will.*closed the connection", "3.1.1", {"refuse": lambda session: HANG_UP if session.will else 0}),
             ("publication.*not authorized", "5", {"puback": lambda topic: 0x87}),
             ("ends the connection", "3.1.1", {"ends_at": lambda topic: True}),
             ("ends the connection: not authorized", "5", {"ends_at": lambda topic: 0x87}))
    for words, version, behaviour in cases:
        broker = env.scripted_broker()
        for member, does in behaviour.items():
            setattr(broker, member, does)
        bridge = env.bridge(rules(), broker={"url": broker.url, "protocol": version}, start=False)
        shown = env.cli("check", "--broker", config=bridge)
        assert shown.code == 0 and "4 subscriptions granted, 0 refused" in shown.out, shown
        assert ("does not allow" in shown.out) == (words != ""), shown
        assert not words or re.search(rf"warning: status_topic: the broker does not allow .*{words}", shown.out), shown
        topic = f"mqtt2pg/{bridge.client_id}/status"
        wills = [each for each in broker.clients if each.will]
        assert len(wills) == 1 and wills[0].will_topic == topic and "-check-" in wills[0].client_id, shown
        assert {name for each in broker.clients for name, _ in each.published} <= {topic}, "another topic"
        assert not any(payload in (b"online", b"offline") for each in broker.clients for _, payload in each.published)
    broker = env.scripted_broker()
    bridge = env.bridge(rules(), broker={"url": broker.url, "status_topic": ""}, start=False)
    shown = env.cli("check", "--broker", config=bridge)
    assert shown.code == 0 and not any(each.will or each.published for each in broker.clients), shown


def test_mosquitto_and_nobody(env):
    """A real broker is named with its settings; one that is not there is an exit code 1 with the reason."""
    for version in ("5", "3.1.1"):
        bridge = env.bridge(rules(), broker={"protocol": version}, start=False)
        shown = env.cli("check", "--broker", config=bridge)
        assert shown.code == 0 and "connected to Mosquitto, 4 subscriptions granted" in shown.out, shown
        assert "max_queued_messages 0" in shown.out, shown
    bridge = env.bridge(rules(), broker={"url": "mqtt://127.0.0.1:1"}, start=False)
    shown = env.cli("check", "--broker", config=bridge)
    assert shown.code == 1 and "Connection refused" in shown.err, shown


def test_settings_of_emqx_are_told_everywhere(env):
    """The four settings that EMQX needs together stand in README, compose file, manifest, and in the line at the first connection."""
    broker = env.scripted_broker()
    broker.properties = b"\x25\x01\x28\x01\x29\x01\x2a\x01\x22\xff\xff\x21\x00\x20"  # what CONNACK of EMQX says
    bridge = env.bridge(rules(), broker={"url": broker.url}, start=False)
    told = env.cli("check", "--broker", config=bridge).out
    bridge.start(ready=False)
    logged = bridge.wait_log("broker keeps messages .* broker=EMQX")
    files = {name: open(os.path.join(ROOT, name)).read() for name in ("README.md", "docker/compose.yaml", "docker/kubernetes.yaml")}
    for name, value in EMQX.items():
        variable = "EMQX_" + name.replace(".", "__").upper()
        for where, text in (("check", told), ("log", logged), ("README", files["README.md"])):
            assert f"{name} = {value}" in text, f"{where} lacks {name}"
        for where in ("docker/compose.yaml", "docker/kubernetes.yaml"):
            assert re.search(rf'{variable}: "?{value}"?\n', files[where]), f"{where} lacks {variable}"
    bridge.stop()
