# SPDX-License-Identifier: Apache-2.0
"""secret policy, history, rollback, environments, who used a secret: its life beside its value."""
import json

from harness import CANARY, CANARY_TYPED, HomeCase
from receiver import Receiver


def connector(url, header=None, query="", body=None, lookup=None):
    made = {"name": "Life", "status": "active", "example_payload": {"id": "7"},
            "perform": {"url": url + "/p" + query, "headers": header or {}, "body": body or {"a": 1}}}
    if lookup is not None:
        made["process"] = {"lookup": {"url": url + "/l", "headers": lookup}}
    return json.dumps(made)


class Policy(HomeCase):
    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def run_with(self, *args, **parts):
        path = self.write("c.json", connector(self.receiver.url, **parts))
        result = self.run_it("run", "--json", "--allow-private", path, *args)
        return json.loads(result.out)

    def policy(self, *args):
        self.must("secret", "policy", "CRM_API_KEY", *args)

    def test_positions(self):
        key = "$secret.CRM_API_KEY"
        parts = {"header": {"header": {"X-Key": key}}, "query": {"query": "?k=" + key},
                 "path": {"query": "/" + key}, "body": {"body": {"k": key}}}
        for allowed in parts:
            self.policy("--positions", allowed)
            for used, what in parts.items():
                before = len(self.receiver.requests)
                event = self.run_with(**what)
                with self.subTest(allowed=allowed, used=used):
                    is_sent = len(self.receiver.requests) > before
                    self.assertEqual((event["status"], is_sent),
                                     ("completed", True) if used == allowed else ("failed", False), event)
                    if used != allowed:
                        self.assertIn("may not stand in", event["error"]["message"])
        self.policy("--positions", "any")
        self.assertEqual(self.run_with(**parts["body"])["status"], "completed")

    def test_a_changed_value_is_still_that_secret(self):
        self.policy("--positions", "header")
        coded = "base64Encode($secret.CRM_API_KEY)"
        event = self.run_with(body={"k": coded})
        self.assertEqual(event["status"], "failed", event)
        self.assertEqual(self.receiver.requests, [])
        event = self.run_with(header={"Authorization": coded})
        self.assertEqual(event["status"], "completed", event)

    def test_hosts(self):
        header = {"X-Key": "$secret.CRM_API_KEY"}
        for hosts, status in (("127.0.0.1", "completed"), ("api.crm.example", "failed"),
                              ("api.crm.example,127.0.0.1", "completed"), ("*.0.0.1", "completed"),
                              ("*.127.0.0.1", "failed"), ("any", "completed")):
            self.policy("--hosts", hosts)
            before = len(self.receiver.requests)
            event = self.run_with(header=header)
            with self.subTest(hosts=hosts):
                self.assertEqual(event["status"], status, event)
                self.assertEqual(len(self.receiver.requests) > before, status == "completed")
                if status == "failed":
                    self.assertIn("may not stand in a request to this host", event["error"]["message"])

    def test_a_lookup_obeys_too(self):
        self.policy("--hosts", "api.crm.example")
        event = self.run_with(lookup={"X-Key": "$secret.CRM_API_KEY"})
        self.assertEqual((event["status"], event["error"]["step"]), ("failed", "lookup"), event)
        self.assertEqual(self.receiver.requests, [])

    def test_a_dry_run_says_it_too(self):
        self.policy("--positions", "query")
        event = self.run_with("--dry-run", header={"X-Key": "$secret.CRM_API_KEY"})
        self.assertIn("may not stand in a header", event["error"]["message"])

    def test_a_secret_without_rules_goes_on(self):
        self.policy("--hosts", "api.crm.example", "--positions", "query")
        self.assertEqual(self.run_with(body={"k": "$secret.ODD_ONE"})["status"], "completed")

    def test_expiry(self):
        header = {"X-Key": "$secret.CRM_API_KEY"}
        self.policy("--expires", "2020-01-01")
        event = self.run_with(header=header)
        self.assertEqual((event["status"], event["error"]["step"]), ("failed", "secrets"))
        self.assertIn("secret CRM_API_KEY has expired", event["error"]["message"])
        self.assertEqual(self.receiver.requests, [])
        for when in ("2099-12-31", "2099-12-31T23:59:59Z", "never"):
            self.policy("--expires", when)
            self.assertEqual(self.run_with(header=header)["status"], "completed")

    def test_what_is_not_named_stays(self):
        self.policy("--hosts", "A.example", "--expires", "2099-01-02", "--min-search", "8")
        self.policy("--keep", "4")
        info = json.loads(self.must("secret", "show", "--json", "CRM_API_KEY").out)
        self.assertEqual((info["hosts"], info["expires"], info["min_search"], info["keep"], info["positions"]),
                         ("a.example", "2099-01-02T00:00:00Z", 8, 4, ""))

    def test_wrong_rules(self):
        for args, says in ((("--expires", "tomorrow"), "takes a date"), (("--expires", "2027-02-30"), "takes a date"),
                           (("--expires", "1970-01-01"), "takes a date"), (("--keep", "0"), "from 1 to 50"),
                           (("--keep", "x"), "from 1 to 50"), (("--positions", "cookie"), "header, path"),
                           (("--positions", "header,"), "header, path"), (("--min-search", "0"), "1 to 64"),
                           ((), "no rule is named")):
            self.fails(2, "secret", "policy", "CRM_API_KEY", *args, says=says)
        for args, says in ((("--keep", "51"), "1 to 50"), (("--hosts", "https://a"), "host name"),
                           (("--hosts", "a:443"), "host name"), (("--min-search", "65"), "1 to 64")):
            self.fails(1, "secret", "policy", "CRM_API_KEY", *args, says=says)
        self.fails(1, "secret", "policy", "CRM_API_KEX", "--keep", "1", says="did you mean CRM_API_KEY")

    def test_minimum_length_for_search(self):
        self.must("secret", "set", "PIN", stdin=b"q7Z")
        text = b"pin q7Z key " + CANARY.encode() + b"\n"
        self.assertIn(b"q7Z", self.must("redact", stdin=text).out)
        self.must("secret", "policy", "PIN", "--min-search", "3")
        self.assertEqual(self.must("redact", stdin=text).out, b"pin [REDACTED] key [REDACTED]\n")


