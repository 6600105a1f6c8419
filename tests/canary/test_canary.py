#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Canary values through every command; see README.md.

usage: test_canary.py KROSYN [TEST]

KROSYN_TEST_LONG: 1 000 values instead of 24.
"""
import base64
import html
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "cli")]
sys.dont_write_bytecode = True
import canary  # noqa: E402
import faults  # noqa: E402
from receiver import Receiver  # noqa: E402

KROSYN = os.path.abspath(sys.argv[1])
N_VALUES = 1000 if faults.IS_LONG else 24
PER_HOME = 24


class Surface(unittest.TestCase):
    def setUp(self):
        self.folder = faults.new_folder("krosyn-canary-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.home = faults.Home(KROSYN, None, self.folder)
        self.home.must("init")
        self.target = Receiver()
        self.addCleanup(self.target.close)
        self.kept = []  # (what, bytes)
        self.number = 0

    def keep(self, what, data):
        self.kept.append((what, data))

    def run_it(self, *arguments, given=b"", codes=(0, 1, 2, 3)):
        done = self.home.run(*arguments, given=given)
        self.assertIn(done.code, codes, (arguments[:2], done.err[:300] if 0 in codes else b""))
        self.keep(" ".join(arguments[:2]), done.out + b"\n" + done.err)
        return done

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            out.write(data)
        return path

    def found(self, values):
        everything = {}
        for what, data in self.kept:
            everything.setdefault(what, []).append(data)
        found = {(name, form, what) for what, data in everything.items()
                 for name, form in canary.hits(b"\n".join(data), values)}
        return found | set(canary.hits_in_files(self.home.home, values))

    def type_it(self, name, value):
        """On a terminal, which must not show it."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(KROSYN, self.home.command("secret", "set", name), self.home.environment())
        seen = b""
        for count in (1, 2):
            while seen.count(b": ") < count:
                seen += os.read(fd, 4096)
            os.write(fd, value + b"\n")
        try:
            while data := os.read(fd, 4096):
                seen += data
        except OSError:
            pass
        os.close(fd)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, "typed value not taken")
        self.keep("secret set, typed", seen)

    def save(self, number, name, kind, value):
        if number % 3 == 0 and kind in ("plain", "quotes", "percent", "digits", "like base64"):
            return self.type_it(name, value)
        if number % 3 == 1:
            path = self.write("value", value)
            self.run_it("secret", "set", name, "--file", path, codes=(0,))
            return os.unlink(path)
        return self.run_it("secret", "set", name, given=value + b"\n", codes=(0,))

    def connector(self, name, **more):
        document = {"name": "canary", "example_payload": {"x": 1},
                    "perform": {"url": self.target.url + f"/p?q=$secret.{name}",
                                "body": {"a": f"$secret.{name}", "b": f"base64Encode($secret.{name})"}}, **more}
        return self.write("c.json", json.dumps(document).encode())

    def use(self, name, value):
        """Every command that sees the value."""
        path = self.connector(name, process={"lookup": {"url": self.target.url + "/l",
                                                         "query": {"k": f"$secret.{name}"}}})
        self.run_it("check", path)
        done = self.run_it("--json", "run", path, "--allow-private")
        self.assertTrue(done.out, done.err)
        event = json.loads(done.out)
        if "id" in event:
            self.run_it("events", "show", event["id"], codes=(0,))
            self.run_it("--json", "events", "show", event["id"], codes=(0,))
        self.run_it("run", path, "--allow-private")
        self.run_it("--json", "run", path, "--dry-run")
        self.run_it("run", self.connector(name, perform={"url": "http://127.0.0.1:1/$secret." + name}), "--allow-private")
        self.run_it("--json", "run", self.write("c.json", b'{"name": "x", "perform": "%s"' % value.replace(b'"', b'\\"')))
        for form in (value, base64.b64encode(value), json.dumps(value.decode()).encode(), value.hex().encode()):
            self.run_it("redact", "--stats", given=b"before " + form + b" after", codes=(0,))
        log = self.write("log", b"x " + value + b" y")
        self.run_it("redact", "--in-place", log, codes=(0,))
        with open(log, "rb") as file:
            self.keep("redact --in-place", file.read())
        values = self.write("values", json.dumps([value.decode()]).encode())
        self.run_it("redact", "--values", values, given=b"a " + value + b" b")
        for where in ("header", "json", "url"):
            self.run_it("render", "--sink", where, "--", f"$secret.{name}")
        return event

    def misuse(self, name, value):
        """Where a value may stand by mistake; on a command line there is no NUL and a limit of length."""
        text = value.decode()
        if len(text) > 4096 or text.isdigit() or len(text) == 1:  # digits alone are a name, which is shown
            return
        for arguments in (("secret", "set", name, text), ("secret", "set", text), ("secret", "set", f"{name}={text}"),
                          ("secret", "set", name, "--description", text), ("secret", "set", name, f"--value={text}"),
                          ("secret", "set", name, "--value", text), ("secret", "show", text), ("secret", "delete", text),
                          (text,), ("secret", text), ("--" + text, "secret", "list"), ("events", "show", text),
                          ("org", "set", "redact-scope", text), ("secret", "rollback", name, text),
                          ("--json", "secret", "set", name, text), ("redact", "--no-form", text),
                          ("events", "list", "--limit", text), ("secret", "policy", name, "--hosts", text)):
            self.run_it(*arguments, given=b"another value " + name.encode())


