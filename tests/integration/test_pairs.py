"""Each mechanism with each other one: most faults stand at the seam between two good mechanisms.

A condition is there from `begin` to `end`, or all the time. For every pair messages are published before, between and behind; in the
end each one is a row once, or a dead letter once where PostgreSQL refuses it, in the order of its topic, whatever the two were.

SPDX-License-Identifier: MIT
"""

import itertools
import signal
import subprocess

from env import limit, quick

PORTION = 30


def half(n):
    """A digit by which two rules share the messages of a topic."""
    return n // 2 * 7 % 10


class Condition:
    """What a condition changes of the scene; nothing, unless it says so."""

    def prepare(self, scene):
        """Before the bridge starts."""

    def begin(self, scene):
        pass

    def end(self, scene):
        pass


class Reload(Condition):
    """The rule's filter gets wider by SIGHUP, and narrow again."""

    def edit(self, scene, wide):
        before = scene.bridge.log().count("configuration reloaded")
        scene.wide = wide
        scene.bridge.configure(scene.rules())
        scene.bridge.signal(signal.SIGHUP)
        scene.env.wait(lambda: scene.bridge.log().count("configuration reloaded") > before, 20, "no reload")

    def begin(self, scene):
        self.edit(scene, True)

    def end(self, scene):
        self.edit(scene, False)


class Restart(Condition):
    def leave(self, scene):
        assert scene.bridge.stop() == 0

    def begin(self, scene):
        self.leave(scene)
        scene.publish()  # waits in the broker
        scene.bridge.start(ready=False)


class Kill(Restart):
    def leave(self, scene):
        scene.bridge.kill9()


class Parked(Condition):
    """The rule's table is renamed away, and back."""

    def begin(self, scene):
        scene.env.sql("alter table got rename to away")
        scene.publish()

    def end(self, scene):
        scene.env.sql("alter table away rename to got")


class SecondBridge(Condition):
    """Another bridge in the same schema: rules of the same names, topics and a table of its own."""

    def prepare(self, scene):
        scene.second = True


class SecondRule(Condition):
    """Two rules write to the table, each some of the topics' messages."""

    def prepare(self, scene):
        scene.split = True


class Restored(Condition):
    """The database goes back to where it was at the beginning."""

    KEPT = ("got", "mqtt2pg.dead_letter", "mqtt2pg.progress")

    def begin(self, scene):
        scene.quiet()
        scene.env.admin("create schema saved; " + "; ".join(
            f"create table saved.t{i} as table {table}" for i, table in enumerate(self.tables(scene))))

    def end(self, scene):
        # The lock waits for a batch on its way, whose rows the DELETE would not see, and keeps the next one away.
        scene.env.admin("begin; lock table mqtt2pg.progress in exclusive mode; " + "; ".join(
            f"delete from {table}; insert into {table} overriding system value select * from saved.t{i}"
            for i, table in enumerate(self.tables(scene))) + "; commit")

    def tables(self, scene):
        return self.KEPT + (("got2",) if scene.second else ()) + (("wide",) if scene.copies else ())


class RefusedAtCommit(Condition):
    """A deferred trigger refuses some of the rows when they are committed."""

    def prepare(self, scene):
        scene.refuses = True
        scene.env.sql("""create function refuse() returns trigger language plpgsql as
                         $$ begin if new.n % 10 = 7 then raise exception 'not this one' using errcode = 'check_violation'; end if;
                                  return null; end $$;
                         create constraint trigger refuse after insert on got deferrable initially deferred
                         for each row execute function refuse()""")


class JournalFull(Condition):
    """The database is away until the journal takes no more; what comes then waits in the broker."""

    def begin(self, scene):
        scene.refuse(True)
        scene.publish(600, 2000)
        scene.env.wait(lambda: "journal" in scene.bridge.get("/readyz").out, 20, "the journal does not get full")
        scene.publish()

    def end(self, scene):
        scene.refuse(False)


class Copies(Condition):
    """A rule that overlaps: the broker sends a copy for each subscription."""

    def prepare(self, scene):
        scene.copies = True


