"""A primary dies and its standby takes over; a server that takes no writes any more.

Two real servers of the test's own; the standby follows through a proxy, so that what it lacks is decided and not left to chance.

SPDX-License-Identifier: MIT
"""

import os

import psycopg2

from env import limit
from scenes import NUMBERED_RULE, check_numbered, interleaved, make_numbered, numbered, own_server

SENDERS = ("a", "b", "c")


class Pair:
    """A primary, which is the test's database server from now on, and a standby with streaming replication."""

    def __init__(self, env):
        self.env = env
        self.primary = own_server(env)
        self.wire = env.proxy(self.primary.port)
        self.standby = env.own_postgres(primary_port=self.primary.port)
        self.standby.SETTINGS = (*self.standby.SETTINGS, f"primary_conninfo=host=127.0.0.1 port={self.wire.port} user=test")
        self.standby.start()

    def conninfo(self, standby_first=True):
        """The standby first: it has to be passed over while it takes no writes."""
        ports = [self.standby.port, self.primary.port] if standby_first else [self.primary.port, self.standby.port]
        return (f"host=127.0.0.1,127.0.0.1 port={ports[0]},{ports[1]} dbname={self.env.database} user=bridge "
                "password=secret sslmode=disable gssencmode=disable connect_timeout=5 target_session_attrs=read-write")

    def on_standby(self, text):
        """The first column of the first row, as the standby has it."""
        connection = psycopg2.connect(self.standby.conninfo(self.env.database))
        connection.autocommit = True
        try:
            cursor = connection.cursor()
            cursor.execute(text)
            return cursor.fetchone()[0]
        finally:
            connection.close()

    def fail_over(self):
        """kill -9 of the primary; what was on the way to the standby is lost with it."""
        self.primary.kill()
        self.wire.refusing = True
        self.wire.cut()
        self.standby.make("pg_ctl", "promote", "-D", self.standby.data)
        self.env.postgres = self.standby


@limit(120)
def test_standby_takes_over_and_lacks_rows(env):
    """Asynchronous replication: rows that were committed and are gone are stored again from the journal; nothing lost, nothing twice."""
    pair = Pair(env)
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": pair.conninfo()}, batch={"max_rows": 200})
    load = env.publish_in_background(interleaved(SENDERS, 3000), rate=2000)
    count = "select count(*) from numbered"
    env.wait(lambda: pair.on_standby(count) > 500, 30, "the standby does not follow")
    pair.wire.stalled = True
    lacking = pair.on_standby(count)
    env.wait(lambda: env.one(count) > lacking + 1000, 30, "the primary does not go on")
    committed = env.one(count)
    pair.fail_over()
    line = bridge.wait_log("the database is behind what was stored", 40)
    load.finish()
    check_numbered(env, dict.fromkeys(SENDERS, 3000))
    # They were gone indeed, and are told; nothing is missing for good.
    behind = {word.split("=")[0]: word.split("=")[1] for word in line.split() if word.startswith(("stored=", "database="))}
    # The standby may still have replayed what it had received when it was asked.
    assert int(behind["stored"]) >= committed > int(behind["database"]), (line, committed)
    assert env.sql("select * from mqtt2pg.gap") == [] and env.dead_letters() == []
    bridge.wait_ready()
    bridge.check_books()
    assert bridge.metric("messages_journaled_total") == 9000
    assert bridge.metric("database_reconnects_total") >= 1
    # What the books had counted as stored counts again when it is stored again.
    again = bridge.metric("messages_processed_total") - 9000
    assert again == bridge.metric("journal_messages_at_start") == int(behind["stored"]) - int(behind["database"]), (again, line)


@limit(90)
def test_server_that_turns_read_only(env):
    """25006 in the middle of the work: messages wait, nothing becomes a dead letter; the same when only a server that takes writes will do."""
    make_numbered(env)

    def read_only(mode):
        env.admin(f"alter system set default_transaction_read_only = {mode}")
        env.admin("select pg_reload_conf()")
    env.closing.append(lambda: (env.admin("set default_transaction_read_only = off"), read_only("off")))
    for part, attributes in enumerate(("any", "read-write")):
        env.sql("set default_transaction_read_only = off; truncate numbered")
        bridge = env.bridge(NUMBERED_RULE, batch={"max_rows": 100},
                            database={"conninfo": env.postgres.conninfo(env.database) + f" target_session_attrs={attributes}"})
        load = env.publish_in_background(interleaved(SENDERS, 1000), rate=1500)
        env.wait(lambda: env.one("select count(*) from numbered") > 300, 20, "nothing is stored")
        env.admin("set default_transaction_read_only = off")
        read_only("on")
        bridge.wait_log("read-only")
        env.wait(lambda b=bridge: b.get("/readyz").code == 503, 10, "looks ready")
        load.finish()
        env.wait(lambda b=bridge: b.metric("messages_journaled_total") == 3000, 20, "not in the journal")
        assert env.one("select count(*) from numbered") < 3000
        read_only("off")
        check_numbered(env, dict.fromkeys(SENDERS, 1000))
        bridge.wait_ready()
        bridge.check_books()
        assert env.dead_letters() == [] and env.sql("select * from mqtt2pg.gap") == [], part
        bridge.stop()


