"""row/ against the real server: what it encodes, in binary and in text, is what PostgreSQL itself reads.

tests/tools/encode_rows.c turns JSON values into two COPY streams; both go into a table and are compared with each other and with
`select 'text'::type`.

SPDX-License-Identifier: MIT
"""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta

from env import limit, quick

SEED = int(os.environ.get("ENCODERS_SEED", "1"))
COUNT = int(os.environ.get("ENCODERS_COUNT", "2000"))

REJECT = object()
SAME = object()  # the server's own reading of the same text is the expectation

def encode_rows(env):
    """tests/tools/encode_rows.c in the flavour that is tested."""
    return os.path.join(os.path.dirname(env.faulty), "encode_rows")


def unescape(field):
    """A field of COPY's text form."""
    out, at = [], 0
    while at < len(field):
        if field[at] == "\\":
            at += 1
            out.append({"t": "\t", "n": "\n", "r": "\r"}.get(field[at], field[at]))
        else:
            out.append(field[at])
        at += 1
    return "".join(out)


class Encoded:
    """One type's values, through row/ and through the server."""

    def __init__(self, env, type_name, lines, column=None):
        """`column` is the table's type where that is not `type_name` (a domain)."""
        self.cursor = env.pg.cursor()
        files = [os.path.join(env.folder, name) for name in ("binary", "text")]
        result = subprocess.run([encode_rows(env), type_name, *files], input="\n".join(lines) + "\n", capture_output=True, text=True,
                                check=False, env={**os.environ, "TZ": "UTC"})
        assert result.returncode == 0, f"{type_name}: {result.stderr[-2000:]}"
        self.outcomes = [line.split("\t", 1) for line in result.stdout.split("\n")[:-1]]
        assert len(self.outcomes) == len(lines), f"{type_name}: {len(self.outcomes)} answers to {len(lines)} values"
        with open(files[1], encoding="utf-8", newline="\n") as text:
            rows = [line.split("\t", 1) for line in text.read().split("\n")[:-1]]
        self.texts = {int(n): None if v == "\\N" else unescape(v) for n, v in rows}
        self.cursor.execute("set datestyle = 'iso, ymd'; set timezone = 'UTC'; set intervalstyle = 'postgres'")
        self.has_binary = os.path.getsize(files[0]) > 0
        self.server = self._copy(column or type_name, files[1], "text")
        if self.has_binary:
            binary = self._copy(column or type_name, files[0], "binary")
            different = [(lines[n - 1], text, binary.get(n)) for n, text in self.server.items() if binary.get(n, "") != text]
            assert not different and len(binary) == len(self.server), f"{type_name}: text and binary differ: {different[:5]}"

    def _copy(self, column, path, form):
        """Puts the file into a table and reads n and v as text back; format() uses the type's output function, a cast need not."""
        self.cursor.execute(f"drop table if exists encoded; create table encoded (n int, v {column})")
        with open(path, "rb") as file:
            self.cursor.copy_expert(f"copy encoded from stdin (format {form})", file)
        self.cursor.execute("select n, case when v is not null then format('%s', v) end from encoded order by n")
        return dict(self.cursor.fetchall())

    def expectations(self, type_name, texts):
        """What the server makes of each text, None where it refuses."""
        self.cursor.execute("""
            create or replace function reading(input text, type_name text) returns text language plpgsql as $$
            declare output text;
            begin
                if input is null then return null; end if;
                execute format('select format(''%%s'', %L::%s)', input, type_name) into output;
                return output;
            exception when others then return 'refused: ' || sqlerrm;
            end $$""")
        self.cursor.execute("select reading(t, %s) from unnest(%s::text[]) with ordinality as _(t, n) order by n", (type_name, texts))
        return [row[0] for row in self.cursor.fetchall()]


def check(env, type_name, cases, shown=True, column=None):
    """
    Cases: (line for encode_rows or a list, what the server reads instead, or SAME or REJECT). `shown`: the text that row/ writes is also
    what the server prints.
    """
    lines = [value if isinstance(value, str) else json.dumps(value) for value, _ in cases]
    encoded = Encoded(env, type_name, lines, column)
    wanted = [json.loads(line) if expected is SAME else None if expected is REJECT else expected for line, (_, expected) in
              zip(lines, cases)]
    wanted = encoded.expectations(column or type_name, [w if w is None or isinstance(w, str) else json.dumps(w) for w in wanted])
    wrong = []
    for n, (line, (_, expected), (outcome, detail), text) in enumerate(zip(lines, cases, encoded.outcomes, wanted), 1):
        if expected is REJECT:
            if outcome != "reject" or not detail.startswith('column "v" ('):
                wrong.append(f"{line}: {outcome} {detail}, not a reason")
        elif outcome != "ok":
            wrong.append(f"{line}: {outcome} {detail}, not {text}")
        elif encoded.server[n] != text:
            wrong.append(f"{line}: the server got {encoded.server[n]}, not {text}")
        elif shown and encoded.texts[n] != text:
            wrong.append(f"{line}: written as {encoded.texts[n]}, shown as {text}")
    assert not wrong, f"{type_name}:\n" + "\n".join(w[:400] for w in wrong[:20])


def same(*values):
    """Values that the server reads alike from their text."""
    return [(json.dumps(value), SAME) for value in values]


def rejects(*values):
    return [(json.dumps(value), REJECT) for value in values]


# --- tables of cases

