"""The real servers: private PostgreSQL, Mosquitto and RabbitMQ under the run's own folder, on loopback only.

Started as root they run as an unprivileged user, else as whoever runs the tests. Everything is stopped by process id.

SPDX-License-Identifier: MIT
"""

import glob
import os
import re
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time


def find_program(name):
    """A server's program: not all of them are on an ordinary user's PATH."""
    places = [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/local/sbin", "/usr/lib/rabbitmq/bin",
              *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    for place in places:
        if os.access(os.path.join(place, name), os.X_OK):
            return os.path.join(place, name)
    return None


RESERVED = []  # a socket a port


def reserve(port):
    """No other test takes it while its server is down: an abstract socket of this name says so (here and in unit/mqtt/live.h)."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(f"\0mqtt2pg-test-port-{port}")
    RESERVED.append(made)


def release_ports(first):
    """Gives back the ports that were taken when RESERVED was as long as that."""
    for each in RESERVED[first:]:
        each.close()
    del RESERVED[first:]


def free_port():
    """A loopback port that nobody uses, below the range from which the kernel takes ports for outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                reserve(port)
                return port
            except OSError:
                continue


def unprivileged():
    """Popen's arguments that make a server an ordinary process."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        except KeyError:
            continue
    raise RuntimeError("neither the user postgres nor nobody exists")


def make_folder(path):
    """A folder that belongs to the servers' user."""
    os.makedirs(path, exist_ok=True)
    who = unprivileged()
    if who:
        os.chown(path, who["user"], who["group"])
    os.chmod(path, 0o700)
    return path


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} within {seconds} s")
        time.sleep(0.02)


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def children(pid):
    """Process ids of the direct children."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        if int(text.rsplit(")", 1)[1].split()[1]) == pid:
            found.append(int(path.split("/")[2]))
    return found


def signal_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Server:
    """One process in a folder of its own, with its output in `log`."""

    name = "server"

    def __init__(self, folder):
        self.folder = make_folder(folder)
        self.log = os.path.join(folder, self.name + ".log")
        self.process = None
        self.options = {}  # what a bridge needs to get in, for its group `broker`
        self.host = "127.0.0.1"
        self.port = free_port()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def launch(self, command, **options):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            **{**unprivileged(), **options})

    def wait_listening(self, seconds=30):
        def up():
            if not self.running():
                raise RuntimeError(f"{self.name} did not start: {self.tail()}")
            return listening(self.port)
        wait_until(up, seconds, f"{self.name} does not listen")

    def tail(self, lines=5):
        try:
            with open(self.log, errors="replace") as file:
                return " | ".join(file.read().splitlines()[-lines:])
        except OSError:
            return "no log"

    def end(self, number, seconds=30):
        if self.running():
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process = None


class Postgres(Server):
    """PostgreSQL with a Unix socket and a loopback port. Over the socket everybody is trusted, over TCP a password counts.

    fsync is off: the tests kill processes, not machines, and what a process has written survives it.
    """

    name = "postgres"
    SETTINGS = ("listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", "max_connections=60",
                "shared_buffers=64MB", "max_wal_size=2GB", "logging_collector=off", "log_line_prefix=%m [%p] %q%a ",
                "lc_messages=C", "timezone=UTC", "autovacuum_naptime=10min", "restart_after_crash=on")

    def __init__(self, folder, primary_port=None):
        """With `primary_port` it is a standby of the server there: a copy that follows it."""
        super().__init__(folder)
        self.environment = {}
        self.data = os.path.join(folder, "data")
        self.sockets = folder
        if primary_port:
            self.make("pg_basebackup", "-D", self.data, "-d", f"host=127.0.0.1 port={primary_port} user=test", "-c", "fast", "-R", "-N")
            return
        self.make("initdb", "-D", self.data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as file:
            file.write("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\nhost replication test 127.0.0.1/32 trust\n")

    def make(self, program, *arguments):
        options = {**unprivileged(), "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        made = subprocess.run([find_program(program), *arguments], cwd=self.folder, check=False, **options)
        if made.returncode != 0:
            raise RuntimeError(f"{program}: " + made.stdout.decode(errors="replace"))

    def start(self, seconds=60):
        if self.running():
            return self
        # Its lock file outlives kill -9; the process that it names is dead, yet its number may live again.
        command = [find_program("postgres"), "-D", self.data, "-k", self.sockets, "-p", str(self.port)]
        for setting in self.SETTINGS:
            command += ["-c", setting]
        self.launch(command, env={**os.environ, **self.environment})

        def ready():
            if not self.running():
                raise RuntimeError(f"postgres did not start: {self.tail()}")
            return subprocess.run([find_program("pg_isready"), "-q", "-h", self.sockets, "-p", str(self.port), "-U", "test",
                                   "-d", "postgres"],
                                  check=False).returncode == 0
        wait_until(ready, seconds, "postgres is not ready")
        return self

    def stop(self, mode="fast"):
        """fast: backends are terminated; immediate: nobody says goodbye."""
        self.end(signal.SIGQUIT if mode == "immediate" else signal.SIGINT)

    def kill(self):
        """kill -9 of the whole server."""
        if not self.running():
            return
        pids = [self.process.pid, *children(self.process.pid)]
        for pid in pids:
            signal_quietly(pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None
        # The next start refuses while a child still holds the shared memory.
        wait_until(lambda: not any(alive(pid) for pid in pids[1:]), 10, "postgres' children did not die")

    def kill_postmaster(self):
        """kill -9 of the postmaster alone: its children end when they notice."""
        signal_quietly(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def conninfo(self, database, user="bridge", tcp=None, password="secret", port=None):
        """Over the Unix socket, or with `tcp` over loopback."""
        if tcp or port:
            return (f"host=127.0.0.1 port={port or self.port} dbname={database} user={user} password={password} "
                    "sslmode=disable gssencmode=disable")
        return f"host={self.sockets} port={self.port} dbname={database} user={user}"


def alive(pid):
    """Zombies that a container's process 1 does not reap are dead."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Mosquitto(Server):
    """Mosquitto 2. `settings` are lines of its configuration; None takes a default away."""

    name = "mosquitto"
    DEFAULTS = {"allow_anonymous": "true", "persistence": "true", "autosave_interval": "1800", "max_queued_messages": "0",
                "log_type": "error warning notice information"}

    def __init__(self, folder, **settings):
        super().__init__(folder)
        self.settings = {**self.DEFAULTS, **settings}
        self.listeners = []  # further ones: (port, lines)
        self.url = f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        if self.running():
            return self
        config = os.path.join(self.folder, "mosquitto.conf")
        lines = [f"listener {self.port} 127.0.0.1", f"persistence_location {self.folder}/", "log_dest stderr"]
        lines += [f"{key} {value}" for key, value in self.settings.items() if value is not None]
        for port, more in self.listeners:
            lines += [f"listener {port} 127.0.0.1", *more]
        with open(config, "w") as file:
            file.write("\n".join(lines) + "\n")
        self.launch([find_program("mosquitto"), "-c", config])
        self.wait_listening()
        return self

    def stop(self):
        """Saves its sessions."""
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def password_file(self, **users):
        """Makes a password file and asks for it from the next start on."""
        path = os.path.join(self.folder, "passwords")
        open(path, "w").close()
        for user, password in users.items():
            subprocess.run([find_program("mosquitto_passwd"), "-b", path, user, password], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.chmod(path, 0o644)
        self.settings.update(allow_anonymous="false", password_file=path)


class RabbitMQ(Server):
    """RabbitMQ with its MQTT plugin, without the Debian service around it; its own port mapper, cookie and data."""

    name = "rabbitmq"

    @staticmethod
    def installed():
        return os.access("/usr/lib/rabbitmq/bin/rabbitmq-server", os.X_OK) and find_program("epmd")

    def start(self):
        folder, ports = self.folder, {self.port}
        while len(ports) < 4:
            ports.add(free_port())
        amqp, dist, epmd = sorted(ports - {self.port})
        for name in ("mnesia", "log", "home"):
            make_folder(os.path.join(folder, name))
        with open(os.path.join(folder, "enabled_plugins"), "w") as file:
            file.write("[rabbitmq_mqtt].\n")
        with open(os.path.join(folder, "rabbitmq.conf"), "w") as file:
            file.write(f"listeners.tcp.1 = 127.0.0.1:{amqp}\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
                       "mqtt.allow_anonymous = true\nmqtt.default_user = guest\nmqtt.default_pass = guest\nmqtt.vhost = /\n"
                       "mqtt.exchange = amq.topic\nmqtt.subscription_ttl = 86400000\nlog.console = false\n"
                       "log.file.level = info\n")
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": folder + "/home", "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"mqtt2pg{self.port}@localhost", "RABBITMQ_BASE": folder,
            "RABBITMQ_MNESIA_BASE": folder + "/mnesia", "RABBITMQ_LOG_BASE": folder + "/log",
            "RABBITMQ_CONFIG_FILE": folder + "/rabbitmq.conf", "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_DIST_PORT": str(dist), "RABBITMQ_PID_FILE": folder + "/pid",
            "RABBITMQ_GENERATED_CONFIG_DIR": folder + "/config", "RABBITMQ_FEATURE_FLAGS_FILE": folder + "/feature_flags",
            "RABBITMQ_PLUGINS_EXPAND_DIR": folder + "/expand", "ERL_EPMD_PORT": str(epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
        }
        with open(os.path.join(folder, "epmd.log"), "ab") as log:
            self.mapper = subprocess.Popen([find_program("epmd"), "-address", "127.0.0.1", "-port", str(epmd)], cwd=folder,
                                           env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **unprivileged())
        self.launch(["/usr/lib/rabbitmq/bin/rabbitmq-server"], env=environment)
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.wait_listening(150)  # beside other tests it took 40 to 60
        return self

    def stop(self):
        self.end(signal.SIGTERM)
        self.mapper.terminate()
        self.mapper.wait(10)


class Ejabberd(Server):
    """ejabberd's mod_mqtt, without the Debian service and without Erlang's distribution: MQTT 5 and 3.1.1, a copy a subscription."""

    name = "ejabberd"
    CONFIG = """hosts: [localhost]
loglevel: info
listen:
  - port: %d
    ip: "127.0.0.1"
    module: mod_mqtt
auth_method: [anonymous]
anonymous_protocol: login_anon
allow_multiple_connections: true
modules:
  mod_mqtt:
    max_queue: 1000000
    session_expiry: 1 hour
"""

    @staticmethod
    def installed():
        return os.access("/usr/sbin/ejabberdctl", os.X_OK) and find_program("erl")

    def start(self):
        make_folder(os.path.join(self.folder, "spool"))
        config = os.path.join(self.folder, "ejabberd.yml")
        with open(config, "w") as file:
            file.write(self.CONFIG % self.port)
        with open("/usr/sbin/ejabberdctl") as file:
            libraries = re.search(r"^ERL_LIBS='(.*)'", file.read(), re.M).group(1)
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder, "LANG": "C.UTF-8", "ERL_LIBS": libraries,
                       "EJABBERD_CONFIG_PATH": config, "EJABBERD_LOG_PATH": self.folder + "/ejabberd.log"}
        self.launch([find_program("erl"), "-noinput", "-mnesia", "dir", f'"{self.folder}/spool"', "-s", "ejabberd"], env=environment)
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.options = {"username": "bridge@localhost", "password": "x"}
        self.wait_listening(120)
        return self

    def stop(self):
        self.end(signal.SIGTERM)


