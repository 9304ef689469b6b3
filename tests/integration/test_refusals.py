"""Whatever PostgreSQL refuses one rule's rows with, the other rules go on: the scope is found by trying, not by the SQLSTATE.

SPDX-License-Identifier: MIT
"""

import json
import signal
import time

from env import limit, quick

RULES = """{ name = "r"; topic = "~/r"; table = "r"; columns = { n = "$.n"; }; },
           { name = "o"; topic = "~/o"; table = "o"; columns = { n = "$.n"; }; }"""
TABLES = "create table r (id int generated always as identity, n int); create table o (n int)"
RAISE = """create function refuse() returns trigger language plpgsql as $$ begin
             if new.n % 10 = 7 then {0}; end if; return {1}; end $$;
           create {2} trigger refuse {3} on r {4} for each row execute function refuse()"""

# Each raised by a trigger for one row in ten; all SQLSTATEs that PostgreSQL or a foreign table may answer with, and made-up ones.
STATES = ["U0001", "45000", "AB123", "P0001", "58000", "53100", "53200", "53400", "40001", "40P01", "55P03", "57014", "42501", "42P01",
          "0A000", "55000", "3F000", "28000", "08006", "08007", "25006", "57P01", "XX000", "XX001", "XX002", "72000", "22012"]


def both(first, count):
    for n in range(first, first + count):
        yield "~/r", '{"n": %d}' % n
        yield "~/o", '{"n": %d}' % n


def others_go_on(env, count, seconds=20):
    """The rows of rule o are there within seconds, whatever becomes of r."""
    env.wait(lambda: env.one("select count(*) from o") == count, seconds,
             lambda: f"rule o stands: {env.one('select count(*) from o')} of {count}")


def settled(env, bridge, count):
    """Each message of r is stored once, in order, or a dead letter once."""
    good = [n for n in range(count) if n % 10 != 7]
    env.wait(lambda: [row[0] for row in env.sql("select n from r order by id")] == good, 30,
             lambda: env.sql("select n from r order by id"))
    env.wait(lambda: len(env.sql("select id from mqtt2pg.dead_letter where rule = 'r' and not parked")) == count - len(good), 20,
             env.dead_letters)
    bridge.wait_quiet()
    bridge.check_books()


@limit(120)
def test_any_sqlstate_of_one_row(env):
    """A trigger for each code refuses one row in ten with it: those alone are dead letters, and rule o hardly waits."""
    rules, tables = [], ["create table o (n int)"]
    for state in STATES:
        name = f"r_{state.lower()}"
        rules.append('{ name = "%s"; topic = "~/r"; table = "%s"; columns = { n = "$.n"; }; }' % (name, name))
        refuse = RAISE.format(f"raise exception 'refused here' using errcode = '{state}'", "new", "", "before insert", "")
        tables.append(f"create table {name} (n int); " + refuse.replace(" on r ", f" on {name} ").replace("refuse()", f"refuse_{name}()"))
    env.sql("; ".join(tables))
    bridge = env.bridge(", ".join(rules) + ', { name = "o"; topic = "~/o"; table = "o"; columns = { n = "$.n"; }; }')
    env.publish(both(0, 30))
    others_go_on(env, 30)
    for state in STATES:
        env.wait(lambda s=state: env.one(f"select count(*) from r_{s.lower()}") == 27, 40, f"{state}: the good rows are not stored")
        env.wait(lambda s=state: env.sql("select sqlstate, position('refused here' in reason) > 0, parked, count(*) from mqtt2pg.dead_letter "
                                         "where rule = 'r_' || lower(%s) group by 1, 2, 3", s) == [(s, True, False, 3)], 20,
                 lambda s=state: env.sql("select sqlstate, reason, parked from mqtt2pg.dead_letter where rule = 'r_' || lower(%s)", s))
    assert bridge.metric("database_reconnects_total") == 0
    bridge.wait_quiet()
    bridge.check_books()