@quick
def test_integers(env):
    for name, bits in (("smallint", 16), ("integer", 32), ("bigint", 64)):
        low, high = -2 ** (bits - 1), 2 ** (bits - 1) - 1
        check(env, name, [
            *same(0, 1, -1, low, high, str(low), str(high), " 12 ", "+7", "-007"),
            ("21.0", "21"), ("2.1e1", "21"), ("2100e-2", "21"), ("-0", "0"), ("0e999999999999", "0"), ('"1e3"', "1000"), ("null", None),
            *rejects(low - 1, high + 1, "x", "", "1 2", "0x10", True, 1.5, "1.5", [1], {"a": 1}, "NaN"),
            ("1e400", REJECT), ("-1e-400", REJECT), ("0.0000000000000000001", REJECT), ("@time 5", REJECT), ("@bytes 31", REJECT)])
    check(env, "bigint", [(str(2 ** 53 + 1), str(2 ** 53 + 1)), ("1732332570123456789", "1732332570123456789"),
                          ("9223372036854775807.0", "9223372036854775807"), ("-9223372036854775.808e3", "-9223372036854775808"),
                          ("9223372036854775808", REJECT), ("92233720368547758070e-1", "9223372036854775807"),
                          ("1" * 40, REJECT), ("0" + "." + "0" * 2000, "0")])


@quick
def test_floats(env):
    common = same(0, 1, -1, 0.1, "-0", "NaN", "nan", "Infinity", "-Infinity", "inf", "-inf", "+Infinity", " 1.5 ", ".5", "5.", "1e-3", "+1e3")
    common += [("-0", "-0"), ("-0.0", "-0"), ("1E5", "100000"), *rejects("x", "", "0x1p3", "1_000", True, [1.0], {}, "1 2")]
    check(env, "float8", common + [
        (text, text) for text in (
            "1.7976931348623157e308", "-1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "9007199254740993", "123456789012345678",
            "0.1000000000000000055511151231257827", "1e15", "1e14", "123456789012345.6", "1e-4", "1e-5", "100000000000000000000000",
            "179769313486231580793728971405301e276", "2.2250738585072011e-308", "1e23", "8.5e22", "3" * 400 + "e-399", "0." + "1" * 1000)
    ] + rejects("1e309", "1e-400") + [("1e309", REJECT), ("-1e400", REJECT), ("1e-324", REJECT), ("0e5000", "0")])
    check(env, "real", common + [
        (text, text) for text in ("3.4028235e38", "1.17549435e-38", "1e-45", "16777217", "0.3", "1e6", "999999", "1e5", "7.038531e-26",
                                  "1.00000017881393432617187499", "1.00000017881393432617187500", "1.00000017881393432617187501")
    ] + [("3.4028236e38", REJECT), ("1e39", REJECT), ("1e-46", REJECT)])


@quick
def test_numeric(env):
    long = "".join(str(i % 10) for i in range(1, 1001))
    check(env, "numeric", [
        *same("0.1", "-0.10", "NaN", "Infinity", "-Infinity", "+007.50", ".5", "5.", "1e-3", "1.5E+3", " 12 ", "-0", "00", "-.0"),
        *[(text, text) for text in (
            "0", "-1", "0.1", "0.10", "1e30", "1.5e-10", "123456789012345678901234567890", "-0.000000000000000000000000000001", long,
            "0." + long, long + "." + long, "9" * 131072, "0." + "0" * 16382 + "1", "1e131071", "1e-16383", "10000", "9999.9999", "10000.0001",
            "-0", "-0.00", "0e10", "0.0e-5", "1.0e2", "12345.678e-2", "12345.678e2", "-5.000e3", "1234500000e-5", "0e400000")],
        *rejects("x", "", "--1", "1e", True, [1], {}, "0x1"),
        ("1e131072", REJECT), ("1e400000", REJECT), ("1" + "0" * 131072, REJECT), ("1e-16384", REJECT), ("0." + "0" * 16383 + "1", REJECT),
        ("1e99999999999999", REJECT), ("0e99999999999999", REJECT), ("1e-99999999999999", REJECT)])
    check(env, "numeric(10,2)", [
        *[(text, text) for text in ("1.005", "1.004", "-1.005", "99999999.99", "-99999999.994", "0", "0.001", "-0.004", "0.005", "1e7",
                                    "9.999", "0.1", "7", "0." + "9" * 2000)],
        *same("NaN", "1.5", " 2 "), *rejects("Infinity", "-Infinity"),
        ("1e-1000000", "0"), ("99999999.995", REJECT), ("100000000", REJECT), ("-1e8", REJECT), ("1e131071", REJECT)])
    check(env, "numeric(5,-2)", [(text, text) for text in ("0", "49", "50", "-50", "149", "150", "9999949", "1e6", "-12345", "0.5")] +
          [("9999950", REJECT), ("1e7", REJECT)])
    check(env, "numeric(3,5)", [(text, text) for text in ("0", "0.00999", "0.000005", "-0.000004", "0.009994", "1e-5")] +
          [("0.01", REJECT), ("0.009995", REJECT), ("1", REJECT)])
    check(env, "numeric(3)", [(text, text) for text in ("999.4", "-0.5", "0.49")] + [("999.5", REJECT)])


@quick
def test_boolean(env):
    check(env, "boolean", [
        *same(*"true t tr TRUE false f fals yes y ye no n on off of 1 0".split(), " true ", True, False),
        ("1", "true"), ("0", "false"), ("1.0", "true"), ("0e3", "false"),
        *rejects("o", "", "truee", "2", 2, -1, 0.5, [True], {}, "nope"), ("@time 0", REJECT), ("@bytes 31", REJECT)], shown=False)


@quick
def test_texts(env):
    odd = "tab\tnewline\nreturn\rback\\slash \\N \"quoted\" 'single' äöü € 😀 \u0001\u007f\u2028 \\. {a,b}"
    plain = same("", "abc", odd, "x" * 100000, "\\N", "\\.", " padded ", "null")
    check(env, "text", plain + [
        ("12.50", "12.50"), ("1e400", "1e400"), ("true", "true"), ('{"a": [1, 2]}', '{"a": [1, 2]}'), ("[1,  2]", "[1,  2]"), ("null", None),
        ("@time 1732332570123456", "2024-11-23T03:29:30.123456Z"), ("@time -1", "1969-12-31T23:59:59.999999Z"),
        ("@bytes c3a4", "ä"), ("@bytes 41", "A"),
        ("@bytes ff", REJECT), ("@bytes 4100", REJECT), ("@bytes eda080", REJECT), (r'"a\u0000b"', REJECT)])
    check(env, "varchar", plain)
    check(env, "varchar(3)", same("", "abc", "äöü", "€😀a", "ab   ", "abc     ") + [("123", "123"), ("true", REJECT)] +
          rejects("abcd", "äöüa", "   x", "€😀ab"))
    check(env, "char(3)", same("", "abc", "äöü", "a", "abc   ") + rejects("abcd", "   x"), shown=False)
    check(env, "char", same("a", "ä") + rejects("ab"), shown=False)
    check(env, "bpchar", same("abc  ", ""), shown=False)
    check(env, "name", same("abc", "x" * 63) + rejects("x" * 64))
    env.pg.cursor().execute("create extension if not exists citext")
    check(env, "citext", same("AbC", odd))