class Versions(HomeCase):
    def test_history_and_rollback(self):
        self.must("secret", "set", "CRM_API_KEY", stdin=CANARY_TYPED.encode())
        self.must("secret", "rollback", "CRM_API_KEY", "1")
        versions = json.loads(self.must("secret", "history", "--json", "CRM_API_KEY").out)
        self.assertEqual([(v["version"], v["from"]) for v in versions], [(3, 1), (2, None), (1, None)])
        self.assertTrue(all(v["by"].startswith("cli:uid=") for v in versions))
        receiver = Receiver()
        self.addCleanup(receiver.close)
        path = self.write("c.json", connector(receiver.url, header={"X-Key": "$secret.CRM_API_KEY"}))
        self.must("run", "--allow-private", path)
        self.assertEqual(receiver.requests[0][2]["X-Key"], CANARY)
        self.assertIn("from version 1", self.must("secret", "history", "CRM_API_KEY").out.decode())

    def test_wrong_versions(self):
        self.fails(1, "secret", "rollback", "CRM_API_KEY", "1", says="the newest one already")
        self.fails(1, "secret", "rollback", "CRM_API_KEY", "7", says=["no version 7", "versions 1 to 1 are kept"])
        self.fails(2, "secret", "rollback", "CRM_API_KEY", "x", says="a version is a number")
        self.fails(2, "secret", "rollback", "CRM_API_KEY", "0", says="a version is a number")
        self.fails(1, "secret", "history", "NOT_THERE", says="no secret NOT_THERE")

    def test_fewer_are_kept_at_once(self):
        for i in range(4):
            self.must("secret", "set", "CRM_API_KEY", stdin=b"value-number-%d" % i)
        self.must("secret", "policy", "CRM_API_KEY", "--keep", "2")
        versions = json.loads(self.must("secret", "history", "--json", "CRM_API_KEY").out)
        self.assertEqual([v["version"] for v in versions], [5, 4])
        self.assertEqual(self.must("redact", stdin=b"value-number-0 value-number-3").out, b"value-number-0 [REDACTED]")


