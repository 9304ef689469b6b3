#!/usr/bin/env python3
"""The tables of src/README.md, "Every file": one row a module, out of the first sentence of its header.

    map.py           fails and says so when a table is not what the headers say
    map.py --write   writes the tables

A folder's heading stands in src/README.md and is written by a person. A module without a header is a part of its
neighbours: its sentence stands at the top of its .c, "name: what it does". Where a file has no such comment, the row
that is there stays.

SPDX-License-Identifier: MIT
"""

import pathlib
import re
import sys

README = pathlib.Path("src/README.md")
COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
ROW = re.compile(r"^\| `([a-z]+/[a-z0-9_]+|main)` \| (.*) \|$")


def first_sentence(path, name):
    """What stands behind "name: " in the file's first comments, up to the first full stop; "" when nothing does."""
    for comment in COMMENT.findall(path.read_text()[:4000])[:2]:
        text = " ".join(re.sub(r"^\s*\*? ?", "", line) for line in comment.split("\n\n")[0].split("\n *\n")[0].splitlines())
        text = re.sub(r"\s+", " ", text).strip()
        if text.startswith(name + ": "):
            return re.split(r"\.(?= [A-Z]|$)", text[len(name) + 2:])[0]
    return ""


def modules(folder):
    """Name and sentence of each module of a folder, by name."""
    found = {}
    for path in sorted(pathlib.Path("src", folder).glob("*.[ch]"), key=lambda path: path.suffix != ".h"):
        sentence = first_sentence(path, path.stem)
        if path.stem not in found or not found[path.stem]:
            found[path.stem] = sentence
    return sorted(found.items())


def table(folder, old):
    rows = [f"| `{folder}/{name}` | {sentence or old.get(f'{folder}/{name}', '')} |" for name, sentence in modules(folder)]
    missing = [row for row in rows if row.endswith("|  |")]
    if missing:
        sys.exit("\n".join(f"no sentence says what this module is: {row}" for row in missing))
    return ["| module | job |", "| --- | --- |"] + rows


def generate(text):
    old = dict(match.groups() for match in map(ROW.match, text.splitlines()) if match)
    out, folder, seen = [], None, set()
    for line in text.splitlines():
        heading = re.match(r"### ([a-z]+)/", line)
        if line.startswith("#"):
            folder = None
        if folder and line.startswith("|"):
            continue
        out.append(line)
        if heading:
            folder = heading.group(1)
            seen.add(folder)
            out += [""] + table(folder, old)
    for path in pathlib.Path("src").iterdir():
        if path.is_dir() and path.name not in seen:
            sys.exit(f"src/README.md has no heading for {path}/")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out) + "\n")


def main():
    text = README.read_text()
    new = generate(text)
    if "--write" in sys.argv[1:]:
        if new != text:
            README.write_text(new)
    elif new != text:
        there = set(text.splitlines())
        print("\n".join(line for line in new.splitlines() if line not in there))
        sys.exit("src/README.md is not what the headers say: make map")


main()