@quick
def test_bytea(env):
    check(env, "bytea", [("@bytes 00ff5c0a09", r"\x00ff5c0a09"), ('"ä\\\\x41"', r"\xc3a45c783431"), (r'"\u0000"', r"\x00"), ('""', r"\x"),
                         *rejects(5, True, [1], {}), ("@time 0", REJECT)])


@quick
def test_json(env):
    odd = r'{"b": 1.10, "a" : [null, true, "x\ty\"", 1e2, -0.0, 123456789012345678901234567890], "é😀": {}}'
    check(env, "json", [(odd, odd), ("[ ]", "[ ]"), ("1e400000", "1e400000"), (r'["\u0000"]', r'["\u0000"]'), ('"a\\nb\\u0000"', r'"a\nb\u0000"'),
                        ("true", "true"), ("@time 0", '"1970-01-01T00:00:00.000000Z"'), ("@bytes 7b7d", REJECT), ("null", None)])
    check(env, "jsonb", [
        (odd, odd), ("[ ]", "[]"), ("5", "5"), ("-0", "-0"), ("1.50", "1.50"), ("false", "false"), ('"\\u001f\\b\\f\\n\\r\\t\\\\\\"/ä"', r'"\u001f\b\f\n\r\t\\\"/ä"'),
        ("1e131071", "1e131071"), ("[1e-16383]", "[1e-16383]"), ("[" * 100 + "]" * 100, "[" * 100 + "]" * 100), ("@time 0", '"1970-01-01T00:00:00.000000Z"'),
        ("1e400000", REJECT), ("[1, {\"a\": 1e131072}]", REJECT), ("[1e-16384]", REJECT), (r'["a\u0000"]', REJECT), (r'{"\u0000": 1}', REJECT),
        (r'"\u0000"', REJECT), ("@bytes 7b7d", REJECT), ("[" + "9" * 131073 + "]", REJECT), ("0." + "0" * 16384, REJECT)], shown=False)


