"""Nothing lost, nothing twice, in order: whatever is killed, cut off, stopped or full.

The load is numbered messages (scenes.py); the check is SQL over all of them.

SPDX-License-Identifier: MIT
"""

import os
import random
import re
import signal

from bridge import wait_time
from env import ROOT, limit, quick
from scenes import NUMBERED_RULE, check_numbered, interleaved, make_numbered, numbered

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
    "journal.segment.delete.before": "kill@1",
    "journal.segment.delete.after": "kill@1",
    "pg.connect": "kill@1",
    "pg.copy.chunk": "kill@2",
    "pg.commit.before": "kill@3",
    "pg.commit.sent": "kill@3",
    "pg.commit.after": "kill@3",
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
}


def points_in_the_source():
    found = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "src")):
        for name in files:
            if name.endswith(".c") and not folder.endswith("/base"):
                with open(os.path.join(folder, name)) as file:
                    found |= set(re.findall(r'FAULT\("([^"]+)"\)', file.read()))
    return found


def test_every_point_of_the_source_is_known(env):
    del env
    there = points_in_the_source()
    assert there == set(POINTS), f"only in src/: {sorted(there - set(POINTS))}; only here: {sorted(set(POINTS) - there)}"


@limit(240)
def test_kill_at_each_point(env):
    """Killed at each named point, then started again: nothing lost, nothing twice, every acknowledgment at least once."""
    rules = NUMBERED_RULE.replace("columns", 'ack: { topic = "~/ack/{who}"; fields = { n = "$.n"; }; }; columns')
    make_numbered(env)
    missed = []
    for point in sorted(points_in_the_source() & set(POINTS)):
        env.sql("truncate numbered")
        inbox = env.subscribe("~/ack/+")
        # Subscribed before: what is published meets a session, wherever it dies.
        first = env.bridge(rules, name="at-" + point)
        first.stop()
        bridge = env.bridge(rules, faults=f"{point}={POINTS[point]}", name="at-" + point, ready=False,
                            journal={"max_size": "1MB", "keep": "0s", "sync": "50ms"}, batch={"max_rows": 400})
        load = env.publish_in_background(((topic, payload[:-1] + ',"x":"%s"}' % ("x" * 400), qos)
                                          for topic, payload, qos in interleaved(SENDERS, 2000)), rate=4000)
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
            check_numbered(env, dict.fromkeys(SENDERS, 2000))
            acknowledged = lambda: len(set((m.topic, m.payload) for m in inbox.messages)) == 6000  # noqa: E731
            env.wait(acknowledged, 20, lambda: f"{len(inbox.messages)} acknowledgments")
        except AssertionError as error:
            raise AssertionError(f"killed at {point}: {error}") from None
        assert bridge.stop() == 0
        inbox.stop()
    assert not missed, f"never reached: {missed}"


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


