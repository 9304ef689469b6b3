#!/usr/bin/python3
"""The main job, live: readings of this machine and a simulated fleet, through a real Mosquitto, the bridge and a real PostgreSQL.

    demo.py BINARY [SECONDS]

Everything is private, on loopback, under one scratch folder, and gone at the end (Ctrl-C, or after SECONDS).
Exit code 0 when every message that was sent is found in the database again, as a row or as a dead letter.

SPDX-License-Identifier: MIT
"""

import ctypes
import json
import locale
import math
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request

sys.dont_write_bytecode = True  # nothing of ours in the tree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from mqtt_raw import Publisher  # noqa: E402
from servers import Mosquitto, Postgres, find_program, free_port  # noqa: E402

DEVICES = 200
MESSAGES_A_SECOND = 2000
SITES = ("berlin", "lyon", "oslo", "porto")

QUESTIONS = (
    ("What is this machine doing?",
     "select metric, round(avg(value)::numeric, 1) as average, round(max(value)::numeric, 1) as highest, count(*) as readings "
     "from machine group by metric order by metric"),
    ("How warm is it at each site?",
     "select site, count(distinct device) as sensors, count(*) as readings, round(min(temperature)::numeric, 1) as coldest, "
     "round(avg(temperature)::numeric, 1) as mean, round(max(temperature)::numeric, 1) as warmest "
     "from telemetry group by site order by site"),
    ("Which sensors need a new battery?",
     "select device, min(battery) as battery, max(at)::timestamp(0) as last_seen from telemetry "
     "where battery < 15 group by device order by 2, 1 limit 5"),
    ("Which sensors are warmest now?",
     "select device, at::timestamp(0), temperature from latest order by temperature desc limit 5"),
    ("What could not be stored, and why?",
     "select count(distinct sequence) as messages, string_agg(distinct rule, ', ') as rules, "
     "regexp_replace(reason, '^rule \"[^\"]*\": ', '') as reason "
     "from mqtt2pg.dead_letter group by 3 order by 1 desc, 3 limit 5"),
)


class DemoError(Exception):
    """What went wrong, in one sentence, and whose log says more."""

    def __init__(self, text, log=None):
        super().__init__(text)
        self.log = log


class Stopped(Exception):
    """The person who looks on has seen enough before there was anything to see."""


