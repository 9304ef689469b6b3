#!/usr/bin/env python3
"""Each relative link of a .md file leads to a file, each "#place" to a heading; each log line that
config/guide/troubleshooting.md quotes in a first column stands in src/.

SPDX-License-Identifier: MIT
"""

import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"\]\(([^)\s]+)\)")
TROUBLE = pathlib.Path("config/guide/troubleshooting.md")


def anchors(text):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path):
    for link in LINK.findall(path.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, place = link.partition("#")
        target = (path.parent / name) if name else path
        if not target.exists():
            yield f"{path}: {link} leads nowhere"
        elif place and target.suffix == ".md" and place not in anchors(target.read_text()):
            yield f"{path}: {link}: no such heading"


def unknown_lines(path):
    """The words of a quoted log line, up to a "…", each stand in some source."""
    source = " ".join(file.read_text() for file in pathlib.Path("src").rglob("*.[ch]"))
    source = re.sub(r'"\s*\n?\s*"', "", source)
    for quoted in re.findall(r"^\| `([^`]+)`", path.read_text(), re.M):
        for part in quoted.split("…"):
            if part.strip() and part.strip() not in source:
                yield f"{path}: no source says `{part.strip()}`"


def main():
    files = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout.split()
    pages = [pathlib.Path(name) for name in files if pathlib.Path(name).exists()]
    problems = [problem for page in pages for problem in broken_links(page)]
    if TROUBLE.exists():
        problems += unknown_lines(TROUBLE)
    if problems:
        sys.exit("\n".join(problems))


main()