def under_load(env, disturb, count=3000, rate=1500, seconds=60, **config):
    """Publishes 3 × count messages and calls disturb(bridge) again and again meanwhile."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, batch={"max_rows": 500}, **config)
    load = env.publish_in_background(interleaved(SENDERS, count), rate=rate)
    while load.running():
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

    def disturb(_):
        wait_time(0.4)
        turns[0]()
        turns.append(turns.pop(0))
        wait_time(0.2)
        env.postgres.start()
    bridge = under_load(env, disturb)
    assert bridge.metric("database_reconnects_total") >= 2


@limit(120)
def test_backend_is_terminated(env):
    def disturb(_):
        wait_time(0.3)
        env.admin("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bridge' and datname = %s "
                  "and application_name <> 'test'", env.database)
    bridge = under_load(env, disturb)
    assert bridge.metric("database_reconnects_total") >= 3


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
    under_load(env, disturb, count=1500)


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
    bridge = under_load(env, disturb, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    assert bridge.metric("database_reconnects_total") >= 2


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
        bridge = under_load(env, disturb, count=2500, broker={"url": f"mqtt://127.0.0.1:{proxy.port}", "protocol": protocol})
        assert bridge.metric("broker_reconnects_total") >= 2
        bridge.stop()


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


def test_broker_session_lost_is_a_gap(env):
    """The broker forgets the session: one row in mqtt2pg.gap with the time span, and it goes on."""
    make_numbered(env)
    broker = env.own_broker(persistence="false").start()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url})
    env.publish(numbered("a", 0, 10))
    env.wait_rows("numbered", 10)
    broker.restart()
    bridge.wait_log("session")
    bridge.wait_ready()
    env.wait(lambda: env.one("select count(*) from mqtt2pg.gap") == 1, 15, "no row in mqtt2pg.gap")
    env.wait(lambda: bridge.metric("gaps_total") == 1, 5, "the metric does not tell of it")
    cause, client, valid = env.sql("select cause, client_id, from_time <= to_time and to_time <= noticed_at + interval '1 second' "
                                   "from mqtt2pg.gap")[0]
    assert "session" in cause and client == bridge.client_id and valid
    env.publish(numbered("a", 10, 10))
    check_numbered(env, {"a": 20})


@limit(180)
def test_commit_with_unknown_outcome(env):
    """The connection is cut at every byte of COMMIT on its way and of the answer on its way back: no gap, no duplicate."""
    make_numbered(env)
    proxy = env.proxy(env.postgres.port)
    commit = b"Q\0\0\0\x0bcommit\0"                      # Query
    answer = b"C\0\0\0\x0bCOMMIT\0" + b"Z\0\0\0\x05I"     # CommandComplete, ReadyForQuery
    cuts = [("up", offset) for offset in range(len(commit) + 1)] + [("down", offset) for offset in range(len(answer) + 1)]
    done, odd = [], []

    def cut_around_commit(link, direction, data):
        at = data.lower().find(commit.lower())
        if direction == "up" and at >= 0 and cuts:
            where, offset = cuts[0]
            if where == "up":
                done.append(cuts.pop(0))
                return data[:at + offset], True
            link.state["answer"] = offset
        elif direction == "down" and "answer" in link.state:
            if data != answer:
                odd.append(data)
            done.append(cuts.pop(0))
            return data[:link.state.pop("answer")], True
        return data, False
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    proxy.filter = cut_around_commit
    total = 0
    while cuts:
        before = len(done)
        env.publish(numbered("a", total, 50))
        total += 50
        env.wait(lambda b=before: len(done) > b, 20, lambda: f"COMMIT was not seen for {cuts[:1]}")
    env.publish(numbered("a", total, 50))
    check_numbered(env, {"a": total + 50})
    bridge.check_books()
    assert len(done) == len(commit) + 1 + len(answer) + 1 and not odd, (len(done), odd)


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
    line = second.wait_log("client_id|client id|identity|another", 30)
    assert first.client_id in line or "another" in line, line
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


# --- outages

def test_memory_does_not_grow_while_the_database_is_away(env):
    """200,000 messages wait in the journal; the process stays small, and they drain when the database is back."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 200000))
    env.wait(lambda: bridge.metric("journal_messages") == 200000, 60, lambda: f"{bridge.metric('journal_messages')} in the journal")
    health = bridge.get("/readyz")
    assert health.code == 503 and "database" in health.out.lower(), health
    assert env.patience > 1 or bridge.rss_peak_mb() <= 64, f"{bridge.rss_peak_mb():.0f} MB"
    env.postgres.start()
    check_numbered(env, {"a": 200000})
    assert env.patience > 1 or bridge.rss_peak_mb() <= 64, f"{bridge.rss_peak_mb():.0f} MB"


