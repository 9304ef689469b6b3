"""Nothing lost, nothing twice, in order: whatever is killed, cut off, stopped or full.

The load is numbered messages (scenes.py); the check is SQL over all of them.

SPDX-License-Identifier: MIT
"""

import os
import random
import re
import signal
import time

from bridge import wait_time
from env import ROOT, limit, quick
from scenes import NUMBERED_RULE, check_numbered, interleaved, make_numbered, numbered, stored

SENDERS = ("a", "b", "c")


def kill_nine_in_a_row(env, protocol, qos, kills=10):
    make_numbered(env)
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    bridge = env.bridge(NUMBERED_RULE, broker={"protocol": protocol}, batch={"max_rows": 500})
    load = env.publish_in_background(interleaved(SENDERS, 6000, qos), rate=1500)
    for kill in range(kills):
        if kill % 2:  # while it works, else while it is still getting ready
            bridge.wait_ready()
        wait_time(chance.uniform(0.02, 0.7))
        bridge.kill9()
        bridge.launch()
    assert load.finish() == 18000
    try:
        check_numbered(env, dict.fromkeys(SENDERS, 6000))
        bridge.check_books()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from None
    assert env.dead_letters() == []
    # A kill between CONNECT and CONNACK leaves it open whether the session was still there.
    assert env.sql("select * from mqtt2pg.gap where cause <> 'broker session perhaps lost'") == []


@limit(150)
def test_kill_nine_qos1_mqtt5(env):
    kill_nine_in_a_row(env, "5", 1)


@limit(150)
def test_kill_nine_qos1_mqtt311(env):
    kill_nine_in_a_row(env, "3.1.1", 1)


@limit(150)
def test_kill_nine_qos2_mqtt5(env):
    kill_nine_in_a_row(env, "5", 2)


