"""`mqtt2pg status` and `--watch`: for people on a terminal, for pipes, and for health checks.

SPDX-License-Identifier: MIT
"""

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from env import Skip
from scenes import NUMBERED_RULE, make_numbered, numbered

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program on a terminal of so many rows; `pictures` are the texts that it drew one after the other."""

    def __init__(self, env, command, rows=24, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env={**env.environment, "TERM": "xterm"},
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.data = ""
        env.closing.append(self.close)

    def read(self, seconds=0.1):
        deadline = time.monotonic() + seconds
        while select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
            try:
                self.data += os.read(self.master, 65536).decode(errors="replace")
            except OSError as error:
                assert error.errno == errno.EIO
                break
        return self

    @property
    def pictures(self):
        """Complete ones only."""
        return [picture.split("\x1b[J")[0] for picture in self.read().data.split("\x1b[H")[1:] if "\x1b[J" in picture]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self.master)


def plain(text):
    return ESCAPE.sub("", text)


def test_status_says_what_is(env):
    """States, rates and reasons; no escape sequence in a pipe; exit code 0 only when it is ready."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.publish([*numbered("a", 0, 1234), ("~/n/odd", r'{"n":"\u001b[31mred"}')])
    env.wait(lambda: bridge.metric("journal_messages") == 0 and len(env.dead_letters()) == 1, 15, "not stored")
    answer = env.cli("status", config=bridge)
    assert answer.code == 0 and answer.err == "", answer
    assert "\x1b" not in answer.out, "an escape sequence in a pipe"
    for pattern in (r"^mqtt2pg \S+  ready  up \d+s$", r"^broker    connected     for \d+s +mqtt://", r"^database  connected     for ",
                    r"^journal   has room      for \d+s +\d+ MB on disk, at most 10 GB$", r"^backlog   0 messages$", r"^delay .* for 95 %$",
                    r"^ +\d+ +\d+ +1,234 +0 +1  numbered$", r'^    rule "numbered": column "n"'):
        assert re.search(pattern, answer.out, re.MULTILINE), f"{pattern}\n{answer.out}"
    env.postgres.stop()
    env.wait(lambda: bridge.get("/readyz").code == 503, 20, "ready without a database")
    answer = env.cli("status", config=bridge)
    assert answer.code == 1 and re.search(r"^database  away          for \d+s +\S", answer.out, re.MULTILINE), answer


def test_watch_on_a_terminal(env):
    """Drawn in place, cut to the window, colours only there; the service may go away and return; Ctrl-C ends it with 0 and a new line."""
    make_numbered(env)
    rules = ",".join(NUMBERED_RULE.replace('"numbered"; topic', f'"r{n}"; topic', 1) for n in range(30))
    bridge = env.bridge(rules)
    terminal = Terminal(env, [env.binary, "--config", bridge.file, "status", "--watch"], rows=20)
    env.wait(lambda: len(terminal.pictures) >= 2, 15, "it draws nothing")
    picture = terminal.pictures[-1]
    lines = plain(picture).split("\r\n")
    assert len(lines) == 20 and lines[-1] == "" and re.fullmatch(r"… \d+ more lines", lines[-2]), lines
    assert lines[0].startswith("mqtt2pg ") and "\x1b[32m" in picture and "\x1b[2J" not in terminal.data, "it flickers"
    assert all(line.endswith("\x1b[K") for line in picture.split("\r\n")[:-1]), "what was there before shines through"
    bridge.stop()
    env.wait(lambda: "no answer" in terminal.pictures[-1], 10, "it does not say that nobody answers")
    bridge.start()
    env.wait(lambda: "ready" in terminal.pictures[-1], 15, "it does not see that the service is back")
    os.write(terminal.master, b"\x03")
    assert terminal.process.wait(20) == 0
    assert terminal.read(0.2).data.endswith("\x1b[?7h^C\r\n"), repr(terminal.data[-40:])


def test_watch_without_colours(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    env.environment["NO_COLOR"] = "1"
    terminal = Terminal(env, [env.binary, "--config", bridge.file, "status", "--watch"])
    env.wait(lambda: terminal.pictures, 15, "it draws nothing")
    assert "\x1b[3" not in terminal.pictures[-1] and "\x1b[1m" not in terminal.pictures[-1], repr(terminal.pictures[-1])
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(20) == 0


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")


def test_alive_is_not_ready(env):
    """`--alive` says yes of a service that waits for its database, so that no supervisor restarts it; without an answer it says no."""
    bridge = env.bridge(NUMBERED_RULE, ready=False, database={"conninfo": "host=127.0.0.1 port=1 dbname=x"})
    bridge.wait_log("the database can.t be used")
    assert env.cli("status", config=bridge).code == 1
    assert env.cli("status", "--alive", config=bridge).code == 0
    bridge.kill9()
    dead = env.cli("status", "--alive", config=bridge)
    assert dead.code == 1 and "not alive" in dead.err, dead


def test_without_a_configuration(env):
    """Where no configuration is, the default address is asked, and named when nobody is there."""
    if os.path.exists("/etc/mqtt2pg/mqtt2pg.cfg"):
        raise Skip("there is a /etc/mqtt2pg/mqtt2pg.cfg")
    answer = env.cli("status")
    assert answer.code in (0, 1) and "/etc/mqtt2pg" not in answer.err, answer
