#!/usr/bin/python3
"""The bridge as a short Python script: paho-mqtt, a queue, psycopg's COPY in batches of 1000.

    plain_bridge.py --port P --client NAME --messages N --conninfo C [--driver psycopg|psycopg2]

N = 0 makes the session and goes. Prints READY when subscribed, and one line of JSON when N rows are committed.

SPDX-License-Identifier: MIT
"""

import argparse
import io
import json
import os
import queue
import sys
import threading
import time
from datetime import datetime, timezone

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

ROWS = 1000
COPY = "copy public.telemetry (time, device, n, temperature, humidity, battery, status) from stdin"


def row_of(message):
    value = json.loads(message.payload)
    return (datetime.fromtimestamp(value["ts"] / 1e6, timezone.utc), message.topic.split("/")[1], value["n"], value["temperature"],
            value["humidity"], value["battery"], value["status"])


def storer(driver, conninfo):
    """A function that stores a list of rows in one transaction."""
    if driver == "psycopg":
        import psycopg
        connection = psycopg.connect(conninfo)

        def store(rows):
            with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                for row in rows:
                    copy.write_row(row)
            connection.commit()
    else:
        import psycopg2
        connection = psycopg2.connect(conninfo)

        def store(rows):
            text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
            with connection.cursor() as cursor:
                cursor.copy_expert(COPY, io.StringIO(text))
            connection.commit()
    return store


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--client")
    parser.add_argument("--messages", type=int)
    parser.add_argument("--conninfo")
    parser.add_argument("--driver", default="psycopg2")
    options = parser.parse_args()
    store = storer(options.driver, options.conninfo)
    messages, subscribed = queue.SimpleQueue(), threading.Event()

    client = mqtt.Client(client_id=options.client, protocol=mqtt.MQTTv5)
    client.on_connect = lambda client, *rest: client.subscribe("fleet/+/telemetry", qos=1)
    client.on_subscribe = lambda *rest: subscribed.set()
    client.on_message = lambda client, userdata, message: messages.put(message)
    connect = Properties(PacketTypes.CONNECT)
    connect.SessionExpiryInterval = 7 * 24 * 3600
    connect.ReceiveMaximum = 1000
    client.connect("127.0.0.1", options.port, keepalive=30, clean_start=False, properties=connect)
    client.loop_start()
    if not subscribed.wait(20):
        sys.exit("plain_bridge.py: not subscribed within 20 s")
    print("READY", flush=True)

    stored = 0
    while stored < options.messages:
        rows = [row_of(messages.get())]
        while len(rows) < ROWS and not messages.empty():
            rows.append(row_of(messages.get()))
        store(rows)
        stored += len(rows)
    last_us, cpu = time.time_ns() // 1000, os.times()
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    print(json.dumps({"messages": stored, "last_us": last_us, "cpu_s": cpu.user + cpu.system, "peak_kb": peak}), flush=True)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
