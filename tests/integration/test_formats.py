"""Documents that the encoders of others wrote are read as what they were.

SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess

from env import ROOT, limit
from npm_modules import npm_modules

RULES = """rules = (
  { name = "cbor"; topic = "cbor"; format = "cbor"; table = "x"; columns = { a = "$ :: jsonb"; }; },
  { name = "msgpack"; topic = "msgpack"; format = "msgpack"; table = "x"; columns = { a = "$ :: jsonb"; }; } );"""


@limit(120)
def test_encoders_of_others(env):
    """Random documents by npm's cbor-x and msgpackr: numbers, texts and containers are the same in jsonb."""
    modules = npm_modules("cbor-x@1.6.9", "msgpackr@2.1.4")
    script = os.path.join(ROOT, "tests/integration/npm/documents.js")
    made = subprocess.run(["node", script, "60"], env={**os.environ, "NODE_PATH": modules}, capture_output=True, text=True, check=True, timeout=60)
    config = env.config_file(RULES)
    file = os.path.join(os.path.dirname(config), "payload.hex")
    lines = made.stdout.splitlines()
    assert len(lines) == 60
    for line in lines:
        document, cbor, msgpack = json.loads(line)
        for topic, payload in (("cbor", cbor), ("msgpack", msgpack)):
            with open(file, "w", encoding="ascii") as out:
                out.write(payload)
            done = env.cli("explain", topic, "--hex", "--payload-file", file, config=config)
            assert done.code == 0 and json.loads(done.out)["row"]["a"] == document, f"{topic} {payload[:200]}: {done.out[:300]} {done.err}"
