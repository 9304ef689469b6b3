"""The command line: what a person types, what comes back, and the exit codes.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import shlex

from env import quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered

COMMANDS = ("run", "check", "explain", "schema", "dead-letters", "gaps", "journal", "settings", "learn", "init")
LATER_COMMANDS = ("status",)

RAW = '{ name = "raw"; topic = "raw/{rest...}"; format = "raw"; table = "raw"; columns = { what = "{rest}"; bytes = "$"; }; }'
GOOD = """
broker = { url = "mqtt://localhost:1883"; client_id = "cli"; };
database = { conninfo = "host=/nowhere dbname=x"; };
journal = { directory = "/tmp/nowhere"; };
rules = (
  { name = "telemetry"; topic = "devices/{device}/telemetry"; table = "public.telemetry";
    columns = { time = "$.ts | unix_ms"; device = "{device}"; temperature = "$.temperature :: double precision"; n = "$.n :: int"; };
    where = "$.battery > 0"; },
  %s
);
""" % RAW


# --- check

@quick
def test_check_finds_nothing(env):
    done = env.cli("check", config=env.config_file(GOOD))
    assert done.code == 0 and done.err == "", done


# (what is wrong, text of GOOD, what stands there instead, what the line must say, in one of the spellings)
MISTAKES = [
    ("typo in a section", "broker = {", "brokr = {", ["brokr"]),
    ("typo in a key", "client_id", "clientid", ["clientid"]),
    ("typo in a rule's key", "table = \"raw\"", "tabel = \"raw\"", ["tabel"]),
    ("wrong type", 'client_id = "cli"', "client_id = 5", ["client_id"]),
    ("out of range", 'client_id = "cli"', 'receive_maximum = 70000', ["70000", "receive_maximum"]),
    ("integer that libconfig wraps", 'client_id = "cli"', "receive_maximum = 5000000000", ["5000000000"]),
    ("duration without a unit", 'client_id = "cli"', 'keepalive = "30"', ["keepalive"]),
    ("no size", '"/tmp/nowhere"', '"/tmp/nowhere"; max_size = "lots"', ["lots", "max_size"]),
    ("unknown choice", 'client_id = "cli"', 'protocol = "4"', ["protocol"]),
    ("unknown URL scheme", "mqtt://localhost", "http://localhost", ["http"]),
    ("unset variable", '"cli"', '"${NOT_SET_ANYWHERE}"', ["NOT_SET_ANYWHERE"]),
    ("secret file that is not there", 'client_id = "cli"', 'password_file = "/nowhere/at/all"', ["/nowhere/at/all"]),
    ("# in the middle of a filter", "raw/{rest...}", "raw/#/x", ["#"]),
    ("rest in the middle", "raw/{rest...}", "{rest...}/raw", ["rest"]),
    ("capture not alone in its level", "devices/{device}", "devices/x{device}", ["{device}", "device"]),
    ("+ not alone in its level", "raw/{rest...}", "raw/a+", ["+"]),
    ("name captured twice", "devices/{device}/telemetry", "{device}/{device}", ["device"]),
    ("unknown capture", '"{device}"', '"{devize}"', ["devize"]),
    ("unknown filter", "unix_ms", "unix_mz", ["unix_mz"]),
    ("unknown source", '"{rest}"', '"@topik"', ["@topik", "topik"]),
    ("unknown format", 'format = "raw"', 'format = "rwa"', ["rwa"]),
    ("path that does not end", '"$.ts | unix_ms"', "\"$['ts | unix_ms\"", ["columns.time"]),
    ("ack source outside of an ack", '"{rest}"', '"@stored_at"', ["stored_at"]),
    ("condition without a comparison", '"$.battery > 0"', '"$.battery"', ["where"]),
    ("same name twice", 'name = "raw"', 'name = "telemetry"', ["telemetry"]),
    ("a rule twice", RAW, f"{RAW},\n  {RAW}", ["another rule"]),
    ("ack without a topic", 'where = "$.battery > 0"', "ack = { qos = 1; }", ["topic is missing"]),
    ("number for an expression", 'what = "{rest}"', "what = 5", ["columns.what"]),
    ("unset variable in an expression", '"{rest}"', '"${NOT_SET_ANYWHERE}"', ["NOT_SET_ANYWHERE"]),
    ("no name", 'name = "raw"; ', "", ["name"]),
    ("no table", 'table = "raw"; ', "", ["table"]),
    ("no columns", 'columns = { what = "{rest}"; bytes = "$"; };', "", ["columns"]),
    ("QoS 3", 'format = "raw"', "qos = 3", ["qos"]),
    ("unknown retained policy", 'format = "raw"', 'retained = "sometimes"', ["sometimes", "retained"]),
    ("update without a key", 'format = "raw"', 'on_conflict = "update"', ["key"]),
    ("no name of a table", 'table = "raw"', 'table = "raw; drop table x"', ["is not the name of a table"]),
    ("a range of times with one end", 'format = "raw"', 'time_range = "1d"', ["earliest"]),
    ("a range of no times", 'format = "raw"', 'time_range = ("2000-01-01", "soon")', ["soon", "duration"]),
    ("a range that ends before it begins", 'format = "raw"', 'time_range = ("2000-01-01", "1999-12-31")', ["later than"]),
    ("client id that brokers refuse", '"cli"', '"cl\\ti"', ["control character"]),
    ("wildcards in @include", "broker = {", '@include "/nowhere/*.cfg"\nbroker = {', ["no wildcards"]),
    ("@ in a URI's password", 'conninfo = "host=/nowhere dbname=x"', 'conninfo = "postgresql://u:p@ss@localhost/x"', ["%40"]),
    ("key that is no column", 'format = "raw"', 'on_conflict = "update"; key = ("who")', ["who"]),
]


@quick
def test_check_finds_each_mistake(env):
    """One at a time: exit code 3 and one line FILE:LINE: that names it, at the line where it stands."""
    wrong = []
    for kind, there, instead, words in MISTAKES:
        assert there in GOOD, kind
        text = GOOD.replace(there, instead, 1)
        line = GOOD[:GOOD.index(there)].count("\n") + 1
        path = env.config_file(text)
        done = env.cli("check", config=path)
        said = [found for found in (done.out + done.err).splitlines() if found.startswith(path + ":")]
        if done.code != 3 or not said:
            wrong.append(f"{kind}: exit code {done.code}, {(done.out + done.err).strip()!r}")
        elif not any(word in said[0] for word in words):
            wrong.append(f"{kind}: {said[0]!r} does not name it")
        elif not any(re.match(re.escape(path) + rf":({line}|{line + 1}|{line - 1}):", found) for found in said):
            wrong.append(f"{kind}: {said[0]!r} is not about line {line}")
        elif len(said) != 1 and "{rest}" not in said[-1]:  # the topic captures nothing, so one more is a mistake
            wrong.append(f"{kind}: {len(said)} lines for one mistake: {said}")
    assert not wrong, f"{len(wrong)} of {len(MISTAKES)}:\n     " + "\n     ".join(wrong)


# (what is surely not meant, text of GOOD, what stands there instead, what the warning must say)
ADVICE = [
    ("variable of the shell", 'client_id = "cli"', 'username = "$MQTT_USER"', "write ${MQTT_USER}"),
    ("variables of the shell", 'conninfo = "host=/nowhere dbname=x"', 'conninfo = "host=$PGHOST user=a"', "write ${PGHOST}"),
    ("empty last level", "devices/{device}/telemetry", "devices/{device}/telemetry/", "ends with"),
    ("member of bytes", 'bytes = "$"', 'bytes = "$.a"', "has no members"),
    ("always null", 'bytes = "$"', 'bytes = "null"', "always null"),
    ("seconds taken for milliseconds", 'bytes = "$"', 'bytes = "1700000000 | unix_ms"', "before 1990"),
    ("a foreign type", ":: double precision", ":: double", "double precision"),
    ("capture against a number", '"$.battery > 0"', '"{device} = true"', "never holds"),
    ("two that exclude each other", '"$.battery > 0"', '("$.battery > 5", "$.battery < 3")', "never hold together"),
    ("update of nothing", 'format = "raw"', 'on_conflict = "update"; key = ("what", "bytes")', "nothing to update"),
    ("newest in the key", 'format = "raw"', 'on_conflict = "update"; key = "what"; newest = "what"', "equally new"),
    ("a member of lines", 'format = "raw"; table = "raw"; columns = { what = "{rest}"; bytes = "$"; }',
     'format = "csv"; table = "raw"; columns = { what = "{rest}"; bytes = "$.b"; }', "makes a row of each line"),
    ("text in batch unasked", 'format = "raw"; table = "raw"; columns = { what = "{rest}"; bytes = "$"; }',
     'sql = "insert into raw select * from batch"; columns = { what = "{rest}"; bytes = "$.b"; }', "in batch as text"),
    ("a query that stores nothing", 'format = "raw"; table = "raw"', 'format = "raw"; sql = "select * from batch"', "stores nothing"),
    ("settings of another format", 'format = "raw"', 'format = "raw"; csv = { header = true; }', "no effect with format"),
    ("lenient without JSON", 'format = "raw"', 'format = "raw"; lenient = true', "it is for format"),
    ("bound without compression", 'format = "raw"', 'format = "raw"; max_decoded = "1MB"', "without compression"),
    ("created as text unasked", 'format = "raw"; table = "raw"; columns = { what = "{rest}"; bytes = "$"; }',
     'create = true; table = "raw"; columns = { what = "{rest}"; bytes = "$.bytes"; }', ":: double precision, or :: text"),
    ("rows that are all alike", 'format = "raw"; table = "raw"; columns = { what = "{rest}"; bytes = "$"; }',
     'rows = "$.r[*]"; table = "raw"; columns = { what = "{rest}"; }', "would be the same"),
    ("acknowledgments that come back", 'format = "raw"', 'format = "raw"; ack = { topic = "raw/stored"; }', "come back"),
    ("retained with share", 'format = "raw"', 'format = "raw"; share = "g"; retained = "store"', "no retained"),
]


@quick
def test_check_warns_of_what_is_not_meant(env):
    """Each is legal: exit code 0, and one line FILE:LINE: warning."""
    wrong = []
    for kind, there, instead, word in ADVICE:
        assert there in GOOD, kind
        path = env.config_file(GOOD.replace(there, instead, 1))
        line = GOOD[:GOOD.index(there)].count("\n") + 1
        done = env.cli("check", config=path)
        said = [found for found in done.out.splitlines() if re.match(re.escape(path) + rf":({line - 1}|{line}):.*warning:", found)]
        if done.code != 0 or len(said) != 1 or word not in said[0]:
            wrong.append(f"{kind}: exit code {done.code}, {done.out.strip()!r}")
    assert not wrong, "\n     ".join(wrong)
    both = GOOD.replace('name = "raw"; topic = "raw/{rest...}"', 'name = "again"; topic = "raw/{rest...}"').replace("rules = (", 'rules = ( { name = "raw"; '
        'topic = "raw/{rest...}"; format = "raw"; table = "raw"; columns = { what = "{rest}"; bytes = "$"; }; },')
    done = env.cli("check", config=env.config_file(both))
    assert done.code == 0 and 'the same rows as rule "raw"' in done.out, done
    old = GOOD.replace('client_id = "cli"', 'protocol = "3.1.1"').replace('"{rest}"', '"@property.unit"')
    done = env.cli("check", config=env.config_file(old))
    assert done.code == 0 and "@property comes with MQTT 5 only" in done.out, done


@quick
def test_check_finds_all_in_one_go(env):
    text = GOOD
    for there, instead in (("client_id", "clientid"), ("unix_ms", "unix_mz"), ('"{rest}"', '"@topik"'), ('format = "raw"', "qos = 9")):
        text = text.replace(there, instead, 1)
    done = env.cli("check", config=env.config_file(text))
    assert done.code == 3
    for word in ("clientid", "unix_mz", "topik", "qos"):
        assert word in done.out + done.err, (word, done)


@quick
def test_check_syntax_error_and_missing_file(env):
    path = env.config_file(GOOD.replace("columns = {", "columns = {{", 1))
    done = env.cli("check", config=path)
    assert done.code == 3 and path + ":8:" in done.out + done.err or path + ":7:" in done.out + done.err, done
    done = env.cli("check", config="/nowhere/mqtt2pg.cfg")
    assert done.code == 3 and "/nowhere/mqtt2pg.cfg" in done.out + done.err, done
    path = env.config_file('@include "/nowhere/rules.cfg"\n' + GOOD)
    done = env.cli("check", config=path)
    assert done.code == 3 and "/nowhere/rules.cfg" in done.out + done.err, done
    included = env.config_file('log = { levl = "info"; };\n', "included.cfg")
    done = env.cli("check", config=env.config_file(f'@include "{included}"\n' + GOOD))
    assert done.code == 3 and f"{included}:1:" in done.out + done.err, done


TYPES = (("time", "integer.*timestamp"), ("word", '"a".*abc'), ("scaled", "timestamp with time zone.*number"), ("declared", "integer, not text.*alter table typed alter column a type text using null"),
         ("list", "integer, not integer"))


@quick
def test_check_database(env):
    """Tables, columns, types, NOT NULL without a source, the unique index of on_conflict, privileges; each at its rule's line."""
    env.sql("""create table right_one (a int not null, b text); create table gap_one (a int not null, must int not null);
               create table typed (a int, at timestamptz, p point); create table upsert (a int, b int)""")
    env.admin("create table denied (a int)")
    rules = """
      { name = "fine"; topic = "a"; table = "right_one"; columns = { a = "$.a"; b = "$.b"; }; },
      { name = "gone"; topic = "b"; table = "no_such_table"; columns = { a = "$.a"; }; },
      { name = "column"; topic = "c"; table = "right_one"; columns = { a = "$.a"; c = "$.c"; }; },
      { name = "null"; topic = "d"; table = "gap_one"; columns = { a = "$.a"; }; },
      { name = "index"; topic = "e"; table = "upsert"; on_conflict = "update"; key = ("a"); columns = { a = "$.a"; b = "$.b"; }; },
      { name = "denied"; topic = "f"; table = "denied"; columns = { a = "$.a"; }; },
      { name = "time"; topic = "g/{x}"; table = "typed"; columns = { a = "$.a | unix_ms"; at = "@received_at"; p = "{x}"; }; },
      { name = "word"; topic = "h/{x}"; table = "typed"; columns = { a = "'abc'"; at = "'2026-11-23T00:00:00Z'"; p = "$.p"; }; },
      { name = "scaled"; topic = "i/{x}"; table = "typed"; columns = { at = "$.a | scale 1000"; a = "{x}"; p = "$.x | round 2"; }; },
      { name = "declared"; topic = "j/{x}"; table = "typed"; columns = { a = "@received_at :: text"; at = "$.at :: timestamptz"; }; },
      { name = "list"; topic = "k/{x}"; table = "typed"; create = true; columns = { a = "$.a :: int[]"; b = "$.b :: int"; at = "{x}"; }; },
      { name = "made"; topic = "l"; table = "made"; create = true; columns = { a = "$.a :: flaot8"; }; },
      { name = "sound"; topic = "m"; table = "sound"; create = true; columns = { a = "$.a :: float8"; }; }"""
    bridge = env.bridge(rules, start=False)
    done = env.cli("check", "--database", config=bridge)
    assert done.code == 3, done
    lines = (done.out + done.err).splitlines()
    with open(bridge.file) as file:
        text = file.read()
    for rule, word in (*TYPES, ("gone", "no_such_table"), ("column", '"c"'), ("null", "must"), ("index", "unique"), ("denied", "insert"),
                       ("made", "flaot8")):
        number = text[:text.index(f'name = "{rule}"')].count("\n") + 1
        about = [line for line in lines if line.startswith(f"{bridge.file}:{number}:")]
        assert len(about) == 1 and re.search(word, about[0]), f"{rule}: {lines}"
    assert len(lines) == 6 + len(TYPES), f"more than these mistakes: {lines}"
    assert env.one("select to_regclass('sound')") is None, "check made a table"
    bridge.configure('{ name = "fine"; topic = "a"; table = "right_one"; columns = { a = "$.a"; b = "$.b"; }; }')
    done = env.cli("check", "--database", config=bridge)
    assert done.code == 0, done


