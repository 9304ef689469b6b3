"""`replay` beside whatever else stores a rule's messages: each one is a row once, or a dead letter once.

SPDX-License-Identifier: MIT
"""

import signal
import subprocess

from env import quick
from sparkplug import birth, data
from test_replay import MESSAGES, NEW, OLD, TABLE, in_small_batches, letters, run, stored, written
from test_sparkplug import Plant

# The rows of MESSAGES as NEW makes them: messages 2 and 3 had dead letters, 5 is filtered.
ROWS = [("a", 1), ("a", 12.5), ("b", -1), ("b", 7.25)]


def rows(env):
    return env.sql("select device, v from t order by device, v")


def replayed_to(env, batches):
    """A bridge with dead letters of the messages 2 and 3, and a configuration that stores them; its replay was killed behind some messages."""
    env.sql(TABLE)
    bridge = stored(env)
    assert letters(env) == [(2, "", False), (3, "", False)]
    env.sql("delete from t")
    new = written(env, "new.cfg", bridge, NEW)
    in_small_batches(new)
    killed = run(env, "-c", new, "replay", "--rule", "t", faults=f"replay.batch.stored=kill@{batches}")
    assert killed.returncode == -9, killed
    return bridge, new


def stopped_replay(env, config, *options, words=(b"3 rows",)):
    """A replay that has counted, which its first lines tell, and has not begun: SIGCONT lets it."""
    made = subprocess.Popen([env.faulty, "-c", config, "replay", "--rule", "t", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**env.environment, "MQTT2PG_FAULTS": "replay.begin.before=delay:2500"})
    env.closing.append(made.kill)
    for word in words:
        line = made.stdout.readline()
        assert word in line, line
    made.send_signal(signal.SIGSTOP)
    return made


@quick
def test_unfinished_replay_and_dead_letters_retry(env):
    """Letters of messages that a replay has yet to make again are its own; letters that it has left behind are not."""
    bridge, new = replayed_to(env, 1)
    for arguments in ((), ("--rule", "t"), ("--id", "1")):
        retried = run(env, "-c", new, "dead-letters", "retry", *arguments)
        assert retried.returncode == 1 and "0 dead letters retried" in retried.stdout and "replay --rule" in retried.stderr, retried
    bridge.configure(http={"admin": True})
    bridge.restart()
    answer = bridge.act("retry", rule="t")
    assert answer.json["letters"] == 0 and "replay --rule t goes on" in answer.json["remarks"][0], answer
    assert rows(env) == [("a", 1)] and len(letters(env)) == 2
    done = run(env, "-c", new, "replay", "--rule", "t")
    assert done.returncode == 0 and rows(env) == ROWS and letters(env) == [], done


def test_unfinished_replay_of_a_journal_that_is_gone(env):
    """Nobody can go on with it, so it has no claim to letters any more."""
    bridge, new = replayed_to(env, 1)
    env.sql("insert into mqtt2pg.progress values (%s, gen_random_uuid(), 7, now() + interval '1 minute')", bridge.client_id)
    retried = run(env, "-c", new, "dead-letters", "retry")
    assert retried.returncode == 0 and "2 stored" in retried.stdout and letters(env) == [], retried


