#!/usr/bin/env python3
"""Each relative link of a .md file leads to a file, each "#place" to a heading; each log line that
config/guide/troubleshooting.md quotes in a first column stands in src/, and each warning and error of src/ is
quoted there.

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


def read_source():
    """All of src/, with literals that go on in the next line put together."""
    source = " ".join(file.read_text() for file in pathlib.Path("src").rglob("*.c"))
    return re.sub(r'(?<!\\)"\s*\n\s*"', "", source)


def quoted_parts(path):
    """The words of the quoted log lines, up to a "…"."""
    quoted = re.findall(r"^\| `([^`]+)`", path.read_text(), re.M)
    return [part.strip() for line in quoted for part in line.split("…") if part.strip()]


def unknown_lines(path, source):
    for part in quoted_parts(path):
        if part not in source.replace('\\"', '"'):
            yield f"{path}: no source says `{part}`"


def untold_lines(path, source):
    """Warnings and errors that the page does not quote. The key of a state (log_warn_state("journal", …)) is no message."""
    parts = quoted_parts(path)
    literal = r'[^";]*"((?:[^"\\]|\\.)*)"'
    for state, first, second in re.findall(rf'\blog_(?:error|warn)(_\w+)?\({literal}(?:{literal})?', source):
        message = (second if state and " " not in first else first).replace('\\"', '"')
        if not any(part in message for part in parts):
            yield f"{path}: does not quote `{message}`"


def main():
    files = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout.split()
    pages = [pathlib.Path(name) for name in files if pathlib.Path(name).exists()]
    problems = [problem for page in pages for problem in broken_links(page)]
    if TROUBLE.exists():
        source = read_source()
        problems += [*unknown_lines(TROUBLE, source), *untold_lines(TROUBLE, source)]
    if problems:
        sys.exit("\n".join(problems))


main()