class Terminal:
    """
    Colour and redrawing only where a person looks, and no wider than the window.

    While a person looks, Ctrl-C is read as a key: as a signal it would reach make too, which would call it an error.
    """

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        sys.stdout.reconfigure(errors="replace")
        self.drawn = 0
        self.stopped = False
        self.before = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.stop)
        try:
            if self.live and os.tcgetpgrp(0) == os.getpgrp():
                self.before = termios.tcgetattr(0)
                mode = termios.tcgetattr(0)
                mode[3] &= ~(termios.ISIG | termios.ICANON | termios.ECHO)
                termios.tcsetattr(0, termios.TCSANOW, mode)
        except (OSError, termios.error):
            self.before = None

    def restore(self):
        if self.before:
            termios.tcsetattr(0, termios.TCSADRAIN, self.before)

    def stop(self, *_):
        self.stopped = True

    def wait(self, seconds):
        """Waits, shorter when it is stopped."""
        until = time.monotonic() + seconds
        while not self.stopped and time.monotonic() < until:
            rest = min(0.2, max(0.0, until - time.monotonic()))
            if not self.before:
                time.sleep(rest)
            elif select.select([0], [], [], rest)[0]:
                keys = os.read(0, 100)
                self.stopped = not keys or bool(set(keys) & set(b"\x03\x04\x1cq"))

    def width(self):
        return shutil.get_terminal_size((100, 24)).columns if self.live else 120

    def style(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.live else text

    def bold(self, text):
        return self.style(1, text)

    def dim(self, text):
        return self.style(2, text)

    def say(self, text="", end="\n"):
        self.drawn = 0
        print(text, end=end, flush=True)

    def redraw(self, lines):
        """Lines in place of those that were drawn last; without a terminal, below them."""
        up = f"\033[{self.drawn}A\r\033[J" if self.live and self.drawn else ""
        print(up + "\n".join(self.cut(line) for line in lines), flush=True)
        self.drawn = len(lines) if self.live else 0

    def cut(self, line):
        """A line that wraps can't be drawn over."""
        room, out = self.width() - 1, []
        for part in re.split(r"(\033\[\d+m)", line) if self.live else [line]:
            if self.live and not part.startswith("\033"):
                part = part[:max(0, room)]
                room -= len(part)
            out.append(part)
        return "".join(out)


class Machine:
    """Readings of the machine that this runs on, as a device would send them."""

    def __init__(self):
        self.host = os.uname().nodename
        self.before = self.counters()

    @staticmethod
    def lines(path):
        try:
            with open(path) as file:
                return file.readlines()
        except OSError:
            return []

    @classmethod
    def counters(cls):
        ticks = [int(text) for text in cls.lines("/proc/stat")[0].split()[1:9]]
        network = [line.split(":") for line in cls.lines("/proc/net/dev")[2:]]
        disks = {name for name in os.listdir("/sys/block") if not name.startswith(("loop", "ram", "dm-", "md"))} \
            if os.path.isdir("/sys/block") else {"sda", "vda", "xvda", "nvme0n1"}
        return {"busy": sum(ticks) - ticks[3] - ticks[4], "ticks": sum(ticks),
                "received": sum(int(counts.split()[0]) for name, counts in network if name.strip() != "lo"),
                "written": sum(int(row[9]) for row in map(str.split, cls.lines("/proc/diskstats")) if row[2] in disks) * 512}

    @classmethod
    def memory(cls):
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in cls.lines("/proc/meminfo")}
        return 100 * (1 - kilobytes["MemAvailable"] / kilobytes["MemTotal"])

    def message(self):
        now, then = self.counters(), self.before
        self.before = now
        disk = shutil.disk_usage("/")
        readings = {
            "cpu_percent": round(100 * (now["busy"] - then["busy"]) / max(1, now["ticks"] - then["ticks"]), 1),
            "memory_percent": round(self.memory(), 1),
            "disk_percent": round(100 * disk.used / disk.total, 1),
            "disk_written_kb": (now["written"] - then["written"]) // 1024,
            "network_received_kb": (now["received"] - then["received"]) // 1024,
            "load": round(os.getloadavg()[0], 2),
        }
        return f"machine/{self.host}/readings", json.dumps({"ts": int(time.time() * 1000), "readings": readings})


class Fleet:
    """Sensors with a daily curve, a battery that runs down, and now and then one that sends nonsense."""

    def __init__(self):
        self.random = random.Random(7)
        self.count = 0
        self.devices = [(f"fleet/{SITES[i % len(SITES)]}/sensor-{i:03d}/telemetry", self.random.uniform(8, 26),
                         self.random.randrange(5, 100)) for i in range(DEVICES)]

    def message(self):
        self.count += 1
        topic, mean, battery = self.devices[self.count % DEVICES]
        value = mean + 4 * math.sin(self.count / 5000) + self.random.gauss(0, 0.3)
        payload = {"ts": int(time.time() * 1000), "n": self.count, "temperature": round(value, 2), "battery": battery}
        if self.count % 3001 == 0:
            payload["temperature"] = "sensor error"
        if self.count % 7001 == 0:
            return topic, '{"ts": 17000'
        if battery < 10:
            payload["status"] = "battery low"
        return topic, json.dumps(payload)


class Sender:
    """Publishes what a source says, at a steady rate, until told to stop; counts what the broker confirmed."""

    def __init__(self, port, name, source, rate, interval):
        self.port, self.name, self.source, self.amount, self.interval = port, name, source, max(1, int(rate * interval)), interval
        self.stopping = threading.Event()
        self.sent, self.error = 0, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            publisher = Publisher("127.0.0.1", self.port, f"demo-{self.name}")
            due = time.monotonic()
            while not self.stopping.is_set():
                publisher.publish([(*self.source.message(), 1) for _ in range(self.amount)], timeout=20)
                self.sent += self.amount
                # On a machine that can't keep up it sends slower, and never a flood afterwards.
                due = max(due + self.interval, time.monotonic() - 1)
                self.stopping.wait(max(0, due - time.monotonic()))
            publisher.close()
        except (OSError, ValueError) as error:
            self.error = error

    def stop(self):
        self.stopping.set()
        self.thread.join()


