#!/usr/bin/python3
"""How fast the bridge is, against floors that are measured beside it: run.py BUILD [--quick] [--only PARTS] [--backlog N] [--json FILE]

README.md beside this file says what each part is and how to read it. Exit code 1 when a result was wrong (a row missing, too many or not what was
sent), never because of a time; 2 for bad usage.

SPDX-License-Identifier: MIT
"""

import argparse
import os
import signal
import sys
import time

sys.dont_write_bytecode = True  # nothing of ours in the tree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from contestants import prove_check  # noqa: E402
from distance import distance  # noqa: E402
from formats import formats  # noqa: E402
from growth import growth  # noqa: E402
from parts import delay, drain, live, stages, storing  # noqa: E402
from report import Report  # noqa: E402
from setting import Setting, WrongResult  # noqa: E402

# name → (function, what it is in one line); drain and peers are one rotation.
PARTS = {
    "drain": (drain, "a full queue in the broker, against a subscriber that only counts"),
    "peers": (drain, "the same against bridges that one would write oneself, in Python and in C"),
    "live": (live, "publishing as fast as the broker takes it"),
    "storing": (storing, "a full journal, against COPY from memory"),
    "delay": (delay, "from publishing to visible in SQL"),
    "distance": (distance, "a database 20 ms away: one plain rule, 200 rules"),
    "growth": (growth, "rules, topics, payloads, backlog, acknowledgments; also one of them: growth:rules"),
    "stages": (stages, "nanoseconds a message in each stage"),
    "formats": (formats, "the same messages in each payload format"),
}
QUICK_SECONDS = 40  # then parts that have not begun are left out, and said to be


class Sizes:
    """How much of everything."""

    def __init__(self, quick, only, backlog):
        self.quick, self.only = quick, only
        self.rounds = 1 if quick else 3
        self.drain = 10000 if quick else 300000
        self.python = 3000 if quick else 60000
        self.store = 50000 if quick else 1000000
        self.growth = 30000 if quick else 300000
        self.payload_bytes = (5 if quick else 100) * 1000000
        self.acks = 3000 if quick else 30000
        self.backlogs = [10000, 30000] if quick else [10000, 1000000, 10000000]
        if backlog:
            self.backlogs = sorted({10000, backlog})
        self.stage_ms = 40 if quick else 300
        self.delay_rounds = 1 if quick else 2

    def delay_rates(self, fast):
        """[(rate, seconds)]"""
        return [(1000, 1)] if self.quick else [(10, 5), (1000, 5), (fast, 4)]

    def wants(self, part):
        return not self.only or any(one.split(":")[0] == part for one in self.only)

    def wants_growth(self, name):
        return not self.only or "growth" in self.only or f"growth:{name}" in self.only


class Clock:
    """The quick form ends in time, whatever the machine does."""

    def __init__(self, quick, report):
        self.end = time.monotonic() + QUICK_SECONDS if quick else float("inf")
        self.report = report

    def over(self):
        return time.monotonic() > self.end

    def skip(self, what):
        if self.over():
            self.report.note(f"{what}: not measured, the time of the quick form is over")
        return self.over()


def arguments():
    parser = argparse.ArgumentParser(epilog="parts: " + "; ".join(f"{name}: {what}" for name, (_, what) in PARTS.items()))
    parser.add_argument("build", help="folder with mqtt2pg and bench/")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="parts, with commas between them")
    parser.add_argument("--backlog", type=int, help="messages in the large backlog")
    parser.add_argument("--json", help="default: BUILD/bench/results.json")
    options = parser.parse_args()
    options.only = [word for word in options.only.split(",") if word]
    unknown = [word for word in options.only if word.split(":")[0] not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)} (there are {', '.join(PARTS)})")
    return options


def measure(setting, report, sizes, clock):
    done = set()
    for name, (function, what) in PARTS.items():
        if not sizes.wants(name) or function in done or clock.skip(name):
            continue
        done.add(function)
        print(f"bench: {name}: {what} …", flush=True)
        function(setting, report, sizes, clock)


def main():
    options = arguments()
    report = Report(options.quick)
    sizes = Sizes(options.quick, options.only, options.backlog)
    setting = Setting(os.path.abspath(options.build))
    # The way out of finally: servers end with us.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    code = 0
    try:
        prove_check(setting.start())
        measure(setting, report, sizes, Clock(options.quick, report))
    except (WrongResult, RuntimeError) as error:
        report.note(f"WRONG RESULT: {error}")
        code = 1
    except KeyboardInterrupt:
        report.note("interrupted")
        code = 1
    finally:
        setting.stop()
    if options.quick:
        report.note("these are the quick sizes: they prove that the results are right, the figures are noise")
    report.print()
    path = options.json or os.path.join(options.build, "bench", "results.json")
    report.write(path, ROOT)
    print(f"bench: {time.time() - report.started:.0f} s, {sum(aim['met'] for aim in report.aims)} of {len(report.aims)} aims met, "
          f"all rows right; {path}" if code == 0 else "bench: FAILED")
    return code


if __name__ == "__main__":
    sys.exit(main())