@quick
def test_dead_letters_retry_that_stores_when_a_replay_begins(env):
    """The replay waits for it, and passes over the messages whose letters are rows now."""
    env.sql(TABLE)
    bridge = stored(env)
    new = written(env, "new.cfg", bridge, NEW)
    env.sql("delete from t")
    retry = subprocess.Popen([env.faulty, "--config", new, "dead-letters", "retry"], stdout=subprocess.PIPE,
                             env={**env.environment, "MQTT2PG_FAULTS": "store.commit.before=delay:2000"})
    env.wait(lambda: env.one("select count(*) from pg_locks where locktype = 'advisory' and objsubid = 1 and mode = 'ExclusiveLock' "
                             "and pid in (select pid from pg_stat_activity where state = 'idle in transaction')"), 10, "no letter is retried")
    retry.send_signal(signal.SIGSTOP)
    replay = subprocess.Popen([env.faulty, "--config", new, "replay", "--rule", "t", "--duplicates-are-fine"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=env.environment)
    env.closing.extend((retry.kill, replay.kill))
    env.wait(lambda: replay.poll() is not None or env.one("select count(*) from pg_locks where locktype = 'advisory' and not granted"), 20,
             "the replay does not wait")
    retry.send_signal(signal.SIGCONT)
    assert b"2 stored" in retry.communicate(timeout=30 * env.patience)[0]
    said, _ = replay.communicate(timeout=30 * env.patience)
    assert replay.returncode == 0 and rows(env) == ROWS and letters(env) == [], (said, rows(env))


@quick
def test_interrupted_replay_and_healing(env):
    """A parked message that the service stores before the replay goes on is no message of the replay."""
    env.sql(TABLE)
    bridge = stored(env)
    env.sql("alter table t rename to away")
    env.publish([("~/r/d", '{"v":5}')])
    env.wait(lambda: (6, "42P01", True) in letters(env), 15, env.dead_letters)
    bridge.stop()
    env.sql("alter table away rename to t; delete from t")
    in_small_batches(bridge.file)
    killed = run(env, "-c", bridge.file, "replay", "--rule", "t", faults="replay.batch.stored=kill@1")
    assert killed.returncode == -9, killed
    bridge.start()
    env.wait(lambda: env.one("select count(*) from t where device = 'd'") == 1, 20, "not healed")
    done = run(env, "-c", bridge.file, "replay", "--rule", "t")
    assert done.returncode == 0 and "1 more is left out" in done.stdout, done
    assert rows(env) == [("a", 1), ("b", -1), ("c", 2), ("d", 5)]


def test_replay_begins_while_letters_heal(env):
    """Letters that are parked when the messages are counted, and rows when the replay begins, are left out, too."""
    env.sql(TABLE)
    bridge = stored(env)
    env.sql("alter table t rename to away")
    env.publish([("~/r/d", '{"v":5}')])
    env.wait(lambda: (6, "42P01", True) in letters(env), 15, env.dead_letters)
    bridge.stop()
    env.sql("alter table away rename to t; delete from t")
    replay = stopped_replay(env, bridge.file, words=(b"3 rows", b"1 more"))
    bridge.start()
    env.wait(lambda: env.one("select count(*) from t where device = 'd'") == 1, 20, "not healed")
    replay.send_signal(signal.SIGCONT)
    replay.communicate(timeout=30 * env.patience)
    assert rows(env) == [("a", 1), ("b", -1), ("c", 2), ("d", 5)]


@quick
def test_two_replays_of_one_rule(env):
    """Both have counted and found no rows; the second one sees those of the first."""
    env.sql(TABLE)
    bridge = stored(env)
    env.sql("delete from t")
    second = stopped_replay(env, bridge.file)
    first = run(env, "-c", bridge.file, "replay", "--rule", "t")
    assert first.returncode == 0 and "3 rows stored" in first.stdout, first
    second.send_signal(signal.SIGCONT)
    _, said = second.communicate(timeout=30 * env.patience)
    assert second.returncode == 1 and b"the table has rows of that time" in said, said
    assert rows(env) == [("a", 1), ("b", -1), ("c", 2)]
    third = stopped_replay(env, bridge.file, "--duplicates-are-fine")
    killed = run(env, "-c", bridge.file, "replay", "--rule", "t", "--duplicates-are-fine", faults="store.commit.before=kill@1")
    assert killed.returncode == -9, killed
    third.send_signal(signal.SIGCONT)
    _, said = third.communicate(timeout=30 * env.patience)
    assert third.returncode == 1 and b"another replay" in said, said


@quick
def test_replay_of_a_restored_database_before_the_service_is_back(env):
    """What the database lacks is stored by the service; a replay that comes before it leaves that alone."""
    env.sql(TABLE)
    bridge = stored(env)
    bridge.stop()
    env.sql("delete from t; delete from mqtt2pg.dead_letter where sequence > 2; update mqtt2pg.progress set position = 2")
    done = run(env, "-c", bridge.file, "replay", "--rule", "t")
    assert done.returncode == 0 and "1 rows stored" in done.stdout, done
    bridge.start()
    env.wait_rows("t", 3)
    bridge.wait_quiet()
    assert rows(env) == [("a", 1), ("b", -1), ("c", 2)] and letters(env) == [(2, "", False), (3, "", False)]
    env.sql("delete from mqtt2pg.progress")
    lost = run(env, "-c", bridge.file, "replay", "--rule", "t", "--duplicates-are-fine")
    assert lost.returncode == 1 and "the service has to start first" in lost.stderr, lost


def test_replay_while_the_rule_is_reloaded(env):
    """The service takes other rules meanwhile, one of which has another name; the replay that goes on takes the rule of its own file."""
    bridge, new = replayed_to(env, 2)
    bridge.configure((OLD % "").replace('name = "t"', 'name = "other"').replace("{device}\"; table", "{device...}\"; table"))
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    env.publish([("~/r/e", '{"v":6}')])
    env.wait(lambda: env.one("select count(*) from t where device = 'e'") == 1, 15)
    assert run(env, "-c", bridge.file, "replay", "--rule", "t").returncode == 1
    done = run(env, "-c", new, "replay", "--rule", "t")
    assert done.returncode == 0 and rows(env) == [*ROWS, ("e", 6)] and letters(env) == [], done
    bridge.check_books()


def test_replay_before_parked_letters_are_inherited(env):
    """The rule was renamed while its table was away, and a replay comes before the service has taken the new name: the service stores the
    parked message, under the new name, and the replay leaves it out. A message that the rule has taken itself is the replay's."""
    env.sql(TABLE + "; create table beside (device text, v numeric, at timestamptz)")
    beside = (OLD % "").replace('name = "t"', 'name = "beside"').replace('table = "t"', 'table = "beside"')
    bridge = env.bridge(OLD % "" + "," + beside, journal={"keep": "1h"})
    env.sql("alter table t rename to away")
    env.publish([("~/r/d", '{"v":5}')])
    env.wait(lambda: letters(env) == [(1, "42P01", True)] and env.one("select count(*) from beside") == 1, 15, env.dead_letters)
    bridge.stop()
    env.sql("alter table away rename to t; delete from beside")
    bridge.configure((OLD % "").replace('name = "t"', 'name = "renamed"') + "," + beside)
    done = run(env, "-c", bridge.file, "replay", "--rule", "renamed")
    assert done.returncode == 0 and "1 more is left out" in done.stdout and rows(env) == [], done
    taken = run(env, "-c", bridge.file, "replay", "--rule", "beside")
    assert taken.returncode == 0 and "1 rows stored" in taken.stdout, taken
    bridge.start()
    env.wait(lambda: letters(env) == [], 20, env.dead_letters)
    assert rows(env) == [("d", 5)] and env.one("select count(*) from beside") == 1


def test_letter_of_a_number_that_was_given_again(env):
    """A journal that lost its end with the power gives numbers once more. The dead letter of the message that had the number first stays."""
    env.sql(TABLE)
    bridge = stored(env)
    env.sql("delete from t; update mqtt2pg.dead_letter set received_at = received_at - interval '1 microsecond' where sequence = 2")
    done = run(env, "-c", written(env, "new.cfg", bridge, NEW), "replay", "--rule", "t")
    assert done.returncode == 0 and rows(env) == ROWS and letters(env) == [(2, "", False)], (done, letters(env))


def test_replay_of_one_of_two_bridges(env):
    """Two bridges in one schema have a rule of one name: a replay of one touches neither rows nor letters nor replays of the other."""
    env.sql(TABLE)
    other = env.bridge((OLD % "").replace("~/r/", "~/q/"), name="other", journal={"keep": "1h"})
    env.publish([("~/q/z", '{"v":"9,5"}'), ("~/q/z", '{"v":8}')])
    env.wait(lambda: env.one("select count(*) from t") == 1 and len(env.dead_letters()) == 1, 15, env.dead_letters)
    bridge = stored_beside(env)
    env.sql("delete from t")
    new, others = written(env, "new.cfg", bridge, NEW), written(env, "others.cfg", other, NEW.replace("~/r/", "~/q/"))
    in_small_batches(new)
    assert run(env, "-c", new, "replay", "--rule", "t", faults="replay.batch.stored=kill@1").returncode == -9
    retried = run(env, "-c", others, "dead-letters", "retry")
    assert retried.returncode == 0 and "1 stored" in retried.stdout, retried
    done = run(env, "-c", others, "replay", "--rule", "t", "--duplicates-are-fine")
    assert done.returncode == 0 and "2 rows stored" in done.stdout and "goes on" not in done.stderr, done
    assert len(letters(env)) == 2
    done = run(env, "-c", new, "replay", "--rule", "t")
    assert done.returncode == 0 and "goes on" in done.stderr, done
    assert rows(env) == [*ROWS, ("z", 8), ("z", 9.5), ("z", 9.5)] and letters(env) == []


def stored_beside(env):
    """As stored(), while another bridge has one row and one letter."""
    bridge = env.bridge(OLD % "", journal={"keep": "1h"})
    env.publish(MESSAGES)
    env.wait_rows("t", 4)
    env.wait(lambda: len(env.dead_letters()) == 3, 15, env.dead_letters)
    return bridge


def test_replay_behind_a_pooler(env):
    """Through PgBouncer in transaction mode, with other clients' settings on the backends: killed, retried beside it, gone on."""
    env.sql(TABLE)
    bridge = stored(env)
    bridge.configure(database={"conninfo": env.pooler("transaction").conninfo(env.database)})
    env.sql("delete from t")
    new = written(env, "new.cfg", bridge, NEW)
    in_small_batches(new)
    assert run(env, "-c", new, "replay", "--rule", "t", faults="replay.batch.stored=kill@2").returncode == -9
    assert "are left to a replay" in run(env, "-c", new, "dead-letters", "retry").stderr or len(letters(env)) < 2
    done = run(env, "-c", new, "replay", "--rule", "t")
    assert done.returncode == 0 and rows(env) == ROWS and letters(env) == [], done
    assert run(env, "-c", new, "replay", "--rule", "t").returncode == 1


@quick
def test_dry_run_asks_the_database(env):
    """--dry-run --database tells what PostgreSQL would refuse, at the row and at COMMIT, and stores and moves nothing."""
    env.sql(TABLE)
    bridge = stored(env)
    env.sql("""delete from t; alter table t add check (v <> 12.5);
               create function check_later() returns trigger language plpgsql as $$ begin if new.v < 0 then raise 'too cold'; end if; return null; end $$;
               create constraint trigger check_later after insert on t deferrable initially deferred for each row execute function check_later()""")
    new = written(env, "new.cfg", bridge, NEW)
    plain = run(env, "-c", new, "replay", "--rule", "t", "--dry-run")
    assert plain.returncode == 0 and "4 rows, 1 filtered, 0 rejected" in plain.stdout, plain
    before = env.sql("select xmin, ctid from mqtt2pg.dead_letter order by id")
    asked = run(env, "-c", new, "replay", "--rule", "t", "--dry-run", "--database")
    assert asked.returncode == 0 and "2 rows, 1 filtered, 2 rejected" in asked.stdout, asked
    assert "too cold" in asked.stderr and "violates check constraint" in asked.stderr, asked
    assert env.one("select count(*) from t") == 0 == env.one("select count(*) from mqtt2pg.replay")
    assert env.sql("select xmin, ctid from mqtt2pg.dead_letter order by id") == before
    done = run(env, "-c", new, "replay", "--rule", "t")
    assert "2 rows stored, 1 filtered, 2 rejected" in done.stdout, done
    env.sql("alter table t rename to away")
    gone = run(env, "-c", new, "replay", "--rule", "t", "--dry-run", "--database")
    assert gone.returncode == 1 and "does not exist" in gone.stderr, gone
    assert run(env, "-c", new, "replay", "--rule", "t", "--database").returncode == 2


def test_replay_and_retry_fill_columns_that_were_added(env):
    """A column that the bridge has added for a new key is filled by both commands, too; neither acknowledges anything."""
    env.sql("create table plug (id text, volt float8 check (volt < 300))")
    inbox = env.subscribe("~/ack")
    bridge = env.bridge("""{ name = "plug"; topic = "~/plug/{id}"; table = "plug"; add_columns = true; columns = { id = "{id}"; volt = "$.volt"; };
                             ack: { topic = "~/ack"; qos = 1; fields = { status = "@status"; }; }; }""", journal={"keep": "1h"})
    env.publish([("~/plug/a", '{"volt": 230, "power": 5}'), ("~/plug/b", '{"volt": 400, "power": 7}')])
    inbox.wait(2)
    bridge.wait_quiet()
    env.sql("delete from plug; alter table plug drop constraint plug_volt_check")
    retried = run(env, "-c", bridge.file, "dead-letters", "retry")
    assert "1 stored" in retried.stdout and env.sql("select id, power::int from plug") == [("b", 7)], retried
    env.sql("delete from plug")
    done = run(env, "-c", bridge.file, "replay", "--rule", "plug")
    assert "2 rows stored" in done.stdout and env.sql("select id, power::int from plug order by id") == [("a", 5), ("b", 7)], done
    env.publish([("~/plug/c", '{"volt": 1}')])
    inbox.wait(3)
    assert len(inbox.messages) == 3, inbox.payloads
    bridge.check_books()


def test_replay_of_sparkplug(env):
    """Each value gets the name that its own BIRTH said, also when the database's memory went back; a replay adds nothing to it."""
    plant = Plant(env, journal={"keep": "1h"})
    for n, name in enumerate(("old", "new")):
        plant.send("NBIRTH", birth({name: 1}, bdseq=n))
        plant.send("NDATA", data({1: n}))
    named = [("E", None, "old", 0.0), ("E", None, "new", 1.0)]
    plant.wait(named)
    plant.bridge.wait_quiet()
    for forget in ("", "; delete from mqtt2pg.memory"):
        env.sql("truncate spb" + forget)
        before = env.one("select count(*) from mqtt2pg.memory")
        done = run(env, "-c", plant.bridge.file, "replay", "--rule", "spb", "--duplicates-are-fine")
        assert done.returncode == 0 and plant.rows() == named, (done, plant.rows())
        assert env.one("select count(*) from mqtt2pg.memory") == before
