"""Publishers of numbered messages that know exactly what the broker has accepted.

Each has its own topics ("lanes"), numbers each of them 0, 1, 2, … and repeats with DUP what the broker had not confirmed when
the connection broke. They are connected to the broker itself, never through a proxy, so only a restart of the broker breaks
one. Whatever the number says of its message (see `fate`) is known to the checker, too.

"Accepted once" needs a word at QoS 1: a number whose PUBACK was still to come when the connection broke is sent again, and a broker
that had taken it takes it twice. Such numbers are `unsure`: they must arrive, and may arrive twice. At QoS 2 there are none.

SPDX-License-Identifier: MIT
"""

import collections
import random
import select
import struct
import threading
import time

from mqtt_raw import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Client, packet, publish_packet

GOOD, NOT_JSON, BAD_VALUE, REFUSED_CHECK, REFUSED_KEY, FILTERED = ("good", "not JSON", "bad value", "refused by a check",
                                                                    "refused by a foreign key", "filtered")
FATES = {11: NOT_JSON, 17: BAD_VALUE, 23: REFUSED_CHECK, 37: FILTERED}


def fate(number):
    """What becomes of the message with this number. PostgreSQL names no line for a foreign key: it takes halving, so there are few of them."""
    return REFUSED_KEY if number % 400 == 31 else FATES.get(number % 40, GOOD)


def payload(number, padding):
    kind = fate(number)
    text = '{"n":%d,"v":%s,"kind":%d,"x":"%s"}' % (
        number, {BAD_VALUE: '"warm"', REFUSED_CHECK: "5000", FILTERED: "-1"}.get(kind, "20.5"), 2 if kind == REFUSED_KEY else 1,
        "x" * padding)
    return text[:-1] if kind == NOT_JSON else text


class Sent:
    """One message under way."""

    def __init__(self, lane, number, text):
        self.lane, self.number, self.text = lane, number, text
        self.released = False  # QoS 2: PUBREC has come, PUBREL is out


class Publisher:
    """A thread that publishes at most `rate` messages a second until it is told to finish."""

    WINDOW = 10  # under way at most: a restart of the broker makes so many numbers unsure at most
    LANES = ("a", "b")

    def __init__(self, env, name, qos, version, rate, padding):
        self.env, self.name, self.qos, self.version, self.rate, self.padding = env, name, qos, version, rate, padding
        self.chance = random.Random(name)
        self.under_way = collections.OrderedDict()  # packet identifier → Sent, in the order of sending
        self.counts = dict.fromkeys(self.LANES, 0)  # next number
        self.accepted = 0
        self.unsure = set()  # (lane, number)
        self.troubles = []
        self.next_id = 1
        self.client = None
        self.connections = 0
        self.finishing = False
        self.gave_up = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def finish(self, seconds=60):
        """No new messages; waits until the broker has confirmed all of them."""
        self.finishing = True
        self.thread.join(seconds)
        if self.thread.is_alive():
            self.gave_up = True
            self.thread.join(10)
            self.troubles.append(f"{self.name}: the broker does not confirm {len(self.under_way)} messages")

    # --- the connection

    def _connect(self):
        options = {"expiry": 3600} if self.version == 5 else {}
        self.client = Client("127.0.0.1", self.env.broker.port, f"{self.env.prefix}-{self.name}", version=self.version, clean=False,
                             **options)
        self.client.socket.setblocking(False)
        self.connections += 1
        if self.connections == 1:
            return
        if self.qos == 2 and not self.client.session_present and self.under_way:
            self.troubles.append(f"{self.name}: the broker has lost the publisher's session")
        repeats = b""
        for packet_id, sent in self.under_way.items():
            if self.qos == 1:
                self.unsure.add((sent.lane, sent.number))
            repeats += packet(PUBREL, struct.pack("!H", packet_id), 2) if sent.released else self._encode(packet_id, sent, True)
        self._write(repeats)

    def _write(self, data):
        """All of it: there is never more under way than the socket's buffers take, unless the broker is stopped."""
        while data and not self.gave_up:
            _, writable, _ = select.select([], [self.client.socket], [], 0.2)
            if writable:
                data = data[self.client.socket.send(data):]

    def _run(self):
        while not (self.finishing and not self.under_way) and not self.gave_up:
            try:
                self._connect()
                self._work()
            except (OSError, ConnectionError):  # the broker restarts
                time.sleep(0.05)
            except Exception as error:  # pylint: disable=broad-except
                self.troubles.append(f"{self.name}: {error!r}")
                return
        if self.client:
            self.client.close()

    def _work(self):
        start, sent = time.monotonic(), 0
        waiting = getattr(self.client, "waiting", [])
        self._confirm(waiting)
        while not (self.finishing and not self.under_way) and not self.gave_up:
            allowed = (time.monotonic() - start) * self.rate
            out = b""
            while not self.finishing and sent < allowed and len(self.under_way) < self.WINDOW:
                out += self._next()
                sent += 1
            sent = max(sent, allowed - self.rate)  # after a pause no more than a second's worth at once
            self._write(out)
            readable, _, _ = select.select([self.client.socket], [], [], 0.01)
            if readable:
                data = self.client.socket.recv(65536)
                if not data:
                    raise ConnectionError("closed")
                self._confirm(self.client.packets.feed(data))

    # --- messages

    def _next(self):
        lane = self.chance.choice(self.LANES)
        number = self.counts[lane]
        sent = Sent(lane, number, payload(number, self.chance.randrange(2 * self.padding + 1)))
        while self.next_id in self.under_way:
            self.next_id = self.next_id % 65535 + 1
        packet_id, self.next_id = self.next_id, self.next_id % 65535 + 1
        self.under_way[packet_id] = sent
        self.counts[lane] = number + 1
        return self._encode(packet_id, sent, False)

    def _encode(self, packet_id, sent, duplicate):
        return publish_packet(self.env.topic(f"~/n/{self.name}/{sent.lane}"), sent.text, self.qos, packet_id, self.version,
                              duplicate=duplicate)

    def _confirm(self, packets):
        answer = b""
        for kind, _, body in packets:
            packet_id = struct.unpack("!H", body[:2])[0] if len(body) >= 2 else 0
            reason = body[2] if len(body) > 2 else 0
            sent = self.under_way.get(packet_id)
            if kind in (PUBACK, PUBREC) and reason:
                self.troubles.append(f"{self.name}: the broker refuses a message, or nobody subscribes to it (reason {reason:#x})")
            if kind == PUBREC and sent:
                sent.released = True
                answer += packet(PUBREL, body[:2], 2)
            elif kind in (PUBACK, PUBCOMP) and sent:
                del self.under_way[packet_id]
                self.accepted += 1
            elif kind == PUBLISH:
                self.troubles.append(f"{self.name}: got a PUBLISH")
        self._write(answer)


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