@quick
def test_uuid_and_addresses(env):
    check(env, "uuid", same("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
                            "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11") +
          rejects("", "x", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111", "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
                  "a0eebc999c0b4ef8bb6d6bb9bd380a11-", "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11", 5, True, []))
    addresses = ("192.168.1.1", "0.0.0.0", "255.255.255.255/32", "10.1.2.3/8", "::", "::1", "2001:db8::8:800:200c:417a/64", "::ffff:1.2.3.4",
                 "fe80::1/128", "2001:0db8:0000:0000:0001:0000:0000:0001", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1.2.3.4/0", "::1.2.3.4")
    wrong = ("", "x", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3.4/-1", ":::", "fe80::1%eth0", 5, [])
    check(env, "inet", same(*addresses) + rejects(*wrong))
    check(env, "cidr", same("10.0.0.0/8", "1.2.3.4", "0.0.0.0/0", "2001:db8::/32", "::1", "192.168.1.128/25") +
          rejects("10.0.0.1/8", "2001:db8::1/32", "192.168.1.129/25", *wrong))


MOMENTS = ("2026-11-23T03:29:30.123456Z", "2026-11-23t03:29:30z", "2026-11-23 03:29:30+01", "2026-11-23 03:29:30 -0130", "2026-11-23 03:29:30-01:30:15",
           "2026-11-23 03:29", "2026-11-23", "2024-02-29", "0044-03-15 BC", "0044-03-15 12:00:00+00 BC", "0001-01-01 00:00:00", "0001-12-31 23:59:59 BC",
           "infinity", "-infinity", "Infinity", "2026-11-23 24:00:00", "2026-12-31 23:59:60", "2026-11-23 12:00:60.5", "2026-11-23 03:29:30.123456789",
           "2026-11-23 03:29:30.1234565", "2026-11-23 03:29:30.9999999", "2026-11-23 23:59:59.9999999", "2026-11-23 03:29:30.1",
           "2026-11-23 03:29:30." + "123456500000000000000000000000000000001"[:30], " 2026-11-23 03:29:30 ", "1970-01-01 00:00:00", "1999-12-31 23:59:59.999999",
           "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999", "10000-01-01 00:00:00", "2026-11-23T03:29:30+15:59", "0005-02-28 BC",
           "1900-02-28", "2000-02-29", "2026-11-23  03:29:30")
NO_MOMENTS = ("", "x", "2026-13-01", "2026-02-29", "1900-02-29", "2026-00-10", "2026-01-00", "0000-01-01", "26-01-01", "2026-11-23T", "2026-11-23 03",
              "2026-11-23 25:00:00", "2026-11-23 24:00:01", "2026-11-23 03:60", "2026-11-23 03:29:61", "2026-11-23 03:29:30+16",
              "2026-11-23 03:29:30+01:60", "2026-11-23 03:29:30 PST", "now", "today", "tomorrow", "2026-11-23 03:29:30Z x",
              "4714-11-23 23:59:59 BC", "294277-01-01 00:00:00", "1732332570", "2026-11-23Z", "99999999-01-01", "infinityx",
              "2026-11-23 23:59:60.5", 1732332570, 1732332570.5, True, [], {})


@quick
def test_timestamptz(env):
    check(env, "timestamptz", same(*MOMENTS) + rejects(*NO_MOMENTS) + [
        ("@time 0", "1970-01-01 00:00:00+00"), ("@time -1", "1969-12-31 23:59:59.999999+00"), ("@time 1732332570123456", "2024-11-23 03:29:30.123456+00"),
        ("@time 9223372036854775807", "294247-01-10 04:00:54.775807+00"),
        ("@time -210866803200000000", "4714-11-24 00:00:00+00 BC"), ("@time -210866803200000001", REJECT), ("@time -9223372036854775808", REJECT),
        ("@bytes 41", REJECT), ('"4714-11-24 01:00:00+01 BC"', "4714-11-24 00:00:00+00 BC"), ('"4714-11-24 00:00:00+01 BC"', REJECT)])
    for precision in range(7):
        check(env, f"timestamptz({precision})", same("2026-11-23 03:29:30.555555Z", "2026-11-23 03:29:30.444444Z", "1999-12-31 23:59:59.999999Z",
                                                     "1969-12-31 23:59:59.545454Z", "1999-12-31 23:59:59.5Z", "0044-01-01 00:00:00.55555 BC", "infinity"))
    check(env, "timestamptz(0)", rejects("294276-12-31 23:59:59.6"))


# Spellings that PostgreSQL reads whatever its settings are.
SPELLINGS = """2019/10/05 12:00:00|2020-Feb-05 08:06:56.976|20231114T221320Z|Tue, 14 Nov 2023 22:13:20 GMT|2023-11-14 22:13:20 UTC|2019.10.05
    20231114 221320|20231114T2213|20231114T221320.5+0130|2023-11-14T221320Z|14 Nov 2023|Nov 14, 2023|Nov 14 22:13:20 2023|14-Nov-2023 1:02|November 14 2023 10:13 PM
    2023-11-14 12:00:00 AM|2023-11-14 12:30 PM|Tuesday 2023 Nov 14|2019/1/5|2019-1-5 3:04:05|2019-10-05 12:00 pm|14 Sept 2023|20231114|Sat Jan 08 04:05:06 2000 UTC
    1999-Jan-08 04:05 Z|2023-11-14 22:13:20 GMT|2023/11/14T22:13:20|Nov-14-2023|2023-11-14 10:13:20PM|epoch|EPOCH|2023-2-9 1:2:3|2023-2-9 1:2|2023-11-14 22:13:20+1|2023-11-14T22:13:20-1:30|2023-11-14 22:13:20 +130
    2023-11-14_22:13:20|2023-11-14 at 22:13|2023-11-14T22:13:20.|2023-11-14 2213|14 Nov 2023 UTC|2023-318|2024.366|2023-318 22:13:20Z|2023-11-14 allballs|2023-11-14 22:13:20+1:2:3""".replace("\n    ", "|").split("|")
# … that depend on DateStyle, or that PostgreSQL does not read.
NO_SPELLINGS = ["22.03.2025 10:06:00", "03/04/2025", "2024-01-02T03:04:05,678Z", "20231114221320", "08-Jan-99", "Jan 8 99", "tomorrow", "now", "2023-11-14 22:13 MST7X",
                "Nov 2023", "14 Nov", "22:13:20", "2023-11-14 2023-11-14", "2023-11-14 13:00 AM", "Nov Nov 2023", "2023-02-30", "2023-Feb-30", "2023/13/01", "20231301", "2023-11-14 22:13:20PM",
                "2023-366", "2023-000", "2023-11-14 22:13:20+", "2023-11-14 22:13:20+1600", "2023-11-14 22:13:20+02300", "2023-11-14 1:2:", "at", "epoch 1:2", "2023_11_14"]


@quick
def test_spellings_of_times(env):
    """Read as PostgreSQL reads them under every DateStyle; what DateStyle decides is not read."""
    encoded = Encoded(env, "timestamptz", [json.dumps(text) for text in SPELLINGS + NO_SPELLINGS])
    refused = [text for text, (outcome, _) in zip(SPELLINGS + NO_SPELLINGS, encoded.outcomes) if outcome != "ok"]
    assert not set(SPELLINGS) & set(refused), set(SPELLINGS) & set(refused)
    assert not set(NO_SPELLINGS) - set(refused), set(NO_SPELLINGS) - set(refused)
    for style in ("iso, ymd", "iso, mdy", "german", "sql, dmy"):
        encoded.cursor.execute("set datestyle = 'iso, ymd'")
        ours = encoded.server
        encoded.cursor.execute(f"set datestyle = '{style}'")
        wanted = encoded.expectations("timestamptz", SPELLINGS)
        encoded.cursor.execute("select n, format('%%s', t::timestamptz) from unnest(%s::int[], %s::text[]) as _(n, t)", (list(ours), list(ours.values())))
        for n, text in encoded.cursor.fetchall():
            assert text == wanted[n - 1], f"{style}: {SPELLINGS[n - 1]}: {text}, not {wanted[n - 1]}"


# Both changes of the clocks in 2024 in each zone: hours, half an hour (Lord Howe), a change at midnight (Santiago), an odd offset (Chatham).
EDGES = {"Europe/Berlin": ("2024-03-31", "2024-10-27"), "America/New_York": ("2024-03-10", "2024-11-03"),
         "Australia/Lord_Howe": ("2024-04-07", "2024-10-06"), "America/Santiago": ("2024-04-07", "2024-09-08"),
         "Pacific/Chatham": ("2024-04-07", "2024-09-29")}


@quick
def test_local_times_where_clocks_change(env):
    """`zone` takes each local time around a change as PostgreSQL takes it: times that do not exist, and times that exist twice."""
    local = [(zone, str(datetime.fromisoformat(day) + timedelta(minutes=5 * n, seconds=-(n % 2)))) for zone, days in EDGES.items() for day in days for n in range(-288, 576)]
    columns = ", ".join(f"""{{ name = "{zone}"; value = "$ | zone '{zone}' :: timestamptz"; }}""" for zone in EDGES)
    config = env.config_file(f"""rules = ( {{ name = "zones"; topic = "t"; rows = "$[*]"; table = "t"; columns = ( {columns} ); }} );""")
    path = os.path.join(env.folder, "local")
    with open(path, "w", encoding="utf-8") as file:
        json.dump([text for _, text in local], file)
    done = env.cli("explain", "t", "--payload-file", path, config=config)
    assert done.code == 0, done.err
    rows = [json.loads(line)["row"] for line in done.out.splitlines()]
    cursor = env.pg.cursor()
    cursor.execute("set timezone = 'UTC'; set datestyle = 'iso, ymd'")
    cursor.execute("select format('%%s', local::timestamp at time zone zone) from unnest(%s::text[], %s::text[]) with ordinality as _(zone, local, n) order by n",
                   tuple(map(list, zip(*local))))
    wanted = [text for text, in cursor.fetchall()]
    assert len(rows) == len(wanted) == len(local)
    wrong = [f"{text} in {zone}: {row[zone]}, not {answer}" for (zone, text), row, answer in zip(local, rows, wanted) if row[zone] != answer]
    assert not wrong, f"{len(wrong)} of {len(local)}:\n" + "\n".join(wrong[:20])
    for zone in EDGES:
        times = [answer for (where, _), answer in zip(local, wanted) if where == zone]
        assert len(set(times)) < len(times), f"{zone}: the server knows no change of the clocks here"


@quick
def test_timestamp_and_date(env):
    """Without zone the server would drop a text's zone; row/ takes the instant in UTC."""
    zoned = [moment for moment in MOMENTS if "+" in moment or "-01" in moment[10:]]
    check(env, "timestamp", same(*[moment for moment in MOMENTS if moment not in zoned and not moment.lower().endswith("z")]) + rejects(*NO_MOMENTS) + [
        ('"2026-11-23T03:29:30+01:00"', "2026-11-23 02:29:30"), ('"2026-11-23T03:29:30Z"', "2026-11-23 03:29:30"), ("@time 1", "1970-01-01 00:00:00.000001")])
    check(env, "date", same("2026-11-23", "2024-02-29", "0044-03-15 BC", "4714-11-24 BC", "5874897-12-31", "0001-01-01", "0001-12-31 BC", "infinity", "-infinity",
                            "294277-01-01") + rejects(*[text for text in NO_MOMENTS if text not in ("294277-01-01 00:00:00",)]) +
          rejects("4714-11-23 BC", "5874898-01-01", "294277-01-01 00:00:00") + [
              ('"2026-11-23T23:30:00-01:00"', "2026-11-24"), ('"1999-12-31 23:59:59"', "1999-12-31"), ("@time -1", "1969-12-31"), ("@time 0", "1970-01-01")])


@quick
def test_time(env):
    check(env, "time", same("00:00", "03:29:30", "23:59:59.999999", "24:00:00", "23:59:60", "12:34:56.7890125", "12:34:60.5", " 03:29 ", "03:29:30Z", "03:29:30+00", "3:29", "3:29:5", "3:29 AM", "03:29:30.5 pm", "12:00 am", "12:01 PM") +
          rejects("", "x", "24:00:01", "25:00", "03:60", "13:00 PM", "3:29 AM PM", "AM", "03:29:61", "03:29:30+01", "2026-11-23 03:29:30", 5, True, "23:59:60.5") + [("@time 0", REJECT)])
    check(env, "time(2)", same("12:34:56.785", "12:34:56.784999", "23:59:59.999"))


@quick
def test_interval(env):
    good = ("P1Y2M3DT4H5M6.789S", "P1W", "PT0S", "P-1DT-2H", "PT-0.5S", "P1DT2H", "PT36H", "PT1.5H", "PT0.25M", "P0D", "1 day 02:00:00", "02:00:00", "-02:30:15.5",
            "1 year 2 mons 3 days 04:05:06.789", "-1 days +02:03:00", "1 day -02:03:04", "2 hours 30 minutes", "1.5 hours", "90 min", "1 sec", "0.000001 s", "100:00:00",
            "02:30", "-1 year -2 mons +3 days -04:05:06.7", "1 week", "3 weeks 2 days", "2147483647 days", "-2147483648 days", "178956970 years 7 mons",
            "-178956970 years -8 mons", "00:00:00", "1 mon", "-1 mons", "00:00:01.9999995", "PT2562047788H54.775807S", "1day", "-00:00:01",
            "1 day, 2:03:04", "3 days, 0:00:01.5", "1 day ago", "1 day -2 hours ago", "250 ms", "1.5 ms", "2 milliseconds", "7 us", "3 microseconds", "1:2:3", "1:2",
            "1.5 days", "P0.5D", "-1.25 days", "1 decade 2 years", "2 centuries")
    bad = ("", "x", "P", "PT", "P1DT", "1", "5 parsecs", "P1.5Y", "P1D2", "1 day 1 day", "1 hour 02:00:00", "P1S", "PT1D", "PT1M1H", "1 day 25:61:00", "02:00:00 1 day",
           "2147483648 days", "178956971 years", "PT2562047789H", "9999999999999999 s", "PT0.3333333333H", "infinity", "ago", "1 day ago 1 hour", "1.5 months", "0.5 us", 5, True, [], "@ 1 day", "p1d", "P+1D")
    check(env, "interval", same(*good) + rejects(*bad))
    check(env, "interval(2)", same("00:00:01.235", "-00:00:01.235", "1 day 00:00:59.999"))
    check(env, "interval day to second(3)", same("1 day 00:00:01.2345"), shown=False)
    check(env, "interval year to month", same("1 year 2 mons 3 days 04:05:06"), shown=False)


@quick
def test_arrays(env):
    check(env, "integer[]", [
        ("[]", "{}"), ("[1]", "{1}"), ("[1,null,-3]", "{1,NULL,-3}"), ("[[1,2],[3,4]]", "{{1,2},{3,4}}"), ("[[[1],[2]],[[3],[4]]]", "{{{1},{2}},{{3},{4}}}"),
        ("[[[[[[7]]]]]]", "{{{{{{7}}}}}}"), ("[[],[]]", "{}"), ("[null]", "{NULL}"), ("[[null],[1]]", "{{NULL},{1}}"), ("null", None), ("[1.0,2e1]", "{1,20}"),
        ("[[[[[[[7]]]]]]]", REJECT), ("[[1,2],[3]]", REJECT), ("[1,[2]]", REJECT), ("[[1],2]", REJECT), ("[[1],null]", REJECT), ("[[],[1]]", REJECT), ("[[1],[]]", REJECT),
        ("5", REJECT), ('"{1,2}"', REJECT), ("{}", REJECT), ("[1.5]", REJECT), ('[{"a":1}]', REJECT), ("[[[1]],[[1,2]]]", REJECT)])
    texts = ["", "a", "null", "NULL", "nUll", 'q"uote', "back\\slash", "com,ma", "{brace}", " space ", "tab\t", "new\nline", "ä😀", ";", "\\N", "\u0001", "\u000b"]
    array = "{" + ",".join('"' + t.replace("\\", "\\\\").replace('"', '\\"') + '"' for t in texts) + "}"
    for name in ("text[]", "varchar[]", "citext[]"):
        if name == "citext[]":
            env.pg.cursor().execute("create extension if not exists citext")
        check(env, name, [(texts, array), ('[1.50,true,{"a":1},null]', '{1.50,true,"{\\"a\\":1}",NULL}'), (["x"], "{x}"), ([["a", "b"], ["c", None]], "{{a,b},{c,NULL}}"), (r'["a\u0000"]', REJECT)])
    check(env, "float8[]", [('[1.5,"NaN","-Infinity",-0.0,1e300]', "{1.5,NaN,-Infinity,-0,1e300}")])
    check(env, "float4[]", [("[0.1,1e38]", "{0.1,1e38}"), ("[1e39]", REJECT)])
    check(env, "numeric(6,2)[]", [('[1.005,"NaN",null]', "{1.005,NaN,NULL}"), ("[12345]", REJECT)])
    check(env, "numeric[]", [("[123456789012345678901234567890.10,0.1]", "{123456789012345678901234567890.10,0.1}")])
    check(env, "boolean[]", [("[true,0,\"yes\"]", "{t,f,t}")])
    check(env, "smallint[]", [("[32767]", "{32767}"), ("[32768]", REJECT)])
    check(env, "bigint[]", [("[9223372036854775807]", "{9223372036854775807}")])
    check(env, "timestamptz[]", [('["2026-11-23T03:29:30Z","infinity",null]', '{"2026-11-23 03:29:30+00",infinity,NULL}'), ("[5]", REJECT)])
    check(env, "timestamp[]", [('["2026-11-23 03:29:30"]', '{"2026-11-23 03:29:30"}')])
    check(env, "date[]", [('["2026-11-23","0044-03-15 BC"]', '{2026-11-23,"0044-03-15 BC"}')])
    check(env, "time[]", [('["03:29:30"]', "{03:29:30}")])
    check(env, "interval[]", [('["1 day 02:00:00","PT1S"]', '{"1 day 02:00:00",00:00:01}')])
    check(env, "uuid[]", [('["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]', "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}")])
    check(env, "inet[]", [('["1.2.3.4/8","::1"]', "{1.2.3.4/8,::1}")])
    check(env, "cidr[]", [('["1.0.0.0/8"]', "{1.0.0.0/8}"), ('["1.2.3.4/8"]', REJECT)])
    check(env, "bytea[]", [('["a","\\\\"]', '{"\\\\x61","\\\\x5c"}')])
    check(env, "varchar(2)[]", [('["ab","c  "]', '{ab,"c "}'), ('["abc"]', REJECT)])
    check(env, "char(2)[]", [('["ab","c"]', '{ab,c}')], shown=False)
    check(env, "jsonb[]", [('[{"a": [1]},[1,2],"x",5,null]', '{"{\\"a\\": [1]}","[1, 2]","\\"x\\"",5,NULL}'), ("[]", "{}"), ("[[1e400000]]", REJECT)], shown=False)
    check(env, "json[]", [('[{"a": [1]},[1,  2]]', '{"{\\"a\\": [1]}","[1,  2]"}')])


@quick
def test_other_types(env):
    """Known by their text form only: what is no such value is the server's to refuse."""
    env.pg.cursor().execute("create type mood as enum ('happy', 'so, so'); create type pair as (a int, b text); create domain percent as int check (value <= 100)")
    check(env, "mood", same("happy", "so, so"))
    check(env, "mood[]", [('["happy","so, so",null]', '{happy,"so, so",NULL}')])
    check(env, "pair", [('"(1,\\"x y\\")"', '(1,"x y")')])
    check(env, "point", [('"(1.5,2)"', "(1.5,2)")])
    check(env, "box[]", [('["(2,2),(1,1)","(4,4),(3,3)"]', '{(2,2),(1,1);(4,4),(3,3)}')])
    check(env, "int4range", [('"[1,5)"', "[1,5)"), (r'"\u0000"', REJECT)])
    check(env, "money", [("12.5", "12.50")], shown=False)
    check(env, "timetz", [('"03:29:30+01"', "03:29:30+01")])
    check(env, "macaddr", same("08:00:2b:01:02:03"))
    check(env, "bit(3)", same("101"))
    check(env, "varbit", same("10101"))
    check(env, "xml", same("<a>b</a>"))
    check(env, "tsvector", same("'a' 'b'"))
    check(env, "integer", [("100", "100")], column="percent")
    check(env, "oid", [("4294967295", "4294967295")])
    check(env, '"char"', same("a"))


@quick
def test_type_names(env):
    """The table of built-in types and format_type()'s spelling, as the server has them."""
    names = ["int", "int4", "integer", "smallint", "int8", "bigint", "float", "float(24)", "float(25)", "real", "double precision", "decimal(10,2)", "numeric(5)",
             "numeric(5,-2)", "dec", "varchar", "varchar(20)", "character varying(20)", "char varying (3)", "char", "char(3)", "character(3)", "bpchar", "nchar(2)", "text",
             "bytea", "json", "jsonb", "uuid", "date", "time", "time(3)", "time with time zone", "time(3) with time zone", "timetz", "timestamp", "timestamp(3)",
             "timestamp without time zone", "timestamp(0) with time zone", "timestamptz", "timestamptz(6)", "interval", "interval(3)", "interval year", "interval day to second",
             "interval day to second(3)", "interval second(2)", "interval hour to minute", "inet", "cidr", "macaddr", "point", "box", "money", "xml", "oid", "bit", "bit(3)",
             "bit varying(3)", "varbit", "tsvector", "int4range", "tstzrange", '"char"', "name", "bool", "boolean", "int[]", "int[3][4]", "text array", "numeric(4,1)[]",
             "varchar(3) array[4]", "timestamp(3) with time zone[]", "pg_catalog.int4", "INT4", "Character  Varying", '"text"', "interval(2)[]", "char[]", "jsonpath", "path",
             "line", "lseg", "polygon", "circle", "macaddr8", "pg_lsn", "tsquery", "numrange", "tsrange", "daterange", "int8range", "national character varying(4)"]
    names += [name + "[]" for name in names if name.isalnum()]
    cursor = env.pg.cursor()
    wrong = []
    for name in names:
        cursor.execute(f"drop table if exists names; create table names (v {name})")
        cursor.execute("""select format_type(atttypid, atttypmod), atttypid::int, coalesce(nullif(typelem, 0)::int, 0) * (typcategory = 'A')::int, atttypmod
                          from pg_attribute join pg_type t on t.oid = atttypid where attrelid = 'names'::regclass and attname = 'v'""")
        server = "\t".join(str(part) for part in cursor.fetchone())
        ours = subprocess.run([encode_rows(env), "--type", name], capture_output=True, text=True, check=False).stdout.rstrip("\n")
        if ours != server:
            wrong.append(f"{name}: {ours!r}, not {server!r}")
    assert not wrong, "\n".join(wrong)


# --- properties: whatever is accepted, the server accepts, and reads the same

def random_digits(rng, most):
    return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, most)))