@quick
def test_readme(env):
    """The configurations of the README have no mistakes, `check` warns of nothing in them, and what it shows of the first is what comes."""
    with open(os.path.join(os.path.dirname(__file__), "../../README.md")) as file:
        text = file.read()
    blocks = re.findall(r"^```\n(.*?)^```", text, re.M | re.S)
    memory = set(re.findall(r"some \d+ MB of memory, .*", text))
    configurations = [block for block in blocks if re.search(r"^rules = \(", block, re.M)]
    assert len(configurations) == 2, configurations
    for number, text in enumerate(configurations):
        done = env.cli("check", config=env.config_file(text, f"readme{number}.cfg"))
        assert done.code == 0 and done.out.endswith(": 1 rule, no mistakes\n") and not done.err, done
        assert number > 0 or memory == set(re.findall(r"some \d+ MB of memory, .*", done.out)), (memory, done)
    shown = re.search(r"^\$ mqtt2pg -c first.cfg (explain .*)\n(.*)\n", "".join(blocks), re.M)
    done = env.cli(*shlex.split(shown[1]), config=env.config_file(configurations[0], "first.cfg"))
    assert done.code == 0 and done.out.strip() == shown[2], done


# --- explain, schema, settings

@quick
def test_explain(env):
    """The rows as JSON, a rejection, a filtered message, no rule; 0, 1, 0, 1, and 3 for a bad configuration."""
    path = env.config_file(GOOD)

    def explain(topic, *payload, **options):
        done = env.cli("explain", topic, *payload, config=path, **options)
        return done.code, [json.loads(line) for line in done.out.splitlines()], done
    code, lines, done = explain("devices/d1/telemetry", '{"ts": 1700000000000, "temperature": 21.5, "battery": 3, "n": 9007}')
    assert code == 0 and len(lines) == 1, done
    assert (lines[0]["rule"], lines[0]["table"]) == ("telemetry", "public.telemetry")
    row = lines[0]["row"]
    assert row["device"] == "d1" and row["temperature"] == 21.5 and row["n"] == 9007 and row["time"].startswith("2023-11-14"), row
    code, lines, done = explain("devices/d1/telemetry", '{"ts": 1, "battery": 3, "n": "many"}')
    assert code == 1 and lines[0]["rule"] == "telemetry" and "many" in lines[0]["rejected"] and "n" in lines[0]["rejected"], done
    code, lines, done = explain("devices/d1/telemetry", '{"battery": 0}')
    assert code == 0 and lines == [{"rule": "telemetry", "filtered": True}], done
    code, lines, done = explain("nobody/wants/this", "{}")
    assert code == 1 and lines == [] and done.err.strip(), done
    code, lines, done = explain("raw/a/b", "-", stdin=b"\x00\xff")
    assert code == 0 and lines[0]["row"]["what"] == "a/b", done
    code, lines, done = explain("raw/x")
    assert code == 0, done
    bad = env.cli("explain", "raw/x", config=env.config_file(GOOD.replace("unix_ms", "unix_mz")))
    assert bad.code == 3, bad


