# SPDX-License-Identifier: Apache-2.0
"""harness.py - a home to test the command in, and runs of the command.

Every byte that any run prints is kept, and searched for the canaries (the
values that were saved) when the tests are over: no test has to think of it.
"""
import base64
import hashlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

KROSYN = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "krosyn"
TIME_LIMIT_S = 60

# Values that must never be seen. The second holds what encodings change.
CANARY = "kroCanary-7f3Zq9Lm2xW8"
CANARY_ODD = 'odd "canary"/+%&\\ \u00e9 7Qp'
CANARY_TYPED = "typedCanary-5Hh1Vv"
CANARIES = [CANARY, CANARY_ODD, CANARY_TYPED]
# Those of the files that are imported.
SHOP_CANARIES = ["shopCanary-two-44", "shopCanary-three-55", "shopCanary-four-66", "shopCanary-five-77",
                 "shopCanary-six-88", "shopCanary-seven-99", "shopCanary-eight-11"]
CANARIES += SHOP_CANARIES

everything_printed = []


def encodings(value):
    """A value as it is, and the ways in which it would still be a leak."""
    raw = value.encode()
    inside = base64.b64encode(b"xx" + raw)[4:-4]
    return {
        "plain": raw,
        "base64": base64.b64encode(raw).rstrip(b"="),
        "base64 inside": inside,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": urllib.parse.quote(value, safe="").encode(),
        "json": value.replace("\\", "\\\\").replace('"', '\\"').encode(),
        "reversed": raw[::-1],
    }


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __str__(self):
        return "exit %s\nstdout: %r\nstderr: %r" % (self.code, self.out, self.err)


class HomeCase(unittest.TestCase):
    """Each test has a directory of its own with HOME in it; with_home also a vault."""

    with_home = True
    _prepared = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="krosyn-cli-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        os.chmod(self.dir, 0o755)
        self.user_home = os.path.join(self.dir, "user")
        os.mkdir(self.user_home)
        self.home = os.path.join(self.user_home, ".local/share/krosyn")
        self.key_dir = os.path.join(self.user_home, ".config/krosyn/keys")
        if self.with_home:
            self.must("init")
            self.must("secret", "set", "CRM_API_KEY", stdin=CANARY.encode())
            self.must("secret", "set", "ODD_ONE", stdin=CANARY_ODD.encode())

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("KROSYN_", "XDG_")) and k != "NO_COLOR"}
        env.update({"HOME": self.user_home, "TERM": "xterm", **more})
        return env

    def run_it(self, *args, stdin=b"", env=None, stdout=subprocess.PIPE, **popen):
        done = subprocess.run([KROSYN, *args], input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                              env=self.environment(**(env or {})), timeout=TIME_LIMIT_S, **popen)
        result = Result(done.returncode, done.stdout or b"", done.stderr)
        everything_printed.append((args, result.out + b"\n" + result.err))
        return result

    def must(self, *args, **more):
        result = self.run_it(*args, **more)
        self.assertEqual(result.code, 0, "%s: %s" % (args, result))
        return result

    def fails(self, code, *args, says=(), opens_values=False, **more):
        """A failing run: its exit code, what stderr says, and that the home is as before.

        What opens values, like `redact`, adds a record of that to the audit, also when it fails
        later: with opens_values the vault's file may differ.
        """
        before = self.fingerprint(opens_values)
        result = self.run_it(*args, **more)
        self.assertEqual(result.code, code, "%s: %s" % (args, result))
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, result.err.decode(), "%s: %s" % (args, result))
        self.assertEqual(before, self.fingerprint(opens_values), "%s changed the home" % (args,))
        return result

    def fingerprint(self, without_vault=False):
        """A hash of every file of the home and of the keys, but LMDB's table of readers."""
        found = {}
        for root in (self.home, self.key_dir):
            for folder, _, names in os.walk(root):
                for name in names:
                    path = os.path.join(folder, name)
                    if name == "lock.mdb" or (without_vault and path.endswith("vault/data.mdb")):
                        continue
                    with open(path, "rb") as file:
                        found[path] = hashlib.sha256(file.read()).hexdigest()
        return found

    def key_file(self):
        (name,) = os.listdir(self.key_dir)
        return os.path.join(self.key_dir, name)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path


class Terminal:
    """The command on a pseudo terminal of its own."""

    def __init__(self, case, *args):
        self.args = args
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(KROSYN, [KROSYN, *args], case.environment())
            finally:
                os._exit(127)

    def wait_for(self, text):
        end = time.monotonic() + TIME_LIMIT_S
        while text not in self.seen and time.monotonic() < end:
            if not self._read():
                break
        if text not in self.seen:
            raise AssertionError("%r did not come; the terminal shows %r" % (text, self.seen))

    def _read(self):
        ready, _, _ = select.select([self.fd], [], [], 1.0)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            return False
        self.seen += data
        return data != b""

    def type(self, text):
        os.write(self.fd, text)

    def finish(self):
        """Read to the end; the exit code, or minus the signal that ended it."""
        end = time.monotonic() + TIME_LIMIT_S
        while self._read() and time.monotonic() < end:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        everything_printed.append((self.args, self.seen))
        return os.waitstatus_to_exitcode(status)

    def end(self, number=signal.SIGINT):
        os.kill(self.pid, number)


class NothingLeaked(unittest.TestCase):
    """Runs last: no canary in anything that any test made the command print."""

    def test_the_values_of_the_cases_are_known(self):
        """What a case saves under the name of a canary is searched for by the test below."""
        used = set()
        for name in os.listdir(os.path.dirname(os.path.abspath(__file__))):
            if name.startswith("cases_"):
                with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as file:
                    used.update(re.findall(r"\b[a-z]+Canary-[\w-]+", file.read()))
        self.assertEqual(used - set(CANARIES), set())

    def test_no_value_was_ever_printed(self):
        self.assertGreater(len(everything_printed), 50)
        for args, data in everything_printed:
            for canary in CANARIES:
                for name, form in encodings(canary).items():
                    self.assertNotIn(form, data, "%s printed a value (%s)" % (args, name))


class Reporter(unittest.TextTestResult):
    def addSuccess(self, test):
        super().addSuccess(test)
        print("[       OK ] %s" % test.id().split(".", 1)[1], flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print("[  FAILED  ] %s" % test.id().split(".", 1)[1], flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        print("[  ERROR   ] %s" % test.id().split(".", 1)[1], flush=True)


def main(modules):
    loader = unittest.TestLoader()
    pattern = sys.argv[2] if len(sys.argv) > 2 else None
    if pattern:
        loader.testNamePatterns = ["*%s*" % pattern]
    suite = unittest.TestSuite(loader.loadTestsFromModule(module) for module in modules)
    if not pattern:
        suite.addTest(loader.loadTestsFromTestCase(NothingLeaked))
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=0, resultclass=Reporter)
    result = runner.run(suite)
    n_failed = len(result.failures) + len(result.errors)
    n_skipped = len(result.skipped)
    for test, why in result.skipped:
        print("[  SKIPPED ] %s: %s" % (test.id().split(".", 1)[1], why))
    print("%d passed, %d failed, %d skipped"
          % (result.testsRun - n_failed - n_skipped, n_failed, n_skipped))
    return 1 if n_failed else 0
