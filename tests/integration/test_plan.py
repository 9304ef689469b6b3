"""Ordinary edits of the rules, at any moment: every message that matches a rule is stored once by each rule of the time it is
stored, whatever the plan of subscriptions was when the broker sent it, and whichever copies it sent.

SPDX-License-Identifier: MIT
"""

import itertools
import os
import signal
import time

from env import limit, quick
from scenes import stored
from test_reload import Switched, rule_on, subscribed


def rule(name, topic, more=""):
    return f'{{ name = "{name}"; topic = "{topic}"; format = "text"; table = "got"; columns = {{ n = "$"; topic = "@topic"; }}; {more} }}'


ONE, WIDER = rule("one", "~/k/{p}"), rule("wider", "~/k/{p...}")
SPLIT = rule("zero", "~/k/0") + "," + rule("rest", "~/k/{p}", 'where = "{p} != \'0\'";')


def publish(env, first, count):
    env.publish([(f"~/k/{n % 3}", str(n)) for n in range(first, first + count)])


def edit(bridge, rules):
    before = subscribed(bridge)
    bridge.configure(rules)
    bridge.signal(signal.SIGHUP)
    bridge.env.wait(lambda: subscribed(bridge) > before, 20, "the reload does not reach the broker")


def once(env, count):
    env.wait(lambda: env.one("select count(*) from got") >= count, 20,
             lambda: f"{count - env.one('select count(*) from got')} of {count} messages are lost")
    assert env.sql("select count(*), count(distinct n) from got") == [(count, count)]
    assert env.dead_letters() == []


