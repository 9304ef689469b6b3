"""MQTT on a bare socket: the bytes of 3.1.1 and 5.0, and a publisher that is faster than the bridge.

Everything that a test has to say exactly (packet identifiers, DUP, properties, a burst in one segment) is said here;
nothing is hidden behind a library. The scripted broker (scripted_broker.py) uses the same bytes from the other side.

SPDX-License-Identifier: MIT
"""

import select
import socket
import struct
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14
NAMES = {PUBACK: "PUBACK", PUBREC: "PUBREC", PUBREL: "PUBREL", PUBCOMP: "PUBCOMP", PUBLISH: "PUBLISH",
         SUBSCRIBE: "SUBSCRIBE", UNSUBSCRIBE: "UNSUBSCRIBE", DISCONNECT: "DISCONNECT", PINGREQ: "PINGREQ"}


def as_bytes(text):
    return text if isinstance(text, bytes) else str(text).encode()


def field(text):
    """Bytes with their two-byte length in front."""
    data = as_bytes(text)
    return struct.pack("!H", len(data)) + data


def variable(number):
    """A variable byte integer."""
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def take_variable(data, at):
    """(number, position behind it), or None when it is not complete."""
    number = 0
    for shift in range(0, 28, 7):
        if at >= len(data):
            return None
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError("malformed variable byte integer")


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


def properties(payload_format=None, expiry=None, content_type=None, response_topic=None, correlation_data=None,
               user=(), subscriptions=()):
    """The properties of a PUBLISH, without their length."""
    out = b""
    if payload_format is not None:
        out += bytes([0x01, payload_format])
    if expiry is not None:
        out += b"\x02" + struct.pack("!I", expiry)
    if content_type is not None:
        out += b"\x03" + field(content_type)
    if response_topic is not None:
        out += b"\x08" + field(response_topic)
    if correlation_data is not None:
        out += b"\x09" + field(correlation_data)
    for identifier in subscriptions:
        out += b"\x0b" + variable(identifier)
    for name, value in user:
        out += b"\x26" + field(name) + field(value)
    return out


def publish_packet(topic, payload, qos=0, packet_id=0, version=4, retain=False, duplicate=False, **props):
    body = field(topic)
    if qos:
        body += struct.pack("!H", packet_id)
    if version == 5:
        encoded = properties(**props) if props else b""
        body += variable(len(encoded)) + encoded
    return packet(PUBLISH, body + as_bytes(payload), qos << 1 | (8 if duplicate else 0) | (1 if retain else 0))


def connect_packet(client_id, version=4, clean=True, keepalive=60, username=None, password=None, expiry=0):
    flags = 2 if clean else 0
    flags |= 0x80 if username is not None else 0
    flags |= 0x40 if password is not None else 0
    body = field("MQTT") + bytes([version, flags]) + struct.pack("!H", keepalive)
    if version == 5:
        extra = b"\x11" + struct.pack("!I", expiry) if expiry else b""
        body += variable(len(extra)) + extra
    body += field(client_id)
    if username is not None:
        body += field(username)
    if password is not None:
        body += field(password)
    return packet(CONNECT, body)


class Packets:
    """Cuts a stream of bytes into packets: feed() returns a list of (kind, flags, body)."""

    def __init__(self):
        self.rest = b""

    def feed(self, data):
        data = self.rest + data
        at, found = 0, []
        while len(data) - at >= 2:
            length = take_variable(data, at + 1)
            if length is None or len(data) < length[1] + length[0]:
                break
            found.append((data[at] >> 4, data[at] & 15, data[length[1]:length[1] + length[0]]))
            at = length[1] + length[0]
        self.rest = data[at:]
        return found


class Client:
    """A connected client: connects in the constructor, then the caller says what goes over the wire."""

    def __init__(self, host, port, client_id, version=4, timeout=10, **options):
        self.version = version
        self.packets = Packets()
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(connect_packet(client_id, version, **options))
        kind, _, body = self.receive(timeout)
        if kind != CONNACK or body[1] != 0:
            raise ConnectionError(f"broker refused {client_id}: {body.hex()}")
        self.session_present = bool(body[0] & 1)

    def receive(self, timeout=10):
        """The next packet; the ones that came with it wait in self.waiting."""
        waiting = getattr(self, "waiting", [])
        deadline = time.monotonic() + timeout
        while not waiting:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the broker closed the connection")
            waiting = self.packets.feed(data)
        self.waiting = waiting[1:]
        return waiting[0]

    def close(self):
        try:
            self.socket.sendall(packet(DISCONNECT))
        except OSError:
            pass
        self.socket.close()


class Publisher(Client):
    """
    Publishes lists of messages and waits until the broker has taken each of them.

    A message is (topic, payload), (topic, payload, qos) or (topic, payload, qos, options); options are `retain` and, with
    version 5, what properties() takes. `accepted` counts what the broker confirmed.
    """

    WINDOW = 20000      # under way at most; packet identifiers must not meet
    WINDOW_SMALL = 15   # QoS 2, and all with MQTT 5: Mosquitto's receive maximum is 20

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.next_id = 1
        self.accepted = 0
        self.pending = 0
        self.pending_exactly_once = 0

    def encode(self, message):
        topic, payload, qos, options = (*message, 1, {})[:4] if len(message) == 2 else (*message, {})[:4]
        packet_id = 0
        if qos:
            packet_id = self.next_id
            self.next_id = self.next_id % 65535 + 1
        return publish_packet(topic, payload, qos, packet_id, self.version, **options), qos

    def publish(self, messages, timeout=60, rate=None):
        """Sends all (at most `rate` a second) and returns when all are confirmed."""
        source = iter(messages)
        held = None  # a message that has to wait for the window
        deadline = time.monotonic() + timeout
        start, sent = time.monotonic(), 0
        window = self.WINDOW if self.version == 4 else self.WINDOW_SMALL
        out, more = b"", True
        self.socket.setblocking(False)
        while more or out or self.pending:
            if more and not out:
                chunk = []
                while len(chunk) < 500 and self.pending < window:
                    if rate and sent >= (time.monotonic() - start) * rate:
                        break
                    message = held or next(source, None)
                    held = None
                    if message is None:
                        more = False
                        break
                    if len(message) > 2 and message[2] == 2 and self.pending_exactly_once >= self.WINDOW_SMALL:
                        held = message
                        break
                    data, qos = self.encode(message)
                    self.pending_exactly_once += qos == 2
                    chunk.append(data)
                    sent += 1
                    if qos:
                        self.pending += 1
                    else:
                        self.accepted += 1
                out = b"".join(chunk)
            readable, writable, _ = select.select([self.socket], [self.socket] if out else [], [], 0.001 if rate else 0.05)
            if writable:
                out = out[self.socket.send(out):]
            if readable:
                out += self.confirm(self.socket.recv(262144))
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.pending} messages not confirmed by the broker")

    def confirm(self, data):
        """Counts what the broker confirms; returns what must be answered."""
        if not data:
            raise ConnectionError("the broker closed the connection")
        answer = b""
        for kind, _, body in self.packets.feed(data):
            if kind in (PUBACK, PUBCOMP):
                self.pending -= 1
                self.pending_exactly_once -= kind == PUBCOMP
                self.accepted += 1
            elif kind == PUBREC:
                answer += packet(PUBREL, body[:2], 2)
        return answer


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