@quick
def test_kill_nine_once(env):
    """The same in short, for sanitizer runs."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    load = env.publish_in_background(interleaved(SENDERS, 500), rate=1000)
    env.wait(lambda: env.one("select count(*) from numbered") > 100, 20, "nothing is stored")
    bridge.kill9()
    bridge.start(ready=False)
    load.finish()
    check_numbered(env, dict.fromkeys(SENDERS, 500))


# Every named point at which the program can be made to die, and at which passage it does so here.
POINTS = {
    "cli.main.begin": "kill@1",
    "mqtt.connack.after": "kill@1",
    "ack.file.written": "kill@2",
    "ack.publish.before": "kill@2",
    "ack.publish.after": "kill@2",
    "ack.file.deleted": "kill@2",
    "journal.append.before_write": "kill@200",
    "journal.append.after_write": "kill@200",
    "journal.sync.before": "kill@2",
    "journal.sync.after": "kill@2",
    "journal.segment.created": "kill@2",
    "journal.deliveries.kept": "kill@1",
    "journal.segment.delete.before": "kill@1",
    "journal.segment.delete.after": "kill@1",
    "pg.connect": "kill@1",
    "pg.copy.chunk": "kill@2",
    "pg.commit.before": "kill@3",
    "pg.commit.sent": "kill@3",
    "pg.commit.after": "kill@3",
    "pg.steps.sent": "kill@3",
    "store.commit.before": "kill@3",
    "store.commit.after": "kill@3",
}

# Points at which a call can fail, and the work has to go on.
FAILURES = {
    "journal.append.before_write": "fail:ENOSPC@100",
    "journal.segment.delete.before": "fail@1",
    "pg.connect": "fail@1",
    "pg.copy.chunk": "fail@2",
    "pg.commit.before": "fail@2",
    "pg.commit.sent": "fail@2",
    "pg.commit.after": "fail@2",
    "pg.steps.sent": "fail@2",
}


def points_in_the_source():
    found = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "src")):
        for name in files:
            if name.endswith(".c") and not folder.endswith("/base"):
                with open(os.path.join(folder, name)) as file:
                    found |= set(re.findall(r'FAULT\("([^"]+)"\)', file.read()))
    # Tested elsewhere: commands of their own in test_replay.py and test_init.py, "load.column." in test_later_keys.py,
    # "load.partition." in test_partitions.py.
    return {point for point in found if not point.startswith(("replay.", "init.", "load.column.", "load.partition."))}


def test_every_point_of_the_source_is_known(env):
    del env
    there = points_in_the_source()
    assert there == set(POINTS), f"only in src/: {sorted(there - set(POINTS))}; only here: {sorted(set(POINTS) - there)}"


def kill_at(env, points):
    """Killed at each of these points, then started again: nothing lost, nothing twice, every acknowledgment at least once."""
    rules = NUMBERED_RULE.replace("columns", 'ack: { topic = "~/ack/{who}"; fields = { n = "$.n"; }; }; columns')
    make_numbered(env)
    missed = []
    for point in points:
        env.sql("truncate numbered")
        inbox = env.subscribe("~/ack/+")
        # Subscribed before: what is published meets a session, wherever it dies.
        first = env.bridge(rules, name="at-" + point)
        first.stop()
        bridge = env.bridge(rules, faults=f"{point}={POINTS[point]}", name="at-" + point, ready=False,
                            journal={"max_size": "1MB", "keep": "0s", "sync": "50ms"}, batch={"max_rows": 400})
        load = env.publish_in_background(((topic, payload[:-1] + ',"x":"%s"}' % ("x" * 400), qos)
                                          for topic, payload, qos in interleaved(SENDERS, 1000)), rate=4000)
        try:
            code = bridge.wait(25)
        except AssertionError:
            missed.append(point)
            bridge.stop()
            code = -9
        assert code == -signal.SIGKILL, f"{point}: ended with {code}"
        bridge.launch()
        load.finish()
        try:
            check_numbered(env, dict.fromkeys(SENDERS, 1000))
            acknowledged = lambda: len(set((m.topic, m.payload) for m in inbox.messages)) == 3000  # noqa: E731
            env.wait(acknowledged, 20, lambda: f"{len(inbox.messages)} acknowledgments")
        except AssertionError as error:
            raise AssertionError(f"killed at {point}: {error}") from None
        assert bridge.stop() == 0
        inbox.stop()
    assert not missed, f"never reached: {missed}"


@limit(120)
def test_kill_at_each_point_of_the_journal(env):
    kill_at(env, sorted(point for point in POINTS if point.startswith(("mqtt.", "journal."))))


@limit(120)
def test_kill_at_each_point_of_the_acknowledgments(env):
    kill_at(env, sorted(point for point in POINTS if point.startswith("ack.")))


@limit(120)
def test_kill_at_each_point_of_the_transaction(env):
    kill_at(env, sorted(point for point in POINTS if not point.startswith(("mqtt.", "journal.", "ack."))))


@limit(120)
def test_fail_at_each_point(env):
    """The call behind each point fails once: it goes on by itself, nothing lost, nothing twice."""
    make_numbered(env)
    for point, failure in FAILURES.items():
        env.sql("truncate numbered")
        bridge = env.bridge(NUMBERED_RULE, faults=f"{point}={failure}", name="at-" + point,
                            journal={"max_size": "1MB", "keep": "0s"}, batch={"max_rows": 300})
        env.publish((topic, payload[:-1] + ',"x":"%s"}' % ("x" * 400), qos) for topic, payload, qos in interleaved(SENDERS, 1000))
        try:
            check_numbered(env, dict.fromkeys(SENDERS, 1000))
            bridge.check_books()
        except AssertionError as error:
            raise AssertionError(f"{point}={failure}: {error}") from None
        assert bridge.stop() == 0


def under_load(env, disturb, lost, count=3000, rate=1500, least=2, **config):
    """Publishes 3 × count messages and calls disturb(bridge) again and again meanwhile, until the metric `lost` is at least so much."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, batch={"max_rows": 500}, **config)
    load = env.publish_in_background(interleaved(SENDERS, count), rate=rate)
    while load.running() or bridge.metric(lost) < least:
        disturb(bridge)
    load.finish()
    check_numbered(env, dict.fromkeys(SENDERS, count))
    bridge.check_books()
    assert env.sql("select * from mqtt2pg.gap") == []
    assert env.dead_letters() == []
    return bridge


