"""explain --database: PostgreSQL's own word on a message, and nothing left behind.

SPDX-License-Identifier: MIT
"""

import base64
import json
import os

from env import quick

RULES = """
  { name = "plain"; topic = "~/x/{id}"; table = "plain"; where = ("$.skip is null", "$.n != 99");
    columns = { id = "{id}"; n = "$.n"; at = "$.at | unix_s"; }; },
  { name = "upsert"; topic = "~/x/{id}"; table = "upsert"; on_conflict = "update"; key = ("id"); newest = "at";
    columns = { id = "{id}"; at = "$.at | unix_s"; stored = "$.n"; }; },
  { name = "made"; topic = "~/x/{id}"; table = "made"; create = true; columns = { id = "{id}"; n = "$.n :: numeric(4,2)"; }; },
  { name = "gone"; topic = "~/gone"; table = "no_such_table"; columns = { n = "$.n"; }; },
  { name = "sql"; topic = "~/sql"; sql = "insert into plain (id, n) select id, n from batch"; columns = { id = "$.id :: text"; n = "$.n :: int"; }; }"""


def prepare(env):
    env.sql("""create table plain (serial bigint generated always as identity, id text, n int check (n < 100),
                                   twice int generated always as (n * 2) stored, at timestamptz, by text default 'default');
               create table upsert (id text primary key, at timestamptz, stored int);
               insert into upsert values ('old', '2030-01-01', 7);
               create function shout() returns trigger language plpgsql as $$ begin
                 if new.id = 'forbidden' then raise exception 'not you' using errcode = '23514', constraint = 'manners'; end if;
                 if new.id = 'dropped' then return null; end if;
                 new.by := upper(new.id); return new; end $$;
               create trigger shout before insert on plain for each row execute function shout()""")


def explain(env, config, *arguments):
    done = env.cli("explain", *arguments, config=config)
    lines = [json.loads(line) for line in done.out.splitlines()]
    return done.code, {line["rule"]: line for line in lines}, done


@quick
def test_explain_database(env):
    """Defaults, generated columns, triggers, constraints, create, on_conflict: as PostgreSQL has them; a running service goes on."""
    prepare(env)
    bridge = env.bridge(RULES)
    before = env.sql("select count(*)::int, (select count(*)::int from upsert), (select count(*)::int from mqtt2pg.dead_letter) from plain")
    made = env.one("select count(*)::int from made")
    position = env.sql("select position from mqtt2pg.progress")
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/d1"), '{"n": 5, "at": 1700000000}')
    assert code == 0, done
    row = lines["plain"]["row"]
    assert (row["id"], row["n"], row["twice"], row["by"], row["at"][:10]) == ("d1", 5, 10, "D1", "2023-11-14"), done
    assert lines["upsert"]["row"]["stored"] == 5 and lines["made"]["row"]["n"] == 5.00, done

    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/d1"), '{"n": 100, "at": 1}')
    assert code == 1 and lines["plain"]["sqlstate"] == "23514" and lines["plain"]["constraint"] == "plain_n_check", done
    assert "numeric" in lines["made"]["rejected"] or "100" in lines["made"]["rejected"], done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/forbidden"), '{"n": 1, "at": 1}')
    assert code == 1 and lines["plain"]["constraint"] == "manners" and "not you" in lines["plain"]["rejected"], done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/dropped"), '{"n": 1, "at": 1}')
    assert code == 0 and lines["plain"]["rows"] == 0 and "trigger" in done.err, done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/old"), '{"n": 1, "at": 1}')
    assert code == 0 and lines["upsert"]["rows"] == 0 and "on_conflict" in done.err, done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/d1"), '{"n": "many"}')
    assert code == 1 and "many" in lines["plain"]["rejected"] and "integer" in lines["plain"]["rejected"], done
    assert "alter table plain alter column n type text\n" in done.err, done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/d1"), '{"n": 1.5, "at": 1}')
    assert code == 1 and "alter table plain alter column n type numeric\n" in done.err, done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/d1"), '{"skip": 1}')
    assert lines["plain"] == {"rule": "plain", "filtered": True}, done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/gone"), '{"n": 1}')
    assert code == 1 and "no_such_table" in lines["gone"]["parked"], done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/sql"), '{"id": "a", "n": 1}')
    row = lines["sql"]["row"]
    assert code == 0 and lines["sql"]["table"] == "public.plain" and (row["id"], row["n"], row["twice"], row["by"]) == ("a", 1, 2, "A"), done
    code, lines, done = explain(env, bridge, "--database", env.topic("~/sql"), '{"id": "a", "n": 500}')
    assert code == 1 and lines["sql"]["sqlstate"] == "23514", done

    after = env.sql("select count(*)::int, (select count(*)::int from upsert), (select count(*)::int from mqtt2pg.dead_letter) from plain")
    assert after == before and env.one("select count(*)::int from made") == made, (before, after)
    assert env.sql("select position from mqtt2pg.progress") == position
    env.publish([("~/x/real", '{"n": 1, "at": 1}')])
    env.wait_rows("plain", 1)
    assert bridge.metric("database_reconnects_total") == 0