@quick
def test_explain_is_what_the_service_does(env):
    """The same verdict and the same values, message by message."""
    env.sql("create table both_ways (id text, n bigint, v double precision, at timestamptz)")
    bridge = env.bridge("""{ name = "both"; topic = "~/both/{id}"; table = "both_ways"; where = "$.skip is null";
        columns = { id = "{id}"; n = "$.n :: bigint"; v = "$.v | scale 2 :: double precision"; at = "$.at | unix_s :: timestamptz"; };
        }""")
    payloads = ['{"n": 1, "v": 1.5, "at": 1.5}', '{"n": 1.5}', '{"skip": 1}', "{", '{"n": 9223372036854775807}', '{"v": "x"}', "[]"]
    env.publish([(f"~/both/{i}", payload) for i, payload in enumerate(payloads)])
    bridge.wait_quiet()
    env.wait(lambda: bridge.metric("messages_processed_total") == len(payloads), 10, "not all processed")
    rows = {row[0]: row[1:] for row in env.sql("select id, n, v, at::text from both_ways")}
    rejected = {letter[1].split("/")[1]: letter[2] for letter in env.dead_letters()}
    for i, payload in enumerate(payloads):
        done = env.cli("explain", env.topic(f"~/both/{i}"), payload, config=bridge)
        said = json.loads(done.out.splitlines()[0])
        if "rejected" in said:
            assert rejected[str(i)] == said["rejected"], (payload, rejected.get(str(i)), said)
        elif "filtered" in said:
            assert str(i) not in rejected and str(i) not in rows
        else:
            row = said["row"]
            assert (row["n"], row["v"], row["at"]) == rows[str(i)], (payload, row, rows[str(i)])


