"""learn: what it proposes is a configuration that `check` accepts, that makes its tables and that stores what it was made from.

SPDX-License-Identifier: MIT
"""

import gzip
import json
import re
import signal
import subprocess

from env import quick

UNUSED = '{ name = "unused"; topic = "~/unused"; table = "nowhere"; columns = { x = "$.x"; }; }'


class Learning:
    """`learn` at work; `started` once it is subscribed."""

    def __init__(self, env, bridge, *arguments):
        self.env = env
        self.process = subprocess.Popen([env.binary, "-c", bridge.file, "learn", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=env.environment)
        env.closing.append(self.process.kill)
        line = self.process.stderr.readline()
        assert "listening to" in line, line

    def finish(self, number=signal.SIGINT):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20 * self.env.patience)
        return self.process.returncode, out, err


def test_what_was_seen_and_what_comes_later_is_stored_once(env):
    """A house of Zigbee devices and an inverter with a value a topic: two tables; fractions, new keys' devices and new topics are stored, no message twice."""
    bridge = env.bridge(UNUSED, start=False)
    learning = Learning(env, bridge, env.topic("~/#"), "--for", "1h")
    seen = [("~/zigbee2mqtt/kitchen_plug", '{"power": 0, "state": "ON"}'), ("~/zigbee2mqtt/hall_motion", '{"occupancy": true, "battery": 97}'),
            ("~/solar/a/0/power", "1.5"), ("~/solar/a/status/up", "1"), ("~/solar/b/status/up", "0"), ("~/solar/a/0/voltage", "230"),
            ("~/solar/a/device/built", "2020-07-10 12:58:00"), ("~/solar/ac/total", "5"), ("~/solar/dc/total", "7")]
    marker = env.subscribe(env.topic("~/#"), qos=0)
    env.publish(seen)
    marker.wait(len(seen))
    code, learned, err = learning.finish()
    assert code == 0 and "2 rules proposed" in err, (code, err, learned)
    bridge.write(learned)
    bridge.start()
    later = [("~/zigbee2mqtt/kitchen_plug", '{"power": 12.5, "state": "ON"}'), ("~/zigbee2mqtt/new_lamp", '{"state": "OFF"}'),
             ("~/solar/c/1/power", "20.9"), ("~/solar/c/deep/er/text", "idle")]
    env.publish(seen + later)
    tables = [row[0] for row in env.sql("select tablename from pg_tables where schemaname = 'public' order by 1")]
    env.wait(lambda: sum(env.one(f'select count(*) from "{table}"') for table in tables) >= len(seen + later), 15, lambda: env.dead_letters())
    bridge.wait_quiet()
    assert env.dead_letters() == [] and len(tables) == 2, (env.dead_letters(), tables)
    assert sum(env.one(f'select count(*) from "{table}"') for table in tables) == len(seen + later)


@quick
def test_learned_configuration_stores(env):
    """learn → check → schema → run → rows, with live messages of several kinds, ended by Ctrl-C."""
    bridge = env.bridge(UNUSED, start=False)
    learning = Learning(env, bridge, env.topic("~/#"), "--for", "1h")
    messages = []
    for n in range(3):
        messages += [(f"~/devices/d{n}/telemetry", json.dumps({"ts": 1700000000000 + n, "temperature": 20 + n / 2, "count": 2 ** 53 + n,
                                                              "battery": {"level %": n}, "tags": ["a"], "温度": n, "order": True, "": 1, "it's": 1, "a\\b\n": 1, "${x}": 1, "a|b": 1})),
                     (f"~/devices/d{n}/status", "online"),
                     (f"~/site/s{n}/batch", json.dumps({"gateway": "g", "readings": [{"id": 1, "v": 1.5, "2nd": 7}, {"id": 2, "v": 2}]})),
                     (f"~/rooms/r{n}/temperature", str(21.5 + n)),
                     (f"~/cameras/c{n}", b"\x00\xff")]
    marker = env.subscribe(env.topic("~/#"), qos=0)
    env.publish(messages)
    marker.wait(len(messages))
    code, learned, err = learning.finish()
    assert code == 0 and "15 messages on 15 topics" in err, (code, err)
    for topic in ("devices/{device}/telemetry", "devices/{device}/status", "site/{site}/batch", "rooms/{room}/temperature",
                  "cameras/{camera}"):
        assert f'"{env.topic("~/" + topic)}"' in learned, (topic, learned)

    path = env.config_file(learned, "learned.cfg")
    checked = env.cli("check", config=path)
    assert checked.code == 0 and "5 rules, no mistakes" in checked.out and "warning" not in checked.out, checked
    schema = env.cli("schema", config=path)
    env.sql(schema.out)
    assert env.cli("check", "--database", config=path).code == 0

    bridge.write(learned)
    bridge.start()
    env.publish(messages)
    env.wait_rows("telemetry", 3)
    env.wait_rows("batch", 6)
    env.wait_rows("cameras", 3)
    bridge.wait_quiet()
    assert env.dead_letters() == []
    rows = env.sql('select device, extract(epoch from time)::text, temperature, count, battery_level, tags, "温度", "order" from telemetry '
                   "order by device")
    assert rows[1] == ("d1", "1700000000.001000", 20.5, 2 ** 53 + 1, 1, ["a"], 1, True), rows
    assert env.sql("select distinct value from status") == [("online",)]
    assert env.sql("select site, id, v, gateway from batch order by site, id")[:2] == [("s0", 1, 1.5, "g"), ("s0", 2, 2.0, "g")]
    assert env.sql("select room, value from temperature order by room")[2] == ("r2", 23.5)


