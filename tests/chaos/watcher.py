"""Watches from outside while the campaign runs: acknowledgments against the rows they speak of, and the bridge's memory.

SPDX-License-Identifier: MIT
"""

import json
import re
import select
import struct
import threading
import time

import psycopg2

from mqtt_raw import PUBACK, PUBLISH, SUBACK, SUBSCRIBE, Client, Packets, field, packet

# A table may be away under its other name when the acknowledgment of an earlier row comes.
ANSWERED = "select 'asker', 'a', n from asked where path = 'asker/a' and n = any (%s)"
VISIBLE = """select who, lane, n from %s join unnest(%%s::text[], %%s::text[], %%s::bigint[]) asked (who, lane, n)
             using (who, lane, n)"""
DEAD = """select 1 from mqtt2pg.dead_letter where client_id = %s and rule = 'numbered' and topic = %s
          and substring(payload for length(%s)) = %s limit 1"""


def number_in(data):
    """The number in a payload, also in one that is no JSON."""
    text = data if isinstance(data, str) else bytes(data).decode(errors="replace")
    return int(re.search(r'"n":(\d+)', text).group(1))


class AckWatcher:
    """Subscribes to the acknowledgments with a session of its own, and asks the database for the row as soon as one comes."""

    def __init__(self, env, client_id):
        self.env, self.client_id = env, client_id
        self.seen = {}        # (who, lane, number) → set of statuses
        self.arrived = 0
        self.early = []       # acknowledgments without their row
        self.proved = 0
        self.unproved = 0     # the database could not be asked at that moment
        self.troubles = []
        self.connection = None
        self.stopped = False
        self.subscribed = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        if not self.subscribed.wait(10):
            raise AssertionError("could not subscribe to the acknowledgments")
        return self

    def stop(self):
        self.stopped = True
        self.thread.join(40)
        if self.connection:
            self.connection.close()

    def _run(self):
        while not self.stopped:
            try:
                self._listen()
            except (OSError, ConnectionError):  # the broker restarts
                time.sleep(0.05)
            except Exception as error:  # pylint: disable=broad-except
                self.troubles.append(f"the watcher of acknowledgments: {error!r}")
                return

    def _listen(self):
        client = Client("127.0.0.1", self.env.broker.port, f"{self.env.prefix}-watcher", clean=False)
        waiting = getattr(client, "waiting", [])
        if not self.subscribed.is_set():
            client.socket.sendall(packet(SUBSCRIBE, struct.pack("!H", 1) + field(self.env.topic("~/ack/#")) + b"\x01", 2))
        client.socket.settimeout(5)
        while not self.stopped:
            packets, waiting = waiting, []
            if not packets and select.select([client.socket], [], [], 0.1)[0]:
                data = client.socket.recv(262144)
                if not data:
                    raise ConnectionError("closed")
                packets = client.packets.feed(data)
            if any(kind == SUBACK for kind, _, _ in packets):
                self.subscribed.set()
            client.socket.sendall(self._take([(flags, body) for kind, flags, body in packets if kind == PUBLISH]))
        client.close()

    def _take(self, publishes):
        """Notes these acknowledgments, looks for their rows, and returns the PUBACKs."""
        answer, stored, rejected = b"", [], []
        for flags, body in publishes:
            length = struct.unpack("!H", body[:2])[0]
            topic, rest = body[2:2 + length].decode(), body[2 + length:]
            if flags & 6:
                answer += packet(PUBACK, rest[:2])
                rest = rest[2:]
            ack = json.loads(rest)
            who, lane = topic.split("/")[-2:]
            number = int(ack["n"])
            self.seen.setdefault((who, lane, number), set()).add(ack["status"])
            self.arrived += 1
            (stored if ack["status"] == "stored" else rejected).append((who, lane, number))
        if publishes:
            self._prove(stored, rejected)
        return answer

    def _prove(self, stored, rejected):
        try:
            if self.connection is None or self.connection.closed:
                self.connection = self.env.run.connect(self.env.database)
            missing = self._unanswered({key for key in stored if key[0] == "asker"}) | {key for key in stored if key[0] != "asker"}
            for table in ("numbered", "numbered_away", "numbered"):
                if missing:
                    missing -= self._visible(table, missing)
            for who, lane, number in rejected:
                with self.connection.cursor() as cursor:
                    head = b'{"n":%d,' % number
                    cursor.execute(DEAD, (self.client_id, self.env.topic(f"~/n/{who}/{lane}"), head, head))
                    if not cursor.fetchone():
                        missing.add((who, lane, number))
            self.early += sorted(missing)
            self.proved += len(stored) + len(rejected)
        except psycopg2.Error:  # it is being killed, or does not take connections yet
            self.unproved += len(stored) + len(rejected)
            if self.connection is not None:
                self.connection.close()

    def _unanswered(self, keys):
        if not keys:
            return keys
        with self.connection.cursor() as cursor:
            cursor.execute(ANSWERED, ([number for _, _, number in keys],))
            return keys - set(cursor.fetchall())

    def _visible(self, table, keys):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(VISIBLE % table, [list(column) for column in zip(*keys)])
                return set(cursor.fetchall())
        except psycopg2.errors.UndefinedTable:
            return set()


class MemoryWatcher:
    """The most memory that any process of the bridge ever had resident."""

    STEP_MB = 8  # that is worth a line of the timeline

    def __init__(self, bridge, note):
        self.bridge, self.note, self.peak_mb, self.told_mb, self.stopped = bridge, note, 0.0, 32, False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopped = True
        self.thread.join(10)

    def _run(self):
        while not self.stopped:
            try:
                self.peak_mb = max(self.peak_mb, self.bridge.rss_peak_mb())
            except (OSError, AttributeError):  # between two processes
                pass
            if self.peak_mb > self.told_mb + self.STEP_MB:
                self.told_mb = self.peak_mb
                self.note(f"       {self.bridge.name} has had {self.peak_mb:.0f} MB resident")
            time.sleep(0.2)


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