@quick
def test_schema(env):
    """SQL that psql takes, twice; with the configured name, and with the tables of rules with create."""
    config = GOOD.replace('dbname=x"', 'dbname=x"; schema = "other_name"').replace('format = "raw";', 'format = "raw"; create = true;')
    done = env.cli("schema", config=env.config_file(config))
    assert done.code == 0, done
    env.sql(done.out)
    env.sql(done.out)
    assert env.one("select to_regclass('other_name.progress')") and env.one("select to_regclass('raw')")
    for table, columns in (("progress", "client_id, journal, position, stored_at"), ("gap", "id, noticed_at, client_id, cause, "
                           "from_time, to_time, messages"), ("dead_letter", "id, received_at, failed_at, rule, topic, payload, qos, "
                           "retained, properties, reason, sqlstate, parked")):
        env.sql(f"select {columns} from other_name.{table}")


@quick
def test_settings(env):
    """Every setting is listed, with one line each; no configuration is needed."""
    done = env.cli("settings")
    assert done.code == 0, done
    for name in ("broker.url", "broker.client_id", "broker.protocol", "broker.username", "broker.password", "broker.keepalive",
                 "broker.session_expiry", "broker.receive_maximum", "broker.max_packet", "broker.tls.ca_file", "broker.tls.verify",
                 "broker.status_topic", "database.conninfo", "database.schema", "journal.directory", "journal.max_size",
                 "journal.sync", "journal.keep", "batch.max_rows", "batch.max_bytes", "batch.max_delay", "http.listen", "log.level",
                 "log.format", "shutdown", "rules.name", "rules.topic", "rules.qos", "rules.share", "rules.retained", "rules.format",
                 "rules.table", "rules.columns", "rules.where", "rules.rows", "rules.on_conflict", "rules.key", "rules.newest",
                 "rules.create", "rules.sql", "rules.ack.topic", "rules.ack.on", "rules.ack.qos", "rules.ack.retain",
                 "rules.ack.fields"):
        assert re.search(rf"^{re.escape(name)}\b", done.out, re.MULTILINE), f"{name} is not listed"
    for line in (r"SETTING +TYPE +DEFAULT +UNIT +", r'broker.keepalive +duration +"30s" +ms, s, m, h, d +"1s" to ', r'journal.max_size +size +"10GB" +KB, MB, GB, TB +',
                 r"batch.max_rows +whole number +10000 +rows +", "rules.qos +whole number +1 +0 to 2 +"):
        assert re.search("^" + line, done.out, re.MULTILINE), f"{line}: {done.out}"


