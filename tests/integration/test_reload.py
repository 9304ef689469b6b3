"""SIGHUP under load: while overlapping rules come, go, widen and become shared, each rule gets each message exactly once.

SPDX-License-Identifier: MIT
"""

import itertools
import signal

from env import quick

RATE, RELOADS, BEHIND, MOST = 1200, 15, 1500, 40000


def rule(name, topic, share=""):
    return f'{{ name = "{name}"; topic = "{topic}"; share = "{share}"; format = "text"; table = "{name}"; ' \
           'columns = { topic = "@topic"; n = "$"; }; }'


def rules_of(step, shared):
    """What stands in the file at this step: `steady` never changes, `mover` does each time, `extra` is there every other time."""
    mover = [("~/n/{who}", ""), ("~/n/#", "g"), ("~/n/{who...}", ""), ("~/n/{who}", "g")] if shared else \
            [("~/n/{who}", ""), ("~/n/{who...}", ""), ("~/+/{who}", ""), ("~/{rest...}", "")]
    always = [rule("steady", "~/n/{who}"), rule("mover", *mover[step % len(mover)])]
    return ",".join(always + ([rule("extra", "~/n/#")] if step % 2 else []))


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
        env.wait(lambda seen=before: subscribed(bridge) > seen, 10, f"reload {step} does not reach the broker")
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
def test_mqtt5(env):
    check_reloads(env, "five", "5")


def test_mqtt5_killed(env):
    """… and killed right behind some reloads: the next process goes on where the last one was between two subscriptions."""
    check_reloads(env, "five", "5", kills=True)


def test_mqtt5_shared(env):
    check_reloads(env, "five", "5", shared=True)


def test_mqtt311_without_duplicates(env):
    env.own_broker(allow_duplicate_messages="false").start()
    check_reloads(env, "three", "3.1.1")


@quick
def test_mqtt311_with_duplicates(env):
    env.own_broker(allow_duplicate_messages="true").start()
    check_reloads(env, "three", "3.1.1")
