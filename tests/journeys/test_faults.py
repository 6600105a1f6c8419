#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls of the system that fail inside a command, the n-th of each kind for all n: a full disk, a failing one,
interrupted and short writes, syncs and allocations that fail; and a clock that is ten years off.

usage: test_faults.py KROSYN LIBRARY [TEST]

After each command the home is opened without faults. Exit 0: the change is there. Anything else: the old
state or the new one, whole. No command crashes, none shows a value, and a request that went out has its
event. KROSYN_TEST_LONG: every allocation; else a sample of them.
"""
import concurrent.futures
import json
import os
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "cli")]
sys.dont_write_bytecode = True
import faults  # noqa: E402
from receiver import Receiver  # noqa: E402

KROSYN, LIBRARY = (os.path.abspath(path) for path in sys.argv[1:3])
FIRST = "kroFault-first-7Yt4Qm"
SECOND = "kroFault-second-2Lp8Vc"
VALUES = [FIRST, SECOND]
CALLS_MAX = 200  # of write, sync, truncate and seek together, far above what a command makes
SAMPLE = 24  # allocations, evenly over a command, and as many at its end
KINDS = {"write": ["ENOSPC", "EIO", "EINTR", "short"], "sync": ["EIO", "ENOSPC"], "truncate": ["ENOSPC", "EIO"],
         "seek": ["EIO"], "alloc": ["ENOMEM"]}
TEN_YEARS_S = 10 * 365 * 86400


class Operation:
    """A command, and how the states that it may leave are told apart."""

    def __init__(self, arguments, given, look, new):
        self.arguments, self.given, self.look, self.new = arguments, given, look, new


class FaultCase(unittest.TestCase):
    def setUp(self):
        self.folder = faults.new_folder("krosyn-faults-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.base = faults.Home(KROSYN, LIBRARY, os.path.join(self.folder, "base"))
        os.mkdir(self.base.folder)
        self.base.must("init")
        self.base.must("secret", "set", "KEY", given=FIRST.encode())
        self.base.must("secret", "set", "OTHER", given=b"another value, not touched")
        self.target = Receiver()
        self.addCleanup(self.target.close)

    def fail_one_named(self, operation, fault):
        try:
            return self.fail_one(operation, fault)
        except Exception as error:
            raise AssertionError("%s with %s" % (operation.arguments, fault)) from error

    def fail_one(self, operation, fault):
        """One run of the command with one fault; whether the call came. Asserts everything that must hold."""
        home = self.base.copy(tempfile.mkdtemp(dir=self.folder) + "/f")
        hit = os.path.join(home.folder, "hit")
        more = {"": fault, "HIT": hit}
        if not fault.startswith("alloc"):
            more["UNDER"] = home.home
        arguments = self.arguments(operation, home)
        done = home.run(*arguments, given=operation.given, faults=more)
        context = (operation.arguments, fault, done.code, done.err)
        self.assertIn(done.code, (0, 1, 3), context)
        self.assertEqual(faults.shown(done, VALUES), [], (operation.arguments, fault))
        state = operation.look(home)
        if done.code == 0:
            self.assertEqual(state, operation.new, context)
        else:
            self.assertIn(state, (self.old, operation.new), context)
            self.assertTrue(done.err or done.out, context)
        if "run" in operation.arguments:
            sent = [path for _, path, _, _ in self.target.requests if path == self.path(home)]
            self.assertLessEqual(len(sent), len(home.events()), context)
        self.assertEqual(home.secrets().get("OTHER"), 1, context)
        came = os.path.exists(hit)
        home.remove()
        return came

    @staticmethod
    def path(home):
        """Of the request that this home's connector sends."""
        return "/" + os.path.basename(os.path.dirname(home.folder))

    def arguments(self, operation, home):
        if "run" not in operation.arguments:
            return operation.arguments
        return [self.connector(home) if word == "C" else word for word in operation.arguments]

    def connector(self, home):
        path = os.path.join(home.folder, "c.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"name": "faults", "example_payload": {},
                       "perform": {"url": self.target.url + self.path(home), "headers": {"X-A": "Bearer $secret.KEY"}}}, out)
        return path

    def count(self, operation, calls):
        home = self.base.copy(os.path.join(self.folder, "count-" + calls))
        arguments = self.arguments(operation, home)
        counted = os.path.join(home.folder, "count")
        more = {"": calls + ":0:none", "COUNT": counted}
        if calls != "alloc":
            more["UNDER"] = home.home
        home.must(*arguments, given=operation.given, faults=more)
        with open(counted, encoding="ascii") as file:
            n_calls = int(file.read())
        home.remove()
        return n_calls

    def every(self, operation):
        self.old = operation.look(self.base.copy(os.path.join(self.folder, "old")))
        self.assertNotEqual(self.old, operation.new)
        wanted = []
        for calls, kinds in KINDS.items():
            n_calls = self.count(operation, calls)
            if calls != "alloc":
                self.assertLess(n_calls, CALLS_MAX)
                wanted += [f"{calls}:{n}{more}:{kind}" for kind in kinds for n in range(n_calls)
                           for more in (["", "+"] if kind not in ("EINTR",) else [""])]
                continue
            numbers = range(n_calls)
            if not faults.IS_LONG:
                numbers = sorted({n_calls * i // SAMPLE for i in range(SAMPLE)} | set(range(n_calls - SAMPLE, n_calls)))
            wanted += [f"alloc:{n}{more}:ENOMEM" for n in numbers for more in ["", "+"][:1 + (n % 8 == 0)]]
        self.assertGreater(len([w for w in wanted if w.startswith(("write", "sync"))]), 8)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            came = list(pool.map(lambda fault: self.fail_one_named(operation, fault), wanted))
        # Allocations differ a little from run to run; all other calls must have come.
        missed = [fault for fault, was in zip(wanted, came) if not was and not fault.startswith("alloc")]
        self.assertEqual(missed, [])
        self.assertGreater(sum(came), len(came) * 9 // 10)
        print("# %s: %d faults" % (" ".join(operation.arguments[:2]), len(wanted)), flush=True)


class Faults(FaultCase):
    @staticmethod
    def secret(home):
        opened = home.opened(VALUES)
        return home.secrets().get("KEY"), opened[FIRST], opened[SECOND]

    def test_secret_set(self):
        self.every(Operation(("secret", "set", "KEY"), SECOND.encode(), self.secret, (2, "KEY", "KEY")))

    def test_secret_set_new(self):
        def look(home):
            return home.secrets().get("NEW"), home.opened(VALUES)[SECOND]

        self.every(Operation(("secret", "set", "NEW"), SECOND.encode(), look, (1, "NEW")))

    def test_secret_delete(self):
        self.every(Operation(("secret", "delete", "KEY"), b"", self.secret, (None, None, None)))

    def test_org_create(self):
        def look(home):
            made = "acme" in home.orgs()
            return made and home.secrets("acme") == {}

        self.every(Operation(("org", "create", "acme"), b"", look, True))

    def test_run(self):
        """The event is the change; a request without one is never left."""
        self.every(Operation(("run", "C", "--allow-private"), b"", lambda home: home.events() == ["completed"], True))


class Clock(FaultCase):
    def test_ten_years_off(self):
        """Versions and events follow the order in which they came, not the clock, and nothing is lost."""
        home = self.base
        path = self.connector(home)
        ids = []
        for number, shift in enumerate([0, TEN_YEARS_S, -TEN_YEARS_S, 0, -TEN_YEARS_S, TEN_YEARS_S, 0]):
            value = "kroClock-%d-5Rt8Wq" % number
            clock = {"CLOCK": shift}
            made = json.loads(home.must("--json", "secret", "set", "CLOCKED", given=value.encode(), faults=clock).out)
            self.assertEqual(made["version"], number + 1)
            shown = json.loads(home.must("--json", "secret", "show", "CLOCKED").out)
            if shift:
                self.assertNotEqual(shown["updated"][:3], json.loads(
                    home.must("--json", "secret", "show", "KEY").out)["updated"][:3], "the clock was not shifted")
            event = json.loads(home.must("--json", "run", path, "--allow-private", faults=clock).out)
            ids.append(event["id"])
            for looked in ({"CLOCK": 0}, {"CLOCK": TEN_YEARS_S}, {"CLOCK": -TEN_YEARS_S}):
                listed = json.loads(home.must("--json", "events", "list", faults=looked).out)
                self.assertEqual([e["id"] for e in listed], ids[::-1])
                self.assertEqual({e["status"] for e in listed}, {"completed"})
                done = home.must("redact", "--marker-names", given=value.encode(), faults=looked)
                self.assertEqual(done.out, b"[REDACTED:CLOCKED]")
        self.assertEqual(home.secrets()["CLOCKED"], 7)


if __name__ == "__main__":
    faults.main(sys.argv[3] if len(sys.argv) > 3 else None)