@quick
def test_journal_beside_a_running_service(env):
    """info, dump and verify while it runs and takes messages; nothing is disturbed."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.postgres.stop()
    env.publish(numbered("a", 0, 2000))
    env.wait(lambda: bridge.metric("journal_messages") == 2000, 20, "not in the journal")
    load = env.publish_in_background(numbered("a", 2000, 3000), rate=2000)
    info = env.cli("journal", "info", config=bridge)
    assert info.code == 0 and re.search(r"waiting\s+[\d,. ]+", info.out), info
    dump = env.cli("journal", "dump", config=bridge)
    first = json.loads(dump.out.splitlines()[0])
    assert dump.code == 0 and len(dump.out.splitlines()) >= 2000
    assert (first["topic"], first["payload"], first["qos"]) == (env.topic("~/n/a"), '{"n":0}', 1), first
    env.publish([("~/n/b", '{"n":0}', 1, {"content_type": "a/b", "user": [("site", "north")]})])
    dumped = env.cli("journal", "dump", config=bridge)
    assert [json.loads(line)["properties"]["user"] for line in dumped.out.splitlines() if "a/b" in line] == [[["site", "north"]]], dumped
    verify = env.cli("journal", "verify", config=bridge)
    assert verify.code == 0, verify
    load.finish()
    env.postgres.start()
    check_numbered(env, {"a": 5000, "b": 1})
    bridge.stop()
    assert env.cli("journal", "verify", config=bridge).code == 0


@quick
def test_dead_letters_commands(env):
    """list, show, retry through today's rules, purge."""
    env.sql("create table r (id int, v int)")
    rule = '{ name = "r"; topic = "~/r/{id}"; format = "json"; table = "r"; columns = { id = "{id}"; v = "%s"; }; }'
    bridge = env.bridge(rule % "$.v")
    env.publish([(f"~/r/{n}", '{"v": "bad", "w": %d}' % n) for n in range(3)] + [("~/r/9", "{")])
    env.wait(lambda: len(env.dead_letters()) == 4, 15, env.dead_letters)
    listed = env.cli("dead-letters", "list", config=bridge)
    assert listed.code == 0 and listed.out.count(env.topic("~/r/")) == 4 and "bad" in listed.out, listed
    number = str(env.one("select min(id) from mqtt2pg.dead_letter"))
    shown = env.cli("dead-letters", "show", number, config=bridge)
    assert shown.code == 0 and '"w": 0' in shown.out, shown
    assert env.cli("dead-letters", "show", "999999", config=bridge).code == 1
    bridge.configure(rule % "$.w")
    retried = env.cli("dead-letters", "retry", "--rule", "r", config=bridge)
    assert retried.code in (0, 1), retried
    assert env.sql("select id, v from r order by id") == [(0, 0), (1, 1), (2, 2)], retried
    assert [letter[1] for letter in env.dead_letters()] == ["r/9"]
    # What a verb does not take must not be passed over: this would remove the letters of every rule.
    for argument in ("--id", "--limit"):
        assert env.cli("dead-letters", "purge", argument, "1", config=bridge).code == 2
    assert env.cli("dead-letters", "purge", "--json", config=bridge).code == 2
    assert env.cli("dead-letters", "purge", "--rule", "other", config=bridge).out == "0 dead letters removed\n"
    assert len(env.dead_letters()) == 1
    # Without a terminal nobody can be asked: all of them only on demand.
    refused = env.cli("dead-letters", "purge", config=bridge)
    assert refused.code == 1 and "--all" in refused.err and len(env.dead_letters()) == 1, refused
    purged = env.cli("dead-letters", "purge", "--all", config=bridge)
    assert purged.code == 0 and purged.out == "1 dead letter removed\n" and env.dead_letters() == [], purged


