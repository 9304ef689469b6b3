"""An outage in fast motion: an hour of the database away, at 2,000 messages a second, is 7.2 million messages that wait.

In the suite it is 500,000; MQTT2PG_OUTAGE=7200000 tests/integration/run.py outage: runs the hour (some 2 GB of disk).

SPDX-License-Identifier: MIT
"""

import glob
import os
import subprocess
import time

from env import ROOT, limit
from scenes import NUMBERED_RULE, make_numbered

MESSAGES = int(os.environ.get("MQTT2PG_OUTAGE", "500000"))
SENDERS = ("a", "b", "c", "d")


def fill_journal(env, directory):
    """Builds tests/tools/fill_journal.c and lets it make the journal."""
    tool = os.path.join(env.run.folder, "fill_journal")
    if not os.path.exists(tool):
        sources = [os.path.join(ROOT, "tests/tools/fill_journal.c")]
        for folder in ("base", "core", "journal"):
            sources += glob.glob(os.path.join(ROOT, "src", folder, "*.c"))
        subprocess.run(["cc", "-std=c11", "-O2", "-pthread", "-D_GNU_SOURCE", "-I" + os.path.join(ROOT, "src"), *sources, "-lxxhash", "-lm",
                        "-o", tool], check=True)
    subprocess.run([tool, directory, str(MESSAGES), "200", *(env.topic(f"~/n/{who}") for who in SENDERS)], check=True)


@limit(120 + MESSAGES // 8000)
def test_journal_of_an_outage_drains(env):
    """Ready in under 2 seconds with all of it waiting, never above 64 MB, drained completely, each once and in order."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, start=False)
    started = time.monotonic()
    fill_journal(env, bridge.journal)
    filled = time.monotonic()
    size = sum(entry.stat().st_size for entry in os.scandir(bridge.journal) if entry.is_file())
    bridge.start(ready=False)
    bridge.wait_ready(2)
    ready = time.monotonic()
    env.wait(lambda: bridge.metric("journal_messages") == 0, 60 + MESSAGES // 10000,
             lambda: f"{bridge.metric('journal_messages'):.0f} messages still wait")
    drained = time.monotonic()
    peak = bridge.rss_peak_mb()
    assert env.patience > 1 or peak <= 64, f"{peak:.0f} MB"
    bridge.check_books()
    assert bridge.metric("messages_processed_total") == MESSAGES
    each = MESSAGES // len(SENDERS)
    assert env.admin("select topic, count(*), count(distinct n), min(n), max(n) from numbered group by topic order by topic") == [
        (who, each, each, 0, each - 1) for who in SENDERS]
    late = env.admin("select count(*) from (select n, lag(n) over (partition by topic order by id) as before from numbered) x "
                     "where n <> before + 1")
    assert late == [(0,)], f"{late} out of order"
    if "MQTT2PG_OUTAGE" in os.environ:
        print(f"     {MESSAGES} messages, {size >> 20} MB: made in {filled - started:.1f} s, ready after {ready - filled:.2f} s, "
              f"drained in {drained - ready:.1f} s ({MESSAGES / (drained - ready):,.0f} a second), peak {peak:.0f} MB")
