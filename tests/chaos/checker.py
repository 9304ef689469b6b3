"""The proof: what the broker accepted against what the database holds.

Every number of every publisher is, for each rule, in exactly one place: its row or its dead letter, once. Rows of one topic are in the order in
which the broker delivered them, whatever rules made them. Each acknowledgment came, and none before its row. The books balance.

SPDX-License-Identifier: MIT
"""

import collections
import time

from publishers import BAD_VALUE, FILTERED, GOOD, NOT_JSON, REFUSED_CHECK, REFUSED_KEY, REFUSED_ODD, fate
from watcher import number_in
from world import MEMORY_MB

# Which fates a rule stores; of the others, which it puts among the dead letters. What is in neither is filtered.
Expected = collections.namedtuple("Expected", "stored dead")
LENIENT = Expected({GOOD, FILTERED, REFUSED_CHECK, REFUSED_KEY, REFUSED_ODD}, {NOT_JSON, BAD_VALUE})
EXPECTED = {
    "numbered": Expected({GOOD, FILTERED}, {NOT_JSON, BAD_VALUE, REFUSED_CHECK, REFUSED_KEY, REFUSED_ODD}),
    "second": LENIENT,
    "third": LENIENT,
    "pair": LENIENT,
}
# Their tables keep the last row of each topic only.
LATEST = {GOOD, REFUSED_CHECK, REFUSED_KEY, REFUSED_ODD}
LAST = {GOOD, BAD_VALUE, FILTERED, REFUSED_CHECK, REFUSED_KEY, REFUSED_ODD}

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


def accepted_numbers(publishers):
    """(who, lane, number) of all that the broker has, and of those that it may have twice."""
    there, unsure = set(), set()
    for publisher in publishers:
        under_way = {(sent.lane, sent.number) for sent in publisher.under_way.values()}
        unsure |= {(publisher.name, *key) for key in publisher.unsure | under_way}
        for lane, count in publisher.counts.items():
            there |= {(publisher.name, lane, number) for number in range(count) if (lane, number) not in under_way}
    return there, unsure


def dead_letters(world, bridge):
    """A bridge's: rule → [(who, lane, number)] in the order of their ids. "third_wide" counts as "third"."""
    found = collections.defaultdict(list)
    for rule, topic, data in world.env.sql("select rule, topic, substring(payload for 100) from mqtt2pg.dead_letter where client_id = %s "
                                           "order by id", bridge.client_id):
        found[rule.split("_")[0]].append((*topic.split("/")[-2:], number_in(data)))
    return found


def repeated(keys, unsure):
    return [key for key, count in collections.Counter(keys).items() if count > 1 and key not in unsure]


def check_rule(findings, rule, rows, dead, accepted, unsure):
    expected = EXPECTED.get(rule, LENIENT)
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
        if fate(number) in LATEST:
            newest[who, lane] = max(number, newest.get((who, lane), -1))
    there = {(who, lane): number for who, lane, number in world.env.sql("select who, lane, n from latest")}
    findings.add("lost", "latest", [(*key, number) for key, number in newest.items() if there.get(key) != number])


def check_last(findings, world, accepted):
    """Two rules update the row of a topic, whichever its number belongs to: the message that came last is there."""
    there = {(who, lane): number for who, lane, number in world.env.sql("select who, lane, n from last")}
    wanted = {(who, lane) for who, lane, number in accepted if fate(number) in LAST}
    findings.add("lost", "last", wanted - set(there))
    rows = [key for key in accepted if fate(key[2]) in LAST and key[2] != there.get(key[:2])]
    late = world.deliveries.late(sorted(rows, key=lambda key: world.deliveries.first.get(key, 0))
                                 + [(*topic, number) for topic, number in there.items()])
    findings.add("out of order", "last", [key for key in late if key[2] == there.get(key[:2])])


def check_other(findings, world, accepted, unsure):
    """The second bridge has its own rows and letters, and no others."""
    rows = world.env.sql("select who, lane, n from mirror order by id")
    dead = dead_letters(world, world.other)
    check_rule(findings, "mirror", rows, dead["numbered"], {key for key in accepted if key[1] == "a"}, unsure)
    findings.add("misplaced", "rules of the second bridge", set(dead) - {"numbered"})
    strangers = world.env.sql("select client_id, count(*) from mqtt2pg.dead_letter where client_id is null or client_id not in (%s, %s) group by 1",
                              world.bridge.client_id, world.other.client_id)
    findings.add("misplaced", "letters of nobody", map(str, strangers))


