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

GOOD, NOT_JSON, BAD_VALUE, REFUSED_CHECK, REFUSED_KEY, REFUSED_ODD, FILTERED = (
    "good", "not JSON", "bad value", "refused by a check", "refused by a foreign key", "refused by a trigger", "filtered")
FATES = {11: NOT_JSON, 17: BAD_VALUE, 23: REFUSED_CHECK, 37: FILTERED}

# What a trigger refuses single rows with: classes of its own, and those that elsewhere speak of a rule, the database or the connection.
ODD_STATES = ("U0001", "45000", "57014", "42501", "40001", "42P01", "55P03", "53100", "AB123", "58000", "0A000", "53400", "55000",
              "3F000", "28000", "08006", "P0001", "XX000")


def fate(number):
    """What becomes of the message with this number."""
    if number % 700 == 53:
        return REFUSED_ODD
    return REFUSED_KEY if number % 400 == 31 else FATES.get(number % 40, GOOD)


def payload(number, padding, odd=0):
    """`odd`: which of the odd states comes first."""
    kind = fate(number)
    code = ODD_STATES[(odd + number // 700) % len(ODD_STATES)] if kind == REFUSED_ODD else ""
    text = '{"n":%d,"v":%s,"kind":%d,%s"x":"%s"}' % (
        number, {BAD_VALUE: '"warm"', REFUSED_CHECK: "5000", FILTERED: "-1"}.get(kind, "20.5"), 2 if kind == REFUSED_KEY else 1,
        f'"code":"{code}",' if code else "", "x" * padding)
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

    def __init__(self, env, name, qos, version, rate, padding, large=0, odd=0):
        """`large`: bytes of the largest messages; `odd`: which of ODD_STATES comes first."""
        self.env, self.name, self.qos, self.version, self.rate, self.padding = env, name, qos, version, rate, padding
        self.large, self.odd = large, odd
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
        """
        No new messages, but for a good one at the end of each lane; waits until the broker has confirmed all of them. (A rule whose
        last rows are all refused with a state that speaks of its table waits for one that passes.)
        """
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

    def _owed(self):
        """The lanes that still need a last message."""
        return [lane for lane, count in self.counts.items() if not self.finishing or count and fate(count - 1) != GOOD]

    def _done(self):
        return self.gave_up or (self.finishing and not self.under_way and not self._owed())

    def _run(self):
        while not self._done():
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
        while not self._done():
            allowed = (time.monotonic() - start) * self.rate
            out = b""
            while self._owed() and sent < allowed and len(self.under_way) < self.WINDOW:
                out += self._next(self.chance.choice(self._owed()))
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

    def _padding(self):
        """Some messages are large, a few as large as the bridge takes them."""
        if self.large and self.chance.random() < 0.003:
            return self.large if self.chance.random() < 0.2 else min(100000, self.large)
        return self.chance.randrange(2 * self.padding + 1)

    def _text(self, lane, number):
        return payload(number, self._padding(), self.odd + 9 * self.LANES.index(lane))

    def _next(self, lane):
        number = self.counts[lane]
        sent = Sent(lane, number, self._text(lane, number))
        while self.next_id in self.under_way:
            self.next_id = self.next_id % 65535 + 1
        packet_id, self.next_id = self.next_id, self.next_id % 65535 + 1
        self.under_way[packet_id] = sent
        self.counts[lane] = number + 1
        return self._encode(packet_id, sent, False)

    def _encode(self, packet_id, sent, duplicate):
        return publish_packet(self.env.topic(self._topic(sent.lane)), sent.text, self.qos, packet_id, self.version, duplicate=duplicate,
                              **self._properties(sent.lane))

    def _topic(self, lane):
        return f"~/n/{self.name}/{lane}"

    def _properties(self, lane):
        return {}

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


class Asker(Publisher):
    """
    Sends requests and says where the answer goes; a few answers would have more levels than the broker takes, which ends the connection
    of the bridge that publishes one. With MQTT 5 by the response topic; with 3.1.1 the rule makes a longer topic of the request's.
    """

    LANES = ("a", "hostile")
    HOSTILE = 0.02

    def __init__(self, env, mqtt5, rate):
        super().__init__(env, "asker", 1, 5 if mqtt5 else 4, rate, 20)
        self.mqtt5, self.calm = mqtt5, False

    def _owed(self):
        if self.finishing:
            return []
        return ["hostile" if not self.calm and self.chance.random() < self.HOSTILE else "a"]

    def _text(self, lane, number):
        return '{"n":%d}' % number

    def _topic(self, lane):
        return "~/q/" + ("h/" * 196 if lane == "hostile" and not self.mqtt5 else "") + "asker/" + lane

    def _properties(self, lane):
        if not self.mqtt5:
            return {}
        return {"response_topic": self.env.topic("~/ack/" + ("h/" * 205 if lane == "hostile" else "") + "asker/" + lane)}


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
