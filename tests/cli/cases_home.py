# SPDX-License-Identifier: Apache-2.0
"""Homes, organizations and secrets; and homes that are refused."""
import json
import os
import shutil
import subprocess
import termios
import unittest

from harness import CANARY, CANARY_TYPED, KROSYN, HomeCase, Terminal

MAX_VALUE_BYTES = 65536
NOBODY = 65534


class Init(HomeCase):
    with_home = False

    def test_creates_home_and_key_outside_of_it(self):
        made = json.loads(self.must("init", "--json").out)
        self.assertEqual(made["home"], self.home)
        self.assertEqual(made["key_file"], self.key_file())
        self.assertEqual(os.stat(made["key_file"]).st_mode & 0o077, 0)
        self.assertEqual(os.stat(self.home).st_mode & 0o077, 0)
        self.assertIn(b"default", self.must("org", "list").out)

    def test_says_where_the_key_is(self):
        result = self.must("init")
        self.assertIn(self.key_file().encode(), result.out)
        self.assertIn(b"copy", result.out)

    def test_does_not_touch_an_existing_home(self):
        self.must("init")
        self.fails(1, "init", says="nothing was changed")

    def test_does_not_overwrite_a_key(self):
        key = self.write("my.key", "not a key")
        self.fails(1, "init", "--key", key, says="exists")
        self.assertFalse(os.path.exists(self.home))

    def test_key_inside_the_home_is_refused(self):
        self.fails(3, "init", "--key", self.home + "/k.key", says="inside the home")


class Organizations(HomeCase):
    def test_create_and_list(self):
        self.must("org", "create", "acme-eu")
        names = [org["name"] for org in json.loads(self.must("org", "list", "--json").out)]
        self.assertEqual(names, ["acme-eu", "default"])
        self.assertIn(b"acme-eu", self.must("org", "list").out)

    def test_exists(self):
        self.must("org", "create", "acme", "--json")
        self.fails(1, "org", "create", "acme", says="acme")

    def test_unknown(self):
        self.fails(1, "secret", "list", "--org", "nobody", says="nobody")

    def test_do_not_see_each_other(self):
        self.must("org", "create", "acme")
        self.assertEqual(json.loads(self.must("secret", "list", "--org", "acme", "--json").out), [])
        self.fails(1, "secret", "show", "CRM_API_KEY", "--org", "acme")


    def settings(self, *options):
        return {s["name"]: s["value"] for s in json.loads(self.must("org", "show", "--json", *options).out)}

    def test_settings_are_of_one_organization(self):
        self.must("org", "create", "acme")
        self.assertEqual(self.settings()["decide-on-secrets"], "off")
        self.must("org", "set", "decide-on-secrets", "on", "--org", "acme")
        self.assertEqual(self.settings("--org", "acme")["decide-on-secrets"], "on")
        self.assertEqual(self.settings()["decide-on-secrets"], "off")
        self.assertIn(b"decide-on-secrets", self.must("org", "show").out)
        self.must("org", "set", "decide-on-secrets", "off", "--org", "acme")
        self.assertEqual(self.settings("--org", "acme")["decide-on-secrets"], "off")

    def test_settings_that_do_not_exist(self):
        self.fails(2, "org", "set", "decide-on-secret", "on", says="did you mean decide-on-secrets?")
        self.fails(2, "org", "set", "color", "on", says="krosyn org show")
        self.fails(2, "org", "set", "decide-on-secrets", "maybe", says="one of: on, off")
        self.fails(2, "org", "set", "decide-on-secrets", says="needs KEY VALUE")
        self.fails(1, "org", "set", "decide-on-secrets", "on", "--org", "nobody", says="nobody")

    def test_scope_of_redaction(self):
        self.assertEqual(self.settings()["redact-scope"], "organization")
        self.must("org", "set", "redact-scope", "run")
        self.assertEqual(self.settings()["redact-scope"], "run")
        self.fails(2, "org", "set", "redact-scope", "on", says="one of: organization, run")

    def test_help_lists_every_setting(self):
        told = self.must("help", "org", "set").out.decode()
        for setting in json.loads(self.must("org", "show", "--json").out):
            self.assertIn(setting["name"], told)
            self.assertIn(", ".join(setting["values"]), told)