def random_number(rng):
    """JSON's grammar, with a liking for the edges."""
    if rng.random() < 0.15:
        edge = rng.choice((2 ** 15, 2 ** 31, 2 ** 53, 2 ** 63, 2 ** 64, 10 ** 18, 10 ** 4, 10 ** 38)) + rng.randint(-2, 2)
        text = str(edge)
    else:
        text = (random_digits(rng, rng.choice((1, 3, 10, 20, 50))).lstrip("0") or "0")
    if rng.random() < 0.5:
        text += "." + random_digits(rng, rng.choice((1, 2, 5, 20, 60)))
    if rng.random() < 0.3:
        text += rng.choice("eE") + rng.choice(("", "+", "-")) + str(rng.randint(0, rng.choice((3, 20, 50, 330))))
    return rng.choice(("", "-")) + text


def random_moment(rng, zones):
    year = rng.choice((rng.randint(1, 9999), rng.randint(1900, 2100), rng.randint(1, 294276)))
    text = f"{year:04d}-{rng.randint(1, 12):02d}-{rng.randint(1, 31):02d}"
    if rng.random() < 0.9:
        text += rng.choice("T  t") + f"{rng.randint(0, 24):02d}:{rng.randint(0, 59):02d}"
        if rng.random() < 0.9:
            text += f":{rng.randint(0, 60):02d}"
            if rng.random() < 0.6:
                text += "." + random_digits(rng, rng.choice((3, 6, 9, 20)))
        if zones and rng.random() < 0.7:
            hours, minutes = rng.randint(0, 15), rng.randint(0, 59)
            text += rng.choice(("Z", f"+{hours:02d}", f"-{hours:02d}:{minutes:02d}", f"+{hours:02d}{minutes:02d}", f" -{hours:02d}:{minutes:02d}:{rng.randint(0, 59):02d}"))
    if rng.random() < 0.1 and year <= 4713:
        text += " BC"
    return text


