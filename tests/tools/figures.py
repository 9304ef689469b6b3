#!/usr/bin/env python3
"""How the house stands, in figures: figures.py BUILD [--list] [--folders]

Prints one line a figure; fails when one is beyond its limit. --list names the places, --folders adds
asserts and comments folder by folder.

  call cycles    .c files that reach themselves through calls or shared data, by the symbols of BUILD/release
  asserts        assert() a function
  comments       lines of comment a line of code
  parameters     functions with more than 5
  columns        lines of more than 100

SPDX-License-Identifier: MIT
"""

import pathlib
import re
import subprocess
import sys

# Limits; a figure may only get better. Files that need each other by nature stand in KNOTS.
CYCLES_MAX = 0
ASSERTS_MIN = 0.35
COMMENTS_MIN = 0.21
PARAMETERS_MAX = 0
COLUMNS_MAX = 0
KNOTS = [{"src/row/convert", "src/row/convert_array"}]  # an array is converted element by element
# The signature of a callback that a library fixes: libmicrohttpd's MHD_AccessHandlerCallback has 8.
FIXED = {"src/admin/http_server.c: answer_request"}

COLUMNS, PARAMETERS = 100, 5
FUNCTION = re.compile(r"^(?!static const|typedef|enum [a-z_]+\n|struct [a-z_]+\n)[a-z][^;{}=#\"]*?\b([a-z_0-9]+)\(([^;{}]*)\)\n\{", re.M)


def symbols(objects):
    """Who defines each extern symbol, and what each file wants."""
    owner, wants = {}, {}
    for path in objects:
        name = path.split("/release/")[1][:-2]
        output = subprocess.run(["nm", "--extern-only", path], capture_output=True, text=True, check=True).stdout
        for line in output.splitlines():
            kind, symbol = line.split()[-2:]
            if kind == "U":
                wants.setdefault(name, set()).add(symbol)
            else:
                owner[symbol] = name
    return {name: {owner[symbol] for symbol in wanted if symbol in owner} - {name} for name, wanted in wants.items()}


def knots(graph):
    """The strongly connected parts with more than one file (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            part = set()
            while node not in part:
                part.add(stack.pop())
            if len(part) > 1:
                found.append(part)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def comment_lines(text):
    return sum(comment.count("\n") + 1 for comment in re.findall(r"/\*.*?\*/", text, re.S))


def print_folders(sources, functions):
    """Asserts a function and comments a line of code, for each folder of src/."""
    for folder in sorted({name.split("/")[1] for name in sources}):
        texts = [text for name, text in sources.items() if name.split("/")[1] == folder]
        count = sum(name.split("/")[1] == folder for name, _ in functions)
        asserts = sum(len(re.findall(r"\bassert\(", text)) for text in texts)
        comments = sum(map(comment_lines, texts))
        lines = sum(1 for text in texts for line in text.splitlines() if line.strip())
        print(f"    {folder:8} {asserts:3} asserts in {count:3} functions {asserts / max(count, 1):6.3f}, "
              f"{comments:4} lines of comment, {lines - comments:5} of code {comments / (lines - comments):6.3f}")


def main():
    build = sys.argv[1]
    sources = {str(path): path.read_text() for path in sorted(pathlib.Path("src").rglob("*.[ch]"))}
    objects = [f"{build}/release/{name[:-2]}.o" for name in sources if name.endswith(".c")]
    found = [knot for knot in knots(symbols(objects)) if knot not in KNOTS]
    functions = [(name, match) for name, text in sources.items() if name.endswith(".c") for match in FUNCTION.finditer(text)]
    asserts = sum(len(re.findall(r"\bassert\(", text)) for text in sources.values())
    comments = sum(comment_lines(text) for text in sources.values())
    lines = sum(1 for text in sources.values() for line in text.splitlines() if line.strip())
    many = [f"{name}: {match[1]}" for name, match in functions if match[2].count(",") >= PARAMETERS]
    many = [function for function in many if function not in FIXED]
    wide = [f"{name}:{number}" for name, text in sources.items() for number, line in enumerate(text.splitlines(), 1)
            if len(line) > COLUMNS]
    rows = [
        ("call cycles", sum(map(len, found)), "files in", len(found), "knots", sum(map(len, found)) <= CYCLES_MAX,
         [" ".join(sorted(knot)) for knot in found]),
        ("asserts", round(asserts / len(functions), 3), "a function of", len(functions), "", asserts / len(functions) >= ASSERTS_MIN, []),
        ("comments", round(comments / (lines - comments), 3), "a line of", lines - comments, "",
         comments / (lines - comments) >= COMMENTS_MIN, []),
        ("parameters", len(many), "functions with more than", PARAMETERS, "", len(many) <= PARAMETERS_MAX, many),
        ("columns", len(wide), "lines of more than", COLUMNS, "", len(wide) <= COLUMNS_MAX, wide),
    ]
    for name, figure, words, number, more, holds, places in rows:
        print(f"{name} {figure} {words} {number} {more}".rstrip() + ("" if holds else "  BEYOND ITS LIMIT"))
        if places and (not holds or "--list" in sys.argv):
            print("\n".join(f"    {place}" for place in places))
    if "--folders" in sys.argv:
        print_folders(sources, functions)
    sys.exit(0 if all(row[5] for row in rows) else 1)


main()
