"""The proof: what the broker accepted against what the database holds.

Every number of every publisher is, for each rule, in exactly one place: its row or its dead letter, once. Rows of one topic are in the order in
which the broker delivered them. Each acknowledgment came, and none before its row. The books balance.

SPDX-License-Identifier: MIT
"""

import collections
import time

from publishers import BAD_VALUE, FILTERED, GOOD, NOT_JSON, REFUSED_CHECK, REFUSED_KEY, fate
from watcher import number_in
from world import MEMORY_MB

# Which fates a rule stores; of the others, which it puts among the dead letters. What is in neither is filtered.
Expected = collections.namedtuple("Expected", "stored dead")
EXPECTED = {
    "numbered": Expected({GOOD, FILTERED}, {NOT_JSON, BAD_VALUE, REFUSED_CHECK, REFUSED_KEY}),
    "second": Expected({GOOD, FILTERED, REFUSED_CHECK, REFUSED_KEY}, {NOT_JSON, BAD_VALUE}),
    "third": Expected({GOOD, FILTERED, REFUSED_CHECK, REFUSED_KEY}, {NOT_JSON, BAD_VALUE}),
}
# Its table keeps the last row of each topic only.
LATEST = Expected({GOOD, REFUSED_CHECK, REFUSED_KEY}, {NOT_JSON})

# Seconds: to be done after the last disturbance, and without any progress meanwhile.
LONGEST, STANDSTILL = 300, 45

# A bridge that was killed while it connected can't tell whether the session was there, and says so; that nothing was lost is proved here.
HONEST_GAP = "broker session perhaps lost"

COUNTED = ("lost", "twice", "misplaced", "out of order", "acks missing", "acks early", "other")


class Findings:
    """What is wrong: a count of each kind, and some of each in words."""

    def __init__(self):
        self.counts = dict.fromkeys(COUNTED, 0)
        self.words = []
        self.messages = 0
        self.unsure = 0
        self.acks = 0
        self.peak_mb = 0.0

    def add(self, kind, where, items):
        items = list(items)
        self.counts[kind] += len(items)
        if items:
            self.words.append(f"{kind}, {where}: {len(items)}: " + ", ".join(str(item) for item in sorted(items)[:10])
                              + (", …" if len(items) > 10 else ""))

    def merge(self, other):
        for kind, count in other.counts.items():
            self.counts[kind] += count
        self.words += other.words
        self.messages += other.messages
        self.unsure += other.unsure
        self.acks += other.acks
        self.peak_mb = max(self.peak_mb, other.peak_mb)

    def bad(self):
        return any(self.counts.values())

    def line(self):
        return (f"{self.messages} messages, " + ", ".join(f"{self.counts[kind]} {kind}" for kind in COUNTED)
                + f"; {self.acks} acknowledgments, {self.unsure} numbers unsure, at most {self.peak_mb:.0f} MB")


def accepted_numbers(world):
    """(who, lane, number) of all that the broker has, and of those that it may have twice."""
    there, unsure = set(), set()
    for publisher in world.publishers:
        under_way = {(sent.lane, sent.number) for sent in publisher.under_way.values()}
        unsure |= {(publisher.name, *key) for key in publisher.unsure | under_way}
        for lane, count in publisher.counts.items():
            there |= {(publisher.name, lane, number) for number in range(count) if (lane, number) not in under_way}
    return there, unsure


def dead_letters(world):
    """rule → [(who, lane, number)] in the order of their ids."""
    found = collections.defaultdict(list)
    for rule, topic, data in world.env.sql("select rule, topic, payload from mqtt2pg.dead_letter order by id"):
        found["third" if rule.startswith("third") else rule].append((*topic.split("/")[-2:], number_in(data)))
    return found


def repeated(keys, unsure):
    return [key for key, count in collections.Counter(keys).items() if count > 1 and key not in unsure]


def check_rule(findings, rule, rows, dead, accepted, unsure):
    expected = EXPECTED[rule]
    stored, letters = set(rows), set(dead)
    want_stored = {key for key in accepted if fate(key[2]) in expected.stored}
    want_dead = {key for key in accepted if fate(key[2]) in expected.dead}
    findings.add("lost", rule, (want_stored | want_dead) - stored - letters)
    findings.add("twice", f"{rule}, rows", repeated(rows, unsure))
    findings.add("twice", f"{rule}, dead letters", repeated(dead, unsure))
    findings.add("twice", f"{rule}, a row and a dead letter", stored & letters)
    findings.add("misplaced", f"{rule}, in the table", stored & want_dead)
    findings.add("misplaced", f"{rule}, in the dead letters", letters & want_stored)
    findings.add("misplaced", f"{rule}, never accepted", (stored | letters) - accepted - unsure)


