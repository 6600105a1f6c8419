# SPDX-License-Identifier: Apache-2.0
"""memory.py - what another process has in its memory, through /proc/PID/mem; and what of it a core dump would hold.

Needs root, or a process of our own that is dumpable.
"""
import os
import re

PIECE_BYTES = 16 << 20
OVERLAP_BYTES = 256  # longer than any piece of a value that is searched for
NOT_OURS = ("[vvar", "[vdso", "[vsyscall")


class Mapping:
    def __init__(self, header, flags):
        addresses, self.rights, _, _, _, *path = header.split(None, 5)
        self.start, self.end = (int(part, 16) for part in addresses.split("-"))
        self.path = path[0].strip() if path else ""
        self.is_dumped = "dd" not in flags  # MADV_DONTDUMP


def mappings(pid):
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        header = None
        for line in file:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                header = line
            elif line.startswith("VmFlags:"):
                yield Mapping(header, line.split()[1:])


def pieces(pid, only_dumped):
    """(mapping, bytes) of all that can be read, in pieces that overlap."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in mappings(pid):
            if not mapping.rights.startswith("r") or mapping.path.startswith(NOT_OURS):
                continue
            if only_dumped and not mapping.is_dumped:
                continue
            end = mapping.end
            if mapping.path.startswith("/") and os.path.exists(mapping.path):  # a store maps more than its file has
                end = min(end, mapping.start + (os.path.getsize(mapping.path) + 4095) // 4096 * 4096)
            yield from ((mapping, data) for data in _read(memory, mapping.start, end))


def _read(memory, start, end):
    at = start
    while at < end:
        try:
            data = os.pread(memory.fileno(), min(PIECE_BYTES, end - at), at)
        except OSError:  # a guard page
            data = b""
        if not data:
            at += 4096
            continue
        yield data
        at += len(data) if at + len(data) >= end else max(len(data) - OVERLAP_BYTES, 4096)


def holds(pid, needles, only_dumped=False):
    """{(name, where)} of the needles ({name: bytes}) in the memory of a process; where: the mapping's path, or none."""
    found = set()
    for mapping, data in pieces(pid, only_dumped):
        found.update((name, mapping.path or "memory without a name") for name, needle in needles.items() if needle in data)
    return found


def is_readable(pid):
    try:
        with open(f"/proc/{pid}/mem", "rb"):
            return True
    except OSError:
        return False
