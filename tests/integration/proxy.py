"""A TCP proxy of the test's own, on loopback, that can cut, stall, delay and refuse.

  client ── "up" ──▶ proxy ──▶ target
         ◀─ "down" ──

SPDX-License-Identifier: MIT
"""

import select
import socket
import struct
import threading
import time


def reset(sock):
    """Closes with RST: the peer notices at once and what it had not read is gone."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    except OSError:
        pass


class Link:
    """One connection through the proxy."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.sent = {"up": 0, "down": 0}
        self.state = {}  # for the test's filter
        self.open = True

    def cut(self):
        self.open = False
        reset(self.client)
        reset(self.server)


class Proxy:
    """
    Forwards until told otherwise; all settings may change at any time.

    filter(link, direction, data) → (data to forward, cut afterwards?) sees everything that passes.
    """

    def __init__(self, target, port=0):
        self.target = target  # (host, port) or the path of a Unix socket
        self.filter = None
        self.delay = 0.0      # seconds before a chunk goes on
        self.stalled = False  # nothing passes, connections stay open
        self.refusing = False # new connections are closed at once
        self.links = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def cut(self):
        """Cuts every connection, now."""
        for link in list(self.links):
            link.cut()

    def stop(self):
        self.running = False
        self.thread.join(5)
        self.cut()
        self.listener.close()

    def _connect(self):
        if isinstance(self.target, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            return server
        return socket.create_connection(self.target, timeout=5)

    def _accept(self):
        client, _ = self.listener.accept()
        if self.refusing:
            reset(client)
            return
        try:
            server = self._connect()
        except OSError:
            reset(client)
            return
        for sock in (client, server):
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(5)
        self.connections += 1
        self.links.append(Link(client, server))

    def _forward(self, link, direction):
        source, sink = (link.client, link.server) if direction == "up" else (link.server, link.client)
        try:
            data = source.recv(65536)
            cut = not data
            if data and self.filter:
                data, cut = self.filter(link, direction, data)
            if data:
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
                link.sent[direction] += len(data)
            if cut:
                link.cut()
        except OSError:
            link.cut()

    def _run(self):
        while self.running:
            self.links = [link for link in self.links if link.open]
            sockets = {}
            if not self.stalled:
                for link in self.links:
                    sockets[link.client] = (link, "up")
                    sockets[link.server] = (link, "down")
            try:
                readable, _, _ = select.select([self.listener, *sockets], [], [], 0.02)
            except (OSError, ValueError):  # cut by the test meanwhile
                continue
            for sock in readable:
                if sock is self.listener:
                    self._accept()
                elif sockets[sock][0].open and not self.stalled:
                    self._forward(*sockets[sock])
