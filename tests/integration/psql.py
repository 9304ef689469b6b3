"""The files of sql/ as people run them: through psql.

SPDX-License-Identifier: MIT
"""

import os
import subprocess

from env import ROOT
from servers import find_program


def psql(env, *files, user="test", check=True, environment=None, **variables):
    """Runs files of sql/ in the test's database; what psql says on both outputs."""
    command = [find_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", env.postgres.conninfo(env.database, user)]
    for name, value in variables.items():
        command += ["-v", f"{name}={value}"]
    for file in files:
        command += ["-f", os.path.join(ROOT, "sql", file)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**env.environment, **(environment or {})})
    if check:
        assert done.returncode == 0, f"psql {files}: {done.stdout}"
    return done.stdout


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
