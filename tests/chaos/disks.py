"""The disk under the bridge's journal, and how it gets full.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import subprocess


class NoDisk:
    """The journal stands in the test's folder; nothing fills it but its own max_size."""

    can_fill = False

    def __init__(self, folder):
        self.folder = folder
        self.environment = {}  # for the bridge

    def fill(self):
        pass

    def free(self):
        pass

    def close(self):
        pass


class SmallDisk(NoDisk):
    """A tmpfs of a few megabytes, filled by a ballast file. Needs root and a kernel that lets it mount."""

    can_fill = True
    SIZE = 6 << 20

    def __init__(self, folder):
        super().__init__(folder)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=0700", "mqtt2pg-chaos", folder], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.ballast = os.path.join(folder, "ballast")

    def fill(self):
        """Not one byte is left."""
        with open(self.ballast, "wb", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        file.write(b"b" * size)
                except OSError:
                    continue

    def free(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)

    def close(self):
        """What stands on it stays in the folder, for whoever looks for a failure's cause."""
        self.free()
        copy = self.folder + "-copy"
        shutil.copytree(self.folder, copy)
        subprocess.run(["umount", self.folder], check=True)
        shutil.copytree(copy, self.folder, dirs_exist_ok=True)
        shutil.rmtree(copy)


def make_disk(folder, small):
    """A small disk where one is wanted and can be had."""
    if small and os.getuid() == 0:
        try:
            return SmallDisk(folder)
        except (OSError, subprocess.SubprocessError):
            pass
    return NoDisk(folder)


if __name__ == "__main__":
    raise SystemExit("a module of tests/chaos/campaign.py")
