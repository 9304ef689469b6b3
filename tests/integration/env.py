"""What a test gets: one private PostgreSQL and Mosquitto for the whole run, a database, a topic and a folder of its own.

SPDX-License-Identifier: MIT
"""

import os
import re
import threading
import time

import paho.mqtt.client as paho
import psycopg2

import mqtt_raw
from bridge import Bridge, run_command
from proxy import Proxy
from scripted_broker import ScriptedBroker
from servers import RESERVED, Mosquitto, PgBouncer, Postgres, release_ports

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


TURN_SECONDS = 0.5  # a turn of waiting takes hundredths of a second


class Skip(Exception):
    """Raised by a test that can't run here, with a word why."""


def quick(function):
    """Marks a test for --quick: the ones that sanitizer runs take."""
    function.quick = True
    return function


def limit(seconds):
    """Another time limit than 60 s."""
    def mark(function):
        function.limit = seconds
        return function
    return mark


class Run:
    """What the whole run shares."""

    def __init__(self, folder, binary, faulty, patience):
        self.folder, self.binary, self.faulty, self.patience = folder, binary, faulty, patience
        self.postgres = Postgres(os.path.join(folder, "postgres"))
        self.broker = Mosquitto(os.path.join(folder, "mosquitto"))

    def start(self):
        self.postgres.start()
        self.broker.start()
        admin = self.connect("postgres")
        admin.cursor().execute("create role bridge login password 'secret'")
        admin.close()

    def connect(self, database, user="test", postgres=None):
        connection = psycopg2.connect((postgres or self.postgres).conninfo(database, user) + " application_name=test connect_timeout=10 "
                                      "options='-c statement_timeout=45s -c lock_timeout=30s'")
        connection.autocommit = True
        return connection

    def stop(self):
        self.broker.end(9)
        self.postgres.stop("immediate")


class Subscription:
    """Collects what arrives for a filter: `messages` is a list of paho messages."""

    def __init__(self, env, filter_, qos=1, version=5, on_message=None):
        self.env, self.messages = env, []
        self.on_message = on_message
        protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
        self.client = paho.Client(client_id=f"{env.prefix}-sub-{len(env.closing)}", protocol=protocol)
        subscribed = threading.Event()
        self.client.on_message = self._collect
        self.client.on_connect = lambda client, *rest: client.subscribe(filter_, qos)
        self.client.on_subscribe = lambda *rest: subscribed.set()
        self.client.connect("127.0.0.1", env.broker.port)
        self.client.loop_start()
        if not subscribed.wait(10):
            raise AssertionError(f"could not subscribe to {filter_}")

    def _collect(self, client, data, message):
        self.messages.append(message)
        if self.on_message:
            self.on_message(message)

    @property
    def payloads(self):
        return [message.payload.decode(errors="replace") for message in self.messages]

    def wait(self, count, seconds=15):
        self.env.wait(lambda: len(self.messages) >= count, seconds, lambda: f"{len(self.messages)} messages, not {count}")
        return self.messages

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()


class Background:
    """A publisher in a thread of its own, for load while the test does something else."""

    def __init__(self, env, messages, rate, version):
        self.error = None
        self.publisher = env.publisher(version)
        self.stopped = False

        def guarded():
            for message in messages:
                if self.stopped:
                    return
                yield env.prepare(message)

        def work():
            try:
                self.publisher.publish(guarded(), timeout=300, rate=rate)
            except Exception as error:  # pylint: disable=broad-except
                self.error = error
        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def running(self):
        return self.thread.is_alive()

    def finish(self, seconds=120):
        """Waits for the end; how many messages the broker took."""
        self.thread.join(seconds)
        if self.running():
            raise AssertionError("the publisher does not end")
        if self.error:
            raise self.error
        return self.publisher.accepted

    def stop(self):
        self.stopped = True
        self.thread.join(10)