def check_asked(findings, world):
    """Each request is a row, and each honest one was answered."""
    accepted, unsure = accepted_numbers([world.asker])
    rows = [(*path.split("/")[-2:], number) for path, number in world.env.sql("select path, n from asked order by id")]
    findings.add("lost", "asked", accepted - set(rows))
    findings.add("twice", "asked", repeated(rows, unsure))
    findings.add("misplaced", "asked, never accepted", set(rows) - accepted - unsure)
    honest = {key for key in accepted if key[1] == "a"}
    findings.add("acks missing", "honest answers", [key for key in honest if world.acks.seen.get(key) != {"stored"}])


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
        moved = (world.bridge.metric("messages_processed_total"), world.other.metric("messages_processed_total"), world.acks.arrived)
        if moved != before:
            before, since = moved, time.monotonic()
        now = time.monotonic()
        if now > end or now > since + STANDSTILL * world.env.patience:
            raise AssertionError(f"{words()} (nothing moved for {now - since:.0f} s)")
        time.sleep(0.1)


def quiet(world):
    """
    Waits until nothing is on its way any more; what keeps it from that is a finding. Honest requests go on until all hostile answers
    have been given up: an answer is given up only while others are taken.
    """
    env, bridge = world.env, world.bridge
    world.asker.calm = True
    for publisher in world.publishers:
        publisher.finish()

    def is_idle(one):
        metrics = one.metrics()
        return one.get("/readyz").code == 200 and metrics.get("journal_messages") == 0 and metrics.get("acks_waiting") == 0

    def settled():
        return is_idle(bridge) and is_idle(world.other) and env.one("select count(*) from mqtt2pg.dead_letter where parked") == 0
    accepted, _ = accepted_numbers(world.publishers)

    def words():
        return (f"not quiet: {bridge.get('/readyz').out.strip()}: {bridge.metric('journal_messages'):.0f} messages in the journal, "
                f"{bridge.metric('acks_waiting'):.0f} acknowledgments to be sent, {len(accepted - set(world.acks.seen))} not seen, "
                f"{env.one('select count(*) from mqtt2pg.dead_letter where parked')} parked; second bridge: "
                f"{world.other.get('/readyz').out.strip()}: {world.other.metric('journal_messages'):.0f} messages in the journal")
    wait_while_it_moves(world, lambda: settled() and accepted <= set(world.acks.seen), words)
    world.asker.finish()
    asked = {key for key in accepted_numbers([world.asker])[0] if key[1] == "a"}
    wait_while_it_moves(world, lambda: settled() and asked <= set(world.acks.seen), words)


def check(world):
    """Waits for quiet and returns the findings."""
    findings = Findings()
    try:
        quiet(world)
        world.bridge.check_books()
        world.other.check_books()
        for bridge in (world.bridge, world.other):  # whatever the edits, some rule takes each topic
            unmatched = bridge.metric("messages_unmatched_total")
            findings.add("other", f"{bridge.name}, unmatched", [unmatched] if unmatched else [])
    except AssertionError as error:
        findings.add("other", "at the end", [str(error)])
    world.acks.stop()
    accepted, unsure = accepted_numbers(world.publishers)
    dead = dead_letters(world, world.bridge)
    findings.messages, findings.unsure = len(accepted), len(unsure)
    for rule in EXPECTED:
        rows = world.env.sql(f"select who, lane, n from {rule} order by id")
        check_rule(findings, rule, rows, dead[rule], accepted, unsure)
        findings.add("out of order", rule, world.deliveries.late(rows))
    check_latest(findings, world, accepted)
    check_last(findings, world, accepted)
    check_other(findings, world, accepted, unsure)
    check_asked(findings, world)
    check_extra(findings, world, unsure)
    check_acks(findings, world, accepted)
    findings.add("other", "gaps", [str(row) for row in world.env.sql("select cause, messages from mqtt2pg.gap where cause <> %s", HONEST_GAP)])
    findings.add("other", "on the way", world.troubles + world.acks.troubles
                 + [trouble for publisher in (*world.publishers, world.asker) for trouble in publisher.troubles])
    findings.peak_mb = max(memory.peak_mb for memory in world.memories)
    if world.env.patience == 1 and findings.peak_mb > MEMORY_MB:
        findings.add("other", "memory", [f"{findings.peak_mb:.0f} MB resident, not {MEMORY_MB}"])
    return findings


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