@quick
def test_dead_letters_for_people_and_programs(env):
    """--json, --rule, --limit, payloads that would do something to a terminal, and letters of a rule that is gone."""
    env.sql("create table r (v int)")
    rule = '{ name = "%s"; topic = "~/%s"; format = "text"; table = "r"; columns = { v = "$"; }; }'
    bridge = env.bridge(rule % ("one", "one") + "," + rule % ("two", "two"))
    env.publish([("~/one", "plain words")] + [("~/two", b"\x1b[2Jgone"), ("~/two", b"\xff\x00")])
    env.wait(lambda: len(env.dead_letters()) == 3, 15, env.dead_letters)
    listed = env.cli("dead-letters", "list", "--json", config=bridge)
    letters = [json.loads(line) for line in listed.out.splitlines()]
    assert [letter.get("payload", letter.get("payload_hex")) for letter in letters] == ["plain words", "\x1b[2Jgone", "ff00"], listed
    assert letters[0]["rule"] == "one" and letters[0]["state"] == "rejected" and letters[0]["qos"] == 1, letters
    assert env.cli("dead-letters", "list", "--rule", "two", config=bridge).out.count("\n") == 2
    limited = env.cli("dead-letters", "list", "--limit", "2", config=bridge)
    assert limited.out.count("\n") == 2 and "--limit" in limited.err, limited
    assert env.cli("dead-letters", "list", "--limit", "0", config=bridge).code == 2
    for letter in letters[1:]:
        shown = env.cli("dead-letters", "show", str(letter["id"]), config=bridge)
        assert "payload hex: " in shown.out and "\x1b" not in shown.out, shown
    assert json.loads(env.cli("dead-letters", "show", str(letters[0]["id"]), "--json", config=bridge).out) == letters[0]
    bridge.configure(rule % ("one", "one"))
    retried = env.cli("dead-letters", "retry", config=bridge)
    assert retried.code == 0 and "2 more belong to rules" in retried.err and "(two)" in retried.err, retried
    assert env.cli("dead-letters", "purge", "--rule", "two", config=bridge).out == "2 dead letters removed\n"
    assert [letter[1] for letter in env.dead_letters()] == ["one"]


