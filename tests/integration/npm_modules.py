"""Libraries of npm that tests compare with, installed once a machine.

SPDX-License-Identifier: MIT
"""

import fcntl
import os
import shutil
import subprocess
import tempfile

from env import Skip


def npm_modules(*packages):
    """The folder for NODE_PATH with these packages ("name@version"); the test is passed over where there is none."""
    folder = os.path.join(tempfile.gettempdir(), f"mqtt2pg-npm-{os.getuid()}")
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise Skip("no npm here")
    with open(folder + ".lock", "a") as lock:  # parts of one run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(folder, packages)
    return f"{folder}/node_modules"


def install(folder, packages):
    missing = [package for package in packages if not os.path.isdir(f"{folder}/node_modules/{package.rpartition('@')[0]}")]
    if missing:
        done = subprocess.run(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", *missing], capture_output=True, timeout=100, check=False)
        if done.returncode != 0:
            raise Skip("npm could not install " + ", ".join(missing))


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
