"""What lands on a host: `make install` and `uninstall`, units, manual pages, the Debian package.

SPDX-License-Identifier: MIT
"""

import glob
import os
import re
import shutil
import subprocess

from env import ROOT, Skip
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered
from servers import find_program


def need(program):
    if not find_program(program):
        raise Skip(f"{program} is not installed")
    return find_program(program)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout + done.stderr


def make(env, *arguments):
    """make in the source tree, with the program under test in place of a freshly built one."""
    build = os.path.join(env.folder, "build")
    os.makedirs(build, exist_ok=True)
    shutil.copy(env.binary, os.path.join(build, "mqtt2pg"))
    environment = {key: value for key, value in env.environment.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return run("make", "-s", "-o", "all", "-o", "deps-deb", f"BUILD={build}", *arguments, cwd=ROOT, env=environment)


def installed(root):
    """Every file below the folder, without its name."""
    return sorted(path.removeprefix(root) for path in glob.glob(root + "/**", recursive=True) if os.path.isfile(path))


def install(env, prefix="/usr/local"):
    root = os.path.join(env.folder, "root")
    make(env, "install", f"DESTDIR={root}", f"PREFIX={prefix}")
    return root


def test_install_and_uninstall(env):
    """Every file in its place with the prefix in it; uninstall takes all away but what an administrator has made."""
    root = install(env, "/opt/it")
    files = installed(root)
    for wanted in ("/opt/it/bin/mqtt2pg", "/opt/it/share/man/man1/mqtt2pg.1", "/opt/it/share/man/man5/mqtt2pg.cfg.5",
                   "/etc/mqtt2pg/mqtt2pg.cfg.sample", "/opt/it/lib/systemd/system/mqtt2pg.service",
                   "/opt/it/lib/systemd/system/mqtt2pg@.service", "/opt/it/share/mqtt2pg/sql/mqtt2pg.sql",
                   "/opt/it/share/doc/mqtt2pg/README.md", "/opt/it/share/doc/mqtt2pg/config/examples/zigbee2mqtt.cfg",
                   "/opt/it/share/doc/mqtt2pg/docker/grafana/dashboards/bridge.json", "/opt/it/share/doc/mqtt2pg/docker/prometheus/alerts.yml",
                   "/opt/it/share/bash-completion/completions/mqtt2pg"):
        assert wanted in files, f"{wanted} is not installed: {files}"
    for path in files:
        if not path.endswith(("/bin/mqtt2pg", ".desc")):
            text = open(root + path).read()
            assert "/share/doc/" in path or not re.search(r"@[A-Z]+@", text), f"{path}: {re.search(r'@[A-Z]+@', text).group(0)}"
    assert "ExecStart=/opt/it/bin/mqtt2pg --config /etc/" in open(root + "/opt/it/lib/systemd/system/mqtt2pg.service").read()
    shutil.copy(root + "/etc/mqtt2pg/mqtt2pg.cfg.sample", root + "/etc/mqtt2pg/mqtt2pg.cfg")
    answer = env.cli("check", config=root + "/etc/mqtt2pg/mqtt2pg.cfg")
    assert answer.code == 0, answer
    make(env, "uninstall", f"DESTDIR={root}", "PREFIX=/opt/it")
    assert installed(root) == ["/etc/mqtt2pg/mqtt2pg.cfg"]


def test_installed_documents_lead_somewhere(env):
    """Each link of an installed page to another file leads to a file that is installed, too."""
    folder = os.path.join(install(env), "usr/local/share/doc/mqtt2pg")
    pages = glob.glob(folder + "/**/*.md", recursive=True)
    assert len(pages) > 8, pages
    dead = [(os.path.relpath(page, folder), link) for page in pages
            for link in re.findall(r"\]\(([^)#]+)[^)]*\)", open(page).read())
            if "://" not in link and not os.path.exists(os.path.join(os.path.dirname(page), link))]
    assert not dead, dead


def test_bash_completion(env):
    """It knows every command of --help, and what the commands take."""
    folder = os.path.join(env.folder, "bin")
    os.makedirs(folder)
    os.symlink(env.binary, os.path.join(folder, "mqtt2pg"))

    def complete(*words):
        script = 'source "$0"; COMP_WORDS=(mqtt2pg "$@"); COMP_CWORD=$#; _mqtt2pg; printf "%s\\n" "${COMPREPLY[@]}"'
        return run("bash", "-c", script, os.path.join(ROOT, "config/completion/mqtt2pg"), *words,
                   env={**env.environment, "PATH": folder + ":" + os.environ["PATH"]}).split()
    commands = [line.split()[0] for line in env.cli("--help").out.split("commands:")[1].split("options:")[0].strip().splitlines()]
    assert set(commands) <= set(complete("")) and complete("dead-l") == ["dead-letters"], complete("")
    assert complete("-c", "x.cfg", "status", "--w") == ["--watch"] and "retry" in complete("dead-letters", "")


def unit_lines(path):
    """Key = value as systemd reads it, without comments."""
    return [line for line in open(path).read().splitlines() if line and not line.startswith("#")]


def test_units_are_walled_in(env):
    """systemd-analyze's exposure is under 2.0 for both units, and they differ in nothing but the instance's name."""
    analyze = need("systemd-analyze")
    folder = os.path.join(install(env), "usr/local/lib/systemd/system")
    for unit in ("mqtt2pg.service", "mqtt2pg@.service"):
        said = run(analyze, "security", "--offline=yes", "--no-pager", os.path.join(folder, unit))
        exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", said).group(1))
        assert exposure < 2.0, f"{unit}: {exposure}\n{said}"
    one, many = (unit_lines(os.path.join(folder, unit)) for unit in ("mqtt2pg.service", "mqtt2pg@.service"))
    differ = [(a, b) for a, b in zip(one, many) if a != b]
    assert len(one) == len(many) and {a.split("=")[0] for a, _ in differ} == {"Description", "ExecStart", "User", "StateDirectory"}, differ
    # DynamicUser makes a state directory a symbolic link, so that none may lie inside of another.
    state_one, state_many = (next(line for line in lines if line.startswith("StateDirectory=")) for lines in (one, many))
    assert (state_one, state_many) == ("StateDirectory=mqtt2pg", "StateDirectory=mqtt2pg-%i")
    for line in ("Type=notify", "RestartPreventExitStatus=2 3", "DynamicUser=yes", "LimitCORE=0", "StateDirectoryMode=0700"):
        assert line in one, line


def allowed_calls(analyze, unit):
    """The system calls that the unit's SystemCallFilter leaves, group by group as systemd has them."""
    def members(name):
        calls = set()
        for line in run(analyze, "syscall-filter", "--no-pager", name).splitlines()[1:]:
            word = line.strip()
            if word and not word.startswith("#"):
                calls |= members(word) if word.startswith("@") else {word}
        return calls
    calls = set()
    for line in unit_lines(unit):
        if line.startswith("SystemCallFilter="):
            names = line.split("=", 1)[1]
            for name in names.lstrip("~").split():
                calls = calls - members(name) if names.startswith("~") else calls | members(name)
    return calls


def test_units_allow_what_the_program_does(env):
    """Every system call of a whole life (start, store, reload, stop) is one that the unit's filter lets through."""
    analyze, strace = need("systemd-analyze"), need("strace")
    unit = os.path.join(install(env), "usr/local/lib/systemd/system/mqtt2pg.service")
    make_numbered(env)
    trace = os.path.join(env.folder, "trace")
    bridge = env.bridge(NUMBERED_RULE, start=False)
    wrapper = os.path.join(env.folder, "wrapper")
    with open(wrapper, "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
        file.write(f'#!/bin/sh\nexec {strace} -D -f -qq -e trace=all -e signal=none -o {trace} {env.binary} "$@"\n')
    bridge.binary = wrapper
    bridge.start()
    env.publish(numbered("a", 0, 50))
    check_numbered(env, {"a": 50})
    bridge.signal(1)
    bridge.wait_log("reloaded")
    bridge.stop()
    made = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", open(trace).read(), re.MULTILINE)) - {"execve"}
    assert "connect" in made and "fdatasync" in made, f"the trace is of no use: {sorted(made)}"
    denied = made - allowed_calls(analyze, unit)
    assert not denied, f"denied by the unit: {sorted(denied)}"


def test_manual_pages(env):
    """man and mandoc have nothing to complain of, and the pages name every command and setting."""
    need("man")
    root = install(env)
    pages = {}
    for page in ("man1/mqtt2pg.1", "man5/mqtt2pg.cfg.5"):
        path = f"{root}/usr/local/share/man/{page}"
        done = subprocess.run(["man", "--warnings", "-l", path], capture_output=True, text=True, check=False,
                              env={**env.environment, "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MAN_KEEP_FORMATTING": ""})
        assert done.returncode == 0 and done.stderr == "", f"{page}: {done.stderr[:500]}"
        pages[page[-1]] = done.stdout
        if find_program("mandoc"):
            lint = subprocess.run([find_program("mandoc"), "-Tlint", "-Wwarning", path], capture_output=True, text=True, check=False)
            assert lint.returncode == 0, f"{page}: {lint.stdout[:500]}"
    for line in env.cli("--help").out.split("commands:")[1].split("options:")[0].strip().splitlines():
        assert line.split()[0] in pages["1"], line
    names = re.findall(r"^([a-z_0-9.]+) {2,}", env.cli("settings").out, re.MULTILINE)
    assert len(names) > 40, names
    for name in names:
        assert re.search(rf"\b{name.split('.')[-1]}\b", pages["5"]), f"{name} is not in mqtt2pg.cfg(5)"


def test_debian_package(env):
    """It unpacks, its configuration is sound, and dpkg's fields are right; `make test-deb` installs and purges it in a fresh Debian."""
    for program in ("dpkg-shlibdeps", "dpkg-deb"):
        need(program)
    package = make(env, "deb").strip().splitlines()[-1]
    root = os.path.join(env.folder, "unpacked")
    run("dpkg-deb", "-x", package, root)
    fields = run("dpkg-deb", "-f", package)
    assert "libpq5" in fields and "libpaho-mqtt1.3" in fields and "Package: mqtt2pg" in fields, fields
    assert run("dpkg-deb", "--info", package, "conffiles") == "/etc/mqtt2pg/mqtt2pg.cfg.sample\n"
    done = run(root + "/usr/bin/mqtt2pg", "--version")
    assert re.search(r"^Version: ([0-9.]+)-1$", fields, re.MULTILINE).group(1) in done, done
    run(root + "/usr/bin/mqtt2pg", "--config", root + "/etc/mqtt2pg/mqtt2pg.cfg.sample", "check")
    for script in ("postinst", "prerm", "postrm"):
        run("sh", "-n", os.path.join(ROOT, "config/debian", script))
    assert "/lib/systemd/system/mqtt2pg@.service" in installed(root)


def test_documents_name_tests_that_exist(env):
    """SECURITY.md and tests/README.md say which test holds what: each of them is there."""
    listed = run(os.path.join(ROOT, "tests/integration/run.py"), "--list", env=env.environment)
    there = {line.split()[0] for line in listed.splitlines() if ":" in line}
    themes = {name.split(":")[0] for name in there}
    for document in ("SECURITY.md", "tests/README.md"):
        text = open(os.path.join(ROOT, document)).read()
        named = re.findall(r"`([a-z_]+):([a-z_0-9]+|\*)`", text)
        assert len(named) > 10
        for theme, name in named:
            if theme in themes:
                assert name == "*" or f"{theme}:{name}" in there, f"{document} names {theme}:{name}"
        for path in re.findall(r"`((?:unit|fuzz)/[a-z_0-9/]+)`", text):
            path = os.path.join(ROOT, "tests", path)
            assert os.path.isdir(path) or os.path.exists(path + ".c"), f"{document} names {path}"