class Env:
    """One test's world."""

    def __init__(self, run, name, number):
        self.run, self.name = run, name
        self.ports = len(RESERVED)
        self.binary, self.faulty, self.patience = run.binary, run.faulty, run.patience
        self.postgres, self.broker = run.postgres, run.broker
        self.prefix = f"t{number}-{os.getpid()}"
        self.folder = os.path.join(run.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.database = f"t{number}"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        self.environment["TZ"] = "UTC"
        self.closing = []  # in reverse order, whatever happens
        self.bridges = []
        self._connections = {}
        self.make_database(self.database)

    # --- the database

    def make_database(self, name):
        admin = self.run.connect("postgres")
        admin.cursor().execute(f"drop database if exists {name} with (force)")
        admin.cursor().execute(f"create database {name} owner bridge template template0")
        admin.close()

    def connection(self, user, database=None):
        key = (user, database or self.database, self.postgres.port)
        if key not in self._connections or self._connections[key].closed:
            self._connections[key] = self.run.connect(key[1], user, self.postgres)
        return self._connections[key]

    @property
    def pg(self):
        """A connection as the superuser `test`."""
        return self.connection("test")

    def sql(self, text, *values, user="bridge", database=None):
        """Rows of a statement, as the role of the bridge; connects again after the server was away."""
        for attempt in (1, 2):
            connection = self.connection(user, database)
            try:
                cursor = connection.cursor()
                cursor.execute(text, values or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg2.Error as error:
                gone = connection.closed or error.pgcode is None or error.pgcode.startswith("57P0")
                if not gone or attempt == 2:
                    raise
                connection.close()
        return []

    def one(self, text, *values, **options):
        """The first column of the first row."""
        rows = self.sql(text, *values, **options)
        return rows[0][0] if rows else None

    def admin(self, text, *values):
        return self.sql(text, *values, user="test")

    def dead_letters(self):
        """(rule, topic without the test's prefix, reason, sqlstate, parked), oldest first."""
        rows = self.sql("select rule, topic, reason, sqlstate, parked from mqtt2pg.dead_letter order by id")
        return [(rule, topic.removeprefix(self.prefix + "/"), reason, sqlstate, parked)
                for rule, topic, reason, sqlstate, parked in rows]

    # --- topics and messages

    def topic(self, text):
        """~/x is the test's own x."""
        return self.prefix + text[1:] if text.startswith("~/") else text

    def own(self, rules):
        """The same inside a configuration."""
        return re.sub(r'(?<=")(\$share/[^/"]+/)?~/', lambda found: (found.group(1) or "") + self.prefix + "/", rules)

    def prepare(self, message):
        return (self.topic(message[0]), *message[1:]) if isinstance(message[0], str) else message

    def publisher(self, version=4, host="127.0.0.1", port=None, **options):
        number = len(self.closing)
        made = mqtt_raw.Publisher(host, port or self.broker.port, f"{self.prefix}-pub-{number}", version=version, **options)
        self.closing.append(made.close)
        return made

    def publish(self, messages, version=None, timeout=60, port=None):
        """
        Publishes (topic, payload[, qos 1[, options]]) and returns when the broker has taken all of them. MQTT 5 when some
        message has properties.
        """
        messages = [self.prepare(message) for message in messages]
        if version is None:
            version = 5 if any(len(m) > 3 and set(m[3]) - {"retain"} for m in messages) else 4
        publisher = self.publisher(version, port=port)
        publisher.publish(messages, timeout * self.patience)
        publisher.close()
        return publisher.accepted

    def publish_in_background(self, messages, rate=None, version=4):
        made = Background(self, messages, rate, version)
        self.closing.append(made.stop)
        return made

    def subscribe(self, filter_, **options):
        made = Subscription(self, self.topic(filter_), **options)
        self.closing.append(made.stop)
        return made

    # --- other parties

    def bridge(self, rules, start=True, name=None, faults=None, ready=True, **config):
        """A bridge with these rules, started and connected unless said otherwise; sections as keyword arguments."""
        made = Bridge(self, name or f"bridge{len(self.bridges) + 1}", rules, config)
        self.bridges.append(made)
        self.closing.append(made.clean_up)
        if start:
            made.start(ready=ready, faults=faults)
        return made

    def cli(self, *arguments, config=None, stdin=None, environment=None):
        """A command; `config` is a Bridge, a file name or None."""
        return run_command(self, arguments, config.file if isinstance(config, Bridge) else config, stdin, environment)

    def config_file(self, text, name="test.cfg"):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(self.own(text).encode() if isinstance(text, str) else text)
        return path

    def proxy(self, target):
        """A proxy in front of a port, a (host, port) or the path of a Unix socket."""
        made = Proxy(("127.0.0.1", target) if isinstance(target, int) else target)
        self.closing.append(made.stop)
        return made

    def scripted_broker(self):
        made = ScriptedBroker(self.patience)
        self.closing.append(made.stop)
        return made

    def own_broker(self, **settings):
        """A Mosquitto for this test alone, with other settings; self.broker from now on."""
        number = len(self.closing)
        self.broker = Mosquitto(os.path.join(self.folder, f"mosquitto{number}"), **settings)
        self.closing.append(self.broker.kill)
        return self.broker

    def own_postgres(self, **options):
        """A PostgreSQL for this test alone, not yet started."""
        made = Postgres(os.path.join(self.folder, f"postgres{len(self.closing)}"), **options)
        made.sockets = os.path.join(self.run.folder, f"s{made.port}")  # the name of a socket has 107 bytes at most
        os.symlink(made.folder, made.sockets)
        self.closing.append(lambda: os.unlink(made.sockets))
        self.closing.append(lambda: made.stop("immediate"))
        return made

    def pooler(self, mode):
        """A PgBouncer in front of the database server."""
        made = PgBouncer(os.path.join(self.folder, f"pgbouncer{len(self.closing)}"), self.postgres, mode).start()
        self.closing.append(lambda: made.end(9))
        return made

    # --- waiting

    def wait(self, condition, seconds=15, what="it did not happen"):
        """Waits until the condition holds and returns what it gave; fails with `what` after `seconds`. What a machine that stands still takes
        of one turn is not counted."""
        seconds *= self.patience
        left, before = seconds, time.monotonic()
        while True:
            result = condition()
            if result:
                return result
            for bridge in self.bridges:
                assert not bridge.died(), bridge.died()
            if left < 0:
                text = what() if callable(what) else what
                raise AssertionError(f"{text} (waited {seconds:g} s)")
            time.sleep(0.02)
            now = time.monotonic()
            left, before = left - min(now - before, TURN_SECONDS), now

    def wait_growing(self, count, goal, seconds, what):
        """Waits until count() is `goal`. A busy machine takes its time: fails with `what` when nothing has moved for `seconds`."""
        before, since = None, time.monotonic()

        def moved():
            nonlocal before, since
            there = count()
            if there != before:
                before, since = there, time.monotonic()
            return there == goal or time.monotonic() > since + seconds * self.patience
        self.wait(moved, 20 * seconds, what)
        assert before == goal, f"{what() if callable(what) else what} (nothing moved for {seconds * self.patience:g} s)"

    def wait_rows(self, table, count, seconds=30):
        """Waits until the table has that many rows, and fails when it has more, or when none came for so long."""
        def there():
            rows = self.one(f"select count(*) from {table}")
            assert rows <= count, f"{rows} rows in {table}, not {count}"
            return rows
        self.wait_growing(there, count, seconds, lambda: f"{there()} rows in {table}, not {count}")

    def holds(self, condition, seconds, what):
        """The opposite of waiting: the condition must hold all the time (for things that must not happen)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert condition(), what() if callable(what) else what
            time.sleep(0.05)

    # --- the end

    def close(self):
        for close in reversed(self.closing):
            try:
                close()
            except Exception as error:  # pylint: disable=broad-except
                print(f"     while cleaning up after {self.name}: {error!r}")
        for connection in self._connections.values():
            connection.close()
        # The shared servers are as the next test expects them.
        self.run.broker.start()
        self.run.postgres.start()
        admin = self.run.connect("postgres")
        admin.cursor().execute(f"drop database if exists {self.database} with (force)")
        admin.close()
        release_ports(self.ports)


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
