"""The main job: what is published stands in the table, with the right value in every column.

SPDX-License-Identifier: MIT
"""

import datetime
import json
import os

from env import limit, quick

TELEMETRY = """
  { name = "telemetry"; topic = "~/devices/{device}/telemetry"; table = "public.telemetry"; %s
    columns = { time = "$.ts | unix_ms"; device = "{device}"; temperature = "$.temperature";
                status = "$.status | default 'unknown'"; received = "@received_at"; }; }
"""
TELEMETRY_TABLE = """create table telemetry (time timestamptz not null, device text not null, temperature double precision,
                                             status text not null, received timestamptz not null)"""
START_MS = 1700000000000


def reading(n):
    """The n-th message of the fleet, and what SQL says the row must be (test_hundred_thousand_arrive)."""
    payload = {"ts": START_MS + n, "temperature": n / 8}
    if n % 3:
        payload["status"] = f"s{n % 5}"
    return f"~/devices/d{n % 100}/telemetry", json.dumps(payload)


@limit(120)
def test_hundred_thousand_arrive(env):
    """100,000 QoS 1 messages at full speed: as many rows, every value right, at most 64 MB, balanced books."""
    env.sql(TELEMETRY_TABLE)
    bridge = env.bridge(TELEMETRY % "")
    env.publish(reading(n) for n in range(100000))
    env.wait_rows("telemetry", 100000, 60)
    wrong = env.sql("""
        with sent as (select n, to_timestamp(0) + (%s + n) * interval '1 ms' as time, 'd' || n %% 100 as device,
                             n / 8.0::float8 as temperature, case when n %% 3 = 0 then 'unknown' else 's' || n %% 5 end as status
                      from generate_series(0, 99999) n)
        select * from sent s full join telemetry t using (time, device, temperature, status)
        where s.n is null or t.received is null limit 3""", START_MS)
    assert not wrong, f"rows that differ: {wrong}"
    assert env.one("select sum(temperature) from telemetry") == sum(n / 8 for n in range(100000))
    assert env.one("select count(*) from telemetry where received between now() - interval '2 minutes' and now()") == 100000
    assert env.dead_letters() == []
    bridge.check_books()
    assert bridge.metric("messages_journaled_total") == 100000
    assert bridge.metric("rows_stored_total", rule="telemetry") == 100000
    peak = bridge.rss_peak_mb()
    assert env.patience > 1 or peak <= 64, f"{peak:.1f} MB resident at most"


@quick
def test_every_qos_with_both_versions(env):
    """QoS 0, 1 and 2, delivered as sent; with 3.1.1, where a crash could lose a QoS 2 message, as 1, and a line says so."""
    env.sql("create table q (version text, n int, qos int)")
    rule = '{ name = "q"; topic = "~/q/{v}/{n}"; qos = 2; format = "raw"; table = "q"; ' \
           'columns = { version = "{v}"; n = "{n}"; qos = "@qos"; }; }'
    for version, top in (("5", 2), ("3.1.1", 1)):
        bridge = env.bridge(rule, broker={"protocol": version})
        env.publish([(f"~/q/{version}/{n}", "x", n % 3) for n in range(300)])
        env.wait(lambda v=version: env.one("select count(*) from q where version = %s", v) == 300, 20,
                 f"not all 300 rows with {version}")
        wrong = env.sql("select n, qos from q where version = %s and qos <> least(n %% 3, %s) limit 3", version, top)
        assert not wrong, f"{version}: (n, QoS) {wrong}"
        assert top == 2 or "qos 2" in bridge.wait_log("WARN.*3.1.1").lower()
        bridge.check_books()
        assert bridge.stop() == 0


