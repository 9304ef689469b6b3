"""Rules and checks that several themes use.

SPDX-License-Identifier: MIT
"""

import os
import subprocess

import psycopg2

# Numbered messages: who sent it, the how manieth, and the order in which they were stored.
NUMBERED_TABLE = """create table numbered (id bigint generated always as identity, topic text not null, n bigint not null,
                                           qos smallint, received timestamptz)"""
NUMBERED_RULE = """{ name = "numbered"; topic = "~/n/{who}"; qos = 2; format = "json"; table = "numbered";
                     columns = { topic = "{who}"; n = "$.n"; qos = "@qos"; received = "@received_at"; }; }"""


def numbered(who, first, count, qos=1):
    """Messages n = first … first + count - 1 on the topic ~/n/WHO."""
    return ((f"~/n/{who}", '{"n":%d}' % n, qos) for n in range(first, first + count))


def interleaved(senders, count, qos=1):
    """The same from several senders, by turns."""
    return ((f"~/n/{who}", '{"n":%d}' % n, qos) for n in range(count) for who in senders)


def check_numbered(env, expected, deliveries=None):
    """expected: {who: count}. Nothing lost, nothing twice, in order per topic: of numbers, or of what a proxy saw coming."""
    env.wait_growing(lambda: env.one("select count(distinct (topic, n)) from numbered"), sum(expected.values()), 30,
                     lambda: "lost: " + str([(who, count - there) for who, count in expected.items()
                                             for there in [env.one("select count(distinct n) from numbered where topic = %s", who)]
                                             if there != count]))
    for who, count in expected.items():
        there, different, low, high = env.sql("select count(*), count(distinct n), min(n), max(n) from numbered where topic = %s",
                                              who)[0]
        assert there == different, f"{who}: {there - different} stored twice: " + str(
            env.sql("select n, count(*) from numbered where topic = %s group by n having count(*) > 1 limit 5", who))
        assert (there, low, high) == (count, 0, count - 1), f"{who}: {there} rows, {low} to {high}, not 0 to {count - 1}"
    if deliveries:
        late = deliveries.late(env.sql("select topic, n from numbered order by id"))
        assert not late, f"not in the order of their deliveries (topic, n): {late[:5]}"
        return
    late = env.sql("""select topic, n, before from (select topic, n, lag(n) over (partition by topic order by id) as before
                      from numbered) x where n <> before + 1 limit 5""")
    assert not late, f"out of order (topic, n, the one before): {late}"


def make_numbered(env):
    env.sql(NUMBERED_TABLE)


def own_server(env, *settings):
    """A server for this test alone, with settings of its own; the test's database is there from now on."""
    server = env.own_postgres()
    server.SETTINGS = (*server.SETTINGS, *settings)
    env.postgres = server.start()
    admin = psycopg2.connect(server.conninfo("postgres", "test"))
    admin.autocommit = True
    admin.cursor().execute("create role bridge login password 'secret'")
    admin.cursor().execute(f"create database {env.database} owner bridge template template0")
    admin.close()
    return server


def fill_journal(env, directory, messages, senders):
    """Messages of 200 bytes that wait in a journal, numbered from each of the senders by turns: tests/tools/fill_journal.c."""
    tool = os.path.join(os.path.dirname(env.faulty), "fill_journal")
    subprocess.run([tool, directory, str(messages), "200", *(env.topic(f"~/n/{who}") for who in senders)], check=True)


def scripted(env, version, qos=1, journal=None):
    """A bridge on a scripted broker, and its session."""
    env.sql("drop table if exists got; create table got (id int generated always as identity, v text)")
    broker = env.scripted_broker()
    bridge = env.bridge('{ name = "got"; topic = "t/#"; qos = %d; format = "text"; table = "got"; columns = { v = "$"; }; }' % qos,
                        broker={"url": broker.url, "protocol": "5" if version == 5 else "3.1.1", "status_topic": ""},
                        journal=journal or {}, ready=False)
    session = broker.accept()
    session.wait("SUBSCRIBE")
    broker.session_present = True
    return broker, bridge, session


def stored(env, *values):
    env.wait(lambda: [row[0] for row in env.sql("select v from got order by id")] == list(values), 15,
             lambda: f"rows {[row[0] for row in env.sql('select v from got order by id')]}, not {list(values)}")


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
