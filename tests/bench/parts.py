"""The parts about throughput and delay: drain, peers, live, storing, delay, stages.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import statistics

import contestants as run
from report import median, percentile
from setting import Program, WrongResult


def alternate(rounds, contestants, clock):
    """A B A B …, so that a machine that changes its mind meets all of them. {name: [figures of each run]}"""
    results = {name: [] for name in contestants}
    for round_number in range(rounds):
        for name, one in contestants.items():
            if clock.over() and round_number > 0:
                return results
            results[name].append(one())
    return results


def ratio(results, name, other, column="rate"):
    return median(results[name], column) / median(results[other], column)


def show(report, part, results, memory=True):
    for name, runs in results.items():
        report.runs(part, name, runs)
        report.column(part, f"{name}, messages", "/s", runs, "rate")
    for name, runs in results.items():
        report.column(part, f"{name}, CPU of its process", "us/message", runs, "cpu_us")
    for name, runs in results.items() if memory else ():
        report.column(part, f"{name}, most memory", "MB", runs, "peak_mb")


def drain(setting, report, sizes, clock):
    """A full queue against a counting subscriber, and against the bridges that one would write oneself."""
    messages, few = sizes.drain, sizes.python
    contestants = {"bridge": lambda: run.bridge_drain(setting, messages)}
    if sizes.wants("drain"):
        contestants["counting subscriber"] = lambda: run.counter_drain(setting, messages)
        contestants["the same without Paho's trace"] = lambda: run.counter_drain(setting, messages, trace=False)
    if sizes.wants("peers"):
        contestants["plain C bridge"] = lambda: run.plain_c_drain(setting, messages)
        contestants["Python, psycopg"] = lambda: run.python_drain(setting, few, "psycopg")
        contestants["Python, psycopg2"] = lambda: run.python_drain(setting, few, "psycopg2")
    results = alternate(sizes.rounds, contestants, clock)
    part = f"drain: {messages:,} messages queued in the broker" + (f", {few:,} for Python" if sizes.wants("peers") else "")
    show(report, part, results)
    if sizes.wants("drain"):
        report.aim("drain", "drain: throughput, of the counting subscriber's", ratio(results, "bridge", "counting subscriber"), ">=", 0.90)
        report.aim("drain", "drain: CPU a message, of the counting subscriber's",
                   ratio(results, "bridge", "counting subscriber", "cpu_us"), "<=", 1.35)
    if sizes.wants("peers"):
        report.aim("peers", "drain: throughput, of the plain C bridge's", ratio(results, "bridge", "plain C bridge"), ">=", 0.95)
        faster = max(("Python, psycopg", "Python, psycopg2"), key=lambda name: median(results[name], "rate"))
        report.aim("peers", f"drain: throughput, of the faster Python script's ({faster.split()[1]})",
                   ratio(results, "bridge", faster), ">=", 5.5)


def live(setting, report, sizes, clock):
    """Publishing as fast as the broker takes it, while the contestant receives."""
    results = alternate(sizes.rounds, {"bridge": lambda: run.bridge_live(setting, sizes.drain),
                                       "counting subscriber": lambda: run.counter_live(setting, sizes.drain)}, clock)
    part = f"live: {sizes.drain:,} messages as fast as the broker takes them"
    show(report, part, results)
    everyone = results["bridge"] + results["counting subscriber"]
    report.figure(part, "load generator, of one processor", "", median(everyone, "load_busy"))
    report.aim("live", "live: throughput, of the counting subscriber's", ratio(results, "bridge", "counting subscriber"), ">=", 0.95)


def storing(setting, report, sizes, clock):
    """A full journal into the table, against COPY of the same rows from memory in batches of the same size."""
    messages = sizes.store
    journal = run.make_journal(setting, messages)
    results = alternate(sizes.rounds if sizes.quick else sizes.rounds + 2, {
        "bridge": lambda: run.bridge_store(setting, journal, messages),
        "COPY from memory": lambda: run.copy_store(setting, messages),
        "bridge, primary key": lambda: run.bridge_store(setting, journal, messages, key="device, time"),
        "COPY from memory, primary key": lambda: run.copy_store(setting, messages, key="device, time"),
    }, clock)
    shutil.rmtree(journal)
    part = f"storing: {messages:,} messages in the journal, batches of 10,000"
    show(report, part, results, memory=False)
    bridge_runs = results["bridge"]
    report.column(part, "bridge, from its start to the first commit", "s", bridge_runs, "start_s")
    report.aim("storing", "storing: rate, of COPY's from memory", ratio(results, "bridge", "COPY from memory"), ">=", 0.40)
    report.aim("storing", "storing: the same with a primary key",
               ratio(results, "bridge, primary key", "COPY from memory, primary key"), ">=", 0.90)


# --- delay -----------------------------------------------------------------------------------------


def delays_of(moves, start_us, rate):
    """For each message, how long after it was due its row could be seen by another connection: milliseconds, sorted."""
    delays, at = [], 0
    for seen_us, position in moves:
        delays += [(seen_us - start_us - number * 1e6 / rate) / 1e3 for number in range(at, position)]
        at = position
    return sorted(delays)


def delay_run(setting, rate, seconds, max_delay):
    messages = max(20, int(rate * seconds))
    broker = setting.broker()
    setting.fresh_table()
    bridge = run.Bridge(setting, broker.url, batch={"max_delay": max_delay}).start().ready()
    seen = run.watch(setting, messages, interval=500)
    loaded = run.load(setting, broker, messages, rate=rate).result()
    moves = run.moves_of(setting, seen, bridge)
    usage = bridge.stop()
    setting.check_rows(messages)
    bridge.remove()
    delays = delays_of(moves, loaded["start_us"], rate)
    if len(delays) != messages:
        raise WrongResult(f"{messages} messages, and {len(delays)} delays")
    return {"messages": messages, "median_ms": statistics.median(delays), "p99_ms": percentile(delays, 99),
            "longest_ms": delays[-1], "peak_mb": usage["peak_mb"], "load_busy": run.busy(loaded)}


def delay(setting, report, sizes, clock):
    """From publishing to visible, at three rates."""
    highest = max(figures["rate"] for figures in [run.bridge_live(setting, sizes.drain) for _ in range(1 if sizes.quick else 2)])
    fast = max(1000, int(highest * 0.8) // 1000 * 1000)
    cases = [(rate, seconds, max_delay) for rate, seconds in sizes.delay_rates(fast) for max_delay in ("100ms", "0ms")]
    results = {case: [] for case in cases}
    for round_number in range(sizes.delay_rounds):
        for case in cases:
            if not clock.over() or round_number == 0:
                results[case].append(delay_run(setting, *case))
    part = "delay: from when a message was due at the publisher to its row being visible"
    for (rate, _, max_delay), runs in results.items():
        report.runs(part, f"{rate}/s, max_delay {max_delay}", runs)
        report.column(part, f"{rate:,}/s, max_delay {max_delay}, median", "ms", runs, "median_ms")
        report.column(part, f"{rate:,}/s, max_delay {max_delay}, 99th percentile", "ms", runs, "p99_ms")
        if rate == 1000:
            report.aim("delay", f"delay: 99th percentile at 1,000/s, max_delay {max_delay}", median(runs, "p99_ms"), "<=",
                       150 if max_delay == "100ms" else 15, "ms")


# --- stages ----------------------------------------------------------------------------------------


def stages(setting, report, sizes, clock):
    """What each stage costs a message of 150 bytes."""
    runs = []
    for _ in range(1 if sizes.quick else 3):
        folder = os.path.join(setting.folder, "stages")
        runs.append(Program(setting, setting.program("stages"), "--directory", folder, "--milliseconds", sizes.stage_ms).result())
        shutil.rmtree(folder)
    part = "stages: one message of 150 bytes, seven columns"
    report.runs(part, "stages", runs)
    for name in runs[0]:
        if name != "use":
            what = "all from the record to the encoded row" if name == "all" else name
            report.column(part, what, "ns", runs, name)


if __name__ == "__main__":
    raise SystemExit("a module of tests/bench/run.py")