@quick
def test_refused_at_commit(env):
    """A constraint trigger that is deferred to COMMIT refuses some messages, in the batch and when parked ones are stored."""
    env.sql(TABLES)
    bridge = env.bridge(RULES)
    env.sql("alter table r rename to away")
    env.publish(both(0, 10))
    env.wait(lambda: len(env.dead_letters()) == 10, 10, "not parked")
    env.sql("alter table away rename to r")
    env.sql(RAISE.format("raise exception 'refused late' using errcode = 'U0001'", "null", "constraint", "after insert",
                         "deferrable initially deferred"))
    env.publish(both(10, 20))
    others_go_on(env, 30)
    settled(env, bridge, 30)


def test_deferred_between_rules(env):
    """A foreign key that is deferred to COMMIT, the parent comes with a later rule of the same batch: only the row without one is refused."""
    env.sql("create table o (n int primary key); create table r (n int references o deferrable initially deferred)")
    bridge = env.bridge(RULES, batch={"max_delay": "1500ms"})
    env.publish([*both(0, 10), ("~/r", '{"n": 99}')])
    env.wait(lambda: env.one("select count(*) from r") == 10, 20, env.dead_letters)
    assert env.one("select count(*) from o") == 10
    assert len(env.dead_letters()) == 1 and "(99)" in env.dead_letters()[0][2], env.dead_letters()
    bridge.check_books()


def deferred_and_slow(env, pause):
    """Rows of r take so long a statement, by SQL that goes by the temporary table; their parent comes by a later rule of the same message."""
    env.sql("create table o (n int primary key); create table r (n int references o deferrable initially deferred)")
    sql = f"insert into r select n from batch; do $x$ begin perform pg_sleep({pause}); end $x$"
    return env.bridge("""{ name = "r"; topic = "~/+"; columns = { n = "$.n :: int"; }; sql = %s; },
                         { name = "o"; topic = "~/o"; table = "o"; columns = { n = "$.n"; }; }""" % json.dumps(sql),
                      batch={"max_delay": "1500ms"})


@quick
@limit(150)
def test_time_is_over_while_refused_rows_are_tried_again(env):
    """The first trial of all rows ends in time, the second does not."""
    bridge = deferred_and_slow(env, 0.012)
    env.publish([("~/r", '{"n": %d}' % n) for n in range(130)])
    env.wait_growing(lambda: len(env.dead_letters()), 130, 30, lambda: len(env.dead_letters()))
    bridge.check_books()


@limit(150)
def test_time_is_over_before_the_parents_are_tried(env):
    """The rows of r alone take longer than a trial: none is blamed for the parent that nobody has tried yet."""
    bridge = deferred_and_slow(env, 0.04)
    env.publish([*[("~/o", '{"n": %d}' % n) for n in range(100)], ("~/r", '{"n": 999}')])
    env.wait_growing(lambda: (env.one("select count(*) from r"), len(env.dead_letters())), (100, 1), 30,
                     lambda: (env.one("select count(*) from r"), len(env.dead_letters())))
    bridge.check_books()


@limit(90)
def test_refused_at_commit_by_the_command(env):
    """dead-letters retry comes to an end with such a letter, and stores the others."""
    env.sql(TABLES)
    env.sql("alter table r add check (n < 0) not valid")
    bridge = env.bridge(RULES)
    env.publish(both(0, 10))
    env.wait(lambda: len(env.dead_letters()) == 10, 10, env.dead_letters)
    env.sql("alter table r drop constraint r_n_check")
    env.sql(RAISE.format("raise exception 'refused late' using errcode = '23514'", "null", "constraint", "after insert",
                         "deferrable initially deferred"))
    done = env.cli("dead-letters", "retry", config=bridge)
    assert "9 stored" in done.out and "1 rejected again" in done.out, done
    assert [row[0] for row in env.sql("select n from r order by id")] == [n for n in range(10) if n != 7]


def test_row_level_security(env):
    """A policy refuses some rows (42501): those alone are dead letters."""
    env.sql(TABLES + "; alter table r enable row level security; alter table r force row level security; "
            "create policy p on r using (true) with check (n % 10 <> 7)")
    bridge = env.bridge(RULES)
    env.publish(both(0, 30))
    others_go_on(env, 30)
    settled(env, bridge, 30)
    env.wait(lambda: bridge.metric("dead_letters_waiting") == 3, 10, lambda: f'{bridge.metric("dead_letters_waiting")} dead letters are told')