def end_with_parent(number):
    """Popen's preexec_fn: the kernel sends the signal when the demo dies, even by kill -9."""
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, number)


class PrivateMosquitto(Mosquitto):
    """In a session of its own: a Ctrl-C in the terminal is not meant for it."""

    def launch(self, command, **options):
        super().launch(command, start_new_session=True, preexec_fn=end_with_parent(signal.SIGTERM), **options)


class PrivatePostgres(Postgres):
    """As a person would have it: with fsync, and unmoved by Ctrl-C. Its shared memory is in its folder, so that nothing can stay behind."""

    SETTINGS = (*(text for text in Postgres.SETTINGS if not text.startswith(("fsync", "full_page_writes"))),
                "dynamic_shared_memory_type=mmap")

    def launch(self, command, **options):
        super().launch(command, start_new_session=True, preexec_fn=end_with_parent(signal.SIGINT), **options)


class Demo:
    def __init__(self, binary, seconds, terminal):
        self.binary, self.seconds, self.terminal = os.path.abspath(binary), seconds, terminal
        # Not in TMPDIR: a socket's path may have 107 bytes, and the servers' user must get there.
        self.folder = tempfile.mkdtemp(prefix="mqtt2pg-demo-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.log = os.path.join(self.folder, "mqtt2pg.log")
        self.address = f"127.0.0.1:{free_port()}"
        self.process = self.broker = self.postgres = None
        self.fleet = self.machine = None
        self.history = []

    def start(self):
        say, bold, dim = self.terminal.say, self.terminal.bold, self.terminal.dim
        end = f"After {self.seconds:g} s (or Ctrl-C)" if self.seconds else "With Ctrl-C"
        say()
        say(bold("mqtt2pg demo") + f": this machine and {DEVICES} simulated sensors → Mosquitto → mqtt2pg → PostgreSQL")
        say(f"Servers of its own, on 127.0.0.1 only. {end} it shows what is in the tables, stops and removes everything.")
        say()
        began = time.monotonic()
        self.step("starting PostgreSQL", self.start_postgres)
        self.step(", Mosquitto", self.start_broker)
        self.step(", mqtt2pg", self.start_bridge)
        say(f": ready in {time.monotonic() - began:.1f} s")
        say()
        say("  status page    " + bold(f"http://{self.address}/"))
        say("  database       " + bold(f'psql "{self.conninfo()}"'))
        say("  configuration  " + os.path.relpath(os.path.join(HERE, "demo.cfg")))
        say("  files          " + self.folder + dim("  (logs, journal)"))
        say()
        self.fleet = Sender(self.broker.port, "fleet", Fleet(), MESSAGES_A_SECOND, 0.1)
        self.machine = Sender(self.broker.port, "machine", Machine(), 1, 1.0)

    def step(self, text, function):
        self.terminal.say(text, end="")
        try:
            function()
        except RuntimeError as error:
            raise DemoError(str(error)) from error
        if self.terminal.stopped:
            raise Stopped

    def start_postgres(self):
        self.postgres = PrivatePostgres(os.path.join(self.folder, "postgres"))
        self.postgres.start()
        self.psql("create database demo", database="postgres")

    def start_broker(self):
        self.broker = PrivateMosquitto(os.path.join(self.folder, "broker"))
        self.broker.start()

    def start_bridge(self):
        environment = {**os.environ, "DEMO_BROKER": self.broker.url, "DEMO_HTTP": self.address,
                       "DEMO_DATABASE": self.conninfo(), "DEMO_JOURNAL": os.path.join(self.folder, "journal")}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([self.binary, "-c", os.path.join(HERE, "demo.cfg"), "run"], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                            preexec_fn=end_with_parent(signal.SIGTERM))
        until = time.monotonic() + 30
        while not self.ready():
            self.check()
            if time.monotonic() > until:
                raise DemoError("mqtt2pg is not ready after 30 s", self.log)
            self.terminal.wait(0.05)
            if self.terminal.stopped:
                raise Stopped

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def check(self):
        """Whoever has died is named."""
        if self.process and self.process.poll() is not None:
            raise DemoError(f"mqtt2pg {how_it_ended(self.process)}", self.log)
        for server in (self.broker, self.postgres):
            if server and not server.running():
                raise DemoError(f"{server.name} {how_it_ended(server.process)}", server.log)
        for sender in (self.fleet, self.machine):
            if sender and sender.error:
                raise DemoError(f"could not publish: {sender.error}", self.broker.log)

    def conninfo(self):
        return self.postgres.conninfo("demo", user="test")

    def psql(self, sql, *options, database="demo"):
        done = subprocess.run([find_program("psql"), "-X", "-q", "-d", self.postgres.conninfo(database, user="test"), *options,
                               "-c", sql], check=False, capture_output=True, text=True, encoding="utf-8", errors="replace",
                              env={**os.environ, "LC_ALL": "C.UTF-8", "PGCLIENTENCODING": "UTF8"}, start_new_session=True)
        if done.returncode != 0:
            raise DemoError(f"psql: {done.stderr.strip()}", self.postgres.log)
        return done.stdout

    def metrics(self):
        """Sums over the rules; those by outcome also as name.outcome. Nothing when the service does not answer."""
        values = {}
        try:
            with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        for name, labels, value in re.findall(r"^mqtt2pg_(\w+)(?:\{(.*)\})? ([-+.\deE]+)$", text, re.M):
            if not name.endswith("_bucket"):
                outcome = re.search(r'outcome="(\w+)"', labels)
                for key in (name, f"{name}.{outcome[1]}") if outcome else (name,):
                    values[key] = values.get(key, 0) + float(value)
        return values

    def view(self, now, before, seconds, elapsed):
        def total(name):
            return now.get(name, 0)

        def rate(name):
            return (total(name) - before.get(name, 0)) / seconds
        messages, rows, acks = (rate(name) for name in ("messages_processed_total", "rows_stored_total", "acks_published_total"))
        commits = rate("store_delay_seconds_count")
        delay = f"{1000 * rate('store_delay_seconds_sum') / commits:,.0f}" if commits else "–"
        stored, dead = total("rows_stored_total"), total("rule_messages_total.rejected")
        waiting, acks_waiting = total("journal_messages"), total("acks_waiting")
        self.history = (self.history + [messages])[-30:]
        bold, dim = self.terminal.bold, self.terminal.dim
        if not self.terminal.live:
            return [f"{elapsed:4.0f} s  {messages:,.0f} messages/s  {rows:,.0f} rows/s  delay {delay} ms  waiting {waiting:,.0f}  "
                    f"acks {acks:,.0f}/s, {acks_waiting:,.0f} waiting  {stored:,.0f} rows so far"]

        def line(name, value, unit, note=""):
            return f"  {name:<14}{bold(f'{value:>9}')} {unit:<5} {note}".rstrip()
        left = f"of {self.seconds:g} s" if self.seconds else "s"
        bars = sparkline(self.history) if self.terminal.unicode else ""
        return [line("messages", f"{messages:,.0f}", "/s", bars),
                line("rows", f"{rows:,.0f}", "/s", dim("into three tables")),
                line("delay", delay, "ms", dim("from broker to commit")),
                line("waiting", f"{waiting:,.0f}", "", dim("in the journal")),
                line("acks", f"{acks:,.0f}", "/s", dim(f"to the sensors; {acks_waiting:,.0f} wait")),
                line("stored", f"{stored:,.0f}", "rows", dim(f"{dead:,.0f} dead letters")),
                "", f"  {elapsed:.0f} {left}   " + dim("Ctrl-C: enough, show me the tables")]

    def watch(self):
        started = then = time.monotonic()
        before = self.metrics() or {}
        every = 1 if self.terminal.live else 5
        while not self.terminal.stopped:
            elapsed = time.monotonic() - started
            if self.seconds and elapsed >= self.seconds:
                break
            self.terminal.wait(min(every, self.seconds - elapsed) if self.seconds else every)
            self.check()
            now, at = self.metrics(), time.monotonic()
            if now and at - then >= 0.3:
                self.terminal.redraw(self.view(now, before, at - then, at - started))
                before, then = now, at

    def finish(self):
        """What was sent is stored before the tables are shown. True when nothing is missing."""
        say, terminal = self.terminal.say, self.terminal
        for sender in (self.fleet, self.machine):
            sender.stop()
        self.check()
        sent = self.fleet.sent + self.machine.sent
        say()
        terminal.stopped = False  # the next Ctrl-C means: do not even wait
        say(f"{sent:,} messages sent; storing the last of them …")
        until = time.monotonic() + 30
        while (self.metrics() or {}).get("messages_processed_total", 0) < sent and time.monotonic() < until \
                and not terminal.stopped:
            terminal.wait(0.1)
            self.check()
        say("stopping mqtt2pg; it sends the acknowledgments that wait …")
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        while self.process.poll() is None:
            terminal.wait(0.1)
            if time.monotonic() - began > 40:
                raise DemoError("mqtt2pg had not ended 40 s after SIGTERM", self.log)
            if terminal.stopped:
                raise DemoError("stopped before mqtt2pg had ended by itself", self.log)
        code, self.process = self.process.returncode, None
        if code != 0:
            raise DemoError(f"mqtt2pg ended with {code} after SIGTERM, not with 0", self.log)
        self.ask()
        return self.account()

    def ask(self):
        say, width = self.terminal.say, self.terminal.width()
        looks = ["-P", "border=2", "-P", "footer=off", "-P", f"linestyle={'unicode' if self.terminal.unicode else 'ascii'}",
                 "-P", "format=wrapped", "-P", f"columns={width}"]
        for question, sql in QUESTIONS:
            say()
            say(self.terminal.bold(question))
            say(self.psql(sql, *looks).rstrip())

    def account(self):
        """Every message that was sent is a row or a dead letter."""
        say = self.terminal.say
        numbers = self.psql("select (select count(*) from telemetry), (select count(*) from machine), "
                            "(select count(*) from mqtt2pg.dead_letter where rule = 'telemetry'), "
                            "(select count(*) from mqtt2pg.dead_letter where rule = 'machine')", "-At")
        telemetry, machine, dead, dead_machine = map(int, numbers.strip().split("|"))
        readings = 6 * self.machine.sent
        say()
        say(f"{self.fleet.sent:>9,} messages of the fleet = {telemetry:,} rows + {dead:,} refused; each row also updated its sensor's latest one")
        say(f"{self.machine.sent:>9,} of this machine       = {machine:,} rows, six a message")
        if telemetry + dead == self.fleet.sent and machine == readings and not dead_machine:
            say(self.terminal.bold("Nothing lost, nothing twice."))
            return self.fleet.sent > 0
        say(f"demo: that does not add up: {telemetry + dead - self.fleet.sent:+,} of the fleet, "
            f"{machine - readings:+,} rows of this machine")
        return False

    def explain(self, error):
        """The last lines of the log of whoever failed."""
        self.terminal.say(f"\ndemo: {error}")
        try:
            with open(error.log or self.log, errors="replace") as file:
                lines = file.read().splitlines()[-10:]
        except OSError:
            return
        if lines:
            self.terminal.say(f"the last lines of its log ({os.path.basename(error.log or self.log)}):")
            self.terminal.say("\n".join("  " + line for line in lines))

    def clean_up(self):
        for sender in (self.fleet, self.machine):
            if sender:
                sender.stopping.set()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for server in (self.broker, self.postgres):
            if server:
                server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def how_it_ended(process):
    code = process.returncode
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def sparkline(values):
    bars, highest = "▁▂▃▄▅▆▇█", max(values) or 1
    return "".join(bars[min(7, int(8 * max(0, value) / highest))] for value in values)


def main():
    try:
        seconds = float(sys.argv[2]) if len(sys.argv) == 3 else 0
        if len(sys.argv) not in (2, 3) or not 0 <= seconds < 1e6:
            raise ValueError
    except ValueError:
        sys.exit("usage: demo.py BINARY [SECONDS]")
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        os.environ["LC_ALL"] = "C.UTF-8"  # a language that is not installed here: perl, in Debian's psql, would complain
    terminal = Terminal()
    demo, good = None, False
    try:
        demo = Demo(sys.argv[1], seconds, terminal)
        demo.start()
        demo.watch()
        good = demo.finish()
    except Stopped:
        terminal.say("\nstopped before it began")
    except DemoError as error:
        if terminal.stopped and demo.fleet is None:
            terminal.say("\nstopped before it began")
        else:
            demo.explain(error)
    except OSError as error:
        # Nobody reads any more (a pipe to head, a closed terminal), or a server could not be started.
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"demo: {error}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    finally:
        try:
            if demo:
                demo.clean_up()
        finally:
            terminal.restore()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
