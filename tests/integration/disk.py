"""A disk that fails on cue, and what a power cut leaves of it: tests/shim/disk_shim.c from the side of a test.

    disk = Disk(env, bridge)          the disk below the bridge's journal
    bridge.start(**disk.environment()) the bridge on that disk; the log of changes begins anew
    disk.set(quota=…)                 its mood, also while the bridge runs
    bridge.kill9(); disk.cut(chance)  the journal as it may look after a power cut

The model: a sync of a file makes durable what was written to it before the sync began, a sync of a directory the names in it. Of everything
else nothing, all, or any part is on the disk afterwards: per file, sector by sector; a sector that was being written may hold rubbish
in the bytes that were written, never in others (disks write a sector whole or not at all). Names keep their order or do not.

SPDX-License-Identifier: MIT
"""

import copy
import os
import random
import shutil
import struct
import time

from env import Skip

CREATE, WRITE, TRUNCATE, RESERVE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, SYNC_FAILED = range(1, 11)
ENTRY = struct.Struct("<IIIIqqq")
FIELDS = ("quota", "write_short", "write_errno", "write_count", "sync_errno", "sync_count", "sync_delay_ms", "sync_hang", "read_errno",
          "read_from", "read_to", "clock_us", "syncs_failed", "syncs_after_failed", "writes_failed", "create_errno", "create_count")
NAMES = ("write_name", "sync_name", "read_name", "create_name")
NAMES_AT, NAME_BYTES = 8 * len(FIELDS), 64
CALM = {**dict.fromkeys(FIELDS, 0), "quota": -1, "write_count": -1, "sync_count": -1, "create_count": -1}
# What a cut does with what was not synced: bytes and names.
BYTES = ("lost", "kept", "sectors", "rubbish")
ENTRIES = ("lost", "kept", "first", "some")


class File:
    """`content` is durable; `pending` are changes that are not: (time in µs, WRITE, offset, data), (…, TRUNCATE, length), …"""

    def __init__(self, content=b""):
        self.content, self.pending, self.done = bytearray(content), [], 0

    def change(self, *change):
        self.pending.append(change)

    def sync(self, upto):
        """`upto` changes of all that there ever were are durable."""
        while self.pending and self.done < upto:
            apply(self.content, self.pending.pop(0))
            self.done += 1

    def sync_failed(self, upto):
        """They never will be, unless they are written again."""
        del self.pending[:max(0, upto - self.done)]
        self.done = max(upto, self.done)

    @property
    def changes(self):
        return self.done + len(self.pending)

    def after_cut(self, chance, mood):
        content = bytearray(self.content)
        for change in self.pending if mood != "lost" else []:
            if mood == "kept":
                apply(content, change)
            elif change[1] != WRITE:
                if chance.random() < 0.5:
                    apply(content, change)
            else:
                for part in sectors(change, chance.choice((512, 4096))):
                    fate = chance.random()
                    if mood == "rubbish" and fate < 0.5:
                        apply(content, (part[0], WRITE, part[2], chance.randbytes(len(part[3]))))
                    elif fate < 0.7:
                        apply(content, part)
        return content


def apply(content, change):
    """One change to bytes."""
    kind, at = change[1], change[2]
    if kind == WRITE:
        data = change[3]
        if len(content) < at:
            content.extend(bytes(at - len(content)))
        content[at:at + len(data)] = data
    elif kind == TRUNCATE:
        del content[at:]
        content.extend(bytes(at - len(content)))
    elif kind == RESERVE and len(content) < at:
        content.extend(bytes(at - len(content)))


def sectors(change, size):
    """A write, cut at the disk's sectors."""
    when, kind, at, data = change
    while data:
        length = min(len(data), size - at % size)
        yield (when, kind, at, data[:length])
        at, data = at + length, data[length:]