def test_starts_fast_with_a_backlog(env):
    """Killed with 200,000 waiting messages: ready in under 2 seconds, then drained."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 200000))
    env.wait(lambda: bridge.metric("journal_messages") == 200000, 60, lambda: f"{bridge.metric('journal_messages')} in the journal")
    bridge.kill9()
    env.postgres.start()
    bridge.start(ready=False)
    bridge.wait_ready(2)
    check_numbered(env, {"a": 200000})
    bridge.check_books()


@limit(120)
def test_journal_full(env):
    """max_size reached with the database away: it stops taking and says so, the broker keeps the rest, and all is stored later."""
    for protocol in ("5", "3.1.1"):
        env.sql("drop table if exists numbered")
        make_numbered(env)
        bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "1MB"}, broker={"protocol": protocol})
        env.postgres.stop()
        env.publish([(topic, payload[:-1] + ',"x":"%s"}' % ("x" * 300), qos) for topic, payload, qos in numbered("a", 0, 20000)])
        env.wait(lambda b=bridge: b.get("/readyz").code == 503 and "journal" in b.get("/readyz").out.lower(), 20,
                 lambda b=bridge: f"/readyz says nothing of the journal: {b.get('/readyz').out}")
        bridge.wait_log("journal")
        size = sum(entry.stat().st_size for entry in os.scandir(bridge.journal) if entry.is_file())
        assert size <= 1.3 * 1024 * 1024, f"the journal takes {size} bytes"
        waiting = bridge.metric("journal_messages")
        assert 500 < waiting < 20000, waiting
        env.postgres.start()
        check_numbered(env, {"a": 20000})
        bridge.wait_ready()
        bridge.check_books()
        assert env.sql("select * from mqtt2pg.gap") == []
        bridge.stop()


def test_journal_full_and_killed(env):
    """The same with kill -9 at the full journal: it starts with the full journal and drains it."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "1MB"})
    env.postgres.stop()
    env.publish([(topic, payload[:-1] + ',"x":"%s"}' % ("x" * 300), qos) for topic, payload, qos in numbered("a", 0, 8000)])
    env.wait(lambda: "journal" in bridge.get("/readyz").out.lower(), 20, "not full")
    bridge.kill9()
    bridge.start(ready=False)
    env.wait(lambda: bridge.get("/healthz").code == 200, 10, "does not start with a full journal")
    env.postgres.start()
    check_numbered(env, {"a": 8000})


# --- a rule's table

def test_table_missing_at_first(env):
    """Its messages are parked, the other rule goes on; when the table appears they are stored by themselves, in order."""
    make_numbered(env)
    rules = NUMBERED_RULE + """, { name = "other"; topic = "~/n/{who}"; table = "other"; columns = { n = "$.n"; }; }"""
    bridge = env.bridge(rules)
    env.publish(numbered("a", 0, 500))
    check_numbered(env, {"a": 500})
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked and rule = 'other'") == 500, 15,
             "not parked")
    assert "other" in bridge.wait_log("other.*does not exist|does not exist.*other|missing.*other|other.*missing")
    env.sql("create table other (id int generated always as identity, n int)")
    load = env.publish_in_background(numbered("a", 500, 500), rate=200)  # new ones meanwhile
    load.finish()
    env.wait_rows("other", 1000, 45)
    assert [row[0] for row in env.sql("select n from other order by id")] == list(range(1000)), "not in order"
    assert env.dead_letters() == []
    bridge.check_books()


def test_table_renamed_away_and_back(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 300))
    env.wait_rows("numbered", 300)
    env.sql("alter table numbered rename to away")
    env.publish(numbered("a", 300, 300))
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 300, 20, "not parked")
    env.sql("alter table away rename to numbered")
    env.publish(numbered("a", 600, 300))
    env.wait_rows("numbered", 900, 45)
    check_numbered(env, {"a": 900})
    assert env.dead_letters() == []
    bridge.check_books()


def test_table_denied_and_granted(env):
    make_numbered(env)
    env.admin("alter table numbered owner to test; grant select, insert on numbered to bridge")
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 100))
    env.wait(lambda: env.admin("select count(*) from numbered") == [(100,)], 15, "not stored")
    env.admin("revoke insert on numbered from bridge")
    env.publish(numbered("a", 100, 100))
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked") == 100, 20, "not parked")
    bridge.kill9()
    bridge.start()
    env.admin("grant insert on numbered to bridge")
    env.publish(numbered("a", 200, 100))
    check_numbered(env, {"a": 300})
    assert env.dead_letters() == []


