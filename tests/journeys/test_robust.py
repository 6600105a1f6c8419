#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command when things go wrong around it: killed in the middle of a run or of `init`, a disk that
takes no more, a secret that another process replaces meanwhile, a store that is cut or has a bit flipped.

usage: test_robust.py KROSYN
"""
import json
import os
import random
import resource
import shutil
import signal
import socket
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
CANARY = "kroCanary-robust-5Yw8"
TIME_LIMIT_S = 60


class SlowTarget:
    """Takes requests and answers when told to, so that a run can be caught waiting."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.came = threading.Semaphore(0)
        self.answer = threading.Event()
        self.bodies = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        with connection:
            while b"\r\n\r\n" not in data:
                got = connection.recv(65536)
                if not got:
                    return
                data += got
            self.bodies.append(data)
            self.came.release()
            self.answer.wait(TIME_LIMIT_S)
            echo = data + b" " + getattr(self, "more", b"")
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                                   % len(echo) + echo)
            except OSError:
                pass

    def close(self):
        self.answer.set()
        self.server.close()


class RobustCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="krosyn-robust-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.home = os.path.join(self.dir, "home")
        self.key = os.path.join(self.dir, "keys", "k")
        self.must("init")
        self.must("secret", "set", "KEY", stdin=CANARY)
        self.target = SlowTarget()
        self.addCleanup(self.target.close)
        self.connector = self.write_connector("slow run")

    def write_connector(self, name):
        path = os.path.join(self.dir, "c.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"name": name, "example_payload": {},
                       "perform": {"url": "http://127.0.0.1:%d/x" % self.target.port,
                                   "headers": {"X-A": "Bearer $secret.KEY"}}}, out)
        return path

    def command(self, *args):
        return [KROSYN, "--home", self.home, "--key", self.key, *args]

    def run_it(self, *args, stdin="", **popen):
        return subprocess.run(self.command(*args), input=stdin, text=True, capture_output=True,
                              timeout=TIME_LIMIT_S, **popen)

    def must(self, *args, **more):
        done = self.run_it(*args, **more)
        self.assertEqual(done.returncode, 0, "%s: %s" % (args, done.stderr))
        return done.stdout

    def events(self, org="default"):
        return json.loads(self.must("--org", org, "--json", "events", "list"))

    def start_run(self, *more, **popen):
        run = subprocess.Popen(self.command(*more, "--json", "run", self.connector, "--allow-private"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)
        self.addCleanup(self._end, run)
        self.assertTrue(self.target.came.acquire(timeout=TIME_LIMIT_S), "no request came")
        return run

    @staticmethod
    def _end(run):
        if run.poll() is None:
            run.kill()
        run.wait()
        for stream in (run.stdout, run.stderr):
            stream.close()


class Killed(RobustCase):
    def test_a_killed_run_is_interrupted_once_and_a_live_one_is_left_alone(self):
        killed = self.start_run()
        live = self.start_run()
        self.assertEqual(self.events(), [])
        killed.kill()
        killed.wait()
        for _ in range(3):
            (event,) = self.events()
        shown = json.loads(self.must("--json", "events", "show", event["id"]))
        self.assertEqual(shown["status"], "interrupted")
        self.assertEqual(shown["organization"], "default")
        self.assertEqual(shown["connector"], "slow run")
        self.assertEqual(shown["error"]["code"], "interrupted")
        self.target.answer.set()
        out, _ = live.communicate(timeout=TIME_LIMIT_S)
        self.assertEqual(live.returncode, 0)
        self.assertEqual(json.loads(out)["status"], "completed")
        self.assertEqual(sorted(e["status"] for e in self.events()), ["completed", "interrupted"])

    def test_the_event_is_listed_under_its_organization(self):
        self.must("org", "create", "acme")
        self.must("--org", "acme", "secret", "set", "KEY", stdin=CANARY + "-acme")
        killed = self.start_run("--org", "acme")
        killed.kill()
        killed.wait()
        self.assertEqual(self.events(), [])
        (event,) = self.events("acme")
        self.assertEqual(event["status"], "interrupted")
        shown = json.loads(self.must("--org", "acme", "--json", "events", "show", event["id"]))
        self.assertEqual(shown["organization"], "acme")

    def test_several_processes_settle_at_once(self):
        runs = [self.start_run() for _ in range(5)]
        for run in runs:
            run.kill()
            run.wait()
        lists = [subprocess.Popen(self.command("--json", "events", "list"), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) for _ in range(6)]
        for process in lists:
            _, err = process.communicate(timeout=TIME_LIMIT_S)
            self.assertEqual(process.returncode, 0, err)
        events = self.events()
        self.assertEqual([e["status"] for e in events], ["interrupted"] * 5)
        self.assertEqual(len({e["id"] for e in events}), 5)

    def test_init_killed_at_any_time(self):
        """Afterwards there is a whole home, or none, or remains that init names; never half of one."""
        chance = random.Random(7)
        seen = set()
        for number in range(25):
            self.home = os.path.join(self.dir, "home-%d" % number)
            self.key = os.path.join(self.dir, "keys", "k-%d" % number)
            init = subprocess.Popen(self.command("init"), stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, 0.06))
            init.kill()
            init.wait()
            if os.path.exists(os.path.join(self.home, "settings.json")):
                self.must("secret", "set", "KEY", stdin=CANARY)
                seen.add("whole")
                continue
            self.key += "-again"
            again = self.run_it("init")
            seen.add("none" if again.returncode == 0 else "remains")
            if again.returncode != 0:
                self.assertRegex(again.stderr, "interrupted init|not empty")
                shutil.rmtree(self.home)
                self.must("init")
        self.assertTrue(seen)


