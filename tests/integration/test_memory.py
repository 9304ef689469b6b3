"""Large messages: what they cost, and that nothing is lost when the kernel ends the process for its memory.

The kernel's OOM killer sends SIGKILL to a process whose group of processes has grown beyond its limit. Here a watcher does that, which needs no
right to make such a group: the process is as dead, and at the same moment, while it works on a large message.

SPDX-License-Identifier: MIT
"""

import gzip
import hashlib
import random
import re
import struct
import threading
import time

from env import limit
from scenes import scripted

RULE = """{ name = "large"; topic = "~/large/{n}"; format = "raw"; table = "large"; columns = { n = "{n}"; bytes = "@payload"; }; }"""
TABLE = "create table large (n int, bytes bytea)"
MB = 1024 * 1024


class OutOfMemory:
    """Kills the bridge whenever it has more than so many MB resident, and starts it again, `times` times."""

    def __init__(self, bridge, megabytes, times):
        self.bridge, self.megabytes, self.times, self.kills, self.stopped = bridge, megabytes, times, 0, False
        bridge.may_end = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped and self.kills < self.times:
            try:
                if self.bridge.rss_mb() > self.megabytes:
                    self.bridge.kill9()
                    self.kills += 1
                    self.bridge.launch()
                    self.bridge.may_end = True
            except (OSError, AttributeError):  # just ended, no VmRSS any more
                pass
            time.sleep(0.002)

    def stop(self):
        self.stopped = True
        self.thread.join(20)


def payloads(count, size):
    """Bytes that don't compress, each message with its own."""
    noise = random.Random(5).randbytes(size)
    return [n.to_bytes(4, "big") + noise[4 + n:] for n in range(count)]


def check_large(env, sent):
    env.wait_rows("large", len(sent), 60)
    wanted = [(n, len(payload), hashlib.md5(payload).hexdigest()) for n, payload in enumerate(sent)]
    assert env.sql("select n, length(bytes), md5(bytes) from large order by n") == wanted


def goes_back(env, bridge):
    """What a large message took is given back, perhaps a moment after it is counted."""
    env.wait(lambda: env.patience > 1 or bridge.rss_mb() <= 64, 10, lambda: f"{bridge.rss_mb():.0f} MB behind it")


@limit(120)
def test_killed_for_its_memory(env):
    """Messages of 16 MB, and the process is killed three times while it has one in its hands: each is stored, once."""
    env.sql(TABLE)
    env.own_broker().start()
    bridge = env.bridge(RULE, broker={"max_packet": "100MB"}, journal={"max_size": "2GB"})
    killer = OutOfMemory(bridge, 28, 3)
    env.closing.append(killer.stop)
    sent = payloads(12, 16 * MB)
    count = 0
    while killer.kills < 3 or count < 3:  # it may have been stored between two looks
        assert count < len(sent), f"killed {killer.kills} times only"
        env.publish([(f"~/large/{count}", sent[count])])
        count += 1
        env.wait(lambda: killer.kills == 3 or env.one("select count(*) from large") == count, 60, "not stored")  # pylint: disable=cell-var-from-loop
    del sent[count:]
    killer.stop()
    bridge.wait_ready()
    check_large(env, sent)
    bridge.check_books()
    assert env.dead_letters() == []
    assert env.sql("select * from mqtt2pg.gap where cause <> 'broker session perhaps lost'") == []


def test_window_of_qos_2(env):
    """800 messages of 256 KB and QoS 2 that the broker never releases: Paho keeps their numbers, not their payloads."""
    broker, bridge, session = scripted(env, 5, qos=2)
    payload = "x" * (256 << 10)
    for packet_id in range(1, 801):
        session.send("t/x", f"{packet_id} {payload}", qos=2, packet_id=packet_id)
    session.wait("PUBREC", 800, 60)
    peak = bridge.rss_peak_mb()
    assert env.patience > 1 or peak <= 64, f"{peak:.0f} MB"


@limit(120)
def test_megabytes_under_load(env):
    """120 messages of 1 MB, part of them while the database is away: memory is that of a few messages, not of all of them."""
    env.sql(TABLE)
    env.own_broker().start()
    bridge = env.bridge(RULE, broker={"max_packet": "2MB"})
    sent = payloads(120, MB - 1024)
    env.publish([(f"~/large/{n}", sent[n]) for n in range(40)])
    env.postgres.stop()
    env.publish([(f"~/large/{n}", sent[n]) for n in range(40, 80)])
    env.wait(lambda: bridge.metric("messages_journaled_total") == 80, 30, "not in the journal")
    env.postgres.start()
    env.publish([(f"~/large/{n}", sent[n]) for n in range(80, 120)])
    check_large(env, sent)
    bridge.check_books()
    peak = bridge.rss_peak_mb()
    assert env.patience > 1 or peak <= 64, f"{peak:.0f} MB"


