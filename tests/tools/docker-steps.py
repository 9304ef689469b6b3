#!/usr/bin/python3
"""Runs the steps of a Dockerfile in plain folders, where there is no Docker: docker-steps.py DOCKERFILE FOLDER, as root.

Each stage becomes FOLDER/STAGE. `FROM debian:…` is a fresh minimal Debian (debootstrap, once, in FOLDER/debian), `FROM scratch` an empty
folder. RUN happens in a chroot as root, COPY takes the .dockerignore into account; the last stage is measured, and its HEALTHCHECK's and
ENTRYPOINT's program is run with --version as its USER. What a container has beyond that (namespaces, mounts, layers) is not tried.

SPDX-License-Identifier: MIT
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


def instructions(path):
    """(word, rest) of each line, continued ones joined, without comments."""
    with open(path) as file:
        text = "\n".join(line for line in file.read().splitlines() if not line.lstrip().startswith("#"))
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, rest = line.split(None, 1)
            yield word.upper(), rest.strip()


def ignored(path, patterns):
    """The last pattern that matches the file or a folder above it decides."""
    parts, answer = path.split("/"), False
    for pattern in patterns:
        keep = pattern.startswith("!")
        if any(fnmatch.fnmatch("/".join(parts[:n]), pattern.lstrip("!").strip("/")) for n in range(1, len(parts) + 1)):
            answer = not keep
    return answer


def context_files(root):
    """What `docker build` would send: tracked and new files that .dockerignore lets through."""
    with open(os.path.join(root, ".dockerignore")) as file:
        patterns = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in (".git", "build")]
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), root)
            if not ignored(path, patterns):
                yield path


class Stage:
    def __init__(self, folder, base, debian):
        self.root, self.environment, self.workdir, self.user, self.words = folder, dict(ENVIRONMENT), "/", None, {}
        shutil.rmtree(folder, ignore_errors=True)
        if base == "scratch":
            os.makedirs(folder)
        else:
            subprocess.run(["cp", "-a", debian, folder], check=True)
            shutil.copy("/etc/resolv.conf", os.path.join(folder, "etc/resolv.conf"))

    def inside(self, path):
        return os.path.join(self.root, os.path.join(self.workdir, path).lstrip("/"))

    def chroot(self, command, user=None, **options):
        who = ["--userspec", user] if user else []
        script = ["/bin/sh", "-c", f"cd {self.workdir} && {command}"] if isinstance(command, str) else command
        return subprocess.run(["chroot", *who, self.root, *script], env=self.environment, check=True, **options)

    def copy(self, rest, stages, root):
        source, target = [word for word in rest.split() if not word.startswith("--")]
        origin = re.search(r"--from=(\S+)", rest)
        os.makedirs(self.inside(target), exist_ok=True)
        if origin:
            subprocess.run(["cp", "-a", stages[origin.group(1)].inside(source) + "/.", self.inside(target)], check=True)
            return
        for path in context_files(os.path.join(root, source)):
            to = os.path.join(self.inside(target), path)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(os.path.join(root, source, path), to)

    def run(self, word, rest, stages, root):
        print(f"{os.path.basename(self.root)}: {word} {rest[:100]}", flush=True)
        if word == "RUN":
            self.chroot(rest)
        elif word == "COPY":
            self.copy(rest, stages, root)
        elif word == "ENV":
            self.environment.update(dict(pair.split("=", 1) for pair in rest.split()))
        elif word == "WORKDIR":
            self.workdir = rest
            os.makedirs(self.inside("."), exist_ok=True)
        elif word == "USER":
            self.user = rest
        else:
            self.words[word] = rest


def size(stage):
    """Bytes of the files, and of the folder as a gzipped archive, as registries count."""
    archive = subprocess.run(f"tar -C {stage.root} -c . | tee >(gzip -6 | wc -c >&2) | wc -c", shell=True, executable="/bin/bash",
                             check=True, capture_output=True, text=True)
    return int(archive.stdout), int(archive.stderr)


def main():
    if len(sys.argv) != 3 or os.getuid() != 0:
        sys.exit(__doc__)
    dockerfile, folder = sys.argv[1], os.path.abspath(sys.argv[2])
    root = os.path.dirname(os.path.dirname(os.path.abspath(dockerfile)))
    debian, stages, stage = os.path.join(folder, "debian"), {}, None
    if not os.path.exists(os.path.join(debian, "etc/debian_version")):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", debian], check=True, stdout=subprocess.DEVNULL)
    for word, rest in instructions(dockerfile):
        if word == "FROM":
            words = rest.split()
            name = words[2] if len(words) == 3 else "last"
            stage = stages[name] = Stage(os.path.join(folder, name), words[0], debian)
        else:
            stage.run(word, rest, stages, root)
    plain, packed = size(stage)
    print(f"{stage.root}: {plain / 1e6:.1f} MB, {packed / 1e6:.1f} MB compressed; user {stage.user}")
    program = json.loads(stage.words["ENTRYPOINT"])
    answer = stage.chroot([*program, "--version"], user=stage.user, capture_output=True, text=True)
    print(f"{program[0]} --version: {answer.stdout.strip()}")


if __name__ == "__main__":
    main()
