"""What grows, and what that costs: rules, topics, payloads, the backlog, acknowledgments.

SPDX-License-Identifier: MIT
"""

import shutil

import contestants as run
from parts import alternate, ratio
from report import median


def many_rules(count):
    """The last of them is the one whose topic matches."""
    others = [{**run.RULE, "name": f"other{i}", "topic": f"other{i}/{{device}}/telemetry"} for i in range(count - 1)]
    return [*others, run.RULE]


def show(report, part, results):
    for name, runs in results.items():
        report.runs(part, name, runs)
        report.column(part, name, "/s", runs, "rate")


def rules(setting, report, sizes, clock):
    messages = sizes.growth
    journal = run.make_journal(setting, messages)
    counts = (1, 100) if sizes.quick else (1, 10, 100, 1000)
    results = alternate(sizes.rounds, {
        f"{count:,} rule{'s' if count > 1 else ''}": lambda count=count: run.bridge_store(setting, journal, messages, many_rules(count))
        for count in counts}, clock)
    shutil.rmtree(journal)
    part = f"growth: rules, {messages:,} messages out of the journal"
    show(report, part, results)
    most = f"{counts[-1]:,} rules"
    report.column(part, f"{most}, from its start to the first commit", "s", results[most], "start_s")
    report.aim("growth", f"growth: rate with {most}, of that with one", ratio(results, most, "1 rule"), ">=", 0.95)


def topics(setting, report, sizes, clock):
    messages = sizes.growth
    results = {}
    for count in (1, 1000, 100000):
        journal = run.make_journal(setting, messages, topics=count)
        results[f"{count:,} topics"] = [run.bridge_store(setting, journal, messages, topics=count)
                                        for _ in range(1 if sizes.quick else 2)]
        shutil.rmtree(journal)
    show(report, f"growth: topics, {messages:,} messages out of the journal", results)


def payloads(setting, report, sizes, clock):
    part = f"growth: payloads, up to {sizes.growth:,} messages out of the journal, three columns"
    for size in (50, 500, 5000, 50000):
        messages = max(200, min(sizes.growth, sizes.payload_bytes // size))
        journal = run.make_journal(setting, messages, payload=size)
        rule = {**run.RULE, "columns": run.SMALL_COLUMNS}
        runs = [run.bridge_store(setting, journal, messages, (rule,), run.SMALL_TABLE, batch={"max_rows": 1000})
                for _ in range(1 if sizes.quick else 2)]
        shutil.rmtree(journal)
        report.runs(part, f"{size} bytes", runs)
        report.column(part, f"{size:,} bytes ({messages:,} messages)", "/s", runs, "rate")
        report.figure(part, f"{size:,} bytes", "MB/s", median(runs, "rate") * size / 1e6)
        report.column(part, f"{size:,} bytes, most memory", "MB", runs, "peak_mb")


def backlog_journals(setting, report, sizes):
    """{messages: path} for those that the disk has room for."""
    journals = {}
    for messages in sizes.backlogs:
        needed = messages * 900 + (2 << 30)  # the journal, the table and its WAL
        if setting.free_bytes() < needed:
            report.note(f"backlog of {messages:,} not measured: it needs {needed >> 30} GB of disk in {setting.folder}")
            continue
        journals[messages] = run.make_journal(setting, messages)
    return journals


def backlog(setting, report, sizes, clock):
    """In batches of 1,000, so that the small one has ten of them; it runs twice before and after each of the others."""
    part = "growth: backlog in the journal, batches of 1,000"
    journals = backlog_journals(setting, report, sizes)
    small = min(journals)
    results = {messages: [] for messages in journals}

    def once(messages):
        results[messages].append(run.bridge_store(setting, journals[messages], messages, batch={"max_rows": 1000}))

    for round_number in range(sizes.rounds):
        for messages in journals:
            if messages == small or messages > 1000000 and round_number > 0:  # ten million are measured once
                continue
            for one in (small, small, messages, small, small):
                once(one)
    for messages, runs in results.items():
        shutil.rmtree(journals[messages])
        report.runs(part, f"{messages}", runs)
        report.column(part, f"{messages:,} messages", "/s", runs, "rate")
        report.column(part, f"{messages:,} messages, most memory", "MB", runs, "peak_mb")
        report.aim("growth", f"growth: most memory with a backlog of {messages:,}", max(one["peak_mb"] for one in runs), "<=", 64, "MB")
    large = max(journals)
    if large > small:
        report.aim("growth", f"growth: rate with a backlog of {large:,}, of that with {small:,}",
                   median(results[large], "rate") / median(results[small], "rate"), ">=", 0.95)


def acks(setting, report, sizes, clock):
    """A drain that is over when the last acknowledgment has arrived at a subscriber, against one without acknowledgments."""
    messages = sizes.acks
    results = alternate(sizes.rounds, {
        "without": lambda: run.bridge_drain(setting, messages),
        "acknowledgment for every message": lambda: run.bridge_drain(setting, messages, ({**run.RULE, "ack": run.ACK},), acks=True),
    }, clock)
    part = f"growth: acknowledgments, {messages:,} messages queued in the broker"
    show(report, part, results)
    report.column(part, "acknowledgment for every message, rows alone", "/s", results["acknowledgment for every message"],
                  "stored_rate")
    report.aim("growth", "growth: rate with an acknowledgment for every message, of that without",
               ratio(results, "acknowledgment for every message", "without"), ">=", 0.45)


def growth(setting, report, sizes, clock):
    for one in (rules, topics, payloads, acks, backlog):
        if sizes.wants_growth(one.__name__) and not clock.skip(f"growth: {one.__name__}"):
            one(setting, report, sizes, clock)


if __name__ == "__main__":
    raise SystemExit("a module of tests/bench/run.py")
