"""TLS to the broker and to PostgreSQL: what is not verified does not connect, each refusal is one line that says what to do.

SPDX-License-Identifier: MIT
"""

import os
import re
import socket
import ssl
import subprocess
import threading

import psycopg2

from bridge import wait_time
from certificates import Authority
from env import Skip, limit, quick
from resolver import resolver
from scenes import NUMBERED_RULE, check_numbered, interleaved, make_numbered, numbered
from servers import free_port, unprivileged


def tls_broker(env):
    """A Mosquitto that speaks plainly on its own port and TLS, with various certificates, on others: {kind: port}, and the CA."""
    ours, other = Authority(os.path.join(env.folder, "ca")), Authority(os.path.join(env.folder, "other"), "other CA")
    broker = env.own_broker()
    issued = {
        "good": ours.serve("good"),
        "other_host": ours.serve("other_host", names="DNS:broker.example,IP:192.0.2.1", common="broker.example"),
        "expired": ours.serve("expired", expired=True),
        "other_ca": other.serve("other_ca"),
        "client": ours.serve("client"),
    }
    ports = {}
    for kind, (certificate, key) in issued.items():
        ports[kind] = free_port()
        lines = [f"cafile {ours.file}", f"certfile {certificate}", f"keyfile {key}"]
        broker.listeners.append((ports[kind], lines + (["require_certificate true"] if kind == "client" else [])))
    broker.start()
    broker.options = {"url": f"mqtts://localhost:{ports['good']}", "tls": {"ca_file": ours.file}}
    return ports, ours, other


def url(port, host="localhost"):
    return {"url": f"mqtts://{host}:{port}"}


def events(bridge, level):
    """The lines of this level that are about the broker."""
    return [line for line in bridge.log().splitlines() if re.search(rf" {level}.*broker", line)]


