#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Copies of a home and what proves them: verify on damaged files, backups under load, restoring, purging;
killed at any instant, and on a disk that takes no more.

usage: test_copies.py KROSYN [TEST]
"""
import glob
import hashlib
import json
import os
import random
import re
import resource
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
LONG = os.environ.get("KROSYN_TEST_LONG") == "1"
CANARY = "kroCanary-copies-9Rt2"
TIME_LIMIT_S = 120
PAGE = 4096


def times(short, long):
    return long if LONG else short


class CopiesCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="krosyn-copies-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.home = self.path("home")
        self.key = self.path("keys/k")
        self.must("init")
        self.connector = self.path("c.json")
        with open(self.connector, "w", encoding="utf-8") as out:
            # Nobody listens there: a failed run is an event, too.
            json.dump({"name": "copies run", "example_payload": {},
                       "perform": {"url": "http://127.0.0.1:9/x", "headers": {"X-A": "$secret.KEY"}}}, out)

    def path(self, name):
        return os.path.join(self.dir, name)

    def command(self, *args, home=None):
        return [KROSYN, "--home", home or self.home, "--key", self.key, *args]

    def run_it(self, *args, stdin="", home=None, **popen):
        return subprocess.run(self.command(*args, home=home), input=stdin, text=True, capture_output=True,
                              timeout=TIME_LIMIT_S, **popen)

    def must(self, *args, code=0, **more):
        done = self.run_it(*args, **more)
        self.assertEqual(done.returncode, code, "%s: %s%s" % (args, done.stdout, done.stderr))
        return done.stdout

    def fill(self, n_secrets=6):
        self.must("secret", "set", "KEY", stdin=CANARY)
        for number in range(n_secrets):
            self.must("secret", "set", "NUMBER_%d" % number, stdin="value-of-number-%d" % number)
        self.must("secret", "set", "KEY", stdin=CANARY + "-second")
        self.must("org", "create", "acme")
        self.must("--org", "acme", "secret", "set", "KEY", stdin=CANARY + "-acme")
        self.must("org", "set", "decide-on-secrets", "on", "--org", "acme")
        for _ in range(2):
            self.run_it("run", self.connector, "--allow-private")
        self.assertEqual(len(json.loads(self.must("--json", "events", "list"))), 2)

    def state(self, home=None):
        """All that may be seen of a home."""
        return [self.must("--json", *words, home=home) for words in
                (("org", "list"), ("secret", "list"), ("events", "list"), ("--org", "acme", "secret", "list"),
                 ("--org", "acme", "org", "show"))]

    def verify(self, *more, home=None, codes=(0, 1)):
        done = self.run_it("--json", "verify", *more, home=home)
        self.assertIn(done.returncode, codes, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["good"], done.returncode == 0)
        return report

    def partials(self):
        return glob.glob(self.path("*.partial-*"))


def files_of(root):
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = hashlib.sha256(file.read()).hexdigest()
    return found


def sealed_values(data, name):
    """24 bytes of each sealed value of a secret (its IV and more) that stand anywhere in a data file."""
    return [data[m.end() + 4:m.end() + 28] for m in re.finditer(b"vv....%s\\0\\0...." % re.escape(name), data, re.S)]


class Damage(CopiesCase):
    def setUp(self):
        super().setUp()
        self.fill()
        self.whole = self.path("whole")
        shutil.copytree(self.home, self.whole)
        self.expected = self.state()

    def bytes_of(self, store):
        with open(os.path.join(self.whole, store, "data.mdb"), "rb") as file:
            return bytearray(file.read())

    def with_bytes(self, store, data):
        shutil.rmtree(self.home)
        shutil.copytree(self.whole, self.home)
        for name in ("vault", "events"):
            lock = os.path.join(self.home, name, "lock.mdb")
            if os.path.exists(lock):
                os.unlink(lock)
        with open(os.path.join(self.home, store, "data.mdb"), "wb") as out:
            out.write(data)

    def test_flipped_bits_are_told_or_change_nothing(self):
        """T4: no silent change; a page that ends LMDB is damage, and not the end of the command."""
        chance = random.Random(4)
        n_flips = times(160, 20000)
        n_faults = n_told = 0
        for number in range(n_flips):
            store = ("vault", "events")[number % 2]
            data = self.bytes_of(store)
            bit = chance.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
            self.with_bytes(store, data)
            done = self.run_it("--json", "verify")
            where = "%s, bit %d: %s%s" % (store, bit, done.stdout, done.stderr)
            self.assertIn(done.returncode, (0, 1, 3), where)
            self.assertNotIn(CANARY, done.stdout + done.stderr)
            n_told += done.returncode != 0
            if done.returncode == 0:
                self.assertEqual(self.state(), self.expected, where)
            elif done.stdout:
                report = json.loads(done.stdout)
                self.assertTrue(report["damage"], where)
                n_faults += "signal" in report
        print("# %d of %d flips were told, %d of them ended LMDB" % (n_told, n_flips, n_faults), flush=True)
        self.assertGreater(n_told, n_flips // 50)
        self.assertLessEqual(n_faults, max(2, n_flips * 2 // 1000))

    def test_cut_files(self):
        """T5"""
        for store in ("vault", "events"):
            data = self.bytes_of(store)
            for size in range(0, len(data), times(PAGE, 512)):
                self.with_bytes(store, data[:size])
                done = self.run_it("--json", "verify")
                self.assertIn(done.returncode, (0, 1), "%s cut at %d: %s" % (store, size, done.stderr))
                self.assertNotIn("signal", json.loads(done.stdout))
                if done.returncode == 0:  # pages at the end that nothing uses
                    self.assertEqual(self.state(), self.expected)

    def flip_at(self, store, text, after):
        """Flip a bit behind every place of a text: LMDB keeps older copies of pages."""
        data = self.bytes_of(store)
        places = [m.end() + after for m in re.finditer(re.escape(text), bytes(data))]
        self.assertTrue(places, text)
        for place in places:
            data[place] ^= 1
        self.with_bytes(store, data)

    def test_names_the_value(self):
        version_2 = b"KEY\0\0\0\0\0\2"
        self.flip_at("vault", b"vv\0\0\0\1" + version_2, 60)
        report = self.verify(codes=(1,))
        (damage,) = [d for d in report["damage"] if "secret" in d]
        self.assertEqual((damage["organization"], damage["secret"], damage["version"]), ("default", "KEY", 2))
        self.assertEqual(report["counts"]["values"], 8)
        self.assertEqual(report["counts"]["secrets"], 8)
        self.assertEqual(report["counts"]["events"], 2)
        told = self.must("verify", code=1)
        self.assertIn("secret KEY, version 2", told)
        self.assertIn("still good", told)

    def test_names_the_metadata(self):
        self.flip_at("vault", b"vs\0\0\0\1NUMBER_3\0", 3)
        report = self.verify(codes=(1,))
        self.assertIn("NUMBER_3", [d.get("secret") for d in report["damage"]])
        self.assertEqual(report["counts"]["secrets"], 7)
        self.assertEqual(report["counts"]["values"], 9)

    def test_names_the_event(self):
        self.flip_at("events", b"er\0\0\0\0\0\0\0\2", 40)
        report = self.verify(codes=(1,))
        self.assertIn(2, [d.get("event") for d in report["damage"]])
        self.assertEqual(report["counts"]["events"], 1)

    def test_a_damaged_log_hides_no_vault(self):
        self.with_bytes("events", b"no store")
        report = self.verify(codes=(1,))
        self.assertEqual(report["counts"]["values"], 9)
        self.assertEqual(report["counts"]["damaged"], 1)

    def test_a_record_put_back(self):
        """An older data file of the vault alone is whole in itself; against the log and a kept head it is not."""
        kept = self.path("head")
        with open(kept, "w", encoding="utf-8") as out:
            out.write(self.must("verify", "--head"))
        self.must("verify", "--expect-head", kept)
        self.must("secret", "set", "KEY", stdin="later-value-7")
        self.must("verify", "--expect-head", kept)
        with open(kept, "w", encoding="utf-8") as out:
            out.write(self.must("verify", "--head"))
        self.with_bytes("vault", self.bytes_of("vault"))
        self.verify(codes=(0,))
        report = self.verify("--expect-head", kept, codes=(1,))
        self.assertEqual([d["area"] for d in report["damage"]], ["head"])

    def test_a_log_put_back_and_gone_on(self):
        self.run_it("run", self.connector, "--allow-private")
        kept = self.path("head")
        with open(kept, "w", encoding="utf-8") as out:
            out.write(self.must("verify", "--head"))
        self.with_bytes("events", self.bytes_of("events"))
        for _ in range(3):
            self.run_it("run", self.connector, "--allow-private")
        report = self.verify("--expect-head", kept, codes=(1,))
        self.assertIn("put back", "".join(d["what"] for d in report["damage"]))

    def test_verify_changes_nothing(self):
        before = {n: h for n, h in files_of(self.home).items() if not n.endswith("lock.mdb")}
        self.verify(codes=(0,))
        self.assertEqual(before, {n: h for n, h in files_of(self.home).items() if not n.endswith("lock.mdb")})

    def test_a_wrong_key_is_no_damage(self):
        subprocess.run([KROSYN, "--home", self.path("other"), "--key", self.path("keys/other"), "init"],
                       check=True, capture_output=True)
        done = subprocess.run([KROSYN, "--home", self.home, "--key", self.path("keys/other"), "verify"],
                              capture_output=True, text=True, timeout=TIME_LIMIT_S)
        self.assertEqual(done.returncode, 3)
        self.assertIn("need key", done.stderr)


class Salvage(Damage):
    """The tests of Damage are not repeated: only its ways to damage a home are used."""

    def salvage(self, code=0):
        new = self.path("new")
        before = {n: h for n, h in files_of(self.home).items() if not n.endswith("lock.mdb")}
        report = json.loads(self.must("--json", "verify", "--salvage", new, code=code))
        self.assertEqual(before, {n: h for n, h in files_of(self.home).items() if not n.endswith("lock.mdb")})
        found = self.verify(home=new, codes=(0,))
        self.assertEqual(found["counts"], report["counts"])
        return new, report

    def test_of_a_good_home(self):
        new, report = self.salvage()
        self.assertEqual(report["left"], [])
        self.assertEqual(self.state(new), self.expected)
        self.must("secret", "set", "KEY", stdin="a-new-life", home=new)
        self.must("org", "create", "more", home=new)
        self.run_it("run", self.connector, "--allow-private", home=new)
        self.verify(home=new, codes=(0,))

    def test_without_one_version(self):
        self.flip_at("vault", b"vv\0\0\0\1KEY\0\0\0\0\0\2", 60)
        new, report = self.salvage()
        self.assertIn(("KEY", 2), [(d.get("secret"), d.get("version")) for d in report["left"]])
        shown = json.loads(self.must("--json", "secret", "show", "KEY", home=new))
        self.assertEqual(shown["version"], 1)
        redacted = self.must("redact", stdin=CANARY + "\n", home=new)
        self.assertEqual(redacted, "[REDACTED]\n")

    def test_without_metadata(self):
        """Nothing would restrict such a value: it is left behind, and named."""
        self.flip_at("vault", b"vs\0\0\0\1NUMBER_3\0", 3)
        new, report = self.salvage()
        self.assertIn("NUMBER_3", [d.get("secret") for d in report["left"]])
        self.assertEqual(report["counts"]["secrets"], 7)
        self.assertEqual(report["counts"]["values"], 8)
        self.must("secret", "set", "NUMBER_3", stdin="typed-again-3", home=new)

    def test_without_the_head(self):
        """The next id is lost with it: nobody may get that of an organization that has left events."""
        self.must("org", "create", "gone")
        self.must("--org", "gone", "secret", "set", "KEY", stdin=CANARY + "-gone")
        self.run_it("run", self.connector, "--allow-private", "--org", "gone")
        self.assertEqual(len(json.loads(self.must("--json", "--org", "gone", "events", "list"))), 1)
        self.must("org", "delete", "gone", "--yes")
        shutil.rmtree(self.whole)
        shutil.copytree(self.home, self.whole)
        self.flip_at("vault", b"vh\0\0\0\0\0\0\0", 12)
        new, report = self.salvage()
        self.must("org", "create", "later", home=new)
        self.assertEqual(json.loads(self.must("--json", "--org", "later", "events", "list", home=new)), [])
        self.assertEqual(json.loads(self.must("--json", "--org", "later", "secret", "list", home=new)), [])
        self.verify(home=new, codes=(0,))

    def test_without_an_event(self):
        self.flip_at("events", b"er\0\0\0\0\0\0\0\1", 40)
        new, report = self.salvage()
        self.assertEqual(report["counts"]["events"], 1)
        self.assertEqual(report["head"]["events"], 1)
        self.assertEqual(len(json.loads(self.must("--json", "events", "list", home=new))), 2)  # one interrupted

    def test_without_the_log(self):
        self.with_bytes("events", b"no store")
        new, report = self.salvage()
        self.assertEqual(report["counts"]["values"], 9)
        self.assertEqual(self.state(new)[1], self.expected[1])

    def test_of_flipped_bits(self):
        """Whatever is saved checks out, and has values of before only."""
        chance = random.Random(8)
        names = {s["name"] for s in json.loads(self.expected[1])}
        for number in range(times(40, 1000)):
            store = ("vault", "vault", "events")[number % 3]
            data = self.bytes_of(store)
            for _ in range(20):
                bit = chance.randrange(2 * PAGE * 8, len(data) * 8)
                data[bit // 8] ^= 1 << bit % 8
            self.with_bytes(store, data)
            new = self.path("s%d" % number)
            done = self.run_it("--json", "verify", "--salvage", new)
            self.assertIn(done.returncode, (0, 1, 3), done.stderr)
            if done.returncode != 0:
                self.assertFalse(os.path.exists(new))
                continue
            self.verify(home=new, codes=(0,))
            if "default" not in [o["name"] for o in json.loads(self.must("--json", "org", "list", home=new))]:
                continue
            self.assertLessEqual({s["name"] for s in json.loads(self.must("--json", "secret", "list", home=new))},
                                 names)


for name in [n for n in dir(Damage) if n.startswith("test_")]:
    setattr(Salvage, name, None)


class Backups(CopiesCase):
    def setUp(self):
        super().setUp()
        self.fill()
        self.backup = self.path("backup")

    def check(self, backup, code=0):
        return self.run_it("--json", "restore", "--check", backup) if code is None else \
            json.loads(self.must("--json", "restore", "--check", backup, code=code))

    def test_there_and_back(self):
        info = json.loads(self.must("--json", "backup", self.backup))
        self.must("secret", "set", "KEY", stdin="after-the-backup")
        self.assertTrue(self.check(self.backup)["good"])
        restored = self.path("restored")
        out = self.must("restore", self.backup, home=restored)
        self.assertIn("not of now", out)
        self.assertIn("generation     %d" % info["head"]["generation"], out)
        self.assertEqual(json.loads(self.must("verify", "--head", home=restored)), info["head"])
        self.assertEqual(json.loads(self.must("--json", "secret", "show", "KEY", home=restored))["version"], 2)
        shown = subprocess.run(self.command("redact", home=restored), input=CANARY + "-second\n", text=True,
                               capture_output=True, timeout=TIME_LIMIT_S)
        self.assertEqual(shown.stdout, "[REDACTED]\n")
        self.must("secret", "set", "KEY", stdin="a-life-of-its-own", home=restored)
        self.assertEqual([os.stat(p).st_mode & 0o77 for p in glob.glob(restored + "/**", recursive=True)].count(0),
                         len(glob.glob(restored + "/**", recursive=True)))

    def test_holds_no_key_and_no_value(self):
        self.must("backup", self.backup)
        with open(self.key, "rb") as file:
            key = file.read().split()[-1]
        for name in files_of(self.backup):
            with open(os.path.join(self.backup, name), "rb") as file:
                data = file.read()
            self.assertFalse(CANARY.encode() in data or key in data, name)

    def test_holds_nothing_that_was_replaced(self):
        """Compact copies: no record of the past, though the file of the home still has them."""
        path = os.path.join(self.home, "vault", "data.mdb")
        found = set()
        for number in range(8):
            self.must("secret", "set", "GONE_%d" % number, stdin="gone-value-%d" % number)
            with open(path, "rb") as file:
                found |= set(sealed_values(file.read(), b"GONE_%d" % number))
        for number in range(8):
            self.must("secret", "delete", "GONE_%d" % number)
        self.assertEqual(len(found), 8)
        self.must("backup", self.backup)
        with open(self.backup + "/vault/data.mdb", "rb") as file:
            data = file.read()
        with open(path, "rb") as file:
            still = file.read()
        self.assertTrue([value for value in found if value in still], "the home's file shows nothing")
        self.assertEqual([value for value in found if value in data], [])

    def test_never_over_anything(self):
        os.mkdir(self.backup)
        self.assertIn("exists already", self.run_it("backup", self.backup).stderr)
        self.assertEqual(self.run_it("backup", self.home + "/inside").returncode, 1)
        self.must("backup", self.path("b2"))
        self.assertIn("exists already", self.run_it("restore", self.path("b2")).stderr)
        self.assertEqual(self.partials(), [])

    def test_checking_changes_nothing(self):
        self.must("backup", self.backup)
        before = files_of(self.backup)
        for root, folders, names in os.walk(self.backup):
            for name in folders + names:
                os.chmod(os.path.join(root, name), 0o500)
        os.chmod(self.backup, 0o500)
        self.assertTrue(self.check(self.backup)["good"])
        self.assertEqual(files_of(self.backup), before)

    def test_any_change_is_found(self):
        self.must("backup", self.backup)
        chance = random.Random(5)
        names = sorted(files_of(self.backup))
        for number in range(times(40, 1000)):
            name = names[number % len(names)]
            path = os.path.join(self.backup, name)
            with open(path, "rb") as file:
                whole = file.read()
            data = bytearray(whole)
            bit = chance.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
            with open(path, "wb") as out:
                out.write(data)
            done = self.check(self.backup, None)
            with open(path, "wb") as out:
                out.write(whole)
            if done.returncode == 0:  # the printed time is for people; the one that counts stands beside it
                self.assertEqual(name, "backup.json")
                stable = json.loads(data)
                self.assertEqual({k: v for k, v in stable.items() if k != "created"},
                                 {k: v for k, v in json.loads(whole).items() if k != "created"})
            else:
                self.assertIn(done.returncode, (1, 3), "%s, bit %d: %s" % (name, bit, done.stderr))
        self.assertTrue(self.check(self.backup)["good"])

    def test_missing_and_mixed_files(self):
        self.must("backup", self.backup)
        self.must("secret", "set", "KEY", stdin="newer")
        self.must("backup", self.path("b2"))
        shutil.copy(self.path("b2") + "/vault/data.mdb", self.backup + "/vault/data.mdb")
        self.assertEqual(self.check(self.backup, None).returncode, 3)
        shutil.copy(self.path("b2") + "/backup.json", self.backup + "/backup.json")
        self.assertTrue(self.check(self.backup)["good"])  # the log did not change between them
        os.unlink(self.path("b2") + "/events/data.mdb")
        self.assertEqual(self.check(self.path("b2"), None).returncode, 3)
        os.unlink(self.path("b2") + "/backup.json")
        self.assertIn("no whole backup", self.check(self.path("b2"), None).stderr)

    def test_a_disk_that_is_full(self):
        self.must("backup", self.backup)
        for limit in (0, 500, PAGE, 2 * PAGE, 3 * PAGE + 1):
            for words, home in ((("backup", self.path("b2")), None),
                                (("restore", self.backup), self.path("new"))):
                done = self.run_it(*words, home=home, preexec_fn=lambda n=limit: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (n, n)))
                self.assertNotEqual(done.returncode, 0, (limit, words))
                self.assertGreater(done.returncode, 0, (limit, words))
                self.assertFalse(os.path.exists(words[1] if home is None else home), (limit, words))
        self.assertEqual(self.partials(), [])
        self.must("backup", self.path("b2"))

    def test_killed_at_any_instant(self):
        """The final name holds a whole backup, or is not there; the same of a restored home."""
        started = time.monotonic()
        self.must("backup", self.backup)
        duration = time.monotonic() - started
        chance = random.Random(6)
        seen = {"whole": 0, "none": 0}
        for number in range(times(40, 400)):
            is_restore = number % 2 == 1
            target = self.path("t%d" % number)
            words = ("restore", self.backup) if is_restore else ("backup", target)
            job = subprocess.Popen(self.command(*words, home=target if is_restore else None),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, 1.5 * duration))
            job.kill()
            job.wait()
            time.sleep(0.02)  # the child follows its parent
            if not os.path.exists(target):
                seen["none"] += 1
                continue
            seen["whole"] += 1
            if is_restore:
                self.verify(home=target, codes=(0,))
            else:
                self.assertTrue(self.check(target)["good"])
        self.verify(codes=(0,))
        print("# killed: %s" % seen, flush=True)
        self.assertGreater(seen["none"], 0)

    def test_under_load(self):
        """T20"""
        # Organizations come again after a while: the test looks into each of them in many copies.
        script = ('i=0; while [ ! -e "$STOP" ]; do i=$((i+1)); printf "load-value-$W-$i" | "$@" secret set LOAD_$W '
                  '>/dev/null || exit 9; org="o$W-$((i % 30))"; "$@" org create "$org" >/dev/null 2>&1; '
                  '"$@" --org "$org" secret set KEY --file "$F" >/dev/null; '
                  '"$@" --org "$org" run "$C" --allow-private >/dev/null 2>&1; done; exit 0')
        value = self.path("value")
        with open(value, "w", encoding="utf-8") as out:
            out.write("of-an-organization")
        stop = self.path("stop")
        writers = [subprocess.Popen(["sh", "-c", script, "sh"] + self.command(), env={
            **os.environ, "STOP": stop, "W": str(n), "F": value, "C": self.connector}) for n in range(2)]
        try:
            for number in range(times(10, 100)):
                target = self.path("load%d" % number)
                self.must("backup", target)
                report = self.check(target)
                self.assertTrue(report["good"])
                # No event without its vault state: its organization is there.
                home = self.path("home%d" % number)
                self.must("restore", target, home=home)
                total = sum(len(json.loads(self.must("--json", "--org", org["name"], "events", "list",
                                                     "--limit", "100000", home=home)))
                            for org in json.loads(self.must("--json", "org", "list", home=home))) \
                    if number % 5 == 0 else report["counts"]["events"]
                self.assertGreaterEqual(total, report["counts"]["events"])
                shutil.rmtree(target)
                shutil.rmtree(home)
        finally:
            with open(stop, "w", encoding="utf-8"):
                pass
            codes = [writer.wait(TIME_LIMIT_S) for writer in writers]
        self.assertEqual(codes, [0, 0])
        self.verify(codes=(0,))


class Purge(CopiesCase):
    def file(self, store="vault"):
        with open(os.path.join(self.home, store, "data.mdb"), "rb") as file:
            return file.read()

    def sealed_by(self, n):
        found = set()
        for number in range(n):
            self.must("secret", "set", "GONE_%d" % number, stdin="gone-value-%d" % number)
            found |= set(sealed_values(self.file(), b"GONE_%d" % number))
        for number in range(n):
            self.must("secret", "delete", "GONE_%d" % number)
        self.assertEqual(len(found), n)
        return found

    def test_leaves_no_byte_of_a_deleted_value(self):
        self.fill()
        found = self.sealed_by(8)
        state = self.state()
        self.assertTrue([value for value in found if value in self.file()])
        self.must("purge")
        self.assertEqual([value for value in found if value in self.file()], [])
        self.assertEqual(self.state(), state)
        self.verify(codes=(0,))
        self.assertEqual(sorted(os.listdir(self.home)), ["events", "settings.json", "vault"])

    def test_killed_at_any_instant(self):
        """T10: the home is whole, nothing acknowledged is lost, and the next purge clears the remains."""
        self.fill()
        started = time.monotonic()
        self.must("purge")
        duration = time.monotonic() - started
        chance = random.Random(10)
        n_remains = 0
        for number in range(times(40, 400)):
            self.must("secret", "set", "COUNT", stdin="value-number-%d" % number)
            job = subprocess.Popen(self.command("purge"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, 1.2 * duration))
            job.kill()
            job.wait()
            time.sleep(0.02)
            n_remains += json.loads(self.must("--json", "status"))["remains"] > 0
            shown = json.loads(self.must("--json", "secret", "show", "COUNT"))
            self.assertEqual(shown["version"], number + 1)
        self.verify(codes=(0,))
        print("# %d left something behind" % n_remains, flush=True)
        self.must("purge")
        self.assertEqual(json.loads(self.must("--json", "status"))["remains"], 0)

    def test_while_others_write(self):
        """0 lost updates: what a writer was told is saved is there, whichever files it had open."""
        self.fill()
        script = ('i=0; while [ ! -e "$STOP" ]; do i=$((i+1)); printf "load-value-$W-$i" | "$@" secret set LOAD_$W '
                  '>/dev/null || exit 9; done; echo $i')
        stop = self.path("stop")
        writers = [subprocess.Popen(["sh", "-c", script, "sh"] + self.command(), stdout=subprocess.PIPE, text=True,
                                    env={**os.environ, "STOP": stop, "W": str(n)}) for n in range(2)]
        # One that stays open over all of it: it must see what is saved later.
        stream = subprocess.Popen(self.command("redact"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            for _ in range(times(15, 200)):
                self.must("purge")
        finally:
            with open(stop, "w", encoding="utf-8"):
                pass
            counts = [int(writer.communicate(timeout=TIME_LIMIT_S)[0]) for writer in writers]
        self.assertEqual([w.returncode for w in writers], [0, 0])
        self.must("secret", "set", "LATE", stdin="late-value-after-purges")
        out, _ = stream.communicate("late-value-after-purges\n", timeout=TIME_LIMIT_S)
        self.assertEqual(out, "[REDACTED]\n")
        for number, count in enumerate(counts):
            shown = json.loads(self.must("--json", "secret", "show", "LOAD_%d" % number))
            self.assertEqual(shown["version"], count)
        self.verify(codes=(0,))

    def test_a_disk_that_is_full(self):
        self.fill()
        for limit in (PAGE, 3 * PAGE):
            done = self.run_it("purge", preexec_fn=lambda n=limit: resource.setrlimit(
                resource.RLIMIT_FSIZE, (n, n)))
            self.assertIn(done.returncode, (1, 3), done.stderr)
        self.verify(codes=(0,))
        self.assertEqual(json.loads(self.must("--json", "status"))["remains"], 0)
        self.must("purge")


class Status(CopiesCase):
    def test_with_and_without_the_key(self):
        self.fill()
        told = json.loads(self.must("--json", "status"))
        self.assertEqual((told["organizations"], told["secrets"], told["events"], told["pending"]), (2, 8, 2, 0))
        self.assertTrue(told["has_key"])
        self.assertEqual(told["vault"]["records"],
                         self.verify(codes=(0,))["counts"]["records"] - told["log"]["records"])
        self.assertGreater(told["vault"]["free_bytes"], 0)
        self.assertIn(told["key_needed"], self.must("status"))
        os.unlink(self.key)
        without = json.loads(self.must("--json", "status"))
        self.assertFalse(without["has_key"])
        self.assertEqual((without["organizations"], without["secrets"]), (2, 8))
        self.assertEqual(without["key_needed"], told["key_needed"])
        self.assertIn("not verified", self.must("status"))


class Storm(CopiesCase):
    """Writers, some of them killed, while all is read and the files are exchanged. Who writes waits for others in turn:
    one that is killed as its turn comes must not leave those behind it asleep for ever."""

    N_WRITERS = 4

    def until_the_end(self, seed, words, n_killed):
        chance = random.Random(seed)
        while time.monotonic() < self.end and not self.wrong:
            running = subprocess.Popen(self.command(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
            if chance.randrange(100) < n_killed:
                running.stdin.close()
                time.sleep(chance.uniform(0, 0.06))
                running.kill()
                running.wait()
                running.stdout.close()
                continue
            try:
                said = running.communicate("value-%d" % chance.randrange(10 ** 9), timeout=40)[0]
            except subprocess.TimeoutExpired:
                running.kill()
                said = "hangs: " + " ".join(words) + running.communicate()[0]
            if running.returncode != 0:
                self.wrong.append(said)
            self.n_done[words[0]] = self.n_done.get(words[0], 0) + 1

    def test_nobody_waits_for_ever_and_nothing_is_called_damage(self):
        self.fill()
        self.wrong = []
        self.n_done = {}
        self.end = time.monotonic() + times(12, 120)
        jobs = [(("secret", "set", "W%d" % number), 40) for number in range(self.N_WRITERS)]
        jobs += [(("purge",), 0), (("verify",), 0)]
        threads = [threading.Thread(target=self.until_the_end, args=(seed, *job)) for seed, job in enumerate(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.wrong, [])
        self.assertEqual(sorted(self.n_done), ["purge", "secret", "verify"])
        self.verify(codes=(0,))


class Readers(CopiesCase):
    def test_killed_readers_do_not_let_the_file_grow(self):
        """T15"""
        self.fill(40)
        chance = random.Random(15)
        path = os.path.join(self.home, "vault", "data.mdb")
        size = os.path.getsize(path)
        for number in range(times(24, 200)):
            words = (("verify",), ("backup", self.path("r%d" % number)), ("secret", "list"))[number % 3]
            job = subprocess.Popen(self.command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, 0.03))
            job.kill()
            job.wait()
            self.must("secret", "set", "KEY", stdin="value %d" % number)
        print("# %d to %d bytes" % (size, os.path.getsize(path)), flush=True)
        self.assertLessEqual(os.path.getsize(path), 2 * size + 64 * PAGE)


if __name__ == "__main__":
    faults.main(sys.argv[2] if len(sys.argv) > 2 else None)
