"""The guide tells the truth: the commands, options and requests that it shows exist (the log lines: tests/tools/links.py).

SPDX-License-Identifier: MIT
"""

import pathlib
import re
import subprocess

from scenes import NUMBERED_RULE, make_numbered

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "config" / "guide"


def test_commands_exist(env):
    """Each command in the guide is one, with options that its --help names."""
    seen, helps = 0, {}
    for page in sorted(GUIDE.glob("*.md")):
        for line in re.findall(r"mqtt2pg ((?:-c \S+ |--config \S+ )?[a-z][a-z-]+ ?[^`|#\n]*)", "\n".join(
                re.findall(r"`mqtt2pg [^`]*`|^mqtt2pg .*$", page.read_text(), re.M))):
            words = re.sub(r"^(-c|--config) \S+ ", "", line).split()
            if words[0] not in helps:
                helps[words[0]] = env.cli(words[0], "--help")
            said = helps[words[0]]
            assert said.code == 0, f"{page.name}: mqtt2pg {line}: {said}"
            for option in re.findall(r"(?<!\S)(--[a-z-]+)", " ".join(words[1:])):
                assert option in said.out or option in ("--help", "--config"), f"{page.name}: mqtt2pg {line}: {option} is not in its help"
            seen += 1
    assert seen > 20, seen


def test_man_page_has_each_option(env):
    """What --help names is in mqtt2pg(1); init and learn have too many, and are referred to --help."""
    page = (ROOT / "config" / "man" / "mqtt2pg.1").read_text().replace("\\-", "-")
    commands = re.findall(r"^  ([a-z][a-z-]+)", env.cli("--help").out, re.M)
    assert len(commands) > 10, commands
    missing = [(command, option) for command in commands if command not in ("init", "learn")
               for option in sorted(set(re.findall(r"(?<![\w-])--[a-z-]+", env.cli(command, "--help").out))) if option not in page]
    assert not missing, missing


def test_requests_of_the_actions(env):
    """The curl lines of operations.md, at this bridge."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE.replace('name = "numbered"', 'name = "telemetry"'), http={"admin": True})
    lines = re.findall(r"^curl .*$", (GUIDE / "operations.md").read_text(), re.M)
    assert len(lines) == 3, lines
    for line in lines:
        answer = subprocess.run(line.replace(":9464", f":{bridge.http_port}"), shell=True, capture_output=True, text=True, timeout=20)
        assert answer.returncode == 0 and answer.stdout.startswith("{") and "error" not in answer.stdout, f"{line}: {answer}"


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