@quick
def test_right_certificates_connect(env):
    """By name and by address, with and without a client certificate, its key encrypted or in the same file."""
    ports, ours, _ = tls_broker(env)
    make_numbered(env)
    certificate, key = ours.issue("me", names="DNS:bridge", common="bridge")
    locked, locked_key = ours.issue("locked", names="DNS:bridge", password="marker-key-password")
    both = os.path.join(env.folder, "both.pem")
    with open(both, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(open(certificate).read() + open(key).read())
    tls = {"ca_file": ours.file}
    good = [
        {},
        url(ports["good"], "127.0.0.1"),
        {**url(ports["client"]), "tls": {**tls, "cert_file": certificate, "key_file": key}},
        {**url(ports["client"]), "tls": {**tls, "cert_file": both}},
        {**url(ports["client"]), "tls": {**tls, "cert_file": locked, "key_file": locked_key,
                                         "key_password": "marker-key-password"}},
    ]
    bridges = [env.bridge(NUMBERED_RULE.replace("~/n", f"~/{n}"), start=False, broker=broker) for n, broker in enumerate(good)]
    for bridge in bridges:
        bridge.start(ready=False)
    for n, bridge in enumerate(bridges):
        bridge.wait_ready()
        env.publish([(f"~/{n}/{n}", '{"n":0}')])
    env.wait_rows("numbered", len(good))
    for bridge in bridges:
        assert events(bridge, "WARN") == [] and events(bridge, "ERROR") == [], bridge.log()
        assert "marker-key-password" not in bridge.log() + bridge.get("/status.json").out


@quick
def test_wrong_certificates_are_refused(env):
    """Each is refused with one line that says why and what to do, and the next attempt is not soon."""
    ports, ours, other = tls_broker(env)
    make_numbered(env)
    tls = {"ca_file": ours.file}
    mine, mine_key = other.issue("mine", names="DNS:bridge", common="bridge")
    plain = env.broker.port
    cases = {
        "other_host": (url(ports["other_host"]), 'is for broker.example, 192.0.2.1, not for .{1,2}localhost'),
        "other_address": (url(ports["other_host"], "127.0.0.1"), 'is for broker.example, 192.0.2.1, not for .{1,2}127.0.0.1'),
        "expired": (url(ports["expired"]), "has expired on 20.*: renew it"),
        "other_ca": (url(ports["other_ca"]), "is not signed by a CA in .*ca.pem.*name the file with the certificate of its CA"),
        "system_store": ({**url(ports["good"]), "tls": None}, "is not signed by a CA in the system's store"),
        "no_client": (url(ports["client"]), "wants a client certificate.*set broker.tls.cert_file"),
        "wrong_client": ({**url(ports["client"]), "tls": {**tls, "cert_file": mine, "key_file": mine_key}},
                         "does not accept our certificate"),
        "plain": (url(plain), "TLS.*use mqtt://"),
        "nobody": (url(free_port()), "could not connect to 127.0.0.1 port .*Connection refused"),
    }
    bridges = {}
    for name, (broker, _) in cases.items():
        bridges[name] = env.bridge(NUMBERED_RULE, start=False, name=name, broker=broker)
        bridges[name].start(ready=False)
    for name, (_, words) in cases.items():
        line = bridges[name].wait_log(words)
        assert len(line) < 420, f"{name}: {line}"
        health = bridges[name].get("/readyz")
        assert health.code == 503 and re.search(words[:30], health.out), f"{name}: {health}"
    wait_time(1.5)  # nothing more is said meanwhile
    for name, bridge in bridges.items():
        said = events(bridge, "WARN") + events(bridge, "ERROR")
        assert len(said) == 1, f"{name}: {said}"
        assert bridge.metric("messages_received_total") == 0


def test_plain_url_to_a_tls_port(env):
    """mqtt:// to the port for TLS: the log says mqtts://."""
    ports, _, _ = tls_broker(env)
    for version in ("5", "3.1.1"):
        bridge = env.bridge(NUMBERED_RULE, broker={"url": f"mqtt://localhost:{ports['good']}", "protocol": version, "status_topic": ""}, ready=False)
        line = bridge.wait_log("what answers at .* is TLS: use mqtts://", 20)
        assert "ERROR" in line, line
        bridge.stop()


def test_alpn_is_offered(env):
    """tls.alpn is offered in the order given, by the connection itself: port 443 of AWS IoT goes by it."""
    ours = Authority(os.path.join(env.folder, "ca"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.serve("good"))
    context.set_alpn_protocols(["mqtt", "x-amzn-mqtt-ca"])
    chosen = []
    server = socket.create_server(("127.0.0.1", 0))
    env.closing.append(server.close)

    def serve():
        while True:
            try:
                with context.wrap_socket(server.accept()[0], server_side=True) as each:
                    chosen.append((each.selected_alpn_protocol(), each.recv(1)))
            except ssl.SSLError:
                chosen.append(None)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    bridge = env.bridge(NUMBERED_RULE, broker={"url": f"mqtts://localhost:{server.getsockname()[1]}",
                                               "tls": {"ca_file": ours.file, "alpn": "http/1.1, x-amzn-mqtt-ca"}}, ready=False)
    # The first byte of CONNECT: it is the connection for MQTT, not the one that looks for the reason.
    env.wait(lambda: ("x-amzn-mqtt-ca", b"\x10") in chosen, 20, lambda: chosen)
    bridge.stop()


def test_old_versions_are_refused(env):
    """A broker that has TLS 1.1 only is refused; one with 1.2 or 1.3 only is not."""
    ours = Authority(os.path.join(env.folder, "ca"))
    certificate, key = ours.serve("old")
    make_numbered(env)
    port = free_port()
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key, "-tls1_1",
                               "-cipher", "ALL:@SECLEVEL=0", "-quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    env.closing.append(lambda: (server.kill(), server.wait(10)))
    reference = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]

    def answers():
        done = subprocess.run(reference, input=b"", capture_output=True, check=False)
        return b"Protocol  : TLSv1.1" in done.stdout
    env.wait(answers, 10, "this machine's OpenSSL has no TLS 1.1 to test with")
    for verify in (True, False):
        bridge = env.bridge(NUMBERED_RULE, ready=False, broker={**url(port), "tls": {"ca_file": ours.file, "verify": verify}})
        bridge.wait_log("no TLS 1.2 or newer")
        bridge.stop()
    for version in ("tlsv1.2", "tlsv1.3"):
        broker = env.own_broker()
        secure = free_port()
        broker.listeners.append((secure, [f"certfile {certificate}", f"keyfile {key}", f"tls_version {version}"]))
        broker.start()
        env.bridge(NUMBERED_RULE, broker={**url(secure), "tls": {"ca_file": ours.file}}).stop()


@quick
def test_verification_switched_off(env):
    """verify = false takes any certificate, and a warning says so at each start."""
    ports, _, _ = tls_broker(env)
    make_numbered(env)
    for kind in ("other_host", "other_ca", "expired"):
        bridge = env.bridge(NUMBERED_RULE, broker={**url(ports[kind]), "tls": {"verify": False}})
        for start in (1, 2):
            warned = [line for line in bridge.log().splitlines() if " WARN " in line and "broker.tls.verify" in line]
            assert len(warned) == start and "pose as the broker" in warned[-1], f"{kind}: {warned}"
            bridge.restart()
        bridge.stop()


@quick
def test_system_store_counts_without_ca_file(env):
    """Without ca_file the system's store counts, and SSL_CERT_FILE names another one as for every program with OpenSSL."""
    ports, ours, _ = tls_broker(env)
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, start=False, broker={**url(ports["good"]), "tls": None})
    bridge.start(SSL_CERT_FILE=ours.file)
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})


