"""Extensions of PostgreSQL, each where the server has it: PostGIS and pg_partman are Debian's; TimescaleDB and Citus, which Debian has not,
are passed over with a word unless somebody installed them.

SPDX-License-Identifier: MIT
"""

import json
import time

from env import Skip, limit
from psql import psql
from scenes import numbered, own_server

READING_RULE = """{ name = "reading"; topic = "~/n/{device}"; table = "reading"; on_conflict = "update"; key = ("device", "time");
                    columns = { time = "$.n | unix_s"; device = "{device}"; n = "$.n"; }; }"""
READING_TABLE = "create table reading (time timestamptz not null, device text not null, n bigint, primary key (device, time))"


def extension(env, name):
    """Makes it in the test's database; skips the test where the server has none."""
    if not env.admin("select name from pg_available_extensions where name = %s", name):
        raise Skip(f"the server has no extension {name}")
    env.admin(f"create extension {name}")


def test_postgis(env):
    """GeoJSON and EWKT go straight into geometry; what PostGIS refuses is told with the column and the hint."""
    extension(env, "postgis")
    env.sql("create table place (id int generated always as identity, name text, pos geometry(Point, 4326), area geography)")
    bridge = env.bridge("""{ name = "place"; topic = "~/p/{name}"; table = "place";
                             columns = { name = "{name}"; pos = "$.pos"; area = "$.area"; }; }""")
    env.publish([("~/p/json", '{"pos": {"type": "Point", "coordinates": [9.99, 53.55]}}'),
                 ("~/p/text", '{"pos": "SRID=4326;POINT(9.99 53.55)", "area": "POINT(9.99 53.55)"}'),
                 ("~/p/bad", '{"area": {"type": "Point", "coordinates": [9.99, 53.55]}}'),
                 ("~/p/last", '{"pos": "POINT(0 0)"}')])
    env.wait(lambda: env.one("select count(*) from place") == 3, 20, lambda: f"{env.dead_letters()}")
    env.sql("create table made (name text, pos geometry(Point, 4326))")
    bridge.configure("""{ name = "made"; topic = "~/m/{name}"; table = "made";
                          columns = { name = "{name}"; lon = "$.lon :: float8"; lat = "$.lat :: float8"; };
                          compute = { pos = "ST_SetSRID(ST_MakePoint(lon, lat), 4326)"; }; }""")
    bridge.restart()
    env.publish([("~/m/two", '{"lon": 9.99, "lat": 53.55}')])
    env.wait_rows("made", 1)
    assert env.sql("select name, st_asewkt(pos) from made") == [("two", "SRID=4326;POINT(9.99 53.55)")]
    assert env.sql("select name, st_x(pos)::text, st_srid(pos) from place where name <> 'last' order by id") == [
        ("json", "9.99", 4326), ("text", "9.99", 4326)]
    (_, topic, reason, _, parked), = env.dead_letters()
    assert topic == "p/bad" and not parked and 'column "area": parse error - invalid geometry' in reason and "hint: " in reason, reason
    bridge.check_books()


def preloaded(env, name, schema=None):
    """A server of the test's own that loads the extension at its start, as both of these want it."""
    if not env.admin("select name from pg_available_extensions where name = %s", name):
        raise Skip(f"the server has no extension {name}")
    own_server(env, f"shared_preload_libraries={name}", "max_prepared_transactions=20")
    if schema:
        env.admin(f"create schema {schema}; grant usage on schema {schema} to bridge")
    env.admin(f"create extension {name}" + (f" schema {schema}" if schema else ""))


def stored_twice_is_stored_once(env, count):
    """Each message, and the same again as an upsert."""
    bridge = env.bridge(READING_RULE)
    for _ in range(2):
        env.publish([*numbered("a", 0, count), *numbered("b", 0, count)])
        bridge.wait_quiet()
    assert env.sql("select count(*), count(distinct (device, n)) from reading") == [(2 * count, 2 * count)]
    assert env.dead_letters() == []
    bridge.check_books()


@limit(120)
def test_timescaledb(env):
    """A hypertable of many chunks; old rows and upserts into compressed ones."""
    preloaded(env, "timescaledb")
    env.sql(READING_TABLE)
    env.sql("select create_hypertable('reading', 'time', chunk_time_interval => interval '100 seconds')")
    env.sql("alter table reading set (timescaledb.compress, timescaledb.compress_segmentby = 'device')")
    env.sql("insert into reading select to_timestamp(n), 'a', -1 from generate_series(0, 999, 10) as n")
    env.sql("select compress_chunk(c) from show_chunks('reading') c")
    stored_twice_is_stored_once(env, 1000)
    assert env.one("select count(*) from reading where n < 0") == 0