class Scene:
    def __init__(self, env, conditions):
        self.env, self.published = env, 0
        self.wide = self.second = self.split = self.refuses = self.copies = False
        env.sql("create table got (id bigint generated always as identity, n int, topic text);"
                "create table got2 (id bigint generated always as identity, n int, topic text);"
                "create table wide (id bigint generated always as identity, n int, topic text)")
        for condition in conditions:
            condition.prepare(self)
        self.proxy = env.proxy(env.postgres.port)
        settings = {"database": {"conninfo": env.postgres.conninfo(env.database, port=self.proxy.port)},
                    "journal": {"max_size": "1MB"} if any(isinstance(one, JournalFull) for one in conditions) else {}}
        self.bridge = env.bridge(self.rules(), **settings)
        self.other = env.bridge(self.rule("one", "~/q/{who}", "got2"), name="other") if self.second else None

    def rule(self, name, topic, table, more=""):
        return (f'{{ name = "{name}"; topic = "{topic}"; table = "{table}"; columns = {{ n = "$.n"; topic = "{{who}}"; }}; {more} }}')

    def rules(self):
        topic = "~/p/{who...}" if self.wide else "~/p/{who}"
        if self.split:
            rules = [self.rule("one", topic, "got", "where = \"$.h ~ '[0-4]'\";"), self.rule("two", topic, "got", "where = \"$.h ~ '[5-9]'\";")]
        else:
            rules = [self.rule("one", topic, "got")]
        if self.copies:
            rules.append(self.rule("wide", "~/+/{who}", "wide", 'qos = 2; where = "@topic ~ \'/p/[ab]$\'";'))
        return ",".join(rules)

    def publish(self, count=PORTION, size=1):
        numbers = range(self.published, self.published + count)
        self.published += count
        for prefix in ("p", "q") if self.second else ("p",):
            self.env.publish([(f"~/{prefix}/{'ab'[n % 2]}", '{"n":%d,"h":"%d","x":"%s"}' % (n, half(n), "x" * size), n % 2 + 1) for n in numbers])

    def refuse(self, refusing):
        self.proxy.refusing = refusing
        if refusing:
            self.proxy.cut()

    def quiet(self):
        for bridge in filter(None, (self.bridge, self.other)):
            bridge.wait_ready()
            bridge.wait_quiet()

    def refused(self, n):
        return self.refuses and n % 10 == 7

    def check_table(self, table, prefix, wanted, rules):
        env = self.env
        env.wait_growing(lambda: env.one(f"select count(distinct n) from {table}"), len(wanted), 20,
                         lambda: f"{table}: lost {sorted(wanted - {n for (n,) in env.sql(f'select n from {table}')})[:10]}")
        rows = env.sql(f"select n, topic from {table} order by id")
        assert len(rows) == len(wanted), f"{table}: twice: {sorted({n for n, _ in rows if [m for m, _ in rows].count(n) > 1})[:10]}"
        for topic in "ab":  # whatever rules made the rows
            there = [n for n, found in rows if found == topic]
            late = [n for before, n in zip(there, there[1:]) if n < before]
            assert not late, f"{table}: topic {topic} is out of order: {len(late)} of {len(there)}, {late[:5]}"
        letters = [topic for rule, topic, *_ in env.dead_letters() if rule in rules and topic.startswith(prefix)]
        return len(letters)

    def check(self):
        everything = set(range(self.published))
        refused = {n for n in everything if self.refused(n)}
        self.env.wait(lambda: self.env.one("select count(*) from mqtt2pg.dead_letter where parked") == 0, 30, "still parked")
        self.quiet()
        assert self.check_table("got", "p/", everything - refused, ("one", "two")) == len(refused)
        if self.copies:
            assert self.check_table("wide", "p/", everything, ("wide",)) == 0
        if self.second:
            assert self.check_table("got2", "q/", everything, ("one",)) == 0
        # Who is killed in the moment of connecting can't know whether the session was new.
        assert self.env.sql("select cause from mqtt2pg.gap where cause <> 'broker session perhaps lost'") == []
        for bridge in filter(None, (self.bridge, self.other)):
            bridge.check_books()
            assert bridge.stop() == 0