class Directory:
    """Names to files: the durable ones, and changes that are not: ("set", name, File), ("rename", from, to), ("remove", name)."""

    def __init__(self):
        self.names, self.pending, self.done, self.now = {}, [], 0, {}

    def change(self, *change):
        self.pending.append(change)
        apply_name(self.now, change)

    def sync(self, upto):
        while self.pending and self.done < upto:
            apply_name(self.names, self.pending.pop(0))
            self.done += 1

    @property
    def changes(self):
        return self.done + len(self.pending)

    def after_cut(self, chance, mood):
        names = dict(self.names)
        first = chance.randint(0, len(self.pending))
        for number, change in enumerate(self.pending):
            if mood == "kept" or (mood == "first" and number < first) or (mood == "some" and chance.random() < 0.5):
                apply_name(names, change)
        return names


def apply_name(names, change):
    if change[0] == "set":
        names[change[1]] = change[2]
    elif change[0] == "remove":
        names.pop(change[1], None)
    elif change[1] in names:
        names[change[2]] = names.pop(change[1])


class Model:
    """What is durable, from the state at the start and the log since."""

    def __init__(self, base, log):
        self.directories, self.inodes, self.syncs = {}, {}, {}
        self.last_us, self.sync_count = 0, 0
        for path, inode, content in base:
            folder = self.directories.setdefault(os.path.dirname(path), Directory())
            if content is None:
                self.directories.setdefault(path, Directory())
            else:
                self.inodes[inode] = File(content)
                folder.names[os.path.basename(path)] = folder.now[os.path.basename(path)] = self.inodes[inode]
        self.directories.setdefault("", Directory())
        self.folders = {}
        for entry in entries(log):
            self.take(*entry)

    def folder(self, path):
        return self.directories.setdefault(os.path.dirname(path), Directory())

    def take(self, kind, first, second, data, inode, value, when):
        self.last_us = when
        name = os.path.basename(first)
        if kind == CREATE:
            self.inodes[inode] = File()
            self.folder(first).change("set", name, self.inodes[inode])
        elif kind == WRITE:
            self.inodes[inode].change(when, WRITE, value, data)
        elif kind in (TRUNCATE, RESERVE):
            self.inodes[inode].change(when, kind, value)
        elif kind == RENAME:
            source, target = self.folder(first), self.folder(second)
            if source is target:
                source.change("rename", name, os.path.basename(second))
            else:  # between directories: set aside
                moved = source.now.get(name)
                source.change("remove", name)
                if moved is not None:
                    target.change("set", os.path.basename(second), moved)
        elif kind == UNLINK:
            self.folder(first).change("remove", name)
        elif kind == MKDIR:
            self.directories.setdefault(first, Directory())
        elif kind == SYNC_BEGIN:
            synced = self.synced(first, inode)
            self.syncs[value] = (synced, synced.changes if synced else 0)
        elif kind == SYNC_FAILED and isinstance(self.syncs[value][0], File):
            self.syncs[value][0].sync_failed(self.syncs[value][1])
        elif kind == SYNC_END and self.syncs[value][0] is not None:
            self.sync_count += 1
            self.syncs[value][0].sync(self.syncs[value][1])

    def synced(self, path, inode):
        return self.directories.get(path) or self.inodes.get(inode)

    def oldest_unsynced_ms(self, now_us, part=".segment", begun=False):
        """How old the oldest message is that is not durable; with `begun` without those that a sync under way will make so."""
        under_way = {}
        for synced, upto in self.syncs.values() if begun else ():
            under_way[synced] = max(upto, under_way.get(synced, 0))
        ages = [(now_us - change[0]) / 1000 for name, file in self.directories[""].now.items() if part in name
                for change in file.pending[max(0, under_way.get(file, 0) - file.done):] if change[1] == WRITE]
        return max(ages, default=0)

    def after_cut(self, chance, bytes_mood=None, entries_mood=None):
        """{path: bytes}"""
        found = {}
        for path, folder in self.directories.items():
            names = folder.after_cut(chance, entries_mood or chance.choice(ENTRIES))
            for name, file in names.items():
                found[os.path.join(path, name)] = file.after_cut(chance, bytes_mood or chance.choice(BYTES))
        return found


def entries(log):
    with open(log, "rb") as file:
        data = file.read()
    at = 0
    while at + ENTRY.size <= len(data):
        kind, first, second, length, inode, value, when = ENTRY.unpack_from(data, at)
        end = at + ENTRY.size + first + second + length
        if end > len(data):
            return  # the process was killed while it wrote this one
        at += ENTRY.size
        yield (kind, data[at:at + first].decode(), data[at + first:at + first + second].decode(), data[end - length:end],
               inode, value, when)
        at = end