@limit(90)
def test_message_that_becomes_much(env):
    """A small message that repeats itself in each row, and one with more rows than memory: dead letters with a word; the others are stored."""
    env.sql("create table m (n int, v text)")
    env.own_broker().start()
    bridge = env.bridge('{ name = "m"; topic = "~/m"; table = "m"; rows = "$.rows[*]"; columns = { n = "$"; v = "@payload"; }; }')
    much = '{"rows": [%s]}' % ",".join(["1"] * 16000)                  # 32 KB, 16,000 times
    many = '{"rows": [%s]}' % ",".join(["0"] * 300000)                 # 600 KB
    more = '{"rows": [%s]}' % ",".join(["1".ljust(40)] * 500)          # 20 KB, 500 times: beyond 8 MB + 80 KB
    for payload in ('{"rows": [1, 2]}', much, many, more, '{"rows": [3]}'):
        env.publish([("~/m", payload)])
    env.wait_rows("m", 3)
    env.wait(lambda: len(env.dead_letters()) == 3, 20, env.dead_letters)
    assert all("MB" in letter[2] for letter in env.dead_letters()), env.dead_letters()
    peak = bridge.rss_peak_mb()
    assert env.patience > 1 or peak <= 160, f"{peak:.0f} MB"
    bridge.check_books()


@limit(90)
def test_bound_that_check_tells(env):
    """The costliest messages of max_packet, as one row and as a row for each value: memory stays below what `check` says, and goes back."""
    env.sql("create table whole (n int); create table items (n int, a text, b text, c int)")
    env.own_broker().start()
    whole = '{ name = "whole"; topic = "~/m"; table = "whole"; columns = { n = "$[0]"; }; }'
    items = """{ name = "items"; topic = "~/m"; table = "items"; rows = "$[*]"; columns = { n = "$"; a = "$"; b = "@topic"; c = "$"; }; }"""
    for rule, values, table, rows in ((whole, 990000, "whole", 1), (items, 240000, "items", 240000), (items, 990000, "items", 240000)):
        bridge = env.bridge(rule)
        checked = env.cli("check", config=bridge)
        bound = int(re.search("up to ([0-9]+) MB", checked.out).group(1))
        env.publish([("~/m", "[%s]" % ",".join(["1"] * values))])
        env.wait(lambda: bridge.metric("messages_processed_total") == 1, 30, "not processed")
        peak = bridge.rss_peak_mb()
        assert env.one(f"select count(*) from {table}") == rows
        assert env.patience > 1 or peak <= bound, f"{peak:.0f} MB of {bound}"
        goes_back(env, bridge)
        bridge.check_books()
        bridge.stop()


@limit(90)
def test_large_parked_letters(env):
    """100 parked messages of 500 KB are stored in portions of a few megabytes."""
    env.own_broker().start()
    bridge = env.bridge(RULE, journal={"max_size": "200MB"})
    env.publish([(f"~/large/{n}", random.Random(n).randbytes(500 << 10)) for n in range(100)], timeout=30)
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 100, 30, "not parked")
    bridge.stop()
    env.sql(TABLE)
    bridge.start()
    env.wait_rows("large", 100)
    peak = bridge.rss_peak_mb()
    assert env.patience > 1 or peak <= 64, f"{peak:.0f} MB"
    bridge.check_books()


@limit(120)
def test_bound_in_other_formats(env):
    """Values of one byte each, and a small payload that unpacks to max_decoded: memory stays below what `check` says."""
    env.sql("create table t (n int, a int[], d numeric[])")
    env.own_broker().start()
    rule = '{ name = "r"; topic = "~/m"; table = "t"; %s columns = { %s }; }'
    ones, size = "[%s]" % ",".join(["1"] * 990000), 2_000_000
    cases = (
        ("json, int[]", '', 'a = "$";', ones),
        ("gzip, numeric[]", 'compression = "gzip";', 'd = "$";', gzip.compress(("[%s]" % ",".join(["1.00000"] * 990_000)).encode())),
        ("msgpack", 'format = "msgpack";', 'n = "$[0]";', b"\xdd" + struct.pack("!I", size) + bytes(size)),
        ("csv, lines", 'format = "csv";', 'n = "$[0][0]";', "1\n" * 990000),
        ("gzip, rows", 'compression = "gzip"; rows = "$[*]";', 'n = "$";', gzip.compress(("[%s]" % ",".join(["1"] * 4_000_000)).encode())),
    )
    over = []
    for name, options, columns, payload in cases:
        bridge = env.bridge(rule % (options, columns), broker={"max_packet": "2MB" if len(payload) > MB else "256KB"})
        bound = int(re.search("up to ([0-9]+) MB", env.cli("check", config=bridge).out).group(1))
        env.publish([("~/m", payload)])
        env.wait(lambda: bridge.metric("messages_processed_total") == 1, 60, "not processed")  # pylint: disable=cell-var-from-loop
        peak = bridge.rss_peak_mb()
        letters = [letter[2][:60] for letter in env.dead_letters()]
        print(f"     {name:24} {len(payload) / MB:5.2f} MB: {peak:4.0f} of {bound} MB {letters[-1:]}")
        if env.patience == 1 and peak > bound:
            over.append(name)
        goes_back(env, bridge)
        bridge.stop()
    assert not over, over