@quick
@limit(120)
def test_rename_and_widen_or_split(env):
    """Another name and another filter, while the bridge is stopped, killed, running, or without its database."""
    env.sql("create table got (n int, topic text)")
    proxy = env.proxy(env.postgres.port)
    bridge = env.bridge(ONE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    count = 0
    for rules, leave in ((WIDER, "stop"), (SPLIT, "kill9"), (ONE, "stop"), (SPLIT, "stop"), (WIDER, "kill9")):
        getattr(bridge, leave)()
        publish(env, count, 300)  # wait in the broker's queue, for subscriptions that go
        count += 300
        bridge.configure(rules)
        bridge.start()
        once(env, count)
    for rules in (ONE, SPLIT, WIDER):
        load = env.publish_in_background(((f"~/k/{n % 3}", str(n)) for n in range(count, count + 600)), rate=1500)
        edit(bridge, rules)
        count += load.finish()
        once(env, count)
    proxy.refusing = True
    proxy.cut()
    for rules in (ONE, SPLIT):
        publish(env, count, 200)
        count += 200
        edit(bridge, rules)
    proxy.refusing = False
    once(env, count)
    bridge.check_books()
    bridge.stop()


@quick
def test_there_and_back_and_restarted(env):
    """A filter is edited and the edit undone while the loader is behind; then the bridge is killed: what came between is stored."""
    proxy = env.proxy(env.postgres.port)
    scene = Switched(env, rule_on("t/+"))
    scene.bridge.configure(database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    scene.start()
    proxy.refusing = True
    proxy.cut()
    scene.copy("t/+", "one")
    scene.reload(rule_on("t/#"))
    for value in ("two", "three"):
        scene.copy("t/+", value)
        scene.copy("t/#", value)
    scene.copy("t/#", "four")
    scene.reload(rule_on("t/+"))
    for value in ("five", "six"):
        scene.copy("t/#", value)
        scene.copy("t/+", value)
    scene.copy("t/+", "seven")
    scene.bridge.kill9()
    proxy.refusing = False
    scene.start()
    scene.copy("t/+", "eight")
    stored(env, "one", "two", "three", "four", "five", "six", "seven", "eight")
    scene.bridge.stop()


def test_one_copy_for_all(env):
    """A broker that sends one copy with all identifiers, and one that sends them in either order: each message once."""
    scene = Switched(env, rule_on("t/+")).start()
    former = scene.identifier("t/+")
    scene.copy(former, "one")
    scene.reload(rule_on("t/+") + "," + rule_on("t/#", "wide", retained="store"))
    scene.copy([former, "t/#"], "two")
    scene.reload(rule_on("t/#", "wide"))
    wide = scene.identifier("t/#")
    scene.copy([wide, former], "three")
    scene.copy(wide, "four")
    scene.copy(former, "four")
    scene.reload(rule_on("t/x") + "," + rule_on("t/#", "wide"))
    scene.copy(wide, "five")
    scene.copy([wide, "t/x"], "six")
    env.wait(lambda: env.sql("select v from wide order by id") == [(v,) for v in ("two", "three", "four", "five", "six")], 15,
             lambda: env.sql("select v from wide order by id"))
    stored(env, "one", "two", "five", "six")
    scene.bridge.stop()


@quick
def test_broker_restarts_while_rules_overlap(env):
    """Mosquitto 2.0.11 queues one copy, for one of the subscriptions, until the session that it restored connects again."""
    env.sql("create table got (n int, topic text); create table wide (n int, topic text)")
    broker = env.own_broker().start()
    wide = rule("wide", "~/k/{p}").replace('"got"', '"wide"')
    bridge = env.bridge(wide, broker={"url": broker.url})
    edit(bridge, wide + "," + rule("narrow", "~/k/0"))
    bridge.stop()
    broker.stop()
    broker.start()
    env.publish([("~/k/0", str(n)) for n in range(50)])
    bridge.start()
    env.publish([("~/k/0", str(n)) for n in range(50, 100)])
    once(env, 100)
    env.wait_rows("wide", 100)
    assert env.sql("select count(*), count(distinct n) from wide") == [(100, 100)]
    bridge.check_books()
    bridge.stop()


def equal_content(env, protocol, delay=0.02):
    """The same payload 20 times a second over two reloads, at a broker whose answers take `delay` four times; (messages, rows, messages that came
    while it was asked)."""
    env.sql("create table got (n int, topic text)")
    proxy = env.proxy(env.broker.port)
    proxy.delay = delay
    bridge = env.bridge(ONE, broker={"url": f"mqtt://127.0.0.1:{proxy.port}", "protocol": protocol})
    over, asked = [], 0
    load = env.publish_in_background((("~/k/0", "7") for _ in itertools.takewhile(lambda _: not over, itertools.count())), rate=20)
    env.wait(lambda: env.one("select count(*) from got") > 5, 20, "nothing comes")
    for rules in (WIDER, ONE):
        sent = load.publisher.accepted
        edit(bridge, rules)
        asked += load.publisher.accepted + 1 - sent
        at = env.one("select count(*) from got")
        env.wait(lambda at=at: env.one("select count(*) from got") > at + 25, 20, "nothing comes any more")
    over.append(True)
    count = load.finish()
    proxy.delay = 0
    bridge.check_books()
    bridge.stop()
    return count, env.one("select count(*) from got"), asked


def test_equal_content_mqtt5(env):
    """None is missing, and none is twice, also when none comes between SUBSCRIBE and UNSUBSCRIBE."""
    count, there, _ = equal_content(env, "5", delay=0)
    assert there == count, f"{there} rows of {count} messages"


@quick
def test_equal_content_mqtt311(env):
    """None is missing, and none is twice: equal messages came before the reloads, too."""
    count, there, _ = equal_content(env, "3.1.1")
    assert there == count, f"{there} rows of {count} messages"


def test_equal_content_with_copies(env):
    """A broker that sends a copy for each subscription: none is missing, and copies of those between SUBSCRIBE and UNSUBSCRIBE are stored."""
    env.own_broker(allow_duplicate_messages="true").start()
    count, there, asked = equal_content(env, "3.1.1")
    assert count < there <= count + asked, f"{there} rows of {count} messages, {asked} of them while it was asked"


@quick
def test_equal_content_over_restarts(env):
    """Restarts with another filter, there and back: of equal messages, one for the old subscription and one for the new one count both, also
    when none came in between. Of other messages with a copy for each, one counts."""
    scene = Switched(env, rule_on("t/+")).start()
    count = 0

    def copy(filter_):
        nonlocal count
        time.sleep(0.05)  # the pause is the subject: equal messages come apart, copies at once
        scene.copy(filter_, "7")
        count += 1
        env.wait(lambda: env.one("select count(*) from got where v = '7'") == count, 10, f"equal message {count} is lost")

    def restart(leave, filter_):
        getattr(scene.bridge, leave)()
        scene.bridge.configure(rule_on(filter_))
        scene.start().session.wait("SUBSCRIBE", [(filter_, 1)])

    copy("t/+")
    copy("t/+")
    for leave, before, after in (("stop", "t/+", "t/#"), ("kill9", "t/#", "t/+"), ("kill9", "t/+", "t/#")):
        queued = scene.identifier(before)
        restart(leave, after)
        copy(queued)  # waited for the process
        copy(after)
    for leave, after in (("kill9", "t/+"), ("stop", "t/#"), ("kill9", "t/+")):  # each comes behind the plan without its filter
        queued = scene.identifier("t/+" if after == "t/#" else "t/#")
        restart(leave, after)
        copy(queued)
    scene.copy(queued, "other")
    scene.copy(scene.identifier("t/+"), "other")
    copy("t/+")
    assert env.one("select count(*) from got where v = 'other'") == 1
    scene.bridge.stop()


@quick
def test_reload_before_the_receiver_has_started(env):
    """Another process has the identity; meanwhile a rule is added. Its messages are for it, not for the rules of the start."""
    env.sql("create table got (n int, topic text)")
    env.publish([("~/new/x", "1", 1, {"retain": True})])
    proxy = env.proxy(env.postgres.port)
    bridge = env.bridge(ONE, start=False, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    env.bridge(ONE, name="schema").stop()
    key = f"hashtextextended('mqtt2pg' || chr(31) || 'mqtt2pg' || chr(31) || '{bridge.client_id}', 0)"
    env.admin(f"select pg_advisory_lock({key})")
    bridge.start(ready=False)
    bridge.wait_log("mqtt2pg started")
    bridge.configure(ONE + "," + rule("new", "~/new/{p}"))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: env.admin("select 1 from pg_stat_activity where application_name = 'mqtt2pg' and datname = current_database() "
                               "and query ~ 'pg_try_advisory_lock|select refreshed_at'"), 15, "it does not ask for the lock")
    asked, begun = [], time.monotonic()
    proxy.filter = lambda _link, direction, data: (asked.append(direction), (data, False))[1]
    time.sleep(1)  # it only waits
    env.wait(lambda: "up" in asked, 10, "it asks no more")
    questions, seconds = asked.count("up"), time.monotonic() - begun
    proxy.filter = None
    proxy.delay = 0.1  # the receiver is faster than the rest of connecting
    env.admin(f"select pg_advisory_unlock({key})")
    env.wait_rows("got", 1)
    assert questions <= 20 * seconds, f"{questions} questions in {seconds:.1f} s of waiting"
    bridge.check_books()
    bridge.stop()


def test_signal_at_once(env):
    """SIGHUP that comes before anything else of the program has run is a reload, not the end."""
    env.sql("create table got (n int, topic text)")
    bridge = env.bridge(ONE, start=False)

    def blocked():
        with open(f"/proc/{bridge.process.pid}/status") as status:
            return int(next(line for line in status if line.startswith("SigBlk")).split()[1], 16) & 1
    bridge.start(ready=False, faults="cli.main.begin=delay:600000")
    env.wait(blocked, 10, "SIGHUP is not blocked at once")
    bridge.kill9()
    bridge.start(ready=False, faults="cli.main.begin=delay:300")
    env.wait(blocked, 10, "SIGHUP is not blocked")
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    bridge.stop()


def test_no_room_for_the_plan(env):
    """The plan can't be written down: the broker is not asked for subscriptions that the next process would not know."""
    env.sql("create table got (n int, topic text)")
    bridge = env.bridge(ONE)
    obstacle = os.path.join(bridge.journal, "plans.tmp")
    os.mkdir(obstacle)
    before = subscribed(bridge)
    bridge.configure(ONE + "," + rule("new", "~/new/{p}"))
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("could not write down the plan")
    publish(env, 0, 30)
    once(env, 30)
    assert subscribed(bridge) == before
    os.rmdir(obstacle)
    env.wait(lambda: subscribed(bridge) > before, 10, "the broker is not asked")
    env.publish([("~/new/x", "30")])
    once(env, 31)
    bridge.stop()


@quick
def test_what_no_rule_takes_is_told(env):
    """The rule was taken away while its messages waited in the broker: counted, and one line names the topic."""
    env.sql("create table got (n int, topic text)")
    bridge = env.bridge(ONE)
    bridge.stop()
    publish(env, 0, 30)
    bridge.configure(rule("other", "~/other/{p}"))
    bridge.start()
    env.wait(lambda: bridge.metric("messages_unmatched_total") == 30, 15, lambda: bridge.metric("messages_unmatched_total"))
    assert "/k/0" in bridge.wait_log("match no rule")
    assert env.one("select count(*) from got") == 0
    bridge.check_books()
    bridge.stop()


def test_retained_of_a_new_rule(env):
    """A rule that is added under a wider one gets the retained messages of its topics; the wider one does not get them again."""
    env.sql("create table got (n int, topic text); create table narrow (n int)")
    env.publish([(f"~/k/{n}", str(n), 1, {"retain": True}) for n in range(3)])
    bridge = env.bridge(WIDER)
    env.wait_rows("got", 3)
    narrow = '{ name = "narrow"; topic = "~/k/1"; format = "text"; table = "narrow"; columns = { n = "$"; }; }'
    edit(bridge, WIDER + "," + narrow)
    env.wait_rows("narrow", 1)
    publish(env, 3, 3)
    env.wait_rows("got", 6)
    env.wait_rows("narrow", 2)
    bridge.stop()
    bridge.start()
    bridge.check_books()
    assert env.one("select count(*) from got") == 6
    assert env.one("select count(*) from narrow") == 2
    bridge.stop()


def test_no_file_of_plans(env):
    """The file of plans is missing: copies for subscriptions that nobody knows count once. An old file with the rules goes."""
    env.sql("create table got (n int, topic text); create table narrow (n int, topic text)")
    narrow = rule("narrow", "~/k/1", 'retained = "store";').replace('"got"', '"narrow"')
    bridge = env.bridge(WIDER + "," + narrow)
    bridge.stop()
    publish(env, 0, 300)
    os.remove(os.path.join(bridge.journal, "plans"))
    with open(os.path.join(bridge.journal, "rules"), "w") as rules:
        rules.write("mqtt2pg rules 1\n")
    bridge.configure(ONE + "," + narrow)
    bridge.start()
    once(env, 300)
    env.wait_rows("narrow", 100)
    assert not os.path.exists(os.path.join(bridge.journal, "rules"))
    bridge.check_books()
    bridge.stop()


@limit(90)
def test_refused_filter_covers_others(env):
    """The broker refuses the filter that covers others: their rules get their messages, and the refusal is told. Granted later, it
    brings all of them again."""
    for version in ("3.1.1", "5"):
        env.sql("drop table if exists got; create table got (n int, topic text)")
        refused = {"w/#"}
        broker = env.scripted_broker()
        broker.grant = lambda name, qos: 0x80 if name in refused else qos  # pylint: disable=cell-var-from-loop
        bridge = env.bridge(",".join([rule("wide", "w/#", "where = \"@topic = 'w/z'\";"), rule("a", "w/a/+"), rule("b", "w/b/{x...}"), rule("c", "w/b/c")]),
                            broker={"url": broker.url, "protocol": version, "status_topic": ""}, ready=False, name="wide" + version)
        session = broker.accept()
        env.wait(lambda: {"w/a/+", "w/b/#"} <= broker.held, 20, lambda: f"{version}: asked for {broker.held}")  # pylint: disable=cell-var-from-loop
        env.wait(lambda: "1 subscription refused: w/#" in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))  # pylint: disable=cell-var-from-loop
        for number, (topic, name) in enumerate((("w/a/x", "w/a/+"), ("w/b/c", "w/b/#"), ("w/b/y", "w/b/#")), 1):
            session.send(topic, str(number), packet_id=number,
                         **({"subscriptions": [session.identifiers[name]]} if version == "5" else {}))
        env.wait(lambda: env.sql("select n, count(*) from got group by n order by n") == [(1, 1), (2, 2), (3, 1)], 15,
                 lambda: env.sql("select n, count(*) from got group by n order by n"))
        session.drop()
        refused.clear()
        broker.session_present = True
        session = broker.accept()
        env.wait(lambda: session.count_unsubscribed() >= 2, 20, lambda: f"{version}: {session.received}")  # pylint: disable=cell-var-from-loop
        bridge.wait_ready()
        bridge.check_books()
        assert bridge.stop() == 0


def test_killed_while_subscribing(env):
    """kill -9 between SUBSCRIBE and its answer, then other rules: the subscription does not stay in the broker's session for ever."""
    for version in ("3.1.1", "5"):
        env.sql("drop table if exists got; create table got (n int, topic text)")
        broker = env.scripted_broker()
        broker.mute = True
        bridge = env.bridge(rule("old", "old/+"), broker={"url": broker.url, "protocol": version, "status_topic": ""}, ready=False,
                            name="killed" + version)
        broker.accept().wait("SUBSCRIBE", [("old/+", 1)])
        bridge.kill9()
        broker.mute, broker.session_present = False, True
        bridge.configure(rule("new", "new/+"))
        bridge.start()
        session = broker.accept()
        session.wait("SUBSCRIBE", [("new/+", 1)])
        env.wait(lambda: session.count_unsubscribed() == 1, 10, lambda: f"{version}: {session.received}")  # pylint: disable=cell-var-from-loop
        assert b"old/+" in session.wait("UNSUBSCRIBE")
        assert bridge.stop() == 0
