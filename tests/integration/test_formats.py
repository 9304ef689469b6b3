"""Documents that the encoders of others wrote are read as what they were.

SPDX-License-Identifier: MIT
"""

import base64
import csv
import gzip
import io
import json
import os
import random
import signal
import subprocess
import zlib

from env import ROOT, limit
from npm_modules import npm_modules

DESCRIPTOR = os.path.join(ROOT, "tests/data/protobuf/all.desc")
RULE = '{ name = "%s"; topic = "%s"; format = "%s"; %s table = "x"; columns = { a = "%s :: jsonb"; }; }'


def rules(*formats):
    """(topic, format[, more of the rule[, what goes into the column]]), …"""
    padded = [(one + ("", "$")[len(one) - 2:]) for one in formats]
    return "rules = (" + ",\n".join(RULE % (topic, topic, format_, more, source) for topic, format_, more, source in padded) + ");"


class Reader:
    """The documents that `explain` makes of payloads."""

    def __init__(self, env, *formats):
        self.env = env
        self.config = env.config_file(rules(*formats))
        self.file = os.path.join(os.path.dirname(self.config), "payload")

    def read(self, topic, payload):
        """The payload is bytes, or hexadecimal as a text, or base64 as ("base64", text)."""
        options = ["--hex"] if isinstance(payload, str) else ["--base64"] if isinstance(payload, tuple) else []
        payload = payload[1] if isinstance(payload, tuple) else payload
        with open(self.file, "wb") as out:
            out.write(payload if isinstance(payload, bytes) else payload.encode())
        done = self.env.cli("explain", topic, *options, "--payload-file", self.file, config=self.config)
        assert done.code == 0, f"{topic} {payload[:300]}: {done.out[:300]} {done.err}"
        return json.loads(done.out)["row"]["a"]

    def check(self, topic, payload, wanted):
        document = self.read(topic, payload)
        assert document == wanted, f"{topic} {payload[:300]}\n  is     {json.dumps(document)[:2000]}\n  not    {json.dumps(wanted)[:2000]}"


def lines_of(script, packages, *arguments):
    """What a script of tests/integration/npm prints: a line of JSON for each payload."""
    modules = npm_modules(*packages)
    made = subprocess.run(["node", os.path.join(ROOT, "tests/integration/npm", script), *map(str, arguments)], env={**os.environ, "NODE_PATH": modules},
                          capture_output=True, text=True, check=False, timeout=60)
    assert made.returncode == 0, made.stderr[-2000:]
    return [json.loads(line) for line in made.stdout.splitlines()]


@limit(120)
def test_encoders_of_others(env):
    """Random documents by npm's cbor-x and msgpackr: numbers, texts and containers are the same in jsonb."""
    reader = Reader(env, ("cbor", "cbor"), ("msgpack", "msgpack"))
    lines = lines_of("documents.js", ("cbor-x@1.6.9", "msgpackr@2.1.4"), 30)
    assert len(lines) == 30
    for document, cbor, msgpack in lines:
        reader.check("cbor", cbor, document)
        reader.check("msgpack", msgpack, document)


@limit(120)
def test_protobufjs(env):
    """Random messages by protobufjs: all scalars, presence, packed arrays, maps, oneof, enums."""
    reader = Reader(env, *((name, "protobuf", f'protobuf: {{ descriptor = "{DESCRIPTOR}"; message = "test.{name}"; }};')
                           for name in ("Scalars", "Nested", "Point")))
    lines = lines_of("protobuf.js", ("protobufjs@8.8.1", "long@5.3.2"), os.path.join(ROOT, "tests/data/protobuf/all.proto"), 30)
    assert len(lines) == 30
    for name, payload, wanted in lines:
        reader.check(name, payload, wanted)


def test_new_descriptor_by_reload(env):
    """SIGHUP takes a new descriptor; one that is damaged changes nothing."""
    with open(DESCRIPTOR, "rb") as file:
        old = file.read()
    descriptor = os.path.join(env.folder, "reloaded.desc")
    env.sql("create table said (id int generated always as identity, old text, new text)")

    def replace(content):
        with open(descriptor, "wb") as out:
            out.write(content)

    replace(old)
    bridge = env.bridge(f"""{{ name = "said"; topic = "~/said"; format = "protobuf"; table = "said"; columns = {{ old = "$.text"; new = "$.word"; }};
                             protobuf: {{ descriptor = "{descriptor}"; message = "test.Scalars"; }}; }}""")
    rows = []

    def check(payload, row):
        env.publish([("~/said", b"\x4a" + bytes([len(payload)]) + payload)])
        rows.append(row)
        env.wait(lambda: env.sql("select old, new from said order by id") == rows, 10, lambda: env.sql("select * from said"))

    check(b"one", ("one", None))
    replace(b"\xff")
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("no descriptor set")
    check(b"two", ("two", None))
    renamed = old.replace(b"\n\x04text", b"\n\x04word")
    assert renamed != old
    replace(renamed)
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    check(b"three", (None, "three"))
    bridge.check_books()


