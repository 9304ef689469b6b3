"""The HTTP pages: metrics that parse, honest health, a page that needs nothing from outside.

SPDX-License-Identifier: MIT
"""

import json
import re
import signal
import socket

from env import quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered

LINE = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
                  r'(,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")*\})? (-?[0-9.e+-]+|\+Inf|-Inf|NaN)$')
NAMES = """messages_received_total messages_duplicate_total messages_journaled_total messages_processed_total journal_messages
journal_messages_at_start journal_bytes journal_waiting_bytes journal_max_bytes journal_oldest_seconds gaps_total rule_matched_total
rule_messages_total rows_stored_total rule_parked
acks_waiting batches_total batch_rows commit_seconds store_delay_seconds broker_connected database_connected
broker_reconnects_total database_reconnects_total build_info""".split()


@quick
def test_metrics_parse(env):
    """Prometheus' text format: each family once with HELP and TYPE, each promised name there, histograms cumulative."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE.replace('name = "numbered"', r'name = "odd \"name\" \\ é"'))
    env.publish(numbered("a", 0, 100))
    check_numbered(env, {"a": 100})
    bridge.wait_quiet()
    answer = bridge.get("/metrics")
    assert answer.code == 200 and answer.headers["Content-Type"].startswith("text/plain"), dict(answer.headers)
    types, helps = {}, set()
    for line in answer.out.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in types, f"{name} twice"
            types[name] = kind
        elif line.startswith("# HELP "):
            helps.add(line.split()[2])
        else:
            assert LINE.match(line), f"no line of Prometheus: {line}"
            family = re.split(r"[{ ]", line)[0]
            family = family if family in types else re.sub("_(bucket|sum|count)$", "", family)
            assert family in types and family in helps, f"{line}: without TYPE or HELP before it"
            assert family.startswith("mqtt2pg_"), line
    assert answer.out.endswith("\n")
    missing = [name for name in NAMES if "mqtt2pg_" + name not in types]
    assert not missing, f"missing: {missing}"
    assert {types["mqtt2pg_" + name] for name in ("batch_rows", "commit_seconds", "store_delay_seconds")} == {"histogram"}
    assert all(kind == "counter" for name, kind in types.items() if name.endswith("_total"))
    metrics = bridge.metrics()
    buckets = [value for name, value in metrics.items() if name.startswith("store_delay_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == metrics["store_delay_seconds_count"] == 100
    version = env.cli("--version").out.split()[-1]
    assert f'build_info{{version="{version}"}}' in metrics, version
    bridge.check_books()


@quick
def test_health_and_readiness(env):
    """/healthz while alive; /readyz 503 with the reason while the database or the broker is away, 200 again after."""
    make_numbered(env)
    broker = env.own_broker().start()
    bridge = env.bridge(NUMBERED_RULE)
    assert bridge.get("/healthz").code == 200
    env.postgres.stop()
    env.wait(lambda: bridge.get("/readyz").code == 503, 20, "ready without a database")
    answer = bridge.get("/readyz")
    assert "database" in answer.out.lower() and bridge.get("/healthz").code == 200, answer
    env.postgres.start()
    bridge.wait_ready()
    broker.stop()
    env.wait(lambda: bridge.get("/readyz").code == 503, 20, "ready without a broker")
    assert "broker" in bridge.get("/readyz").out.lower(), bridge.get("/readyz")
    assert bridge.metric("broker_connected") == 0 and bridge.metric("database_connected") == 1
    broker.start()
    bridge.wait_ready()


@quick
def test_status_pages(env):
    """/status.json is JSON with what people ask for; / is one page without outside resources; no secret anywhere."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, broker={"username": "u", "password": "hidden-broker-word"},
                        database={"conninfo": env.postgres.conninfo(env.database, tcp=True)})
    env.publish([*numbered("a", 0, 50), ("~/n/<script>alert(1)", "no json")])
    env.wait_rows("numbered", 50)
    # The row is there a moment before the bridge has PostgreSQL's word for it.
    env.wait(lambda: "<script>" in bridge.get("/status.json").out, 10, "no dead letter")
    status = bridge.get("/status.json")
    assert status.code == 200 and "json" in status.headers["Content-Type"]
    text = json.dumps(status.json)
    assert "numbered" in text and "<script>" in text, text[:2000]
    page = bridge.get("/")
    assert page.code == 200 and page.headers["Content-Type"].startswith("text/html")
    assert "<script>alert" not in page.out, "a topic reaches the page unescaped"
    assert not re.search(r'(?:src|href)\s*=\s*["\']?(?:https?:)?//', page.out), "the page needs something from outside"
    for body in (text, page.out, bridge.get("/metrics").out, bridge.log()):
        assert "hidden-broker-word" not in body and "password=secret" not in body, "a secret is shown"
    command = open(f"/proc/{bridge.pid}/cmdline").read()
    assert "hidden" not in command


