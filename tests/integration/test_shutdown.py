"""SIGTERM ends it in time and loses nothing; SIGHUP takes a new configuration or refuses it whole.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import signal
import time

from bridge import wait_time
from env import limit, quick
from scenes import NUMBERED_RULE, check_numbered, interleaved, make_numbered, numbered

SENDERS = ("a", "b", "c")


@quick
@limit(120)
def test_term_under_load(env):
    """Again and again in mid-stream: exit code 0 within `shutdown`, what it took is stored, the rest waits in the broker."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, shutdown="10s")
    load = env.publish_in_background(interleaved(SENDERS, 2000), rate=1500)
    while load.running():
        bridge.wait_ready()
        wait_time(0.2)
        start = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - start < 12 * env.patience
        # Stopped in peace: nothing is left in the journal.
        info = env.cli("journal", "info", config=bridge)
        assert info.code == 0, info
        bridge.launch()
    load.finish()
    check_numbered(env, dict.fromkeys(SENDERS, 2000))
    bridge.check_books()
    assert env.sql("select * from mqtt2pg.gap") == []


def test_everything_taken_is_stored_at_the_end(env):
    """What had been journaled when SIGTERM came is in the table when the process has ended."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish(numbered("a", 0, 30000))
    taken = bridge.metric("messages_journaled_total")
    assert bridge.stop() == 0
    assert env.one("select count(*) from numbered") >= taken > 0
    bridge.start()
    check_numbered(env, {"a": 30000})


@quick
def test_several_batches_are_stored_at_the_end(env):
    """The database is slow, and many batches wait when SIGTERM comes: all of them are stored."""
    make_numbered(env)
    env.sql("create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.03); return new; end'; "
            "create trigger slow before insert on numbered for each row execute function slow()")
    bridge = env.bridge(NUMBERED_RULE, batch={"max_rows": 10})
    env.publish(numbered("a", 0, 80))
    env.wait(lambda: bridge.metric("messages_journaled_total") == 80, 10, "not in the journal")
    assert bridge.stop() == 0
    assert env.one("select count(*) from numbered") == 80


@quick
def test_term_with_the_database_down(env):
    """Ends quickly with 0; the journal keeps the messages."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, shutdown="3s")
    env.postgres.stop()
    env.publish(numbered("a", 0, 1000))
    env.wait(lambda: bridge.metric("journal_messages") == 1000, 20, "not in the journal")
    start = time.monotonic()
    assert bridge.stop() == 0
    assert time.monotonic() - start < 12 * env.patience, f"took {time.monotonic() - start:.1f} s"
    env.postgres.start()
    bridge.start()
    check_numbered(env, {"a": 1000})


def test_term_with_a_stalled_database(env):
    """A black hole on the way to the database: the deadline holds."""
    make_numbered(env)
    proxy = env.proxy(env.postgres.port)
    bridge = env.bridge(NUMBERED_RULE, shutdown="3s", database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)})
    proxy.stalled = True
    env.publish(numbered("a", 0, 1000))
    env.wait(lambda: bridge.metric("messages_journaled_total") == 1000, 20, "not in the journal")
    start = time.monotonic()
    assert bridge.stop() == 0
    assert time.monotonic() - start < 12 * env.patience, f"took {time.monotonic() - start:.1f} s"
    proxy.cut()
    proxy.stalled = False
    bridge.start()
    check_numbered(env, {"a": 1000})


def test_term_without_broker_and_database(env):
    """Never connected: ends at once, with 0; SIGINT does the same."""
    broker = env.own_broker()
    for number in (signal.SIGTERM, signal.SIGINT):
        bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url}, ready=False, shutdown="5s",
                            database={"conninfo": "host=127.0.0.1 port=1 dbname=x"})
        env.wait(lambda b=bridge: b.get("/healthz").code == 200, 10, "not alive")
        start = time.monotonic()
        bridge.signal(number)
        assert bridge.wait(10) == 0
        assert time.monotonic() - start < 5 * env.patience


def test_sends_acknowledgments_before_it_ends(env):
    make_numbered(env)
    inbox = env.subscribe("~/ack/+")
    bridge = env.bridge(NUMBERED_RULE.replace("columns", 'ack: { topic = "~/ack/{who}"; fields = { n = "$.n"; }; }; columns'))
    env.publish(numbered("a", 0, 3000))
    assert bridge.stop() == 0
    there = env.one("select count(*) from numbered")
    env.wait(lambda: len({m.payload for m in inbox.messages}) >= there, 20,
             lambda: f"{len(inbox.messages)} acknowledgments for {there} rows")


