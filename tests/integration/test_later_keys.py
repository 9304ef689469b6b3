"""Keys of the payload that no column takes: told in `status`; with add_columns they become columns.

SPDX-License-Identifier: MIT
"""

import json
import signal

from env import quick

RULE = '{ name = "plug"; topic = "~/plug/{id}"; table = "plug"; columns = { id = "{id}"; volt = "$.volt"; lat = "$.pos.lat"; }; }'


def not_taken(bridge, rule="plug"):
    status = json.loads(bridge.get("/status.json").out)
    return next(found["not_taken"] for found in status["rules"] if found["name"] == rule)


@quick
def test_keys_that_no_column_takes_are_told(env):
    """Each once, in status and its JSON; a reload that takes them forgets them; the number that is kept is bounded."""
    env.sql("create table plug (id text, volt float8, lat float8, power float8)")
    bridge = env.bridge(RULE)
    env.publish([("~/plug/a", '{"volt": 230, "power": 5, "co2": 1, "pos": {"lat": 1, "lon": 2}}')] * 3)
    env.wait(lambda: not_taken(bridge) == ["power", "co2", "pos.lon"], 15, lambda: not_taken(bridge))
    status = env.cli("status", config=bridge)
    assert status.code == 0 and "not taken plug: power, co2, pos.lon\n" in status.out, status
    bridge.configure(RULE.replace('volt = "$.volt"', 'volt = "$.volt"; power = "$.power"'))
    bridge.signal(signal.SIGHUP)
    env.wait(lambda: not_taken(bridge) == [], 15, lambda: not_taken(bridge))
    env.publish([("~/plug/b", json.dumps({f"k{n:02}": n for n in range(40)}))])
    env.wait(lambda: len(not_taken(bridge)) == 8, 15, lambda: not_taken(bridge))
    assert " and 24 more" in env.cli("status", config=bridge).out
    bridge.check_books()
