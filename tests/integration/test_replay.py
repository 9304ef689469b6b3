"""What the rules make of the journal's real traffic, before they go live; and storing again what a mistaken rule stored wrongly.

SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess

from env import quick
from test_reload import Switched, rule_on

OLD = """{ name = "t"; topic = "~/r/{device}"; table = "t"; columns = { device = "{device}"; v = "$.v :: numeric"; at = "@received_at"; }; %s }"""
TABLE = "create table t (device text, v numeric, at timestamptz)"
MESSAGES = [("~/r/a", '{"v":1}'), ("~/r/a", '{"v":"12,5"}'), ("~/r/b", '{"v":"7,25"}'), ("~/r/b", '{"v":-1}'), ("~/r/c", '{"v":2}')]
NEW = OLD.replace("$.v ::", "$.v | number ',' ::") % 'where = "{device} != \'c\'";'


def written(env, name, bridge, rules):
    """A second configuration beside that of the bridge, with other rules."""
    with open(bridge.file, encoding="utf-8") as file:
        text = file.read()
    path = os.path.join(env.folder, name)
    begin = text.index("rules")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text[:begin] + "rules = ( " + rules.replace("~/", env.topic("~/")) + " );\n")
    return path


def in_small_batches(path, rows=1):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("rules = (", f"batch: {{ max_rows = {rows}; }};\nrules = (", 1) if "batch" not in text else text)


def run(env, *arguments, faults=None):
    environment = {**os.environ, **({"MQTT2PG_FAULTS": faults} if faults else {})}
    return subprocess.run([env.faulty, *arguments], capture_output=True, text=True, check=False, timeout=30 * env.patience, env=environment)


def stored(env):
    bridge = env.bridge(OLD % "", journal={"keep": "1h"})
    env.publish(MESSAGES)
    env.publish([("~/r/other/level", "1")])
    env.wait_rows("t", 3)
    env.wait(lambda: bridge.metric("messages_processed_total") >= 5, 10)
    return bridge


@quick
def test_journal_is_explained(env):
    """Counts and reasons per rule while the service runs, and what another configuration changes."""
    env.sql(TABLE)
    bridge = stored(env)
    told = json.loads(run(env, "-c", bridge.file, "explain", "--journal", "--json").stdout)
    rule = told["rules"][0]
    assert (rule["messages"], rule["rows"], rule["filtered"], rule["rejected"]) == (5, 3, 0, 2), told
    assert len(rule["reasons"]) == 1 and rule["reasons"][0]["count"] == 2 and "is not a number" in rule["reasons"][0]["example"], told
    other = written(env, "new.cfg", bridge, NEW)
    told = json.loads(run(env, "-c", bridge.file, "explain", "--journal", "--compare", other, "--json").stdout)
    rule = told["compare"]["rules"][0]
    assert (rule["messages"], rule["rows"], rule["filtered"], rule["rejected"]) == (5, 4, 1, 0), told
    assert told["changed"] == 3 and len(told["changes"]) == 3, told
    change = told["changes"][0]  # lines as `explain` writes them
    assert "is not a number" in change["before"][0]["rejected"] and change["after"] == [{"rule": "t", "table": "t", "row": {
        "device": "a", "v": 12.5, "at": change["after"][0]["row"]["at"]}}], change
    people = run(env, "-c", bridge.file, "explain", "--journal", "--since", "1h", "--compare", other)
    assert people.returncode == 0 and "3 of 5 messages come out differently" in people.stdout and "2 x " in people.stdout, people
    assert run(env, "-c", bridge.file, "explain", "--journal", "x").returncode == 2
    assert run(env, "-c", bridge.file, "explain", "--json", "x").returncode == 2
    assert env.one("select count(*) from t") == 3


@quick
def test_replay_stores_again(env):
    """Says first what there is, refuses to double rows, stores in batches; killed in between it goes on, and no row is there twice."""
    env.sql(TABLE)
    bridge = stored(env)
    new = written(env, "new.cfg", bridge, NEW)
    dry = run(env, "-c", new, "replay", "--rule", "t", "--dry-run", "--duplicates-are-fine")
    assert dry.returncode == 0 and "5 stored messages" in dry.stdout and "4 rows, 1 filtered, 0 rejected" in dry.stdout, dry
    refused = run(env, "-c", new, "replay", "--rule", "t")
    assert refused.returncode == 1 and "--duplicates-are-fine" in refused.stderr, refused
    env.sql("delete from t")
    in_small_batches(new)
    killed = run(env, "-c", new, "replay", "--rule", "t", faults="replay.batch.stored=kill@2")
    assert killed.returncode == -9 and env.one("select count(*) from t") == 2, killed
    goes_on = run(env, "-c", new, "replay", "--rule", "t")
    assert goes_on.returncode == 0 and "goes on behind" in goes_on.stderr, goes_on
    assert env.sql("select device, v from t order by device, v") == [("a", 1), ("a", 12.5), ("b", -1), ("b", 7.25)]
    assert env.one("select count(*) from mqtt2pg.replay where finished_at is not null") == 1
    assert bridge.running()


@quick
def test_replay_tells_copies_as_the_service_does(env):
    """Of the copies of one message one is replayed; an equal message that was published again is a message of its own."""
    scene = Switched(env, rule_on("t/+"))
    scene.bridge.configure(journal={"keep": "1h"})
    scene.start()
    scene.copy("t/+", "one")
    scene.copy("t/+", "last")
    scene.reload(rule_on("t/#"))
    scene.copy("t/#", "last")
    scene.reload(rule_on("t/#") + "," + rule_on("t/x", "wide"))
    for _ in range(2):
        scene.copy("t/#", "equal")
        scene.copy("t/x", "equal")
    expected = [(value,) for value in ("one", "last", "last", "equal", "equal")]
    env.wait(lambda: env.sql("select v from got order by id") == expected, 15, lambda: env.sql("select v from got order by id"))
    env.wait_rows("wide", 2)
    scene.bridge.stop()
    env.sql("truncate got")
    told = json.loads(run(env, "-c", scene.bridge.file, "explain", "--journal", "--json").stdout)
    done = run(env, "-c", scene.bridge.file, "replay", "--rule", "got")
    assert done.returncode == 0 and env.sql("select v from got order by id") == expected, (done, env.sql("select v from got order by id"))
    assert (told["messages"], told["copies"], told["rules"][0]["rows"]) == (5, 2, 5), told


def test_retained_messages_under_another_filter(env):
    """A retained message that the broker sent for the former filter belongs to the rule with the new filter, too."""
    env.sql(TABLE)
    env.publish([("~/r/a", '{"v":1}', 1, {"retain": True})])
    bridge = env.bridge(OLD % "", journal={"keep": "1h"})
    env.publish([("~/r/b", '{"v":2}')])
    env.wait_rows("t", 2)
    env.wait(lambda: bridge.metric("messages_processed_total") >= 2, 10)
    other = written(env, "other.cfg", bridge, (OLD % "").replace("~/r/{device}", "~/{any}/{device}"))
    told = json.loads(run(env, "-c", bridge.file, "explain", "--journal", "--compare", other, "--json").stdout)
    assert (told["changed"], told["compare"]["rules"][0]["rows"], told["compare"]["unmatched"]) == (0, 2, 0), told
    env.sql("delete from t")
    done = run(env, "-c", other, "replay", "--rule", "t")
    assert done.returncode == 0 and env.sql("select device, v from t order by 1") == [("a", 1), ("b", 2)], done


def letters(env):
    """(number of the message, sqlstate, parked), by number."""
    return env.sql("select sequence, coalesce(sqlstate, ''), parked from mqtt2pg.dead_letter order by sequence, id")


@quick
def test_replay_keeps_what_is_refused_as_dead_letters(env):
    """A message that the mapping or PostgreSQL refuses becomes one dead letter, once over kill -9; the rest of its batch is stored."""
    env.sql(TABLE)
    bridge = stored(env)
    assert letters(env) == [(2, "", False), (3, "", False)]
    env.sql("delete from t; alter table t add constraint positive check (v > 0)")
    new = written(env, "new.cfg", bridge, OLD.replace("$.v ::", "$.v | number ',' | nullif 2 | required ::") % "")
    in_small_batches(new, 2)
    dry = run(env, "-c", new, "replay", "--rule", "t", "--dry-run")
    assert "4 rows, 0 filtered, 1 rejected" in dry.stdout and len(letters(env)) == 2, dry
    for faults in ("store.commit.after=kill@1", "store.commit.before=kill@1", "replay.batch.stored=kill@1"):
        killed = run(env, "-c", new, "replay", "--rule", "t", faults=faults)
        assert killed.returncode == -9, killed
    done = run(env, "-c", new, "replay", "--rule", "t")
    assert done.returncode == 0 and "dead-letters list" in done.stdout + done.stderr, done
    assert env.sql("select device, v from t order by device, v") == [("a", 1), ("a", 12.5), ("b", 7.25)]
    assert letters(env) == [(4, "23514", False), (5, "", False)], env.dead_letters()
    assert all(reason.startswith("replay: ") for _, _, reason, _, _ in env.dead_letters()), env.dead_letters()
    again = run(env, "-c", new, "replay", "--rule", "t", "--from", "1h", "--duplicates-are-fine")
    assert again.returncode == 0 and "3 rows stored, 0 filtered, 2 rejected" in again.stdout, again
    assert letters(env) == [(4, "23514", False), (5, "", False)], "a letter is there once for each message"
    env.sql("alter table t drop constraint positive")
    retried = run(env, "-c", new, "dead-letters", "retry", "--rule", "t")
    assert "1 stored" in retried.stdout, retried
    assert bridge.running()


def test_replay_is_refused_at_commit(env):
    """What only COMMIT refuses, with an SQLSTATE of a trigger's own, is found like a refused row. A locked table stops the replay, which goes on."""
    env.sql(TABLE)
    bridge = stored(env)
    env.sql("""delete from t;
               create function check_later() returns trigger language plpgsql as
               $$ begin if new.v < 0 then raise 'too cold' using errcode = 'U0001'; end if; return null; end $$;
               create constraint trigger check_later after insert on t deferrable initially deferred for each row execute function check_later()""")
    holder = env.run.connect(env.database)
    holder.autocommit = False
    holder.cursor().execute("lock table t in access exclusive mode")
    locked = run(env, "-c", bridge.file, "replay", "--rule", "t", "--duplicates-are-fine")
    assert locked.returncode == 1 and "the same command goes on from there" in locked.stderr, locked
    holder.rollback()
    holder.close()
    done = run(env, "-c", bridge.file, "replay", "--rule", "t")
    assert done.returncode == 0 and "2 rows stored, 0 filtered, 3 rejected" in done.stdout, done
    assert env.sql("select device, v from t order by 1, 2") == [("a", 1), ("c", 2)]
    assert letters(env) == [(2, "", False), (3, "", False), (4, "U0001", False)], env.dead_letters()
    assert bridge.running()


