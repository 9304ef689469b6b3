"""A few rounds of the campaign (tests/chaos/), always the same ones: `make chaos` does hundreds of them.

SPDX-License-Identifier: MIT
"""

import os
import random
import sys

from env import ROOT, limit

sys.path.append(os.path.join(ROOT, "tests", "chaos"))

from checker import check  # noqa: E402
from disturbances import named, run_round  # noqa: E402
from world import World  # noqa: E402

SEED = int(os.environ.get("SEED") or 1)  # of what is left to chance: when
ROUNDS = (("rename a table away", "kill -9 PostgreSQL", "cut the broker's connections"),
          ("restart the broker", "kill -9 the bridge", "stall the database's connections, then cut"))


COPIES = (("reload twice", "rename the tables of both bridges away", "restart the broker"),
          ("reload", "kill -9 both bridges", "cut the broker's connections"))


def some_rounds(env, protocol, rounds=ROUNDS, broker="mosquitto"):
    world = World(env, random.Random(SEED), protocol, broker, small_disk=False).start()
    for names in rounds:
        run_round(world, named(names))
    findings = check(world)
    assert not findings.bad(), f"seed {SEED}: {findings.line()}\n     " + "\n     ".join(findings.words)


@limit(150)
def test_rounds_with_mqtt_5(env):
    some_rounds(env, "5")


@limit(150)
def test_rounds_with_mqtt_311(env):
    some_rounds(env, "3.1.1")


@limit(150)
def test_rounds_with_copies(env):
    """At a broker that sends a copy for each subscription."""
    some_rounds(env, "5", COPIES, "copies")