def random_interval(rng):
    def number(most):
        return rng.choice(("", "-", "+")) + str(rng.randint(0, most))
    if rng.random() < 0.5:
        text = "P" + "".join(number(9999) + unit for unit in "YMWD" if rng.random() < 0.5)
        clock = "".join(number(9999) + unit for unit in "HM" if rng.random() < 0.5)
        if rng.random() < 0.5:
            clock += number(9999) + "." + random_digits(rng, 6) + "S"
        return text + ("T" + clock if clock else "")
    words = [number(9999) + " " + rng.choice(units) for units in (("year", "years"), ("mon", "mons", "months"), ("day", "days")) if rng.random() < 0.5]
    if rng.random() < 0.6 or not words:
        words.append(rng.choice(("", "-", "+")) + f"{rng.randint(0, 200):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}" + rng.choice(("", "." + random_digits(rng, 8))))
    return " ".join(words)


def random_text(rng):
    alphabet = "ab \t\n\r\\\"'{},;NULL\u0001\u0007\u000b\u001fäß€😀\u2028\ufffd"
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 12)))


def damaged(rng, text):
    """Now and then a character too many, too few or wrong."""
    if rng.random() < 0.1 and text:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(("", "0", "9", "-", ":", ".", " ", "x")) + text[at + rng.randint(0, 1):]
    return text