def test_mistakes_are_answered_with_their_remedy(env):
    """What a newcomer writes, and the word that helps."""
    rule = '{ name = "r"; topic = "devices/{device}/telemetry"; table = "r"; columns = { device = "{device}"; t = "$.temperature :: float8"; }; }'
    head = 'broker: { url = "mqtt://localhost"; };\ndatabase: { conninfo = ""; };\n'
    for text, words in (
            ('broker: { host = "a"; port = 1883; };\ndatabase: { conninfo = ""; };\nrules = (%s);' % rule, 'write url = "mqtt://HOST:PORT"'),
            ('broker: { url = "mqtt://a"; };\ndatabase: { host = "a"; user = "b"; };\nrules = (%s);' % rule, 'write conninfo = "host=HOST'),
            (head + "rules = (%s,);" % rule, 'remove the comma before the closing ")"'),
            ("broker: { url = mqtt://a };\n", "a text stands in double quotes"),
            (head + "rules = (%s);" % rule.replace('"{device}";', '"{device} {device}";'), "captures are joined by | concat")):
        checked = env.cli("check", config=env.config_file(text))
        assert checked.code == 3 and words in checked.out, (words, checked)
    path = env.config_file(head + "rules = (%s);" % rule)
    near = env.cli("explain", "device/d1/telemetry", "{}", config=path)
    assert near.code == 1 and 'nearest is rule "r"' in near.err and 'level 1 is "device", the rule has "devices"' in near.err, near
    short = env.cli("explain", "devices/d1", "{}", config=path)
    assert 'level 3 is missing, the rule has "telemetry"' in short.err, short
    mistyped = env.cli("explain", "devices/d1/telemetry", '{"temprature": 1, "power": 2}', config=path)
    assert mistyped.code == 0 and 'no column takes: temprature, power' in mistyped.err, mistyped
    assert "no column takes" not in env.cli("explain", "devices/d1/telemetry", '{"temperature": 1, "power": 2}', config=path).err


# --- usage

@quick
def test_help_and_version(env):
    done = env.cli("--help")
    assert done.code == 0 and all(command in done.out for command in COMMANDS), done
    for command in COMMANDS:
        done = env.cli(command, "--help")
        assert done.code == 0 and command in done.out and len(done.out.splitlines()) >= 3 and not done.err, done
    done = env.cli("--version")
    assert done.code == 0 and re.fullmatch(r"mqtt2pg \d+\.\d+\.\d+\n", done.out), done


@quick
def test_wrong_usage(env):
    """Exit code 2, one line what is wrong and one how it goes, on standard error."""
    assert env.cli().code == 2 and "usage" in env.cli().err
    for arguments in (("frobnicate",), ("--frobnicate",), ("check", "extra"), ("check", "--frobnicate"), ("explain",), ("journal",),
                      ("journal", "eat"), ("explain", "a", "b", "c"), ("run", "extra"), ("--config",), ("dead-letters",),
                      ("dead-letters", "show"), ("dead-letters", "show", "x"), ("dead-letters", "list", "--rule"),
                      ("dead-letters", "list", "--client-id"), ("dead-letters", "retry", "--rule="), ("learn", ""),
                      ("explain", "--journal", "--compare"), ("explain", "a", "--payload-file"), ("explain", "--databse", "raw/a"),
                      ("-c",), ("init", "--output")):
        done = env.cli(*arguments, config=None if arguments[0].startswith("--") else env.config_file(GOOD))
        assert done.code == 2 and done.out == "" and 1 <= len(done.err.strip().splitlines()) <= 4, (arguments, done)
    for arguments, words in ((("-config", "x.cfg", "check"), "did you mean --config?"), (("--hlep",), "did you mean --help?"),
                             (("dead-letters", "show", "x"), '"x" is not the number of a dead letter'),
                             (("explain", "raw/+", "{}"), "+ and # stand in filters")):
        done = env.cli(*arguments, config=None if arguments[0].startswith("-") else env.config_file(GOOD))
        assert done.code == 2 and words in done.err, (words, done)


@quick
def test_config_before_and_after_the_command(env):
    path = env.config_file(GOOD)
    for arguments in (("-c", path, "check"), ("check", "-c", path), ("--config=" + path, "check"), ("check", "--config", path),
                      ("-c" + path, "check")):
        assert env.cli(*arguments).code == 0, arguments
    done = env.cli("-c", path, "explain", "raw/a", "-cold")
    assert done.code == 0, done  # a payload


# --- what a new user gets wrong: one clear line that says what to do

def one_line(env, bridge, word, seconds=15):
    """The warning or error with this word: there, readable alone, not again and again."""
    word = rf"\b(WARN|ERROR)\b.*({word})"
    line = bridge.wait_log(word, seconds)
    env.holds(lambda: len([other for other in bridge.log().splitlines() if re.search(word, other, re.I)]) <= 2, 3,
              lambda: f"said again and again: {bridge.log()}")
    return line


@quick
def test_typo_in_a_key(env):
    done = env.cli("run", config=env.config_file(GOOD.replace("client_id", "client_ip")))
    assert done.code == 3, done
    lines = done.err.strip().splitlines()
    assert len(lines) == 1 and "client_ip" in lines[0] and "client_id" in lines[0], f"no suggestion: {done.err}"


