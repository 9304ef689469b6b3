"""What a campaign disturbs: one bridge between a broker and a database of its own, a proxy on either side, and load.

  publishers ──▶ broker ──▶ proxy ──▶ bridge ──▶ proxy ──▶ PostgreSQL
  watcher    ◀──────┘  acknowledgments                            ▲
     └────────────────────── is the row there? ───────────────────┘

A second bridge stores half of the messages into a table of its own, in the same schema, with a rule of the same name.

SPDX-License-Identifier: MIT
"""

import os
import time

import psycopg2

from copy_broker import CopyBroker
from deliveries import Deliveries
from disks import make_disk
from publishers import Asker, Publisher
from watcher import AckWatcher, MemoryWatcher

TABLES = """
create table kinds (kind int primary key);
insert into kinds values (1);
create table numbered (id bigint generated always as identity, who text not null, lane text not null, n bigint not null,
                       v double precision check (v < 1000), kind int references kinds, code text, stored_at timestamptz default now());
create function refuse_odd() returns trigger language plpgsql as $$ begin raise exception 'refused with %', new.code using errcode = new.code; end $$;
create trigger refuse_odd before insert on numbered for each row when (new.code is not null) execute function refuse_odd();
create index on numbered (who, lane, n);
create table second (id bigint generated always as identity, who text not null, lane text not null, n bigint not null,
                     v double precision);
create table third (id bigint generated always as identity, who text not null, lane text not null, n bigint not null,
                    v double precision);
create table latest (who text, lane text, n bigint not null, v double precision, primary key (who, lane));
create table pair (id bigint generated always as identity, who text not null, lane text not null, n bigint not null,
                   v double precision);
create table last (who text, lane text, n bigint not null, primary key (who, lane));
create table asked (id bigint generated always as identity, path text not null, n bigint not null);
create table mirror (id bigint generated always as identity, who text not null, lane text not null, n bigint not null,
                     v double precision);
create table extra (id bigint generated always as identity, who text not null, lane text not null, n bigint not null);
"""

# Each rule says in another way what it does with the numbers that have a fate (publishers.fate); checker.EXPECTED knows it.
RULES = """
{ name = "numbered"; topic = "~/n/{who}/{lane}"; qos = 2; table = "numbered";
  columns = { who = "{who}"; lane = "{lane}"; n = "$.n"; v = "$.v"; kind = "$.kind"; code = "$.code"; };
  ack: { topic = "~/ack/{who}/{lane}"; fields = { status = "@status"; n = "@payload | bytes 0 24 | latin1 | extract 'n.:([0-9]+)'"; at = "@stored_at";
                                                  reason = "@reason"; }; }; },
{ name = "second"; topic = "~/n/{who}/{lane}"; qos = 2; table = "second";
  columns = { who = "{who}"; lane = "{lane}"; n = "$.n"; v = "$.v"; }; },
{ name = "latest"; topic = "~/n/{who}/{lane}"; qos = 2; table = "latest"; on_conflict = "update"; key = ("who", "lane");
  newest = "n"; where = "$.v >= 0"; columns = { who = "{who}"; lane = "{lane}"; n = "$.n"; v = "$.v"; }; }
"""

# Two rules on one table share the messages of each topic: by the last digit, which is known before the payload is decoded.
SHARING = "".join(f"""
, {{ name = "pair_{name}"; topic = "~/n/{{who}}/{{lane}}"; qos = 2; table = "pair"; where = "@payload | bytes 0 24 | latin1 ~ '^..n.:[0-9]*[{digits}],'";
     columns = {{ who = "{{who}}"; lane = "{{lane}}"; n = "$.n"; v = "$.v"; }}; }},
  {{ name = "last_{name}"; topic = "~/n/{{who}}/{{lane}}"; qos = 2; table = "last"; where = "@payload | bytes 0 24 | latin1 ~ '^..n.:[0-9]*[{digits}],'";
     on_conflict = "update"; key = ("who", "lane"); columns = {{ who = "{{who}}"; lane = "{{lane}}"; n = "$.n"; }}; }}"""
                  for name, digits in (("even", "02468"), ("odd", "13579")))

# Whoever asks chooses where the answer goes.
ASKED_RULE = """, { name = "asked"; topic = "~/q/{path...}"; table = "asked"; columns = { path = "{path}"; n = "$.n"; };
                    ack: { topic = "%s"; fields = { status = "@status"; n = "$.n"; }; }; }"""
ANSWER_TOPIC = {"5": "@response_topic", "3.1.1": "~/ack/x/x/x/{path}"}