# In the order in which two of them begin; the first ends last.
CONDITIONS = {
    "restored": Restored,
    "journal_full": JournalFull,
    "parked": Parked,
    "reload": Reload,
    "restart": Restart,
    "kill9": Kill,
    "commit": RefusedAtCommit,
    "second_bridge": SecondBridge,
    "second_rule": SecondRule,
    "copies": Copies,
}

# A journal of 1 MB has deleted what the restored database lacks: that is a gap, and no seam.
EMPTY = {("restored", "journal_full")}
QUICK = {("restored", "reload"), ("parked", "second_bridge"), ("parked", "commit"), ("reload", "kill9"), ("journal_full", "reload")}


def check_pair(env, names):
    conditions = [CONDITIONS[name]() for name in names]
    scene = Scene(env, conditions)
    scene.publish()
    for condition in conditions:
        condition.begin(scene)
        scene.publish()
    for condition in reversed(conditions):
        condition.end(scene)
        scene.publish()
    scene.check()


def make_test(names):
    def test(env):
        check_pair(env, names)
    test.__doc__ = f"{names[0]} and {names[1]}"
    return limit(90)(quick(test) if names in QUICK else test)


for pair in itertools.combinations(CONDITIONS, 2):
    if pair not in EMPTY:
        globals()["test_" + "_and_".join(pair)] = make_test(pair)


# --- healing and `dead-letters retry`: both store the letters of one rule ------------------------------


class Retrying:
    """The table works again; the command holds its first portion of letters, and the service has asked for letters meanwhile."""

    def __init__(self, env):
        self.env, self.scene = env, Scene(env, [])
        self.scene.publish()
        self.scene.quiet()
        env.sql("alter table got rename to away")
        self.scene.parked = True
        self.scene.publish(1200)
        self.wait_parked(1200)
        self.scene.bridge.signal(signal.SIGSTOP)
        env.sql("alter table away rename to got")
        self.command = subprocess.Popen([env.faulty, "--config", self.scene.bridge.file, "dead-letters", "retry"], stdout=subprocess.PIPE,
                                        env={**env.environment, "MQTT2PG_FAULTS": "store.commit.before=delay:1500"})
        env.wait(lambda: env.one("select count(*) from pg_locks where relation = 'got'::regclass and mode = 'RowExclusiveLock'"), 20,
                 "the command stores nothing")
        self.command.send_signal(signal.SIGSTOP)
        self.scene.bridge.signal(signal.SIGCONT)
        self.wait_asked()

    def wait_asked(self):
        now = self.env.one("select clock_timestamp()")
        self.env.wait(lambda: self.env.admin("select 1 from pg_stat_activity where application_name = 'mqtt2pg' and datname = %s "
                                             "and query like '%%ordinality as r (name, place)%%' and query_start > %s",
                                             self.env.database, now), 20, "the service does not ask")

    def wait_parked(self, count):
        self.env.wait(lambda: self.env.one("select count(*) from mqtt2pg.dead_letter where parked") == count, 20, "not parked")


def test_healing_and_dead_letters_retry(env):
    """By turns: each letter is stored once, and before what came behind it."""
    retrying = Retrying(env)
    retrying.command.send_signal(signal.SIGCONT)
    retrying.scene.publish()
    out, _ = retrying.command.communicate(timeout=60 * env.patience)
    assert retrying.command.returncode == 0 and b" stored" in out, out
    retrying.scene.publish()
    retrying.scene.check()


def test_healing_and_dead_letters_retry_that_is_killed(env):
    """The service waits for the letters that the command has, and stores them when the command is gone."""
    retrying = Retrying(env)
    retrying.scene.publish()
    retrying.wait_parked(1200 + PORTION)
    retrying.command.kill()
    retrying.command.communicate()
    retrying.scene.publish()
    retrying.scene.check()
