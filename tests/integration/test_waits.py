"""No wait without an end: networks that swallow everything, on every step, are noticed within the configured time.

SPDX-License-Identifier: MIT
"""

import datetime
import os
import re
import signal
import socket
import time

import psycopg2

from bridge import wait_time
from env import limit
from resolver import resolver
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered, own_server

DEADLINES = {"statement_timeout": "1s", "connect_timeout": "1s"}
NOTICED = 8  # seconds, for a deadline of one, on a busy machine; the default of connect_timeout is 10


def swallowing(env, where):
    """A proxy to the database in which one connection becomes a black hole, both ways, once `where` passes upwards ("" = at once)."""
    proxy = env.proxy(env.postgres.port)
    proxy.holes = []

    def swallow(link, direction, data):
        if not proxy.holes and proxy.armed and direction == "up" and where in data.lower():
            proxy.holes.append(time.monotonic())
            link.state["hole"] = True
            return b"", False
        return (b"", False) if "hole" in link.state else (data, False)
    proxy.armed = False
    proxy.filter = swallow
    return proxy


@limit(120)
def test_database_connection_that_swallows(env):
    """At BEGIN, in COPY, between COPY and COMMIT, in COMMIT: given up after statement_timeout, nothing lost, nothing twice."""
    for where, count in ((b"begin isolation", 500), (b"copy ", 2000), (b"n\":", 2000), (b"commit\0", 500)):
        env.sql("drop table if exists numbered")
        make_numbered(env)
        proxy = swallowing(env, where if where != b"n\":" else b"pgcopy\n")
        bridge = env.bridge(NUMBERED_RULE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port), **DEADLINES},
                            batch={"max_delay": "1s", "max_rows": count})
        proxy.armed = True
        env.publish(numbered("a", 0, count))
        env.wait(lambda p=proxy: p.holes, 10, f"{where} did not pass")
        env.wait(lambda b=bridge: b.metric("database_reconnects_total") >= 1, 2 * NOTICED, "no new connection")
        took = time.monotonic() - proxy.holes[0]
        assert took < NOTICED * env.patience, f"{where}: noticed after {took:.1f} s"
        check_numbered(env, {"a": count})
        bridge.check_books()
        bridge.stop()


@limit(90)
def test_database_that_swallows_while_connecting(env):
    """The start-up packet, a query of the start: given up after connect_timeout; the next attempt works."""
    make_numbered(env)
    for where in (b"user\0", b"set datestyle", b"pg_try_advisory_lock"):
        proxy = swallowing(env, where)
        proxy.armed = True
        bridge = env.bridge(NUMBERED_RULE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port), **DEADLINES},
                            ready=False)
        env.wait(lambda p=proxy: p.holes, 10, f"{where} did not pass")
        bridge.wait_log("can't be used", 2 * NOTICED)
        took = time.monotonic() - proxy.holes[0]
        assert took < NOTICED * env.patience, f"{where}: noticed after {took:.1f} s"
        bridge.wait_ready()
        bridge.stop()


@limit(90)
def test_broker_connection_that_swallows(env):
    """An established connection is given up after the keepalive, an attempt to connect within its time; then all that waited comes."""
    make_numbered(env)
    proxy, deaf = env.proxy(env.broker.port), env.proxy(env.broker.port)
    deaf.stalled = True
    second = env.bridge(NUMBERED_RULE, broker={"url": f"mqtt://127.0.0.1:{deaf.port}"}, ready=False)
    bridge = env.bridge(NUMBERED_RULE, broker={"url": f"mqtt://127.0.0.1:{proxy.port}", "keepalive": "5s"})
    proxy.stalled = True
    silent = time.monotonic()
    env.publish(numbered("a", 0, 500))
    env.wait(lambda: bridge.metric("broker_connected") == 0, 40, "the silent broker is not noticed")
    took = time.monotonic() - silent
    # Paho asks after one keepalive and gives up well within two more; the default keepalive is 30 s.
    assert took < 25 * env.patience, f"noticed after {took:.1f} s, at a keepalive of 5 s"
    env.wait(lambda: bridge.get("/readyz").code == 503 and "broker" in bridge.get("/readyz").out, 5, lambda: bridge.get("/readyz"))
    second.wait_log("broker does not answer", 20)
    begun, noticed = (datetime.datetime.fromisoformat(second.wait_log(words).split()[0].replace("Z", "+00:00"))
                      for words in ("mqtt2pg started", "broker does not answer"))
    took = (noticed - begun).total_seconds()
    assert took < 15 * env.patience, f"not answered, noticed after {took:.1f} s"
    second.stop()
    proxy.stalled = False
    check_numbered(env, {"a": 500})
    bridge.check_books()


