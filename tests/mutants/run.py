#!/usr/bin/python3
"""Breaks the program on purpose, one mechanism at a time, and says which tests notice: mutants.txt has what is broken.

  run.py [--jobs N] [--list | --check | --table] [NAME…]

Works in copies of the tree, never in the tree itself: a mutant's text is replaced, what changed is built again, the tests that must
notice are run, and the text is put back. Before that the same tests run on what is not broken, for a test that always fails
notices everything. A mutant counts as caught when each of its tests fails. --check only looks whether each text still stands in its file,
once, and whether tests/README.md has the list; --table writes it there. Last line: `N passed, N failed`; passed means caught.

SPDX-License-Identifier: MIT
"""

import argparse
import concurrent.futures
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIST = os.path.join(HERE, "mutants.txt")
README = os.path.join(ROOT, "tests", "README.md")
COPIED = ("Makefile", "src", "sql", "config", "docker", "tests", "README.md", "CHANGELOG.md")
TEST_SECONDS = 120  # each; run.py has limits of its own
QUIET_FLAGS = "CFLAGS=-w"  # a variable that is not used any more is no reason against a mutant


class Wrong(Exception):
    """What keeps a mutant from being tried."""


class Change:
    def __init__(self, file):
        self.file, self.old, self.new = file, [], []


class Mutant:
    def __init__(self, name, line):
        self.name, self.line, self.breaks, self.changes, self.tests = name, line, "", [], []

    @property
    def files(self):
        return list(dict.fromkeys(change.file for change in self.changes))

    def broken(self, root):
        """{file: its text with the change}; Wrong when a text does not stand there exactly once."""
        texts = {}
        for change in self.changes:
            try:
                text = texts.get(change.file) or read(os.path.join(root, change.file))
            except OSError:
                raise Wrong(f"{change.file} is not there") from None
            old, new = "\n".join(change.old), "\n".join(change.new)
            if not old or text.count(old) != 1:
                raise Wrong(f"{change.file} has the text {text.count(old) if old else 0} times, not once: {change.old[:1]}")
            texts[change.file] = text.replace(old, new)
        return texts


def read(path):
    with open(path) as file:
        return file.read()


def parse(path):
    """The mutants in the order of the list; its format stands at its top."""
    mutants = []
    for number, line in enumerate(read(path).split("\n"), 1):
        words = line.split(" ", 1)
        rest = words[1] if len(words) > 1 else ""
        if line.startswith("#") or not line.strip():
            continue
        if words[0] == "mutant":
            mutants.append(Mutant(rest.strip(), number))
            continue
        last = mutants[-1] if mutants else None
        if last and words[0] == "breaks":
            last.breaks += (" " if last.breaks else "") + rest.strip()
        elif last and words[0] == "file":
            last.changes.append(Change(rest.strip()))
        elif last and last.changes and words[0] in "-+":
            (last.changes[-1].old if words[0] == "-" else last.changes[-1].new).append(rest)
        elif last and words[0] == "caught-by":
            last.tests += rest.split()
        else:
            sys.exit(f"{path}:{number}: not understood: {line}")
    return mutants


def faults_of(mutants, known):
    """What is wrong with the list itself, a line each."""
    seen, told = set(), []
    for mutant in mutants:
        where = f"tests/mutants/mutants.txt:{mutant.line}: {mutant.name}"
        if mutant.name in seen:
            told.append(f"{where}: the name is there twice")
        seen.add(mutant.name)
        if not (mutant.breaks and mutant.changes and mutant.tests):
            told.append(f"{where}: \"breaks\", \"file\" or \"caught-by\" is missing")
        told += [f"{where}: no test \"{test}\"" for test in mutant.tests if test not in known]
        try:
            mutant.broken(ROOT)
        except Wrong as wrong:
            told.append(f"{where}: {wrong}")
    return told


def known_tests():
    """Every name that may stand behind "caught-by"."""
    known = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "tests/unit")):
        known |= {f"{os.path.basename(folder)}/{name[:-2]}" for name in files if re.fullmatch(r"test_\w+\.c", name)}
    folder = os.path.join(ROOT, "tests/integration")
    for name in os.listdir(folder):
        if re.fullmatch(r"test_\w+\.py", name):
            known |= {f"{name[5:-3]}:{test}" for test in re.findall(r"^def test_(\w+)\(", read(os.path.join(folder, name)), re.M)}
    return known


# --- a copy of the tree ---------------------------------------------------------------------------