@quick
def test_files_that_are_of_no_use(env):
    """`check` says which file, and why, and `run` does not start."""
    ours = Authority(os.path.join(env.folder, "ca"))
    certificate, key = ours.issue("me")
    _, other_key = ours.issue("other")
    _, locked = ours.issue("locked", password="marker-key-password")
    garbage = os.path.join(env.folder, "garbage.pem")
    with open(garbage, "w") as file:
        file.write("nothing\n")
    shared = os.path.join(env.folder, "shared.key")
    with open(shared, "w") as file:
        file.write(open(key).read())
    os.chmod(shared, 0o644)
    cases = [
        ({"ca_file": garbage}, "broker.tls.ca_file: there is no certificate in .*garbage.pem"),
        ({"cert_file": garbage, "key_file": key}, "broker.tls.cert_file: there is no certificate in .*garbage.pem"),
        ({"cert_file": certificate, "key_file": other_key}, "does not belong to the certificate"),
        ({"cert_file": certificate, "key_file": locked}, "is encrypted, and key_password is missing or wrong"),
        ({"cert_file": certificate, "key_file": locked, "key_password": "marker-wrong"}, "key_password is missing or wrong"),
        ({"cert_file": certificate, "key_file": shared}, "can be read by others .mode 0644.: chmod 600"),
    ]
    for tls, words in cases:
        bridge = env.bridge(NUMBERED_RULE, start=False, broker={"url": "mqtts://localhost:1", "tls": tls})
        answer = env.cli("check", config=bridge)
        assert answer.code == 3 and re.search(words, answer.out), f"{tls}: {answer}"
        assert re.match(re.escape(bridge.file) + r":\d+: ", answer.out), answer
        assert "marker" not in answer.out + answer.err, answer
    bridge.launch()
    assert bridge.wait() == 3
    six = env.bridge(NUMBERED_RULE, start=False, broker={"url": "mqtts://[::1]:8883"})
    answer = env.cli("check", config=six)
    assert answer.code == 3 and "use the host's name" in answer.out, answer


