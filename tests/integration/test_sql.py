"""The SQL that is for people: sample tables, views, roles. Run as its headers say, through psql, twice; then asked.

SPDX-License-Identifier: MIT
"""

import datetime
import glob
import os

import psycopg2

from env import ROOT
from psql import psql

UTC = datetime.timezone.utc
TELEMETRY_RULE = """{ name = "telemetry"; topic = "~/devices/{device}/telemetry"; table = "public.telemetry";
    columns = { time = "$.ts | required | unix_ms"; device = "{device}"; temperature = "$.temperature"; received = "@received_at"; };
    on_conflict = "nothing"; key = ("device", "time"); }"""


def reading(env, device, ago, temperature, received=None):
    """A reading from so long ago, received then too or so long ago."""
    env.admin("insert into public.telemetry (time, device, temperature, received) "
              "values (now() - %s::interval, %s, %s, now() - %s::interval)", ago, device, temperature, received or ago)


def test_all_files_twice(env):
    """Each file may be run again, changes nothing then, and says nothing that looks like trouble."""
    # With TimescaleDB it wants a server that loads the extension at its start: extensions:timescaledb_by_the_sql_file.
    timescale = [] if env.admin("select 1 from pg_available_extensions where name = 'timescaledb'") else ["timescale.sql"]
    for files in (["mqtt2pg.sql", "telemetry.sql", "views.sql", *timescale], ["mqtt2pg.sql", "partitioned.sql", "views.sql"]):
        env.make_database(env.database)
        env.pg.close()
        said = psql(env, *files)
        assert "ERROR" not in said, said
        shape = ("select c.relname, c.relkind, obj_description(c.oid), (select count(*) from pg_attribute where attrelid = c.oid) from pg_class c "
                 "where relnamespace in ('public'::regnamespace, 'mqtt2pg'::regnamespace) order by 1")
        before = env.admin(shape)
        assert len(before) > 10
        psql(env, *files)
        assert env.admin(shape) == before, "the second run changed something"
        env.pg.close()


def test_every_embedded_statement_is_valid(env):
    """The server can prepare each statement that the program has from sql/embedded: what fails at debug level only is found here."""
    psql(env, "mqtt2pg.sql")
    wrong = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "sql", "embedded", "*.sql"))):
        with open(path) as file:
            text = file.read()
        if "copy mqtt2pg" in text.lower():
            continue  # no statement that can be prepared; each dead letter tries it
        try:
            env.admin("prepare embedded as " + text + "; deallocate embedded")
        except psycopg2.Error as error:
            wrong[os.path.basename(path)] = str(error).splitlines()[0]
    assert not wrong, wrong


def test_timescale_says_that_it_is_missing(env):
    if env.admin("select 1 from pg_available_extensions where name = 'timescaledb'"):
        return
    said = psql(env, "telemetry.sql", "timescale.sql")
    assert "timescaledb is not installed" in said and "ERROR" not in said, said


def test_views_give_right_answers(env):
    """On known readings, in a session of another time zone."""
    psql(env, "mqtt2pg.sql", "telemetry.sql", "views.sql")
    env.admin("set timezone = 'Asia/Kathmandu'")  # 5:45 ahead: hours of its own would be seen
    for ago, temperature in (("3 hours", 10), ("3 hours 10 seconds", 20), ("40 days", 99)):
        reading(env, "d1", ago, temperature)
    for seconds, temperature in ((0, 1), (1, 2), (2, 6)):
        env.admin("insert into telemetry (time, device, temperature, received) select at, 'd2', %s, at + interval '4 s' from "
                  "(select date_trunc('minute', now()) - interval '5 min' + %s * interval '1 s' as at) x", temperature, seconds)
    assert env.admin("select device, temperature from telemetry_latest order by 1") == [("d1", 10.0), ("d2", 6.0)]
    minutes = env.admin("select device, readings, temperature, temperature_min, temperature_max, minute = date_trunc('minute', now()) - interval '5 min' "
                        "from telemetry_minute where device = 'd2'")
    assert minutes == [("d2", 3, 3.0, 1.0, 6.0, True)], minutes
    assert env.admin("select sum(readings) from telemetry_minute where device = 'd1'") == [(2,)], "40 days ago is of today"
    hours = env.admin("select device, sum(readings), max(temperature_max), bool_and(extract(minute from hour at time zone 'UTC') = 0) "
                      "from telemetry_hour group by 1 order by 1")
    assert hours == [("d1", 2, 20.0, True), ("d2", 3, 6.0, True)], hours
    assert env.admin("select device, silent_for > interval '2:59' and silent_for < interval '3:01' from telemetry_silent") == [("d1", True)]
    delay = env.admin("select readings, median_seconds, p95_seconds, max_seconds from telemetry_delay")
    assert delay == [(3, 4.0, 4.0, 4.0)], delay