@limit(60)
def test_stop_while_subscribing(env):
    """A broker that never answers SUBSCRIBE holds up neither SIGTERM nor the messages of the session."""
    make_numbered(env)
    broker = env.scripted_broker()
    broker.session_present, broker.mute = True, True
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url}, ready=False, shutdown="10s")
    session = broker.accept()
    session.wait("SUBSCRIBE")
    session.send(env.topic("~/n/a"), '{"n":0}', packet_id=1)
    session.wait("PUBACK", 1)
    started = time.monotonic()
    assert bridge.stop() == 0
    took = time.monotonic() - started
    assert took < 8 * env.patience, f"took {took:.1f} s to stop"
    check_numbered(env, {"a": 1})


def test_second_address(env):
    """A broker's name with two addresses, the first of which refuses: one attempt tries both; the reason told is the one that answered."""
    broker = env.scripted_broker()
    bridge = env.bridge(NUMBERED_RULE, start=False, broker={"url": f"mqtt://broker.two:{broker.port}"})
    broker.refuse = lambda session: 0x86
    bridge.launch(resolver(env, "broker.two", "127.0.0.9", "127.0.0.1"))
    line = bridge.wait_log("broker refuses the connection")
    assert "bad user name or password" in line, line
    assert "refused" not in bridge.log().replace("broker refused the connection", ""), bridge.log()
    broker.refuse = lambda session: 0
    broker.accept(30)
    bridge.stop()


def test_second_address_of_the_database(env):
    """The first address of the database's name refuses or is deaf: each attempt tries both, and the reason is that of the one that answered."""
    make_numbered(env)
    for deaf in (False, True):
        if deaf:
            listener = socket.create_server(("127.0.0.9", env.postgres.port))
            env.closing.append(listener.close)
        conninfo = env.postgres.conninfo(env.database, tcp=True).replace("host=127.0.0.1", "host=db.two")
        bridge = env.bridge(NUMBERED_RULE, start=False, database={"conninfo": conninfo.replace("secret", "wrong"), "connect_timeout": "2s"})
        bridge.launch(resolver(env, "db.two", "127.0.0.9", "127.0.0.1"))
        line = bridge.wait_log("can't be used")
        assert "password authentication failed" in line and ("no answer" in line) == deaf, line
        bridge.stop()
        bridge.configure(database={"conninfo": conninfo})
        bridge.launch(resolver(env, "db.two", "127.0.0.9", "127.0.0.1"))
        bridge.wait_ready()
        bridge.stop()


@limit(60)
def test_resolver_that_does_not_answer(env):
    """Names of database and broker are looked up for a minute: the page answers, and SIGTERM ends the process within its time."""
    shim = resolver(env)
    for part in ({"database": {"conninfo": "host=database.hangs dbname=x"}},
                 {"broker": {"url": "mqtt://broker.hangs"}},
                 {"database": {"conninfo": "host=database.hangs dbname=x"}, "broker": {"url": "mqtt://broker.hangs"}}):
        bridge = env.bridge(NUMBERED_RULE, start=False, shutdown="2s", **part)
        bridge.launch(shim)
        env.wait(lambda b=bridge: b.get("/healthz").code == 200, 10, "not alive")
        env.wait(lambda b=bridge, p=part: all(name in b.get("/readyz").out for name in p), 10, "not said")
        start = time.monotonic()
        bridge.stop()
        took = time.monotonic() - start
        assert took < 12 * env.patience, f"{list(part)}: took {took:.1f} s to stop"


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


def test_last_words_of_the_server_are_told(env):
    """A session that the server ends while nothing is asked of it, or in the middle: the log says why, in the server's own words."""
    make_numbered(env)
    env.admin(f'alter role bridge in database "{env.database}" set idle_session_timeout = \'700ms\'')
    bridge = env.bridge(NUMBERED_RULE)
    bridge.wait_log("database connection lost.*terminating connection due to idle-session timeout")
    env.admin(f'alter role bridge in database "{env.database}" reset idle_session_timeout')
    env.wait(lambda: bridge.metric("database_reconnects_total") > 0, 10, "not connected again")
    # The connection that comes next may still end by idle_session_timeout, and be away at that moment.
    ended = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mqtt2pg'"
    env.wait(lambda: bridge.wait_ready() and env.admin(ended) and wait_time(0.3) is None
             and re.search("database connection lost.*terminating connection due to administrator command", bridge.log()), 20, "the end is not told")
    bridge.wait_ready()
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})