def agree(env, type_name, texts, lines=None, may_refuse=0.5):
    """
    What row/ accepts of the texts the server reads alike. At most the share `may_refuse` of what the server takes may be refused here: it is
    stricter by design, but must not be by accident.
    """
    lines = lines or [json.dumps(text) for text in texts]
    encoded = Encoded(env, type_name, lines)
    wanted = encoded.expectations(type_name, texts)
    wrong, refused, taken = [], [], 0
    for n, (line, (outcome, detail), text) in enumerate(zip(lines, encoded.outcomes, wanted), 1):
        good = not text.startswith("refused: ")
        taken += good
        if outcome == "ok" and (not good or encoded.server[n] != text or encoded.texts[n] != text):
            wrong.append(f"{line}: the server got {encoded.server[n]} as {encoded.texts[n]}, its own reading is {text}")
        elif outcome != "ok" and good:
            refused.append(f"{line}: {detail}, but the server takes {text}")
    assert not wrong, f"{type_name}, seed {SEED}:\n" + "\n".join(wrong[:10])
    assert taken > 0 and len(refused) <= may_refuse * taken, f"{type_name}, seed {SEED}: {len(refused)} of {taken} refused:\n" + "\n".join(refused[:10])
    return refused


@limit(240)
def test_random_numbers(env):
    rng = random.Random(SEED)
    for type_name in ("numeric", "numeric(12,3)", "numeric(20,-3)", "numeric(4,8)", "float8", "float4"):
        numbers = [random_number(rng) for _ in range(COUNT)]
        agree(env, type_name, numbers, lines=numbers, may_refuse=0)
        texts = [damaged(rng, rng.choice(("", "+", " ")) + random_number(rng).lstrip("-")) for _ in range(COUNT)]
        agree(env, type_name, texts, may_refuse=0.01)  # the server's floats read hexadecimal
    for type_name in ("int2", "int4", "int8"):
        numbers = [random_number(rng) for _ in range(COUNT)]
        encoded = Encoded(env, type_name, numbers)
        # The server's integers read no decimals, its numeric does.
        bits = int(type_name[3]) * 8
        encoded.cursor.execute("select n, case when abs(x) < 1e20 and x = trunc(x) and x between %s and %s then x::int8 end from unnest(%s::text[]::numeric[]) "
                               "with ordinality as _(x, n)", (-2 ** (bits - 1), 2 ** (bits - 1) - 1, numbers))
        for n, whole in encoded.cursor.fetchall():
            assert encoded.server.get(n) == (None if whole is None else str(whole)), (type_name, numbers[n - 1], whole, encoded.outcomes[n - 1])