@quick
def test_learn_leaves_nothing_and_disturbs_nobody(env):
    """It acknowledges nothing, keeps no session, and a bridge with the same configuration goes on."""
    env.sql("create table kept (n int)")
    bridge = env.bridge('{ name = "kept"; topic = "~/kept"; table = "kept"; columns = { n = "$.n"; }; }')
    learning = Learning(env, bridge, env.topic("~/#"), "--for", "1h")
    env.publish([("~/kept", '{"n": %d}' % n) for n in range(50)])
    env.wait_rows("kept", 50)
    assert bridge.metric("broker_reconnects_total") == 0
    code, learned, _ = learning.finish(signal.SIGTERM)
    assert code == 0 and "n    = \"$.n :: double precision\"" in learned, learned
    bridge.check_books()
    assert bridge.metric("messages_received_total") == 50


@quick
def test_learn_by_retained_messages(env):
    """What the broker keeps is there at once, also without a configuration; --sql is the same as what `schema` prints."""
    with_retained = env.subscribe(env.topic("~/none"), qos=0)
    with_retained.client.publish(env.topic("~/trucks/v1/position"), '{"lat": 1.5, "at": "2026-11-23T03:00:00Z"}', 1, True).wait_for_publish(10)
    with_retained.client.publish(env.topic("~/trucks/v2/position"), '{"lat": 2.5, "at": "2026-11-23T03:00:00Z"}', 1, True).wait_for_publish(10)
    arguments = ("learn", env.topic("~/trucks/{truck_id}/#"), "--for", "500ms", "--broker", env.broker.url)
    done = env.cli(*arguments)
    assert done.code == 0 and f'"{env.topic("~/trucks/{truck_id}/position")}"' in done.out, done
    assert "retained" in done.out and re.search(r'time += "\$\.at \| required :: timestamptz"', done.out), done
    assert env.cli("check", config=env.config_file(done.out, "retained.cfg")).code == 0
    assert '\njournal: { directory = "journal"; };' in done.out, done  # an ordinary user can run it
    sql = env.cli(*arguments, "--sql")
    assert sql.code == 0, sql
    env.sql(sql.out)
    assert env.sql("select column_name::text, data_type::text from information_schema.columns where table_name = 'position' order by 1") == [
        ("lat", "double precision"), ("time", "timestamp with time zone"), ("truck_id", "text")]


@quick
def test_learn_keeps_secrets_to_itself(env):
    bridge = env.bridge(UNUSED, start=False, broker={"username": "somebody", "password": "hidden-one"},
                        database={"conninfo": "host=/nowhere password=hidden-two"})
    client = env.subscribe(env.topic("~/none"), qos=0)
    client.client.publish(env.topic("~/a"), "1", 1, True).wait_for_publish(10)
    done = env.cli("learn", env.topic("~/a"), "--for", "300ms", config=bridge)
    assert done.code == 0 and "hidden" not in done.out + done.err, done
    checked = env.cli("check", config=env.config_file(done.out, "secret.cfg"))
    assert checked.code == 0, checked


@quick
def test_learn_says_what_is_wrong(env):
    bridge = env.bridge(UNUSED, start=False)
    done = env.cli("learn", env.topic("~/silence"), "--for", "200ms", config=bridge)
    assert done.code == 1 and "no message came" in done.err and done.out == "", done
    assert env.cli("learn", config=bridge).code == 2
    assert env.cli("learn", "a/#/b", config=bridge).code == 2
    assert env.cli("learn", "a", "--for", "soon", config=bridge).code == 2
    assert env.cli("learn", "a", "--broker", "http://x").code == 2
    assert env.cli("learn", "a", config="/nowhere/x.cfg").code == 3
    done = env.cli("learn", "a", "--broker", "mqtt://127.0.0.1:1")
    assert done.code == 1 and "127.0.0.1:1" in done.err, done


def test_other_formats_are_stored(env):
    """Lines of Telegraf, CSV with a header, MessagePack, CBOR in gzip and Sparkplug B: what is proposed stores them."""
    bridge = env.bridge(UNUSED, start=False)
    learning = Learning(env, bridge, env.topic("~/#"), "--for", "1h")
    spark = b"\x08\x80\xd0\x95\xff\xbc\x31\x12\x09\x0a\x01t\x10\x01\x20\x03\x50\x15"  # t, alias 1, Int32, 21
    messages = [("~/telegraf/h", "cpu,host=h usage=1.5 1700000000000000000\ncpu,host=i usage=2 1700000000000000000"),
                ("~/logger", "time;temp\n2024-07-02 10:00:00;21.5\n2024-07-02 10:10:00;22"),
                ("~/pack", b"\x81\xa1t\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"),
                ("~/zipped", gzip.compress(b"\xa1at\x01")),
                ("~/zipped_json", gzip.compress(b'{"t": 1}')),
                ("~/spBv1.0/g/NBIRTH/e", spark), ("~/spBv1.0/g/DBIRTH/e/d", spark)]
    marker = env.subscribe(env.topic("~/#"), qos=0)
    env.publish(messages)
    marker.wait(len(messages))
    code, learned, err = learning.finish()
    assert code == 0 and "6 rules proposed" in err, (code, err, learned)
    bridge.write(learned)
    bridge.start()
    env.publish(messages)
    tables = [row[0] for row in env.sql("select tablename from pg_tables where schemaname = 'public' order by 1")]
    env.wait(lambda: sum(env.one(f'select count(*) from "{table}"') for table in tables) >= 9, 15, lambda: (env.dead_letters(), learned))
    bridge.wait_quiet()
    assert env.dead_letters() == [] and len(tables) == 6, (env.dead_letters(), tables)
    assert sum(env.one(f'select count(*) from "{table}"') for table in tables) == 9
