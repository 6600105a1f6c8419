# SPDX-License-Identifier: Apache-2.0
"""verify, backup, restore, purge and status by their command lines. What they do to damaged files, under load
and when killed: tests/journeys/test_copies.py."""
import json
import os

from harness import HomeCase, Terminal


class Verify(HomeCase):
    def test_good(self):
        report = json.loads(self.must("verify", "--json").out)
        self.assertEqual((report["good"], report["damage"]), (True, []))
        self.assertEqual((report["counts"]["secrets"], report["counts"]["values"]), (2, 2))
        self.assertIn(b"all is good", self.must("verify").out)

    def test_options_exclude_each_other(self):
        self.fails(2, "verify", "--head", "--salvage", "x", says="exclude")
        self.fails(2, "verify", "--head", "--expect-head", "x", says="exclude")

    def test_kept_head(self):
        head = self.must("verify", "--head").out
        self.assertEqual(sorted(json.loads(head)), ["chain", "events", "generation", "store"])
        kept = self.write("head", head.decode())
        self.must("verify", "--expect-head", kept)
        self.fails(1, "verify", "--expect-head", self.write("no-head", "{}"), says="not a kept head")
        self.fails(1, "verify", "--expect-head", kept + "-missing", says="kept head")

    def test_without_a_key(self):
        os.rename(self.key_file(), self.key_file() + "-away")
        result = self.run_it("verify")
        self.assertEqual(result.code, 3, result)
        self.assertIn(b"no key file", result.err)

    def test_no_home(self):
        result = self.run_it("verify", "--home", self.dir + "/nowhere")
        self.assertEqual(result.code, 1, result)
        self.assertIn(b"no krosyn home", result.err)

    def test_salvage_of_a_good_home(self):
        result = self.must("verify", "--salvage", self.dir + "/new")
        self.assertIn(b"nothing was left behind", result.out)
        self.fails(1, "verify", "--salvage", self.dir + "/new", says="exists already")

    def test_the_hidden_word_is_no_command_for_people(self):
        self.assertNotIn(b"__child", self.must("--help").out)


class Backup(HomeCase):
    def test_says_what_is_needed(self):
        result = self.must("backup", self.dir + "/b")
        self.assertIn(b"The key is not in it", result.out)
        self.assertIn(b"key needed", result.out)
        check = self.must("restore", "--check", self.dir + "/b")
        self.assertIn(b"the backup is whole", check.out)
        made = self.must("restore", self.dir + "/b", "--home", self.dir + "/h2")
        self.assertIn(b"not of now", made.out)

    def test_json(self):
        made = json.loads(self.must("backup", self.dir + "/b", "--json").out)
        self.assertEqual(sorted(made), ["backup", "bytes", "created", "head", "key"])
        checked = json.loads(self.must("restore", "--check", self.dir + "/b", "--json").out)
        self.assertEqual(checked["head"], made["head"])
        self.assertTrue(checked["good"])

    def test_refusals(self):
        self.fails(2, "backup", says="DIR")
        self.fails(1, "backup", self.home + "/b", says="inside the home")
        self.fails(1, "backup", self.dir + "/no/such/place/b", says="beside")
        self.fails(1, "restore", self.dir + "/nothing", "--home", self.dir + "/h2", says="no whole backup")
        self.must("backup", self.dir + "/b")
        self.fails(1, "restore", self.dir + "/b", says="exists already")

    def test_progress_on_a_terminal_goes_away(self):
        terminal = Terminal(self, "backup", self.dir + "/b")
        self.assertEqual(terminal.finish(), 0, terminal.seen)
        self.assertIn(b"copying the vault", terminal.seen)
        self.assertIn(b"\x1b[K", terminal.seen)


class Purge(HomeCase):
    def test_says_what_it_did(self):
        self.assertIn(b"Backups made before still hold it", self.must("purge").out)
        told = json.loads(self.must("purge", "--json").out)
        self.assertEqual(sorted(told), ["events", "vault"])
        self.must("verify")


class Status(HomeCase):
    def test_at_a_glance(self):
        told = json.loads(self.must("status", "--json").out)
        self.assertEqual((told["organizations"], told["secrets"], told["home"]), (1, 2, self.home))
        self.assertIn(told["store"].encode(), self.must("status").out)

    def test_changes_nothing(self):
        before = self.fingerprint()
        self.must("status")
        self.assertEqual(before, self.fingerprint())

    def test_wrong_key(self):
        self.must("init", "--home", self.dir + "/other", "--key", self.dir + "/other.key")
        told = json.loads(self.must("status", "--json", "--key", self.dir + "/other.key").out)
        self.assertFalse(told["has_key"])
        self.assertIn("need key", told["key_problem"])
