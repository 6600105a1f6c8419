#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys that change while everything goes on: `key rotate`, `key rekey` and `org delete` killed at any
instant, with other processes that save secrets and redact. KROSYN_TEST_LONG: more kills.

usage: test_keys.py KROSYN
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.dont_write_bytecode = True
import faults  # noqa: E402

KROSYN = os.path.abspath(sys.argv[1])
TIME_LIMIT_S = 60
IS_LONG = "KROSYN_TEST_LONG" in os.environ
N_KILLS = 400 if IS_LONG else 25
N_SECRETS = 12
N_VERSIONS = 4


class KeysCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="krosyn-keys-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.random = random.Random(20)
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith(("KROSYN_", "XDG_"))},
                    "HOME": self.dir}
        self.must("init")

    def start(self, *args, **popen):
        return subprocess.Popen([KROSYN, *args], env=self.env, stdin=popen.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)

    def run_it(self, *args, stdin=b""):
        return subprocess.run([KROSYN, *args], env=self.env, input=stdin, capture_output=True,
                              timeout=TIME_LIMIT_S, check=False)

    def must(self, *args, stdin=b""):
        done = self.run_it(*args, stdin=stdin)
        self.assertEqual(done.returncode, 0, "%s: %r" % (args, done.stderr))
        return done.stdout

    def save(self, name, value, *options):
        return json.loads(self.must("secret", "set", name, "--json", *options, stdin=value.encode()))["version"]

    def fill(self, *options):
        """Values by name, oldest first."""
        values = {}
        for i in range(N_SECRETS):
            name = "KEY_%d" % i
            values[name] = ["kroValue-%d-%d-q7" % (i, version) for version in range(N_VERSIONS)]
            for value in values[name]:
                self.save(name, value, *options)
        return values

    def all_open(self, values, *options):
        """Each kept version is removed from a text, so each was opened, and to what it was."""
        known = [value for versions in values.values() for value in versions[-10:]]
        text = "\n".join("<%s>" % value for value in known).encode()
        out = self.must("redact", *options, stdin=text)
        self.assertEqual(out, b"\n".join([b"<[REDACTED]>"] * len(known)))
        for secret in json.loads(self.must("secret", "list", "--json", *options)):
            self.assertEqual(secret["version"], len(values[secret["name"]]))

    def kill_at_random(self, *args):
        """One run of a command, killed somewhere; whether it had ended before."""
        began = time.monotonic()
        process = self.start(*args)
        try:
            process.communicate(timeout=self.random.random() * self.usual_s * 1.2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return False
        self.assertEqual(process.returncode, 0)
        self.usual_s = 0.5 * self.usual_s + 0.5 * (time.monotonic() - began)
        return True

    def measure(self, *args):
        began = time.monotonic()
        self.must(*args)
        self.usual_s = time.monotonic() - began


class Killed(KeysCase):
    def test_rotate(self):
        values = self.fill()
        self.measure("key", "rotate")
        n_ended = sum(self.kill_at_random("key", "rotate") for _ in range(N_KILLS))
        self.assertLess(n_ended, N_KILLS)
        self.all_open(values)
        self.must("key", "rotate")
        self.all_open(values)

    def test_rekey(self):
        values = self.fill()
        self.measure("key", "rekey")
        folder = self.dir + "/.config/krosyn/keys/"
        (name,) = [n for n in os.listdir(folder) if n.endswith(".key")]
        for i in range(N_KILLS):
            self.kill_at_random("key", "rekey")
            with open(folder + name, encoding="ascii") as file:
                ids = [line.split()[0] for line in file if not line.startswith("#")]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual(os.stat(folder + name).st_mode & 0o7777, 0o600)
            if i % 5 == 0:
                self.all_open(values)
            for old in ids[1:]:  # the one that the vault needs is refused
                self.run_it("key", "forget", old)
        self.must("key", "rekey")
        self.assertEqual(os.listdir(folder), [name])
        self.all_open(values)

    def test_delete(self):
        values = self.fill()
        for i in range(max(4, N_KILLS // 5)):
            self.must("org", "create", "acme")
            self.save("ACME_KEY", "kroAcme-%d-q7" % i, "--org", "acme")
            if i == 0:
                self.measure("org", "delete", "acme", "--yes")
                continue
            self.kill_at_random("org", "delete", "acme", "--yes")
            names = [org["name"] for org in json.loads(self.must("org", "list", "--json"))]
            if "acme" in names:
                self.all_open({"ACME_KEY": ["kroAcme-%d-q7" % i]}, "--org", "acme")
                self.must("org", "delete", "acme", "--yes")
        self.all_open(values)


class Meanwhile(KeysCase):
    def test_others_write_while_rotations_are_killed(self):
        values = self.fill()
        stop = threading.Event()
        failures = []

        def write():
            i = 0
            while not stop.is_set():
                name = "KEY_%d" % (i % N_SECRETS)
                value = "kroMore-%d-q7" % i
                done = self.run_it("secret", "set", name, "--json", stdin=value.encode())
                if done.returncode != 0:
                    failures.append(done.stderr)
                    return
                values[name].append(value)
                if json.loads(done.stdout)["version"] != len(values[name]):
                    failures.append("%s: a version was lost" % name)
                    return
                i += 1

        self.measure("key", "rotate")
        thread = threading.Thread(target=write)
        thread.start()
        for _ in range(N_KILLS):
            self.kill_at_random("key", "rotate")
        stop.set()
        thread.join()
        self.assertEqual(failures, [])
        self.all_open(values)
        self.must("key", "rotate")
        self.all_open(values)

    def test_a_process_that_has_the_home_open_goes_on(self):
        self.save("KEY", "kroFirst-q7")
        redact = self.start("redact", stdin=subprocess.PIPE)
        self.addCleanup(redact.kill)

        def through(text, expected):
            redact.stdin.write(text + b"\n")
            redact.stdin.flush()
            self.assertEqual(redact.stdout.readline(), expected + b"\n")

        through(b"<kroFirst-q7>", b"<[REDACTED]>")
        (old,) = [line.split()[0] for line in self.key_lines()]
        self.must("key", "rekey")
        self.must("key", "forget", old)
        through(b"<kroFirst-q7>", b"<[REDACTED]>")
        self.must("key", "rotate")
        self.save("KEY", "kroSecond-q7")
        through(b"<kroFirst-q7><kroSecond-q7>", b"<[REDACTED]><[REDACTED]>")
        redact.stdin.close()
        self.assertEqual(redact.wait(TIME_LIMIT_S), 0)
        redact.stdout.close()
        redact.stderr.close()

    def test_what_redacts_for_a_deleted_organization_ends_with_an_error(self):
        self.must("org", "create", "acme")
        self.save("KEY", "kroAcme-q7", "--org", "acme")
        redact = self.start("redact", "--org", "acme", stdin=subprocess.PIPE)
        redact.stdin.write(b"<kroAcme-q7>\n")
        redact.stdin.flush()
        self.assertEqual(redact.stdout.readline(), b"<[REDACTED]>\n")
        self.must("org", "delete", "acme", "--yes")
        self.must("org", "create", "acme")
        out, err = redact.communicate(b"<kroAcme-q7>\n", timeout=TIME_LIMIT_S)
        self.assertNotIn(b"kroAcme", out)
        self.assertEqual(redact.returncode, 1, err)
        self.assertIn(b"no organization acme", err)

    def key_lines(self):
        folder = self.dir + "/.config/krosyn/keys/"
        (name,) = os.listdir(folder)
        with open(folder + name, encoding="ascii") as file:
            return [line for line in file if not line.startswith("#")]


if __name__ == "__main__":
    faults.main(sys.argv[2] if len(sys.argv) > 2 else None)
