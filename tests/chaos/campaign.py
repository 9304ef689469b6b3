#!/usr/bin/python3
"""The campaign: random disturbances under load, and the proof that nothing was lost and nothing stored twice.

  campaign.py [--rounds N] [--seed N] [--keep] [--binary PATH] [--protocol 5|3.1.1] [--broker NAME]

A round is one to three disturbances at once, about 2 seconds. After ROUNDS_OF_A_LEG rounds the disturbances end and everything
is checked; the next leg begins with another protocol, other settings and an empty database. Each third leg has a broker that sends
a copy of a message for each subscription. The last line says what became of all messages; the exit code is 0 when none was lost,
twice or out of order. tests/README.md says more.

SPDX-License-Identifier: MIT
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing of ours in the tree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

from checker import Findings, check  # noqa: E402
from disturbances import LAST, named, run_round  # noqa: E402
from env import ROOT, Env, Run  # noqa: E402
from servers import remove  # noqa: E402
from world import BROKERS, World  # noqa: E402

ROUNDS = 120
ROUNDS_OF_A_LEG = 25
PROTOCOLS = ("5", "3.1.1")


def broker_of(leg):
    """Both protocols meet both brokers."""
    return "copies" if leg % 3 == 0 else "mosquitto"


def chance_of(seed, leg):
    """Each leg's own, so that it does what it does whatever the legs before it did."""
    return random.Random(f"{seed}/{leg}")


def run_leg(world, rounds, say):
    """So many rounds, then quiet, then the proof."""
    world.start()
    for number in range(1, rounds + 1):
        try:
            words = run_round(world, named([LAST]) if number == rounds else None)
        except (AssertionError, RuntimeError) as error:  # a server or the bridge did not do what it was told
            findings = Findings()
            findings.add("other", f"round {number}", [str(error)])
            return findings
        say(f"{number}/{rounds}: {words}  ({world.accepted()} accepted)")
        if world.troubles:
            break
    world.note("quiet")
    return check(world)


def explain(world, findings, seed):
    """What a person needs who wants to know why."""
    print(f"FAILED, seed {seed}, mqtt {world.protocol}, {world.broker.name}: {findings.line()}")
    for words in findings.words:
        print("     " + words)
    world.timeline.flush()
    with open(os.path.join(world.env.folder, "timeline")) as file:
        for line in file.read().splitlines()[-60:]:
            print("     " + line)
    for bridge in (world.bridge, world.other):
        for line in bridge.log().splitlines()[-15:]:
            print(f"     {bridge.name}| {line}")
    print(f"     timeline, configuration, journal, logs: {world.env.folder}; servers' data: {world.env.run.folder}", flush=True)


def run_legs(servers, options, total):
    """Leg after leg, until one fails. Returns whether all were well, and how many rounds there were."""
    done, leg = 0, options.leg - 1
    while done < options.rounds:
        leg += 1
        rounds = min(ROUNDS_OF_A_LEG, options.rounds - done, max(1, options.rounds // 2))
        protocol = options.protocol or PROTOCOLS[(leg - 1) % 2]
        broker = options.broker or broker_of(leg)
        env = Env(servers, f"leg{leg}", leg)
        try:
            world = World(env, chance_of(options.seed, leg), protocol, broker)
            findings = run_leg(world, rounds, lambda text, leg=leg, broker=broker:
                               print(f"leg {leg}, mqtt {protocol}, {broker}, {text}", flush=True))
            total.merge(findings)
            done += rounds
            if findings.bad():
                explain(world, findings, options.seed)
                return False, done
            print(f"leg {leg}: {findings.line()}", flush=True)
        finally:
            env.close()
        if not options.keep:
            remove(env.folder)
    return True, done


def parse_options():
    parser = argparse.ArgumentParser(description="mqtt2pg's campaign of random disturbances")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or ROUNDS))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 0) or random.SystemRandom().randrange(1, 1 << 31))
    parser.add_argument("--leg", type=int, default=1, help="begin with this one")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="only this one; else by turns")
    parser.add_argument("--broker", choices=BROKERS, help="only this one; else mosquitto, and each third leg the other")
    # The test build asserts its invariants.
    parser.add_argument("--binary", default=os.environ.get("MQTT2PG") or os.path.join(ROOT, "build/test/mqtt2pg"))
    parser.add_argument("--keep", action="store_true", help="keep the folders also when all is well")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    return options


def stop_asked(*_):
    raise KeyboardInterrupt


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, stop_asked)
    print(f"{options.rounds} rounds, seed {options.seed} (again: make chaos SEED={options.seed} ROUNDS={options.rounds})", flush=True)
    patience = 5 if any(name in options.binary for name in ("/asan/", "/tsan/")) else 1
    folder = tempfile.mkdtemp(prefix="mqtt2pg-chaos-", dir=None if len(tempfile.gettempdir()) < 40 else "/tmp")
    os.chmod(folder, 0o755)
    start, total, well, done = time.monotonic(), Findings(), False, 0
    servers = Run(folder, options.binary, options.binary, patience)
    try:
        servers.start()
        well, done = run_legs(servers, options, total)
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        servers.stop()
    if well and not options.keep:
        remove(folder)
    print(f"{done} rounds, seed {options.seed}, {time.monotonic() - start:.0f} s: {total.line()}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