def test_dead_letters_by_reason(env):
    """One mistake with many values is one row; who looks sees no payload."""
    psql(env, "mqtt2pg.sql", "telemetry.sql", "views.sql", user="bridge")
    bridge = env.bridge(TELEMETRY_RULE.replace('received = "@received_at"', 'received = "@received_at"; battery = "$.battery"'))
    env.publish([(f"~/devices/d{n}/telemetry", f'{{"ts":1790000000{n:03d},"temperature":"broken-{n}"}}') for n in range(20)]
                + [("~/devices/x/telemetry", '{"temperature":1}'), ("~/devices/d/telemetry", '{"ts":1790000000123}')])
    env.wait_rows("public.telemetry", 1)
    env.wait(lambda: len(env.dead_letters()) == 21, 10, "not 21 dead letters")
    reasons = env.admin("select rule, reason, messages, parked from dead_letter_reasons order by messages desc")
    assert [(rule, messages, parked) for rule, _, messages, parked in reasons] == [("telemetry", 20, False), ("telemetry", 1, False)], reasons
    assert "broken" not in reasons[0][1] and reasons[0][1].startswith("column temperature"), reasons
    assert env.admin("select client_id, ago < interval '1 minute' from bridge_progress") == [(bridge.client_id, True)]


def partitions(env):
    return [name for name, in env.admin("select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid "
                                        "where i.inhparent = 'public.telemetry'::regclass order by 1")]


def test_partitions_come_and_go(env):
    """The right days, whatever the session's time zone; what came before its partition moves into it; old days are dropped, today never."""
    psql(env, "partitioned.sql", environment={"PGTZ": "Pacific/Kiritimati"})  # UTC+14: its tomorrow begins ten hours early
    today = env.admin("select (now() at time zone 'UTC')::date")[0][0]
    days = [today + datetime.timedelta(days=n) for n in range(-1, 8)]
    names = [f"telemetry_p{day:%Y%m%d}" for day in days]
    assert partitions(env) == sorted(["telemetry_default", *names]), partitions(env)
    env.admin("set timezone = 'America/St_Johns'")
    midnight = datetime.datetime.combine(today, datetime.time(), UTC)
    for offset, name in ((0, names[1]), (-1, names[0]), (86_400_000_000 - 1, names[1]), (86_400_000_000, names[2]), (90 * 86_400_000_000, "telemetry_default")):
        found = env.admin("insert into telemetry (time, device) values (%s, %s) returning tableoid::regclass::text",
                          midnight + datetime.timedelta(microseconds=offset), f"d{offset}")
        assert found == [(name,)], f"{offset} µs after midnight UTC is in {found}"
    far = today + datetime.timedelta(days=90)
    assert env.admin("select telemetry_make_partition(%s)", far) == [(f"telemetry_p{far:%Y%m%d}",)]
    assert env.admin("select tableoid::regclass::text from telemetry where time > now() + interval '80 days'") == [(f"telemetry_p{far:%Y%m%d}",)]
    assert env.admin("select count(*) from telemetry_default") == [(0,)]
    assert env.admin("select telemetry_make_partition(%s)", far) == [(None,)], "made twice"

    old = [today - datetime.timedelta(days=n) for n in (10, 11, 12)]
    for day in old:
        env.admin("select telemetry_make_partition(%s)", day)
    env.admin("insert into telemetry (time, device) values (now() - interval '400 days', 'old')")
    env.admin("insert into telemetry (time, device) values (now() - interval '10 days 1 second', 'kept')")
    made, dropped = env.admin("select * from telemetry_maintain(keep => '10 days', ahead => 9)")[0]
    assert dropped == [f"telemetry_p{day:%Y%m%d}" for day in (old[2], old[1])], dropped
    assert made == [f"telemetry_p{today + datetime.timedelta(days=n):%Y%m%d}" for n in (8, 9)], made
    assert env.admin("select device from telemetry where time < now() - interval '5 days'") == [("kept",)]
    assert env.admin("select * from telemetry_maintain(keep => '10 days', ahead => 9)") == [([], [])]
    try:
        env.admin("select telemetry_drop_partitions('1 hour')")
        raise AssertionError("today can be dropped")
    except psycopg2.Error as error:
        assert "less than a day" in str(error), error