class Tree:
    """A copy of the tree with what is built there; one mutant at a time."""

    def __init__(self, folder, model=None):
        self.folder, self.child = folder, None
        if model:
            shutil.copytree(model.folder, folder, symlinks=True)  # with its objects, and as old as they are
            return
        os.mkdir(folder)
        for name in COPIED:
            source, target = os.path.join(ROOT, name), os.path.join(folder, name)
            if os.path.isdir(source):
                shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            elif os.path.exists(source):
                shutil.copy2(source, target)

    def run(self, *command, seconds=900, **environment):
        """(exit code, output); a command that takes too long is ended with all its children."""
        ours = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        child = self.child = subprocess.Popen(command, cwd=self.folder, env={**ours, **environment}, text=True,
                                              errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                              stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return child.communicate(timeout=seconds)[0], child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGTERM)  # it stops its servers
            try:
                return child.communicate(timeout=20)[0], 1
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                return child.communicate()[0], 1

    def interrupt(self):
        if self.child and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)

    def make(self, *arguments):
        output, code = self.run("make", "FLAVOUR=test", "BUILD=build", *arguments)
        if code != 0:
            raise Wrong("does not build: " + " / ".join(output.strip().split("\n")[-3:]))

    def build(self, tests, *flags):
        self.make("-j2", "program", *flags)
        for unit in tests:
            if "/" in unit:
                self.make("units", f"T={unit}", *flags)

    def write(self, texts):
        for name, text in texts.items():
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(text)

    def failures(self, tests):
        """Those of the tests that fail here."""
        units = [test for test in tests if "/" in test]
        scenes = [test for test in tests if ":" in test]
        return self.failing_units(units) + (self.failing_scenes(scenes) if scenes else [])

    def failing_units(self, units):
        failed = []
        for unit in units:
            program = f"build/test/unit/{unit}"
            live = "LIVE_OR_RETURN" in read(os.path.join(self.folder, f"tests/unit/{unit}.c")) or "live" in unit
            server = ["tests/tools/with-postgres.sh"] if live else []
            output, _ = self.run(*server, "tests/tools/run-units.sh", "build/test", program, seconds=TEST_SECONDS, LIVE_TESTS="1",
                                 UNIT_SECONDS="60")
            counts = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
            if not counts:
                raise Wrong(f"{unit} could not be run: {output.strip()[-300:]}")
            if int(counts[-1][1]) > 0:
                failed.append(unit)
        return failed

    def failing_scenes(self, scenes):
        program = os.path.join(self.folder, "build/test/mqtt2pg")
        output, _ = self.run("python3", "tests/integration/run.py", *scenes, seconds=TEST_SECONDS * len(scenes), MQTT2PG=program, MQTT2PG_FAULTY=program)
        verdicts = dict(reversed(pair) for pair in re.findall(r"^(ok  |FAIL|skip) ([a-z_]+:\w+)", output, re.M))
        missing = [scene for scene in scenes if verdicts.get(scene, "skip") == "skip"]
        if missing:
            raise Wrong(f"{' '.join(missing)} did not run: {output.strip()[-300:]}")
        # The folders of tests that failed as they should.
        for kept in set(re.findall(r"its files: (\S+?/mqtt2pg-test-\w+)/", output)):
            shutil.rmtree(kept, ignore_errors=True)
        return [scene for scene in scenes if verdicts[scene] == "FAIL"]


# --- trying them ------------------------------------------------------------------------------------


class Trial:
    def __init__(self, trees):
        self.trees = queue.Queue()
        for tree in trees:
            self.trees.put(tree)
        self.lock = threading.Lock()

    def tell(self, line):
        with self.lock:
            print(line, flush=True)

    def unsound(self, tests):
        """Those of the tests that do not pass on what is not broken."""
        tree = self.trees.get()
        try:
            tree.build(tests)
            failed = tree.failures(tests)
        except Wrong as wrong:
            self.tell(f"FAIL what is not broken: {wrong}")
            failed = tests
        finally:
            self.trees.put(tree)
        return failed

    def attempt(self, mutant):
        """Whether all its tests notice."""
        start = time.monotonic()
        tree = self.trees.get()
        sound = {name: read(os.path.join(tree.folder, name)) for name in mutant.files}
        try:
            tree.write(mutant.broken(tree.folder))
            tree.build(mutant.tests, QUIET_FLAGS)
            failed = tree.failures(mutant.tests)
        except Wrong as wrong:
            self.tell(f"FAIL {mutant.name}: {wrong}")
            return False
        finally:
            tree.write(sound)
            self.trees.put(tree)
        survived = [test for test in mutant.tests if test not in failed]
        seconds = f"  {time.monotonic() - start:.0f} s"
        if survived:
            caught = f"; caught by {' '.join(failed)}" if failed else ""
            self.tell(f"FAIL {mutant.name}: survived {' '.join(survived)}{caught}{seconds}")
        else:
            self.tell(f"ok   {mutant.name}: caught by {' '.join(failed)}{seconds}")
        return not survived