@limit(120)
def test_timescaledb_by_the_sql_file(env):
    """sql/timescale.sql, run twice over the sample table with readings in it: a hypertable with both policies, into which the bridge stores."""
    preloaded(env, "timescaledb")
    psql(env, "mqtt2pg.sql", "telemetry.sql", "views.sql")
    env.admin("insert into public.telemetry (time, device, temperature) select now() - n * interval '1 day', 'd', n from generate_series(1, 5) n")
    for _ in range(2):
        said = psql(env, "timescale.sql")
        assert "ERROR" not in said, said
    jobs = env.admin("select proc_name from timescaledb_information.jobs where hypertable_name = 'telemetry' order by 1")
    assert [name for name, in jobs] in (["policy_compression", "policy_retention"], ["policy_columnstore", "policy_retention"]), jobs
    env.admin("grant all on public.telemetry to bridge; grant all on schema mqtt2pg to bridge; grant all on all tables in schema mqtt2pg to bridge; grant all on all sequences in schema mqtt2pg to bridge")
    bridge = env.bridge("""{ name = "telemetry"; topic = "~/t/{device}"; table = "public.telemetry"; on_conflict = "nothing"; key = ("device", "time");
                             columns = { time = "@received_at"; device = "{device}"; temperature = "$"; }; }""")
    env.publish([("~/t/new", "21.5")])
    env.wait(lambda: env.admin("select count(*) from public.telemetry") == [(6,)], 15, bridge.log)
    bridge.check_books()


def hypertable_rule(table, time="$.t | unix_s", every="1h"):
    return f"""{{ name = "{table}"; topic = "~/{table}/{{device}}"; table = "{table}"; create = true; add_columns = true;
                  key = ("device", "time"); on_conflict = "update"; create_sql = ("create index on {{table}} (n)");
                  columns = {{ time = "{time}"; device = "{{device}}"; n = "$.n :: bigint"; }};
                  partition: {{ by = "time"; every = "{every}"; keep = "2d"; timescale = true; }}; }}"""


@limit(120)
def test_timescaledb_made_by_the_bridge(env):
    """`timescale = true`: a hypertable with chunks of `every`, whose own policy drops what is older than `keep`; old rows, repeats and later columns are stored."""
    preloaded(env, "timescaledb")
    rules = hypertable_rule("hyper") + ", " + hypertable_rule("daily", "$.t | unix_s :: date", "1d")
    bridge = env.bridge(rules, start=False)
    checked = env.cli("check", "--database", config=bridge)
    assert checked.code == 0, checked
    bridge.start()
    now = int(time.time())
    ages = [0, 2 * 3600, 5 * 86400]
    for _ in range(2):
        env.publish([(f"~/{table}/a", '{"t":%d,"n":%d}' % (now - age, n)) for table in ("hyper", "daily") for n, age in enumerate(ages)])
        bridge.wait_quiet()
    env.publish([("~/hyper/b", '{"t":%d,"n":9,"later":21.5}' % now)])
    env.wait(lambda: env.sql("select 1 from pg_attribute where attrelid = 'hyper'::regclass and attname = 'later'"), 15, bridge.log)
    env.wait(lambda: env.sql("select later from hyper where device = 'b'") == [(21.5,)], 15, bridge.log)
    assert env.one("select count(*) from hyper") == 4 and env.one("select count(*) from daily") == 2 + (now % 86400 < 7200)
    assert env.one("select count(*) from pg_indexes where tablename in ('hyper', 'daily') and indexdef like '%%(n)'") == 2
    spans = env.admin("select hypertable_name, time_interval::text from timescaledb_information.dimensions order by 1")
    assert spans == [("daily", "1 day"), ("hyper", "01:00:00")], spans
    jobs = env.admin("select job_id, config->>'drop_after' from timescaledb_information.jobs where proc_name = 'policy_retention' and hypertable_name in ('hyper', 'daily')")
    assert len(jobs) == 2 and {drop_after for _, drop_after in jobs} == {"2 days"}, jobs
    for job, _ in jobs:
        env.admin("call run_job(%s)", job)
    assert env.one("select count(*) from hyper") == 3 and env.one("select min(time) > now() - interval '3 days' from daily")
    env.publish([("~/hyper/late", '{"t":%d,"n":5}' % (now - 5 * 86400))])  # the chunk is made once more
    env.wait(lambda: env.one("select count(*) from hyper where device = 'late'") == 1, 15, bridge.log)
    for rule in bridge.get("/status.json").json["rules"]:
        assert rule["partitions_not_kept"] is None and rule["parked"] is None, rule
    env.sql(env.cli("schema", config=bridge).out.replace("%", "%%"))  # harmless once the tables are there
    checked = env.cli("check", "--database", config=bridge)
    assert checked.code == 0 and checked.out + checked.err == "" or "hyper" not in checked.err, checked
    assert env.dead_letters() == []
    bridge.check_books()