@quick
def test_explain_database_creates_nothing(env):
    """A table that create = true would make is gone again; without the database it is said and the exit code is 1."""
    prepare(env)
    bridge = env.bridge(RULES, start=False)
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/d1"), '{"n": 5.255, "at": 1}')
    assert str(lines["made"]["row"]["n"]) in ("5.26", "5.25"), done
    assert env.one("select to_regclass('made')") is None
    assert env.one("select to_regclass('mqtt2pg.progress')") is None
    bridge.configure(database={"conninfo": "host=/nowhere dbname=x"})
    code, lines, done = explain(env, bridge, "--database", env.topic("~/x/d1"), '{"n": 5}')
    assert code == 1 and lines == {} and "could not be asked" in done.err, done
    code, lines, done = explain(env, bridge, env.topic("~/x/d1"), '{"n": 5}')
    assert code == 0 and lines["plain"]["row"]["n"] == 5, done


@quick
def test_explain_without_the_privilege_to_read(env):
    env.admin("create table hidden (n int); grant insert on hidden to bridge")
    bridge = env.bridge('{ name = "h"; topic = "~/h"; table = "hidden"; columns = { n = "$.n"; }; }', start=False)
    code, lines, done = explain(env, bridge, "--database", env.topic("~/h"), '{"n": 5}')
    assert code == 0 and lines["h"]["row"] == {"n": 5} and "select" in done.err, done


@quick
def test_explain_verbose(env):
    """Captures, the line of where that does not hold, and each column's value go to standard error; the lines stay as they are."""
    bridge = env.bridge(RULES, start=False)
    quiet = env.cli("explain", env.topic("~/x/d1"), '{"n": 99, "at": 1700000000}', config=bridge)
    done = env.cli("explain", "-v", env.topic("~/x/d1"), '{"n": 99, "at": 1700000000}', config=bridge)
    assert done.out == quiet.out and quiet.err == "", (quiet, done)
    assert "{id} = d1" in done.err, done
    assert "where $.skip is null: holds" in done.err and "where $.n != 99: does not hold" in done.err, done
    assert "at = $.at | unix_s: \"2023-11-14 22:13:20+00\"" in done.err, done


def test_rows_of_one_message_are_bounded(env):
    """A message whose rows would take hundreds of megabytes is rejected like any other."""
    config = env.bridge("""{ name = "many"; topic = "~/many"; table = "t"; rows = "$.r[*]"; columns = { whole = "$$"; n = "$"; }; }""", start=False)
    done = env.cli("explain", env.topic("~/many"), "-", config=config, stdin=('{"pad":"' + "x" * 100000 + '","r":[' + ",".join(["1"] * 1000) + "]}"))
    assert done.code == 1 and "its 1000 rows take more than 64 MB" in done.out, (done.code, done.out[:300], done.err[:300])