@limit(120)
def test_synchronous_standby_that_is_gone(env):
    """COMMIT waits longer than statement_timeout, over kill -9 too: it says so, acknowledges nothing, and the promoted standby has what it told."""
    pair = Pair(env)
    make_numbered(env)
    rule = NUMBERED_RULE.replace("columns =", 'ack: { topic = "~/ack/{who}"; fields = { n = "$.n"; }; }; columns =')
    acks = env.subscribe("~/ack/+")
    bridge = env.bridge(rule, database={"conninfo": pair.conninfo(), "statement_timeout": "4s"})
    env.admin("alter system set synchronous_standby_names = '*'")
    env.admin("select pg_reload_conf()")
    env.wait(lambda: env.admin("select sync_state from pg_stat_replication") == [("sync",)], 15, "the standby is not synchronous")
    env.publish(numbered("a", 0, 20))
    acks.wait(20)
    pair.wire.refusing = True
    pair.wire.cut()
    env.wait(lambda: env.admin("select count(*) from pg_stat_replication") == [(0,)], 15, "the standby is there still")
    env.publish(numbered("a", 20, 20))
    waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'mqtt2pg'"
    backend = env.wait(lambda: env.admin(waiting), 10, "COMMIT does not wait")
    line = bridge.wait_log("COMMIT waits for a synchronous standby")
    assert "synchronous_standby_names = *" in line, line
    assert "synchronous standby" in bridge.get("/readyz").out
    env.holds(lambda: env.admin(waiting) == backend, 6, "the backend that waits was given up")
    bridge.kill9()
    bridge.start(ready=False)
    bridge.wait_log("a COMMIT under this client_id waits for a synchronous standby")
    assert env.admin(waiting) == backend and bridge.running() and len(acks.messages) == 20, "acknowledged without the standby"
    pair.fail_over()
    bridge.wait_ready(60)
    acks.wait(40)
    check_numbered(env, {"a": 40})
    bridge.check_books()


@limit(120)
def test_old_primary_returns(env):
    """Started again after the failover, and first among the hosts: it is passed over with a word, and nothing is written to it."""
    pair = Pair(env)
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": pair.conninfo(standby_first=False)})
    env.publish(numbered("a", 0, 100))
    check_numbered(env, {"a": 100})
    env.wait(lambda: pair.on_standby("select count(*) from numbered") == 100, 15, "the standby is behind")
    pair.fail_over()
    bridge.wait_ready(60)
    env.publish(numbered("a", 100, 100))
    check_numbered(env, {"a": 200})
    pair.primary.start()
    env.admin("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mqtt2pg'")
    line = bridge.wait_log("is the old primary")
    assert "timeline is 1, and 2 was seen" in line, line
    env.publish(numbered("a", 200, 100))
    check_numbered(env, {"a": 300})
    bridge.check_books()


@limit(120)
def test_restored_server_is_no_old_primary(env):
    """A dump is restored into a new cluster, whose timeline is lower than the one seen, but which is another system: it is taken."""
    pair = Pair(env)
    make_numbered(env)
    new = env.own_postgres()
    conninfo = pair.conninfo(standby_first=False).replace("host=127.0.0.1,", "host=127.0.0.1,127.0.0.1,")
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": conninfo.replace(f",{pair.standby.port} ", f",{pair.standby.port},{new.port} ")})
    env.publish(numbered("a", 0, 50))
    check_numbered(env, {"a": 50})
    env.wait(lambda: pair.on_standby("select count(*) from numbered") == 50, 15, "the standby is behind")
    pair.fail_over()
    bridge.wait_ready(60)
    env.publish(numbered("a", 50, 50))
    check_numbered(env, {"a": 100})
    dump = os.path.join(pair.standby.folder, "dump")
    pair.standby.make("pg_dump", "-f", dump, "-d", pair.standby.conninfo(env.database, "test"))
    pair.standby.stop()
    new.start()
    admin = psycopg2.connect(new.conninfo("postgres", "test"))
    admin.autocommit = True
    admin.cursor().execute("create role bridge login password 'secret'")
    admin.cursor().execute("create database restoring owner bridge template template0")
    new.make("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", dump, "-d", new.conninfo("restoring", "test"))
    admin.cursor().execute(f"alter database restoring rename to {env.database}")
    admin.close()
    env.postgres = new
    bridge.wait_ready(60)
    env.publish(numbered("a", 100, 50))
    check_numbered(env, {"a": 150})
    assert "old primary" not in bridge.log()
    bridge.check_books()