class Environments(HomeCase):
    def setUp(self):
        super().setUp()
        self.must("secret", "set", "CRM_API_KEY", "--environment", "staging", stdin=CANARY_TYPED.encode())
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.path = self.write("c.json", connector(self.receiver.url, header={"X-Key": "$secret.CRM_API_KEY"}))

    def sent(self, *args):
        self.must("run", "--allow-private", self.path, *args)
        return self.receiver.requests[-1][2]["X-Key"]

    def test_a_run_gets_its_own_or_the_default(self):
        self.assertEqual(self.sent(), CANARY)
        self.assertEqual(self.sent("--environment", "staging"), CANARY_TYPED)
        self.assertEqual(self.sent("--environment", "production"), CANARY)
        self.must("secret", "delete", "CRM_API_KEY")
        self.assertEqual(self.sent("--environment", "staging"), CANARY_TYPED)
        result = self.run_it("run", "--json", "--allow-private", self.path)
        self.assertEqual(result.code, 1)
        self.assertEqual(json.loads(result.out)["status"], "failed")

    def test_values_of_all_are_redacted(self):
        text = ("%s %s" % (CANARY, CANARY_TYPED)).encode()
        self.assertEqual(self.must("redact", stdin=text).out, b"[REDACTED] [REDACTED]")
        self.assertEqual(self.must("redact", "--marker-names", stdin=text).out,
                         b"[REDACTED:CRM_API_KEY] [REDACTED:CRM_API_KEY@staging]")

    def test_render(self):
        self.must("render", "--environment", "staging", "--", "$secret.CRM_API_KEY")
        self.fails(1, "render", "--environment", "St", "--", "$secret.CRM_API_KEY", says="1 to 32 of a-z")

    def test_they_are_apart(self):
        self.must("secret", "policy", "CRM_API_KEY", "--environment", "staging", "--keep", "1")
        shown = [json.loads(self.must("secret", "show", "--json", "CRM_API_KEY", *more).out)
                 for more in ((), ("--environment", "staging"))]
        self.assertEqual([(s["environment"], s["keep"]) for s in shown], [("", 10), ("staging", 1)])
        names = [(s["name"], s["environment"]) for s in json.loads(self.must("secret", "list", "--json").out)]
        self.assertEqual(names, [("CRM_API_KEY", ""), ("CRM_API_KEY", "staging"), ("ODD_ONE", "")])
        self.assertIn("CRM_API_KEY@staging", self.must("secret", "list").out.decode())
        self.fails(1, "secret", "show", "CRM_API_KEY", "--environment", "prod",
                   says=["in the environment prod", "in another environment, or as the default"])
        self.fails(1, "secret", "set", "KEY", "--environment", "-x", stdin=b"abcdefgh", says="1 to 32 of a-z")


class Uses(HomeCase):
    def test_who_used_it_and_who_will_miss_it(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        path = self.write("c.json", connector(receiver.url, header={"X-Key": "$secret.CRM_API_KEY"}))
        info = lambda: json.loads(self.must("secret", "show", "--json", "CRM_API_KEY").out)
        self.assertEqual(info()["used_by"], [])
        self.must("run", "--dry-run", path)
        self.assertEqual(info()["used_by"], [])  # nothing was opened
        self.must("run", "--allow-private", path)
        self.must("run", "--allow-private", path)
        (use,) = info()["used_by"]
        self.assertEqual((use["connector"], use["version"]), ("Life", 1))
        self.write("d.json", connector(receiver.url, header={"X-Key": "$secret.CRM_API_KEY"})
                   .replace('"Life"', '"Other"'))
        self.must("run", "--allow-private", self.dir + "/d.json")
        self.assertEqual([u["connector"] for u in info()["used_by"]], ["Other", "Life"])
        self.assertIn("never", self.must("secret", "list").out.decode())  # ODD_ONE
        err = self.must("secret", "delete", "CRM_API_KEY").err.decode()
        for text in ("the connector Other used this secret", "the connector Life used this secret"):
            self.assertIn(text, err)
        self.must("secret", "set", "CRM_API_KEY", stdin=b"a new value for it")
        self.assertEqual(info()["used_by"], [])