@limit(120)
def test_postgres_is_killed(env):
    """kill -9 of the server, immediate shutdown, restart: by turns, under load."""
    turns = [env.postgres.kill, lambda: env.postgres.stop("immediate"), env.postgres.stop]

    def disturb(bridge):
        wait_time(0.4)
        turns[0]()
        turns.append(turns.pop(0))
        wait_time(0.2)
        env.postgres.start()
        env.wait(lambda: bridge.metric("database_connected") == 1, 30, "not connected again")
    under_load(env, disturb, "database_reconnects_total")


@limit(120)
def test_backend_is_terminated(env):
    def disturb(_):
        wait_time(0.3)
        env.admin("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bridge' and datname = %s "
                  "and application_name <> 'test'", env.database)
    under_load(env, disturb, "database_reconnects_total", least=3)


@limit(120)
def test_backend_is_stopped_for_a_while(env):
    """SIGSTOP of the backend: no error, no progress; SIGCONT: on it goes."""
    def disturb(_):
        pids = env.admin("select pid from pg_stat_activity where usename = 'bridge' and datname = %s "
                         "and application_name <> 'test'", env.database)
        for (pid,) in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_time(1)
        for (pid,) in pids:
            os.kill(pid, signal.SIGCONT)
        wait_time(0.3)
    under_load(env, disturb, "database_reconnects_total", count=1500, least=0)


@limit(120)
def test_database_connection_is_cut_and_stalled(env):
    """A network that cuts, and one that swallows: a black hole is noticed within the statement's deadline or ends by itself."""
    proxy = env.proxy(env.postgres.port)

    def disturb(_):
        wait_time(0.3)
        proxy.cut()
        wait_time(0.3)
        proxy.stalled = True
        wait_time(0.5)
        proxy.cut()
        proxy.stalled = False
    under_load(env, disturb, "database_reconnects_total", database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})


@limit(120)
def test_broker_connection_is_cut_and_delayed(env):
    """Redeliveries after each cut are recognised: cut in mid-stream ten times, with both versions."""
    for protocol in ("5", "3.1.1"):
        env.sql("drop table if exists numbered")
        proxy = env.proxy(env.broker.port)
        chance = random.Random(7)

        def disturb(bridge, proxy=proxy, chance=chance):
            if bridge.metric("broker_connected") == 1:
                wait_time(chance.uniform(0.05, 0.4))
                proxy.delay = chance.choice((0, 0, 0.002))
                proxy.cut()
            wait_time(0.05)
        under_load(env, disturb, "broker_reconnects_total", count=2500,
                   broker={"url": f"mqtt://127.0.0.1:{proxy.port}", "protocol": protocol}).stop()


@limit(120)
def test_broker_restarts(env):
    """Clean restarts of Mosquitto: the session is kept, nothing is stored twice."""
    make_numbered(env)
    broker = env.own_broker().start()
    for protocol in ("5", "3.1.1"):
        env.sql("truncate numbered")
        bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url, "protocol": protocol})
        for part in range(4):
            # The publisher waits for its confirmations; then the broker goes, perhaps before the bridge has everything.
            env.publish(numbered("a", part * 2000, 2000), timeout=30)
            broker.restart()
        check_numbered(env, {"a": 8000})
        bridge.wait_ready()
        bridge.check_books()
        assert bridge.metric("broker_reconnects_total") >= 1
        assert env.sql("select cause from mqtt2pg.gap") == []
        bridge.stop()