def check_latest(findings, world, accepted):
    """Its newest row is the newest number of the topic that it stores; anything else has been lost or has come too late."""
    newest = {}
    for who, lane, number in accepted:
        if fate(number) in LATEST.stored:
            newest[who, lane] = max(number, newest.get((who, lane), -1))
    there = {(who, lane): number for who, lane, number in world.env.sql("select who, lane, n from latest")}
    findings.add("lost", "latest", [(*key, number) for key, number in newest.items() if there.get(key) != number])


def check_extra(findings, world, unsure):
    """Its rule comes and goes: nothing twice, and in order."""
    rows = world.env.sql("select who, lane, n from extra order by id")
    findings.add("twice", "extra", repeated(rows, unsure))
    findings.add("out of order", "extra", world.deliveries.late(rows))


def check_acks(findings, world, accepted):
    seen = world.acks.seen
    stored = EXPECTED["numbered"].stored
    findings.add("acks missing", "none at all", accepted - set(seen))
    findings.add("acks missing", "with another status", [key for key, statuses in seen.items() if key in accepted and statuses !=
                                                         {"stored" if fate(key[2]) in stored else "rejected"}])
    findings.add("acks early", "before the row could be seen", world.acks.early)
    findings.acks = world.acks.arrived


def wait_while_it_moves(world, condition, words):
    """For as long as it takes, if only something is processed or acknowledged every so often: small batches are slow on a busy machine."""
    before, end = None, time.monotonic() + LONGEST * world.env.patience
    since = time.monotonic()
    while not condition():
        moved = world.bridge.metric("messages_processed_total"), world.acks.arrived
        if moved != before:
            before, since = moved, time.monotonic()
        now = time.monotonic()
        if now > end or now > since + STANDSTILL * world.env.patience:
            raise AssertionError(f"{words()} (nothing moved for {now - since:.0f} s)")
        time.sleep(0.1)


def quiet(world):
    """Waits until nothing is on its way any more; what keeps it from that is a finding."""
    env, bridge = world.env, world.bridge
    for publisher in world.publishers:
        publisher.finish()

    def settled():
        metrics = bridge.metrics()
        return (bridge.get("/readyz").code == 200 and metrics.get("journal_messages") == 0 and metrics.get("acks_waiting") == 0
                and env.one("select count(*) from mqtt2pg.dead_letter where parked") == 0)
    accepted, _ = accepted_numbers(world)
    wait_while_it_moves(world, lambda: settled() and accepted <= set(world.acks.seen),
                        lambda: f"not quiet: {bridge.get('/readyz').out.strip()}: {bridge.metric('journal_messages'):.0f} messages in the journal, "
                                f"{bridge.metric('acks_waiting'):.0f} acknowledgments to be sent, "
                                f"{len(accepted - set(world.acks.seen))} not seen, "
                                f"{env.one('select count(*) from mqtt2pg.dead_letter where parked')} parked")


def check(world):
    """Waits for quiet and returns the findings."""
    findings = Findings()
    try:
        quiet(world)
        world.bridge.check_books()
    except AssertionError as error:
        findings.add("other", "at the end", [str(error)])
    world.acks.stop()
    accepted, unsure = accepted_numbers(world)
    dead = dead_letters(world)
    findings.messages, findings.unsure = len(accepted), len(unsure)
    for rule in EXPECTED:
        rows = world.env.sql(f"select who, lane, n from {rule} order by id")
        check_rule(findings, rule, rows, dead[rule], accepted, unsure)
        findings.add("out of order", rule, world.deliveries.late(rows))
    check_latest(findings, world, accepted)
    check_extra(findings, world, unsure)
    check_acks(findings, world, accepted)
    findings.add("other", "gaps", [str(row) for row in world.env.sql("select cause, messages from mqtt2pg.gap where cause <> %s", HONEST_GAP)])
    findings.add("other", "on the way", world.troubles + world.acks.troubles
                 + [trouble for publisher in world.publishers for trouble in publisher.troubles])
    findings.peak_mb = world.memory.peak_mb
    if world.env.patience == 1 and findings.peak_mb > MEMORY_MB:
        findings.add("other", "memory", [f"{findings.peak_mb:.0f} MB resident, not {MEMORY_MB}"])
    return findings


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
