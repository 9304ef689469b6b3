"""A broker that does exactly what a test says: which packet identifier, DUP or not, what is repeated.

It answers CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ and publications of the bridge by itself; PUBLISH and PUBREL towards the
bridge go out only when the test says so, and what comes back is written down.

SPDX-License-Identifier: MIT
"""

import queue
import socket
import struct
import threading
import time

import mqtt_raw as mqtt
from proxy import reset


HANG_UP = object()  # instead of CONNACK, or of SUBACK

# The properties of CONNECT that the bridge sends (MQTT 5.0, section 3.1.2.11): bytes of each number.
CONNECT_NUMBERS = {0x11: 4, 0x21: 2, 0x27: 4}
RECEIVE_MAXIMUM, MAXIMUM_PACKET_SIZE = 0x21, 0x27


def connect_numbers(properties):
    """{property: number}"""
    found, at = {}, 0
    while at < len(properties):
        size = CONNECT_NUMBERS[properties[at]]
        found[properties[at]] = int.from_bytes(properties[at + 1:at + 1 + size], "big")
        at += 1 + size
    return found


class Session:
    """One connection of a client. `received` is what it sent: ("PUBACK", 7), ("SUBSCRIBE", [filters]), …"""

    def __init__(self, broker, sock):
        self.broker, self.socket = broker, sock
        self.packets = mqtt.Packets()
        self.received = []
        self.unsubscribed = []  # number of filters in each UNSUBSCRIBE that was answered
        self.published = []  # (topic, payload) that the client published
        self.identifiers = {}  # of its subscriptions, by filter (MQTT 5)
        self.open = True
        self.lock = threading.Lock()

    # --- what the test says

    def send(self, topic, payload, qos=1, packet_id=0, duplicate=False, retain=False, **props):
        self.write(mqtt.publish_packet(topic, payload, qos, packet_id, self.version, retain, duplicate, **props))

    def send_if_it_fits(self, *args, **props):
        """As EMQX does: a packet that is larger than the client's Maximum Packet Size is dropped, and False comes back."""
        data = mqtt.publish_packet(*args, version=self.version, **props)
        fits = len(data) <= connect_numbers(self.properties).get(MAXIMUM_PACKET_SIZE, len(data))
        if fits:
            self.write(data)
        return fits

    def pubrel(self, packet_id):
        self.write(mqtt.packet(mqtt.PUBREL, struct.pack("!H", packet_id), 2))

    def write(self, data):
        with self.lock:
            self.socket.sendall(data)

    def wait(self, name, value=None, seconds=20):
        """Waits until the client has sent such a packet ("PUBACK", 7)."""
        deadline = time.monotonic() + seconds * self.broker.patience
        while time.monotonic() < deadline:
            for item in list(self.received):
                if item[0] == name and value in (None, item[1]):
                    return item[1]
            time.sleep(0.01)
        raise AssertionError(f"no {name} {value if value is not None else ''} within {seconds} s; got {self.received[-10:]}")

    def has(self, name, value):
        return (name, value) in self.received

    def dismiss(self, code):
        """DISCONNECT with a reason code (MQTT 5), then the end."""
        if self.version == 5:
            self.write(mqtt.packet(mqtt.DISCONNECT, bytes([code, 0])))
        self.drop(politely=True)

    def drop(self, politely=False):
        """Cuts the connection as a network would; politely: what was written arrives."""
        self.open = False
        try:
            self.socket.shutdown(socket.SHUT_WR if politely else socket.SHUT_RDWR)  # the latter wakes the thread that reads
        except OSError:  # the client was faster, and that thread has closed the socket
            pass
        if politely:
            return
        reset(self.socket)

    # --- what it does by itself

    def parse_connect(self, body):
        length = struct.unpack_from("!H", body)[0]
        at = 2 + length
        self.version, flags, self.keepalive = struct.unpack_from("!BBH", body, at)
        at += 4
        self.clean = bool(flags & 2)
        self.properties = b""
        if self.version == 5:
            size, at = mqtt.take_variable(body, at)
            self.properties = body[at:at + size]
            at += size
        length = struct.unpack_from("!H", body, at)[0]
        self.client_id = body[at + 2:at + 2 + length].decode()
        self.will = bool(flags & 4)
        at += 2 + length
        for part in ("will_topic", "will_message") * self.will + ("username",) * bool(flags & 0x80) + ("password",) * bool(flags & 0x40):
            if part == "will_topic" and self.version == 5:
                size, at = mqtt.take_variable(body, at)
                at += size
            length = struct.unpack_from("!H", body, at)[0]
            setattr(self, part, body[at + 2:at + 2 + length].decode())
            at += 2 + length

    def answer(self, kind, flags, body):
        if kind == mqtt.CONNECT:
            self.parse_connect(body)
            self.received.append(("CONNECT", None))
            self.broker.clients.append(self)
            code = self.broker.refuse(self)
            if code is HANG_UP:
                self.drop()
                return
            if code:
                self.write(mqtt.packet(mqtt.CONNACK, bytes([0, code]) + (b"\0" if self.version == 5 else b"")))
                self.drop(politely=True)
                return
            present = self.broker.session_present and not self.clean
            found = self.broker.properties
            self.write(mqtt.packet(mqtt.CONNACK, bytes([present, 0]) + (bytes([len(found)]) + found if self.version == 5 else b"")))
            self.broker.sessions.put(self)
        elif kind == mqtt.SUBSCRIBE:
            self.subscribe(body)
        elif kind == mqtt.UNSUBSCRIBE:
            self.unsubscribe(body)
        elif kind == mqtt.PINGREQ:
            self.write(mqtt.packet(mqtt.PINGRESP))
        elif kind == mqtt.PUBLISH:
            self.publication(flags, body)
        elif kind == mqtt.PUBREL:
            self.write(mqtt.packet(mqtt.PUBCOMP, body[:2]))
        elif kind in (mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBCOMP):
            self.received.append((mqtt.NAMES[kind], struct.unpack_from("!H", body)[0]))
        elif kind == mqtt.DISCONNECT:
            self.received.append(("DISCONNECT", body))

    def unsubscribe(self, body):
        self.received.append(("UNSUBSCRIBE", body))
        at, filters = 2, []
        if self.version == 5:
            size, at = mqtt.take_variable(body, at)
            at += size
        while at < len(body):
            length = struct.unpack_from("!H", body, at)[0]
            filters.append(body[at + 2:at + 2 + length].decode())
            at += 2 + length
        if any(self.broker.hangs_up_at_leaving(self, name) for name in filters):
            self.drop()
            return
        self.broker.held.difference_update(filters)
        self.unsubscribed.append(len(filters))
        codes = bytes(len(filters))
        self.write(mqtt.packet(mqtt.UNSUBACK, body[:2] + (b"\0" + codes if self.version == 5 else b"")))

    def count_unsubscribed(self):
        return sum(self.unsubscribed)

    def subscribe(self, body):
        at, filters, identifier = 2, [], None
        if self.version == 5:
            size, at = mqtt.take_variable(body, at)
            if size and body[at] == 0x0b:
                identifier, _ = mqtt.take_variable(body, at + 1)
            at += size
        while at < len(body):
            length = struct.unpack_from("!H", body, at)[0]
            filters.append((body[at + 2:at + 2 + length].decode(), body[at + 2 + length] & 3))
            at += 3 + length
        self.identifiers.update({name: identifier for name, _ in filters})
        self.received.append(("SUBSCRIBE", filters))
        if self.broker.mute:
            return
        if any(self.broker.hangs_up_at(self, name) for name, _ in filters):
            self.drop()
            return
        self.broker.held.update(name for name, _ in filters)
        granted = bytes(self.broker.grant(name, qos) for name, qos in filters)
        self.write(mqtt.packet(mqtt.SUBACK, body[:2] + (b"\0" if self.version == 5 else b"") + granted))

    def publication(self, flags, body):
        qos = flags >> 1 & 3
        length = struct.unpack_from("!H", body)[0]
        topic, at = body[2:2 + length].decode(), 2 + length
        packet_id = body[at:at + 2]
        at += 2 if qos else 0
        if self.version == 5:
            size, at = mqtt.take_variable(body, at)
            at += size
        end = self.broker.ends_at(topic)
        if end is True:
            self.drop()
            return
        if end:
            self.dismiss(end)
            return
        self.published.append((topic, body[at:]))
        code = self.broker.puback(topic)
        if qos == 1:
            self.write(mqtt.packet(mqtt.PUBACK, packet_id + (bytes([code]) if code else b"")))
        elif qos == 2:
            self.write(mqtt.packet(mqtt.PUBREC, packet_id + (bytes([code]) if code else b"")))

    def run(self):
        try:
            while True:
                data = self.socket.recv(65536)
                if not data:
                    break
                for item in self.packets.feed(data):
                    self.answer(*item)
        except (OSError, struct.error, ValueError):  # the last two: a client that speaks TLS
            pass
        self.open = False
        self.received.append(("EOF", None))
        reset(self.socket)


