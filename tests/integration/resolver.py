"""A resolver with answers that no network has to give: tests/shim/resolver_shim.c from the side of a test.

SPDX-License-Identifier: MIT
"""

import os

from env import Skip


def resolver(env, *names):
    """The bridge's environment in which a host has the addresses behind its name, and "….hangs" is looked up for a minute."""
    if env.patience != 1:
        raise Skip("the resolver shim does not go with sanitizers, which want to be loaded first")
    return {"LD_PRELOAD": os.path.join(os.path.dirname(env.faulty), "resolver_shim.so"), "RESOLVER_SHIM": " ".join(names)}


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