@quick
def test_formats(env):
    """json, text and raw from the same topics."""
    env.sql("create table j (a bigint, b jsonb, c text); create table t (v text, n double precision); create table r (p bytea)")
    env.bridge("""
      { name = "j"; topic = "~/json"; format = "json"; table = "j"; columns = { a = "$.a"; b = "$"; c = "$.b"; }; },
      { name = "t"; topic = "~/text"; format = "text"; table = "t"; columns = { v = "$"; n = "$"; }; },
      { name = "r"; topic = "~/raw"; format = "raw"; table = "r"; columns = { p = "$"; }; }""")
    env.publish([("~/json", '{ "a": 9007199254740993, "b": [1, {"x": "ü"}] }'), ("~/text", "21.5"),
                 ("~/raw", bytes(range(256))), ("~/raw", b"")])
    env.wait_rows("r", 2)
    env.wait_rows("j", 1)
    env.wait_rows("t", 1)
    assert env.sql("select a, b::text, c::jsonb::text from j") == [(9007199254740993,
        '{"a": 9007199254740993, "b": [1, {"x": "ü"}]}', '[1, {"x": "ü"}]')]
    assert env.sql("select * from t") == [("21.5", 21.5)]
    assert [bytes(row[0]) for row in env.sql("select p from r order by length(p) desc")] == [bytes(range(256)), b""]


@quick
def test_each_column_type_takes_its_values(env):
    """Each common type takes what belongs there, exactly."""
    env.sql("""create table types (b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(10,2), t text,
               v varchar(5), by bytea, j json, jb jsonb, u uuid, d date, ts timestamp, tz timestamptz)""")
    names = "b i2 i4 i8 f4 f8 n n2 t v by j jb u d ts tz".split()
    env.bridge('{ name = "types"; topic = "~/types"; table = "types"; columns = { %s }; }'
               % " ".join(f'{name} = "$.{name}{" | hex" if name == "by" else ""}";' for name in names))
    env.publish([("~/types", """{"b": true, "i2": -32768, "i4": 2147483647, "i8": -9223372036854775808, "f4": 0.5, "f8": 1e300,
        "n": 123456789012345678901234567890.123456789, "n2": 12345678.25, "t": "ü\\n", "v": "fünf!", "by": "00ff10",
        "j": {"z": 1.10,  "a": [1, 2]}, "jb": {"z": 1, "a": null}, "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "d": "2024-02-29",
        "ts": "2024-02-29 12:34:56.789012", "tz": "2024-02-29T12:34:56.123456+02:00"}"""), ("~/types", "{}")])
    env.wait_rows("types", 2)
    got = env.sql("select b, i2, i4, i8, f4, f8, n::text, n2::text, t, v, encode(by, 'hex'), j::text, jb::text, u::text, d::text, "
                  "ts::text, tz::text from types where b")[0]
    assert got == (True, -32768, 2147483647, -9223372036854775808, 0.5, 1e300, "123456789012345678901234567890.123456789",
                   "12345678.25", "ü\n", "fünf!", "00ff10", '{"z": 1.10,  "a": [1, 2]}', '{"a": null, "z": 1}',
                   "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "2024-02-29", "2024-02-29 12:34:56.789012",
                   "2024-02-29 10:34:56.123456+00"), got
    assert env.one("select count(*) from types where num_nulls(%s) = 17" % ", ".join(names)) == 1
    assert env.dead_letters() == []


@quick
def test_captures_and_message_sources(env):
    """{x}, {x...}, wildcards without a name, and what stands in the message itself."""
    env.sql("create table c (a text, rest text, topic text, payload bytea, qos int, retain bool, rule text, client text, "
            "content text, response text, correlation bytea, prop text)")
    bridge = env.bridge("""{ name = "all"; topic = "~/{a}/+/{rest...}"; format = "raw"; table = "c"; columns = {
        a = "{a}"; rest = "{rest}"; topic = "@topic"; payload = "@payload"; qos = "@qos"; retain = "@retain"; rule = "@rule";
        client = "@client_id"; content = "@content_type"; response = "@response_topic"; correlation = "@correlation_data";
        prop = "@property.colour"; }; }""")
    env.publish([("~/one/two/three/four", "x", 1, {"content_type": "text/x", "response_topic": "back", "correlation_data": b"\0\xff",
                                                   "user": [("other", "1"), ("colour", "red")]}),
                 ("~/one/two/three", "y")])
    env.wait_rows("c", 2)
    first, second = env.sql("select a, rest, topic, payload, qos, retain, rule, client, content, response, correlation, prop "
                            "from c order by topic desc")
    assert (*first[:3], bytes(first[3]), *first[4:10], bytes(first[10]), first[11]) == (
        "one", "three/four", env.topic("~/one/two/three/four"), b"x", 1, False, "all", bridge.client_id, "text/x", "back", b"\0\xff",
        "red")
    assert second[:3] == ("one", "three", env.topic("~/one/two/three"))
    assert second[8:] == (None, None, None, None)