class ScriptedBroker:
    def __init__(self, patience=1):
        self.patience = patience
        self.session_present = False  # what the next CONNACK says
        self.properties = b""          # of CONNACK, MQTT 5
        self.grant = lambda name, qos: qos  # what SUBACK says
        self.hangs_up_at = lambda session, name: False  # instead of SUBACK
        self.hangs_up_at_leaving = lambda session, name: False  # instead of UNSUBACK
        self.held = set()                   # filters that were subscribed and answered, on whatever connection
        self.mute = False              # SUBSCRIBE gets no answer
        self.refuse = lambda session: 0     # code of CONNACK, or HANG_UP
        self.ends_at = lambda topic: False  # a publication to it ends the connection: True, or the code of DISCONNECT
        self.puback = lambda topic: 0       # code of PUBACK or PUBREC, MQTT 5
        self.sessions = queue.Queue()
        self.all = []                       # connections
        self.clients = []                   # those of them that sent CONNECT
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}"
        threading.Thread(target=self._run, daemon=True).start()

    def accept(self, seconds=20):
        """The next client that connects; the bridge's connection for acknowledgments ("…-ack") is left alone."""
        deadline = time.monotonic() + seconds * self.patience
        while True:
            try:
                session = self.sessions.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"nobody connected to the scripted broker within {seconds} s") from None
            if not session.client_id.endswith("-ack"):
                return session

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()
        for session in self.all:
            session.drop()

    def _run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, sock)
            self.all.append(session)
            threading.Thread(target=session.run, daemon=True).start()