@quick
def test_rows_of_own_sql_are_shown(env):
    """What a rule's own statements would store, with the tables that the rows are in; nothing stays."""
    env.sql("create table who (name text primary key, seen int default 1); create table said (name text, n bigint); insert into who values ('old', 5)")
    config = env.bridge("""{ name = "own"; topic = "~/own/{who}"; columns = { who = "{who}"; n = "$.n :: bigint"; };
        sql = "insert into who select distinct who from batch on conflict (name) do update set seen = who.seen + 1; insert into said select who, n * 2 from batch"; }""", start=False)
    done = env.cli("explain", "--database", env.topic("~/own/old"), '{"n":21}', config=config)
    assert done.code == 0 and [(line["table"], line["row"]) for line in map(json.loads, done.out.splitlines())] == [
        ("public.said", {"name": "old", "n": 42}), ("public.who", {"name": "old", "seen": 6})], done
    assert env.one("select count(*) from said") == 0


def test_odd_times_are_warned_of(env):
    """Seconds taken for milliseconds are 1970, milliseconds for seconds the year 55840."""
    config = env.bridge("""{ name = "t"; topic = "~/t/{unit}"; table = "t"; columns = { ms = "$ | unix_ms"; }; }, { name = "s"; topic = "~/s"; table = "t"; columns = { s = "$ | unix_s"; }; },
        { name = "rows"; topic = "~/rows"; rows = "$[*]"; table = "t"; columns = { row = "$ | unix_s"; }; }""", start=False)
    done = env.cli("explain", env.topic("~/t/x"), "1648731311", config=config)
    assert done.code == 0 and 'column "ms" is 1970-01-20' in done.err, done
    assert 'column "s" is' in env.cli("explain", env.topic("~/s"), "1700000000000", config=config).err
    assert "column" not in env.cli("explain", env.topic("~/s"), "1700000000", config=config).err
    said = env.cli("explain", env.topic("~/rows"), "[1700000000, 86400, 1700000000, 5]", config=config).err
    assert said.count("column") == 1 and 'column "row" is 1970-01-02' in said, said


def test_payloads_in_other_forms(env):
    """A payload in a file, in hexadecimal and in base64 is the same message; a mistake in it is told with exit code 2."""
    config = env.config_file("""rules = ( { name = "r"; topic = "t"; format = "msgpack"; table = "x"; columns = { a = "$.a"; }; } );""")
    payload = b"\x81\xa1a\xcd\x01\x00"
    row = {"rule": "r", "table": "x", "row": {"a": 256}}
    folder = os.path.dirname(config)
    files = {"bytes": payload, "hex": b"81 a1 61 CD\n01 00\n", "base64": base64.b64encode(payload) + b"\n", "url": b"gaFhzQEA"}
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    for options in (["--payload-file", f"{folder}/bytes"], ["--hex", "--payload-file", f"{folder}/hex"], ["--base64", "--payload-file", f"{folder}/base64"],
                    ["--base64", "--payload-file", f"{folder}/url"], ["--hex", "81a161cd0100"], ["--base64", "gaFhzQEA"]):
        done = env.cli("explain", "t", *options, config=config)
        assert done.code == 0 and json.loads(done.out) == row, f"{options}: {done}"
    for options, reason in ((["--hex", "81a"], "ends within a byte"), (["--hex", "8x"], "byte 2"), (["--base64", "!"], "byte 1"),
                            (["--payload-file", f"{folder}/nowhere"], "nowhere"), (["--payload-file", f"{folder}/hex", "payload"], "not both"),
                            (["--hex", "--base64", "00"], "not both")):
        done = env.cli("explain", "t", *options, config=config)
        assert done.code == 2 and reason in done.err, f"{options}: {done}"