class FlashMQ(Server):
    """The broker FlashMQ, where FLASHMQ names the program: MQTT 5 and 3.1.1, a copy a subscription, repeats without DUP."""

    name = "flashmq"
    CONFIG = """log_file %s/events.log
storage_dir %s/store
allow_anonymous true
max_qos_msg_pending_per_client 65535
max_qos_bytes_pending_per_client 1000000000
listen {
  protocol mqtt
  port %d
  inet_protocol ip4
  inet4_bind_address 127.0.0.1
}
"""

    @staticmethod
    def installed():
        return os.access(os.environ.get("FLASHMQ", ""), os.X_OK)

    def start(self):
        make_folder(os.path.join(self.folder, "store"))
        config = os.path.join(self.folder, "flashmq.conf")
        with open(config, "w") as file:
            file.write(self.CONFIG % (self.folder, self.folder, self.port))
        self.launch([os.environ["FLASHMQ"], "--config-file", config])
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.wait_listening()
        return self

    def stop(self):
        self.end(signal.SIGTERM)


class NanoMQ(Server):
    """The broker NanoMQ, where NANOMQ names the program: it loses messages for a client that is away, so tests ask only how it is named."""

    name = "nanomq"
    CONFIG = """listeners.tcp { bind = "127.0.0.1:%d" }
listeners.ws { bind = "127.0.0.1:%d/mqtt" }
log { to = [console], level = error }
auth { allow_anonymous = true, no_match = allow, deny_action = ignore }
"""

    @staticmethod
    def installed():
        return os.access(os.environ.get("NANOMQ", ""), os.X_OK)

    def start(self):
        config = os.path.join(self.folder, "nanomq.conf")
        with open(config, "w") as file:
            file.write(self.CONFIG % (self.port, free_port()))
        self.launch([os.environ["NANOMQ"], "start", "--conf", config])
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.wait_listening()
        return self

    def stop(self):
        self.end(signal.SIGTERM)