def test_partitioned_leaves_an_ordinary_table_alone(env):
    said = psql(env, "telemetry.sql", "partitioned.sql", check=False)
    assert "there already, and not partitioned" in said and "Rename it" in said, said
    assert env.admin("select relkind::text from pg_class where relname = 'telemetry'") == [("r",)]


def test_bridge_stores_into_partitions(env):
    """With nothing but what role.sql gives it, logged in as that role, with its password; and it may no more than that."""
    psql(env, "mqtt2pg.sql", "partitioned.sql", "views.sql")
    psql(env, "role.sql", role="keeper", password="let me store", table="public.telemetry")
    psql(env, "role.sql", role="keeper", password="let me store", table="public.telemetry")
    env.admin("revoke all on schema public from public")
    conninfo = env.postgres.conninfo(env.database, user="keeper", tcp=True, password="'let me store'")
    bridge = env.bridge(TELEMETRY_RULE, database={"conninfo": conninfo})
    count = 300
    env.publish([(f"~/devices/d{n % 7}/telemetry", f'{{"ts":{1790000000000 + 86400000 * (n % 3) + n},"temperature":{n}}}') for n in range(count)])
    env.publish([("~/devices/d0/telemetry", '{"ts":1790000000000,"temperature":0}'), ("~/devices/d0/telemetry", "rubbish")])
    env.publish([(f"~/devices/now{n}/telemetry", f'{{"ts":{int(datetime.datetime.now().timestamp() * 1000)},"temperature":1}}') for n in range(5)])
    env.wait(lambda: env.admin("select count(*) from telemetry")[0][0] == count + 5, 20, lambda: env.admin("select count(*) from telemetry"))
    env.wait(lambda: env.admin("select count(*) from mqtt2pg.dead_letter") == [(1,)], 10, "no dead letter")
    assert env.admin("select count(*) from only telemetry_default") == [(count,)]
    bridge.check_books()
    check = env.cli("check", "--database", config=bridge)
    assert check.code == 0, check
    listed = env.cli("dead-letters", "list", config=bridge)
    assert listed.code == 0 and "rubbish" not in listed.err, listed
    keeper = psycopg2.connect(conninfo)
    keeper.autocommit = True
    for forbidden in ("delete from public.telemetry", "truncate public.telemetry", "drop table public.telemetry", "create table public.x (a int)",
                      "delete from mqtt2pg.gap", "select public.telemetry_maintain()", "create schema s", "alter table public.telemetry add a int"):
        try:
            keeper.cursor().execute(forbidden)
            raise AssertionError(f"the role may {forbidden}")
        except psycopg2.errors.InsufficientPrivilege:
            pass
    keeper.close()


def test_reader_only_looks(env):
    psql(env, "mqtt2pg.sql", "telemetry.sql", "views.sql")
    env.admin("create table public.salaries (a int)")
    psql(env, "reader.sql", role="looker", password="x")
    psql(env, "reader.sql", role="looker", password="x")
    looker = psycopg2.connect(env.postgres.conninfo(env.database, user="looker", tcp=True, password="x"))
    looker.autocommit = True
    cursor = looker.cursor()
    for view in ("telemetry", "telemetry_latest", "telemetry_minute", "telemetry_hour", "telemetry_silent", "telemetry_delay", "dead_letter_reasons",
                 "bridge_progress", "mqtt2pg.progress", "mqtt2pg.gap"):
        cursor.execute(f"select * from {view}")
    cursor.execute("select id, topic, reason from mqtt2pg.dead_letter")
    for forbidden in ("select payload from mqtt2pg.dead_letter", "insert into telemetry (time, device) values (now(), 'x')", "delete from mqtt2pg.gap",
                      "select * from salaries"):
        try:
            cursor.execute(forbidden)
            raise AssertionError(f"the reader may {forbidden}")
        except psycopg2.errors.InsufficientPrivilege:
            pass
    looker.close()


def test_readme_names_the_files(env):
    """sql/README.md says what each file is."""
    with open(os.path.join(ROOT, "sql/README.md")) as file:
        text = file.read()
    missing = [name for name in map(os.path.basename, glob.glob(os.path.join(ROOT, "sql/*.sql"))) if f"`{name}`" not in text]
    assert not missing, missing
