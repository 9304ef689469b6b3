"""Round trips a batch: a database far away is as slow as the bridge waits for answers, whatever the number of rules.

SPDX-License-Identifier: MIT
"""

import struct

from env import quick
from scenes import fill_journal

ADVICE = "a larger batch.max_rows"
DELAY = 0.003  # seconds, each way: far enough to save round trips rather than work
PLAIN = 'columns = { n = "$.n"; };'
WIDE = 'columns = { n = "$.n"; x = "$.x"; };'
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
            state.update(up=b"", down=b"", started=False, waits=0, batch=False, committed=False)
        state[direction] += data
        while (message := self.take(state, direction)) is not None:
            kind, body = message
            if direction == "up":
                state["waits"] += kind in b"QSHc"
                state["batch"] = state["batch"] or b"begin isolation" in body
            elif kind == b"C":
                state["committed"] = state["committed"] or body == b"COMMIT\0"
            elif kind == b"Z" and body == b"I":
                if state["committed"] and state["batch"]:
                    self.batches.append(state["waits"])
                state.update(waits=0, batch=False, committed=False)
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
    return ",".join(f'{{ name = "r{n}"; topic = "~/n/{n}"; table = "far{n}"; {more} }}' for n in range(count))


def far_bridge(env, count, more, messages, **batch):
    """A bridge that is far from its database, with a journal in which so many messages for each of its rules wait; and its flights."""
    env.sql("".join(f"drop table if exists far{n}; create table far{n} (n int primary key, twice int, x text);" for n in range(count)))
    proxy, flights = env.proxy(env.postgres.port), Flights()
    proxy.filter, proxy.delay = flights.look, DELAY
    database = {"conninfo": env.postgres.conninfo(env.database, port=proxy.port) + " sslmode=disable gssencmode=disable"}
    bridge = env.bridge(rules_of(count, more), database=database, start=False, batch=batch)
    fill_journal(env, bridge.journal, count * messages, [str(n) for n in range(count)])
    bridge.start()
    for rule in range(count):
        env.wait_rows(f"far{rule}", messages)
    return bridge, flights


@quick
def test_a_batch_takes_two_round_trips(env):
    """One rule and twenty, few rows and many, plain ones and ones with on_conflict and compute: one round trip; two for more than 512 KB."""
    for count, more, messages, expected in ((1, PLAIN, 100, 1), (1, PLAIN, 3000, 1), (20, PLAIN, 30, 1), (6, PLAIN, 1500, 1),
                                            (20, STAGED, 30, 1), (1, STAGED, 3000, 1), (1, WIDE, 5000, 2)):
        bridge, flights = far_bridge(env, count, more, messages)
        bridge.stop()
        assert flights.batches == [expected], \
            f"{count} rules, {messages} messages each, {more}: the batches take {flights.batches} round trips, not {[expected]}"


def test_larger_batches_are_advised(env):
    """A database that is far away and full batches: the log says once what to change; not for one next door."""
    bridge, flights = far_bridge(env, 1, PLAIN, 600, max_rows=20)
    bridge.stop()
    assert len(flights.batches) == 30 and bridge.log().count(ADVICE) == 1, (flights.batches, bridge.log())
    env.sql("truncate far0")
    near = env.bridge(rules_of(1, PLAIN), start=False, batch={"max_rows": 20})
    fill_journal(env, near.journal, 600, ["0"])
    near.start()
    env.wait_rows("far0", 600)
    near.stop()
    assert ADVICE not in near.log(), near.log()


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
