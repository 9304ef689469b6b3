"""The same messages in each payload format: each decoder alone, and through the whole service.

SPDX-License-Identifier: MIT
"""

import os

import contestants as run
from parts import alternate, ratio, show
from report import median
from setting import Program

DESCRIPTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "telemetry.desc")
TOPICS = 1000
NAMES = ["n", "ts", "temperature", "humidity", "battery", "status", "note"]
FIELDS = {name: f"$.fields.{name}" for name in ("n", "temperature", "humidity", "battery", "status")}
METRICS = {name: f"$.metrics[{place}].value" for place, name in ((0, "n"), (2, "battery"), (3, "temperature"), (4, "humidity"), (5, "status"))}
# format → what its rule has beside the topic and the table
RULES = {
    "json": {},
    "csv": {"format": "csv", "csv": {"names": NAMES}, "rows": "$[*]"},
    "influx": {"format": "influx", "influx": {"precision": "us"}, "rows": "$[*]",
               "columns": {"time": "$.time", "device": "{device}", **FIELDS}},
    "msgpack": {"format": "msgpack"},
    "cbor": {"format": "cbor"},
    "protobuf": {"format": "protobuf", "protobuf": {"descriptor": DESCRIPTOR, "message": "bench.Telemetry"}},
    "sparkplug_b": {"format": "sparkplug_b", "topic": "spBv1.0/G/{type}/{device}", "where": "$.type = 'NDATA'",
                    "columns": {"time": "$.metrics[1].value | unix_us", "device": "{device}", **METRICS}},
}
DECODER_AIM = 2


def decoders(setting, report, sizes):
    """What a decoder costs a message, against json_scan() over the JSON text of the same documents."""
    runs = [Program(setting, setting.program("decoders"), "--descriptor", DESCRIPTOR, "--milliseconds", sizes.stage_ms).result()
            for _ in range(1 if sizes.quick else 3)]
    part = "decoders: one message, the content of 150 bytes of JSON"
    report.runs(part, "decoders", runs)
    for name in RULES:
        report.column(part, name, "ns", runs, name)
        report.column(part, f"{name}, the same document from JSON", "ns", runs, f"{name}_json")
    for name in RULES:
        if name != "json":
            report.aim("formats", f"decoders: {name}, of the same document's from JSON", median(runs, name) / median(runs, f"{name}_json"), "<=",
                       DECODER_AIM)


def formats(setting, report, sizes, clock):
    """A full queue in the broker, in each format; JSON is the floor."""
    decoders(setting, report, sizes)
    messages = sizes.drain
    results = alternate(sizes.rounds, {
        name: lambda name=name: run.bridge_drain(setting, messages, ({**run.RULE, **RULES[name]},), format=name, topics=TOPICS,
                                                 births=TOPICS if name == "sparkplug_b" else 0) for name in RULES}, clock)
    part = f"formats: {messages:,} messages queued in the broker, the same content in each format"
    show(report, part, results)
    for name in RULES:
        if name != "json":
            report.figure(part, f"{name}, CPU a message, of JSON's", "", ratio(results, name, "json", "cpu_us"))


if __name__ == "__main__":
    raise SystemExit("a module of tests/bench/run.py")