def test_replay_leaves_parked_messages_to_the_service(env):
    """What waits as parked dead letters is stored by the service when the table works: a replay does not store it as well."""
    env.sql(TABLE)
    bridge = stored(env)
    env.sql("alter table t rename to away")
    env.publish([("~/r/d", '{"v":5}')])
    env.wait(lambda: (6, "42P01", True) in [(n, state, parked) for n, state, parked in letters(env)], 15, lambda: env.dead_letters())
    bridge.stop()
    env.sql("alter table away rename to t; delete from t")
    done = run(env, "-c", bridge.file, "replay", "--rule", "t")
    assert done.returncode == 0 and "3 rows stored" in done.stdout and "1 more is left out" in done.stdout, done
    bridge.start()
    env.wait_rows("t", 4)
    assert env.sql("select device, v from t order by 1, 2") == [("a", 1), ("b", -1), ("c", 2), ("d", 5)]


def test_replay_finds_rows_of_that_time(env):
    """Rows of another time are no hindrance; infinity is not a time; a rule that changes or keeps rows is never refused."""
    env.sql(TABLE + "; insert into t values ('old', 1, '2001-01-01')")
    rule = OLD.replace("@received_at", "$.at") % ""
    bridge = env.bridge(rule, journal={"keep": "1h"})
    env.publish([("~/r/a", '{"v":1,"at":"2024-01-01T00:00:00Z"}'), ("~/r/a", '{"v":2,"at":"infinity"}')])
    env.wait_rows("t", 3)
    env.wait(lambda: bridge.metric("messages_processed_total") >= 2, 10)
    refused = run(env, "-c", bridge.file, "replay", "--rule", "t")
    assert refused.returncode == 1 and "the table has rows of that time" in refused.stderr and "2 stored messages" in refused.stdout, refused
    env.sql("delete from t where v = 1 and device = 'a'")
    done = run(env, "-c", bridge.file, "replay", "--rule", "t")
    assert done.returncode == 0 and "2 rows stored" in done.stdout, done
    env.sql("delete from t where device = 'a'; create unique index on t (device, v)")
    kept = written(env, "kept.cfg", bridge, rule.replace("columns", 'on_conflict = "nothing"; columns'))
    assert run(env, "-c", kept, "replay", "--rule", "t").returncode == 0 and run(env, "-c", kept, "replay", "--rule", "t").returncode == 0
    assert env.sql("select device, v from t order by 1, 2") == [("a", 1), ("a", 2), ("old", 1)]