@limit(120)
def test_sparkplug_payload(env):
    """Births by sparkplug-payload: all datatypes that it writes, properties, DataSets and Templates."""
    reader = Reader(env, ("spBv1.0/G/NBIRTH/E", "sparkplug_b", "", "$.metrics"))
    lines = lines_of("sparkplug.js", ("sparkplug-payload@1.0.3", "long@5.3.2"), 20)
    assert len(lines) == 20
    for payload, wanted in lines:
        metrics = reader.read("spBv1.0/G/NBIRTH/E", payload)
        for metric, one in zip(metrics, wanted, strict=True):
            if metric["datatype"] == "Template" and not one["is_null"]:
                metric["value"]["metrics"] = [{"name": part["name"], "value": part["value"]} for part in metric["value"]["metrics"]]
            metric = {name: metric[name] for name in one}
            assert metric == one, f"{metric}\n  not {one}\n  {payload}"


@limit(120)
def test_influxdb_client(env):
    """Random points by InfluxDB's own client library: escapes, types, several lines."""
    reader = Reader(env, ("influx", "influx", 'influx: { precision = "us"; };'))
    lines = lines_of("influx.js", ("@influxdata/influxdb-client@1.35.0",), 30)
    assert len(lines) == 30
    for payload, wanted in lines:
        reader.check("influx", payload.encode(), wanted)


TEXTS = ["", "a", "0", "1.50", " b ", "two words", 'say "x"', "a,b", "a;b", "x\ty", "line\nline", "é€😀", "'", "#", "NULL"]


@limit(60)
def test_csv_and_json_of_python(env):
    """Random rows by Python's csv in its dialects, and documents by its json."""
    dialects = [("comma", ",", '"', csv.QUOTE_MINIMAL), ("semicolon", ";", "'", csv.QUOTE_ALL), ("tab", "\t", '"', csv.QUOTE_NONNUMERIC)]
    option = "csv: {{ delimiter = \"{}\"; quote = \"{}\"; header = true; }};"
    escaped = {"\t": "\\t", '"': '\\"'}
    reader = Reader(env, *((name, "csv", option.format(escaped.get(delimiter, delimiter), escaped.get(quote, quote)))
                           for name, delimiter, quote, _ in dialects), ("json", "json"))
    rng = random.Random(3)
    for _ in range(10):
        for name, delimiter, quote, quoting in dialects:
            names = [f"c{n}" for n in range(rng.randint(2, 6))]
            rows = [[rng.choice(TEXTS) for _ in names] for _ in range(rng.randint(1, 8))]
            out = io.StringIO()
            csv.writer(out, delimiter=delimiter, quotechar=quote, quoting=quoting).writerows([names, *rows])
            # An empty value without quotes is null.
            wanted = [{key: value if value or quoting != csv.QUOTE_MINIMAL else None for key, value in zip(names, row)} for row in rows]
            reader.check(name, out.getvalue().encode(), wanted)
        document = {rng.choice(TEXTS) + str(n): [rng.choice(TEXTS), rng.randint(-2 ** 70, 2 ** 70), rng.random(), None, True, {}] for n in range(5)}
        reader.check("json", json.dumps(document, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 2])).encode(), document)


def zstd(content):
    """A frame of zstd with one raw block (RFC 8878, section 3.1.1)."""
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + (len(content) << 3 | 1).to_bytes(3, "little") + content


@limit(60)
def test_compressed_payloads_are_read(env):
    """Each compression around a format of text and a binary one, in base64 too; what expands beyond max_decoded is rejected."""
    packers = {"gzip": gzip.compress, "zlib": zlib.compress, "zstd": zstd}
    reader = Reader(env, *((f"{format_}/{name}", format_, f'compression = "{name}"; max_decoded = "1KB";') for name in packers
                           for format_ in ("json", "cbor")), ("auto", "json", 'compression = "auto";'))
    for name, pack in packers.items():
        reader.check(f"json/{name}", pack(b'{"a": 1}'), {"a": 1})
        reader.check(f"cbor/{name}", ("base64", base64.b64encode(pack(b"\xa1\x61a\x01")).decode()), {"a": 1})
        reader.check("auto", pack(b'{"a": 2}'), {"a": 2})
        # zstd: a window of 1 KB, and eight blocks that are 250 times the same byte.
        bomb = b"\x28\xb5\x2f\xfd\x00\x00" + (250 << 3 | 2).to_bytes(3, "little").join([b"", *[b" "] * 8]) if name == "zstd" else pack(b" " * 100000)
        done = env.cli("explain", f"json/{name}", "--hex", bomb.hex(), config=reader.config)
        assert done.code == 1 and "more than max_decoded (1KB)" in done.out, done
    reader.check("auto", b'{"a": 3}', {"a": 3})