@limit(240)
def test_random_moments(env):
    rng = random.Random(SEED)
    # Refused are dates such as 2026-02-30 by both, "24:00:01" by both; a damaged text may be one that the server reads by its looser rules.
    agree(env, "timestamptz", [damaged(rng, random_moment(rng, True)) for _ in range(COUNT)], may_refuse=0.1)
    agree(env, "timestamp", [random_moment(rng, False) for _ in range(COUNT)], may_refuse=0)
    agree(env, "timestamptz(3)", [random_moment(rng, True) for _ in range(COUNT)], may_refuse=0)
    agree(env, "timestamptz", [random_moment(rng, True) for _ in range(COUNT)], may_refuse=0)
    agree(env, "date", [random_moment(rng, False).split("T")[0].split(" ")[0].split("t")[0] for _ in range(COUNT)], may_refuse=0)
    agree(env, "interval", [random_interval(rng) for _ in range(COUNT)], may_refuse=0.05)
    agree(env, "interval", [damaged(rng, random_interval(rng)) for _ in range(COUNT)], may_refuse=0.2)
    # Each day of the calendar's first, last and some middle years.
    days = [f"{y:04d}-{m:02d}-{d:02d}{era}" for y, era in ((4713, " BC"), (1, " BC"), (1, ""), (4, ""), (5, " BC"), (1600, ""), (1900, ""), (2000, ""), (5874897, ""))
            for m in range(1, 13) for d in range(1, 32)]
    agree(env, "date", days, may_refuse=0)


@limit(240)
def test_random_texts(env):
    rng = random.Random(SEED)
    texts = [random_text(rng) for _ in range(COUNT)]
    for type_name in ("text", "varchar(5)", "citext", "name"):
        env.pg.cursor().execute("create extension if not exists citext")
        lines = [json.dumps(text, ensure_ascii=rng.random() < 0.5) for text in texts]
        encoded = Encoded(env, type_name, lines)
        for n, (outcome, _) in enumerate(encoded.outcomes, 1):
            limit_ = 5 if "5" in type_name else 10 ** 9
            fits = len(texts[n - 1]) <= limit_ or texts[n - 1][limit_:].strip(" ") == ""
            assert (outcome == "ok") == fits, (type_name, texts[n - 1], encoded.outcomes[n - 1])
            assert not fits or encoded.server[n] == texts[n - 1][:limit_] == encoded.texts[n], (type_name, texts[n - 1])
    # json keeps its text, jsonb its meaning.
    values = [{random_text(rng): [random_text(rng), None, True, {"x": rng.random()}], "n": rng.randint(-2 ** 63, 2 ** 63)} for _ in range(COUNT)]
    lines = [json.dumps(value, ensure_ascii=rng.random() < 0.5) for value in values]
    assert list(Encoded(env, "json", lines).server.values()) == lines
    assert [json.loads(text) for text in Encoded(env, "jsonb", lines).server.values()] == values
    assert list(Encoded(env, "text", lines).server.values()) == lines
    assert [json.loads(text) for text in Encoded(env, "jsonb", [json.dumps(text) for text in texts]).server.values()] == texts


def nest(rng, lengths, element):
    return element() if not lengths else [nest(rng, lengths[1:], element) for _ in range(lengths[0])]


@limit(240)
def test_random_arrays(env):
    rng = random.Random(SEED)
    for type_name, element in (("text[]", lambda: random_text(rng)), ("int8[]", lambda: rng.randint(-2 ** 63, 2 ** 63 - 1)), ("float8[]", lambda: rng.uniform(-1e9, 1e9))):
        arrays = [nest(rng, [rng.randint(1, 4) for _ in range(rng.randint(1, 3))], lambda: None if rng.random() < 0.1 else element()) for _ in range(COUNT // 4)]
        encoded = Encoded(env, type_name, [json.dumps(array) for array in arrays])
        cursor = encoded.cursor
        cursor.execute("select v from encoded order by n")
        assert [row[0] for row in cursor.fetchall()] == arrays, type_name
        assert encoded.texts == encoded.server, type_name


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
