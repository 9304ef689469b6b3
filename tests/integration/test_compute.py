"""Columns that PostgreSQL computes from the row's other values, and the channel that a rule tells of its rows.

SPDX-License-Identifier: MIT
"""

import json
import select

import psycopg2.extensions

from bridge import ALL_BY_COPY
from env import quick

TABLES = """create table devices (id int primary key, name text unique); insert into devices values (7, 'd1'), (8, 'd2');
    create table measured (time timestamptz, day date not null, device_id int references devices, power numeric, place point, n bigint);
    create table latest (device_id int primary key, time timestamptz, power numeric)"""

COLUMNS = """columns = { time = "$.ts | unix_s"; n = "$.n"; device = "{device} :: text"; voltage = "$.u :: numeric"; current = "$.i :: numeric"; lon = "$.lon :: float8";
    lat = "$.lat :: float8"; };"""
COMPUTE = """compute = { day = "(time at time zone 'UTC')::date -- of the meter"; power = "voltage * current"; place = "point(lon, lat)";
    device_id = "(select id from devices where name = device)"; };"""

RULE = f"""{{ name = "measured"; topic = "~/m/{{device}}"; table = "measured"; notify = "rows came"; {COLUMNS} {COMPUTE} }}"""


def message(n, **more):
    return json.dumps({"ts": 1700000000 + n, "n": n, "u": "230.5", "i": 2, "lon": 1.5, "lat": 2.5, **more})


@quick
def test_columns_are_computed(env):
    """explain and check know the computed columns; the service stores them; a bad value costs its own message."""
    env.sql(TABLES)
    bridge = env.bridge(RULE, faults=ALL_BY_COPY)  # what can't be computed by COPY goes by INSERT nevertheless
    assert env.cli("check", "--database", config=bridge).code == 0, env.cli("check", "--database", config=bridge)
    shown = env.cli("explain", "--database", env.topic("~/m/d1"), message(1), config=bridge)
    row = json.loads(shown.out)["row"]
    assert (row["day"], row["device_id"], row["power"], row["place"]) == ("2023-11-14", 7, 461.0, "(1.5,2.5)"), shown
    env.publish([("~/m/d1", message(1)), ("~/m/d2", message(2, u="1e3")), ("~/m/d1", message(3, ts=None)), ("~/m/d2", message(4))])
    env.wait_rows("measured", 3)
    assert env.sql("select n, device_id, power, day::text, place::text from measured order by n") == [
        (1, 7, 461, "2023-11-14", "(1.5,2.5)"), (2, 8, 2000, "2023-11-14", "(1.5,2.5)"), (4, 8, 461, "2023-11-14", "(1.5,2.5)")]
    reasons = [row[0] for row in env.sql("select reason from mqtt2pg.dead_letter")]
    assert len(reasons) == 1 and 'column "day"' in reasons[0], reasons


def test_times_with_names_of_zones(env):
    """What only the server knows how to read becomes a column by compute, as PostgreSQL itself reads it."""
    env.sql("create table zoned (t text, at timestamptz)")
    texts = ["2024-11-29 03:15 Europe/Berlin", "2024-06-29 03:15 America/New_York", "2024-03-31 02:30 Europe/Berlin", "2024-10-27 02:30 Europe/Berlin",
             "2024-11-29 03:15 CET", "2024-11-29 03:15+01"]
    bridge = env.bridge('''{ name = "zoned"; topic = "~/z"; table = "zoned"; columns = { t = "$.t"; }; compute = { at = "t::timestamptz"; }; }''')
    env.publish([("~/z", json.dumps({"t": text})) for text in [*texts, "2024-11-29 03:15 Mars/Base"]])
    env.wait_rows("zoned", len(texts))
    assert env.one("select count(*) from zoned where at = t::timestamptz") == len(texts)
    assert env.one("select at at time zone 'UTC' from zoned where t = %s", texts[0]).isoformat() == "2024-11-29T02:15:00"
    env.wait(lambda: "mars/base" in (env.one("select lower(reason) from mqtt2pg.dead_letter") or ""), 10)
    bridge.stop()
    bridge.configure('{ name = "zoned"; topic = "~/z"; table = "zoned"; columns = { at = "$.t :: timestamptz"; }; }')
    assert "PostgreSQL alone reads the name of a zone" in env.cli("explain", env.topic("~/z"), json.dumps({"t": texts[0]}), config=bridge).out