@limit(120)
def test_timescaledb_in_a_schema_of_its_own(env):
    """The extension may stand in a schema that is not in search_path. Under the licence without policies the rule is parked with the reason, until there is another one."""
    preloaded(env, "timescaledb", schema="ts")
    env.admin("alter system set timescaledb.license = 'apache'")
    env.postgres.stop()
    env.postgres.start()
    bridge = env.bridge(hypertable_rule("hyper"))
    env.publish([("~/hyper/a", '{"t":%d,"n":1}' % time.time())])
    env.wait(lambda: "license" in json.dumps(bridge.get("/status.json").json["rules"][0]["parked"]), 15, lambda: bridge.get("/status.json").json["rules"])
    assert not env.sql("select 1 from pg_class where relname = 'hyper'"), "the table was made without its policy"
    env.admin("alter system reset timescaledb.license")
    env.postgres.stop()
    env.postgres.start()
    env.wait(lambda: env.sql("select 1 from pg_class where relname = 'hyper'") and env.one("select count(*) from hyper") == 1, 30, bridge.log)
    assert env.admin("select count(*) from timescaledb_information.hypertables") == [(1,)] and env.dead_letters() == []
    bridge.check_books()


@limit(120)
def test_timescaledb_frozen_chunk(env):
    """A chunk that takes no rows any more (0A000) refuses its own messages only; they are stored when it takes rows again."""
    preloaded(env, "timescaledb")
    env.sql(READING_TABLE)
    env.sql("select create_hypertable('reading', 'time', chunk_time_interval => interval '100 seconds')")
    env.sql("insert into reading select to_timestamp(n), 'before', n from generate_series(0, 999, 100) as n")
    freeze = "select _timescaledb_functions.{}(c) from show_chunks('reading', older_than => to_timestamp(200)) c"
    assert len(env.admin(freeze.format("freeze_chunk"))) == 2
    bridge = env.bridge(READING_RULE)
    for first in (0, 500):
        env.publish(numbered("a", first, 500))
        bridge.wait_quiet()
    assert env.one("select count(*) from reading where device = 'a'") == 800
    letters = env.sql("select sqlstate, parked, count(*) from mqtt2pg.dead_letter group by 1, 2")
    assert letters == [("0A000", False, 200)] and "frozen chunk" in env.dead_letters()[0][2], (letters, env.dead_letters()[:1])
    assert "rule parked" not in bridge.log() and "rule held" not in bridge.log()
    env.admin(freeze.format("unfreeze_chunk"))
    assert env.cli("dead-letters", "retry", "--rule", "reading", config=bridge).code == 0
    assert env.sql("select count(*), count(distinct n) from reading where device = 'a'") == [(1000, 1000)] and env.dead_letters() == []
    bridge.check_books()


@limit(120)
def test_citus(env):
    """A table distributed by device on one node; a reference table with a foreign key refuses only what it must."""
    preloaded(env, "citus")
    env.sql(READING_TABLE)
    env.admin("select create_distributed_table('reading', 'device')")
    stored_twice_is_stored_once(env, 1000)


def test_partman(env):
    """pg_partman makes the partition that was missing: the letter is stored by the service."""
    if not env.admin("select name from pg_available_extensions where name = 'pg_partman'"):
        raise Skip("the server has no extension pg_partman")
    env.admin("create schema partman; create extension pg_partman schema partman")
    env.sql("create table parts (time timestamptz not null, n int) partition by range (time)")
    bridge = env.bridge("""{ name = "parts"; topic = "~/p"; table = "parts"; retry_for = "1h";
                             columns = { time = "@received_at"; n = "$"; }; }""")
    checked = env.cli("check", "--database", config=bridge)
    assert "no partition for rows of the time now" in checked.out + checked.err, checked
    env.publish([("~/p", "1")])
    env.wait(lambda: len(env.dead_letters()) == 1, 15, "not refused")
    env.admin("select partman.create_parent('public.parts', 'time', 'native', 'daily')")
    env.wait_rows("parts", 1, 40)
    assert env.dead_letters() == []
    bridge.check_books()
