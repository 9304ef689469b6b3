#!/usr/bin/python3
"""Runs the integration tests: each function test_*(env) of tests/integration/test_*.py against a real PostgreSQL and Mosquitto.

  run.py [-v] [--quick] [--keep] [--jobs N] [--binary PATH] [--list] [NAME…]

A NAME selects tests whose "file:function" contains it (`crash`, `crash:kill9`). The program under test is --binary, else
$MQTT2PG, else build/test/mqtt2pg; tests that kill it at named points use $MQTT2PG_FAULTY, else build/test/mqtt2pg.
Last line: `N passed, N failed`; "N N" goes to the file $COUNTS_FILE, and the exit code is not 0 when a test failed.
TRIES=2 in the environment gives a test that failed a second try, and says so. tests/README.md says more.

SPDX-License-Identifier: MIT
"""

import argparse
import functools
import glob
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True  # nothing of ours in the tree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

try:
    import paho.mqtt.client  # noqa: F401 pylint: disable=unused-import
    import psycopg2  # noqa: F401 pylint: disable=unused-import
except ImportError as problem:
    # Another python3 than Debian's is first on the PATH: the packages belong to Debian's.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3") and "MQTT2PG_REEXEC" not in os.environ:
        os.environ["MQTT2PG_REEXEC"] = "1"
        os.execv("/usr/bin/python3", ["/usr/bin/python3", os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit(f"run.py: {problem}; the Debian packages python3-psycopg2 and python3-paho-mqtt have it (make deps)")

from env import ROOT, Env, Run, Skip  # noqa: E402
from servers import find_program, remove  # noqa: E402

LIMIT_SECONDS = 60
NUMBER_BYTES = 4
AGAIN = 10 ** NUMBER_BYTES  # added to a test's number when it runs once more


class TooLong(Exception):
    pass


def out_of_time(*_):
    raise TooLong("the time limit is over")


def stop_asked(*_):
    raise KeyboardInterrupt


@functools.lru_cache(maxsize=None)
def text_of_theme(theme):
    try:
        with open(os.path.join(HERE, f"test_{theme}.py")) as file:
            return file.read()
    except OSError:
        return ""


def chosen(word, full):
    """A word is a theme ("crash") or part of a full name ("crash:kill", "kill_nine"); a full name means that test alone."""
    theme = full.split(":")[0]
    theme_of_word, _, test_of_word = word.partition(":")
    if f"def test_{test_of_word}(" in text_of_theme(theme_of_word):
        return word == full
    return word == theme or (word in full and not os.path.exists(os.path.join(HERE, f"test_{word}.py")))


def find_tests(words, only_quick):
    """(name, function) of the chosen tests, file by file, in the order in which they stand there."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        theme = os.path.basename(path)[len("test_"):-len(".py")]
        module = importlib.import_module("test_" + theme)
        functions = [(name, value) for name, value in vars(module).items()
                     if name.startswith("test_") and callable(value) and value.__module__ == module.__name__]
        for name, function in sorted(functions, key=lambda item: item[1].__code__.co_firstlineno):
            full = f"{theme}:{name[len('test_'):]}"
            if (not words or any(chosen(word, full) for word in words)) and (not only_quick or getattr(function, "quick", False)):
                found.append((full, function))
    return found


def tail(path, lines):
    try:
        with open(path, errors="replace") as file:
            return file.read().splitlines()[-lines:]
    except OSError:
        return []


def explain_failure(env, error, verbose):
    """What went wrong, where in the test, and the end of each bridge's log."""
    where = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.basename(frame.filename).startswith("test_")]
    at = f" ({os.path.basename(where[-1].filename)}:{where[-1].lineno}: {where[-1].line})" if where else ""
    print(f"     {type(error).__name__}: {error}{at}")
    if verbose or not isinstance(error, (AssertionError, TooLong)):
        print("     " + "     ".join(traceback.format_exception(type(error), error, error.__traceback__)[-4:]))
    for bridge in env.bridges if env else []:
        for line in tail(bridge.log_file, 60 if verbose else 12):
            print(f"     {bridge.name}| {line}")


def tell_counts(passed, failed, before=""):
    print(f"{before}{passed} passed, {failed} failed", flush=True)
    if os.environ.get("COUNTS_FILE"):
        with open(os.environ["COUNTS_FILE"], "w") as file:
            file.write(f"{passed} {failed}\n")


def longest_first(tests):
    """A long test that begins last is what all the others wait for."""
    return sorted(tests, key=lambda test: -getattr(test[1], "limit", LIMIT_SECONDS))


def taken_from(queue, tests):
    """The tests that this part gets: the queue is a pipe that all parts read, a number of four digits for each test."""
    while word := os.read(queue, NUMBER_BYTES):
        yield int(word) + 1, tests[int(word)]


def run_parts(jobs, count):
    """Most tests wait most of the time: runs of their own, each with its own servers, take one test after the other from one queue."""
    children, passed, failed = [], 0, 0
    numbers, queue = os.pipe()
    os.write(queue, b"".join(b"%0*d" % (NUMBER_BYTES, number) for number in range(count)))  # far less than a pipe holds
    os.close(queue)
    with tempfile.TemporaryDirectory() as folder:
        for part in range(jobs):
            counts = os.path.join(folder, str(part))
            command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--part", str(numbers)]
            children.append((subprocess.Popen(command, env={**os.environ, "COUNTS_FILE": counts}, pass_fds=(numbers,)), counts))
        os.close(numbers)
        try:
            for child, _ in children:
                child.wait()
        except KeyboardInterrupt:  # they got it too, and clean up
            for child, _ in children:
                child.wait()
        for child, counts in children:
            good, bad = (int(word) for word in (tail(counts, 1) or ["0 1"])[0].split())
            passed, failed = passed + good, failed + (bad or (1 if child.returncode else 0))
    tell_counts(passed, failed)
    return 1 if failed else 0


class Runner:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.failed, self.skipped, self.passed, self.kept = [], [], 0, False
        self.servers = None

    def run_one(self, number, name, function):
        """False: it failed."""
        start = time.monotonic()
        env, error = None, None
        signal.alarm(int(getattr(function, "limit", LIMIT_SECONDS) * self.options.patience))
        try:
            env = Env(self.servers, name.replace(":", "-"), number)
            function(env)
        except Skip as skip:
            signal.alarm(0)
            self.skipped.append(f"{name}: {skip}")
            print(f"skip {name}: {skip}")
        except Exception as failure:  # pylint: disable=broad-except
            error = failure
        finally:
            signal.alarm(0)
        seconds = time.monotonic() - start
        if error:
            print(f"FAIL {name}  {seconds:.1f} s")
            explain_failure(env, error, self.options.verbose)
            print(f"     its files: {env.folder if env else self.folder}")
        elif not (self.skipped and self.skipped[-1].startswith(name + ":")):
            self.passed += 1
            print(f"ok   {name}  {seconds:.1f} s")
        if env:
            env.close()
            if not error and not self.options.keep:
                remove(env.folder)
        sys.stdout.flush()
        return not error

    def run_all(self, tests):
        self.servers = Run(self.folder, self.options.binary, self.options.faulty, self.options.patience)
        twice = int(os.environ.get("TRIES", "1")) > 1
        try:
            self.servers.start()
            for number, (name, function) in tests:
                if self.run_one(number, name, function):
                    continue
                if twice and self.run_one(AGAIN + number, name + "-again", function):
                    print(f"passed at the second try: {name}", flush=True)
                else:
                    self.failed.append(name)
        finally:
            self.servers.stop()

    def summary(self):
        if self.skipped:
            print(f"{len(self.skipped)} skipped: " + "; ".join(self.skipped))
        if self.failed:
            print("failed: " + " ".join(self.failed))
        tell_counts(self.passed, len(self.failed), "part: " if self.options.part else "")


def parse_options():
    parser = argparse.ArgumentParser(description="mqtt2pg's integration tests")
    parser.add_argument("names", nargs="*", help="parts of names of tests; all when none is given")
    parser.add_argument("--quick", action="store_true", help="the subset for sanitizer runs")
    parser.add_argument("--binary", default=os.environ.get("MQTT2PG") or os.path.join(ROOT, "build/test/mqtt2pg"))
    parser.add_argument("--keep", action="store_true", help="keep the folders of tests that passed")
    parser.add_argument("--jobs", type=int, default=1, help="so many runs side by side")
    parser.add_argument("--part", default="", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="only list the tests")
    parser.add_argument("-v", "--verbose", action="store_true", help="longer logs of failures")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    options.faulty = os.path.abspath(os.environ.get("MQTT2PG_FAULTY") or os.path.join(ROOT, "build/test/mqtt2pg"))
    # A program under instruments is slower: every limit and every wait is longer.
    options.patience = 5 if any(name in options.binary for name in ("/asan/", "/tsan/", "/cover/")) else 1
    return options


def main():
    options = parse_options()
    tests = find_tests(options.names, options.quick)
    if options.list:
        print("\n".join(f"{name}{'  (quick)' if getattr(function, 'quick', False) else ''}" for name, function in tests))
        return 0
    if not tests:
        sys.exit("run.py: no test of that name")
    if options.jobs > 1 and not options.part and len(tests) > 1:
        return run_parts(min(options.jobs, len(tests)), len(tests))
    tests = taken_from(int(options.part), longest_first(tests)) if options.part else enumerate(tests, 1)
    for program in ("postgres", "initdb", "mosquitto"):
        if not find_program(program):
            sys.exit(f"run.py: {program} is not installed (make deps)")
    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, stop_asked)
    folder = tempfile.mkdtemp(prefix="mqtt2pg-test-", dir=None if len(tempfile.gettempdir()) < 40 else "/tmp")
    os.chmod(folder, 0o755)
    runner = Runner(options, folder)
    interrupted = False
    try:
        runner.run_all(tests)
    except KeyboardInterrupt:
        interrupted = True
        print("interrupted")
    runner.summary()
    if not (runner.failed or options.keep):
        remove(folder)
    return 1 if runner.failed or interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