@quick
def test_several_rules_and_where(env):
    """One message, three rules: each works on its own; `where` filters without a dead letter."""
    env.sql("create table a (n int); create table b (n int); create table c (n int)")
    bridge = env.bridge("""
        { name = "a"; topic = "~/m/{d}"; table = "a"; columns = { n = "$.n"; }; },
        { name = "b"; topic = "~/m/+"; table = "b"; columns = { n = "$.n"; }; where = "$.n > 5"; },
        { name = "c"; topic = "~/#"; table = "c"; columns = { n = "$.n"; };
          where = ("$.n >= 3", "$.n != 7", "$.kind = 'even'", "$.gone is null"); }""")
    env.publish([("~/m/x", json.dumps({"n": n, "kind": "odd" if n % 2 else "even"})) for n in range(10)])
    env.wait_rows("a", 10)
    assert env.sql("select n from b order by n") == [(n,) for n in range(6, 10)]
    assert env.sql("select n from c order by n") == [(4,), (6,), (8,)]
    assert env.dead_letters() == []
    bridge.check_books()
    assert bridge.metric("rule_messages_total", rule="b", outcome="filtered") == 6


@quick
def test_arrays_become_rows(env):
    """rows = "[*]" and ".*": one row an element, "$$" is the whole; one bad element rejects the whole message."""
    env.sql("create table e (at int, k text, v int); create table m (k text, v int)")
    bridge = env.bridge("""
        { name = "elements"; topic = "~/e"; table = "e"; rows = "$.readings[*]";
          columns = { at = "$$.at"; k = "@key"; v = "$.v"; }; },
        { name = "members"; topic = "~/m"; table = "m"; rows = "$.*"; columns = { k = "@key"; v = "$"; }; }""")
    env.publish([("~/e", '{"at": 5, "readings": [{"v": 1}, {"v": 2}, {"v": 3}]}'), ("~/e", '{"at": 6, "readings": []}'),
                 ("~/m", '{"x": 1, "y": 2}'), ("~/e", '{"at": 7, "readings": [{"v": 1}, {"v": "bad"}]}')])
    env.wait_rows("m", 2)
    env.wait_rows("e", 3)
    env.wait(lambda: len(env.dead_letters()) == 1, 10, env.dead_letters)
    assert env.sql("select at, k, v from e order by v") == [(5, "0", 1), (5, "1", 2), (5, "2", 3)]
    assert env.sql("select k, v from m order by k") == [("x", 1), ("y", 2)]
    bridge.check_books()


@quick
def test_filters_and_defaults(env):
    env.sql("create table f (a text, b text, c bytea, d bytea, e int, g numeric, h timestamptz, i text, j numeric, k int)")
    env.bridge("""{ name = "f"; topic = "~/f"; table = "f"; columns = { a = "$.a | trim | upper"; b = "$.b | default 'none' | lower";
        c = "$.c | hex"; d = "$.d | base64"; e = "$.e | default 7"; g = "$.g | scale 0.1 | offset 2 | round 1";
        h = "$.h | unix_us"; i = "$.i | json"; j = "12.5"; k = "$.k | json"; }; }""")
    env.publish([("~/f", '{"a": "  abc ", "b": null, "c": "DEADbeef", "d": "AAE=", "g": 123.4, "h": 1700000000123456, '
                         '"i": "{\\"x\\":1}", "k": "42"}')])
    env.wait_rows("f", 1)
    row = env.sql("select * from f")[0]
    assert (row[0], row[1], bytes(row[2]), bytes(row[3]), row[4], str(row[5])) == \
        ("ABC", "none", b"\xde\xad\xbe\xef", b"\0\1", 7, "14.3"), row
    assert row[6] == datetime.datetime(2023, 11, 14, 22, 13, 20, 123456, datetime.timezone.utc)
    assert (json.loads(row[7]), str(row[8]), row[9]) == ({"x": 1}, "12.5", 42)