class Aedes(Server):
    """The Node.js broker aedes in the folder `modules`: MQTT 3.1.1, repeats without DUP, nothing outlives it."""

    name = "aedes"
    SCRIPT = """
const { Aedes } = require('aedes'), net = require('net');
(async () => {
  const broker = Aedes.createBroker ? await Aedes.createBroker() : new Aedes();
  net.createServer(broker.handle).listen(%d, '127.0.0.1');
})();
"""

    modules = ""  # the folder that has the package

    @classmethod
    def installed(cls):
        return os.path.isdir(os.path.join(cls.modules, "aedes"))

    def start(self):
        script = os.path.join(self.folder, "broker.js")
        with open(script, "w") as file:
            file.write(self.SCRIPT % self.port)
        self.launch([find_program("node"), script],
                    env={"PATH": os.environ.get("PATH", ""), "NODE_PATH": self.modules})
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.wait_listening()
        return self

    def stop(self):
        self.end(signal.SIGTERM)


class PgBouncer(Server):
    """PgBouncer in front of a PostgreSQL, without a password on either side."""

    name = "pgbouncer"

    def __init__(self, folder, postgres, mode):
        super().__init__(folder)
        self.postgres, self.mode = postgres, mode

    def start(self):
        users, config = os.path.join(self.folder, "users"), os.path.join(self.folder, "pgbouncer.ini")
        with open(users, "w") as file:
            file.write('"bridge" ""\n"test" ""\n')
        with open(config, "w") as file:
            file.write(f"[databases]\n* = host={self.postgres.sockets} port={self.postgres.port}\n[pgbouncer]\n"
                       f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = trust\n"
                       f"auth_file = {users}\npool_mode = {self.mode}\ndefault_pool_size = 4\n")
        self.launch([find_program("pgbouncer"), config])
        self.wait_listening()
        return self

    def conninfo(self, database, user="bridge"):
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user} sslmode=disable gssencmode=disable"


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