def try_all(mutants, jobs, skip_sound):
    with tempfile.TemporaryDirectory(prefix="mqtt2pg-mutants-") as folder:
        os.chmod(folder, 0o755)  # servers run as somebody else
        first = Tree(os.path.join(folder, "1"))
        print("building what is not broken", flush=True)
        first.build([])
        trees = [first] + [Tree(os.path.join(folder, str(n)), first) for n in range(2, jobs + 1)]
        pool = concurrent.futures.ThreadPoolExecutor(jobs)
        try:
            return run_trial(Trial(trees), pool, mutants, 0 if skip_sound else jobs)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for tree in trees:  # after Ctrl-C: what runs stops its servers and ends
                tree.interrupt()
            pool.shutdown(wait=True)


def run_trial(trial, pool, mutants, parts):
    """How many are caught. The tests are tried on what is not broken in so many parts first; 0: not at all."""
    tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    unsound = set()
    if parts:
        print(f"{len(tests)} tests on what is not broken", flush=True)
        unsound = set(sum(pool.map(trial.unsound, [tests[n::parts] for n in range(parts)]), []))
    for mutant in mutants:
        if set(mutant.tests) & unsound:
            trial.tell(f"FAIL {mutant.name}: fails without it too: {' '.join(sorted(set(mutant.tests) & unsound))}")
    return sum(pool.map(trial.attempt, [mutant for mutant in mutants if not set(mutant.tests) & unsound]))


# --- the table in tests/README.md ---------------------------------------------------------------------

TABLE_HEAD = "| mutant | breaks | caught by |\n| --- | --- | --- |\n"


def table(mutants):
    return TABLE_HEAD + "".join(f"| `{mutant.name}` | {mutant.breaks} | {', '.join(f'`{test}`' for test in mutant.tests)} |\n"
                                for mutant in mutants)


def table_there():
    """(the page, the table in it)."""
    page = read(README)
    start = page.find(TABLE_HEAD)
    rows = page[start:].split("\n\n", 1)[0].rstrip("\n") + "\n"
    return page, rows if start >= 0 else ""


def write_table(mutants):
    page, there = table_there()
    with open(README, "w") as file:
        file.write(page.replace(there, table(mutants)) if there else page + "\n" + table(mutants))


def main():
    parser = argparse.ArgumentParser(description="breaks mqtt2pg on purpose, and looks which tests notice")
    parser.add_argument("names", nargs="*", help="names of mutants, or parts of them; all when none is given")
    parser.add_argument("--jobs", type=int, default=2, help="so many side by side, each in a tree of its own (2)")
    parser.add_argument("--check", action="store_true", help="only look whether the list fits the sources")
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument("--table", action="store_true", help="only write the table into tests/README.md")
    parser.add_argument("--no-baseline", action="store_true", help="leave out the run on what is not broken")
    options = parser.parse_args()
    mutants = parse(LIST)
    if options.table:
        write_table(mutants)
    faults = faults_of(mutants, known_tests())
    if table_there()[1] != table(mutants):
        faults.append("tests/README.md: its table of mutants is not that of mutants.txt: tests/mutants/run.py --table")
    if options.check or options.table or faults:
        print("\n".join(faults) if faults else f"{len(mutants)} mutants")
        return 1 if faults else 0
    exact = [mutant for mutant in mutants if mutant.name in options.names]
    chosen = exact or [mutant for mutant in mutants if not options.names or any(name in mutant.name for name in options.names)]
    if not chosen:
        sys.exit("run.py: no mutant of that name")
    if options.list:
        print("\n".join(f"{mutant.name}: {mutant.breaks}" for mutant in chosen))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = len(chosen)
    caught = try_all(chosen, max(1, min(options.jobs, wanted)), options.no_baseline)
    print(f"{caught} passed, {wanted - caught} failed")
    return 0 if caught == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