class Disk(RobustCase):
    def log_size(self):
        return os.path.getsize(os.path.join(self.home, "events", "data.mdb"))

    def test_sent_but_not_logged(self):
        """The limit falls between intent and event: the file may not grow any more."""
        with open(self.connector, encoding="utf-8") as file:
            connector = json.load(file)
        connector["example_payload"] = {"a": "x" * 60000}
        with open(self.connector, "w", encoding="utf-8") as out:
            json.dump(connector, out)
        run = self.start_run()
        size = self.log_size()
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (size, size))
        self.target.answer.set()
        out, err = run.communicate(timeout=TIME_LIMIT_S)
        self.assertEqual(run.returncode, 1, err)
        self.assertIn("sent, not logged", err)
        self.assertNotIn("completed", out)
        self.assertNotIn(CANARY, out + err)
        (event,) = self.events()
        self.assertEqual(event["status"], "interrupted")

    def test_a_full_disk_keeps_no_home_shut(self):
        run = self.start_run()
        run.kill()
        run.wait()
        done = self.run_it("--json", "secret", "list",
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([e["status"] for e in self.events()], ["interrupted"])


class Meanwhile(RobustCase):
    def test_a_secret_replaced_during_a_run(self):
        """The run keeps the version it began with; what was saved meanwhile is redacted too."""
        run = self.start_run()
        later = "anotherCanary-2Zx9"
        self.must("secret", "set", "KEY", stdin=later)
        self.target.more = later.encode()
        self.target.answer.set()
        out, err = run.communicate(timeout=TIME_LIMIT_S)
        self.assertEqual(run.returncode, 0, err)
        event = json.loads(out)
        self.assertIn(b"Bearer " + CANARY.encode(), self.target.bodies[0])
        self.assertNotIn(CANARY, out)
        self.assertNotIn(later, out)
        self.assertEqual({s["version"] for s in event["receipt"]["secrets"]}, {1, 2})

    def test_a_secret_deleted_during_a_run(self):
        run = self.start_run()
        self.must("secret", "delete", "KEY")
        self.target.answer.set()
        out, err = run.communicate(timeout=TIME_LIMIT_S)
        self.assertEqual(run.returncode, 0, err)
        self.assertNotIn(CANARY, out)
        self.assertIn("[REDACTED]", out)
        self.assertNotEqual(self.run_it("run", self.connector, "--allow-private").returncode, 0)


class Damaged(RobustCase):
    COMMANDS = {"vault": ("secret", "list"), "events": ("events", "list")}
    WORDS = {"vault": b"NUMBER_", "events": b"slow run"}  # in what the commands print

    def setUp(self):
        super().setUp()
        self.target.answer.set()
        for number in range(6):
            self.must("secret", "set", "NUMBER_%d" % number, stdin="value-of-number-%d" % number)
        self.must("run", self.connector, "--allow-private")
        self.whole = self.dir + "/whole"
        shutil.copytree(self.home, self.whole)

    def with_bytes(self, store, data):
        shutil.rmtree(self.home)
        shutil.copytree(self.whole, self.home)
        os.unlink(os.path.join(self.home, store, "lock.mdb"))
        with open(os.path.join(self.home, store, "data.mdb"), "wb") as out:
            out.write(data)

    def bytes_of(self, store):
        with open(os.path.join(self.whole, store, "data.mdb"), "rb") as file:
            return file.read()

    def test_cut_at_every_page(self):
        for store, command in self.COMMANDS.items():
            data = self.bytes_of(store)
            whole = self.must(*command)
            for size in range(0, len(data), 4096):
                self.with_bytes(store, data[:size])
                done = self.run_it(*command)
                if size > 3 * 4096 and done.returncode == 0:
                    self.assertEqual(done.stdout, whole)  # pages at the end that nothing uses
                    continue
                self.assertEqual(done.returncode, 3, "%s cut at %d: %s" % (store, size, done.stderr))
                self.assertRegex(done.stderr, "store|vault|event log")
                self.assertNotIn(CANARY, done.stdout + done.stderr)
            self.with_bytes(store, data)  # whole again for the next store's command

    def test_flipped_bits_never_give_wrong_data(self):
        chance = random.Random(11)
        for store, command in self.COMMANDS.items():
            data = self.bytes_of(store)
            with_all = self.must("--json", *command)
            n_signals = 0
            places = [chance.randrange(len(data) * 8) for _ in range(25)]
            word = self.WORDS[store]
            at = [i for i in range(len(data)) if data.startswith(word, i)]
            self.assertTrue(at)
            places += [8 * (i + chance.randrange(len(word))) for i in chance.choices(at, k=25)]
            for place in places:
                flipped = bytearray(data)
                flipped[place // 8] ^= 1 << (place % 8)
                self.with_bytes(store, flipped)
                done = self.run_it("--json", *command)
                n_signals += done.returncode < 0
                if done.returncode == 0:
                    self.assertEqual(done.stdout, with_all, "%s, bit %d" % (store, place))
                elif done.returncode > 0:
                    self.assertEqual(done.returncode, 3, "%s, bit %d: %s" % (store, place, done.stderr))
            self.assertLessEqual(n_signals, 1, store)


if __name__ == "__main__":
    faults.main(sys.argv[2] if len(sys.argv) > 2 else None)
