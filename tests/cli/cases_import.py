# SPDX-License-Identifier: Apache-2.0
"""secret import and secret export: what is shown, what is saved, and that no value is in either."""
import json
import os

from harness import CANARY, CANARY_ODD, HomeCase, encodings

ENV = "# keys\nexport SHOP_KEY='%s'\nOTHER_KEY=\"shopCanary-two-44\" # note\n" % CANARY


class Import(HomeCase):
    def names(self):
        return [s["name"] for s in json.loads(self.must("secret", "list", "--json").out)]

    def test_dry_run_saves_nothing(self):
        path = self.write(".env", ENV)
        result = self.must("secret", "import", path, "--dry-run")
        self.assertIn(b"2     SHOP_KEY   new", result.out)
        self.assertIn(b"nothing was saved: 2 new", result.out)
        self.assertIn(b"also that of CRM_API_KEY", result.err)
        self.assertEqual(self.names(), ["CRM_API_KEY", "ODD_ONE"])

    def test_saves_and_leaves_alone(self):
        path = self.write("x.env", ENV)
        self.assertIn(b"saved, version 1", self.must("secret", "import", path).out)
        again = json.loads(self.must("secret", "import", path, "--json").out)
        self.assertEqual([(row["name"], row["outcome"], row["version"]) for row in again],
                         [("SHOP_KEY", "same", 1), ("OTHER_KEY", "same", 1)])
        found = self.must("redact", stdin=b"a shopCanary-two-44 b").out
        self.assertEqual(found, b"a [REDACTED] b")

    def test_another_value_needs_replace(self):
        path = self.write(".env", "CRM_API_KEY=shopCanary-three-55\nNEW_ONE=shopCanary-four-66\n")
        result = self.fails(1, "secret", "import", path, opens_values=True, says="--replace")
        self.assertIn(b"replaces version 1; needs --replace", result.out)
        self.assertNotIn("NEW_ONE", self.names())
        self.assertIn(b"replaced, version 2", self.must("secret", "import", path, "--replace").out)

    def test_json_from_a_pipe(self):
        text = json.dumps({"A_ONE": {"value": "shopCanary-five-77", "description": "what for"},
                           "B_ONE": "shopCanary-six-88"})
        self.must("secret", "import", "-", "--format", "json", stdin=text.encode())
        self.assertEqual(json.loads(self.must("secret", "show", "A_ONE", "--json").out)["description"],
                         "what for")
        self.fails(1, "secret", "import", "-", "--format", "json", stdin=b'{"A_ONE": 12}',
                   says=["line 1", "(number)", "double quotes"])

    def test_environment(self):
        path = self.write(".env", "CRM_API_KEY=shopCanary-seven-99\n")
        self.must("secret", "import", path, "--environment", "staging")
        listed = json.loads(self.must("secret", "list", "--json").out)
        self.assertEqual([(s["name"], s["environment"], s["version"]) for s in listed][:2],
                         [("CRM_API_KEY", "", 1), ("CRM_API_KEY", "staging", 1)])

    def test_refusals_name_lines(self):
        path = self.write(".env", "crm-key=%s\nGOOD_ONE=abcdefgh\n" % CANARY)
        result = self.fails(1, "secret", "import", path, says="nothing was saved", opens_values=True)
        self.assertIn(b"use CRM_KEY", result.out)
        for text, says in (("A='%s" % CANARY, "line 1 opens a quote"),
                           ("A=b\n%s\n" % CANARY, "line 2 is neither"),
                           ("A=%s\nA=%s\n" % (CANARY, CANARY), "lines 1 and 2 give the same name")):
            self.fails(1, "secret", "import", self.write(".env", text), says=says)

    def test_format_is_asked_for(self):
        path = self.write("secrets.txt", ENV)
        self.fails(2, "secret", "import", path, says=["Its name does not say", "--format env"])
        self.fails(2, "secret", "import", "-", says="Its name does not say")
        self.fails(2, "secret", "import", path, "--format", "yaml", says="--format env or --format json")
        self.fails(1, "secret", "import", path + ".env", says="cannot open")
        self.must("secret", "import", path, "--format", "env")

    def test_no_value_in_any_file_of_the_home(self):
        self.must("secret", "import", self.write(".env", ENV))
        self.must("secret", "import", "-", "--format", "json",
                  stdin=json.dumps({"ODD_TWO": CANARY_ODD}).encode())
        for folder, _, names in os.walk(self.home):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                for canary in (CANARY, CANARY_ODD, "shopCanary-two-44"):
                    for form, text in encodings(canary).items():
                        self.assertNotIn(text, data, "%s holds a value (%s)" % (name, form))

    def test_set_says_what_is_a_duplicate(self):
        result = self.must("secret", "set", "TWIN", stdin=CANARY.encode())
        self.assertIn(b"the secret CRM_API_KEY holds the same value", result.err)


class Export(HomeCase):
    def test_metadata_and_that_it_is_all(self):
        self.must("secret", "set", "TOLD", "--description", "what for", stdin=b"shopCanary-eight-11")
        result = self.must("secret", "export")
        self.assertIn(b"never exports values", result.out.splitlines()[1])
        told = json.loads(result.out)
        self.assertEqual(told["organization"], "default")
        self.assertEqual(told["secrets"], json.loads(self.must("secret", "list", "--json").out))
        self.assertNotIn(b"shopCanary", result.out)

    def test_of_an_empty_organization(self):
        self.must("org", "create", "acme")
        self.assertEqual(json.loads(self.must("secret", "export", "--org", "acme").out)["secrets"], [])
        self.fails(1, "secret", "export", "--org", "nobody", says="nobody")
