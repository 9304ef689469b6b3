"""Retention: partitions that the bridge makes and drops, and what create_sql makes with the table.

SPDX-License-Identifier: MIT
"""

import json
import signal
import time

import psycopg2.errors

from env import limit, quick

RULE = """{ name = "reading"; topic = "~/r/{device}"; table = "reading"; create = true; key = ("device", "time"); on_conflict = "nothing";
            columns = { time = "$.t | unix_s"; device = "{device}"; n = "$.n :: bigint"; };
            create_sql = ("create index on {table} (n)", "select set_config('a.b', '{table}', true)");
            partition: { by = "time"; every = "1m"; keep = "30m"; }; }"""
MINUTE, DAY = 60, 86400


def reading(device, at, n=0):
    return f"~/r/{device}", json.dumps({"t": int(at), "n": n})


def partitions(env, table="reading"):
    """Name and number of rows of each."""
    names = [name for name, in env.sql("select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass order by 1", table)]
    counts = {}
    for name in names:
        try:
            counts[name] = env.one(f"select count(*) from only {name}")
        except psycopg2.errors.UndefinedTable:
            pass  # dropped meanwhile
    return counts


def not_kept(bridge, rule="reading"):
    return next(found["partitions_not_kept"] for found in json.loads(bridge.get("/status.json").out)["rules"] if found["name"] == rule)


def of_minute(at):
    return "reading_p" + time.strftime("%Y%m%d_%H%M", time.gmtime(at)).removesuffix("_0000")


def drop_all(env):
    """All partitions that the bridge has made by itself."""
    env.sql("do $$ declare p text; begin for p in select inhrelid::regclass from pg_inherits where inhparent = 'reading'::regclass and inhrelid::regclass::text ~ '_p2' loop execute 'drop table ' || p; end loop; end $$")