@quick
def test_locked_table_holds_its_rule_only(env):
    """Somebody has locked r for a while: o goes on, r is held with the reason, and all of it is stored in order behind the lock."""
    env.sql(TABLES)
    bridge = env.bridge(RULES)
    env.publish(both(0, 10))
    others_go_on(env, 10)
    session = env.run.connect(env.database, "bridge", env.postgres).cursor()
    session.execute("begin; lock table r")
    env.publish(both(10, 10))
    others_go_on(env, 20)
    for first in (20, 30):
        env.publish(both(first, 10))
        others_go_on(env, first + 10)
    assert "another session has locked the table or a row" in bridge.wait_log("rule held")
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked and rule = 'r'") == 30, 10, env.dead_letters)
    session.execute("commit")
    env.wait(lambda: [row[0] for row in env.sql("select n from r order by id")] == list(range(40)), 20, "not stored in order")
    env.wait(lambda: env.dead_letters() == [], 10, env.dead_letters)
    bridge.wait_quiet()
    bridge.check_books()


@limit(90)
def test_row_that_times_out(env):
    """statement_timeout ends one slow row: it is set aside, its rule goes on, and the other rule hardly waits."""
    env.sql(TABLES)
    env.sql(RAISE.format("perform pg_sleep(30)", "new", "", "before insert", ""))
    env.admin(f'alter role bridge in database "{env.database}" set statement_timeout = \'500ms\'')
    bridge = env.bridge(RULES)
    env.publish(both(0, 30))
    others_go_on(env, 30)
    settled(env, bridge, 30)


@limit(90)
def test_row_that_ends_the_connection(env):
    """A row whose trigger ends the backend: found after a few losses, with pauses in between; everything else is stored."""
    env.sql(TABLES)
    env.admin("grant pg_signal_backend to bridge")
    env.sql(RAISE.format("perform pg_terminate_backend(pg_backend_pid())", "new", "", "before insert", ""))
    bridge = env.bridge(RULES)
    env.publish(both(0, 9))
    others_go_on(env, 9, 60)
    env.wait(lambda: [row[0] for row in env.sql("select n from r order by id")] == [n for n in range(9) if n != 7], 20,
             lambda: env.sql("select n from r order by id"))
    assert [(letter[0], letter[4]) for letter in env.dead_letters()] == [("r", False)], env.dead_letters()
    assert bridge.metric("database_reconnects_total") < 30, "no back-off"


def test_values_of_rows_stay_out_of_the_log(env):
    """PostgreSQL's DETAIL quotes rows: it stands in the dead letter, and in log and pages only while payloads may be shown."""
    env.sql("""create table d (id text primary key);
               create table r (n int check (n <> 1), v text unique, d text references d, must int not null);
               create function busy() returns trigger language plpgsql as $$ begin
                 if new.n = 5 then raise exception 'busy' using errcode = '55P03', detail = new.v, hint = new.v; end if; return new; end $$;
               create trigger busy before insert on r for each row execute function busy()""")
    bridge = env.bridge("""{ name = "r"; topic = "~/r"; table = "r"; columns = { n = "$.n"; v = "$.v"; d = "$.d"; must = "$.must"; }; },
                           { name = "s"; topic = "~/s"; columns = { n = "$.n :: int"; v = "$.v :: text"; };
                             sql = "insert into r (n, v, must) select n, v, 1 from batch"; }""", log={"level": "debug"})
    bad = [{"n": 1, "must": 1}, {"n": 2, "must": None}, {"n": 3, "d": "MARK"}, {"n": 4, "v": "MARK 0"}, {"n": 5}]

    def refuse(mark):
        first = len(env.dead_letters())
        messages = [{"n": 0, "v": "MARK 0" if first == 0 else "MARK good", "must": 1}] + [{"v": f"MARK {first} {n}", "must": 1, **one} for n, one in enumerate(bad)]
        env.publish([("~/r", json.dumps(message).replace("MARK", mark)) for message in messages])
        env.publish([("~/s", json.dumps(messages[1]).replace("MARK", mark))])
        env.wait(lambda: [letter[4] for letter in env.dead_letters()] == (first + 6) * [False], 30, env.dead_letters)
        env.wait(lambda: "check constraint" in bridge.get("/status.json").out, 10, "not shown")
        return bridge.log() + "".join(bridge.get(path).out for path in ("/", "/readyz", "/status.json", "/metrics"))
    told = refuse("m4rk3r")
    assert "m4rk3r" not in told, [line for line in told.splitlines() if "m4rk3r" in line]
    assert "rule held" in told and "violates check constraint" in told
    kept = [reason for _, _, reason, _, _ in env.dead_letters()]
    assert sum("m4rk3r" in reason for reason in kept) == 5, kept
    bridge.configure(http={"show_payloads": True})
    bridge.restart()
    assert "m4rk3r" in refuse("m4rk3r"), "not shown"


