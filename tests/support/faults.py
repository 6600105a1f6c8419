# SPDX-License-Identifier: Apache-2.0
"""faults.py - homes whose commands meet faults (fault_preload.c), and what such a home holds afterwards.

A Home is a folder with home and key; `state` is what the commands tell of it, values included: which value
each name opens to is seen by having `redact` name it. Nothing here ever prints a value.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from search_home import find  # noqa: E402

TIME_LIMIT_S = 60
IS_LONG = bool(os.environ.get("KROSYN_TEST_LONG"))


def new_folder(prefix):
    """Where a sync costs nothing, if there is such a place."""
    return tempfile.mkdtemp(prefix=prefix, dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Home:
    def __init__(self, krosyn, preload, folder):
        self.krosyn, self.preload, self.folder = krosyn, preload, folder
        self.home = os.path.join(folder, "home")
        self.key = os.path.join(folder, "keys", "k")

    def copy(self, folder):
        shutil.copytree(self.folder, folder)
        return Home(self.krosyn, self.preload, folder)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments):
        return [self.krosyn, "--home", self.home, "--key", self.key, *arguments]

    def environment(self, **faults):
        kept = ("PATH", "LANG", "LC_ALL")
        made = {k: v for k, v in os.environ.items() if k in kept}
        made.update(HOME=self.folder, NO_COLOR="1")
        if faults:
            made.update({f"KROSYN_FAULT_{k}" if k else "KROSYN_FAULT": str(v) for k, v in faults.items()})
            made["LD_PRELOAD"] = self.preload
        return made

    def run(self, *arguments, given=b"", faults=None):
        done = subprocess.run(self.command(*arguments), input=given, capture_output=True,
                              env=self.environment(**(faults or {})), timeout=TIME_LIMIT_S, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments, **more):
        done = self.run(*arguments, **more)
        assert done.code == 0, (arguments, done.code, done.err)
        return done

    def listed(self, *arguments):
        return json.loads(self.must("--json", *arguments).out)

    def orgs(self):
        return sorted(org["name"] for org in self.listed("org", "list"))

    def secrets(self, org="default"):
        """{name: newest version}"""
        return {s["name"]: s["version"] for s in self.listed("--org", org, "secret", "list")}

    def events(self, org="default"):
        """Statuses, newest first."""
        return [e["status"] for e in self.listed("--org", org, "events", "list")]

    def opened(self, values, org="default"):
        """{value: the name that it is the value of, or None}, for values of printable text."""
        text = "\n".join(values)
        lines = self.must("--org", org, "redact", "--marker-names", given=text.encode()).out.decode().split("\n")
        assert len(lines) == len(values), "redact lost lines"
        return {value: None if value == line else line[len("[REDACTED:"):-1] for value, line in zip(values, lines)}


def shown(done, values):
    """(value's number, form) of every value in what a command printed."""
    numbered = {str(i): v if isinstance(v, bytes) else v.encode() for i, v in enumerate(values)}
    return list(find(done.out + b"\n" + done.err, numbered))


def read_record(path):
    """The calls that KROSYN_FAULT_RECORD kept: (letter, file, offset, bytes)."""
    head = struct.Struct("=cHqI")
    with open(path, "rb") as file:
        data = file.read()
    at, calls = 0, []
    while at < len(data):
        if data[at:at + 1] not in b"wdst":
            raise ValueError("not a record")
        letter, path_len = data[at:at + 1], struct.unpack_from("=H", data, at + 1)[0]
        offset, size = struct.unpack_from("=qI", data, at + 3)
        at += head.size
        name = data[at:at + path_len].decode()
        calls.append((letter.decode(), name, offset, data[at + path_len:at + path_len + size]))
        at += path_len + size
    return calls


class Reporter(unittest.TextTestResult):
    """TAP, so that every test is counted."""

    number = 0

    def _line(self, test, is_good):
        Reporter.number += 1
        print("%s %d - %s" % ("ok" if is_good else "not ok", Reporter.number, test.id().split(".", 1)[1]), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line(test, False)

    def addError(self, test, err):
        super().addError(test, err)
        self._line(test, False)


def main(only=None):
    module = sys.modules["__main__"]
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromName(only, module) if only else loader.loadTestsFromModule(module)
    print("1..%d" % suite.countTestCases(), flush=True)
    outcome = unittest.TextTestRunner(stream=sys.stderr, verbosity=0, resultclass=Reporter).run(suite)
    sys.exit(0 if outcome.wasSuccessful() else 1)
