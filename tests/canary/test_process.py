#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands while they live: arguments, environment, limits, dumps; and what they wrote and removed again. See README.md.

usage: test_process.py KROSYN EMBEDDER PRELOAD [TEST]
"""
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
sys.dont_write_bytecode = True
import canary
import drive_home
import faults
from listeners import Listener
from surface import KROSYN, Surface


NOBODY = 65534


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def is_for_nobody():
    try:
        return os.geteuid() == 0 and subprocess.run([KROSYN, "--version"], preexec_fn=become_nobody, capture_output=True,
                                                    check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


class Process(unittest.TestCase):
    def setUp(self):
        self.surface = Surface()
        self.addCleanup(self.surface.close)
        self.values = {name: value for name, (_, value) in canary.make(len(canary.KINDS), 43).items()}
        for name, value in self.values.items():
            self.surface.must("secret", "set", name, given=value)
        with open(self.surface.home.key, encoding="ascii") as file:
            (self.key_line,) = [line for line in file.read().split("\n") if line and not line.startswith("#")]

    def start(self, *arguments, **environment):
        """With the core dumps allowed that the system allows, and the key in the environment. Not as root, to whom
        everything in /proc belongs anyway, where somebody else may run the command too."""
        def prepare():
            resource.setrlimit(resource.RLIMIT_CORE, limit)
            drop()

        drop = become_nobody if is_for_nobody() else (lambda: None)
        if is_for_nobody():
            subprocess.run(["chown", "-R", str(NOBODY), self.surface.folder], check=True)
        limit = (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2
        krosyn = [self.surface.home.krosyn, "--home", self.surface.home.home, *arguments]
        live = subprocess.Popen(krosyn, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                cwd=self.surface.path("work"), env=self.surface.environment(KROSYN_KEY=self.key_line, **environment),
                                preexec_fn=prepare)
        self.addCleanup(self.end, live)
        return live

    @staticmethod
    def end(live):
        if live.returncode is None:
            live.kill()
            live.wait()
        for stream in (live.stdin, live.stdout, live.stderr):
            stream.close()

    def look_at(self, live):
        """What everybody, or root, can see of it in /proc, its memory excepted."""
        for name in ("cmdline", "environ", "comm", "stat", "status", "limits", "maps"):
            try:
                with open(f"/proc/{live.pid}/{name}", "rb") as file:
                    self.surface.keep(name, file.read())
            except PermissionError:
                pass
        self.assertEqual(os.stat(f"/proc/{live.pid}/mem").st_uid, 0, "a process that is not dumpable belongs to root in /proc")
        with open(f"/proc/{live.pid}/limits", encoding="ascii") as file:
            (core,) = [line for line in file if line.startswith("Max core file size")]
        self.assertEqual(core.split()[4:6], ["0", "0"])

    def crash(self, live):
        """It must leave nothing; what it printed until then is searched."""
        live.send_signal(signal.SIGSEGV)
        out, err = live.communicate(timeout=faults.TIME_LIMIT_S)
        self.surface.keep("what crashed", out + err)
        self.assertEqual(live.returncode, -signal.SIGSEGV)
        self.assertEqual(os.listdir(self.surface.path("work")), [])
        self.assertEqual(self.surface.found({**self.values, "passphrase": drive_home.PASSPHRASE}), set())

    def test_redact_with_every_value_open(self):
        live = self.start("redact")
        live.stdin.write(b"x " + self.values["CANARY_0"] + b"\n" + b"y" * 20000 + b"\n")
        live.stdin.flush()
        self.assertTrue(os.read(live.stdout.fileno(), 20).startswith(b"x [REDACTED]"))
        self.look_at(live)
        self.crash(live)

    def test_run_while_the_request_is_under_way(self):
        arrived = threading.Event()

        class Slow(Listener):
            def _read(self, connection):
                connection.settimeout(faults.TIME_LIMIT_S)
                while data := connection.recv(65536):
                    self.received[-1] += data
                    if b"canary" in self.received[-1]:
                        arrived.set()

        slow = Slow("127.0.0.1")
        self.addCleanup(slow.close)
        document = {"name": "slow", "example_payload": {}, "perform": {
            "url": f"http://{slow.address}/canary", "headers": {"K": "hexEncode($secret.CANARY_0)"}, "body": "$secret.CANARY_1"}}
        live = self.start("run", self.surface.write("slow.json", json.dumps(document)), "--allow-private")
        self.assertTrue(arrived.wait(faults.TIME_LIMIT_S), "no request came")
        self.look_at(live)
        self.crash(live)
        self.assertIn(self.values["CANARY_0"].hex().encode(), slow.received[0].lower(), "the request did not carry the value")

    def test_secret_set_while_it_waits_for_the_end_of_the_value(self):
        live = self.start("secret", "set", "ANOTHER")
        live.stdin.write(self.values["CANARY_3"])
        live.stdin.flush()
        with self.assertRaises(subprocess.TimeoutExpired):  # until it has read it; the home is opened first
            live.wait(0.5)
        self.look_at(live)
        self.crash(live)


class Written(unittest.TestCase):
    """All bytes that went to any file, also to those that are gone: fault_preload.c keeps them."""

    def setUp(self):
        self.surface = Surface()
        self.addCleanup(self.surface.close)

    def record(self):
        folder = faults.new_folder("krosyn-record-")
        self.addCleanup(faults.shutil.rmtree, folder, True)
        return os.path.join(folder, "record")

    def with_record(self, path, *arguments, given=b"", codes=(0,)):
        environment = {**self.surface.environment(), "LD_PRELOAD": self.surface.home.preload, "KROSYN_FAULT": "write:0:none",
                       "KROSYN_FAULT_UNDER": self.surface.folder, "KROSYN_FAULT_RECORD": path}
        self.surface.run_it(*arguments, given=given, codes=codes, env=environment)

    def keep_all(self, path):
        """What was written, file by file, since a value may come in two writes."""
        written = {}
        for letter, name, _, data in faults.read_record(path):
            if letter in "wd":
                written.setdefault(name, []).append(data)
        for name, data in written.items():
            self.surface.keep("written to " + os.path.relpath(name, self.surface.folder), b"".join(data))
        return set(written)

    def test_nothing_on_the_way(self):
        values = {name: value for name, (_, value) in canary.make(len(canary.KINDS), 44).items()}
        path = self.record()
        log = self.surface.path("work", "log")
        document = {"name": "w", "example_payload": {}, "perform": {"url": self.surface.target.url + "/x"}}
        for name, value in values.items():
            self.with_record(path, "secret", "set", name, given=value)
            document["perform"]["body"] = f"$secret.{name}"
            self.with_record(path, "run", self.surface.write("w.json", json.dumps(document)), "--allow-private", codes=(0, 1))
            with open(log, "wb") as out:
                out.write(b"x " + value * (len(value) >= 4) + b" y")
            self.with_record(path, "redact", "--in-place", log)
        for arguments in (("key", "rotate"), ("backup", self.surface.path("backup")), ("verify", "--salvage", self.surface.path("s")),
                          ("secret", "delete", "CANARY_0"), ("purge",)):
            self.with_record(path, *arguments)
        names = self.keep_all(path)
        self.assertGreater(len(names), 6)
        self.assertTrue(any("work/.krosyn-" in name for name in names), "a draft of redact --in-place is gone and was kept")
        self.assertEqual(self.surface.found(values), set())

    def test_a_leak_into_a_file_that_is_removed_is_found(self):
        path = self.record()
        log = self.surface.path("work", "log")
        with open(log, "wb") as out:
            out.write(b"sesame kroPlanted-5Tz8Nw2q")
        self.with_record(path, "redact", "--values", self.surface.write("v", '["sesame"]'), "--in-place", log)
        os.unlink(log)
        self.keep_all(path)
        found = self.surface.found({"PLANTED": b"kroPlanted-5Tz8Nw2q"})
        self.assertEqual({where[:24] for _, _, where in found}, {"written to work/.krosyn-"})


if __name__ == "__main__":
    faults.main(sys.argv[4] if len(sys.argv) > 4 else None)
