# SPDX-License-Identifier: Apache-2.0
"""functions and dump: looking at the language, without a home. The texts of dump are in
tests/lang/golden/dump.txt."""
import json

from harness import HomeCase

# name, arguments, exit code, what stderr says
WRONG = [
    ("unknown function", ["functions", "substrin"], 1, "did you mean substring?"),
    ("function far from any", ["functions", "q"], 1, "`krosyn functions` lists them"),
    ("two functions", ["functions", "trim", "split"], 2, "fewer arguments"),
    ("no stage", ["dump", "--", "a"], 2, "--tokens, --ast or --code"),
    ("two stages", ["dump", "--ast", "--code", "--", "a"], 2, "--tokens, --ast or --code"),
    ("no template", ["dump", "--ast"], 2, "there is no template"),
    ("two templates", ["dump", "--ast", "--template", "x", "--", "a"], 2, "twice"),
    ("unknown sink", ["dump", "--ast", "--sink", "sql", "--", "a"], 2, "query, header"),
    ("no such file", ["dump", "--ast", "--template", "/none/such"], 1, "cannot open the template"),
    ("bad template", ["dump", "--tokens", "--", "$paylod.x"], 1, "did you mean $payload?"),
]


class Language(HomeCase):
    with_home = False

    def test_each_wrong_line_is_explained(self):
        for name, args, code, says in WRONG:
            with self.subTest(name):
                self.assertEqual(self.fails(code, *args, says=says).out, b"")

    def test_a_word_that_is_no_function_is_not_repeated(self):
        self.assertNotIn(b"hunter", self.fails(1, "functions", "hunter-two").err)


class Functions(HomeCase):
    with_home = False

    def test_table(self):
        lines = self.must("functions").out.decode().rstrip("\n").split("\n")
        listed = json.loads(self.must("functions", "--json").out)
        self.assertRegex(lines[0], r"^FUNCTION +WHAT IT GIVES +EXAMPLE$")
        self.assertEqual(len(lines), len(listed) + 1)
        for line, function in zip(lines[1:], listed):
            self.assertTrue(line.startswith(function["signature"]), line)
            self.assertIn(function["phrase"], line)
            self.assertIn(function["example"], line)

    def test_one(self):
        shown = self.must("functions", "hmacSha256").out.decode()
        self.assertIn('hmacSha256(key, value, encoding = "hex")\n', shown)
        self.assertIn("  secrets: key, value\n", shown)
        self.assertIn("  secrets: refused\n", self.must("functions", "length").out.decode())

    def test_one_as_json(self):
        for function in json.loads(self.must("functions", "--json").out):
            one = json.loads(self.must("functions", "--json", function["name"]).out)
            self.assertEqual(one, function)

    def test_arguments_that_may_be_secrets(self):
        """What the listing says is what the compiler does, argument by argument."""
        for function in json.loads(self.must("functions", "--json").out):
            names = [name.split(" ")[0].rstrip("?")
                     for name in function["signature"].split("(", 1)[1][:-1].split(", ")]
            if "..." in names or names == [""]:
                continue
            for i, name in enumerate(names):
                args = ["$payload.x"] * len(names)
                args[i] = "$secret.X"
                template = "${%s(%s)}" % (function["name"], ", ".join(args))
                result = self.run_it("dump", "--json", "--ast", "--", template)
                refused = b"must not be given a secret" in result.err
                with self.subTest(template):
                    self.assertEqual(name not in function["secret_arguments"], refused,
                                     result.err)


class Dump(HomeCase):
    with_home = False

    def test_template_file_without_its_final_newline(self):
        path = self.write("t.txt", "a $payload.x\n")
        expected = self.must("dump", "--code", "--", "a $payload.x").out
        self.assertEqual(self.must("dump", "--code", "--template", path).out, expected)
        self.write("t.txt", "a\n$paylod.x\n")
        self.fails(1, "dump", "--code", "--template", path, says=["t.txt", " 2:1"])

    def test_errors_as_json(self):
        error = json.loads(self.fails(1, "dump", "--json", "--ast", "--", "$paylod.x").err)
        self.assertEqual(error["error"]["code"], "E204")

    def test_warnings(self):
        result = self.must("dump", "--ast", "--", "$USD 5")
        self.assertIn(b"[E901]", result.err)
        result = json.loads(self.must("dump", "--json", "--ast", "--", "$USD 5").out)
        self.assertEqual([finding["code"] for finding in result["findings"]], ["E901"])
        self.assertEqual(result["lines"], ["text", '  chunk "$USD 5"'])

    def test_cannot_steer_the_terminal(self):
        path = self.write("t.txt", "a\x1b[31m$payload['\x1b']")
        for stage in ("--tokens", "--ast", "--code"):
            self.assertNotIn(b"\x1b", self.must("dump", stage, "--template", path).out)