class Disk:
    def __init__(self, env, bridge):
        self.shim = os.path.join(os.path.dirname(env.faulty), "disk_shim.so")
        if env.patience != 1:
            raise Skip("the disk shim does not go with sanitizers, which want to be loaded first")
        if not os.path.exists(self.shim):
            raise Skip(f"{self.shim} is not built (make program FLAVOUR=test)")
        self.env, self.bridge = env, bridge
        os.makedirs(bridge.journal, mode=0o700, exist_ok=True)
        self.root = os.path.realpath(bridge.journal)
        folder = bridge.folder
        self.control, self.log, self.proc = (os.path.join(folder, name) for name in ("disk.control", "disk.log", "proc"))
        os.makedirs(self.proc, exist_ok=True)
        with open(self.control, "wb") as file:
            file.write(bytes(4096))
        self.cuts, self.base = 0, []
        self.set(**CALM)
        self.new_boot()

    # --- its mood

    def set(self, **moods):
        """Fields of FIELDS; NAMES are parts of paths."""
        with open(self.control, "r+b") as file:
            for name, value in moods.items():
                if name in NAMES:
                    file.seek(NAMES_AT + NAME_BYTES * NAMES.index(name))
                    file.write(value.encode().ljust(NAME_BYTES, b"\0"))
                else:
                    file.seek(8 * FIELDS.index(name))
                    file.write(struct.pack("<q", value))

    def calm(self, **but):
        self.set(**{**{name: value for name, value in CALM.items() if not name.startswith(("syncs_", "writes_"))},
                    **dict.fromkeys(NAMES, ""), **but})

    def get(self, name):
        with open(self.control, "rb") as file:
            file.seek(8 * FIELDS.index(name))
            return struct.unpack("<q", file.read(8))[0]

    def used(self):
        """Bytes on the disk, as the quota counts them."""
        return sum(os.lstat(path).st_blocks * 512 for path, _, content in self.look() if content is not None
                   for path in [os.path.join(self.root, path)])

    # --- the life of the machine

    def new_boot(self):
        self.proc_file("boot_id", f"{self.cuts:08d}-0000-4000-8000-000000000000")

    def proc_file(self, name, text):
        """What the bridge reads in place of a file below /proc/sys."""
        with open(os.path.join(self.proc, name), "w") as file:
            file.write(text + "\n")

    def look(self):
        """(path, inode, content or None for a directory) of all that is there."""
        found = []
        for folder, directories, files in os.walk(self.root):
            for name in directories + files:
                path = os.path.join(folder, name)
                with open(path, "rb") if name in files else open(os.devnull, "rb") as file:
                    content = file.read() if name in files else None
                found.append((os.path.relpath(path, self.root), os.stat(path).st_ino, content))
        return found

    def environment(self, again=False):
        """For a start of the bridge: what is there now counts as durable; with `again` only what did before."""
        if not again:
            self.base = self.look()
            with open(self.log, "wb"):
                pass  # also for a process that is killed before it has begun
        return {"LD_PRELOAD": self.shim, "DISK_SHIM_DIRECTORY": self.root, "DISK_SHIM_CONTROL": self.control,
                "DISK_SHIM_LOG": self.log, "DISK_SHIM_PROC": self.proc}

    def model(self):
        return Model(copy.copy(self.base), self.log)

    def now_us(self):
        return time.monotonic_ns() // 1000

    def cut(self, chance=None, bytes_mood=None, entries_mood=None):
        """After kill -9: the power was cut at that moment. Returns the model, for questions."""
        model = self.model()
        there = model.after_cut(chance or random.Random(1), bytes_mood, entries_mood)
        for name in os.listdir(self.root):
            path = os.path.join(self.root, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for path in model.directories:
            os.makedirs(os.path.join(self.root, path), mode=0o700, exist_ok=True)
        for path, content in there.items():
            with open(os.path.join(self.root, path), "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(content)
        self.cuts += 1
        self.new_boot()
        return model


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
