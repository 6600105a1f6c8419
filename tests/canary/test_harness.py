#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The harness must find what leaks; see README.md.

usage: test_harness.py KROSYN EMBEDDER PRELOAD [TEST]
"""
import base64
import html
import json
import os
import socket
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
sys.dont_write_bytecode = True
import canary
import faults
from listeners import Listener
from surface import HELP, Help, Surface

PLANTED = b"kroPlanted-5Tz8Nw2q"


class Search(unittest.TestCase):
    def test_every_kind_is_found_in_every_form(self):
        for name, (kind, value) in canary.make(len(canary.KINDS), 47).items():
            if len(value) < canary.MIN_SEARCHED_BYTES:
                continue
            text = value.decode()
            forms = [value, value.hex().encode(), value.hex().upper().encode(), base64.b64encode(value),
                     base64.b64encode(b"a" + value + b"z"), base64.urlsafe_b64encode(b"ab" + value + b"z"),
                     "".join("%%%02x" % byte for byte in value).encode(), json.dumps(text).encode(),
                     json.dumps(json.dumps(text)).encode(), html.escape(text).encode(),
                     "".join("&#%d;" % ord(c) for c in text).encode(), text.encode("utf-16-le"), text.encode("utf-16-be"),
                     canary.shouted(value)]
            for number, form in enumerate(forms):
                self.assertIn(name, {n for n, _ in canary.hits(b"<<" + form + b">>", {name: value})}, (kind, number))
            self.assertEqual(canary.hits(b"nothing" * 100, {name: value}), set())

    def test_bytes_that_are_no_text_are_found(self):
        key = bytes(range(190, 254))
        self.assertEqual(canary.hits(b"x" + key + b"y", {"key": key}), {("key", "raw"), ("key", "another case")} - {("key", "another case")})
        self.assertIn(("key", "hex"), canary.hits(key.hex().encode(), {"key": key}))

    def test_the_core_of_a_value_is_random_and_inside(self):
        for _, (kind, value) in canary.make(2 * len(canary.KINDS), 48).items():
            if len(value) >= canary.MIN_SEARCHED_BYTES:
                self.assertIn(canary.core(value), value, kind)
                self.assertGreaterEqual(len(canary.core(value)), 8, kind)


class Plants(unittest.TestCase):
    """A leak on each surface, made by the harness itself."""

    def setUp(self):
        self.surface = Surface()
        self.addCleanup(self.surface.close)
        self.values = {"CANARY": PLANTED}

    def where(self):
        return {where for _, _, where in self.surface.found(self.values)}

    def test_nothing_is_found_where_nothing_is(self):
        self.surface.write("an-input", PLANTED)
        self.assertEqual(self.where(), set())

    def test_printed(self):
        self.surface.must("render", "--", "leaked " + PLANTED.decode())
        self.assertEqual(self.where(), {"render"})

    def test_written(self):
        for name in ("home/vault/left-over", "home/events/log", "work/core", "tmp/draft", "user/history", "keys/k2", "backup"):
            path = self.surface.path(name)
            with open(path, "wb") as out:
                out.write(b"\0" * 5000 + PLANTED + b"\0")
            self.assertEqual(self.where(), {name})
            os.unlink(path)

    def test_saved_where_it_is_not_sealed(self):
        self.surface.must("secret", "set", "OTHER", "--description", PLANTED.decode(), given=b"not the canary")
        self.assertEqual(self.where(), {"home/vault/data.mdb"})

    def test_sent(self):
        with socket.create_connection(self.surface.denied.socket.getsockname()) as connection:
            connection.sendall(b"GET /" + PLANTED + b" HTTP/1.1\r\n\r\n")
            while connection.recv(100):
                pass
        self.assertEqual(self.where(), {"a server that must not get it"})

    def test_a_key_is_found_too(self):
        with open(self.surface.home.key, "rb") as file:
            text = [line for line in file.read().split(b"\n") if line and not line.startswith(b"#")][0].split()[-1]
        for what, data in (("text", text), ("bytes", base64.b64decode(text))):
            self.surface.kept = [(what, b"a" + data + b"b")]
            self.assertEqual(self.where(), {what})


class Coverage(unittest.TestCase):
    """What was driven is known from the command lines themselves, and what there is from the help."""

    def test_of_a_command_line(self):
        for line, command, options in (("--json secret set A --file x", "secret set", {"--json", "--file"}),
                                       ("--org secret org list", "org list", {"--org"}),
                                       ("render --sink url -- run", "render", {"--sink"}),
                                       ("nothing of it", None, set())):
            self.assertEqual(HELP.command_of(line.split(" ")), (command, options))

    def test_a_command_that_is_new_in_the_help_is_seen(self):
        texts = {(): "\nCommands:\n  one FILE    it\n  two words   that\n  a-new thing\n\nOptions:\n",
                 ("one",): "\nOptions:\n  --brand-new\n", ("help",): "\nGeneral options:\n  --json   x\n"}
        told = Help(lambda *words: texts.get(words, ""))
        self.assertEqual(set(told.commands), {"one", "two words", "a"})
        self.assertEqual(told.commands["one"], {"--brand-new"})

    def test_a_failing_command_is_not_driven(self):
        surface = Surface()
        self.addCleanup(surface.close)
        surface.run_it("secret", "show", "NOT_THERE")
        self.assertNotIn("secret show", surface.driven)
        surface.must("secret", "list")
        self.assertIn("secret list", surface.driven)

    def test_a_listener_keeps_every_byte(self):
        listener = Listener()
        for sent in (b"GET / HTTP/1.1\r\nA: b\r\n\r\n", b"\x16\x03\x01 no HTTP"):
            with socket.create_connection(listener.socket.getsockname()) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(100):
                    pass
        listener.close()
        self.assertEqual(listener.received, [b"GET / HTTP/1.1\r\nA: b\r\n\r\n", b"\x16\x03\x01 no HTTP"])


if __name__ == "__main__":
    faults.main(sys.argv[4] if len(sys.argv) > 4 else None)
