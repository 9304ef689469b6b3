"""SIGHUP under load: while overlapping rules come, go, widen and become shared, each rule gets each message exactly once.
Then the moments that matter, word for word, with a scripted broker.

SPDX-License-Identifier: MIT
"""

import itertools
import os
import signal
import time

from env import limit, quick
from scenes import stored

RATE, RELOADS, BEHIND, MOST = 1200, 15, 1500, 200000


def rule(name, topic, share="", qos=1):
    return f'{{ name = "{name}"; topic = "{topic}"; share = "{share}"; qos = {qos}; format = "text"; table = "{name}"; ' \
           'columns = { topic = "@topic"; n = "$"; }; }'


def rules_of(step, shared):
    """What stands in the file at this step: `steady` keeps its topic, `mover` does not, `extra` is there every other time. `shared`:
    all of them, every other time."""
    group = "g" if shared and step // 2 % 2 else ""
    mover = [("~/n/{who}", group), ("~/n/{who...}", group), ("~/n/{who...}", group, 2), ("~/+/{who}", group), ("~/{rest...}", group)]
    always = [rule("steady", "~/n/{who}", group), rule("mover", *mover[step % len(mover)])]
    return ",".join(always + ([rule("extra", "~/n/#", group)] if step % 2 else []))


def subscribed(bridge):
    return bridge.log().count('subscribed subscriptions=')


