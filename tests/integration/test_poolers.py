"""Connection poolers: PgBouncer in its three modes.

SPDX-License-Identifier: MIT
"""

import psycopg2

from env import limit, quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered

LAST_RULE = """, { name = "last"; topic = "~/n/{who}"; qos = 2; table = "last"; columns = { who = "{who}"; n = "$.n"; };
                  on_conflict = "update"; key = "who"; newest = "n"; }"""


@quick
@limit(120)
def test_transaction_mode_is_exactly_once(env):
    """No lock of a session keeps the next start out, no setting leaks; letters, upserts and kill -9 work; nothing lost, nothing twice."""
    make_numbered(env)
    env.sql("create table last (who text primary key, n int)")
    pooler = env.pooler("transaction")
    bridge = env.bridge(NUMBERED_RULE + LAST_RULE, database={"conninfo": pooler.conninfo(env.database)})
    bridge.wait_log("behind a connection pooler")
    env.publish([*numbered("a", 0, 500), ("~/n/a", '{"n": "\\u00fc"}')])
    check_numbered(env, {"a": 500})
    assert "\u00fc" in env.cli("dead-letters", "show", "1", config=bridge).out
    bridge.kill9()
    # Somebody else takes the backend that served the bridge, finds no setting of the bridge there, and keeps it for a while.
    others = [psycopg2.connect(pooler.conninfo(env.database)) for _ in range(3)]
    for other in others:
        env.closing.append(other.close)
        cursor = other.cursor()
        cursor.execute("select current_setting('bytea_output'), current_setting('tcp_keepalives_idle') <> '10'")
        assert cursor.fetchone() == ("hex", True)
        cursor.execute("set bytea_output = 'escape'")
    bridge.start()
    for other in others:
        other.commit()
    env.publish(numbered("a", 500, 500))
    check_numbered(env, {"a": 1000})
    assert env.sql("select * from last") == [("a", 999)]
    assert "\u00fc" in env.cli("dead-letters", "show", "1", config=bridge).out
    second = env.bridge(NUMBERED_RULE, broker={"client_id": bridge.client_id}, database={"conninfo": pooler.conninfo(env.database)},
                        ready=False)
    second.may_end = True
    assert second.wait(30) == 4 and "mqtt2pg.bridge has its row" in second.log()
    bridge.wait_ready()
    bridge.check_books()


def test_statement_mode_is_refused(env):
    """No transactions, no bridge: one sentence at the start and from check."""
    make_numbered(env)
    pooler = env.pooler("statement")
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": pooler.conninfo(env.database)}, ready=False)
    line = bridge.wait_log("pooler in statement mode")
    assert "pool_mode = transaction" in line, line
    checked = env.cli("check", "--database", config=bridge)
    assert checked.code != 0 and "pooler in statement mode" in checked.out + checked.err, checked


def test_startup_parameter_that_it_refuses(env):
    """What a pooler says of options in conninfo is made of use."""
    pooler = env.pooler("session")
    bridge = env.bridge(NUMBERED_RULE, database={"conninfo": pooler.conninfo(env.database) + " options='-c work_mem=8MB'"}, ready=False)
    line = bridge.wait_log("refuses a startup parameter")
    assert "ignore_startup_parameters" in line, line

def test_acknowledgments_of_a_commit_under_way(env):
    """kill -9 while COMMIT is under way behind the pooler: the next start waits for what becomes of it, and acknowledges."""
    env.sql("""create table t (n int);
               create function late() returns trigger language plpgsql as 'begin if new.n = 2 then perform pg_sleep(4); end if; return null; end';
               create constraint trigger late after insert on t deferrable initially deferred for each row execute function late()""")
    pooler = env.pooler("transaction")
    inbox = env.subscribe("~/ack")
    bridge = env.bridge("""{ name = "t"; topic = "~/t"; table = "t"; columns = { n = "$"; }; ack: { topic = "~/ack"; fields = { n = "$"; }; }; }""",
                        database={"conninfo": pooler.conninfo(env.database)})
    env.publish([("~/t", "1")])
    inbox.wait(1)
    env.publish([("~/t", "2")])
    env.wait(lambda: env.one("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == 1, 10, "no sleep")
    bridge.kill9()
    bridge.start()
    env.wait_rows("t", 2, 40)
    bridge.wait_quiet()
    inbox.wait(2)


@limit(120)
def test_two_bridges_do_not_disturb_each_other(env):
    """They share the pooler's few backends and the schema: neither takes the other for its own past, also when one is killed."""
    make_numbered(env)
    conninfo = env.pooler("transaction").conninfo(env.database)
    bridges = [env.bridge(NUMBERED_RULE.replace("~/n/{who}", f"~/{name}/{{who}}"), name=name, database={"conninfo": conninfo}) for name in "ab"]
    for first in (0, 300):
        for name in "ab":
            env.publish((topic.replace("~/n/", f"~/{name}/"), *rest) for topic, *rest in numbered(name, first, 300))
        check_numbered(env, {"a": first + 300, "b": first + 300})
        if first == 0:
            bridges[0].kill9()
            bridges[0].start()
    assert env.one("select count(*) from mqtt2pg.progress") == 2 and env.dead_letters() == []
    for bridge in bridges:
        bridge.wait_ready()
        bridge.check_books()
