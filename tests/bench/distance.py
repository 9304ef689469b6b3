"""A database that is far away: what round trips cost, through a delay line of the project's own.

SPDX-License-Identifier: MIT
"""

import collections
import socket
import statistics
import threading
import time

import contestants as run
from report import median
from setting import WrongResult

RTT_MS = 20
CHUNK = 1 << 18
IN_FLIGHT = 256  # chunks; then the sender waits, as a window would make it


class DelayLine:
    """A TCP port on loopback that leads to the server's socket; every byte arrives half a round trip later, at any rate."""

    def __init__(self, path, rtt_ms):
        self.path, self.delay = path, rtt_ms / 2000
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.path)
            for one, other in ((near, far), (far, near)):
                self.lead(one, other)

    def lead(self, one, other):
        way, changed = collections.deque(), threading.Condition()

        def take():
            data = b"x"
            while data:
                try:
                    data = one.recv(CHUNK)
                except OSError:
                    data = b""
                with changed:
                    while len(way) > IN_FLIGHT:
                        changed.wait()
                    way.append((time.monotonic() + self.delay, data))
                    changed.notify()

        def give():
            while True:
                with changed:
                    while not way:
                        changed.wait()
                    due, data = way.popleft()
                    changed.notify()
                time.sleep(max(0, due - time.monotonic()))
                try:
                    if not data:
                        other.shutdown(socket.SHUT_WR)
                        return
                    other.sendall(data)
                except OSError:
                    return
        for work in (take, give):
            threading.Thread(target=work, daemon=True).start()

    def stop(self):
        self.listener.close()


def far_database(setting):
    """The setting's server behind the delay line, and what the bridge connects to."""
    parts = dict(word.split("=", 1) for word in setting.conninfo.split())
    line = DelayLine(f"{parts['host']}/.s.PGSQL.{parts['port']}", RTT_MS)
    conninfo = f"host=127.0.0.1 port={line.port} dbname={parts['dbname']} user={parts['user']}"
    return line, {"conninfo": conninfo}


def many_rules(setting, rules, rate, seconds):
    """Messages for `rules` tables in turn: how long after it was due a row can be seen."""
    broker = setting.broker()
    setting.fresh_table()
    for number in range(rules):
        setting.sql(f"drop table if exists far{number}; create table far{number} (like telemetry)")
    line, database = far_database(setting)
    config = [{**run.RULE, "name": f"r{n}", "topic": f"fleet/d{n:06d}/telemetry", "table": f"public.far{n}",
               "columns": {**run.COLUMNS, "device": "@topic"}} for n in range(rules)]
    bridge = run.Bridge(setting, broker.url, config, database=database).start().ready()
    messages = int(rate * seconds)
    seen = run.watch(setting, messages, interval=500)
    loaded = run.load(setting, broker, messages, rate=rate, topics=rules).result()
    moves = run.moves_of(setting, seen, bridge)
    bridge.stop()
    bridge.remove()
    line.stop()
    stored = sum(setting.sql(f"select count(*) from far{n}")[0][0] for n in range(rules))
    if stored != messages:
        raise WrongResult(f"{messages} messages and {stored} rows")
    delays, at = [], 0
    for seen_us, position in moves:
        delays += [(seen_us - loaded["start_us"] - number * 1e6 / rate) / 1e3 for number in range(at, position)]
        at = position
    return {"messages": messages, "median_ms": statistics.median(delays), "batches": len(moves)}


def distance(setting, report, sizes, clock):
    """A database 20 ms away: one plain rule from a full journal, and 200 rules at 2,000 messages a second."""
    del clock
    messages = sizes.store
    journal = run.make_journal(setting, messages)
    line, database = far_database(setting)
    plain = [run.bridge_store(setting, journal, messages, database=database) for _ in range(sizes.rounds)]
    line.stop()
    rules = 20 if sizes.quick else 200
    live = [many_rules(setting, rules, 2000, 1 if sizes.quick else 6)]
    part = f"distance: the database is {RTT_MS} ms away, there and back"
    report.runs(part, "one plain rule, journal full", plain)
    report.column(part, "one plain rule, journal full", "rows/s", plain, "rate")
    report.runs(part, f"{rules} rules, 2,000 messages/s", live)
    report.column(part, f"{rules} rules, 2,000 messages/s, median delay", "ms", live, "median_ms")
    report.aim("distance", "distance: rows a second of one plain rule", median(plain, "rate"), ">=", 150000, "rows/s")
    report.aim("distance", f"distance: median delay with {rules} rules", median(live, "median_ms"), "<=", 200, "ms")