def test_each_address_is_tried(env):
    """One attempt tries each address of the name, by every scheme, and verifies the name; the reason told is that of the address that answers."""
    ours, other = Authority(os.path.join(env.folder, "ca")), Authority(os.path.join(env.folder, "other"), "other CA")
    certificate, key = ours.serve("many", names="DNS:many.test")
    broker = env.own_broker()
    ports = {scheme: free_port() for scheme in ("mqtts", "ws", "wss")}
    tls = [f"certfile {certificate}", f"keyfile {key}"]
    broker.listeners = [(ports["mqtts"], tls), (ports["ws"], ["protocol websockets"]), (ports["wss"], ["protocol websockets", *tls])]
    broker.start()
    make_numbered(env)
    shim = resolver(env, "many.test", "127.0.0.3", "::1", "127.0.0.1")
    for n, (scheme, port) in enumerate([("mqtt", broker.port), *ports.items()]):
        options = {"url": f"{scheme}://many.test:{port}"}
        if scheme in ("mqtts", "wss"):
            options["tls"] = {"ca_file": ours.file}
        bridge = env.bridge(NUMBERED_RULE, name=scheme, start=False, broker=options)
        bridge.start(**shim)
        assert events(bridge, "WARN") == [] and events(bridge, "ERROR") == [], bridge.log()
        bridge.stop()
    for name, addresses in (("refused_first", ("127.0.0.3", "127.0.0.1")), ("refused_last", ("127.0.0.1", "127.0.0.3"))):
        bridge = env.bridge(NUMBERED_RULE, name=name, start=False,
                            broker={"url": f"mqtts://many.test:{ports['mqtts']}", "tls": {"ca_file": other.file}})
        bridge.start(ready=False, **resolver(env, "many.test", *addresses))
        bridge.wait_log("is not signed by a CA")
        assert "refused" not in " ".join(events(bridge, "WARN")), bridge.log()
        bridge.stop()


def test_renewed_certificate_connects(env):
    """The broker's expired certificate is renewed while the bridge runs: it connects by itself."""
    ports, ours, _ = tls_broker(env)
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, ready=False, broker=url(ports["expired"]))
    bridge.wait_log("has expired")
    ours.serve("expired")
    env.broker.process.send_signal(1)  # SIGHUP: Mosquitto reads its certificates again
    bridge.wait_ready()
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})


def test_renewed_client_certificate(env):
    """The files of the bridge's own certificate are read at each attempt, as rotation in Kubernetes wants it: no reload, no restart."""
    ports, ours, other = tls_broker(env)
    make_numbered(env)
    certificate, key = other.issue("me", names="DNS:bridge", common="bridge")
    bridge = env.bridge(NUMBERED_RULE, ready=False, broker={**url(ports["client"]), "tls": {"ca_file": ours.file, "cert_file": certificate, "key_file": key}})
    bridge.wait_log("refuses the connection|not answer|TLS")
    for old, new in zip((certificate, key), ours.issue("renewed", names="DNS:bridge", common="bridge")):
        os.replace(new, old)
    bridge.wait_ready()
    env.publish(numbered("a", 0, 10))
    check_numbered(env, {"a": 10})


# --- nothing lost, nothing twice, also under TLS

def fill_and_kill(env, bridge):
    """More than its journal takes while the database is away, kill -9 when it is full: all is stored in the end, once."""
    make_numbered(env)
    bridge.start()
    env.postgres.stop()
    env.publish([(topic, payload[:-1] + ',"x":"%s"}' % ("x" * 300), qos) for topic, payload, qos in numbered("a", 0, 8000)])
    bridge.wait_log("refusing messages")  # cut, not only waiting for room
    assert "journal" in bridge.get("/readyz").out.lower(), bridge.get("/readyz")
    bridge.kill9()
    bridge.start(ready=False)
    env.wait(lambda: bridge.get("/healthz").code == 200, 10, "does not start with a full journal")
    env.postgres.start()
    env.wait_rows("numbered", 8000, 30)
    check_numbered(env, {"a": 8000})
    bridge.wait_ready()
    bridge.check_books()
    assert env.sql("select * from mqtt2pg.gap") == []