@limit(180)
def test_commit_with_unknown_outcome(env):
    """The connection is cut within COMMIT on its way and within the answer on its way back: no gap, no duplicate."""
    make_numbered(env)
    proxy = env.proxy(env.postgres.port)
    parse = b"P\0\0\0\x0e\0commit\0\0\0"                       # the last statement of the batch's message; Bind … Sync follow
    answer = b"C\0\0\0\x0bCOMMIT\0" + b"Z\0\0\0\x05I"           # CommandComplete, ReadyForQuery
    offsets = {"up": [*range(0, len(parse) + 1, 3), 20, 30, 1000], "down": range(0, len(answer) + 1, 3)}
    armed, done = [], []

    def cut_around_commit(link, direction, data):
        at = data.find(parse if direction == "up" else answer)
        if at < 0 or not armed or (direction == "down" and "commit" not in link.state):
            return data, False
        where, offset = armed[0]
        link.state["commit"] = True
        if where != direction:
            return data, False
        done.append(armed.pop())
        return data[:at + offset], True
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    proxy.filter = cut_around_commit
    total = 0
    for where, offset in [(where, offset) for where in offsets for offset in offsets[where]]:
        armed.append((where, offset))
        env.publish(numbered("a", total, 20))
        total += 20
        env.wait(lambda: not armed, 20, lambda: f"COMMIT was not seen for {armed}")
        env.wait(lambda: env.one("select count(*) from numbered") == total, 20, lambda: f"not stored after {done[-1]}")
    check_numbered(env, {"a": total})
    bridge.check_books()


@limit(90)
def test_commit_behind_copy_with_unknown_outcome(env):
    """The same where COMMIT stands in one Query with COPY: the answer is cut off, or the connection right behind the rows."""
    make_numbered(env)
    proxy = env.proxy(env.postgres.port)
    cuts = {b"COMMIT\0Z\0\0\0\x05I": "down", b"c\0\0\0\x04": "up"}  # CommandComplete and ReadyForQuery, CopyDone
    armed = []

    def cut(_link, direction, data):
        at = data.find(armed[0]) if armed and cuts[armed[0]] == direction else -1
        if at < 0:
            return data, False
        armed.pop()
        return data[:at], True
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)},
                        batch={"max_delay": "2s", "max_rows": 3000})
    proxy.filter = cut
    for number, word in enumerate([*cuts, *cuts]):
        armed.append(word)
        env.publish(numbered("a", number * 3000, 3000))
        env.wait(lambda: not armed, 20, lambda: f"not seen: {armed}")
        env.wait(lambda: env.one("select count(*) from numbered") == number * 3000 + 3000, 20, lambda: f"not stored after {word}")
    check_numbered(env, {"a": 12000})
    bridge.check_books()


# --- one identity, two processes

@quick
def test_second_process_on_one_journal(env):
    """It exits with 4 and names the process that has the journal; the first one is not disturbed."""
    make_numbered(env)
    first = env.bridge(NUMBERED_RULE)
    second = env.bridge(NUMBERED_RULE, start=False, journal={"directory": first.journal})
    second.launch()
    assert second.wait(10) == 4
    assert str(first.pid) in second.log(), second.log()
    env.publish(numbered("a", 0, 100))
    check_numbered(env, {"a": 100})


@limit(120)
def test_two_with_one_client_id(env):
    """Another journal, the same client_id: one of them stores, the other says so; nothing lost, nothing twice."""
    make_numbered(env)
    first = env.bridge(NUMBERED_RULE)
    second = env.bridge(NUMBERED_RULE, broker={"client_id": first.client_id}, ready=False)
    assert first.client_id in second.wait_log("not the only one", 30)
    assert second.wait(10) == 4
    env.publish(numbered("a", 0, 3000))
    # Each alone stores what it took.
    for stopped, alone in ((first, second), (second, first)):
        assert stopped.stop() == 0
        if not alone.running():
            alone.start(ready=False)
        alone.wait_ready(60)
        alone.wait_quiet(60)
    assert env.one("select count(distinct n) from numbered") == 3000
    assert env.one("select count(*) from numbered") == 3000


def test_session_of_a_killed_process_lives_on(env):
    """It holds the identity for more than 10 s, for its last statement takes so long: the next process says so, takes no message and waits."""
    env.sql("create table got (id int generated always as identity, v text)")
    bridge = env.bridge('{ name = "got"; topic = "~/t"; format = "text"; table = "got"; columns = { v = "$"; }; }')
    bridge.kill9()
    key = f"hashtextextended('mqtt2pg' || chr(31) || 'mqtt2pg' || chr(31) || '{bridge.client_id}', 0)"
    env.admin(f"select pg_advisory_lock({key})")
    bridge.start(ready=False)
    started = time.monotonic()
    assert "holder=" in bridge.wait_log("waiting for it to end")
    assert "waiting for another session" in bridge.get("/readyz").out
    env.publish([("~/t", "one")])
    env.wait(lambda: time.monotonic() > started + 11 or not bridge.running(), 20, "time stands still")
    assert bridge.running() and bridge.metric("messages_received_total") == 0
    env.admin(f"select pg_advisory_unlock({key})")
    stored(env, "one")