def check_reloads(env, name, protocol, shared=False, kills=False):
    env.sql("".join(f"drop table if exists {table}; create table {table} (topic text, n int);"
                    for table in ("steady", "mover", "extra")))
    bridge = env.bridge(rules_of(0, shared), name=name, broker={"url": env.broker.url, "protocol": protocol})
    last = [MOST]  # goes down when the reloads are done
    numbers = itertools.takewhile(lambda n: n < last[0], range(MOST))
    load = env.publish_in_background(((f"~/n/{n % 7}", str(n)) for n in numbers), rate=RATE)
    for step in range(1, RELOADS + 1):
        before = subscribed(bridge)
        bridge.configure(rules_of(step, shared))
        bridge.signal(signal.SIGHUP)
        env.wait(lambda seen=before: subscribed(bridge) > seen, 40, f"reload {step} does not reach the broker")
        if kills and step % 4 == 2:
            bridge.kill9()
            bridge.start()
    at = env.one("select max(n) from steady") or 0  # `extra` stands in the last step's file
    last[0] = at + BEHIND
    messages = load.finish()
    assert 1000 < messages < MOST
    for table in ("steady", "mover"):  # the broker may hold a queue longer than the journal's
        env.wait(lambda table=table: env.one(f"select count(*) from {table}") >= messages, 30,
                 lambda table=table: f"{name}: {table} has {env.one(f'select count(*) from {table}')} rows, not {messages}")
    bridge.check_books()
    for table in ("steady", "mover"):
        rows, different = env.sql(f"select count(*), count(distinct n) from {table}")[0]
        assert (rows, different) == (messages, messages), \
            f"{name}: {table} has {rows} rows of {different} messages, not {messages} (reloads until {at})"
    # From the last reload on nothing is missing, and nothing is twice at any time.
    holes = env.one("select count(*) from generate_series(%s, %s) n where not exists (select 1 from extra where extra.n = n.n)",
                    at + BEHIND // 2, messages - 1)
    assert holes == 0, f"{name}: the rule that was added misses {holes} messages"
    twice = env.one("select count(*) - count(distinct n) from extra")
    assert twice == 0, f"{name}: the rule that was added has {twice} rows twice"
    assert env.dead_letters() == []
    assert bridge.stop() == 0


@quick
@limit(180)
def test_each_message_once_mqtt5(env):
    check_reloads(env, "five", "5")


@limit(180)
def test_each_message_once_mqtt5_killed(env):
    """… and killed right behind some reloads: the next process goes on where the last one was between two subscriptions."""
    check_reloads(env, "five", "5", kills=True)


@limit(180)
def test_each_message_once_mqtt5_shared(env):
    check_reloads(env, "five", "5", shared=True)


@limit(180)
def test_each_message_once_mqtt311(env):
    env.own_broker(allow_duplicate_messages="false").start()
    check_reloads(env, "three", "3.1.1")


@quick
@limit(180)
def test_each_message_once_mqtt311_with_copies(env):
    env.own_broker(allow_duplicate_messages="true").start()
    check_reloads(env, "three", "3.1.1")


# --- word for word ----------------------------------------------------------------------------------


def rule_on(topic, name="got", retained="new"):
    return f'{{ name = "{name}"; topic = "{topic}"; retained = "{retained}"; format = "text"; table = "{name}"; columns = {{ v = "$"; }}; }}'


class Switched:
    """A bridge that stores each message by itself, and the connection on which a test says which copy comes when."""

    def __init__(self, env, rules):
        self.numbers = itertools.count(1)
        env.sql("".join(f"create table {name} (id int generated always as identity, v text);" for name in ("got", "wide")))
        self.broker = env.scripted_broker()
        self.bridge = env.bridge(rules, broker={"url": self.broker.url, "status_topic": ""}, batch={"max_rows": 1}, start=False)

    def start(self, faults=None):
        """… and what the session knows of subscriptions goes on."""
        self.bridge.start(ready=False, faults=faults)
        return self.connect()

    def connect(self):
        known = self.session.identifiers if self.broker.session_present else {}
        self.session = self.broker.accept()
        self.session.identifiers.update(known)
        if not known:
            self.session.wait("SUBSCRIBE")
        self.broker.session_present = True
        return self

    def reload(self, rules):
        asked = subscribed(self.bridge)
        before = self.bridge.log().count("configuration reloaded")
        self.bridge.configure(rules)
        self.bridge.signal(signal.SIGHUP)
        self.bridge.env.wait(lambda: self.bridge.log().count("configuration reloaded") > before, 15, "no reload")
        self.bridge.env.wait(lambda: subscribed(self.bridge) > asked, 15, "the broker is not asked")

    def copy(self, filter_, value, duplicate=False):
        """A message's copy for the subscription with this filter, or this identifier; when it is back, the copy is in the journal."""
        number = next(self.numbers)
        filters = filter_ if isinstance(filter_, list) else [filter_]
        self.session.send("t/x", value, packet_id=number, duplicate=duplicate,
                          subscriptions=[self.identifier(each) for each in filters])
        self.session.wait("PUBACK", number)

    def identifier(self, filter_):
        """The one that the subscription has now."""
        if isinstance(filter_, int):
            return filter_
        self.bridge.env.wait(lambda: filter_ in self.session.identifiers, 15, f"no subscription {filter_}")
        return self.session.identifiers[filter_]


@quick
def test_killed_between_two_copies(env):
    """The copy for the old subscription is stored, that for the new one is not: the next process knows both."""
    scene = Switched(env, rule_on("t/+")).start(faults="store.commit.before=delay:3000@2,store.commit.after=kill@2")
    scene.reload(rule_on("t/#"))
    scene.copy("t/+", "one")
    stored(env, "one")
    scene.copy("t/+", "two")
    scene.copy("t/#", "two")
    assert scene.bridge.wait() == -9
    scene.start()
    scene.copy("t/+", "three")  # was on its way when the old one went
    scene.copy("t/#", "three")
    scene.copy("t/#", "four")
    stored(env, "one", "two", "three", "four")
    scene.bridge.stop()


@quick
def test_killed_when_the_first_copy_was_deleted(env):
    """Mosquitto lets a copy overtake its queue: the journal has stored and deleted it long before the other one comes."""
    wide = rule_on("t/#", "wide")
    scene = Switched(env, f'{rule_on("t/+", retained="store")}, {wide}')
    scene.bridge.configure(journal={"max_size": "1MB", "keep": "0s"})
    scene.start()
    segments = lambda: sorted(name for name in os.listdir(scene.bridge.journal) if name.endswith(".segment"))
    scene.copy("t/+", "one")
    oldest = segments()[0]
    for number in range(70):
        scene.copy("t/+", f"{number} " + "x" * 20000)
    env.wait(lambda: oldest not in segments(), 15, lambda: f"not deleted: {segments()}")
    scene.bridge.kill9()
    scene.start()
    scene.copy("t/#", "one")
    scene.copy("t/+", "two")
    scene.copy("t/#", "two")
    env.wait(lambda: env.one("select count(*) from got where v = 'two'"), 15, "not stored")
    for table in ("got", "wide"):
        assert env.sql(f"select v, count(*) from {table} where length(v) < 10 group by v order by v") == [("one", 1), ("two", 1)]
    scene.bridge.stop()


def test_killed_behind_two_reloads(env):
    """The subscription between the two is known to the next process, though no start ever saw it."""
    scene = Switched(env, rule_on("t/+")).start()
    scene.reload(rule_on("t/#"))
    scene.copy("t/#", "one")
    stored(env, "one")
    scene.reload(rule_on("+/x"))
    begun = time.monotonic()
    scene.copy("t/#", "two")
    stored(env, "one", "two")
    scene.bridge.kill9()
    scene.start()
    scene.copy("+/x", "two")
    late = time.monotonic() - begun > 0.9  # then it may count as another message, which is equal
    scene.copy("t/#", "three")
    scene.copy("+/x", "three")
    rows = lambda: [v for v, in env.sql("select v from got order by id")]
    env.wait(lambda: rows() in [["one", "two", "three"], *[["one", "two", "two", "three"]] * late], 15, rows)
    scene.bridge.stop()


@quick
def test_ended_between_two_copies(env):
    """The bridge is killed, or the connection is lost, before the copy for the new subscription is taken; it comes more than a second later."""
    scene = Switched(env, rule_on("t/+")).start()
    scene.reload(rule_on("t/#"))
    scene.copy("t/+", "one")
    scene.bridge.kill9()
    time.sleep(1.1)
    scene.start()
    scene.copy("t/#", "one", duplicate=True)
    scene.copy("t/+", "two")
    scene.session.drop()
    time.sleep(1.1)
    scene.connect()
    scene.copy("t/#", "two", duplicate=True)
    scene.copy("t/#", "three")
    stored(env, "one", "two", "three")
    scene.bridge.stop()


@quick
def test_copies_before_and_behind_a_reload(env):
    """Another rule has the new subscription already: one copy of a message comes under the old rules, one under the new."""
    wide = rule_on("t/#", "wide")
    scene = Switched(env, f'{rule_on("t/+", retained="store")}, {wide}').start()
    former = scene.identifier("t/#")
    scene.copy("t/+", "one")
    stored(env, "one")
    scene.reload(f'{rule_on("t/#")}, {wide}')
    scene.copy(former, "one")
    for value in ("two", "three"):
        scene.copy("t/+", value)
        scene.copy("t/#", value)
    stored(env, "one", "two", "three")
    assert env.sql("select v from wide order by id") == [("one",), ("two",), ("three",)]
    scene.bridge.stop()


def test_reload_behind_copies_that_are_not_stored(env):
    """The database goes while copies for both are being stored, and the rules change once more before it is back."""
    proxy = env.proxy(env.postgres.port)
    scene = Switched(env, rule_on("t/+"))
    scene.bridge.configure(database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)},
                           batch={"max_rows": 3, "max_delay": "30s"})
    scene.start()
    scene.reload(rule_on("t/#"))
    env.admin("begin; lock table got")
    scene.copy("t/+", "one")
    scene.copy("t/+", "two")
    scene.copy("t/#", "two")
    env.wait(lambda: env.admin("select 1 from pg_locks where not granted and relation = 'got'::regclass"), 15, "nothing is being stored")
    proxy.refusing = True
    proxy.cut()
    env.admin("rollback")
    scene.bridge.configure(batch={"max_rows": 1})
    scene.reload(rule_on("+/x"))
    proxy.refusing = False
    scene.copy("t/#", "three")
    scene.copy("+/x", "three")
    stored(env, "one", "two", "three")
    scene.bridge.stop()


@quick
def test_new_subscription_that_was_there_before(env):
    """Another rule had it and left it, and now it is this one's: what came between has no copy for it, and waits for the database."""
    proxy = env.proxy(env.postgres.port)
    scene = Switched(env, f'{rule_on("t/+", retained="store")}, {rule_on("t/#", "wide")}')
    scene.bridge.configure(database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    scene.start()
    proxy.refusing = True
    proxy.cut()
    scene.copy("t/+", "one")
    scene.copy("t/#", "one")
    scene.reload(rule_on("t/+", retained="new"))
    scene.copy("t/+", "two")
    scene.reload(rule_on("t/#"))
    scene.copy("t/+", "three")
    scene.copy("t/#", "three")
    scene.copy("t/#", "four")
    proxy.refusing = False
    stored(env, "one", "two", "three", "four")
    scene.bridge.stop()
