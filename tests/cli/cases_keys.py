# SPDX-License-Identifier: Apache-2.0
"""Changing keys, and deleting organizations."""
import json
import os
import shutil

from harness import CANARY, CANARY_ODD, HomeCase, Terminal


class Keys(HomeCase):
    """Values are never printed, so that they open is seen by what `redact` removes."""

    def ids(self, path=None):
        with open(path or self.key_file(), encoding="ascii") as file:
            return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]

    def opens(self, *options):
        text = ("<%s><%s>" % (CANARY, CANARY_ODD)).encode()
        self.assertEqual(self.must("redact", *options, stdin=text).out, b"<[REDACTED]><[REDACTED]>")


class Rotate(Keys):
    def test_one_and_again(self):
        done = json.loads(self.must("key", "rotate", "--json").out)
        self.assertEqual(done, [{"organization": "default", "old_key": 1, "new_key": 2, "values": 2,
                                 "finished_an_older": False}])
        self.opens()
        self.assertIn(b"default: data key 3 instead of 2, 2 values", self.must("key", "rotate").out)
        self.opens()
        self.must("secret", "set", "CRM_API_KEY", stdin=CANARY.encode())
        self.assertEqual(json.loads(self.must("key", "rotate", "--json").out)[0]["values"], 3)

    def test_all(self):
        self.must("org", "create", "acme")
        self.must("key", "rotate", "--org", "acme")
        done = json.loads(self.must("key", "rotate", "--all", "--json").out)
        self.assertEqual([(d["organization"], d["new_key"]) for d in done], [("acme", 3), ("default", 2)])

    def test_refusals(self):
        self.fails(1, "key", "rotate", "--org", "nobody", says="nobody")
        self.fails(2, "key", "rotate", "--all", "--org", "default", says="exclude")
        os.chmod(self.key_file(), 0o644)
        self.fails(3, "key", "rotate", says="chmod 600")

    def test_no_progress_without_a_terminal(self):
        self.assertEqual(self.must("key", "rotate").err, b"")

    def test_progress_on_a_terminal(self):
        terminal = Terminal(self, "key", "rotate")
        self.assertEqual(terminal.finish(), 0)
        self.assertIn(b"default: 2 of 2 values", terminal.seen)


class Rekey(Keys):
    def test_new_key_stands_first_and_the_old_one_stays(self):
        (old,) = self.ids()
        copy = self.write("copy.key", "")
        shutil.copy(self.key_file(), copy)
        os.chmod(copy, 0o600)
        done = json.loads(self.must("key", "rekey", "--json").out)
        self.assertEqual(self.ids(), [done["new_key"], old])
        self.assertEqual((done["old_key"], done["went_on"]), (old, False))
        self.assertEqual(os.stat(self.key_file()).st_mode & 0o7777, 0o600)
        self.assertEqual(os.listdir(self.key_dir), [os.path.basename(self.key_file())])
        self.opens()
        self.fails(3, "secret", "list", "--key", copy, says="need key " + done["new_key"])

    def test_goes_on_after_the_key_file_was_written(self):
        (old,) = self.ids()
        before = self.write("before.mdb", "")
        shutil.copy(self.home + "/vault/data.mdb", before)
        self.must("key", "rekey")
        new = self.ids()[0]
        shutil.copy(before, self.home + "/vault/data.mdb")  # as if killed before the commit
        self.opens()
        done = json.loads(self.must("key", "rekey", "--json").out)
        self.assertEqual(done, {"old_key": old, "new_key": new, "went_on": True})
        self.opens()

    def test_forget(self):
        (old,) = self.ids()
        self.fails(3, "key", "forget", old, says="the vault needs this key")
        self.must("key", "rekey")
        new = self.ids()[0]
        self.fails(3, "key", "forget", new, says="the vault needs this key")
        self.fails(1, "key", "forget", "k-00000000", says="no key of that id")
        self.assertIn(old.encode(), self.must("key", "forget", old).out)
        self.assertEqual(self.ids(), [new])
        self.opens()

    def test_key_of_another_file(self):
        (old,) = self.ids()
        other = self.user_home + "/other.key"
        self.must("init", "--home", self.user_home + "/other", "--key", other)
        (new,) = self.ids(other)
        done = json.loads(self.must("key", "rekey", "--new-key", other, "--json").out)
        self.assertEqual((done["old_key"], done["new_key"]), (old, new))
        self.assertEqual(self.ids(), [old])
        self.fails(3, "secret", "list", says="need key " + new)
        self.opens("--key", other)
        self.fails(1, "key", "rekey", "--new-key", other, "--key", other, says="already")

    def test_refusals(self):
        inside = self.home + "/inside.key"
        shutil.copy(self.key_file(), inside)
        self.fails(3, "key", "rekey", "--new-key", inside, says="inside the home")
        os.unlink(inside)
        self.fails(3, "key", "rekey", "--new-key", self.dir + "/none", says="no key file")
        self.fails(2, "key", "forget", says="needs ID")

    def test_a_key_file_that_cannot_be_replaced(self):
        if os.geteuid() == 0:
            self.skipTest("root may write anywhere")
        os.chmod(self.key_dir, 0o500)
        self.fails(3, "key", "rekey", says="--new-key")
        os.chmod(self.key_dir, 0o700)


class DeleteOrganization(Keys):
    def setUp(self):
        super().setUp()
        self.must("org", "create", "acme")
        self.must("secret", "set", "ACME_KEY", "--org", "acme", stdin=CANARY.encode())
        self.must("org", "set", "decide-on-secrets", "on", "--org", "acme")

    def names(self):
        return [org["name"] for org in json.loads(self.must("org", "list", "--json").out)]

    def test_yes(self):
        done = json.loads(self.must("org", "delete", "acme", "--yes", "--json").out)
        self.assertEqual(done, {"name": "acme", "deleted": True, "secrets": 1})
        self.assertEqual(self.names(), ["default"])
        self.fails(1, "secret", "list", "--org", "acme", says="no organization acme")
        self.fails(1, "events", "list", "--org", "acme", says="no organization acme")
        self.fails(1, "org", "delete", "acme", "--yes", says="no organization acme")
        self.opens()

    def test_the_name_again_is_a_new_one(self):
        self.assertIn(b"Backups", self.must("org", "delete", "acme", "--yes").out)
        self.must("org", "create", "acme")
        self.assertEqual(json.loads(self.must("secret", "list", "--org", "acme", "--json").out), [])
        settings = json.loads(self.must("org", "show", "--org", "acme", "--json").out)
        self.assertEqual({s["name"]: s["value"] for s in settings}["decide-on-secrets"], "off")

    def test_asks(self):
        self.fails(2, "org", "delete", "acme", says="--yes")
        for typed, code, left in ((b"acmee\n", 3, ["acme", "default"]), (b"\n", 3, ["acme", "default"]),
                                  (b"acme\n", 0, ["default"])):
            terminal = Terminal(self, "org", "delete", "acme")
            terminal.wait_for(b"Type its name")
            terminal.type(typed)
            self.assertEqual(terminal.finish(), code)
            self.assertEqual(self.names(), left)

    def test_default_stays(self):
        self.fails(3, "org", "delete", "default", "--yes", says="default stays")
        self.fails(2, "org", "delete", "Acme", "--yes", says="a-z")
        self.fails(1, "org", "delete", "nobody", "--yes", says="nobody")
