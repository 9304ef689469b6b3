"""The disk below the journal: power cuts, failing syncs and writes, no room, sectors that can't be read, clocks that jump.

The disk is real but for its moods (disk.py); what a power cut leaves of it is worked out from the log of all changes.

SPDX-License-Identifier: MIT
"""

import ctypes
import errno
import os
import random
import re
import shutil
import subprocess

from bridge import wait_time
from deliveries import Deliveries
from disk import Disk
from env import Skip, limit
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered

ACKED_RULE = NUMBERED_RULE.replace("columns", 'ack: { topic = "~/ack/{who}"; fields = { n = "$.n"; }; }; columns')
TEXT_RULE = '{ name = "got"; topic = "t/#"; format = "text"; table = "got"; columns = { v = "$"; }; }'


def seeded():
    seed = int(os.environ.get("MQTT2PG_SEED") or random.SystemRandom().randrange(1 << 32))
    return seed, random.Random(seed)


def acks_of(subscription):
    """{n} that was acknowledged as stored."""
    return {int(found) for payload in subscription.payloads for found in re.findall(r'"n":\s*(\d+)', payload)}


def scripted(env, **journal):
    """A bridge on a scripted broker, and the table for what it stores."""
    env.sql("create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    bridge = env.bridge(TEXT_RULE, broker={"url": broker.url, "status_topic": ""}, journal=journal, start=False)
    return broker, bridge, Disk(env, bridge)


def stored(env, *values):
    env.wait(lambda: env.one("select count(*) from got") >= len(values), 20, lambda: f"stored: {env.sql('select v from got')}")
    there = [value for (value,) in env.sql("select v from got order by id")]
    assert there == list(values), there


# --- the power goes

def cut_again_and_again(env, disk, bridge, chance, cuts):
    """Power cuts at any moment; calls nothing lost or not: yields the model of each."""
    for cut in range(cuts):
        if cut % 3:
            bridge.wait_ready()
        wait_time(chance.uniform(0.01, 0.35))
        bridge.kill9()
        yield disk.cut(chance)
        bridge.launch(disk.environment())


@limit(240)
def test_power_cuts_with_sync_always(env):
    """Nothing that the broker saw acknowledged is lost, nothing is stored twice, every row has its acknowledgment."""
    make_numbered(env)
    seed, chance = seeded()
    proxy, deliveries = env.proxy(env.broker.port), Deliveries()
    proxy.filter = deliveries.look  # QoS 1 and 2 together: Mosquitto may not keep the order of numbers
    bridge = env.bridge(ACKED_RULE, broker={"url": f"mqtt://127.0.0.1:{proxy.port}"},
                        journal={"sync": "always", "max_size": "2MB", "keep": "1s"},
                        batch={"max_delay": "250ms"}, start=False)  # so that something waits in the journal
    disk = Disk(env, bridge)
    acks = env.subscribe("~/ack/#")
    bridge.start(**disk.environment())
    load = env.publish_in_background((message for n in range(2500) for who, qos in (("a", 1), ("b", 2))
                                      for message in numbered(who, n, 1, qos)), rate=900)
    try:
        for _ in cut_again_and_again(env, disk, bridge, chance, 15):
            pass
        assert load.finish() == 5000
        check_numbered(env, {"a": 2500, "b": 2500}, deliveries)
        bridge.wait_ready().check_books()
        env.wait(lambda: bridge.metric("acks_waiting") == 0, 60, lambda: f"{bridge.metric('acks_waiting'):.0f} acknowledgments wait")
        env.wait(lambda: acks_of(acks) == set(range(2500)), 15,
                 lambda: f"without acknowledgment: {sorted(set(range(2500)) - acks_of(acks))[:10]}")
        # Who is cut off while it connects can't tell whether the session was there.
        gaps = env.sql("select cause from mqtt2pg.gap where cause <> 'broker session perhaps lost'")
        assert gaps == [] and env.dead_letters() == [], gaps
    except AssertionError as error:
        raise AssertionError(f"MQTT2PG_SEED={seed}: {error}") from None


def power_cuts_with_delay(env, sync, sync_ms):
    make_numbered(env)
    seed, chance = seeded()
    bridge = env.bridge(NUMBERED_RULE, journal={"sync": sync, "max_size": "2MB", "keep": "1s"}, batch={"max_rows": 100}, start=False)
    disk = Disk(env, bridge)
    bridge.start(**disk.environment())
    load = env.publish_in_background(numbered("a", 0, 3000), rate=1000)
    wait_time(sync_ms / 1000 * 1.5 + 1.5)  # long enough for something to be too old
    try:
        for model in cut_again_and_again(env, disk, bridge, chance, 8):
            # How long a sync takes is in the hand of the machine's disk. Some slack for a thread that waits for its turn.
            age = model.oldest_unsynced_ms(model.last_us, begun=True)
            assert age < sync_ms + 1000, f"no sync has begun for a message of {age:.0f} ms"
        load.finish()
        bridge.wait_ready()
        env.publish(numbered("a", 3000, 10))
        env.wait(lambda: env.one("select count(*) from numbered where n >= 3000") == 10, 15, "it does not go on")
        bridge.check_books()
        twice = env.sql("select n, count(*) from numbered group by n having count(*) > 1 limit 5")
        assert not twice, f"stored twice: {twice}"
        assert "not closed before the machine stopped" in bridge.log()
        gaps = set(env.sql("select cause, messages is null from mqtt2pg.gap where cause <> 'broker session perhaps lost'"))
        assert ("power loss", True) in gaps and gaps <= {("power loss", True), ("journal damaged", False)}, gaps
        assert env.one("select count(*) from mqtt2pg.gap where from_time > to_time") == 0
    except AssertionError as error:
        raise AssertionError(f"MQTT2PG_SEED={seed}: {error}") from None


@limit(90)
def test_power_cuts_with_sync_100ms(env):
    """Only what was younger may be lost; nothing is stored twice; it goes on by itself."""
    power_cuts_with_delay(env, "100ms", 100)


@limit(90)
def test_power_cuts_with_sync_1s(env):
    power_cuts_with_delay(env, "1s", 1000)


def test_database_is_ahead_of_the_journal(env):
    """What was stored but not synced is gone from the journal: those rows are not stored again, and new messages are stored."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"sync": "1s"}, start=False)
    disk = Disk(env, bridge)
    bridge.start()
    assert bridge.stop() == 0  # that it was closed once is on the disk, and must not be what is believed later
    for cut in range(3):
        bridge.start(**disk.environment())
        disk.set(sync_hang=1)  # nothing of what comes reaches the disk
        env.publish(numbered("a", 100 * cut, 100))
        env.wait_rows("numbered", 100 * cut + 100)
        bridge.kill9()
        disk.set(sync_hang=0)
        disk.cut(bytes_mood="lost", entries_mood="lost")
    # What comes now has numbers that the database has never seen, also when it has to wait and the bridge is killed meanwhile.
    env.postgres.stop()
    bridge.start(ready=False, **disk.environment())
    bridge.wait_subscribed()
    env.publish(numbered("a", 300, 50))
    env.wait(lambda: bridge.metric("messages_journaled_total") >= 50, 10, "not journaled")
    bridge.kill9()
    env.postgres.start()
    bridge.start(**disk.environment())
    env.publish(numbered("a", 350, 50))
    check_numbered(env, {"a": 400})
    bridge.check_books()


def test_redelivery_is_recognised_after_a_power_cut(env):
    """The cut came between the journal and the PUBACK: the numbers that are left out then do not hide what the broker may repeat."""
    broker, bridge, disk = scripted(env, sync="always")
    for cut in range(3):
        bridge.start(ready=False, **disk.environment())
        session = broker.accept()
        if not broker.session_present:
            session.wait("SUBSCRIBE")
            broker.session_present = True
        session.send("t/x", "one", packet_id=1, duplicate=cut > 0)
        session.wait("PUBACK", 1)
        bridge.kill9()
        disk.cut(bytes_mood="lost", entries_mood="lost")
    bridge.start(ready=False, **disk.environment())
    session = broker.accept()
    session.send("t/x", "two", packet_id=2)
    session.wait("PUBACK", 2)
    stored(env, "one", "two")


def test_deleted_journal_takes_nothing(env):
    """Somebody deletes the journal under the running bridge: no PUBACK, /readyz says why, a restart begins anew."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 5))
    env.wait_rows("numbered", 5)
    shutil.rmtree(bridge.journal)
    env.publish(numbered("a", 5, 5))
    env.wait(lambda: bridge.get("/readyz").code == 503 and "deleted" in bridge.get("/readyz").out, 20, "/readyz says so")
    bridge.wait_log("files were deleted")
    bridge.restart()
    check_numbered(env, {"a": 10})


def test_redelivery_of_deleted_messages_after_a_power_cut(env):
    """What stays of messages that a small journal deletes is on disk before they go."""
    broker, bridge, disk = scripted(env, sync="always", keep="0s", max_size="1MB")
    bridge.start(ready=False, **disk.environment())
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.session_present = True
    values = [f"{packet_id} " + "x" * 20000 for packet_id in range(1, 101)]
    for start in range(0, 100, 20):
        for packet_id in range(start + 1, start + 21):
            session.send("t/x", values[packet_id - 1], packet_id=packet_id)
        session.wait("PUBACK", start + 20)
        stored(env, *values[:start + 20])
    bridge.kill9()
    disk.cut(bytes_mood="lost", entries_mood="lost")
    bridge.start(ready=False, **disk.environment())
    session = broker.accept()
    for packet_id in range(1, 101):
        session.send("t/x", values[packet_id - 1], packet_id=packet_id, duplicate=True)
    session.send("t/x", "new", packet_id=101)
    session.wait("PUBACK", 101)
    stored(env, *values, "new")


def test_redelivery_is_recognised_after_power_cuts_in_a_row(env):
    """Nothing came between the cuts, and the position has gone over the numbers that the first one left out: they are no messages."""
    broker, bridge, disk = scripted(env, sync="always", keep="0s")
    bridge.start(ready=False, **disk.environment())
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.session_present = True
    session.send("t/x", "one", packet_id=1)
    stored(env, "one")
    bridge.wait_ready()  # killed before CONNACK, it could not know whether the session was lost
    for cut in range(1, 4):
        bridge.kill9()
        disk.cut(bytes_mood="kept", entries_mood="kept")
        bridge.start(ready=False, **disk.environment())
        session = broker.accept()
        env.wait(lambda: env.one("select max(position) from mqtt2pg.progress") >= cut << 32, 10, "the position stays")
        env.wait(lambda: re.search(rf"stored up to +{env.one('select max(position) from mqtt2pg.progress'):,}\n",
                                   env.cli("journal", "info", config=bridge).out), 10, "the position is not written down")
        bridge.wait_ready()
    session.send("t/x", "one", packet_id=1, duplicate=True)
    session.send("t/x", "two", packet_id=2)
    session.wait("PUBACK", 2)
    stored(env, "one", "two")
    assert "damaged" not in bridge.log(), bridge.log()[-1000:]
    assert env.sql("select * from mqtt2pg.gap") == []


def test_names_that_were_not_synced(env):
    """Segments made, renamed and deleted, files of acknowledgments: with "always" a lost directory entry costs nothing."""
    make_numbered(env)
    bridge = env.bridge(ACKED_RULE, journal={"sync": "always", "max_size": "1MB", "keep": "0s"}, start=False)
    disk = Disk(env, bridge)
    acks = env.subscribe("~/ack/#")
    # Dies when the first transaction with acknowledgments is committed and they are not yet published.
    bridge.start(ready=False, faults="store.commit.after=kill@1", **disk.environment())
    bridge.wait_subscribed()
    env.publish(numbered("a", 0, 50))
    assert bridge.wait() == -9
    disk.cut(bytes_mood="lost", entries_mood="lost")
    bridge.start(**disk.environment())
    env.wait(lambda: acks_of(acks) == set(range(50)), 15, lambda: f"acknowledged: {len(acks_of(acks))}")
    # Several segments that wait, and then several that are deleted.
    env.postgres.stop()
    env.publish(("~/n/a", '{"n":%d,"x":"%s"}' % (n, "x" * 700), 1) for n in range(50, 750))
    env.wait(lambda: bridge.metric("journal_messages") == 700, 15, lambda: bridge.metric("journal_messages"))
    bridge.kill9()
    model = disk.cut(bytes_mood="lost", entries_mood="lost")
    assert sum(".segment" in name for name in model.directories[""].names) > 4, model.directories[""].names
    env.postgres.start()
    bridge.start(**disk.environment())
    check_numbered(env, {"a": 750})
    bridge.kill9()
    disk.cut(bytes_mood="lost", entries_mood="lost")
    bridge.start(**disk.environment())
    env.publish(numbered("a", 750, 10))
    check_numbered(env, {"a": 760})
    assert env.sql("select * from mqtt2pg.gap") == []


# --- syncs and writes that fail

def fails_once(env, sync, **mood):
    """The disk fails while message 2 is written: exit 1, no PUBACK for it; nothing lost after a restart."""
    broker, bridge, disk = scripted(env, sync=sync)
    bridge.start(ready=False, **disk.environment())
    session = broker.accept()
    session.wait("SUBSCRIBE")
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    stored(env, "one")
    env.wait(lambda: env.one("select max(position) from mqtt2pg.progress") == 1, 20, "no position")
    env.wait(lambda: disk.model().oldest_unsynced_ms(disk.now_us()) == 0, 20, "it is not synced")
    disk.set(**mood)
    session.send("t/x", "two", packet_id=2)
    code = bridge.wait(20)
    disk.calm()
    assert code == 1, f"exit code {code}: {bridge.log()[-800:]}"
    return broker, bridge, disk, session


def goes_on_after(env, broker, bridge, disk, session, cut):
    acknowledged = session.has("PUBACK", 2)
    if cut:
        disk.cut(bytes_mood="lost")
    broker.session_present = True
    bridge.start(ready=False, **disk.environment(again=not cut))
    again = broker.accept()
    if not acknowledged:
        again.send("t/x", "two", packet_id=2, duplicate=True)
    again.send("t/x", "three", packet_id=3)
    again.wait("PUBACK", 3)
    stored(env, "one", "two", "three")


def test_sync_fails_once_with_always(env):
    """One EIO of fdatasync: the end, exit code 1, nothing acknowledged that it covered, no second try; then nothing is lost."""
    run = fails_once(env, "always", sync_name=".segment", sync_errno=errno.EIO, sync_count=1)
    assert not run[3].has("PUBACK", 2), run[3].received
    assert run[2].get("syncs_failed") == 1 and run[2].get("syncs_after_failed") == 0, "the sync was tried again"
    assert "could not sync" in run[1].log()
    goes_on_after(env, *run, cut=True)


def test_sync_fails_once_with_delay(env):
    """The same in the background: what was acknowledged is in the page cache still, and is written again after the restart."""
    run = fails_once(env, "100ms", sync_name=".segment", sync_errno=errno.EIO, sync_count=1)
    assert run[2].get("syncs_failed") == 1 and run[2].get("syncs_after_failed") == 0, "the sync was tried again"
    goes_on_after(env, *run, cut=False)
    run[1].kill9()
    there = [bytes(file.content) for name, file in run[2].model().directories[""].now.items() if name.endswith(".segment")]
    assert any(b"two" in content for content in there), "what the failed sync left in memory is not on the disk"


def test_write_fails(env):
    """EIO of a write: the end, exit code 1, no PUBACK."""
    run = fails_once(env, "100ms", write_name=".segment", write_errno=errno.EIO, write_count=1)
    assert not run[3].has("PUBACK", 2), run[3].received
    assert "Input/output error" in run[1].log()
    goes_on_after(env, *run, cut=False)


def test_writes_are_short(env):
    """Each write takes seven bytes at most: slower, and nothing else."""
    make_numbered(env)
    bridge = env.bridge(ACKED_RULE, start=False)
    disk = Disk(env, bridge)
    disk.set(write_short=7)
    acks = env.subscribe("~/ack/#")
    bridge.start(**disk.environment())
    env.publish(numbered("a", 0, 200))
    check_numbered(env, {"a": 200})
    env.wait(lambda: acks_of(acks) == set(range(200)), 15, "acknowledgments are missing")
    bridge.check_books()
    bridge.kill9()
    verify = env.cli("journal", "verify", config=bridge)
    assert verify.code == 0 and "200 messages sound" in verify.out, verify


def test_no_room_for_a_message(env):
    """ENOSPC in the middle of a record: no PUBACK, said, and when there is room everything arrives once."""
    broker, bridge, disk = scripted(env, sync="always")
    bridge.start(ready=False, **disk.environment())
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.session_present = True
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    stored(env, "one")
    disk.set(write_name=".segment", write_errno=errno.ENOSPC)
    session.send("t/x", "two", packet_id=2)
    line = bridge.wait_log("No space left")
    assert "WARN" in line and "journal is full" in line, line
    env.wait(lambda: bridge.get("/readyz").code == 503 and "journal" in bridge.get("/readyz").out, 5,
             lambda: f"/readyz does not say it: {bridge.get('/readyz')}")
    assert not any(each.has("PUBACK", 2) for each in broker.all)
    disk.calm()

    def acknowledged():  # on this connection, or on the next one
        while not broker.sessions.empty():
            each = broker.sessions.get()
            if not each.client_id.endswith("-ack"):
                each.send("t/x", "two", packet_id=2, duplicate=True)
        return any(each.has("PUBACK", 2) for each in broker.all)
    env.wait(acknowledged, 20, "it does not go on")
    stored(env, "one", "two")
    bridge.stop()


@limit(90)
def test_disk_is_full_and_has_room_again(env):
    """A quota is hit while messages come in and the database is away; the broker keeps the rest; lifted, all arrives once."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "8MB"}, start=False)
    disk = Disk(env, bridge)
    bridge.start(**disk.environment())
    env.postgres.stop()
    disk.set(quota=disk.used() + 700 * 1024)
    env.publish(("~/n/a", '{"n":%d,"x":"%s"}' % (n, "x" * 1000), 1) for n in range(3000))
    bridge.wait_log("no room on the disk")
    env.wait(lambda: bridge.get("/readyz").code == 503 and "journal" in bridge.get("/readyz").out, 10, "/readyz does not say it")
    assert bridge.metric("journal_messages") < 3000
    disk.set(quota=-1)
    env.wait(lambda: bridge.metric("journal_messages") == 3000, 30, lambda: f"{bridge.metric('journal_messages')} journaled")
    env.postgres.start()
    check_numbered(env, {"a": 3000})
    bridge.check_books()
    assert env.sql("select * from mqtt2pg.gap") == []


@limit(90)
def test_no_room_to_set_an_acknowledgment_aside(env):
    """The broker ends the connection at one acknowledgment, and the disk is full: it is given up where it is, and those behind it go out."""
    make_numbered(env)
    rule = NUMBERED_RULE.replace("{who}\"; qos", "{who}/{rest...}\"; qos")
    bridge = env.bridge(rule.replace("columns", 'ack: { topic = "~/ack/{rest}/{rest}"; fields = { n = "$.n"; }; }; columns'), start=False)
    disk = Disk(env, bridge)
    acks = env.subscribe("~/ack/#")
    bridge.start(**disk.environment())
    # The message has fewer than 200 levels, its acknowledgment more: Mosquitto ends the connection of who publishes that.
    env.publish([(topic + ("/a" * 120 if n == 2 else "/b"), *rest) for n, (topic, *rest) in enumerate(numbered("a", 0, 10))])
    bridge.wait_log("acknowledgments wait")
    disk.set(write_name="outbox/", write_errno=errno.ENOSPC)
    bridge.wait_log("could not set an acknowledgment aside.*No space left", 20)
    bridge.wait_log("an acknowledgment is given up", 20)
    env.wait(lambda: acks_of(acks) == set(range(10)) - {2}, 20, lambda: acks_of(acks))
    check_numbered(env, {"a": 10})


def test_no_room_for_acknowledgments(env):
    """The disk is full when acknowledgments are written: the batch waits, one line says why, and nothing is lost, stored twice or stuck."""
    make_numbered(env)
    bridge = env.bridge(ACKED_RULE, start=False)
    disk = Disk(env, bridge)
    acks = env.subscribe("~/ack/#")
    bridge.start(**disk.environment())
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})
    disk.set(write_name="outbox/", write_errno=errno.ENOSPC)
    env.publish(numbered("a", 10, 300))
    line = bridge.wait_log("acknowledgments: .*No space left")
    assert "can't store now" in line and ".ack" in line, line
    env.wait(lambda: disk.get("writes_failed") > 3, 20, "it does not try again")
    assert env.one("select count(*) from numbered") == 10, "stored without its acknowledgments"
    assert len(re.findall("No space left", bridge.log())) <= 2, bridge.log()[-2000:]
    env.wait(lambda: bridge.get("/readyz").code == 503, 5, "/readyz says it is well")
    disk.calm()
    check_numbered(env, {"a": 310})
    env.wait(lambda: acks_of(acks) == set(range(310)), 15, "acknowledgments are missing")
    env.wait(lambda: bridge.get("/readyz").code == 200, 5, lambda: bridge.get("/readyz").out)
    bridge.check_books()


def test_acknowledgments_cannot_be_synced(env):
    """EIO of fdatasync of the outbox: the end, said as what it is; after a restart all is stored once and acknowledged."""
    make_numbered(env)
    bridge = env.bridge(ACKED_RULE, start=False)
    disk = Disk(env, bridge)
    acks = env.subscribe("~/ack/#")
    bridge.start(**disk.environment())
    disk.set(sync_name=".ack", sync_errno=errno.EIO, sync_count=1)
    env.publish(numbered("a", 0, 100))
    assert bridge.wait() == 1, bridge.log()[-800:]
    assert "acknowledgments" in bridge.log() and "the database is damaged" not in bridge.log(), bridge.log()[-800:]
    assert disk.get("syncs_after_failed") == 0, "the sync was tried again"
    disk.calm()
    disk.cut(bytes_mood="lost", entries_mood="lost")
    bridge.start(**disk.environment())
    env.wait(lambda: acks_of(acks) == set(range(100)) or env.one("select count(*) from numbered") < 100, 15, "no acknowledgments")


def test_slow_syncs(env):
    """A disk that hangs for a while: with "always" messages wait for it, and nothing else happens."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"sync": "always"}, start=False)
    disk = Disk(env, bridge)
    bridge.start(**disk.environment())
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})
    disk.set(sync_name=".segment", sync_hang=1)
    env.publish(numbered("a", 10, 10))
    env.holds(lambda: env.one("select count(*) from numbered") == 10, 1, "stored before it was on the disk")
    disk.set(sync_hang=0)
    check_numbered(env, {"a": 20})
    bridge.check_books()


