"""What a broker delivered to the bridge, and when: the order in which the rows of a topic must stand.

It is not that of numbers: Mosquitto lets a message that is published while a queue drains overtake the queue. (2.0.11: a confirmation raises
the quota, and the queue moves up only if the confirmed message stood among the first max_inflight_messages of those under way. With QoS 1
and 2 together it may stand behind them; then the next message that is published takes the quota.)

SPDX-License-Identifier: MIT
"""

import re
import struct

from mqtt_raw import PUBLISH, Packets


class Deliveries:
    """Numbered messages (scenes.py) on their way down a proxy, whose filter look() is."""

    NUMBER = re.compile(rb'"n":(\d+)')

    def __init__(self):
        self.count = 0
        self.first, self.last = {}, {}  # (levels of the topic behind ~/n …, number) → the how manieth delivery

    def look(self, link, direction, data):
        if direction == "down":
            packets = link.state.setdefault("packets", Packets())
            for kind, _, body in packets.feed(data):
                if kind == PUBLISH:
                    self._note(body)
        return data, False

    def _note(self, body):
        topic = body[2:2 + struct.unpack("!H", body[:2])[0]].decode()
        key = (*topic.split("/")[2:], int(self.NUMBER.search(body).group(1)))
        self.count += 1
        self.first.setdefault(key, self.count)
        self.last[key] = self.count

    def late(self, rows):
        """
        Those of the rows, (levels …, number) in the order in which they stand, that stand behind one that they should be before: a message
        whose every delivery came before every delivery of another of its topic. (A delivery that was cut off and came again counts from its
        first to its last time. What came twice by the broker's own doing counts at its first row.)
        """
        newest, seen, late = {}, set(), []
        for key in rows:
            if key in seen:
                continue
            seen.add(key)
            topic = key[:-1]
            if self.last.get(key, 0) < newest.get(topic, 0):
                late.append(key)
            newest[topic] = max(self.first.get(key, 0), newest.get(topic, 0))
        return late


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