def test_each_parked_rule_has_its_turn(env):
    """A letter that can't be stored, and nothing behind it: the rules parked behind it are stored all the same."""
    env.sql("create table o (n int)")
    rule = '{ name = "%s"; topic = "~/r"; table = "%s"; columns = { n = "$.n"; }; }'
    bridge = env.bridge(", ".join(rule % (name, name) for name in "az"))
    env.publish([("~/r", '{"n": 7}')])
    env.wait(lambda: len(env.dead_letters()) == 2, 10, env.dead_letters)
    env.sql("create table a (id int generated always as identity, n int); create table z (n int)")
    env.sql(RAISE.replace(" on r ", " on a ").format("raise exception 'not yet' using errcode = '55P03'", "new", "", "before insert", ""))
    env.wait(lambda: env.one("select count(*) from z") == 1, 20, "the rule behind is starved")
    bridge.wait_log("rule held")


def test_refused_rows_cost_no_round_trip_each(env):
    """300 refused rows of 3,000, the database 5 ms away each way: the other rule's row waits a few seconds at most."""
    env.sql(TABLES.replace("n int); create", "n int check (n % 10 <> 7)); create"))
    proxy = env.proxy(env.postgres.port)
    bridge = env.bridge(RULES, database={"conninfo": env.postgres.conninfo(env.database, port=proxy.port)}, batch={"max_rows": 10000})
    proxy.refusing = True
    proxy.cut()
    env.publish([("~/r", '{"n": %d}' % n) for n in range(3000)] + [("~/o", '{"n": 1}')])
    env.wait(lambda: bridge.metric("journal_messages") == 3001, 20, "not all received")
    proxy.refusing = False
    proxy.delay = 0.005
    bridge.wait_ready()
    started = time.monotonic()
    env.wait(lambda: env.one("select count(*) from o") == 1, 20, "rule o stands")
    took = time.monotonic() - started
    assert took < 6 * env.patience, f"{took:.1f} s"
    env.wait(lambda: env.one("select count(*) from r") == 2700 and len(env.dead_letters()) == 300, 20, env.dead_letters)


# Tries are counted by a sequence, which no rollback takes back.
REFUSE_FIRST = """create sequence tries minvalue -1000000 start 1;
                  create function refuse() returns trigger language plpgsql as $$ begin
                    if nextval('tries') < 60 then raise exception 'denied' using errcode = '42501'; end if; return new; end $$;
                  create trigger refuse before insert on r for each row execute function refuse()"""


def in_one_batch(env, bridge, numbers):
    bridge.signal(signal.SIGSTOP)
    env.publish([("~/r", '{"n": %d}' % n) for n in numbers])
    bridge.signal(signal.SIGCONT)


def stored_in_order(env, count):
    env.wait(lambda: [n for (n,) in env.sql("select n from r order by id")] == list(range(count)), 15, env.dead_letters)


@quick
def test_table_works_again_while_rows_are_tried(env):
    """It takes rows when half of the messages have been tried, in a batch and when parked ones are stored: none of these is to blame."""
    env.sql(TABLES + ";" + REFUSE_FIRST)
    bridge = env.bridge(RULES)
    in_one_batch(env, bridge, range(100))
    stored_in_order(env, 100)
    env.sql("select setval('tries', -100000)")
    in_one_batch(env, bridge, range(100, 200))
    env.wait(lambda: [letter[4] for letter in env.dead_letters()] == [True] * 100, 15, env.dead_letters)
    env.sql("select setval('tries', 1)")
    bridge.signal(signal.SIGHUP)  # it looks at the table at once
    stored_in_order(env, 200)
    assert env.dead_letters() == []
    bridge.check_books()
