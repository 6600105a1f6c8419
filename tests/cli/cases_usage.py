# SPDX-License-Identifier: Apache-2.0
"""Wrong usage and help: what the parser says before anything is opened."""
import json

from harness import CANARY, HomeCase

HINT = "  hint: "

# name, arguments, what stderr says
WRONG = [
    ("no command", [], "Usage: krosyn"),
    ("unknown command", ["rnder"], "did you mean `krosyn render`?"),
    ("unknown second word", ["events", "lst"], "did you mean `krosyn events list`?"),
    ("group alone", ["secret"], "needs a word more"),
    ("unknown option", ["render", "--payloda", "x", "--", "a"], "did you mean --payload?"),
    ("option without argument", ["render", "--sink"], "--sink needs an argument"),
    ("empty argument", ["secret", "list", "--home", ""], "--home needs an argument"),
    ("stdin twice", ["render", "--payload", "-", "--lookup=-", "--", "a"], "standard input"),
    ("stdin for values and text", ["redact", "--values", "-"], "standard input"),
    ("flag with argument", ["org", "list", "--json=1"], "--json takes no argument"),
    ("option twice", ["render", "--sink", "url", "--sink", "text", "--", "a"], "twice"),
    ("option of another command", ["org", "list", "--payload", "x"], "has no option --payload"),
    ("argument missing", ["secret", "show"], "needs NAME"),
    ("argument too many", ["init", "here"], "fewer arguments"),
    ("bad secret name", ["secret", "show", "crm-key"], "only A-Z, 0-9 and _"),
    ("empty secret name", ["secret", "delete", ""], "is empty"),
    ("long secret name", ["secret", "set", "A" * 129], "longer than 128"),
    ("bad organization name", ["org", "create", "Acme!"], "only a-z, 0-9 and -"),
    ("long organization name", ["org", "create", "a" * 65], "longer than 64"),
    ("bad --org", ["secret", "list", "--org", "NO"], "only a-z, 0-9 and -"),
    ("render without template", ["render"], "there is no template"),
    ("render with two", ["render", "--template", "t", "--", "a"], "twice"),
    ("unknown sink", ["render", "--sink", "sql", "--", "a"], "query, header"),
    ("stored connector", ["run", "nightly"], "ends in .json"),
    ("lookup without dry run", ["run", "a.json", "--lookup", "x"], "--dry-run"),
    ("events --limit", ["events", "list", "--limit", "0"], "1 to 100000"),
    ("events --limit no number", ["events", "list", "--limit", "1x"], "1 to 100000"),
    ("events id", ["events", "show", "0192"], "at least 8"),
    ("help of nothing", ["help", "sercet"], "krosyn help secret"),
]

# Every way of handing over a value on the command line.
VALUES = [
    ["secret", "set", "CRM_API_KEY", CANARY],
    ["secret", "set", "CRM_API_KEY", "--value", CANARY],
    ["secret", "set", "CRM_API_KEY", "--value=" + CANARY],
    ["secret", "set", "CRM_API_KEY", "-v" + CANARY],
    ["secret", "set", "CRM_API_KEY=" + CANARY],
    ["secret", "set", "--json", "CRM_API_KEY", "--", CANARY],
]


class WrongUsage(HomeCase):
    with_home = False

    def test_each_wrong_line_is_explained_with_exit_2(self):
        for name, args, says in WRONG:
            with self.subTest(name):
                result = self.fails(2, *args, says=says)
                self.assertEqual(result.out, b"")

    def test_value_on_the_command_line(self):
        for args in VALUES:
            with self.subTest(args=args):
                result = self.fails(2, *args, says=["command line", "--file FILE", "history"])
                self.assertNotIn(CANARY[:8].encode(), result.out + result.err)

    def test_stray_word_after_secret_is_not_repeated(self):
        for args in (["secret", "hunter"], ["--secret", "hunter-two", "secret", "set", "A"], ["secret", "show", "hunter-two"],
                     ["secret", "set", "hunter-two"]):
            result = self.fails(2, *args)
            self.assertNotIn(b"hunter", result.err)

    def test_errors_as_json(self):
        result = self.fails(2, "--json", "rnder")
        error = json.loads(result.err)["error"]
        self.assertEqual(error["status"], "invalid")
        self.assertIn("rnder", error["message"])
        self.assertIn("render", error["hint"])
        self.assertEqual(set(error), {"status", "code", "message", "hint", "file", "source",
                                      "line", "column", "offset", "length"})


class Help(HomeCase):
    with_home = False

    def test_lists_the_commands_one_per_line_with_a_phrase(self):
        lines = self.must("--help").out.decode().split("\n")
        first = lines.index("Commands:") + 1
        commands = lines[first:lines.index("", first)]
        for line in commands:
            self.assertRegex(line, r"^  [a-z]+.*  [a-z]")
            self.assertLessEqual(len(line), 100)

    def test_of_each_command(self):
        lines = self.must("help").out.decode().split("\n")
        first = lines.index("Commands:") + 1
        for line in lines[first:lines.index("", first)]:
            words = [word for word in line[2:26].split() if word.islower() and word.isalpha()]
            with self.subTest(words=words):
                help_text = self.must("help", *words).out
                self.assertIn(("Usage: krosyn " + " ".join(words)).encode(), help_text)
                self.assertEqual(help_text, self.must(*words, "--help").out)
                self.assertEqual(help_text, self.must("-h", *words).out)

    def test_of_a_group(self):
        text = self.must("secret", "--help").out
        self.assertIn(b"secret delete NAME", text)
        self.assertEqual(text, self.must("help", "secret").out)

    def test_version(self):
        self.assertRegex(self.must("--version").out, rb"^krosyn \d+\.\d+\.\d+\n$")


class Options(HomeCase):
    def test_stand_anywhere(self):
        expected = self.must("--json", "--home", self.home, "secret", "list").out
        for args in (["secret", "--json", "list", "--home", self.home],
                     ["secret", "list", "--home=" + self.home, "--json"]):
            self.assertEqual(self.must(*args).out, expected)

    def test_two_dashes_end_them(self):
        self.assertEqual(self.must("render", "--", "--json").out, b"--json\n")

    def test_home_and_key_from_the_environment(self):
        names = self.must("secret", "list").out
        elsewhere = {"HOME": "/nonexistent", "KROSYN_HOME": self.home,
                     "KROSYN_KEY_FILE": self.key_file()}
        self.assertEqual(self.must("secret", "list", env=elsewhere).out, names)
        xdg = {"HOME": "/nonexistent", "XDG_DATA_HOME": self.user_home + "/.local/share",
               "XDG_CONFIG_HOME": self.user_home + "/.config"}
        self.assertEqual(self.must("secret", "list", env=xdg).out, names)

    def test_no_home_at_all(self):
        env = {"HOME": ""}
        self.fails(1, "secret", "list", env=env, says=["HOME is not set", "--home DIR"])
        self.assertEqual(self.must("render", "--", "$secret.ANY", env=env).out, b"[REDACTED]\n")