@quick
def test_payloads_are_shown_on_demand_only(env):
    """Dead letters: topic and reason; the payload's beginning only with http.show_payloads, which SIGHUP takes, both ways."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, log={"level": "debug"})

    def newest(topic):
        def find():
            rejects = bridge.get("/status.json").json["rejects"]
            return rejects[0] if rejects and rejects[0]["topic"] == env.topic(topic) else None
        return env.wait(find, 10, f"no dead letter of {topic}")
    for turn, shown in enumerate((False, True, False)):
        bridge.configure(http={"show_payloads": shown})
        if turn:
            bridge.signal(signal.SIGHUP)
            env.wait(lambda want=shown: bridge.get("/status.json").json["configuration"]["http"]["show_payloads"] == want, 10,
                     "not reloaded")
        env.publish([(f"~/n/{turn}", b"marker-payload \x1b[31m<b>" + bytes([255]))])
        reject = newest(f"~/n/{turn}")
        assert (reject.get("payload") or "").startswith("marker-payload \\x1b[31m<b>") == shown, reject
        if not shown:
            assert "marker-payload" not in bridge.get("/status.json").out
    assert "marker-payload" not in bridge.log()


@quick
def test_get_and_head_only(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    for path in ("/metrics", "/healthz", "/readyz", "/status.json", "/"):
        head = bridge.get(path, "HEAD")
        assert head.code == 200 and head.out == "", f"HEAD {path}: {head}"
        whole = bridge.get(path)
        assert list(head.headers) == list(whole.headers), f"{path}: {list(head.headers)}, {list(whole.headers)}"
        assert path == "/status.json" or head.headers["Content-Type"] == whole.headers["Content-Type"]
        for method in ("POST", "PUT", "DELETE"):
            assert bridge.get(path, method).code == 405, f"{method} {path}: {bridge.get(path, method)}"
    assert bridge.get("/nothing-here").code == 404
    for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/metrics/", "/healthz/../metrics"):
        assert bridge.get(path).code == 404, f"{path}: {bridge.get(path)}"


def test_survives_rubbish(env):
    """Half requests, endless headers and idle connections cost nobody anything."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    idle = []
    for data in (b"", b"GET", b"\0" * 1000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000, b"GET " + b"a" * 100000):
        sock = socket.create_connection(("127.0.0.1", bridge.http_port), timeout=5)
        try:
            sock.sendall(data)
        except OSError:
            pass
        idle.append(sock)
    assert bridge.get("/healthz").code == 200
    env.publish(numbered("a", 0, 100))
    check_numbered(env, {"a": 100})
    for sock in idle:
        sock.close()


def test_drip_feeding_clients(env):
    """Clients on two addresses take all connections and send a byte now and then: /healthz answers all the same, again and again."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    drips = []

    def drip(address):
        sock = socket.create_connection(("127.0.0.1", bridge.http_port), timeout=5, source_address=(address, 0))
        sock.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        drips.append(sock)
    for n in range(64):
        drip("127.0.0.%d" % (2 + n % 2))

    def again():
        for sock in drips:
            try:
                sock.send(b"x")
            except OSError:
                pass
        return bridge.get("/healthz").code == 200
    env.wait(again, 15, "/healthz is starved")
    assert again() and again()
    for sock in drips:
        sock.close()


def test_off_and_taken_port(env):
    """listen = "" opens nothing; a port that somebody has is one clear line."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http={"listen": ""}, ready=False)
    env.publish(numbered("a", 0, 10))  # perhaps before it has subscribed: again below
    env.wait(lambda: (env.publish(numbered("b", 0, 1)), env.one("select count(*) from numbered where topic = 'b'"))[1], 20,
             "does not work without HTTP")
    open_to_all = env.bridge(NUMBERED_RULE, start=False)
    open_to_all.configure(http={"listen": f"*:{open_to_all.http_port}"}).start()
    assert " WARN " in open_to_all.wait_log("status page is open to other machines")
    open_to_all.stop()
    other = env.bridge(NUMBERED_RULE, start=False)
    taken = socket.create_server(("127.0.0.1", other.http_port))
    other.launch()
    other.may_end = True
    line = other.wait_log(str(other.http_port))
    assert "in use" in line.lower() or "listen" in line.lower(), line
    taken.close()
    bridge.stop()