# Of the second bridge. Its letters are its own, although its rule has the name of another bridge's rule.
OTHER_RULES = """{ name = "numbered"; topic = "~/n/{who}/a"; qos = 2; table = "mirror";
                   columns = { who = "{who}"; lane = "'a'"; n = "$.n"; v = "$.v"; }; }"""

# Comes and goes with reloads; its filter overlaps that of the others, which keep theirs.
EXTRA_RULE = """, { name = "extra"; topic = "~/n/{a}/{b...}"; qos = 2; table = "extra"; columns = { who = "{a}"; lane = "{b}"; n = "$.n"; };
                    where = "$.v >= 0"; }"""

# What stores into the table "third" gets other names, filters and parts with reloads; together they always take each message once. The
# table itself is always there: parked messages belong to a rule by its name.
THIRD_RULES = (
    """, { name = "third"; topic = "~/n/{who}/{lane}"; qos = 2; table = "third";
           columns = { who = "{who}"; lane = "{lane}"; n = "$.n"; v = "$.v"; }; }""",
    """, { name = "third_wide"; topic = "~/n/{who}/{lane...}"; qos = 2; table = "third";
           columns = { who = "{who}"; lane = "{lane}"; n = "$.n"; v = "$.v"; }; }""",
    """, { name = "third_one"; topic = "~/n/one/{lane}"; qos = 2; table = "third";
           columns = { who = "'one'"; lane = "{lane}"; n = "$.n"; v = "$.v"; }; },
         { name = "third_rest"; topic = "~/n/{who}/{lane}"; qos = 2; table = "third"; where = "{who} != 'one'";
           columns = { who = "{who}"; lane = "{lane}"; n = "$.n"; v = "$.v"; }; }""",
    "".join(f"""
         , {{ name = "third_{who}"; topic = "~/n/{who}/{{lane}}"; qos = {qos}; table = "third";
           columns = {{ who = "'{who}'"; lane = "{{lane}}"; n = "$.n"; v = "$.v"; }}; }}"""
            for who, qos in (("one", 2), ("two", 1), ("three", 2), ("four", 1))),
)

MEMORY_MB = 64

# Brokers by name, with the messages a second that a leg at one of them has.
BROKERS = {"mosquitto": 900, "copies": 400}

SIZES = {"1MB": 1 << 20, "2MB": 2 << 20, "16MB": 16 << 20, "64MB": 64 << 20}