@quick
def test_partitions_are_made_and_dropped(env):
    """Ahead of time, and for late rows; a shorter keep drops what is older, and nothing else; every row is stored once, whatever its time."""
    now = time.time()  # the bridge may see the next minute already
    bridge = env.bridge(RULE)
    env.wait(lambda: len(partitions(env)) >= 5, 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    assert {of_minute(now + n * MINUTE) for n in (1, 2, 3)} <= set(partitions(env)), partitions(env)
    assert env.one("select count(*) from pg_indexes where tablename = 'reading' and indexdef like '%%(n)'") == 1
    messages = [reading("a", now), reading("a", now - 20 * MINUTE), reading("a", now - 10 * MINUTE), reading("a", now - DAY), reading("a", now + DAY), reading("a", 0)]
    env.publish(messages * 2)
    env.wait(lambda: partitions(env).get(of_minute(now - 20 * MINUTE)) == 1 == partitions(env).get(of_minute(now - 10 * MINUTE)), 20, lambda: f"{partitions(env)}\n{bridge.log()}")
    # A row of a minute that was over when the bridge began is moved, too.
    env.wait(lambda: partitions(env)["reading_default"] == 3, 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    assert env.one("select count(*) from reading") == 6
    assert not_kept(bridge) is None and env.dead_letters() == []
    bridge.configure(RULE.replace('"30m"', '"15m"'))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: of_minute(now - 20 * MINUTE) not in partitions(env), 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    assert partitions(env)[of_minute(now - 10 * MINUTE)] == 1 and partitions(env)["reading_default"] == 3
    assert env.one("select count(*) from reading") == 5
    env.publish([reading("a", now - 20 * MINUTE)])
    env.wait(lambda: env.one("select count(*) from only reading_default") == 4, 15)
    bridge.check_books()


def test_partitions_of_others_stay(env):
    """A table that a person has partitioned: the bridge makes partitions beside those that are there, and drops only its own."""
    now = time.time()
    old = time.strftime("%Y-%m-%d", time.gmtime(now - 400 * DAY))
    env.sql("create table reading (device text, time timestamptz, n bigint, extra text default 'x', primary key (device, time)) partition by range (time)")
    env.sql(f"create table mine partition of reading for values from (minvalue) to ('{old} 00:00+00')")
    env.sql(f"create table half partition of reading for values from ('{time.strftime('%Y-%m-%d %H:%M:30+00', time.gmtime(now))}') to ('{time.strftime('%Y-%m-%d %H:%M:30+00', time.gmtime(now + MINUTE))}')")
    env.sql("insert into reading values ('old', '2001-01-01', 1)")
    bridge = env.bridge(RULE.replace("create = true; ", "").replace('create_sql', '# create_sql').replace('"n = ', '"'))
    env.wait(lambda: of_minute(now + 3 * MINUTE) in partitions(env), 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    env.publish([reading("a", now + n * 10) for n in range(18)])
    env.wait_rows("reading", 19)
    assert {"mine", "half"} <= set(partitions(env)) and partitions(env)["mine"] == 1 and partitions(env)["half"] >= 3, partitions(env)
    assert env.dead_letters() == [] and not_kept(bridge) is None
    bridge.check_books()


@quick
def test_partitions_that_can_not_be_kept(env):
    """A role that is not the owner, another kind of table, a trigger that would notice: told once in log and status; rows are stored; it goes on when that is mended."""
    env.admin("create table reading (device text, time timestamptz, n bigint, primary key (device, time)) partition by range (time)")
    env.admin("create table rest partition of reading default; grant select, insert, update on reading to bridge")
    env.admin("create table plain (device text, time timestamptz, n bigint); grant select, insert on plain to bridge")
    plain = RULE.replace('"reading"; topic = "~/r', '"plain"; topic = "~/p').replace('"reading"', '"plain"').replace('key = ("device", "time"); on_conflict = "nothing";', "")
    bridge = env.bridge(RULE + ", " + plain)
    now = time.time() - DAY
    env.publish([reading("a", now), ("~/p/a", json.dumps({"t": int(now)}))])
    env.wait_rows("reading", 1)
    env.wait_rows("plain", 1)
    env.wait(lambda: not_kept(bridge) and not_kept(bridge, "plain"), 15)
    assert "does not own the table" in not_kept(bridge) and "not partitioned" in not_kept(bridge, "plain")
    assert [bridge.metric("rule_partitions_not_kept", rule=rule) for rule in ("reading", "plain")] == [1, 1]
    status = env.cli("status", config=bridge)
    assert "partitions not kept reading: this role does not own the table" in status.out, status
    checked = env.cli("check", "--database", config=bridge)
    assert checked.code == 3 and "\"plain\" is not partitioned" in checked.out and "does not own" in checked.out, checked
    env.admin("alter table reading owner to bridge; alter table rest owner to bridge")
    bridge.wait_log("kept again")
    assert bridge.log().count("not kept") == 2, bridge.log()
    env.wait(lambda: len(partitions(env)) == 5, 15, lambda: partitions(env))
    assert bridge.metric("rule_partitions_not_kept", rule="reading") == 0
    bridge.configure(RULE)
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: bridge.metric("rule_partitions_not_kept", rule="plain") == 0, 15, "a removed rule keeps its gauge")
    bridge.check_books()


@quick
@limit(90)
def test_killed_among_partitions(env):
    """kill -9 before and behind a partition, again and again, with two bridges on one table: each row once, each in its partition."""
    faults = [f"load.partition.{what}=kill@{n}" for what, n in (("made", 1), ("made", 2), ("made", 6), ("dropped", 1))]
    second = env.bridge(RULE.replace("~/r/", "~/s/"), name="second")
    env.wait(lambda: env.sql("select to_regclass('reading')") != [(None,)] and len(partitions(env)) >= 5, 15)
    bridge = env.bridge(RULE)
    assert bridge.stop() == 0
    now, sent = time.time(), 0
    old = time.strftime("%Y-%m-%d %H:%M:00+00", time.gmtime(now - 100 * MINUTE))
    env.sql(f"create table old partition of reading for values from ('{old}') to (timestamptz '{old}' + interval '1 min'); comment on table old is 'made by mqtt2pg at 2100-01-01 00:00:00+00'")  # behind the kills, not before a jump of the clock
    drop_all(env)
    for n, fault in enumerate(faults):
        bridge.start(ready=False, faults=fault)
        env.publish([reading(f"r{n}", now - minute * MINUTE) for minute in range(8)] + [(f"~/s/s{n}-{minute}", reading("x", now - minute * MINUTE)[1]) for minute in range(8)])
        sent += 16
        env.wait(lambda: not bridge.running() or env.one("select count(*) from reading") == sent, 15)
        bridge.kill9()
    bridge.start()
    env.wait_rows("reading", sent)
    env.wait(lambda: env.one("select count(*) from only reading_default") == 0, 30, lambda: f"{partitions(env)}\n{bridge.log()}{second.log()}")
    env.wait(lambda: "old" not in partitions(env), 10, lambda: partitions(env))
    assert env.one("select count(distinct (device, time)) from reading") == sent
    assert env.dead_letters() == []
    assert not_kept(bridge) is None and not_kept(second) is None
    bridge.check_books()
    second.check_books()


def test_reload_behind_a_jump_of_the_clock(env):
    """No partition of the present time was there: the old ones stay for an hour, also when a reload (log rotation) or a restart comes at once."""
    bridge = env.bridge(RULE)
    env.wait(lambda: len(partitions(env)) >= 5, 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    assert bridge.stop() == 0
    now = time.time()
    old = time.strftime("%Y-%m-%d %H:%M:00+00", time.gmtime(now - 100 * MINUTE))
    env.sql(f"create table old partition of reading for values from ('{old}') to (timestamptz '{old}' + interval '1 min'); comment on table old is 'made by mqtt2pg at {old}'")
    drop_all(env)
    bridge.start()
    bridge.wait_log("old ones stay for an hour")
    env.wait(lambda: len(partitions(env)) >= 6, 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    for minute, again in ((20, lambda: bridge.signal(signal.SIGHUP)), (10, lambda: (bridge.stop(), bridge.start()))):
        again()
        for late in (minute, minute - 3):  # the second one is made behind a whole turn
            env.publish([reading("a", now - late * MINUTE)])
            env.wait(lambda: partitions(env).get(of_minute(now - late * MINUTE)) == 1, 15, lambda: f"{partitions(env)}\n{bridge.log()}")
        assert "old" in partitions(env), bridge.log()
    assert env.one("select obj_description(%s::regclass)", of_minute(now - 20 * MINUTE)).startswith("made by mqtt2pg at 20")


def test_partitions_and_locks(env):
    """A long query locks the table: nobody waits for the bridge, rows go on, and the old partition is dropped later."""
    bridge = env.bridge(RULE)
    now = time.time()
    env.publish([reading("a", now - 20 * MINUTE, 7)])
    late = of_minute(now - 20 * MINUTE)
    env.wait(lambda: partitions(env).get(late) == 1, 20, lambda: f"{partitions(env)}\n{bridge.log()}")
    reader = env.run.connect(env.database)
    reader.autocommit = False
    reader.cursor().execute("select count(*) from reading")
    bridge.configure(RULE.replace('"30m"', '"15m"').replace('create = true;', 'create = true; add_columns = true;'))
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    for n in range(3):
        env.publish([reading("b", now + n, n)])
        env.wait_rows("reading", n + 2, 8)
    assert late in partitions(env)
    reader.rollback()
    env.wait(lambda: late not in partitions(env), 20, lambda: f"{partitions(env)}\n{bridge.log()}")
    env.publish([("~/r/c", json.dumps({"t": int(now - 10 * MINUTE), "n": 1, "power": 5}))])
    env.wait(lambda: partitions(env).get(of_minute(now - 10 * MINUTE)) == 1, 20, lambda: f"{partitions(env)}\n{bridge.log()}")
    assert env.sql("select n::int, power::int from reading where device = 'c'") == [(1, 5)]
    bridge.check_books()


def test_one_partition_keeps_no_other(env):
    """A table that has the name of a partition, and a view that reads an old one: told, and the other partitions are made and dropped all the same."""
    bridge = env.bridge(RULE)
    now = time.time()
    first, taken, free = (now - n * MINUTE for n in (25, 20, 10))
    env.sql(f"create table {of_minute(taken)} (n int)")
    env.wait(lambda: env.sql("select to_regclass('reading')") != [(None,)] and len(partitions(env)) >= 5, 15)
    env.publish([reading("a", at) for at in (first, taken, free)])
    env.wait(lambda: partitions(env).get(of_minute(free)) == 1, 20, lambda: f"{partitions(env)}\n{bridge.log()}")
    env.wait(lambda: not_kept(bridge) is not None and of_minute(taken) in not_kept(bridge), 15)
    env.sql(f"create view eye as select * from {of_minute(first)}")
    bridge.configure(RULE.replace('"30m"', '"5m"'))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: of_minute(free) not in partitions(env), 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    env.wait(lambda: not_kept(bridge) is not None and of_minute(first) in not_kept(bridge), 15, lambda: not_kept(bridge))
    assert of_minute(first) in partitions(env) and env.one("select count(*) from reading") == 2
    bridge.check_books()


def test_more_late_rows_than_move_at_once(env):
    """Rows of one minute that take longer to move than a transaction may last: they move in parts, and nothing behind them waits for good."""
    bridge = env.bridge(RULE, database={"statement_timeout": "1s"})
    env.wait(lambda: env.sql("select to_regclass('reading')") != [(None,)] and len(partitions(env)) >= 5, 15)
    begin = time.time() // MINUTE * MINUTE - 20 * MINUTE
    env.sql("alter table reading add constraint slow check (n = 0 or pg_sleep(0.015) is not null)")
    env.sql("insert into reading select to_timestamp(%s + i * 1.5), 'a', 1 from generate_series(0, 39) i", begin)
    env.publish([reading("b", begin + 5 * MINUTE)])
    env.wait(lambda: env.one("select count(*) from only reading_default") == 0, 40, lambda: f"{partitions(env)}\n{bridge.log()}")
    assert env.one("select count(*) from reading") == 41 and partitions(env)[of_minute(begin + 5 * MINUTE)] == 1, partitions(env)
    env.wait(lambda: not_kept(bridge) is None, 15)
    bridge.check_books()


def test_rows_that_must_not_move(env):
    """A trigger that counts deleted rows, or a foreign key, would notice that a row leaves the default partition: it stays there."""
    bridge = env.bridge(RULE)
    now = time.time()
    env.wait(lambda: env.sql("select to_regclass('reading')") != [(None,)] and len(partitions(env)) >= 5, 15)
    env.sql("create table mark (device text, time timestamptz, foreign key (device, time) references reading on delete cascade)")
    env.publish([reading("a", now - 20 * MINUTE)])
    env.wait_rows("reading", 1)
    env.sql("insert into mark select device, time from reading")
    env.wait(lambda: not_kept(bridge) is not None, 15)
    assert "foreign key" in not_kept(bridge) and env.one("select count(*) from mark") == 1 == env.one("select count(*) from only reading_default")
    env.sql("drop table mark")
    env.wait(lambda: partitions(env).get(of_minute(now - 20 * MINUTE)) == 1 and not_kept(bridge) is None, 30, lambda: f"{partitions(env)}\n{bridge.log()}")
    bridge.check_books()


@quick
def test_sql_of_schema_makes_the_same(env):
    """What `schema` prints can be run twice by an administrator; the bridge then keeps the partitions of that table; a hypertable is asked for as TimescaleDB wants it."""
    hypertable = RULE.replace('"reading"; topic', '"hyper"; topic').replace('table = "reading"', 'table = "hyper"').replace("partition: {", "partition: { timescale = true;")
    bridge = env.bridge(RULE + ", " + hypertable, start=False)
    env.admin("create schema ts; grant usage on schema ts to bridge")  # where search_path does not look
    for function in ("create_hypertable(relation regclass, time_column_name name, chunk_time_interval interval)", "add_retention_policy(relation regclass, drop_after interval)"):
        assert (env.cli("check", "--database", config=bridge).code == 3) == (not env.sql("select from pg_proc where proname = 'add_retention_policy'"))
        env.admin(f"create function ts.{function} returns text language sql return relation::text || ' ' || $2")
    printed = env.cli("schema", config=bridge).out
    assert "PERFORM create_hypertable('hyper', 'time', chunk_time_interval => interval '1 minutes');\nPERFORM add_retention_policy('hyper', drop_after => interval '30 minutes');" in printed, printed
    for _ in range(2):
        env.sql(printed.replace("%", "%%"))
    assert env.one("select count(*) from pg_indexes where tablename in ('reading', 'hyper') and indexdef like '%%(n)'") == 2
    assert env.cli("check", "--database", config=bridge).code == 0
    bridge.start()
    env.publish([reading("a", time.time())])
    env.wait_rows("reading", 1)
    env.wait(lambda: len(partitions(env)) >= 5, 15, lambda: f"{partitions(env)}\n{bridge.log()}")
    bridge.check_books()


def test_a_date_has_partitions_of_days(env):
    """A date has no hours: in a table that is there, whatever `every` is, its partitions have whole days; check says so."""
    for every, days, told in (("1h", 1, True), ("36h", 2, True), ("2d", 2, False)):
        rule = RULE.replace("reading", f"r{every}").replace('"1m"', f'"{every}"').replace('"30m"', '"400d"').replace("create = true; ", "").replace('"n = ', '"')
        env.sql(f"""create table r{every} (device text, time date, n bigint, primary key (device, time)) partition by range (time);
                    create table r{every}_default partition of r{every} default; comment on table r{every}_default is 'made by mqtt2pg'""")
        bridge = env.bridge(rule.replace("create_sql", "# create_sql"), name=every)
        spans = f"""select split_part(bound, chr(39), 4)::date - split_part(bound, chr(39), 2)::date from (select pg_get_expr(relpartbound, oid) as bound
                    from pg_class where relispartition and relkind = 'r' and relname like 'r{every}%%') b where bound <> 'DEFAULT' order by 1 desc limit 4"""
        env.wait(lambda sql=spans, want=days: env.sql(sql) == [(want,)] * 4, 15, lambda at=bridge, sql=spans: f"{env.sql(sql)}\n{at.log()}")
        env.publish([reading("a", time.time()), reading("a", time.time() - 300 * DAY)])
        env.wait_rows(f"r{every}", 2)
        bridge.restart()  # its first turn is due at once
        env.wait(lambda table=f"r{every}_default": env.one(f"select count(*) from only {table}") == 0, 15, bridge.log)
        assert not_kept(bridge, f"r{every}") is None
        assert ("whole days" in env.cli("check", "--database", config=bridge).out) == told
        bridge.check_books()
        bridge.stop()


def test_letters_wait_for_the_partition(env):
    """With retry_for a row without a partition, in a table without a default one, is stored as soon as the bridge may make it."""
    env.admin("create table reading (device text, time timestamptz, n bigint, primary key (device, time)) partition by range (time)")
    env.admin("grant select, insert, update on reading to bridge")
    bridge = env.bridge(RULE.replace("create = true;", 'retry_for = "1h";').replace("create_sql", "# create_sql"))
    env.publish([reading("a", time.time(), 5)])
    env.wait(lambda: len(env.dead_letters()) == 1, 15, env.dead_letters)
    assert "does not own" in env.cli("check", "--database", config=bridge).out
    env.admin("alter table reading owner to bridge")
    env.wait_rows("reading", 1, 20)
    env.wait(lambda: env.dead_letters() == [], 10, env.dead_letters)
    bridge.check_books()