def test_retained_policies(env):
    """new: once, however often it reconnects; store: on each connection; ignore: never."""
    env.sql("create table kept (rule text)")
    env.publish([("~/new", "1", 1, {"retain": True}), ("~/store", "1", 1, {"retain": True}),
                 ("~/ignore", "1", 1, {"retain": True})])
    bridge = env.bridge("".join(
        '{ name = "%s"; topic = "~/%s"; format = "text"; table = "kept"; retained = "%s"; columns = { rule = "@rule"; }; },'
        % (policy, policy, policy) for policy in ("new", "store", "ignore")))

    def counts():
        return dict(env.sql("select rule, count(*) from kept group by rule"))
    env.wait(lambda: counts() == {"new": 1, "store": 1}, 15, counts)
    for round_ in (2, 3):
        bridge.restart()
        env.wait(lambda n=round_: counts().get("store") == n, 15, counts)
        env.publish([("~/ignore", "live")])  # a live message is no retained one
        env.wait(lambda n=round_: counts().get("ignore") == n - 1, 15, counts)
        assert counts()["new"] == 1, counts()


@quick
def test_include_and_environment(env):
    """@include, ${NAME}, ${NAME:-default} and password_file."""
    env.sql("create table i (v text, w text)")
    bridge = env.bridge("{ }", start=False)
    with open(bridge.folder + "/rules.cfg", "w") as file:
        file.write(env.own('{ name = "${RULE}"; topic = "~/${LEVEL:-level}/{x}"; format = "text"; table = "i"; '
                           'columns = { v = "{x}"; w = "@rule"; }; }'))
    with open(bridge.folder + "/password", "w") as file:
        file.write("not needed here\n")
    os.chmod(bridge.folder + "/password", 0o600)
    bridge.configure('@include "%s/rules.cfg"\n' % bridge.folder,
                     broker={"username": "someone", "password_file": bridge.folder + "/password"},
                     database={"conninfo": "${DATABASE}"})
    bridge.start(RULE="from the environment", DATABASE=env.postgres.conninfo(env.database))
    env.publish([("~/level/5", "x")])
    env.wait_rows("i", 1)
    assert env.sql("select * from i") == [("5", "from the environment")]


@quick
def test_column_list_for_odd_names(env):
    """Names that libconfig can't spell, in a table that SQL has to quote."""
    env.sql('create schema "Odd"; create table "Odd"."My Table" ("Odd Name" int, "from" text)')
    env.bridge("""{ name = "odd"; topic = "~/odd"; table = "\\"Odd\\".\\"My Table\\"";
        columns = ( { name = "Odd Name"; value = "$.x"; }, { name = "from"; value = "$['odd key']"; } ); }""")
    env.publish([("~/odd", '{"x": 3, "odd key": "y"}')])
    env.wait_rows('"Odd"."My Table"', 1)
    assert env.sql('select * from "Odd"."My Table"') == [(3, "y")]


@quick
def test_status_topic_tells_online_and_offline(env):
    """Retained "online", "offline" after a clean stop and, through the last will, after kill -9."""
    inbox = env.subscribe("~/status")
    env.sql("create table s (v text)")
    bridge = env.bridge('{ name = "s"; topic = "~/s"; format = "text"; table = "s"; columns = { v = "$"; }; }',
                        broker={"status_topic": env.topic("~/status")})
    env.wait(lambda: inbox.payloads == ["online"], 10, lambda: inbox.payloads)
    assert bridge.stop() == 0
    env.wait(lambda: inbox.payloads == ["online", "offline"], 10, lambda: inbox.payloads)
    bridge.start()
    env.wait(lambda: inbox.payloads[2:] == ["online"], 10, lambda: inbox.payloads)
    bridge.kill9()
    env.wait(lambda: inbox.payloads[3:] == ["offline"], 10, lambda: inbox.payloads)
    late = env.subscribe("~/status")
    late.wait(1)
    assert late.messages[0].retain and late.payloads == ["offline"]