@limit(90)
def test_small_tmpfs(env):
    """A real full disk: no SIGBUS, the broker keeps what finds no room, and it goes on by itself."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "16MB", "keep": "0s"}, start=False)
    os.makedirs(bridge.journal, mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", bridge.journal], capture_output=True, check=False)
    if mounted.returncode != 0:
        raise Skip(f"tmpfs can't be mounted here: {mounted.stderr.decode().strip()}")
    env.closing.insert(-1, lambda: subprocess.run(["umount", "-l", bridge.journal], check=False))
    bridge.start()
    env.postgres.stop()
    env.publish(("~/n/a", '{"n":%d,"x":"%s"}' % (n, "x" * 1000), 1) for n in range(5000))
    bridge.wait_log("no room on the disk")
    assert bridge.running() and bridge.metric("journal_messages") < 4000
    env.wait(lambda: "disk is full: make room" in bridge.get("/readyz").out, 10, lambda: bridge.get("/readyz"))
    assert "disk is full: make room" in env.cli("status", config=bridge).out
    env.postgres.start()
    check_numbered(env, {"a": 5000})
    bridge.check_books()
    assert bridge.stop() == 0


@limit(60)
def test_disk_smaller_than_a_segment(env):
    """A segment of this max_size has 4 MB, the disk 2: smaller ones serve, and what passes through may be more than the disk."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "64MB", "keep": "0s"}, start=False)
    os.makedirs(bridge.journal, mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", bridge.journal], capture_output=True, check=False)
    if mounted.returncode != 0:
        raise Skip(f"tmpfs can't be mounted here: {mounted.stderr.decode().strip()}")
    env.closing.insert(-1, lambda: subprocess.run(["umount", "-l", bridge.journal], check=False))
    bridge.start()
    env.publish(("~/n/a", '{"n":%d,"x":"%s"}' % (n, "x" * 1000), 1) for n in range(4000))
    check_numbered(env, {"a": 4000})
    bridge.check_books()
    assert bridge.stop() == 0


# --- sectors that can't be read, files that are no journal of ours

def segments(bridge):
    return sorted(name for name in os.listdir(bridge.journal) if name.endswith(".segment"))


@limit(90)
def test_sectors_that_cannot_be_read(env):
    """One bad page costs what stands in it: the start and the rest of the journal go on, the loss is counted and said."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "4MB", "keep": "0s"}, start=False)
    disk = Disk(env, bridge)
    places = {  # the name of the file, from where to where
        "amid the oldest": lambda names: (names[0], 20 * 4096, 21 * 4096),
        "header": lambda names: (names[-2], 0, 4096),
        "amid the newest": lambda names: (names[-1], 4096, 8192),
        "position": lambda names: ("position", 0, 3 * 4096),
    }
    first = 0
    for place, where in places.items():
        bridge.start(**disk.environment())
        env.postgres.stop()
        env.publish(("~/n/a", '{"n":%d,"x":"%s"}' % (n, "x" * 1000), 1) for n in range(first, first + 600))
        env.wait(lambda: bridge.metric("journal_messages") == 600, 15, f"{place}: not journaled")
        bridge.kill9()
        name, begin, end = where(segments(bridge))
        disk.set(read_name=name, read_from=begin, read_to=end, read_errno=errno.EIO)
        env.postgres.start()
        bridge.start(**disk.environment())
        bridge.wait_quiet()
        there, different = env.sql("select count(*), count(distinct n) from numbered where n >= %s", first)[0]
        lost = 600 - there
        assert there == different, f"{place}: {there - different} stored twice"
        assert (lost == 0) if place == "position" else (1 <= lost <= 6), f"{place}: {lost} lost"
        assert bridge.metric("journal_damaged_total") == lost, f"{place}: {bridge.metric('journal_damaged_total')} counted, {lost} lost"
        env.publish([("~/n/a", '{"n":%d}' % (first + 600), 1)])
        env.wait(lambda: env.one("select max(n) from numbered") == first + 600, 10, f"{place}: does not go on")
        assert bridge.stop() == 0
        disk.calm()
        first += 601
    assert env.one("select sum(messages) from mqtt2pg.gap") == first - env.one("select count(*) from numbered")


def test_damaged_parts_stay_for_a_person(env):
    """What is set aside is never deleted by the program, but said at each start, in `journal info` and in the metrics."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})
    bridge.kill9()
    name = os.path.join(bridge.journal, segments(bridge)[-1])
    with open(name, "r+b") as file:
        end = len(file.read().rstrip(b"\0"))
        file.seek(end + 64)
        file.write(b"x" * 1000)
    bridge.start()
    bridge.restart()
    line = bridge.wait_log("set aside")
    assert "WARN" in line and "files=1" in line, line
    aside = os.path.join(bridge.journal, "damaged")
    bytes_there = sum(os.path.getsize(os.path.join(aside, name)) for name in os.listdir(aside))
    assert bytes_there > 1000
    assert bridge.metric("journal_set_aside_bytes") == bytes_there
    info = env.cli("journal", "info", config=bridge)
    assert re.search(r"set aside +1\d\d\d in damaged/ \(1 file\)", info.out), info
    env.publish(numbered("a", 10, 10))
    check_numbered(env, {"a": 20})
    for each in os.listdir(aside):
        os.unlink(os.path.join(aside, each))
    env.wait(lambda: bridge.metric("journal_set_aside_bytes") == 0, 5, "still counted")
    assert "set aside" not in env.cli("journal", "info", config=bridge).out


def refused(bridge, what):
    """One line that says why, and exit code 4."""
    before = len(bridge.log())
    bridge.launch()
    assert bridge.wait(10) == 4, bridge.log()[before:]
    said = [line for line in bridge.log()[before:].splitlines() if "ERROR" in line or "WARN" in line]
    assert len(said) == 1 and re.search(what, said[0]), said


def test_journals_that_are_not_ours(env):
    """A later format, another kind of file, another journal's segment, a locked directory: refused, and nothing is touched."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    assert os.stat(bridge.journal).st_mode & 0o777 == 0o700
    assert all(os.stat(os.path.join(bridge.journal, name)).st_mode & 0o077 == 0 for name in os.listdir(bridge.journal))
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})
    second = env.bridge(NUMBERED_RULE, start=False, journal={"directory": bridge.journal})
    refused(second, f"in use by process {bridge.pid}")
    assert bridge.stop() == 0
    name = os.path.join(bridge.journal, segments(bridge)[-1])
    with open(name, "rb") as file:
        sound = file.read()
    xxhash = ctypes.CDLL("libxxhash.so.0")
    xxhash.XXH3_64bits.restype = ctypes.c_uint64
    later = sound[:8] + (int.from_bytes(sound[8:12], "little") + 1).to_bytes(4, "little") + sound[12:56]
    later += xxhash.XXH3_64bits(later, ctypes.c_size_t(56)).to_bytes(8, "little") + sound[64:]
    for content, what in ((later, "later version"), (sound, None)):
        with open(name, "wb") as file:
            file.write(content)
        if what:
            refused(bridge, what)
            with open(name, "rb") as file:
                assert file.read() == content, "it was changed"
    os.unlink(os.path.join(bridge.journal, "position"))
    with open(name, "wb") as file:
        file.write(b"GIF89a, and no journal at all" * 100)
    refused(bridge, "not a segment of a journal")
    with open(name, "wb") as file:
        file.write(sound)
    bridge.start()
    env.publish(numbered("a", 10, 10))
    check_numbered(env, {"a": 20})


# --- memory and the clock

def test_limits_of_memory(env):
    """Where an allocation could fail instead of ending the process, it does not start; strict overcommit is worth a warning."""
    bridge = env.bridge(TEXT_RULE, start=False)
    for option, name in (("-v", "RLIMIT_AS"), ("-d", "RLIMIT_DATA")):
        done = subprocess.run(["bash", "-c", f'ulimit {option} 4000000 && exec "$@"', "bash", bridge.binary, "--config", bridge.file,
                               "run"], capture_output=True, timeout=20, check=False, env=env.environment)
        said = done.stderr.decode()
        assert done.returncode == 4 and f"{name} is limited" in said and "unlimited" in said, said
    disk = Disk(env, bridge)
    disk.proc_file("overcommit_memory", "2")
    bridge.start(**disk.environment())
    assert "WARN" in bridge.wait_log("overcommit_memory")
    disk.proc_file("overcommit_memory", "0")
    bridge.restart(**disk.environment())
    assert len(re.findall("overcommit_memory", bridge.log())) == 1


DAY_US = 86400 * 1000000


@limit(90)
def test_clock_jumps(env):
    """The time of day jumps by days while it works: nothing stalls, the order stays, nothing is lost or deleted."""
    make_numbered(env)
    bridge = env.bridge(ACKED_RULE, journal={"max_size": "1MB", "keep": "1h"}, batch={"max_delay": "200ms"}, start=False)
    disk = Disk(env, bridge)
    bridge.start(**disk.environment())
    load = env.publish_in_background((("~/n/a", '{"n":%d,"x":"%s"}' % (n, "x" * 700), 1) for n in range(1000)), rate=300)
    for number, jump in enumerate((0, DAY_US, -DAY_US, 30 * DAY_US, 0, -DAY_US)):
        disk.set(clock_us=jump)
        env.wait(lambda: env.one("select count(*) from numbered") > 150 * number, 10, f"it stalls after a jump of {jump // DAY_US} days")
    load.finish()
    check_numbered(env, {"a": 1000})
    assert len(segments(bridge)) > 4
    info = env.cli("journal", "info", config=bridge)
    assert re.search(r"first message +1\n", info.out), f"deleted early: {info.out}"
    bridge.check_books()
    bridge.kill9()
    model = disk.model()
    assert model.oldest_unsynced_ms(model.last_us) < 1000, "the syncs wait for the clock"


def test_wrong_clock_is_told(env):
    """A Raspberry Pi without a battery: log, page, `status` and `check` tell a wrong clock, until somebody sets it; rows go on."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, start=False)
    disk = Disk(env, bridge)
    disk.set(clock_us=400 * DAY_US + DAY_US // 2)
    bridge.start(**disk.environment())
    headline = lambda: bridge.get("/status.json").json["summary"]["headline"]
    bridge.wait_log("this machine's clock and PostgreSQL's differ")
    assert "400 days ahead of PostgreSQL's" in bridge.log()
    env.wait(lambda: headline() == "This machine's clock is 400 days ahead of PostgreSQL's.", 15, headline)
    assert "400 days ahead of PostgreSQL's" in env.cli("status", config=bridge).out
    assert abs(bridge.metric("clock_ahead_seconds") - 400.5 * 86400) < 60
    checked = env.cli("check", "--database", config=bridge, environment=disk.environment(again=True))
    assert checked.code == 0 and "warning: this machine's clock is 400 days ahead of PostgreSQL's" in checked.out, checked
    for clock_us, expected in ((-3630 * 1000000, "This machine's clock is 60 min behind PostgreSQL's."), (0, "All is well.")):
        disk.set(clock_us=clock_us)  # on the same connection
        env.wait(lambda: headline() == expected, 15, headline)
    bridge.wait_log("this machine's clock and PostgreSQL's agree again")
    assert bridge.get("/status.json").json["clock_ahead_seconds"] == 0 == bridge.metric("clock_ahead_seconds")
    assert bridge.log().count("this machine's clock and PostgreSQL's differ") == 2, bridge.log()
    assert "this machine's clock" not in env.cli("check", "--database", config=bridge).out
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
