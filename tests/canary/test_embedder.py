#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program with libkrosyn in it (embedder.h): what it prints, its errors, its memory after use, its core dump. See README.md.

usage: test_embedder.py KROSYN EMBEDDER PRELOAD [TEST]

Copies that docs/threat-model.md leaves out: the kernel's (not in this memory) and those of TLS (no TLS here). libcurl's are
in: kr_process_init gives it an allocator that wipes.
"""
import base64
import glob
import json
import os
import re
import resource
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
sys.dont_write_bytecode = True
import canary
import faults
import memory
from surface import Surface

EMBEDDER = os.path.abspath(sys.argv[2])
N_VALUES = 10 * len(canary.KINDS) if faults.IS_LONG else len(canary.KINDS)
INCLUDE = os.path.join(HERE, "..", "..", "include")


class Embedded(unittest.TestCase):
    def setUp(self):
        self.surface = Surface()  # its home is not used; its servers, its folder and its search are
        self.addCleanup(self.surface.close)
        self.made = canary.make(N_VALUES, 53)
        self.values = {name: value for name, (_, value) in self.made.items()}
        self.folder = self.surface.path("embedded")
        self.write_inputs()

    def put(self, name, data):
        """Below FOLDER, but searched no more than other inputs are: a link to one."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(self.surface.write("embedded-" + name.replace("/", "-"), data), path)

    def write_inputs(self):
        texts = {name: value.decode() for name, value in self.values.items()}
        for name, value in self.values.items():
            self.put("values/" + name, value)
        self.put("import.json", json.dumps(texts))
        self.put("list.json", json.dumps([text for text in texts.values() if len(text) >= 4]))
        searched = {name: value for name, value in self.values.items() if len(value) >= 4}
        for name, value in searched.items():
            forms = (value, base64.b64encode(value), value.hex().encode())
            self.put("texts/" + name, b"\n".join(b"before " + form + b" after" for form in forms))
            self.put("texts/" + name + ".json", json.dumps({"a": value.decode(), value.decode(): [1, base64.b64encode(value).decode()]}))
        for name in self.values:
            secret = f"$secret.{name}"
            good = {"url": self.surface.target.url + "/p", "headers": {"K": f"hexEncode({secret})"},
                    "body": {"a": secret, "b": f"base64Encode({secret})", "c": "$payload.x"}}
            bad = {"url": self.surface.target.url + "/broken", "body": [secret, "$payload.not_there"]}
            elsewhere = {"url": f"http://{self.surface.denied.address}/", "body": secret}
            for kind, perform in (("good", good), ("bad", bad), ("elsewhere", elsewhere)):
                self.put(f"connectors/{name}-{kind}.json", json.dumps({"name": kind, "perform": perform}))

    def start(self, mode):
        environment = {**self.surface.environment(), "MALLOC_PERTURB_": "0"}
        live = subprocess.Popen([EMBEDDER, mode, self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=self.surface.path("work"), env=environment)
        self.addCleanup(lambda: (live.poll() is None and live.kill(), live.communicate()))
        return live

    def until(self, live, stage):
        """What it prints until it stops at a stage."""
        said = b""
        while not said.endswith(b"-- " + stage + b"\n"):
            line = live.stdout.readline()
            if not line:
                last = said.rstrip().split(b"\n")[-2:]
                self.fail(f"it ended before the stage {stage}: {last if not canary.hits(b''.join(last), self.values) else ''}")
            said += line
        self.surface.keep("what it printed to the stage " + stage.decode(), said)
        return said

    def go_on(self, live):
        live.stdin.write(b"\n")
        live.stdin.flush()

    def needles(self):
        """Pieces of each value, and of what is made of it: a heap overwrites the ends of what it frees."""
        found = {}
        for name, (kind, value) in self.made.items():
            if len(value) < canary.MIN_SEARCHED_BYTES:
                continue
            core = canary.core(value)
            found[f"{kind} {name}"] = core
            found[f"{kind} {name} in hex"] = core.hex().encode()
            encoded = base64.b64encode(value)
            found[f"{kind} {name} in base64"] = encoded[len(encoded) // 2 - 8:len(encoded) // 2 + 8]
        with open(os.path.join(self.folder, "master.key"), encoding="ascii") as file:
            for number, text in enumerate(re.findall(r"[0-9A-Za-z+/]{86}==", file.read())):
                found[f"key {number}"] = base64.b64decode(text)[8:24]
                found[f"key {number} as text"] = text[30:50].encode()
        return found

    def key_is_kept_apart(self):
        """The key files of the embedder lie beside its home: to the search they are keys."""
        for path in glob.glob(os.path.join(self.folder, "*.key")):
            os.rename(path, self.surface.path("keys", os.path.basename(path)))

    def test_memory_after_use_and_everything_printed(self):
        live = self.start("use")
        said = self.until(live, b"live")
        self.assertGreaterEqual(said.count(b"run: completed"), 2 * len(self.values) - N_VALUES // len(canary.KINDS),
                                "all but those of 64 KiB in a header")
        self.assertIn(b"[REDACTED]", said)
        self.assertEqual(b"".join(self.surface.denied.received), b"", "a policy allows 127.0.0.1 alone")
        if not memory.is_readable(live.pid):
            self.skipTest("neither root nor allowed to trace")
        needles = self.needles()
        self.assertGreater(len({name for name, _ in memory.holds(live.pid, needles)}), len(needles) // 3,
                           "the search of the memory must find what is open")
        self.assertEqual(memory.holds(live.pid, needles, only_dumped=True), set(), "while it is open, in what a dump holds")
        for stage in (b"closed", b"copied", b"reopened"):
            self.go_on(live)
            self.until(live, stage)
            needles = {**needles, **self.needles()}
            self.assertEqual(memory.holds(live.pid, needles), set(), f"at the stage {stage.decode()}")
        self.go_on(live)
        out, err = live.communicate(timeout=faults.TIME_LIMIT_S)
        self.surface.keep("the end", out + err)
        self.assertEqual(live.returncode, 0)
        self.key_is_kept_apart()
        self.assertEqual(self.surface.found(self.values), set())

    def test_core_dump(self):
        with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
            pattern = file.read().strip()
        if "/" in pattern or "|" in pattern or resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
            self.skipTest("dumps are not allowed here, or do not come into the working directory")
        subprocess.run([self.surface.home.krosyn, "--home", os.path.join(self.folder, "home"), "--key",
                        os.path.join(self.folder, "master.key"), "init"], check=True, capture_output=True, env=self.surface.environment())
        live = self.start("crash")
        self.until(live, b"live")
        needles = self.needles()
        self.go_on(live)
        live.communicate(timeout=faults.TIME_LIMIT_S)
        (path,) = glob.glob(self.surface.path("work", "core*"))
        with open(path, "rb") as file:
            data = file.read()
        self.assertGreater(len(data), 1 << 20)
        self.assertIn(b"an example", data, "the dump holds what is no secret")
        self.assertEqual({name for name, needle in needles.items() if needle in data}, set())
        self.key_is_kept_apart()
        self.assertEqual(self.surface.found(self.values), set())

    def test_errors_of_failing_calls(self):
        def is_name(value):
            return not canary.re.search(rb"[^A-Z0-9_]|[^a-z0-9-]", value) or value.isdigit() or value.isalnum() and value.islower()
        for path in glob.glob(os.path.join(self.folder, "values", "*")):
            if is_name(self.values[os.path.basename(path)]):  # a good name is shown
                os.unlink(path)
        done = subprocess.run([EMBEDDER, "misuse", self.folder], capture_output=True, check=False, cwd=self.surface.path("work"),
                              env=self.surface.environment(), timeout=faults.TIME_LIMIT_S)
        self.surface.keep("its errors", done.stdout + done.stderr)
        self.assertEqual([line for line in done.stdout.split(b"\n") if line.startswith(b"NOT FAILED")], [])
        self.assertIn(b"not failed: 0\n", done.stdout)
        self.assertGreater(done.stdout.count(b"\n"), 60 * len(os.listdir(os.path.join(self.folder, "values"))))
        self.key_is_kept_apart()
        self.assertEqual(self.surface.found(self.values), set())


class Coverage(unittest.TestCase):
    def test_every_function_of_the_library_is_called(self):
        with open(os.path.join(INCLUDE, "krosyn.map"), encoding="ascii") as file:
            exported = set(re.findall(r"\b(kr_\w+);", file.read()))
        called = set()
        for path in glob.glob(os.path.join(HERE, "embedder*.c")):
            with open(path, encoding="utf-8") as file:
                called.update(re.findall(r"\b(kr_\w+)\(", file.read()))
        self.assertGreater(len(exported), 60)
        self.assertEqual(exported - called, set(), "functions of the library that the harness does not drive")


if __name__ == "__main__":
    faults.main(sys.argv[4] if len(sys.argv) > 4 else None)