def test_starts_in_any_order(env):
    """Database and broker come up after the bridge, in either order; nothing has to be started again."""
    env.sql("create table o (v text)")
    broker, rule = env.own_broker(), '{ name = "o"; topic = "o/{x}"; format = "text"; table = "o"; columns = { v = "{x}"; }; }'
    for first in ("broker", "database"):
        broker.stop()
        env.postgres.stop()
        bridge = env.bridge(rule, ready=False)
        env.wait(lambda b=bridge: b.get("/healthz").code == 200, 10, "not alive without broker and database")
        assert bridge.get("/readyz").code == 503
        if first == "broker":
            broker.start()
            bridge.wait_subscribed()
            env.publish([("o/broker", "x")])
            env.postgres.start()
        else:
            env.postgres.start()
            env.wait(lambda b=bridge: b.metric("database_connected") == 1, 20, "not connected to the database")
            broker.start()
        bridge.wait_ready()
        env.publish([("o/after-" + first, "x")])
        env.wait(lambda f=first: env.one("select count(*) from o where v = %s", "after-" + f) == 1, 20, "not stored")
        assert bridge.stop() == 0
    assert sorted(env.sql("select v from o")) == [("after-broker",), ("after-database",), ("broker",)]


@quick
def test_runs_without_the_right_to_create(env):
    """The schema made by hand with `mqtt2pg schema | psql`, as another role; the bridge may only insert."""
    env.sql("create table s (v text)", user="test")
    env.admin("drop role if exists humble; create role humble login; grant insert, select on s to humble; "
              "revoke create on database %s from public" % env.database)
    bridge = env.bridge('{ name = "s"; topic = "~/s"; format = "text"; table = "s"; columns = { v = "$"; }; }', start=False,
                        database={"conninfo": env.postgres.conninfo(env.database, user="humble")})
    made = env.cli("schema", config=bridge)
    assert made.code == 0, made
    env.admin(made.out)
    env.admin("grant usage on schema mqtt2pg to humble; grant select, insert, update, delete on all tables in schema mqtt2pg to "
              "humble; grant usage on all sequences in schema mqtt2pg to humble")
    bridge.start()
    env.publish([("~/s", "x")])
    env.wait(lambda: env.admin("select count(*) from s") == [(1,)], 15, "not stored")
    bridge.stop()
    env.admin("drop owned by humble")


@quick
def test_create_makes_the_table(env):
    """create = true: types from "::type", else from the expression."""
    env.bridge("""{ name = "made"; topic = "~/{device}"; table = "made"; create = true;
        columns = { time = "$.ts | unix_ms"; device = "{device}"; v = "$.v :: double precision"; }; }""")
    env.publish([("~/d1", '{"ts": 1700000000000, "v": 1.5}')])
    env.wait(lambda: env.one("select to_regclass('made')"), 15, "no table")
    env.wait_rows("made", 1)
    assert env.sql("select time = to_timestamp(1700000000), device, v from made") == [(True, "d1", 1.5)]
    assert env.sql("select attname, format_type(atttypid, null) from pg_attribute where attrelid = 'made'::regclass and attnum > 0 "
                   "order by attnum") == [("time", "timestamp with time zone"), ("device", "text"), ("v", "double precision")]


def test_created_table_is_not_among_the_bridges_own(env):
    """A role named like the bridge's schema has that schema as "$user" before public in its search_path."""
    env.bridge('{ name = "made"; topic = "~/a"; format = "text"; table = "made"; create = true; columns = { v = "$"; }; }',
               database={"schema": "bridge"})
    env.publish([("~/a", "x")])
    env.wait(lambda: env.one("select to_regclass('public.made') is not null or to_regclass('bridge.made') is not null"), 15, "no table")
    env.wait(lambda: env.sql("select v from public.made") == [("x",)], 15, "no row in public")