class Secrets(HomeCase):
    def test_list_and_show(self):
        self.must("secret", "set", "NEW_ONE", "--description", "what for", stdin=CANARY.encode())
        listed = json.loads(self.must("secret", "list", "--json").out)
        self.assertEqual([s["name"] for s in listed], ["CRM_API_KEY", "NEW_ONE", "ODD_ONE"])
        shown = json.loads(self.must("secret", "show", "NEW_ONE", "--json").out)
        self.assertEqual(shown, listed[1])
        self.assertEqual(shown["description"], "what for")
        self.assertEqual(shown["version"], 1)
        self.assertRegex(shown["updated"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn(b"what for", self.must("secret", "list").out)
        self.assertIn(b"never shown", self.must("secret", "show", "NEW_ONE").out)

    def test_replace_and_delete(self):
        again = self.must("secret", "set", "CRM_API_KEY", "--json", stdin=CANARY.encode()).out
        self.assertEqual(json.loads(again),
                         {"name": "CRM_API_KEY", "version": 2, "created": False})
        self.must("secret", "delete", "CRM_API_KEY")
        self.fails(1, "secret", "show", "CRM_API_KEY")
        self.fails(1, "secret", "delete", "CRM_API_KEY")

    def test_unknown_name_suggests_the_nearest(self):
        self.fails(1, "secret", "show", "CRM_API_KYE", says="CRM_API_KEY")

    def test_final_newline_is_removed_once_and_said(self):
        result = self.must("secret", "set", "LINE", stdin=(CANARY + "\n").encode())
        self.assertIn(b"newline was removed", result.err)
        result = self.must("secret", "set", "LINE", stdin=CANARY.encode())
        self.assertNotIn(b"newline", result.err)

    def test_file_is_taken_byte_for_byte(self):
        path = self.write("value", CANARY + "\n")
        result = self.must("secret", "set", "FROM_FILE", "--file", path)
        self.assertNotIn(b"newline was removed", result.err)
        self.assertIn(b"blank", result.err)
        self.fails(1, "secret", "set", "FROM_FILE", "--file", path + ".no", says="cannot open")

    def test_warnings(self):
        self.assertIn(b"fewer than 4", self.must("secret", "set", "TINY", stdin=b"a1").err)
        blank = self.must("secret", "set", "BLANK", stdin=(" " + CANARY).encode())
        self.assertIn(b"blank", blank.err)

    def test_a_name_without_a_letter_is_warned_of(self):
        for name, is_warned in (("4111111111111111", True), ("_0", True), ("KEY_1", False), ("1A", False)):
            with self.subTest(name):
                first = self.must("secret", "set", name, stdin=CANARY.encode())
                self.assertEqual(b"has no letter" in first.err, is_warned)
                again = self.must("secret", "set", name, stdin=CANARY.encode())
                self.assertNotIn(b"has no letter", again.err)

    def test_placeholder_is_warned_of_and_saved(self):
        for value, is_warned in ((b"changeme", True), (b"<token>", True), (b"c4!-no-placeholder", False)):
            with self.subTest(value=value):
                result = self.must("secret", "set", "GUESSED", stdin=value)
                self.assertEqual(b"placeholder" in result.err, is_warned)
        self.assertEqual(json.loads(self.must("secret", "show", "GUESSED", "--json").out)["version"], 3)

    def test_empty_value(self):
        self.fails(1, "secret", "set", "EMPTY", stdin=b"", says="empty")
        self.fails(1, "secret", "set", "EMPTY", stdin=b"\n", says="empty")

    def test_longest_value_and_one_byte_more(self):
        value = (CANARY * (MAX_VALUE_BYTES // len(CANARY) + 1)).encode()
        self.must("secret", "set", "LONG", stdin=value[:MAX_VALUE_BYTES])
        self.must("secret", "set", "LONG", stdin=value[:MAX_VALUE_BYTES] + b"\n")
        self.fails(1, "secret", "set", "LONG", stdin=value[:MAX_VALUE_BYTES + 1], says="64 KiB")

    def test_description_cannot_steer_the_terminal(self):
        self.fails(1, "secret", "set", "ESC", "--description", "a\x1b[31mb", stdin=CANARY.encode(),
                   says="control")
        self.must("secret", "set", "TURN", "--description", "a\u202eb", stdin=CANARY.encode())
        for result in (self.must("secret", "list"), self.must("secret", "show", "TURN")):
            self.assertIn(b"a\\u202eb", result.out)
        shown = json.loads(self.must("secret", "show", "TURN", "--json").out)
        self.assertEqual(shown["description"], "a\u202eb")

    def test_path_in_an_error_cannot_steer_the_terminal(self):
        result = self.fails(1, "secret", "set", "A", "--file", "/no\x1b[31m\n/such")
        self.assertIn(b"/no\\u001b[31m\\n/such", result.err)


class Prompt(HomeCase):
    def set_on_terminal(self, *entries):
        terminal = Terminal(self, "secret", "set", "TYPED")
        terminal.wait_for(b"(not shown): ")
        self.assertFalse(termios.tcgetattr(terminal.fd)[3] & termios.ECHO)
        terminal.type(entries[0])
        if len(entries) > 1:
            terminal.wait_for(b"again: ")
            terminal.type(entries[1])
        return terminal

    def test_value_is_asked_twice_and_not_shown(self):
        typed = CANARY_TYPED.encode() + b"\n"
        terminal = self.set_on_terminal(typed, typed)
        self.assertEqual(terminal.finish(), 0)
        self.assertIn(b"saved TYPED", terminal.seen)
        self.assertNotIn(CANARY_TYPED.encode(), terminal.seen)
        found = self.must("redact", stdin=b"say " + typed).out
        self.assertEqual(found, b"say [REDACTED]\n")

    def refused(self, terminal, says):
        self.assertEqual(terminal.finish(), 1)
        self.assertIn(says, terminal.seen)
        self.fails(1, "secret", "show", "TYPED")

    def test_entries_that_differ(self):
        typed = CANARY_TYPED.encode()
        for again in (b"other", typed[:-1] + b"w", typed + b"w", typed[:-1], b""):
            with self.subTest(again=again):
                self.refused(self.set_on_terminal(typed + b"\n", again + b"\n"), b"differ")

    def test_nothing_typed(self):
        self.refused(self.set_on_terminal(b"\n"), b"no value was typed")
        self.refused(self.set_on_terminal(b"\x04"), b"no value was typed")

    def test_line_that_the_terminal_would_cut(self):
        self.refused(self.set_on_terminal(b"x" * 4095 + b"\n"), b"--file FILE")

    def test_ctrl_c_gives_the_echo_back(self):
        before = self.fingerprint()
        terminal = self.set_on_terminal(b"\x03")
        terminal.wait_for(b"(not shown): \r\n")
        self.assertTrue(termios.tcgetattr(terminal.fd)[3] & termios.ECHO)
        self.assertEqual(terminal.finish(), -2)
        self.assertEqual(before, self.fingerprint())

    def test_colour_on_a_terminal_only(self):
        terminal = Terminal(self, "secret", "show", "NOT_THERE")
        self.assertEqual(terminal.finish(), 1)
        self.assertIn(b"\x1b[1;31mkrosyn", terminal.seen)
        self.assertNotIn(b"\x1b", self.fails(1, "secret", "show", "NOT_THERE").err)


class RefusedHomes(HomeCase):
    def test_no_home(self):
        shutil.rmtree(self.home)
        self.fails(1, "secret", "list", says=["no krosyn home", "krosyn init"])

    def test_of_another_version(self):
        path = self.home + "/settings.json"
        with open(path) as file:
            settings = json.load(file)
        settings["format"] += 1
        with open(path, "w") as file:
            json.dump(settings, file)
        self.fails(3, "secret", "list", says="format")
        self.fails(3, "render", "--", "a", says="format")

    def test_key_missing(self):
        os.rename(self.key_file(), self.dir + "/away.key")
        self.fails(3, "secret", "list", says="  hint: ")
        self.must("secret", "list", "--key", self.dir + "/away.key")

    def test_key_of_another_home(self):
        other = {"HOME": self.dir + "/other"}
        made = json.loads(self.must("init", "--json", env=other).out)
        self.fails(3, "secret", "list", "--key", made["key_file"], says="  hint: ")

    def test_key_that_is_no_key(self):
        path = self.write("no.key", "x" * 32)
        os.chmod(path, 0o600)
        self.fails(3, "secret", "list", "--key", path)

    def test_key_that_others_can_read(self):
        for mode in (0o640, 0o604, 0o660):
            os.chmod(self.key_file(), mode)
            self.fails(3, "secret", "list", says="  hint: ")

    def test_truncated_store(self):
        for name in ("vault", "events"):
            path = os.path.join(self.home, name, "data.mdb")
            with open(path, "rb") as file:
                whole = file.read()
            for size in (0, 100, 4096, len(whole) // 2):
                with self.subTest(store=name, size=size):
                    with open(path, "wb") as file:
                        file.write(whole[:size])
                    self.fails(3, "secret", "list")
            with open(path, "wb") as file:
                file.write(whole)
        self.must("secret", "list")

    def test_missing_store_is_damage_also_without_a_key(self):
        for name in ("vault", "events"):
            path = os.path.join(self.home, name)
            os.rename(path, path + ".away")
            self.fails(3, "secret", "list", says=["lacks its store", "  hint: "])
            self.fails(3, "render", "--", "x", says="lacks its store")
            os.rename(path + ".away", path)
        self.must("secret", "list")

    def as_nobody(self):
        """Permissions do not bind root: then run as somebody else."""
        if os.getuid() != 0:
            return {}
        try:
            can_run = subprocess.run([KROSYN, "--version"], user=NOBODY, group=NOBODY,
                                     extra_groups=[], stdout=subprocess.DEVNULL, check=False,
                                     env=self.environment(ASAN_OPTIONS="detect_leaks=0"))
        except PermissionError:
            raise unittest.SkipTest("another user cannot run the program from here")
        if can_run.returncode != 0:
            raise unittest.SkipTest("another user cannot run the program from here")
        for folder, _, names in os.walk(self.user_home):
            os.chown(folder, NOBODY, NOBODY)
            for name in names:
                os.chown(os.path.join(folder, name), NOBODY, NOBODY)
        return {"user": NOBODY, "group": NOBODY, "extra_groups": [],
                "env": {"ASAN_OPTIONS": "detect_leaks=0"}}

    def test_read_only_home(self):
        as_nobody = self.as_nobody()
        self.must("secret", "list", **as_nobody)
        for folder, _, names in os.walk(self.home):
            for name in names:
                os.chmod(os.path.join(folder, name), 0o400)
            os.chmod(folder, 0o500)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.home], check=False)
        self.fails(3, "secret", "set", "NEW", stdin=CANARY.encode(), says="  hint: ", **as_nobody)

    def test_unreadable_home(self):
        as_nobody = self.as_nobody()
        os.chmod(self.home + "/settings.json", 0)
        before = os.stat(self.home + "/vault/data.mdb").st_mtime_ns
        result = self.run_it("secret", "list", **as_nobody)
        self.assertEqual(result.code, 3, result)
        self.assertEqual(before, os.stat(self.home + "/vault/data.mdb").st_mtime_ns)


class Output(HomeCase):
    def test_full_disk(self):
        for args in (["secret", "list"], ["org", "list", "--json"], ["render", "--", "abc"],
                     ["--help"], ["redact"]):
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                self.fails(1, *args, stdin=b"some text\n", stdout=full, says="standard output",
                           opens_values=args == ["redact"])

    def test_closed_standard_output_does_not_become_the_store(self):
        before = self.fingerprint(without_vault=True)
        for line in ('"$0" secret list >&-', 'echo text | "$0" redact >&-',
                     'yes text | head -c 200000 | "$0" redact >&-'):
            done = subprocess.run(["sh", "-c", line, KROSYN], env=self.environment(),
                                  stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(b"standard output", done.stderr)
            self.assertEqual(before, self.fingerprint(without_vault=True))
        self.must("secret", "list")
        self.must("redact", stdin=b"")