def test_computed_key_of_an_upsert(env):
    """A computed column may be the key; of several rows with one key the newest stays."""
    env.sql(TABLES)
    env.bridge(f"""{{ name = "latest"; topic = "~/m/{{device}}"; table = "latest"; on_conflict = "update"; key = "device_id"; newest = "time";
        columns = {{ time = "$.ts | unix_s"; device = "{{device}} :: text"; voltage = "$.u :: numeric"; }};
        compute = {{ device_id = "(select id from devices where name = device)"; power = "voltage / 10"; }}; }}""")
    env.publish([("~/m/d1", message(5, u=100)), ("~/m/d1", message(3, u=50)), ("~/m/d2", message(1, u=10))])
    env.wait(lambda: env.one("select count(*) from latest") == 2, 10)
    env.wait(lambda: env.sql("select device_id, power from latest order by 1") == [(7, 10), (8, 1)], 10)


def test_mistakes_are_told(env):
    """What only PostgreSQL can know is told by check --database; a table whose name lacks its quotes is named."""
    env.sql(TABLES + '; create table "SensorData" (a int)')
    for rule, words in ((RULE.replace("voltage * current", "voltage * amperes"), 'compute: column "amperes" does not exist'),
                        (RULE.replace("voltage * current", "voltage *"), "compute: syntax error"),
                        (RULE.replace("voltage * current", "'a'::text"), 'compute: column "power" is of type'),
                        (RULE.replace('voltage = "$.u :: numeric"', 'voltage = "$.u"'), "in compute only, end it with ::TYPE"),
                        (RULE.replace("power =", "powers ="), 'has no column "powers"'),
                        ('{ name = "m"; topic = "~/m"; table = "not_yet"; create = true; columns = { t = "$.t :: timestamptz"; }; compute = { day = "tt::date"; }; }',
                         'column "tt" does not exist'),
                        ('{ name = "s"; topic = "~/s"; table = "SensorData"; columns = { a = "$.a"; }; }', 'did you mean "\\"SensorData\\""?')):
        bridge = env.bridge(rule, start=False)
        checked = env.cli("check", "--database", config=bridge)
        assert checked.code == 3 and words in checked.out + checked.err, (words, checked)


def test_table_is_created_with_computed_columns(env):
    """create = true takes the type that ends the expression, and asks for one where none does."""
    bridge = env.bridge("""{ name = "made"; topic = "~/m/{device}"; table = "made"; create = true; columns = { n = "$.n :: bigint"; };
        compute = { twice = "(n * 2)::bigint"; }; }""")
    env.publish([("~/m/d1", message(4))])
    env.wait(lambda: env.one("select count(*) from pg_class where relname = 'made'") == 1 and env.sql("select n, twice from made") == [(4, 8)], 10)
    untyped = env.bridge("""{ name = "made"; topic = "~/m/{device}"; table = "made2"; create = true; columns = { n = "$.n :: bigint"; };
        compute = { twice = "n * 2"; }; }""", start=False)
    checked = env.cli("check", config=untyped)
    assert checked.code == 3 and "needs the type" in checked.out + checked.err, checked
    assert bridge.running()


@quick
def test_rows_are_told_of(env):
    """NOTIFY goes out with the commit: its rows are there, and it counts them."""
    env.sql(TABLES)
    env.bridge(RULE)
    listening = psycopg2.connect(env.pg.dsn)
    listening.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
    listening.cursor().execute('listen "rows came"')
    env.publish([("~/m/d1", message(n)) for n in range(5)])
    told = 0
    while told < 5:
        assert select.select([listening], [], [], 20)[0], f"{told} rows were told of"
        listening.poll()
        while listening.notifies:
            notice = json.loads(listening.notifies.pop(0).payload)
            assert notice["rule"] == "measured" and notice["rows"] > 0
            told += notice["rows"]
            assert env.one("select count(*) from measured") >= told
    assert told == 5
    listening.close()
