"""Figures, ratios and aims: for people as a table, for programs as JSON.

SPDX-License-Identifier: MIT
"""

import json
import os
import platform
import statistics
import subprocess
import time


def median(runs, name):
    return statistics.median(run[name] for run in runs)


def percentile(sorted_values, part):
    """The value below which this part of them lies (nearest rank)."""
    return sorted_values[max(0, min(len(sorted_values) - 1, -(-len(sorted_values) * part // 100) - 1))]


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


class Report:
    """Collects what the parts measure."""

    def __init__(self, quick):
        self.quick = quick
        self.started = time.time()
        self.figures = []  # part, what, unit, value, runs
        self.aims = []     # part, what, value, unit, relation, aim, met
        self.notes = []
        self.raw = {}

    def runs(self, part, who, runs):
        """Keeps every figure of every run of one contestant."""
        self.raw.setdefault(part, {})[who] = runs

    def figure(self, part, what, unit, value, runs=()):
        self.figures.append({"part": part, "what": what, "unit": unit, "value": value, "runs": list(runs)})

    def column(self, part, what, unit, runs, name):
        """The median of one column of some runs, the runs beside it."""
        values = [run[name] for run in runs]
        self.figure(part, what, unit, statistics.median(values), values)

    def aim(self, part, what, value, relation, aim, unit=""):
        """relation is ">=" or "<="."""
        met = value >= aim if relation == ">=" else value <= aim
        self.aims.append({"part": part, "what": what, "value": value, "unit": unit, "relation": relation, "aim": aim, "met": met})

    def note(self, text):
        self.notes.append(text)

    def print(self):
        print()
        part = None
        for figure in self.figures:
            if figure["part"] != part:
                part = figure["part"]
                print(f"{part}")
            runs = "  ".join(number(run) for run in figure["runs"]) if len(figure["runs"]) > 1 else ""
            print(f"  {figure['what']:<52} {number(figure['value']):>10} {figure['unit']:<11} {runs}".rstrip())
        if self.aims:
            print("\naims")
            for aim in self.aims:
                wanted = f"{aim['relation']} {number(aim['aim'])}{' ' + aim['unit'] if aim['unit'] else ''}"
                word = "met" if aim["met"] else "MISSED"
                print(f"  {aim['what']:<60} {number(aim['value']):>7}  {wanted:<10} {word}")
        for note in self.notes:
            print(f"note: {note}")

    def write(self, path, root):
        commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, check=False)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump({"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
                       "seconds": round(time.time() - self.started, 1), "quick": self.quick,
                       "version": commit.stdout.decode().strip(), "machine": machine(),
                       "figures": self.figures, "aims": self.aims, "notes": self.notes, "runs": self.raw}, file, indent=1)
            file.write("\n")


def machine():
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processors": os.cpu_count(), "model": model, "kernel": platform.release(), "load": os.getloadavg()[0],
            "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1048576}


if __name__ == "__main__":
    raise SystemExit("a module of tests/bench/run.py")
