"""Reads tests/data/mapping/*.cases and config/examples/*: rules, their tables, and what becomes of messages. The format stands in
tests/data/mapping/README.md.

SPDX-License-Identifier: MIT
"""

import json
import os
import re

ARROW = " → "
ANY = "…"
NAME = re.compile(r'\bname\s*=\s*"([^"]*)";(?=\s*(?:#.*\s*)*topic\b)')  # of a rule: its topic stands next
FATES = ("rejected:", "refused:", "filtered", "no rows", "stored", "unmatched")


class Number(str):
    """A JSON number with every digit."""

    def __repr__(self):
        return str(self)


class Members(dict):
    """A JSON object; which member comes first does not matter, that one stands there twice does."""

    @classmethod
    def of(cls, pairs):
        made = cls(pairs)
        return made if len(made) == len(pairs) else [list(pair) for pair in pairs]


DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number, object_pairs_hook=Members.of)


def read_json(text):
    return DECODER.decode(text)


def same(wanted, got):
    """Equal, "…" standing for anything but null."""
    if wanted == ANY:
        return got is not None
    if isinstance(wanted, dict) and isinstance(got, dict):
        return all(same(wanted.get(name), got.get(name)) for name in {*wanted, *got})
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(same, wanted, got))
    return type(wanted) is type(got) and wanted == got


def same_reason(rule, wanted, got):
    """Equal, or equal up to a "…" at the end. A reason begins with its rule's name, which the cases leave out."""
    if wanted is None or got is None:
        return wanted == got
    whole = f'rule "{rule}": {wanted}'
    return got.startswith(whole.removesuffix(ANY)) if whole.endswith(ANY) else got == whole


class Fate:
    """What becomes of a message under one rule: `kind` is a word of FATES or "rows"."""

    def __init__(self, text):
        self.text, self.rows, self.reason = text, [], None
        self.kind = next((word.rstrip(":") for word in FATES if text.startswith(word)), "rows")
        if self.kind in ("rejected", "refused"):
            self.reason = text.split(":", 1)[1].strip()
        elif self.kind == "rows":
            at = 0
            while at < len(text):
                row, at = DECODER.raw_decode(text, at)
                self.rows.append(row)
                at += len(text[at:]) - len(text[at:].lstrip())


class Case:
    """One message: `fates` has what its rules make of it, by name (None where one rule only can be meant)."""

    def __init__(self, block, line, fields):
        self.block, self.line, self.id = block, line, None
        self.topic, self.options = self.read_topic(fields[0])
        self.payload = b"" if fields[1] == "(empty)" else re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), fields[1].encode())
        self.fates = {}
        for field in fields[2:]:
            named = re.match(r"([a-z][\w-]*): (.*)", field) if not field.startswith(FATES) else None
            self.fates[named[1] if named else None] = Fate(named[2] if named else field)

    @staticmethod
    def read_topic(text):
        """a/b [qos 0] [content_type text/plain] [user unit=C] …"""
        topic, *options = re.split(r" \[", text)
        found = {}
        for option in options:
            name, _, value = option.rstrip("]").partition(" ")
            if name == "user":
                found.setdefault("user", []).append(tuple(value.split("=", 1)))
            else:
                found[name] = int(value) if name in ("qos", "expiry") else True if name == "retain" else value
        return topic, found

    @property
    def place(self):
        return f"{self.block.file}:{self.line}"


class Block:
    """Rules with their tables and cases."""

    def __init__(self, file, title):
        self.file, self.title, self.requires = file, title, None
        self.sql, self.rules, self.cases = "", "", []
        self.finally_ = {}  # table → rows

    def rule_parts(self):
        """(name, text) of each rule."""
        parts = NAME.split(self.rules)
        return list(zip(parts[1::2], parts[2::2]))

    def tables(self):
        """Rule → table, None for one with `sql`."""
        found = {name: re.search(r'\btable\s*=\s*"((?:[^"\\]|\\.)*)"', text) for name, text in self.rule_parts()}
        return {name: table and table.group(1).replace('\\"', '"') for name, table in found.items()}

    def add(self, line, text):
        fields = [field.strip() for field in text.split(ARROW)]
        self.cases.append(Case(self, line, fields))


def depth(text):
    """Braces that are still open, outside of texts."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|#.*', "", text)
    return bare.count("{") + bare.count("(") - bare.count("}") - bare.count(")")


def relative(path):
    return os.path.join(*path.split(os.sep)[-2:])


class Reader:
    """A file of blocks, line by line."""

    def __init__(self, path):
        self.path, self.blocks, self.part = relative(path), [], None
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.startswith("#"):
                    self.take(number, line.rstrip("\n"))

    def take(self, number, line):
        if line.startswith("== "):
            self.blocks.append(Block(self.path, line[3:]))
            self.part = "sql"
        elif self.part == "sql" and line.startswith("requires "):
            self.blocks[-1].requires = line.split()[1]
        elif self.part == "sql" and not line.startswith("{"):
            self.blocks[-1].sql += line + "\n"
        elif self.part in ("sql", "rules"):
            self.part = "rules"
            block = self.blocks[-1]
            block.rules += line + "\n"
            if depth(block.rules) == 0 and not line.endswith(","):
                self.part = "cases"
        elif line.startswith("finally "):
            table, _, rows = line[len("finally "):].partition(ARROW)
            self.blocks[-1].finally_[table] = Fate(rows).rows
        elif line.strip():
            assert ARROW in line, f"{self.path}:{number}: no case: {line}"
            self.blocks[-1].add(number, line)


def read_cases(path):
    return Reader(path).blocks


def read_example(path):
    """config/examples/NAME.cfg with NAME.sql and NAME.messages as one block."""
    base = path.removesuffix(".cfg")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    block = Block(relative(base + ".messages"), os.path.basename(base))
    block.rules = re.search(r"^rules = \($(.*)^\);$", text, re.MULTILINE | re.DOTALL).group(1)
    block.rules = block.rules.replace('descriptor = "', f'descriptor = "{os.path.dirname(path)}/')  # of the folder of the file
    if os.path.exists(base + ".sql"):
        with open(base + ".sql", encoding="utf-8") as file:
            block.sql = file.read()
    with open(base + ".messages", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("finally "):
                table, _, rows = line[len("finally "):].partition(ARROW)
                block.finally_[table] = Fate(rows.strip()).rows
            elif line.strip() and not line.startswith("#"):
                block.add(number, line)
    return block


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
