"""Those who run: the bridge, the counting subscriber, the plain bridges, COPY from memory. Each run is checked.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import signal
import subprocess
import time
import urllib.request

from bridge import libconfig
from servers import free_port
from setting import Program, WrongResult, vm_hwm_mb

CLIENT = "bench"
COLUMNS = {"time": "$.ts | unix_us", "device": "{device}", "n": "$.n", "temperature": "$.temperature", "humidity": "$.humidity",
           "battery": "$.battery", "status": "$.status"}
SMALL_TABLE = ("time timestamptz not null", "device text not null", "n bigint")
SMALL_COLUMNS = {name: COLUMNS[name] for name in ("time", "device", "n")}
RULE = {"name": "telemetry", "topic": "fleet/{device}/telemetry", "table": "public.telemetry", "columns": COLUMNS}
ACK = {"topic": "fleet/{device}/ack", "fields": {"n": "$.n", "status": "@status"}}
NOWHERE = "mqtt://127.0.0.1:1"  # the broker of a bridge that only stores


class Bridge:
    """`mqtt2pg run` with its journal in the setting's folder."""

    def __init__(self, setting, url, rules=(RULE,), **sections):
        self.setting = setting
        setting.count += 1
        self.folder = os.path.join(setting.folder, f"bridge{setting.count}")
        self.journal = os.path.join(self.folder, "journal")
        os.makedirs(self.folder)
        self.port = free_port()
        self.file = os.path.join(self.folder, "mqtt2pg.cfg")
        self.process = None
        config = {"broker": {"url": url, "client_id": CLIENT}, "database": {"conninfo": setting.conninfo},
                  "journal": {"directory": self.journal, "max_size": "64GB"}, "http": {"listen": f"127.0.0.1:{self.port}"},
                  **sections}
        with open(self.file, "w") as file:
            file.write("".join(f"{name} = {libconfig(value)};\n" for name, value in config.items())
                       + f"rules = {libconfig(list(rules))};\n")
        setting.bridges.append(self)

    def start(self):
        self.started_us = time.time_ns() // 1000
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([self.setting.program("mqtt2pg"), "-c", self.file, "run"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        return self

    def ready(self, seconds=60):
        """Connected and subscribed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                    return self
            except OSError:
                time.sleep(0.01)
        raise WrongResult(f"the bridge is not ready: {self.last_words()}")

    def last_words(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-3:])

    def stop(self, seconds=60):
        """SIGTERM. CPU seconds of its whole life, the way out included, and the most memory it had."""
        peak_mb = vm_hwm_mb(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                if self.process.returncode != 0:
                    raise WrongResult(f"the bridge ended with {self.process.returncode}: {self.last_words()}")
                return {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": peak_mb}
            time.sleep(0.01)
        raise WrongResult(f"the bridge does not end: {self.last_words()}")

    def kill(self):
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            self.process.wait(10)

    def remove(self):
        self.kill()
        self.setting.bridges.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)


def load(setting, broker, messages, **options):
    """A load generator, running."""
    words = [word for name, value in options.items() for word in ("--" + name, value)]
    return Program(setting, setting.program("load"), "publish", "--port", broker.port, "--messages", messages, *words)


# Microseconds between two looks at a run of some seconds: late by a thousandth at most, and no load worth naming.
LOOK_US = 5000


def watch(setting, until, limit=300, interval=1000):
    """Looks from another connection until `until` messages can be seen."""
    return Program(setting, setting.program("watch"), "--conninfo", setting.conninfo, "--client", CLIENT, "--until", until,
                   "--limit", limit, "--interval", interval).ready()


def moves_of(setting, program, bridge, seconds=310):
    """[(microseconds, position)], in order."""
    lines = []
    try:
        lines = program.lines(seconds)
    except WrongResult as error:
        raise WrongResult(f"not all messages were stored: {error}; the bridge: {bridge.last_words()}") from None
    return [tuple(map(int, line.split())) for line in lines]


def figures(messages, seconds, cpu_s, peak_mb, **more):
    return {"messages": messages, "seconds": seconds, "rate": messages / seconds, "cpu_us": cpu_s / messages * 1e6,
            "peak_mb": peak_mb, **more}


# --- through the broker ----------------------------------------------------------------------------


def bridge_drain(setting, messages, rules=(RULE,), acks=False, births=0, **options):
    """A full queue in the broker's session, from the start of the process to the last visible row (with acks: to the last acknowledgment).
    Options are those of the load generator. `births`: so many edge nodes of Sparkplug B are born before."""
    broker = setting.broker()
    setting.fresh_table()
    bridge = Bridge(setting, broker.url, rules)
    bridge.start().ready()
    if births:
        born = watch(setting, births)
        load(setting, broker, births, topics=births, format="sparkplug_birth").result()
        born.lines()
    bridge.stop()
    load(setting, broker, messages, **options).result()
    seen = watch(setting, births + messages, interval=LOOK_US)
    collector = None
    if acks:
        collector = Program(setting, setting.program("load"), "collect", "--port", broker.port, "--messages", messages,
                            "--filter", "fleet/+/ack", "--limit", 60).ready()
    bridge.start()
    stored_us = moves_of(setting, seen, bridge)[-1][0]
    end_us = stored_us
    more = {"stored_rate": messages / (stored_us - bridge.started_us) * 1e6}
    if collector:
        collected = collector.result()
        if collected["distinct"] != messages or collected["strange"]:
            raise WrongResult(f"{messages} messages gave acknowledgments for {collected['distinct']}, "
                              f"and {collected['strange']} that are none")
        end_us = max(end_us, collected["last_us"])
        more["acks_repeated"] = collected["total"] - collected["distinct"]
    usage = bridge.stop()
    setting.check_rows(messages)
    bridge.remove()
    return figures(messages, (end_us - bridge.started_us) / 1e6, **usage, **more)


def session_drain(setting, messages, command, rows=True):
    """The same for a program that takes --port, --client, --messages and ends by itself."""
    broker = setting.broker()
    setting.fresh_table()
    common = [*command, "--port", broker.port, "--client", CLIENT]
    Program(setting, *common, "--messages", 0).lines()
    load(setting, broker, messages).result()
    program = Program(setting, *common, "--messages", messages)
    result = program.result()
    if result["messages"] != messages:
        raise WrongResult(f"{program.name} has {result['messages']} of {messages} messages")
    if rows:
        setting.check_rows(messages)
    return figures(messages, (result["last_us"] - program.started_us) / 1e6, result["cpu_s"], result["peak_kb"] / 1024)


def counter_drain(setting, messages, trace=True):
    return session_drain(setting, messages, [setting.program("counter"), "--trace", int(trace)], rows=False)


def plain_c_drain(setting, messages):
    return session_drain(setting, messages, [setting.program("plain_bridge"), "--conninfo", setting.conninfo])


def python_drain(setting, messages, driver):
    here = os.path.dirname(os.path.abspath(__file__))
    return session_drain(setting, messages, ["/usr/bin/python3", os.path.join(here, "plain_bridge.py"), "--driver", driver,
                                             "--conninfo", setting.conninfo])


def busy(loaded):
    """What part of one processor the load generator took while it published."""
    return loaded["cpu_s"] / max(1e-6, (loaded["end_us"] - loaded["start_us"]) / 1e6)


def bridge_live(setting, messages):
    """Publishing begins when the bridge is subscribed; from the first publication to the last visible row."""
    broker = setting.broker()
    setting.fresh_table()
    bridge = Bridge(setting, broker.url).start().ready()
    seen = watch(setting, messages, interval=LOOK_US)
    loaded = load(setting, broker, messages).result()
    end_us = moves_of(setting, seen, bridge)[-1][0]
    usage = bridge.stop()
    setting.check_rows(messages)
    bridge.remove()
    return figures(messages, (end_us - loaded["start_us"]) / 1e6, **usage, load_busy=busy(loaded))


def counter_live(setting, messages):
    broker = setting.broker()
    counter = Program(setting, setting.program("counter"), "--port", broker.port, "--client", CLIENT, "--messages", messages).ready()
    loaded = load(setting, broker, messages).result()
    result = counter.result()
    return figures(messages, (result["last_us"] - loaded["start_us"]) / 1e6, result["cpu_s"], result["peak_kb"] / 1024,
                   load_busy=busy(loaded))


# --- out of the journal ----------------------------------------------------------------------------


def make_journal(setting, messages, topics=1000, payload=150):
    """A full journal, to be copied for each run."""
    setting.count += 1
    path = os.path.join(setting.folder, f"journal{setting.count}")
    Program(setting, setting.program("fill_journal"), "--directory", path, "--messages", messages, "--topics", topics,
            "--payload", payload).lines(600)
    os.sync()  # the kernel would write it back during the first runs
    return path


def copy_journal(path, to):
    """Sealed segments are never written again, so they are linked; the rest is copied."""
    os.makedirs(to)
    segments = sorted(name for name in os.listdir(path) if name.endswith(".segment"))
    for name in os.listdir(path):
        copy = os.link if name in segments[:-1] else shutil.copy2
        copy(os.path.join(path, name), os.path.join(to, name))


def bridge_store(setting, journal, messages, rules=(RULE,), columns=None, key=None, topics=1000, **sections):
    """The journal's messages into the table, no broker there: from the first commit to the last one that can be seen."""
    setting.fresh_table(*([columns] if columns else []), key=key)
    bridge = Bridge(setting, NOWHERE, rules, **sections)
    copy_journal(journal, bridge.journal)
    limit = 120 + messages // 5000
    seen = watch(setting, messages, limit)
    bridge.start()
    moves = moves_of(setting, seen, bridge, limit + 10)
    usage = bridge.stop()
    setting.check_rows(messages, topics, full=columns is None)
    bridge.remove()
    result = figures(messages, (moves[-1][0] - bridge.started_us) / 1e6, **usage, commits_seen=len(moves),
                     start_s=(moves[0][0] - bridge.started_us) / 1e6)
    return between_commits(result, moves[0], moves[-1])


def between_commits(result, first, last):
    """The rate between two commits, when there were two; else the one of the whole run stays."""
    if last[1] > first[1] and last[0] > first[0]:
        result["rate"] = (last[1] - first[1]) / (last[0] - first[0]) * 1e6
    return result


def copy_store(setting, messages, batch=10000, key=None):
    """COPY of the same rows from memory."""
    setting.fresh_table(key=key)
    result = Program(setting, setting.program("copy_floor"), "--conninfo", setting.conninfo, "--rows", messages,
                     "--batch", batch).result()
    setting.check_rows(messages)
    done = figures(messages, (result["last_us"] - result["start_us"]) / 1e6, result["cpu_s"], 0)
    return between_commits(done, (result["first_us"], min(batch, messages)), (result["last_us"], messages))


# --- is the check one? -------------------------------------------------------------------------------

TAMPERINGS = (
    "delete from public.telemetry where n = 1000000007",
    "insert into public.telemetry select * from public.telemetry where n = 1000000007",
    "update public.telemetry set n = 1000000008 where n = 1000000007",
    "update public.telemetry set battery = battery + 1 where n = 1000000007",
    "update public.telemetry set device = 'd000008' where n = 1000000007",
    "insert into mqtt2pg.gap (noticed_at, client_id, cause) values (now(), 'bench', 'a test')",
)


def prove_check(setting):
    """A look that finds nothing wrong proves nothing before it has found what is."""
    copy_store(setting, 1000)
    setting.check_rows(1000)
    for tampering in TAMPERINGS:
        setting.sql("begin")
        setting.sql(tampering)
        try:
            setting.check_rows(1000)
        except WrongResult:
            setting.sql("rollback")
            continue
        raise WrongResult(f"the check does not see this: {tampering}")


if __name__ == "__main__":
    raise SystemExit("a module of tests/bench/run.py")