def speaks_english(env):
    try:
        env.admin("select 1 / 0")
    except psycopg2.Error as error:
        return "division by zero" in str(error)
    raise AssertionError("1 / 0 is something")


@limit(90)
def test_connection_limits_are_told(env):
    """The log says whose limit keeps the bridge out, the role's, the database's or the server's, in any language of the server."""
    server = own_server(env, "max_connections=12", "superuser_reserved_connections=3", "max_wal_senders=0")
    make_numbered(env)
    for language in ("en", "de"):
        server.stop()
        # gettext reads LANGUAGE unless the locale is "C", or since glibc of Debian 13 "C.UTF-8": such a server speaks English, as one
        # without the catalog does.
        server.environment = {"LANGUAGE": language}
        server.SETTINGS = (*server.SETTINGS, "lc_messages=C.UTF-8")
        server.start()
        env.wait(lambda: env.admin("select 1") == [(1,)], 20, "the server is not back")
        english = speaks_english(env)
        assert english or language == "de"
        no_more = "the server has no connection left"
        for whose, limited, words in (("bridge", "role bridge", "role \"bridge\" has no connection left"),
                                      ("bridge", f"database {env.database}", f"database \"{env.database}\" has no connection left"),
                                      ("bridge", "", no_more), ("test", "", no_more)):  # a superuser takes the reserved ones too
            # Those of the last turn are gone: none of them makes room later.
            env.wait(lambda: not env.admin("select 1 from pg_stat_activity where backend_type = 'client backend' and application_name <> 'test'"), 20,
                     "a backend stays")
            others = [psycopg2.connect(server.conninfo(env.database, whose))]
            if limited:
                env.admin(f"alter {limited} connection limit 1")
            try:
                while True:
                    others.append(psycopg2.connect(server.conninfo(env.database, whose)))
            except psycopg2.OperationalError as error:
                refused = str(error)
            env.closing.append(lambda o=others: [other.close() for other in o])
            bridge = env.bridge(NUMBERED_RULE, ready=False)
            line = bridge.wait_log("can't be used")
            assert words in line.replace("\\", ""), (language, whose, limited, line)
            assert any(word in refused for word in ("too many", "remaining")) == english, refused
            for other in others:
                other.close()
            if limited:
                env.admin(f"alter {limited} connection limit -1")
            bridge.wait_ready()
            bridge.stop()


def test_lock_is_told_with_its_holder(env):
    """What the bridge waits for stands in the log and at /readyz: the table, who holds it, the kind of statement but none of its values."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    holder = env.run.connect(env.database, "bridge")
    env.closing.append(holder.close)
    holder.autocommit = False
    holder.cursor().execute("lock table numbered in access exclusive mode -- of a 'secret'")
    env.publish(numbered("a", 0, 10))
    line = bridge.wait_log("waits for a lock on numbered, held by pid")
    assert f"pid {holder.get_backend_pid()}: lock table" in line and "secret" not in line, line
    holder.rollback()
    check_numbered(env, {"a": 10})
    bridge.wait_ready()


def test_server_that_answers_null(env):
    """No PostgreSQL answers without a version: refused with a word, tried again."""
    proxy = env.proxy(env.postgres.port)
    proxy.told = 0

    def null_version(link, direction, data):
        at = data.find(b"\0\0\0\x061") if direction == "down" and proxy.told == 0 else -1  # "150017" and so on
        start = at - 7
        if at < 0 or data[start:start + 1] != b"D":
            return data, False
        proxy.told += 1
        length = int.from_bytes(data[start + 1:start + 5], "big") - 6
        return data[:start + 1] + length.to_bytes(4, "big") + data[start + 5:at] + b"\xff\xff\xff\xff" + data[at + 10:], False
    proxy.filter = null_version
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)}, ready=False)
    bridge.wait_log("does not answer like PostgreSQL")
    bridge.wait_ready()