@quick
def test_denied_rule_leaves_the_others_alone(env):
    """Also while its table is looked at again, which happens every five seconds."""
    env.sql("create table good (n int)")
    env.admin("create table denied (n int); grant select on denied to bridge")
    bridge = env.bridge('{ name = "good"; topic = "~/good"; table = "good"; columns = { n = "$.n"; }; },'
                        '{ name = "denied"; topic = "~/denied"; table = "denied"; columns = { n = "$.n"; }; }')
    for n in range(40):
        env.publish([("~/good", '{"n": %d}' % n), ("~/denied", '{"n": %d}' % n)])
        env.wait(lambda: env.one("select count(*) from good") == n + 1, 3, "the denied rule stands in the way")
        wait_time(0.2)
    assert bridge.metric("database_reconnects_total") == 0
    env.admin("grant insert on denied to bridge")
    env.wait(lambda: env.admin("select count(*), count(distinct n) from denied") == [(40, 40)], 15, "not stored when it was granted")
    env.wait(lambda: env.dead_letters() == [], 10, env.dead_letters)


# --- the database goes back in time

@limit(120)
def test_database_restored_to_an_older_state(env):
    """A copy of the database from before: what it lacks is stored again from the journal."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 1000))
    check_numbered(env, {"a": 1000})
    bridge.wait_quiet()
    env.make_database(env.database + "_other")  # only to know that the name is free
    env.admin("select 1")
    bridge.signal(signal.SIGSTOP)
    for key in list(env._connections):
        env._connections.pop(key).close()
    admin = env.run.connect("postgres").cursor()
    admin.execute(f"drop database {env.database}_other")
    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (env.database,))
    env.wait(lambda: not (admin.execute("select 1 from pg_stat_activity where datname = %s", (env.database,)) or admin.fetchall()))
    admin.execute(f"create database {env.database}_old template {env.database} owner bridge")
    bridge.signal(signal.SIGCONT)
    bridge.wait_ready()
    env.publish(numbered("a", 1000, 1000))
    check_numbered(env, {"a": 2000})
    bridge.wait_quiet()
    for connection in env._connections.values():
        connection.close()
    admin.execute(f"drop database {env.database} with (force)")
    admin.execute(f"alter database {env.database}_old rename to {env.database}")
    check_numbered(env, {"a": 2000})
    bridge.wait_ready()
    env.publish(numbered("a", 2000, 100))
    check_numbered(env, {"a": 2100})
    assert env.sql("select * from mqtt2pg.gap") == []


# --- redelivery, word for word

def scripted(env, version, qos=1):
    """A bridge on a scripted broker, its session, and the function that counts rows of a payload."""
    env.sql("drop table if exists got; create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    bridge = env.bridge('{ name = "got"; topic = "t/#"; qos = %d; format = "text"; table = "got"; columns = { v = "$"; }; }' % qos,
                        broker={"url": broker.url, "protocol": "5" if version == 5 else "3.1.1", "status_topic": ""}, ready=False)
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.session_present = True
    return broker, bridge, session


def stored(env, *values):
    env.wait(lambda: [row[0] for row in env.sql("select v from got order by id")] == list(values), 15,
             lambda: f"rows {[row[0] for row in env.sql('select v from got order by id')]}, not {list(values)}")


@quick
def test_redelivery_is_recognised(env):
    """The broker never got the PUBACK: DUP, same identifier, same content, on the next connection: not stored again."""
    for version in (4, 5):
        broker, bridge, session = scripted(env, version)
        for packet_id, value in ((1, "one"), (2, "two"), (3, "three")):
            session.send("t/x", value, packet_id=packet_id)
        session.wait("PUBACK", 3)
        session.drop()
        session = broker.accept()
        session.send("t/x", "two", packet_id=2, duplicate=True)
        session.send("t/x", "three", packet_id=3, duplicate=True)
        session.send("t/x", "four", packet_id=4)
        session.wait("PUBACK", 4)
        session.wait("PUBACK", 2)
        stored(env, "one", "two", "three", "four")
        assert bridge.metric("messages_duplicate_total") == 2
        bridge.stop()


@quick
def test_redelivery_is_recognised_after_kill(env):
    """The same over kill -9: the memory is rebuilt from the journal."""
    for version in (4, 5):
        broker, bridge, session = scripted(env, version)
        for packet_id in (1, 2, 3):
            session.send("t/x", str(packet_id), packet_id=packet_id)
        session.wait("PUBACK", 3)
        bridge.kill9()
        bridge.start(ready=False)
        session = broker.accept()
        for packet_id in (2, 3):
            session.send("t/x", str(packet_id), packet_id=packet_id, duplicate=True)
        session.send("t/x", "4", packet_id=4)
        session.wait("PUBACK", 4)
        stored(env, "1", "2", "3", "4")
        bridge.stop()


@quick
def test_look_alikes_are_no_redelivery(env):
    """Same content again, identifiers used again, DUP of something that never came: all genuine, all stored."""
    for version in (4, 5):
        broker, bridge, session = scripted(env, version)
        session.send("t/x", "same", packet_id=1)
        session.wait("PUBACK", 1)
        session.send("t/x", "same", packet_id=2)          # another message with the same content
        session.wait("PUBACK", 2)
        session.send("t/x", "same", packet_id=1)          # the identifier is free again
        session.send("t/y", "last", packet_id=7)
        session.wait("PUBACK", 7)
        stored(env, "same", "same", "same", "last")
        session.drop()
        session = broker.accept()
        session.send("t/x", "never came", packet_id=9, duplicate=True)   # sent, yet lost on the way
        session.send("t/y", "other content", packet_id=7, duplicate=True)
        session.send("t/x", "same", packet_id=2)          # no DUP: a new message
        session.wait("PUBACK", 2)
        stored(env, "same", "same", "same", "last", "never came", "other content", "same")
        assert bridge.metric("messages_duplicate_total") == 0
        bridge.stop()


def test_redelivery_with_other_numbers(env):
    """RabbitMQ numbers the messages of each connection anew: A=1 … H=8, acknowledged 2 and 6, come again as A=1 C=2 D=3 …"""
    broker, bridge, session = scripted(env, 4)
    for packet_id, value in enumerate("ABCDEFGH", 1):
        session.send("t/x", value, packet_id=packet_id)
    session.wait("PUBACK", 8)
    session.drop()
    session = broker.accept()
    for packet_id, value in enumerate("ACDEGH", 1):
        session.send("t/x", value, packet_id=packet_id, duplicate=True)
    session.send("t/x", "I", packet_id=7, duplicate=True)  # was lost on the way
    session.send("t/x", "J", packet_id=8)
    session.wait("PUBACK", 8)
    stored(env, *"ABCDEFGHIJ")
    assert bridge.metric("messages_duplicate_total") == 6
    bridge.stop()


def test_new_session_means_new_messages(env):
    """session present = 0: the broker has forgotten; what looks like a repeat is none."""
    broker, bridge, session = scripted(env, 5)
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    stored(env, "one")
    session.drop()
    broker.session_present = False
    session = broker.accept()
    session.wait("SUBSCRIBE")
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    stored(env, "one", "one")
    env.wait(lambda: env.one("select count(*) from mqtt2pg.gap") == 1, 15, "the lost session is no row in mqtt2pg.gap")
    bridge.stop()


def test_session_present_subscribes_nothing_again(env):
    broker, bridge, session = scripted(env, 5)
    session.drop()
    session = broker.accept()
    session.send("t/x", "one", packet_id=1)
    session.wait("PUBACK", 1)
    assert not [item for item in session.received if item[0] in ("SUBSCRIBE", "UNSUBSCRIBE")], session.received
    bridge.stop()


@quick
def test_exactly_once_with_qos2(env):
    """MQTT 5, QoS 2: repeats of PUBLISH before PUBREC, PUBREL after a new connection, kill -9 in between: one row each."""
    broker, bridge, session = scripted(env, 5, qos=2)
    session.send("t/x", "one", qos=2, packet_id=1)
    session.wait("PUBREC", 1)
    session.drop()
    session = broker.accept()
    session.pubrel(1)
    session.wait("PUBCOMP", 1)
    session.send("t/x", "two", qos=2, packet_id=2)
    session.wait("PUBREC", 2)
    session.drop()                                        # PUBREC got lost
    session = broker.accept()
    session.send("t/x", "two", qos=2, packet_id=2, duplicate=True)
    session.wait("PUBREC", 2)
    bridge.kill9()
    bridge.start(ready=False)
    session = broker.accept()
    session.send("t/x", "two", qos=2, packet_id=2, duplicate=True)
    session.wait("PUBREC", 2)
    session.pubrel(2)
    session.wait("PUBCOMP", 2)
    session.send("t/x", "three", qos=2, packet_id=3)
    session.wait("PUBREC", 3)
    session.pubrel(3)
    session.wait("PUBCOMP", 3)
    stored(env, "one", "two", "three")
    bridge.stop()


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
    env.holds(lambda: not any(other.has("PUBACK", 2) or other.has("PUBACK", 3) for other in broker.all), 3, "acknowledged")
    env.wait(lambda: bridge.get("/readyz").code == 503 and "journal" in bridge.get("/readyz").out.lower(), 5,
             lambda: f"/readyz does not say it: {bridge.get('/readyz')}")
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


@limit(90)
def test_stopped_backend_is_given_up(env):
    """A backend that is stopped for good: noticed within database.statement_timeout; when it is gone, on it goes."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, database={"statement_timeout": "2s", "connect_timeout": "3s"})
    env.publish(numbered("a", 0, 100))
    check_numbered(env, {"a": 100})
    pids = [pid for (pid,) in env.admin("select pid from pg_stat_activity where usename = 'bridge' and datname = %s "
                                        "and application_name <> 'test'", env.database)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        env.publish(numbered("a", 100, 100))
        env.wait(lambda: bridge.metric("database_connected") == 0 or bridge.metric("database_reconnects_total") > 0, 15,
                 "the stopped backend is not noticed")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    check_numbered(env, {"a": 200})
    bridge.check_books()


def test_damaged_journal_is_reported(env):
    """A flipped byte amid waiting messages: all others are stored, the missing one is a row in mqtt2pg.gap, verify says so."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 1000))
    env.wait(lambda: bridge.metric("journal_messages") == 1000, 10, "not in the journal")
    bridge.kill9()
    hit = None
    for folder, _, files in os.walk(bridge.journal):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                data = file.read()
            if b'{"n":500}' in data:
                hit = (path, data.index(b'{"n":500}') + 5)
    with open(hit[0], "r+b") as file:
        file.seek(hit[1])
        file.write(b"X")
    verify = env.cli("journal", "verify", config=bridge)
    assert verify.code == 1 and "1 damaged" in verify.out, verify
    env.postgres.start()
    bridge.start()
    env.wait_rows("numbered", 999)
    env.wait(lambda: env.one("select count(*) from mqtt2pg.gap") == 1, 10, "no row in mqtt2pg.gap")
    assert env.sql("select messages, cause like '%%journal%%' from mqtt2pg.gap where client_id = %s", bridge.client_id) == [(1, True)]
    assert env.one("select count(*) from numbered where n = 500") == 0
    bridge.check_books()


def test_session_parameters_on_the_wire(env):
    """CONNECT keeps the session: clean start 0, expiry as configured; never 0xFFFFFFFF, which Paho would turn into 255 seconds."""
    for text, seconds in (("7d", 7 * 86400), ("1h", 3600)):
        broker = env.scripted_broker()
        bridge = env.bridge('{ name = "r"; topic = "t"; format = "text"; table = "r"; columns = { v = "$"; }; }',
                            broker={"url": broker.url, "session_expiry": text, "receive_maximum": 77, "max_packet": "64KB",
                                    "keepalive": "33s"}, ready=False)
        session = broker.accept()
        assert (session.version, session.clean, session.keepalive) == (5, False, 33)
        found = session.properties
        assert b"\x11" + seconds.to_bytes(4, "big") in found, found.hex()
        assert b"\x21\0\x4d" in found and b"\x27\0\1\0\0" in found, found.hex()
        bridge.kill9()