@limit(90)
def test_full_journal_acknowledges_nothing(env):
    """The journal is full: the connection is cut in the middle of decrypted data, and no PUBACK leaves; kill -9 at that moment, too."""
    tls_broker(env)
    fill_and_kill(env, env.bridge(NUMBERED_RULE, start=False, journal={"max_size": "1MB"}))


@limit(90)
def test_nothing_is_lost_over_kill_and_cut(env):
    """kill -9 and cut connections in mid-stream."""
    ports, _, _ = tls_broker(env)
    make_numbered(env)
    proxy = env.proxy(ports["good"])
    bridge = env.bridge(NUMBERED_RULE, broker=url(proxy.port))
    load = env.publish_in_background(interleaved(("a", "b"), 3000), rate=1500)
    turn = 0
    while load.running() or turn < 3:
        bridge.wait_subscribed()
        wait_time(0.15)
        turn += 1
        if turn % 2:
            proxy.cut()
        else:
            bridge.kill9()
            bridge.launch()
    assert load.finish() == 6000
    check_numbered(env, {"a": 3000, "b": 3000})
    assert env.sql("select * from mqtt2pg.gap where cause <> 'broker session perhaps lost'") == []  # killed while connecting


# --- PostgreSQL

def secure_postgres(env, certificate, key, ca):
    """A PostgreSQL with this certificate that takes role bridge over TLS, and role known with a client certificate."""
    server = env.own_postgres()
    for path, name in ((certificate, "server.crt"), (key, "server.key"), (ca, "root.crt")):
        target = os.path.join(server.data, name)
        with open(target, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(open(path, "rb").read())
        who = unprivileged()
        if who:
            os.chown(target, who["user"], who["group"])
    with open(os.path.join(server.data, "pg_hba.conf"), "w") as file:
        file.write("local all all trust\nhostssl all known 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    server.SETTINGS = (*server.SETTINGS, "ssl=on", "ssl_ca_file=root.crt")
    server.start()
    admin = psycopg2.connect(server.conninfo("postgres", "test"))
    admin.autocommit = True
    admin.cursor().execute("create role bridge login password 'secret'; create role known login in role bridge")
    admin.cursor().execute("create database tls owner bridge")
    return server, admin


@limit(90)
def test_database_certificate_is_verified(env):
    """sslmode=verify-full: the right CA and host work, with a password and with a client certificate; all else says what is wrong."""
    ours, other = Authority(os.path.join(env.folder, "ca")), Authority(os.path.join(env.folder, "other"), "other CA")
    server, admin = secure_postgres(env, *ours.serve("server"), ours.file)
    mine, mine_key = ours.issue("mine", names="DNS:known", common="known")
    base = f"port={server.port} dbname=tls gssencmode=disable"
    good = f"host=localhost {base} user=bridge password=secret sslmode=verify-full sslrootcert={ours.file}"
    known = f"host=localhost {base} user=known sslmode=verify-full sslrootcert={ours.file} sslcert={mine} sslkey={mine_key}"
    rule = '{ name = "r"; topic = "~/%s"; format = "text"; table = "%s"; create = true; columns = { v = "$ :: text"; }; }'
    for name, conninfo in (("password", good), ("certificate", known)):
        # The role with a certificate has a schema of its own.
        bridge = env.bridge(rule % (name, name), database={"conninfo": conninfo, "schema": name})
        env.publish([("~/" + name, "x")])
        table = admin.cursor()

        def there(table=table, name=name):
            table.execute(f"select count(*) from pg_stat_ssl join pg_stat_activity using (pid) "
                          "where ssl and version >= 'TLSv1.2' and datname = 'tls' and application_name = 'mqtt2pg'")
            return table.fetchone()[0] == 1
        env.wait(there, 10, "the session is not encrypted")
        env.wait(lambda b=bridge: b.metric("rows_stored_total", rule="r") == 1, 10, "not stored")
        bridge.stop()
    wrong = {
        "host": (good.replace("host=localhost", "host=db.example hostaddr=127.0.0.1"),
                 "certificate of db.example is for another host name"),
        "ca": (good.replace(ours.file, other.file), "is not signed by a CA that we trust"),
        "client": (known.split(" sslcert=")[0] + " sslcert=/nonexistent",
                   "wants a client certificate for role .*known.*: set sslcert and sslkey"),
    }
    bridges = {name: env.bridge(rule % ("x", "x"), name=name, ready=False, database={"conninfo": conninfo})
               for name, (conninfo, _) in wrong.items()}
    for name, (_, words) in wrong.items():
        line = bridges[name].wait_log(words)
        assert "secret" not in line, line
        bridges[name].stop()
    plain = env.bridge(rule % ("x", "x"), ready=False, database={
        "conninfo": env.postgres.conninfo(env.database, tcp=True).replace("sslmode=disable", f"sslmode=verify-full "
                                                                          f"sslrootcert={ours.file}")})
    plain.wait_log("does not speak TLS")
    # Renewed in place with one that has expired.
    certificate, _ = ours.serve("server", expired=True)
    target = os.path.join(server.data, "server.crt")
    with open(target, "wb") as file:
        file.write(open(certificate, "rb").read())
    with open(os.path.join(server.data, "server.key"), "wb") as file:
        file.write(open(certificate[:-4] + ".key", "rb").read())
    admin.cursor().execute("select pg_reload_conf()")
    late = env.bridge(rule % ("x", "x"), name="late", ready=False, database={"conninfo": good})
    late.wait_log("or has expired")
    admin.close()


# --- WebSocket, with and without TLS

def websocket_broker(env):
    """A Mosquitto with plain, ws and wss listeners: {scheme: URL}, and the CA; None where it has no WebSocket."""
    ours = Authority(os.path.join(env.folder, "ca"))
    certificate, key = ours.serve("ws")
    broker = env.own_broker()
    ports = {"ws": free_port(), "wss": free_port()}
    broker.listeners.append((ports["ws"], ["protocol websockets"]))
    broker.listeners.append((ports["wss"], ["protocol websockets", f"certfile {certificate}", f"keyfile {key}"]))
    try:
        broker.start()
    except RuntimeError as error:
        raise Skip(f"this Mosquitto has no WebSocket: {error}") from None
    return {scheme: f"{scheme}://localhost:{port}/mqtt" for scheme, port in ports.items()}, ours


def websocket_group(scheme, urls, ours, version="5"):
    return {"url": urls[scheme], "protocol": version, **({"tls": {"ca_file": ours.file}} if scheme == "wss" else {})}


@limit(120)
def test_websocket_full_journal(env):
    """As with plain MQTT: a full journal acknowledges nothing, and after kill -9 nothing is lost and nothing there twice."""
    urls, ours = websocket_broker(env)
    fill_and_kill(env, env.bridge(NUMBERED_RULE, start=False, journal={"max_size": "1MB"}, broker=websocket_group("wss", urls, ours)))


@limit(90)
def test_websocket_killed_and_acknowledged(env):
    """kill -9 in mid-stream; acknowledgments go out over WebSocket, too."""
    urls, ours = websocket_broker(env)
    for scheme in ("ws", "wss"):
        env.sql("drop table if exists numbered")
        make_numbered(env)
        inbox = env.subscribe("~/ack")
        rule = NUMBERED_RULE.replace("columns", 'ack = { topic = "~/ack"; fields = { n = "$.n"; }; }; columns')
        bridge = env.bridge(rule, broker=websocket_group(scheme, urls, ours))
        load = env.publish_in_background(interleaved(("a", "b"), 500), rate=800)
        while load.running():
            bridge.wait_subscribed()
            wait_time(0.3)
            bridge.kill9()
            bridge.launch()
        assert load.finish() == 1000
        check_numbered(env, {"a": 500, "b": 500})
        env.wait(lambda i=inbox: len(set(i.payloads)) == 500, 40, lambda i=inbox: f"{len(set(i.payloads))} acknowledgments")
        bridge.stop()