# --- SIGHUP

@quick
def test_reload_takes_new_rules(env):
    """Another rule and another table under load, without losing a message."""
    make_numbered(env)
    env.sql("create table second (n bigint)")
    bridge = env.bridge(NUMBERED_RULE)
    load = env.publish_in_background(interleaved(SENDERS, 1000), rate=1000)
    wait_time(0.5)
    bridge.configure(NUMBERED_RULE + ', { name = "second"; topic = "~/second"; table = "second"; columns = { n = "$.n"; }; }')
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("reload|configuration")
    env.wait(lambda: (env.publish([("~/second", '{"n": 1}')]), wait_time(0.1), env.one("select count(*) from second"))[2], 15,
             "the new rule stores nothing")
    load.finish()
    check_numbered(env, dict.fromkeys(SENDERS, 1000))
    bridge.check_books()
    # And away again: what is published on it then is no longer taken.
    env.sql("truncate second")
    bridge.configure(NUMBERED_RULE)
    bridge.signal(signal.SIGHUP)
    env.publish(numbered("d", 0, 10))
    check_numbered(env, {**dict.fromkeys(SENDERS, 1000), "d": 10})
    assert bridge.stop() == 0


@limit(120)
def test_reload_again_and_again_under_load(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    load = env.publish_in_background(interleaved(SENDERS, 2000), rate=1500)
    extra, turn = ', { name = "x%d"; topic = "~/x/%d"; table = "numbered"; columns = { n = "$.n"; topic = "@topic"; }; }', 0
    while load.running():
        turn += 1
        bridge.configure(NUMBERED_RULE + (extra % (turn, turn) if turn % 2 else ""))
        bridge.signal(signal.SIGHUP)
        wait_time(0.2)
    load.finish()
    check_numbered(env, dict.fromkeys(SENDERS, 2000))
    bridge.check_books()
    assert env.dead_letters() == []


@quick
def test_bad_configuration_is_refused_whole(env):
    """One mistake: nothing of the new file counts, each mistake is told with its line, the old one goes on."""
    make_numbered(env)
    env.sql("create table other (n int)")
    bridge = env.bridge(NUMBERED_RULE)
    with open(bridge.file) as file:
        good = file.read()
    bridge.configure(NUMBERED_RULE + ', { name = "other"; topic = "~/other"; tabel = "other"; columns = { n = "$.n"; }; }',
                     batch={"max_rows": 0}, log={"format": "json"})
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("tabel")
    bridge.wait_log("max_rows")
    bridge.wait_log("reload refused")
    env.publish([("~/other", '{"n": 1}'), *(numbered("a", 0, 100))])
    check_numbered(env, {"a": 100})
    assert bridge.running() and env.one("select count(*) from other") == 0
    assert not [line for line in bridge.log().splitlines() if line.startswith("{")], "the new file's log.format counts"
    bridge.write(good)
    bridge.signal(signal.SIGHUP)
    env.publish(numbered("a", 100, 100))
    check_numbered(env, {"a": 200})
    os.unlink(bridge.file)
    bridge.signal(signal.SIGHUP)
    env.publish(numbered("a", 200, 100))
    check_numbered(env, {"a": 300})
    assert bridge.running()


def test_reload_says_what_needs_a_restart(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    bridge.configure(journal={"directory": bridge.folder + "/elsewhere"})
    bridge.signal(signal.SIGHUP)
    assert "restart" in bridge.wait_log("journal.directory")
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})


