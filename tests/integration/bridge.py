"""The bridge under test: its configuration as text, and its process.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from servers import free_port, signal_quietly


def libconfig(value):
    """A Python value as libconfig writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, dict):
        return "{ " + " ".join(f"{key} = {libconfig(item)};" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(libconfig(item) for item in value) + " )"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Answer:
    """What an HTTP request or a command gave."""

    def __init__(self, code, out, err="", headers=None):
        self.code, self.out, self.err, self.headers = code, out, err, headers or {}

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"code {self.code}\nout: {self.out.strip()[-1500:]}\nerr: {self.err.strip()[-1500:]}"


# Faults for a bridge whose rows all go by COPY, as a thousand of a batch do: the point is armed, and never reached.
ALL_BY_COPY = "pg.copy.chunk=fail@1000000000"


class Bridge:
    """
    A configuration and the process that runs it. `config` is a dict of sections; `rules` is libconfig text, one group after the
    other. `~/` at the start of a topic stands for the test's own part of the broker.
    """

    def __init__(self, env, name, rules, config):
        self.env, self.name = env, name
        self.folder = os.path.join(env.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.log_file = os.path.join(self.folder, "log")
        self.file = os.path.join(self.folder, "mqtt2pg.cfg")
        self.journal = os.path.join(self.folder, "journal")
        self.http_port = free_port()
        self.client_id = f"{env.prefix}-{name}"
        self.sections = {
            "broker": {"url": env.broker.url, "client_id": self.client_id, **env.broker.options},
            "database": {"conninfo": env.postgres.conninfo(env.database)},
            "journal": {"directory": self.journal},
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
        }
        self.process = None
        self.may_end = False  # the test knows that it ends
        self.binary = env.binary
        self.configure(rules, **config)

    # --- configuration

    def configure(self, rules=None, **config):
        """Writes the configuration; sections are merged into the ones that are there, None takes a setting away."""
        for section, value in config.items():
            if isinstance(value, dict):
                merged = {**self.sections.get(section, {}), **value}
                self.sections[section] = {key: item for key, item in merged.items() if item is not None}
            else:
                self.sections[section] = value
        if rules is not None:
            self.rules = self.env.own(rules)
        self.write("".join(f"{name} = {libconfig(value)};\n" for name, value in self.sections.items())
                   + "rules = (\n" + self.rules.strip().rstrip(",") + "\n);\n")
        self.client_id = self.sections["broker"]["client_id"]
        return self

    def write(self, text):
        with open(self.file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)

    # --- the process

    def start(self, ready=True, faults=None, **environment):
        """Starts `run`; with `ready` waits until it is connected on both sides."""
        if faults:
            environment["MQTT2PG_FAULTS"] = faults
            self.binary = self.env.faulty
        self.launch(environment)
        self.may_end = bool(faults)
        if ready:
            self.wait_ready()
        return self

    def launch(self, environment=None):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([self.binary, "--config", self.file, "run"], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**self.env.environment, **(environment or {})})
        self.may_end = False

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, seconds=30):
        self.env.wait(lambda: self.dead_or(lambda: self.get("/readyz").code == 200), seconds,
                      lambda: f"{self.name} is not ready: {self.get('/readyz').out.strip()}")
        return self

    def wait_subscribed(self, seconds=30):
        """Connected to the broker, whatever the database does."""
        self.env.wait(lambda: self.dead_or(lambda: self.metric("broker_connected") == 1), seconds,
                      f"{self.name} is not connected to the broker")
        return self

    def dead_or(self, condition):
        if not self.running():
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.last_line()}")
        return condition()

    def died(self):
        """What to say when it ended although the test did nothing to that end."""
        if self.process is None or self.may_end or self.process.poll() is None:
            return None
        return f"{self.name} ended with {self.process.returncode}: {self.last_line()}"

    def signal(self, number):
        self.may_end = self.may_end or number in (signal.SIGTERM, signal.SIGINT)
        self.process.send_signal(number)

    def kill9(self):
        self.may_end = True
        self.process.kill()
        self.process.wait(10)

    def wait(self, seconds=30):
        """Its exit code; -9 when it was killed."""
        self.may_end = True
        try:
            return self.process.wait(seconds * self.env.patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end within {seconds} s") from None

    def stop(self, seconds=30):
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def restart(self, **options):
        self.stop()
        return self.start(**options)

    def clean_up(self):
        if self.running():
            signal_quietly(self.pid, signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    # --- what it says

    def log(self):
        try:
            with open(self.log_file, errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def last_line(self):
        lines = self.log().strip().splitlines()
        return lines[-1] if lines else "no log"

    def wait_log(self, pattern, seconds=20):
        """Waits for a line that matches, and returns it."""
        def find():
            found = re.search(f"^.*(?:{pattern}).*$", self.log(), re.MULTILINE | re.IGNORECASE)
            return found and found.group(0)
        return self.env.wait(find, seconds, f"no line /{pattern}/ in the log of {self.name}")

    def get(self, path, method="GET"):
        """An HTTP answer; code 0 when nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return Answer(answer.status, answer.read().decode(), headers=answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(errors="replace"), headers=error.headers)
        except OSError as error:
            return Answer(0, str(error))

    def act(self, name, body=b"", method="POST", headers=None, **arguments):
        """POST /actions/NAME?ARGUMENTS as a program does; `headers` replace those of the same name, None leaves one out."""
        wanted = {"X-Mqtt2pg": "1", "Content-Type": "application/octet-stream"} | (headers or {})
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}/actions/{name}?{urllib.parse.urlencode(arguments)}", data=body,
                                         method=method, headers={key: value for key, value in wanted.items() if value is not None})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.read().decode(), headers=answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(errors="replace"), headers=error.headers)
        except OSError as error:
            return Answer(0, str(error))

    def metrics(self):
        """Each line of /metrics: 'name{labels}' without the prefix → number."""
        found, answer = {}, self.get("/metrics")
        for line in answer.out.splitlines() if answer.code == 200 else []:
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name.removeprefix("mqtt2pg_")] = float(value)
        return found

    def metric(self, name, **labels):
        inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return self.metrics().get(name + ("{" + inside + "}" if inside else ""), -1)

    def wait_quiet(self, seconds=30):
        """Waits until nothing waits in the journal."""
        self.env.wait(lambda: self.metric("journal_messages") == 0, seconds,
                      lambda: f"{self.metric('journal_messages'):.0f} messages still wait in the journal")

    def check_books(self):
        """The equations of src/base/metrics.h, at a quiet moment."""
        self.wait_quiet()

        def wrong():
            m = self.metrics()
            bad = [] if m else ["no metrics"]
            if not m:
                return bad
            if m["messages_received_total"] != m["messages_duplicate_total"] + m["messages_journaled_total"]:
                bad.append("received != duplicate + journaled")
            if (m["messages_journaled_total"] + m["journal_messages_at_start"]
                    != m["messages_processed_total"] + m["journal_messages"]):
                bad.append("journaled + at start != processed + waiting")
            if not 0 <= m["messages_unmatched_total"] <= m["messages_processed_total"]:
                bad.append("more messages are unmatched than processed")
            for name, matched in m.items():
                if name.startswith("rule_matched_total{"):
                    rule = name.removeprefix("rule_matched_total{").removesuffix("}")
                    fates = [m.get(f'rule_messages_total{{{rule},outcome="{fate}"}}', 0)
                             for fate in ("stored", "filtered", "rejected")]
                    if matched != sum(fates):
                        bad.append(f"{rule}: matched {matched:.0f} != stored, filtered, rejected {fates}")
            return bad
        # Counters are read one after the other while the last batch is being counted.
        self.env.wait(lambda: not wrong(), 3, lambda: f"the books do not balance: {wrong()}")

    # --- what it costs

    def rss_peak_mb(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024

    def rss_mb(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_command(env, arguments, config=None, stdin=None, environment=None, seconds=30):
    """A command of the program: exit code, standard output, standard error."""
    command = [env.binary, *(["--config", config] if config else []), *arguments]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(command, input=data if data is not None else b"", capture_output=True, timeout=seconds * env.patience,
                              check=False, env={**env.environment, **(environment or {})})
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{' '.join(arguments)} does not end within {seconds} s") from None
    return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def wait_time(seconds):
    """Only for load that has to last; never for a result."""
    time.sleep(seconds)


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
