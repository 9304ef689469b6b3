"""The same messages in each payload format, through the whole service.

SPDX-License-Identifier: MIT
"""

import contestants as run
from parts import alternate, ratio, show

NAMES = ["n", "ts", "temperature", "humidity", "battery", "status", "note"]
FIELDS = {name: f"$.fields.{name}" for name in ("n", "temperature", "humidity", "battery", "status")}
# format → what its rule has beside the topic and the table
RULES = {
    "json": {},
    "csv": {"format": "csv", "csv": {"names": NAMES}, "rows": "$[*]"},
    "influx": {"format": "influx", "influx": {"precision": "us"}, "rows": "$[*]",
               "columns": {"time": "$.time", "device": "{device}", **FIELDS}},
    "msgpack": {"format": "msgpack"},
    "cbor": {"format": "cbor"},
}


def formats(setting, report, sizes, clock):
    """A full queue in the broker, in each format; JSON is the floor."""
    messages = sizes.drain
    results = alternate(sizes.rounds, {
        name: lambda name=name: run.bridge_drain(setting, messages, ({**run.RULE, **RULES[name]},), format=name) for name in RULES}, clock)
    part = f"formats: {messages:,} messages queued in the broker, the same content in each format"
    show(report, part, results)
    for name in RULES:
        if name != "json":
            report.figure(part, f"{name}, CPU a message, of JSON's", "", ratio(results, name, "json", "cpu_us"))


if __name__ == "__main__":
    raise SystemExit("a module of tests/bench/run.py")