@quick
def test_reload_names_what_waits_for_a_restart_every_time(env):
    """Each setting that only a restart takes is named as long as it waits, and nothing else is."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, journal={"max_size": "1MB"})
    for changed in ({"broker": {"keepalive": "60s"}}, {"journal": {"keep": "2h"}}, {"http": {"listen": "127.0.0.1:1"}},
                    {"database": {"statement_timeout": "59s"}}):
        bridge.configure(**changed)
    bridge.configure(batch={"max_rows": 77}, shutdown="19s", log={"level": "info"})
    for times in (1, 2):
        bridge.signal(signal.SIGHUP)
        env.wait(lambda: bridge.log().count("change at the next restart only") == times, 15, "not said again")  # pylint: disable=cell-var-from-loop
        line = [line for line in bridge.log().splitlines() if "next restart only" in line][-1]
        names = "broker.keepalive, database.statement_timeout, journal.keep, http.listen"
        assert names in line and not any(word in line for word in ("batch", "shutdown", "log.", "max_packet")), line
    env.wait(lambda: bridge.log().count("configuration reloaded") == 2, 15, "not reloaded")
    bridge.configure(broker={"keepalive": None}, journal={"keep": None}, database={"statement_timeout": None},
                     http={"listen": f"127.0.0.1:{bridge.http_port}"})
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: bridge.log().count("configuration reloaded") == 3, 15, "not reloaded")
    assert bridge.log().count("next restart only") == 2, bridge.last_line()


@quick
def test_reload_takes_each_setting_that_says_so(env):
    """batch.*, log.*, shutdown, and of a rule qos, share, retained, where, columns and ack, on the connection that is there."""
    env.sql("create table taken (n int, qos int, extra text)")
    rule = '{ name = "taken"; topic = "~/in/{n}"; table = "taken"; format = "text"; qos = %d; %s columns = { n = "{n}"; qos = "@qos"; %s }; }'
    bridge = env.bridge(rule % (0, "", ""))

    def reloaded(rules, **config):
        before = bridge.log().count("configuration reloaded")
        bridge.configure(rules, **config)
        bridge.signal(signal.SIGHUP)
        env.wait(lambda: bridge.log().count("configuration reloaded") > before, 15, lambda: bridge.last_line())
        return before

    def stored(number):
        """Subscribing again takes the broker a moment: published until it is there."""
        def there():
            env.publish([(f"~/in/{number}", "x")])
            return env.sql("select distinct qos, extra from taken where n = %s", number)
        return env.wait(there, 15, f"{number} is not stored")[-1]

    assert stored(1) == (0, None)
    reloaded(rule % (1, "", "extra = \"'new'\";"))
    env.wait(lambda: stored(2) and (1, "new") in env.sql("select qos, extra from taken where n = 2"), 15, "qos and columns are the old ones")
    reloaded(rule % (1, 'share = "group";', ""))
    assert stored(3)[0] == 1
    reloaded(rule % (1, 'where = "{n} != \'4\'"; ack = { topic = "~/acks"; };', ""))
    acks = env.subscribe(env.topic("~/acks"))
    assert stored(5) == (1, None)
    acks.wait(1)
    env.publish([("~/in/4", "x"), ("~/in/6", "x")])
    env.wait(lambda: env.sql("select 1 from taken where n = 6"), 15, "6 is not stored")
    assert env.sql("select 1 from taken where n = 4") == []

    bridge.wait_quiet()
    reloaded(rule % (1, "", ""), batch={"max_rows": 1})
    stored(7)
    bridge.wait_quiet()
    batches, rows = bridge.metric("batches_total"), env.one("select count(*)::int from taken")
    env.publish([("~/in/8", "x")] * 20)
    env.wait_rows("taken", rows + 20)
    bridge.wait_quiet()  # until then the last batch may not be counted
    assert bridge.metric("batches_total") - batches == 20

    # The new level and format hold for what this very reload says.
    said = bridge.log().count("configuration reloaded")
    bridge.configure(rule.replace("~/in/{n}", "~/in/{n}/") % (1, "", ""), log={"level": "warn", "format": "json"}, batch={"max_rows": 100})
    bridge.signal(signal.SIGHUP)
    line = json.loads(bridge.wait_log("ends with"))
    assert line["level"] == "warn" and line["event"] == "configuration", line
    env.wait(lambda: (env.publish([("~/in/9/", "x")]), env.sql("select 1 from taken where n = 9"))[1], 15, "the last rules store nothing")
    assert bridge.log().count("configuration reloaded") == said
    assert bridge.metric("broker_reconnects_total") == 0
    bridge.check_books()


@quick
def test_reload_logs_warnings(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    bridge.configure('{ name = "odd"; topic = "~/odd/"; table = "numbered"; columns = { n = "$.n"; }; }')
    bridge.signal(signal.SIGHUP)
    assert re.search("warn", bridge.wait_log("ends with"), re.IGNORECASE)
    bridge.wait_log("configuration reloaded")


def test_reload_with_messages_waiting(env):
    """Messages that wait in the journal are mapped by the rules of the moment in which they are stored."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 100))
    env.wait(lambda: bridge.metric("journal_messages") == 100, 10, "not in the journal")
    bridge.configure(NUMBERED_RULE.replace('topic = "{who}"', "topic = \"'late'\""))
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("reload|configuration")
    env.postgres.start()
    env.wait_rows("numbered", 100)
    assert env.sql("select distinct topic from numbered") in ([("late",)], [("a",)])
