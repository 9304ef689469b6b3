"""Round trips a batch: a database far away is as slow as the bridge waits for answers, whatever the number of rules.

SPDX-License-Identifier: MIT
"""

import struct

from env import quick

ROUND_TRIPS_MAX = 2
DELAY = 0.002  # seconds, each way: far enough to save round trips rather than work
PLAIN = 'columns = { n = "$.n"; };'
STAGED = 'columns = { n = "$.n"; }; compute = { twice = "n * 2"; }; on_conflict = "update"; key = ("n");'


class Flights:
    """A proxy's filter: for each transaction of a connection, how often the client waits for the server before it goes on.

    The client waits behind Query, Sync and Flush, and before the data of each COPY (CopyDone ends these). The transaction ends with
    ReadyForQuery in the state "idle". See "Frontend/Backend Protocol" in PostgreSQL's manual.
    """

    def __init__(self):
        self.batches = []

    def look(self, link, direction, data):
        state = link.state
        if not state:
            state.update(up=b"", down=b"", started=False, waits=0, committed=False)
        state[direction] += data
        while (message := self.take(state, direction)) is not None:
            kind, body = message
            if direction == "up":
                state["waits"] += kind in b"QSHc"
            elif kind == b"C":
                state["committed"] = state["committed"] or body == b"COMMIT\0"
            elif kind == b"Z" and body == b"I":
                if state["committed"]:
                    self.batches.append(state["waits"])
                state.update(waits=0, committed=False)
        return data, False

    @staticmethod
    def take(state, direction):
        """The next whole message, (type, content). The client's first one has no type."""
        pending = state[direction]
        head = 0 if direction == "up" and not state["started"] else 1
        if len(pending) < head + 4:
            return None
        end = head + struct.unpack_from("!I", pending, head)[0]
        if len(pending) < end:
            return None
        state[direction] = pending[end:]
        if head == 0:
            state["started"] = True
        return pending[:head], pending[head + 4:end]


def rules_of(count, more):
    return ",".join(f'{{ name = "r{n}"; topic = "~/f/{n}"; table = "far{n}"; {more} }}' for n in range(count))


def batches_of(env, count, more, messages):
    """How often each batch waited, when so many messages for each of the rules are stored in a few batches."""
    env.sql("".join(f"drop table if exists far{n}; create table far{n} (n int primary key, twice int);" for n in range(count)))
    proxy, flights = env.proxy(env.postgres.port), Flights()
    proxy.filter, proxy.delay = flights.look, DELAY
    database = {"conninfo": env.postgres.conninfo(env.database, port=proxy.port) + " sslmode=disable gssencmode=disable"}
    bridge = env.bridge(rules_of(count, more), database=database, batch={"max_delay": "500ms"})
    del flights.batches[:]
    env.publish([(f"~/f/{rule}", f'{{"n": {n}}}') for n in range(messages) for rule in range(count)])
    for rule in range(count):
        env.wait_rows(f"far{rule}", messages)
    bridge.stop()
    assert flights.batches, "no transaction was seen"
    return flights.batches


@quick
def test_a_batch_takes_two_round_trips(env):
    """One rule and twenty, few rows and so many that COPY is worth it, plain ones and ones with on_conflict and compute."""
    for count, more, messages in ((1, PLAIN, 100), (1, PLAIN, 3000), (20, PLAIN, 30), (6, PLAIN, 1500), (20, STAGED, 30), (1, STAGED, 3000)):
        waits = batches_of(env, count, more, messages)
        assert max(waits) <= ROUND_TRIPS_MAX, f"{count} rules, {messages} messages each: batches take {waits} round trips ({more})"


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
