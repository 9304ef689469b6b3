"""A broker of the tests' own that sends one copy of a message for each matching subscription, in any order, as EMQX and others do.

MQTT 3.1.1 and 5, QoS 0 to 2, persistent sessions that outlive a clean restart. Not there: retained messages, wills, shared
subscriptions. As Mosquitto it ends the connection of a client that publishes to a topic of more than 200 levels, and as MQTT 5 wants
it, it does not send what is larger than the client takes.

  copy_broker.py PORT FILE       FILE keeps the sessions from one process to the next

SPDX-License-Identifier: MIT
"""

import collections
import functools
import os
import pickle
import random
import selectors
import signal
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(HERE), "integration"))

import mqtt_raw as mqtt  # noqa: E402
from servers import Server, unprivileged  # noqa: E402

LEVELS_MAX = 200
NUMBERS = {0x11: 4, 0x17: 1, 0x19: 1, 0x21: 2, 0x22: 2, 0x27: 4}  # properties of CONNECT with numbers: bytes

Copy = collections.namedtuple("Copy", "topic payload qos properties identifier")


class CopyBroker(Server):
    """The broker as a process of its own; the same interface as servers.Mosquitto has for the campaign."""

    name = "copies"

    def __init__(self, folder):
        super().__init__(folder)
        self.settings, self.options = {}, {}
        self.url = f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        if not self.running():
            # As the user that runs the tests, who can read them.
            self.launch([sys.executable, os.path.abspath(__file__), str(self.port), os.path.join(self.folder, "sessions")],
                        **dict.fromkeys(unprivileged()))
            self.wait_listening()
        return self

    def stop(self):
        """Saves its sessions."""
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)


# --- the process


@functools.lru_cache(100000)
def matches(pattern, topic):
    if topic.startswith("$") and pattern[0] in "+#":
        return False
    levels, there = pattern.split("/"), topic.split("/")
    for i, level in enumerate(levels):
        if level == "#":
            return True
        if i >= len(there) or level not in ("+", there[i]):
            return False
    return len(levels) == len(there)


class Session:
    """What outlives a connection."""

    def __init__(self):
        self.subscriptions = {}  # filter → (qos, identifier)
        self.queue = collections.deque()
        self.under_way = collections.OrderedDict()  # packet identifier → [Copy, released]
        self.taken = set()  # QoS 2 from the client, until PUBREL
        self.next_id = 1


class Link:
    """One connection."""

    def __init__(self, sock):
        self.socket, self.packets, self.out = sock, mqtt.Packets(), bytearray()
        self.session = None
        self.version, self.window, self.packet_max = 4, 20, 0


