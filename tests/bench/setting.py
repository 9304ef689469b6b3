"""Where the benchmarks take place: private servers on loopback with their data on a disk, and the look at what was stored.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time

import psycopg2

from servers import Mosquitto, Postgres

BASE = 1000000000  # n of message 0: sample.h
TABLE = ("time timestamptz not null", "device text not null", "n bigint", "temperature float8", "humidity float8",
         "battery integer", "status text")


class WrongResult(Exception):
    """Rows or messages are missing, too many, or not what was sent: the only thing that fails a benchmark."""


class RealPostgres(Postgres):
    """PostgreSQL as it comes: fsync, synchronous_commit, full_page_writes and all memory settings as after initdb."""

    SETTINGS = ("listen_addresses=", "logging_collector=off", "lc_messages=C", "timezone=UTC")


class Program:
    """A program of the benchmarks: says READY, and in the end one line of JSON (or lines, for `watch`)."""

    def __init__(self, setting, *command, log="programs.log"):
        self.name = os.path.basename(str(command[0]))
        self.log = os.path.join(setting.folder, log)
        self.started_us = time.time_ns() // 1000
        with open(self.log, "ab") as errors:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=errors)
        setting.programs.append(self)
        self.setting = setting

    def ready(self, seconds=60):
        readable, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = os.read(self.process.stdout.fileno(), 6) if readable else b""
        if line.strip() != b"READY":
            self.fail(f"{self.name} is not ready")
        return self

    def fail(self, what):
        self.kill()
        with open(self.log, errors="replace") as file:
            last = file.read().strip().splitlines()[-3:]
        raise WrongResult(f"{what}: {' | '.join(last) or 'it said nothing'}")

    def lines(self, seconds=300):
        try:
            out, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"{self.name} does not end within {seconds} s")
        self.setting.programs.remove(self)
        if self.process.returncode != 0:
            self.fail(f"{self.name} ended with {self.process.returncode}")
        return [line for line in out.decode().splitlines() if line and line != "READY"]

    def result(self, seconds=300):
        return json.loads(self.lines(seconds)[-1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self in self.setting.programs:
            self.setting.programs.remove(self)


class Setting:
    """The servers, one database, and a folder for everything."""

    def __init__(self, build):
        self.build = build
        self.programs = []
        self.bridges = []
        self.brokers = []
        # /tmp may lie in memory; where the journal and the tables lie should be a disk.
        self.folder = tempfile.mkdtemp(prefix="mqtt2pg-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
        os.chmod(self.folder, 0o755)
        self.postgres = RealPostgres(os.path.join(self.folder, "postgres"))
        self.count = 0

    def start(self):
        self.postgres.start()
        admin = self.connect("postgres")
        admin.cursor().execute("create database bench")
        admin.close()
        self.conninfo = self.postgres.conninfo("bench", "test")
        self.connection = self.connect("bench")
        made = subprocess.run([self.program("mqtt2pg"), "-c", self.minimal_config(), "schema"], capture_output=True, check=False)
        if made.returncode != 0:
            raise WrongResult("mqtt2pg schema: " + made.stderr.decode().strip())
        self.sql(made.stdout.decode())
        return self

    def minimal_config(self):
        path = os.path.join(self.folder, "schema.cfg")
        with open(path, "w") as file:
            file.write('database: { conninfo = "dbname=bench"; };\nrules = ( { name = "r"; topic = "r"; table = "r"; '
                       'columns = { topic = "@topic"; }; } );\n')
        return path

    def program(self, name):
        path = os.path.join(self.build, name if name == "mqtt2pg" else os.path.join("bench", name))
        if not os.access(path, os.X_OK):
            raise WrongResult(f"{path} is not there")
        return path

    def connect(self, database):
        connection = psycopg2.connect(self.postgres.conninfo(database, "test"))
        connection.autocommit = True
        return connection

    def sql(self, text, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else None

    def broker(self):
        """A Mosquitto that nobody has used. One at a time."""
        self.end_broker()
        self.count += 1
        broker = Mosquitto(os.path.join(self.folder, f"mosquitto{self.count}"), log_type="error")
        self.brokers.append(broker)
        return broker.start()

    def end_broker(self):
        for broker in self.brokers:
            broker.kill()  # nothing of it is wanted any more
            shutil.rmtree(broker.folder, ignore_errors=True)
        self.brokers = []

    def fresh_table(self, columns=TABLE, key=None):
        """An empty table and a server that has nothing left to write from the run before."""
        self.sql("drop table if exists public.telemetry; create table public.telemetry (" + ", ".join(columns)
                 + (f", primary key ({key})" if key else "") + ");"
                 "truncate mqtt2pg.progress, mqtt2pg.dead_letter, mqtt2pg.gap")
        self.sql("checkpoint")

    def check_rows(self, messages, topics=1000, full=True):
        """Each message exactly one row, and each row what was sent."""
        dead, gaps = self.sql("select (select count(*) from mqtt2pg.dead_letter), (select count(*) from mqtt2pg.gap)")[0]
        if dead or gaps:
            raise WrongResult(f"{dead} dead letters and {gaps} gaps where there should be none")
        self.sql("set work_mem = '1GB'")
        rows, low, high, total = self.sql("select count(*), coalesce(min(n), 0), coalesce(max(n), 0), coalesce(sum(n), 0) "
                                          "from public.telemetry")[0]
        distinct = rows if messages > 2000000 else self.sql("select count(*) from (select n from public.telemetry group by n) x")[0][0]
        wanted = (messages, BASE, BASE + messages - 1, messages * BASE + messages * (messages - 1) // 2, messages)
        if (rows, low, high, int(total), distinct) != wanted:
            raise WrongResult(f"{messages} messages gave {rows} rows with {distinct} different numbers from {low - BASE} to {high - BASE}")
        if full and messages <= 1000000:
            wrong = self.sql(f"""
                select count(*) from (select *, n - {BASE} as i from public.telemetry) x
                where (battery, status, device, round(temperature::numeric, 2), round(humidity::numeric, 1)) is distinct from
                      (10 + (i %% 90)::int, (array['running', 'stopped', 'waiting', 'loading'])[1 + i %% 4],
                       'd' || lpad((i %% %s)::text, 6, '0'), (1000 + i * 7 %% 9000) / 100.0, (100 + i * 3 %% 900) / 10.0)""",
                             topics)[0][0]
            if wrong:
                raise WrongResult(f"{wrong} of {messages} rows are not what was sent")

    def free_bytes(self):
        return shutil.disk_usage(self.folder).free

    def stop(self):
        for program in list(self.programs):
            program.kill()
        for bridge in list(self.bridges):
            bridge.kill()
        self.end_broker()
        self.postgres.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


def vm_hwm_mb(pid):
    """The most memory that a process has had."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024


if __name__ == "__main__":
    raise SystemExit("a module of tests/bench/run.py")