def largest(journal_size):
    """Bytes of a payload that the bridge takes with its default of max_packet, and that fits into half of the journal."""
    return min(1 << 20, SIZES[journal_size] // 2) - 4096


class World:
    """Everything that one leg of a campaign consists of; disturbances are functions of it."""

    def __init__(self, env, chance, protocol, broker="mosquitto", small_disk=True):
        self.env, self.chance, self.protocol, self.rate = env, chance, protocol, BROKERS[broker]
        self.started = time.monotonic()
        self.troubles = []  # what should not have happened, said by whoever saw it
        self.timeline = open(os.path.join(env.folder, "timeline"), "a", buffering=1)
        self.broker = self._start_broker(broker)
        self.postgres = env.postgres
        for statement in TABLES.strip().split(";\n"):
            env.sql(statement)
        self.to_broker = env.proxy(self.broker.port)
        self.deliveries = Deliveries()
        self.to_broker.filter = self.deliveries.look
        self.to_postgres = env.proxy(self.postgres.port)
        small_disk = small_disk and chance.random() < 0.5
        self.journal_size = "16MB" if small_disk else chance.choice(("1MB", "2MB", "64MB"))
        self.disk = make_disk(os.path.join(env.folder, "bridge", "journal"), small_disk)
        env.closing.append(self.disk.close)
        self.has_extra, self.third = False, 0
        self.bridge = env.bridge(self.rules(), start=False, name="bridge", shutdown="3s",
                                 broker={"url": f"mqtt://127.0.0.1:{self.to_broker.port}", "protocol": protocol,
                                         "receive_maximum": chance.choice((20, 1000))},
                                 database={"conninfo": env.postgres.conninfo(env.database, port=self.to_postgres.port)},
                                 journal={"max_size": self.journal_size,
                                          "keep": chance.choice(("0s", "1s", "1h")), "sync": chance.choice(("100ms", "5ms", "always"))},
                                 batch={"max_rows": chance.choice((100, 500, 10000)), "max_delay": chance.choice(("0s", "20ms", "100ms"))})
        self.other = env.bridge(OTHER_RULES, start=False, name="other", shutdown="3s", broker={"protocol": chance.choice(("5", "3.1.1"))},
                                database={"conninfo": env.postgres.conninfo(env.database, port=self.to_postgres.port)})
        env.closing.append(self.close)
        self.launched = 0.0
        self.publishers, self.asker = [], None
        self.acks, self.memories = None, []
        self.note(f"mqtt {protocol}, {self.broker.name}, " + ", ".join(f"{section}.{key} = {value}" for section, key, value in self._chosen()))

    def _start_broker(self, name):
        if name == "copies":
            self.env.broker = CopyBroker(os.path.join(self.env.folder, name))
            self.env.closing.append(self.env.broker.kill)
            return self.env.broker.start()
        return self.env.own_broker(max_inflight_messages=self.chance.choice(("20", "100", "0"))).start()

    def _chosen(self):
        wanted = ("receive_maximum", "max_size", "keep", "sync", "max_rows", "max_delay")
        for section, values in self.bridge.sections.items():
            for key, value in values.items() if isinstance(values, dict) else ():
                if key in wanted:
                    yield section, key, value
        if "max_inflight_messages" in self.broker.settings:
            yield "mosquitto", "max_inflight_messages", self.broker.settings["max_inflight_messages"]
        yield "disk", "is", type(self.disk).__name__

    def note(self, text):
        """One line of the timeline."""
        wall = time.time()
        self.timeline.write(f"{time.strftime('%H:%M:%S', time.gmtime(wall))}.{int(wall * 1000) % 1000:03d} "
                            f"{time.monotonic() - self.started:8.3f} s  {text}\n")

    # --- the parties

    def launch(self):
        """Starts the bridge's process, and waits for nothing."""
        self.bridge.launch(self.disk.environment)
        self.launched = time.monotonic()

    def started_long_ago(self):
        """Before it expects signals, they do what they do to any process."""
        return time.monotonic() - self.launched > 1

    def stores(self):
        """Whether these processes have found their tables: what they lack from then on they wait for."""
        try:
            return all(bridge.running() and bridge.metric("database_connected") == 1 for bridge in (self.bridge, self.other))
        except (AssertionError, OSError, KeyError):  # it does not answer yet
            return False

    def start(self):
        """The bridge first: what is published then has a session that must keep it."""
        self.launch()
        self.bridge.wait_ready()
        self.other.start()
        self.env.admin("create index on mqtt2pg.dead_letter (topic)")
        self.acks = AckWatcher(self.env, self.bridge.client_id).start()
        self.memories = [MemoryWatcher(bridge, self.note).start() for bridge in (self.bridge, self.other)]
        odd = self.chance.randrange(100)
        self.publishers = [Publisher(self.env, name, qos, version, self.rate / 4, 300, largest(self.journal_size), odd + 2 * i).start()
                           for i, (name, qos, version) in enumerate((("one", 1, 4), ("two", 2, 4), ("three", 1, 5), ("four", 2, 5)))]
        self.asker = Asker(self.env, self.protocol == "5", 20).start()
        return self

    def close(self):
        for publisher in filter(None, (*self.publishers, self.asker)):
            publisher.gave_up = True
        for watcher in filter(None, (self.acks, *self.memories)):
            watcher.stop()
        self.disk.free()
        self.timeline.close()

    def rules(self):
        asked = ASKED_RULE % ANSWER_TOPIC[self.protocol]
        return RULES.rstrip() + SHARING + asked + THIRD_RULES[self.third] + (EXTRA_RULE if self.has_extra else "")

    def accepted(self):
        return sum(publisher.accepted for publisher in self.publishers)

    # --- for disturbances

    def wait(self, low, high):
        """Load that has to last a random while."""
        time.sleep(self.chance.uniform(low, high))

    def try_sql(self, text):
        """As the superuser, when the database answers: rows, or None."""
        if not self.postgres.running():
            return None
        try:
            # A stopped backend may hold the lock.
            return self.env.admin("set lock_timeout = '1s'; " + text)
        except psycopg2.Error:
            return None

    def must_sql(self, *statements):
        """Puts something right that a disturbance had put wrong, however long it takes the database to come back."""
        for text in statements:
            self.env.wait(lambda text=text: self.try_sql(text) is not None, 30, f"could not: {text}")

    def backends(self):
        """The bridge's processes in the database."""
        rows = self.try_sql("select pid from pg_stat_activity where usename = 'bridge' and datname = current_database() "
                            "and application_name <> 'test'")
        return [pid for (pid,) in rows or []]

    def check_alive(self):
        """The service never ends by itself."""
        for bridge, launch in ((self.bridge, self.launch), (self.other, self.other.launch)):
            ended = bridge.died()
            if ended:
                self.trouble(ended)
                launch()

    def trouble(self, text):
        self.note("TROUBLE: " + text)
        self.troubles.append(text)


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