def test_replay_passes_over_what_is_refused(env):
    """A row that PostgreSQL refuses is named and costs nothing else; unknown rules and times are told."""
    env.sql(TABLE + "; alter table t add check (v > -100)")
    bridge = stored(env)
    env.sql("delete from t; alter table t add constraint positive check (v > 0)")
    new = written(env, "new.cfg", bridge, NEW)
    done = run(env, "-c", new, "replay", "--rule", "t", "--from", "1h")
    assert done.returncode == 0 and "positive" in done.stderr and "3 rows stored, 1 filtered, 1 rejected" in done.stdout, done
    assert env.one("select count(*) from t") == 3
    assert run(env, "-c", new, "replay", "--rule", "x").returncode == 1
    assert run(env, "-c", new, "replay", "--rule", "t", "--from", "yesterday").returncode == 2
    none = run(env, "-c", new, "replay", "--rule", "t", "--to", "2020-01-01")
    assert none.returncode == 0 and "0 stored messages" in none.stdout, none


def test_replay_of_a_database_that_went_back(env):
    """Rows and position of a replay go back together: the next one stores what is missing, and nothing twice."""
    env.sql(TABLE)
    bridge = stored(env)
    new = written(env, "new.cfg", bridge, NEW)
    env.sql("delete from t")
    in_small_batches(new)
    assert run(env, "-c", new, "replay", "--rule", "t", faults="replay.batch.stored=kill@2").returncode == -9
    env.sql("create table saved_t as table t; create table saved_replay as table mqtt2pg.replay")
    assert run(env, "-c", new, "replay", "--rule", "t").returncode == 0 and env.one("select count(*) from t") == 4
    env.sql("begin; truncate t; insert into t table saved_t; delete from mqtt2pg.replay; insert into mqtt2pg.replay overriding system value "
            "table saved_replay; commit")
    goes_on = run(env, "-c", new, "replay", "--rule", "t")
    assert goes_on.returncode == 0 and "goes on behind" in goes_on.stderr, goes_on
    assert env.sql("select device, v from t order by device, v") == [("a", 1), ("a", 12.5), ("b", -1), ("b", 7.25)]


def test_replay_goes_on_with_the_same_messages(env):
    """What the service stored since a replay began is none of its messages, also when --to lies in the future, or no message was there."""
    env.sql(TABLE)
    bridge = stored(env)
    new = written(env, "new.cfg", bridge, NEW)
    env.sql("delete from t")
    in_small_batches(new)
    replay = ("-c", new, "replay", "--rule", "t", "--to", "2100-01-01")
    assert run(env, *replay, faults="replay.batch.stored=kill@2").returncode == -9
    env.publish([("~/r/late", '{"v":9}')])
    env.wait(lambda: env.one("select count(*) from t where device = 'late'") == 1, 10)
    env.wait(lambda: bridge.metric("messages_processed_total") >= 6, 10)
    goes_on = run(env, *replay)
    assert goes_on.returncode == 0 and "goes on behind" in goes_on.stderr, goes_on
    assert env.sql("select device, v from t order by device, v") == [("a", 1), ("a", 12.5), ("b", -1), ("b", 7.25), ("late", 9)]