class Everything(Surface):
    def run_group(self, values):
        bare = {name: value for name, (_, value) in values.items()}
        for number, (name, (kind, value)) in enumerate(values.items()):
            self.save(number, name, kind, value)
            event = self.use(name, value)
            if len(value) < canary.MIN_SEARCHED_BYTES and "perform" in event:
                request = event["perform"]["attempts"][-1]["request"]
                self.assertIn("[REDACTED]", json.dumps(request), kind)
                self.assertNotIn(f'"{value.decode()}"', json.dumps(request["body"]), kind)
            self.misuse(name, value)
            for look in (("secret", "list"), ("--json", "secret", "show", name), ("secret", "history", name), ("org", "show")):
                self.run_it(*look)
        self.run_it("--json", "events", "list", codes=(0,))
        self.assertGreater(len(self.target.requests), len(values))
        found = self.found(bare)
        self.assertEqual({(values[name][0], form, what) for name, form, what in found}, set())

    def test_no_command_shows_a_value(self):
        values = list(canary.make(N_VALUES, 41).items())
        for start in range(0, N_VALUES, PER_HOME):
            with self.subTest(start=start):
                if start:
                    self.doCleanups()
                    self.setUp()
                self.run_group(dict(values[start:start + PER_HOME]))


class Process(Surface):
    """A live process that has values open: its arguments, its environment, its core dump."""

    def test_no_core_dump_and_nothing_in_proc(self):
        values = {name: value for name, (kind, value) in canary.make(12, 43).items()}
        for name, value in values.items():
            self.run_it("secret", "set", name, given=value, codes=(0,))
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        live = subprocess.Popen(self.home.command("redact"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                cwd=place, env=self.home.environment(),
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2))
        live.stdin.write(b"x " + values["CANARY_0"] + b"\n" + b"y" * 20000 + b"\n")
        live.stdin.flush()
        self.assertTrue(os.read(live.stdout.fileno(), 20).startswith(b"x [REDACTED]"))
        with open(f"/proc/{live.pid}/cmdline", "rb") as file:
            self.keep("cmdline", file.read())
        self.assertEqual(os.stat(f"/proc/{live.pid}/mem").st_uid, 0, "a process that is not dumpable belongs to root in /proc")
        with open(f"/proc/{live.pid}/limits", encoding="ascii") as file:
            (core,) = [line for line in file if line.startswith("Max core file size")]
        self.assertEqual(core.split()[4:6], ["0", "0"])
        os.kill(live.pid, signal.SIGSEGV)
        live.stdin.close()
        out, err = live.stdout.read(), live.stderr.read()
        _, status = os.waitpid(live.pid, 0)
        live.returncode = 0
        live.stdout.close()
        live.stderr.close()
        self.keep("redact, killed", out + err)
        self.assertFalse(os.WCOREDUMP(status))
        self.assertEqual(os.listdir(place), [])
        self.assertEqual(self.found(values), set())


class Harness(Surface):
    """It must find what leaks."""

    def test_every_kind_is_found_in_every_form(self):
        for name, (kind, value) in canary.make(len(canary.KINDS), 47).items():
            if len(value) < canary.MIN_SEARCHED_BYTES:
                continue
            text = value.decode()
            forms = [value, value.hex().encode(), value.hex().upper().encode(), base64.b64encode(value),
                     base64.b64encode(b"a" + value + b"z"), base64.urlsafe_b64encode(b"ab" + value + b"z"),
                     "".join("%%%02x" % byte for byte in value).encode(), json.dumps(text).encode(),
                     json.dumps(json.dumps(text)).encode(), html.escape(text).encode(),
                     "".join("&#%d;" % ord(c) for c in text).encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]
            for number, form in enumerate(forms):
                self.assertIn(name, {n for n, _ in canary.hits(b"<<" + form + b">>", {name: value})}, (kind, number))
            self.assertEqual(canary.hits(b"nothing" * 100, {name: value}), set())

    def test_a_leak_on_every_surface_is_found(self):
        values = {"CANARY": b"kroPlanted-5Tz8Nw2q"}
        self.assertEqual(self.found(values), set())
        self.run_it("render", "--", "leaked " + values["CANARY"].decode(), codes=(0,))
        self.assertEqual({what for _, _, what in self.found(values)}, {"render --"})
        for name in ("vault/left-over", "events/log"):
            path = os.path.join(self.home.home, name)
            with open(path, "wb") as out:
                out.write(b"\0" * 5000 + values["CANARY"] + b"\0")
            self.assertIn(name, {what for _, _, what in self.found(values)})
            os.unlink(path)
        self.run_it("secret", "set", "OTHER", "--description", values["CANARY"].decode(), given=b"not the canary", codes=(0,))
        self.assertIn("vault/data.mdb", {what for _, _, what in self.found(values)})


if __name__ == "__main__":
    faults.main(sys.argv[2] if len(sys.argv) > 2 else None)
