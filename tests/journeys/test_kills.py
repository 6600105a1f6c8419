#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several processes write to one home and read from it, and are killed at any time (kill -9). No acknowledged
change is lost, none is half there, readers never fail, and dead readers do not let the file grow.

usage: test_kills.py KROSYN [TEST]

KROSYN_TEST_LONG: 2 000 kills instead of 300.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.dont_write_bytecode = True
import faults  # noqa: E402

KROSYN = os.path.abspath(sys.argv[1])
N_KILLS = 2000 if faults.IS_LONG else 300
N_OPENED = 1000 if faults.IS_LONG else 150  # killed as they open
N_WRITERS, N_READERS = 3, 2
KEPT_VERSIONS = 10
GROWTH_MAX = 4  # times what the same changes take without a kill


def value(writer, number):
    return "kroKill-%d-%05d-8Nv3Xs" % (writer, number)


class Kills(unittest.TestCase):
    def setUp(self):
        self.folder = faults.new_folder("krosyn-kills-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.home = faults.Home(KROSYN, None, self.folder)
        self.home.must("init")
        for writer in range(N_WRITERS):
            self.home.must("secret", "set", "W_%d" % writer, given=value(writer, 0).encode())
        self.faults, self.n_killed, self.lock = [], 0, threading.Lock()
        started = time.monotonic()
        for _ in range(5):
            self.home.secrets()
        self.usual_s = (time.monotonic() - started) / 5

    def run_or_kill(self, chance, arguments, given=b"", is_killed=True):
        """The command's Done; its code is -9 when the kill came in time."""
        process = subprocess.Popen(self.home.command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.home.environment())
        if is_killed:
            timer = threading.Timer(chance.uniform(0, 2.5 * self.usual_s), process.kill)
            timer.start()
        out, err = process.communicate(given, timeout=faults.TIME_LIMIT_S)
        if is_killed:
            timer.cancel()
        with self.lock:
            self.n_killed += process.returncode == -9
        if process.returncode not in (0, -9):
            self.faults.append((arguments, process.returncode, err))
        return faults.Done(process.returncode, out, err)

    def is_going_on(self):
        return self.n_killed < N_KILLS and not self.faults

    def write(self, writer, told):
        """Replace one secret again and again; told: [(version or None, number)] in order."""
        chance, number = random.Random(writer), 0
        while self.is_going_on():
            number += 1
            done = self.run_or_kill(chance, ["--json", "secret", "set", "W_%d" % writer],
                                    value(writer, number).encode(), chance.random() < 0.8)
            told.append((json.loads(done.out)["version"] if done.code == 0 else None, number))

    def read(self, reader):
        chance = random.Random(100 + reader)
        text = "\n".join(value(writer, 0) for writer in range(N_WRITERS)).encode()
        while self.is_going_on():
            is_killed = chance.random() < 0.5
            arguments = chance.choice([["--json", "secret", "list"], ["redact"], ["--json", "events", "list"]])
            done = self.run_or_kill(chance, arguments, text if arguments == ["redact"] else b"", is_killed)
            if done.code == 0 and arguments[-2:] == ["secret", "list"] and len(json.loads(done.out)) != N_WRITERS:
                self.faults.append((arguments, "a secret is missing"))

    def test_no_acknowledged_change_is_lost(self):
        told = [[] for _ in range(N_WRITERS)]
        threads = [threading.Thread(target=self.write, args=(i, told[i])) for i in range(N_WRITERS)]
        threads += [threading.Thread(target=self.read, args=(i,)) for i in range(N_READERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertFalse(self.faults, str(self.faults))
        self.assertGreaterEqual(self.n_killed, N_KILLS)
        now = self.home.secrets()
        n_done = 0
        for writer, attempts in enumerate(told):
            name, version, since = "W_%d" % writer, 1, 0
            for told_version, number in attempts:
                if told_version is None:
                    since += 1
                    continue
                # Each attempt before it is one version more, or none.
                self.assertIn(told_version, range(version + 1, version + since + 2), (name, attempts))
                version, since = told_version, 0
                n_done += 1
            self.assertIn(now[name], range(version, version + since + 1), name)
            # The newest acknowledged value still opens: it, or one of those tried after it, is the secret.
            last = max((n for v, n in attempts if v is not None), default=0)
            tried = [value(writer, n) for n in range(last, attempts[-1][1] + 1)][:KEPT_VERSIONS]
            self.assertIn(name, self.home.opened(tried).values(), name)
        self.assertGreater(n_done, 20)
        self.home.must("--json", "events", "list")
        print("# %d killed, %d changes acknowledged" % (self.n_killed, n_done), flush=True)

    def test_killed_while_it_opens_and_another_waits(self):
        """The first process to open a store makes its locks; killed there, it leaves them half made to those that wait."""
        chance = random.Random(9)
        for number in range(N_OPENED):
            first = subprocess.Popen(self.home.command("secret", "list"), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, env=self.home.environment())
            others = [subprocess.Popen(self.home.command("--json", "secret", "set", "W_%d" % i), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.home.environment())
                      for i in range(N_WRITERS)]
            time.sleep(chance.uniform(0, 1.5 * self.usual_s))
            first.kill()
            for i, other in enumerate(others):
                out, err = other.communicate(value(i, number).encode(), timeout=faults.TIME_LIMIT_S)
                self.assertEqual(other.returncode, 0, err)
                self.assertEqual(json.loads(out)["version"], number + 2)
            first.wait()

    def test_dead_readers_do_not_let_the_file_grow(self):
        """Readers killed while writers go on: the pages that they held come back."""
        chance = random.Random(5)
        path = os.path.join(self.home.home, "vault", "data.mdb")
        sizes = []
        for is_killing in (False, True):
            for number in range(40):
                if is_killing:
                    self.run_or_kill(chance, ["redact"], b"x" * 100)
                self.home.must("secret", "set", "W_0", given=value(0, number).encode())
            sizes.append(os.path.getsize(path))
        self.assertFalse(self.faults, str(self.faults))
        self.assertLessEqual(sizes[1], GROWTH_MAX * sizes[0])


if __name__ == "__main__":
    faults.main(sys.argv[2] if len(sys.argv) > 2 else None)
