#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Values too short to be searched for: what is seen of two of them is the same, byte for byte. See README.md.

usage: test_short.py KROSYN EMBEDDER PRELOAD [TEST]

The same commands in two homes that differ in the value alone. Times, ids, ports and folders are made equal first; whatever
differs then tells something of the value: itself, its length or a hash of it.
"""
import json
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
sys.dont_write_bytecode = True
import drive_denied
import drive_home
import drive_secrets
import drive_work
import faults
from listeners import Listener
from surface import HELP, Surface

ALIKE = (
    (rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", b"ID"),
    (rb"\b[0-9a-f]{64}\b", b"DIGEST"),
    (rb"\bk-[0-9a-f]{8}\b", b"KEY"),
    (rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?", b"TIME"),
    (rb'"(started_ms|duration_ms|created_ms)": ?\d+', b"MS"),
    (rb"\b\d+ ms\b", b"MS"),
    (rb"krosyn-canary-\w+", b"FOLDER"),
    (rb"(127\.0\.0\.[12]):\d{2,5}", rb"\1:PORT"),
    (rb"(partial|restoring|salvaging|purging)-\w{6}", rb"\1-XXXXXX"),
    (rb" +", b" "),
)
PAIRS = {"one byte": (b"Q", b"7"), "one byte that is quoted": (b'"', b"\\"), "three bytes": (b"a+9", b"%\xc3\xa9"),
         "four bytes, another length": (b"zr8K", b"Wq5-x1="), "seven bytes": (b"k3Tz9.x", b"=Ab8/q%")}


def alike(data):
    for pattern, text in ALIKE:
        data = re.sub(pattern, text, data)
    return data


class Silent:
    """A target that keeps no value to itself: it answers the same to all."""

    def __init__(self):
        body = b'{"tier": "gold"}'
        self.listener = Listener("127.0.0.1", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                                 % len(body) + body)
        self.url = "http://" + self.listener.address

    def close(self):
        self.listener.close()


def drive(value):
    """[(what, bytes)] of a whole life of one value, made alike."""
    surface = Surface(receiver=False)
    surface.target = Silent()
    surface.closing.append(surface.target)
    try:
        for number in range(3):
            drive_secrets.save(surface, number, "SHORT", "plain", value)
        event = drive_work.run(surface, "SHORT", value)
        wrong = [where for where, holds in drive_work.span_of(event).items() if not holds]
        assert not wrong, f"no marker in {wrong}"
        drive_work.templates(surface, "SHORT")
        surface.must("redact", "--stats", given=b"nothing of it in here")
        for number in range(len(drive_denied.CASES)):
            drive_denied.deny(surface, number, "SHORT")
        drive_secrets.look(surface, "SHORT")
        surface.must("org", "create", "imported")
        document = json.dumps({"SHORT": value.decode("utf-8", "replace"), "b-ad": value.decode("utf-8", "replace")})
        for arguments in (("--dry-run",), ("--replace",)):
            surface.run_it("secret", "import", "-", "--format", "json", *arguments, given=document.encode())
        drive_secrets.look_at_all(surface)
        drive_work.events(surface)
        drive_home.copies(surface)
        drive_home.keys(surface)
        for arguments in (("secret", "rollback", "SHORT", "1"), ("secret", "policy", "SHORT", "--keep", "2"), ("secret", "delete", "SHORT")):
            surface.must(*arguments)
        surface.must("--json", "secret", "list")
        for command, options in surface.driven.items():
            assert command in HELP.commands, options
        handshakes = [b"TLS" for data in surface.denied.received if data]
        return [(what, alike(data)) for what, data in surface.kept] + [("denied", b"".join(handshakes))]
    finally:
        surface.close()


class Short(unittest.TestCase):
    def test_two_values_look_the_same(self):
        for kind, (one, other) in PAIRS.items():
            with self.subTest(kind):
                first, second = drive(one), drive(other)
                self.assertGreater(len(first), 60)
                self.assertEqual([what for what, _ in first], [what for what, _ in second])
                differ = [(what, position(a, b)) for (what, a), (_, b) in zip(first, second) if a != b]
                self.assertEqual(differ, [])

    def test_what_differs_is_seen(self):
        """The comparing can say no."""
        seen = []
        for value in (b"Q", b"7"):
            surface = Surface(receiver=False)
            surface.must("render", "--", "x " + value.decode())
            seen.append([alike(data) for _, data in surface.kept])
            surface.close()
        self.assertNotEqual(*seen)


def position(a, b):
    """What stands before the first difference; not the difference itself."""
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return a[max(at - 60, 0):at]


if __name__ == "__main__":
    faults.main(sys.argv[4] if len(sys.argv) > 4 else None)