@quick
def test_somebody_else_moves_the_position(env):
    """Another process, which the lock did not keep away, stores the next message under our identity: it is not stored again."""
    env.sql("create table got (id int generated always as identity, v text)")
    bridge = env.bridge('{ name = "got"; topic = "~/t"; format = "text"; table = "got"; columns = { v = "$"; }; }')
    env.publish([("~/t", "one")])
    stored(env, "one")
    bridge.wait_quiet()
    env.sql("with moved as (update mqtt2pg.progress set position = position + 1) insert into got (v) values ('two')")
    env.publish([("~/t", "two")])
    bridge.wait_log("progress is not where this process left it")
    bridge.wait_ready()
    env.publish([("~/t", "three")])
    stored(env, "one", "two", "three")


# --- the disk and the deadline

def test_disk_full_acknowledges_nothing(env):
    """The disk takes nothing any more (fault point): no PUBACK leaves, /readyz says why; what the broker repeats later is stored."""
    env.sql("create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    bridge = env.bridge('{ name = "got"; topic = "t/#"; format = "text"; table = "got"; columns = { v = "$"; }; }',
                        broker={"url": broker.url, "status_topic": ""}, start=False)
    bridge.start(ready=False, faults="journal.append.before_write=fail:ENOSPC@2+")
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.session_present = True
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    session.send("t/x", "two", packet_id=2)
    session.send("t/x", "three", packet_id=3)
    line = bridge.wait_log("No space left")
    assert "WARN" in line or "ERROR" in line, line
    # It tries again from time to time; this broker does not repeat anything, so it looks well in between.
    env.wait(lambda: "journal" in bridge.get("/readyz").out.lower(), 5, lambda: f"/readyz does not say it: {bridge.get('/readyz')}")
    env.holds(lambda: not any(other.has("PUBACK", 2) or other.has("PUBACK", 3) for other in broker.all), 3, "acknowledged")
    bridge.kill9()
    while not broker.sessions.empty():
        broker.sessions.get()
    bridge.binary = env.binary
    bridge.start(ready=False)
    session = broker.accept()
    session.send("t/x", "two", packet_id=2, duplicate=True)
    session.send("t/x", "three", packet_id=3, duplicate=True)
    session.wait("PUBACK", 3)
    stored(env, "one", "two", "three")
    bridge.stop()


def test_failed_sync_ends_the_process(env):
    """fdatasync says EIO: what it covered is not acknowledged (sync = "always"), the process ends, and not with 0."""
    env.sql("create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    bridge = env.bridge('{ name = "got"; topic = "t/#"; format = "text"; table = "got"; columns = { v = "$"; }; }',
                        broker={"url": broker.url, "status_topic": ""}, journal={"sync": "always"}, start=False)
    bridge.start(ready=False, faults="journal.sync.before=fail@3+")
    session = broker.accept()
    session.wait("SUBSCRIBE")
    for packet_id in range(1, 6):
        try:
            session.send("t/x", str(packet_id), packet_id=packet_id)
        except OSError:
            break
    assert bridge.wait(20) in (1, 4), bridge.log()
    assert not session.has("PUBACK", 5), session.received
    assert re.search("sync", bridge.log()), bridge.log()
    bridge.binary = env.binary
    broker.session_present = True
    bridge.start(ready=False)
    acknowledged = [number for name, number in session.received if name == "PUBACK"]
    session = broker.accept()
    for packet_id in range(1, 6):
        if packet_id not in acknowledged:
            session.send("t/x", str(packet_id), packet_id=packet_id, duplicate=True)
    session.wait("PUBACK", 5)
    stored(env, "1", "2", "3", "4", "5")
    bridge.stop()