class Broker:
    def __init__(self, port, file):
        self.file, self.chance, self.stopped = file, random.Random(port), False
        self.sessions, self.links = {}, {}  # client id → Session, → Link
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        if os.path.exists(file):
            with open(file, "rb") as stored:
                self.sessions = pickle.load(stored)

    def stop(self, *_):
        """SIGTERM may come while a packet is being taken; the loop ends behind it."""
        self.stopped = True

    def run(self):
        while not self.stopped:
            for key, events in self.selector.select(0.1):
                if key.data is None:
                    sock, _ = self.listener.accept()
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.selector.register(sock, selectors.EVENT_READ, Link(sock))
                else:
                    self.serve(key.data, events)

    def serve(self, link, events):
        try:
            if events & selectors.EVENT_READ:
                data = link.socket.recv(262144)
                if not data:
                    raise ConnectionError
                for item in link.packets.feed(data):
                    self.take(link, *item)
            self.flush(link)
        except (OSError, struct.error, ValueError, IndexError):  # also of a client that tries TLS
            self.drop(link)

    def drop(self, link):
        try:
            self.selector.unregister(link.socket)
        except (KeyError, ValueError):
            return
        link.socket.close()
        for client_id, other in list(self.links.items()):
            if other is link:
                del self.links[client_id]

    def flush(self, link):
        if link.out:
            try:
                del link.out[:link.socket.send(link.out)]
            except BlockingIOError:
                pass
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.out else 0)
        if self.selector.get_key(link.socket).events != wanted:
            self.selector.modify(link.socket, wanted, link)

    # --- packets

    def take(self, link, kind, flags, body):
        if kind == mqtt.CONNECT:
            self.connect(link, body)
        elif link.session is None:
            raise ConnectionError
        elif kind == mqtt.PUBLISH:
            self.publish(link, flags, body)
        elif kind == mqtt.PUBREL:
            link.session.taken.discard(body[:2])
            link.out += mqtt.packet(mqtt.PUBCOMP, body[:2])
        elif kind in (mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBCOMP):
            self.confirm(link, kind, body)
        elif kind == mqtt.SUBSCRIBE:
            self.subscribe(link, body)
        elif kind == mqtt.UNSUBSCRIBE:
            self.unsubscribe(link, body)
        elif kind == mqtt.PINGREQ:
            link.out += mqtt.packet(mqtt.PINGRESP)
        elif kind == mqtt.DISCONNECT:
            raise ConnectionError

    def connect(self, link, body):
        at = 2 + struct.unpack_from("!H", body)[0]
        link.version, flags = body[at], body[at + 1]
        at += 4
        if link.version == 5:
            size, at = mqtt.take_variable(body, at)
            self.connect_properties(link, body[at:at + size])
            at += size
        client_id = body[at + 2:at + 2 + struct.unpack_from("!H", body, at)[0]].decode()
        if client_id in self.links:
            self.drop(self.links[client_id])
        clean = bool(flags & 2)
        present = client_id in self.sessions and not clean
        if not present:
            self.sessions[client_id] = Session()
        link.session = self.sessions[client_id]
        self.links[client_id] = link
        link.out += mqtt.packet(mqtt.CONNACK, bytes([present, 0]) + (b"\0" if link.version == 5 else b""))
        for packet_id, (copy, released) in link.session.under_way.items():
            link.out += (mqtt.packet(mqtt.PUBREL, struct.pack("!H", packet_id), 2) if released
                         else self.encode(link, copy, packet_id, True))
        self.pump(link)

    def connect_properties(self, link, data):
        at = 0
        while at < len(data):
            kind, size = data[at], NUMBERS.get(data[at])
            if size is None:  # of those with texts the bridge sends none before these numbers
                return
            number = int.from_bytes(data[at + 1:at + 1 + size], "big")
            at += 1 + size
            link.window = number if kind == 0x21 else link.window
            link.packet_max = number if kind == 0x27 else link.packet_max

    def subscribe(self, link, body):
        at, codes, identifier = 2, b"", None
        if link.version == 5:
            size, at = mqtt.take_variable(body, at)
            if size and body[at] == 0x0b:
                identifier, _ = mqtt.take_variable(body, at + 1)
            at += size
        while at < len(body):
            length = struct.unpack_from("!H", body, at)[0]
            qos = body[at + 2 + length] & 3
            link.session.subscriptions[body[at + 2:at + 2 + length].decode()] = qos, identifier
            codes += bytes([qos])
            at += 3 + length
        link.out += mqtt.packet(mqtt.SUBACK, body[:2] + (b"\0" if link.version == 5 else b"") + codes)

    def unsubscribe(self, link, body):
        at, codes = 2, b""
        if link.version == 5:
            size, at = mqtt.take_variable(body, at)
            at += size
        while at < len(body):
            length = struct.unpack_from("!H", body, at)[0]
            link.session.subscriptions.pop(body[at + 2:at + 2 + length].decode(), None)
            codes += b"\0"
            at += 2 + length
        link.out += mqtt.packet(mqtt.UNSUBACK, body[:2] + (b"\0" + codes if link.version == 5 else b""))

    def publish(self, link, flags, body):
        qos, at = flags >> 1 & 3, 2 + struct.unpack_from("!H", body)[0]
        topic, packet_id, properties = body[2:at].decode(), b"", b""
        if topic.count("/") > LEVELS_MAX:
            raise ConnectionError
        if qos:
            packet_id, at = body[at:at + 2], at + 2
        if link.version == 5:
            size, at = mqtt.take_variable(body, at)
            properties, at = body[at:at + size], at + size
        if qos < 2 or packet_id not in link.session.taken:
            self.route(topic, body[at:], qos, properties)
        if qos == 1:
            link.out += mqtt.packet(mqtt.PUBACK, packet_id)
        elif qos == 2:
            link.session.taken.add(packet_id)
            link.out += mqtt.packet(mqtt.PUBREC, packet_id)

    def route(self, topic, payload, qos, properties):
        for client_id, session in self.sessions.items():
            copies = [Copy(topic, payload, min(qos, granted), properties, identifier)
                      for pattern, (granted, identifier) in session.subscriptions.items() if matches(pattern, topic)]
            self.chance.shuffle(copies)
            session.queue.extend(copies)
            if copies and client_id in self.links:
                other = self.links[client_id]
                self.pump(other)
                try:
                    self.flush(other)
                except OSError:
                    self.drop(other)

    def encode(self, link, copy, packet_id, duplicate):
        body = mqtt.field(copy.topic) + (struct.pack("!H", packet_id) if copy.qos else b"")
        if link.version == 5:
            properties = copy.properties + (b"\x0b" + mqtt.variable(copy.identifier) if copy.identifier else b"")
            body += mqtt.variable(len(properties)) + properties
        return mqtt.packet(mqtt.PUBLISH, body + copy.payload, copy.qos << 1 | (8 if duplicate else 0))

    def pump(self, link):
        """Sends what the client's window takes."""
        session = link.session
        while session.queue and len(session.under_way) < link.window:
            copy = session.queue.popleft()
            packet_id = session.next_id
            while copy.qos and packet_id in session.under_way:
                packet_id = packet_id % 65535 + 1
            data = self.encode(link, copy, packet_id, False)
            if link.packet_max and len(data) > link.packet_max:
                continue
            if copy.qos:
                session.next_id = packet_id % 65535 + 1
                session.under_way[packet_id] = [copy, False]
            link.out += data

    def confirm(self, link, kind, body):
        packet_id = struct.unpack_from("!H", body)[0]
        entry = link.session.under_way.get(packet_id)
        refused = len(body) > 2 and body[2] >= 0x80
        if kind == mqtt.PUBREC and not refused:
            if entry:
                entry[1] = True
            link.out += mqtt.packet(mqtt.PUBREL, body[:2], 2)
        elif entry:
            del link.session.under_way[packet_id]
        self.pump(link)


def main():
    broker = Broker(int(sys.argv[1]), sys.argv[2])
    signal.signal(signal.SIGTERM, broker.stop)
    broker.run()
    with open(broker.file + ".new", "wb") as file:
        pickle.dump(broker.sessions, file)
    os.rename(broker.file + ".new", broker.file)


if __name__ == "__main__":
    main()