@quick
def test_wrong_topic_filter(env):
    done = env.cli("run", config=env.config_file(GOOD.replace("raw/{rest...}", "raw/#/more")))
    assert done.code == 3, done
    lines = done.err.strip().splitlines()
    assert len(lines) == 1 and "raw/#/more" in lines[0] and "last" in lines[0] or "end" in lines[0], done.err


@quick
def test_missing_column(env):
    """It runs on, parks the rule's messages, and says which column of which table is missing."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE.replace("received =", "recieved ="))
    env.publish(numbered("a", 0, 3))
    line = one_line(env, bridge, "recieved")
    assert "numbered" in line, line
    env.wait(lambda: [letter[4] for letter in env.dead_letters()] == [True] * 3, 10, env.dead_letters)
    env.sql("alter table numbered add recieved timestamptz")
    check_numbered(env, {"a": 3})


@quick
def test_wrong_database_password(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, ready=False,
                        database={"conninfo": env.postgres.conninfo(env.database, tcp=True, password="wrong-word")})
    line = one_line(env, bridge, "password")
    assert "bridge" in line and "wrong-word" not in bridge.log(), line
    assert bridge.running()
    bridge.stop()


@quick
def test_wrong_database_name_role_and_schema_right(env):
    for part, word in ((f"dbname={env.database}", "no_such_database"), ("user=bridge", "no_such_role")):
        key = part.split("=")[0]
        bridge = env.bridge(NUMBERED_RULE, ready=False, database={
            "conninfo": env.postgres.conninfo(env.database).replace(part, f"{key}={word}")})
        assert word in one_line(env, bridge, word)
        bridge.stop()


@quick
def test_no_right_to_create_the_schema(env):
    """Exit code 4, and the line says what to run."""
    env.admin("drop role if exists poor; create role poor login; revoke create on database %s from public" % env.database)
    bridge = env.bridge(NUMBERED_RULE, ready=False, database={"conninfo": env.postgres.conninfo(env.database, user="poor")})
    assert bridge.wait(20) == 4, bridge.log()
    assert re.search(r"psql|mqtt2pg schema", bridge.log()), bridge.log()
    env.admin("drop role poor")


@quick
def test_wrong_broker_password(env):
    make_numbered(env)
    broker = env.own_broker()
    broker.password_file(bridge="right-word")
    broker.start()
    for protocol in ("5", "3.1.1"):
        bridge = env.bridge(NUMBERED_RULE, ready=False, broker={"url": broker.url, "protocol": protocol, "username": "bridge",
                                                               "password": "wrong-word"})
        line = one_line(env, bridge, "password|not authori[sz]ed|refused")
        assert re.search("password|username", line) and "wrong-word" not in bridge.log(), line
        bridge.stop()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url, "username": "bridge", "password": "right-word"})
    bridge.stop()


@quick
def test_stopped_database_and_broker(env):
    make_numbered(env)
    broker = env.own_broker()
    env.postgres.stop()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": broker.url}, ready=False)
    line = one_line(env, bridge, "database")
    assert str(env.postgres.port) in line or env.postgres.sockets in line, line
    line = one_line(env, bridge, "broker")
    assert str(broker.port) in line, line
    env.postgres.start()
    broker.start()
    bridge.wait_ready()


@quick
def test_journal_directory_that_can_not_be_made(env):
    bridge = env.bridge(NUMBERED_RULE, start=False, journal={"directory": "/proc/nowhere/journal"})
    bridge.launch()
    assert bridge.wait(10) == 4, bridge.log()
    assert "/proc/nowhere" in bridge.log(), bridge.log()


def test_check_database_of_partitions_and_columns(env):
    """A table that has no partition for the coming days; a column that this role may not write."""
    rule = '{ name = "p"; topic = "p"; table = "parts"; columns = { at = "@received_at"; n = "$"; }; format = "text"; }'
    env.sql("create table parts (at timestamptz not null, n text) partition by range (at)")
    bridge = env.bridge(rule, start=False)

    def checked(part, bound):
        env.sql(f"create table {part} partition of parts {bound}")
        return env.cli("check", "--database", config=bridge)
    day = "to_char(now() + interval '%d days', 'YYYY-MM-DD')"
    today, tomorrow, later = (env.one("select " + day % days) for days in (0, 2, 30))
    for part, bound, said in (("past", "for values from (minvalue) to ('2020-01-01')", "of the time now"),
                              ("present", f"for values from ('{today}') to ('{tomorrow}')", "of the time in a week"),
                              ("future", f"for values from ('{tomorrow}') to ('{later}')", None)):
        done = checked(part, bound)
        assert done.code == 0 and (said in done.out + done.err if said else "no partition" not in done.out + done.err), (part, done)
    env.sql("drop table future")
    assert "no partition" not in checked("others", "default").out
    env.admin("alter table parts owner to test; grant insert (at) on parts to bridge")
    done = env.cli("check", "--database", config=bridge)
    assert done.code == 3 and 'no permission to insert into column "n"' in done.out + done.err, done
