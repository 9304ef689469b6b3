#!/usr/bin/env python3
"""config/guide/metrics.md, out of src/base/metrics.def: metrics-page.py [--write]; without it, fails when they differ.

SPDX-License-Identifier: MIT
"""

import pathlib
import re
import sys

PAGE = pathlib.Path("config/guide/metrics.md")
ROW = re.compile(r'^(METRIC|RULE_METRIC|HISTOGRAM)\((.*?)\)\s*$', re.M)
HEAD = """# Metrics

All metrics of `/metrics`, with the prefix `mqtt2pg_`. Generated from [src/base/metrics.def](../../src/base/metrics.def); `make map` writes
this page. A metric with the label `rule` has one series for each rule. Sizes are in bytes, times in seconds.

The books balance at any quiet moment: received = duplicate + journaled; journaled + waiting at start = processed + waiting; for each
rule matched = stored + filtered + rejected.

| metric | type | labels | is |
| --- | --- | --- | --- |
"""


def fields(text):
    return [field.strip() for field in re.findall(r'\s*("(?:[^"\\]|\\.)*"|[^,"]+)', text) if field.strip()]


def rows():
    """One row a name: what differs by the value of a label stands in one family."""
    families = {}
    for kind, text in ROW.findall(pathlib.Path("src/base/metrics.def").read_text()):
        parts = [part.strip('"') for part in fields(text)]
        name, words = parts[1], parts[-1]
        if kind == "METRIC":
            families[name] = [parts[2].lower(), "", [], words]
        elif kind == "HISTOGRAM":
            families[name] = ["histogram", "", [], words]
        else:
            gauge = not name.endswith("_total")
            family = families.setdefault(name, ["gauge" if gauge else "counter", parts[2], [], words])
            family[2] += [parts[3]] if parts[3] != "NULL" else []
    for name, (kind, label, values, words) in families.items():
        labels = "`rule`" if label == "NULL" or values else ""
        if values:
            labels += f", `{label}`: " + ", ".join(f"`{value}`" for value in values)
        yield f"| `{name}` | {kind} | {labels} | {words} |"
    yield "| `build_info` | gauge | `version` | Always 1; the label is the version. |"


def main():
    page = HEAD + "\n".join(rows()) + "\n"
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page)
    elif PAGE.read_text() != page:
        sys.exit("config/guide/metrics.md is not what src/base/metrics.def says: make map")


main()
