# SPDX-License-Identifier: Apache-2.0
"""render, check, run, events, redact: the work the command is for."""
import json
import os
import signal
import subprocess

from harness import CANARY, CANARY_ODD, KROSYN, HomeCase, Terminal
from receiver import Receiver

PAYLOAD = '{"id": "ORD-7", "name": "Jane Doe", "total": 89.99, "esc": "a\\u001b[31mb"}'


class Render(HomeCase):
    def test_secrets_show_as_marker(self):
        self.assertEqual(self.must("render", "--", "Bearer $secret.CRM_API_KEY").out,
                         b"Bearer [REDACTED]\n")

    def test_data(self):
        data = self.write("p.json", PAYLOAD)
        processed = self.write("x.json", '{"full": "J. D."}')
        result = self.must("render", "--payload", data, "--processed", processed, "--lookup",
                           processed, "--", "$payload.id $processed.full $lookup.full")
        self.assertEqual(result.out, b"ORD-7 J. D. J. D.\n")

    def test_payload_from_stdin(self):
        self.assertEqual(self.must("render", "--payload", "-", "--", "$payload.id",
                                   stdin=PAYLOAD.encode()).out, b"ORD-7\n")

    def test_template_file_without_its_final_newline(self):
        path = self.write("t.txt", "Bearer $secret.CRM_API_KEY\n")
        self.assertEqual(self.must("render", "--sink", "header", "--template", path).out,
                         b"Bearer [REDACTED]\n")

    def test_json_tells_where_each_secret_lands(self):
        result = json.loads(self.must("render", "--json", "--", "Bearer $secret.CRM_API_KEY").out)
        self.assertEqual(result["text"], "Bearer [REDACTED]")
        (span,) = result["spans"]
        self.assertEqual((span["secrets"], span["field"], span["transforms"], span["offset"]),
                         (["CRM_API_KEY"], "template", [], 7))

    def test_condition(self):
        data = self.write("p.json", PAYLOAD)
        for template, answer in (("greaterThan($payload.total, 50)", b"true\n"),
                                 ("equals($payload.id, \"x\")", b"false\n")):
            self.assertEqual(self.must("render", "--sink", "condition", "--payload", data, "--",
                                       template).out, answer)

    def test_needs_no_key_and_no_home(self):
        os.unlink(self.key_file())
        self.must("render", "--", "$secret.CRM_API_KEY")
        self.must("render", "--home", self.dir + "/nothing", "--", "$secret.NOT_THERE")

    def test_decision_on_a_secret_needs_the_organization(self):
        template = "if(startsWith($secret.CRM_API_KEY, 'kro'), 'yes-branch', 'no-branch')"
        self.fails(1, "render", "--", template, says="must not be given a secret")
        self.must("org", "set", "decide-on-secrets", "on")
        self.assertEqual(self.must("render", "--", template).out, b"[REDACTED]\n")
        self.fails(1, "render", "--sink", "condition", "--", "equals($secret.ODD_ONE, 'x')",
                   says="not known here")
        self.fails(1, "render", "--home", self.dir + "/nothing", "--", template, says="secret")
        self.must("org", "set", "decide-on-secrets", "off")
        self.fails(1, "render", "--", template, says="must not be given a secret")

    def test_secret_that_does_not_exist(self):
        self.fails(1, "render", "--", "$secret.CRM_API_KYE", says=["CRM_API_KYE", "CRM_API_KEY"])

    def test_bad_template_is_shown_with_its_place(self):
        result = self.fails(1, "render", "--", "Order\n \u00e9 $secrt.X now")
        lines = result.err.decode().split("\n")
        self.assertTrue(lines[0].startswith("krosyn: "), lines)
        self.assertTrue(lines[1].endswith(" 2:4") or lines[1].endswith(" 2:5"), lines)
        self.assertEqual(lines[2], "     \u00e9 $secrt.X now")
        self.assertRegex(lines[3], r"^ +\^+$")
        self.assertIn("hint: ", result.err.decode())
        column = int(lines[1].rsplit(":", 1)[1])
        self.assertEqual(lines[3].index("^"), 4 + column - 1)

    def test_bad_template_as_json(self):
        result = self.fails(1, "render", "--json", "--", "a $secrt.X")
        error = json.loads(result.err)["error"]
        self.assertEqual(error["line"], 1)
        self.assertIn(error["column"], (3, 4))
        self.assertEqual(error["column"], error["offset"] + 1)
        self.assertTrue(error["hint"])

    def test_long_line_is_shown_around_the_place(self):
        result = self.fails(1, "render", "--", "x" * 500 + " $secrt.X " + "y" * 500)
        shown = result.err.decode().split("\n")[2]
        self.assertIn("$secrt.X", shown)
        self.assertLess(len(shown), 120)

    def test_payload_that_is_not_json(self):
        path = self.write("bad.json", '{"customer": "kroPrivate",}')
        result = self.fails(1, "render", "--payload", path, "--", "a", says=["byte 26", "bad.json"])
        self.assertNotIn(b"kroPrivate", result.err)
        error = json.loads(self.fails(1, "render", "--json", "--payload", path, "--", "a").err)
        self.assertEqual(error["error"]["offset"], 26)
        self.fails(1, "render", "--payload", "/dev/null", "--", "a", says="is empty")
        self.fails(1, "render", "--payload", self.dir + "/none.json", "--", "a",
                   says="cannot open the payload")

    def test_payload_cannot_steer_a_terminal(self):
        data = self.write("p.json", PAYLOAD)
        args = ["render", "--payload", data, "--", "$payload.esc"]
        self.assertEqual(self.must(*args).out, b"a\x1b[31mb\n")
        terminal = Terminal(self, *args)
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.seen, b"a\\u001b[31mb\r\n")


def connector(url, **more):
    made = {
        "name": "Order alerts",
        "status": "active",
        "example_payload": json.loads(PAYLOAD),
        "trigger": "greaterThan($payload.total, 50)",
        "process": {"lookup": {"url": url + "/users/$payload.id",
                               "headers": {"Authorization": "Bearer $secret.CRM_API_KEY"}},
                    "fields": {"who": "concat($payload.name, \" (\", $lookup.tier, \")\")"}},
        "perform": {"url": url + "/hook/$secret.CRM_API_KEY",
                    "headers": {"X-Key": "$secret.CRM_API_KEY"},
                    "body": {"text": "New order from $processed.who", "odd": "$secret.ODD_ONE"}},
    }
    made.update(more)
    return json.dumps(made)


class Check(HomeCase):
    def test_good_connector(self):
        path = self.write("good.json", connector("https://crm.example.com"))
        out = self.must("check", path).out.decode()
        for text in ("secrets", "CRM_API_KEY", "perform.url", "data", "hosts",
                     "https://crm.example.com"):
            self.assertIn(text, out)
        self.assertNotIn("$secret.", out)
        (report,) = json.loads(self.must("check", "--json", path).out)
        self.assertTrue(report["ok"])
        kinds = {fact["kind"] for fact in report["facts"]}
        self.assertEqual(kinds, {"secret", "reference", "host"})

    def test_error_with_caret(self):
        bad = json.loads(connector("https://crm.example.com"))
        bad["perform"]["headers"]["X-Key"] = "$secrt.CRM_API_KEY"
        path = self.write("bad.json", json.dumps(bad))
        out = self.fails(1, "check", path).out.decode()
        self.assertIn("perform.headers.X-Key 1:", out)
        self.assertIn("^", out)
        self.assertIn("1 error", out)

    def test_missing_secret(self):
        path = self.write("c.json", connector("https://crm.example.com").replace(
            "ODD_ONE", "NOT_THERE"))
        out = self.fails(1, "check", path).out.decode()
        self.assertIn("missing secrets", out)
        self.assertIn("NOT_THERE", out)
        self.must("check", "--home", self.dir + "/none", path)

    def test_folder(self):
        for name in ("b.json", "a.json", ".hidden.json", "note.txt", "deeper/c.json"):
            self.write("all/" + name, connector("https://crm.example.com"))
        reports = json.loads(self.must("check", "--json", self.dir + "/all").out)
        self.assertEqual([os.path.basename(r["file"]) for r in reports], ["a.json", "b.json"])
        os.mkdir(self.dir + "/empty")
        self.fails(1, "check", self.dir + "/empty", says="no *.json")

    def test_not_json_and_not_there(self):
        path = self.write("x.json", '{"name": }')
        out = self.fails(1, "check", path).out.decode()
        self.assertIn("x.json", out)
        self.assertIn("^", out)
        self.assertIn(b"cannot open", self.fails(1, "check", self.dir + "/no.json").out)


class Run(HomeCase):
    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.path = self.write("c.json", connector(self.receiver.url))

    def test_completes_and_stores_a_redacted_event(self):
        result = self.must("run", "--json", "--allow-private", self.path)
        event = json.loads(result.out)
        self.assertEqual(event["status"], "completed")
        get, post = self.receiver.requests
        self.assertEqual(get[2]["Authorization"], "Bearer " + CANARY)
        self.assertEqual(post[1], "/hook/" + CANARY)
        self.assertEqual(json.loads(post[3])["odd"], CANARY_ODD)
        self.assertEqual(json.loads(post[3])["text"], "New order from Jane Doe (gold)")
        (attempt,) = event["perform"]["attempts"]
        self.assertEqual(attempt["request"]["url"], self.receiver.url + "/hook/[REDACTED]")
        shown = json.loads(self.must("events", "show", "--json", event["id"]).out)
        self.assertEqual(shown["status"], "completed")
        (listed,) = json.loads(self.must("events", "list", "--json").out)
        self.assertEqual(listed["id"], event["id"])
        for prefix in (event["id"][:18], event["id"][:8]):
            self.must("events", "show", prefix)
        table = self.must("events", "list").out.decode()
        for text in ("completed", "Order alerts", event["id"][:18]):
            self.assertIn(text, table)

    def test_for_people(self):
        name = 'Odd "name", {x]: \\'
        self.path = self.write("odd.json", connector(self.receiver.url, name=name))
        out = self.must("run", "--allow-private", self.path).out.decode()
        self.assertTrue(out.startswith("completed  " + name + "  "), out)
        self.assertIn("  lookup   GET %s/users/ORD-7  200" % self.receiver.url, out)
        self.assertIn("  perform  POST %s/hook/[REDACTED]  200" % self.receiver.url, out)
        self.assertEqual(json.loads(out[out.index("\n{"):])["connector"], name)

    def test_payload_and_skip(self):
        small = self.write("p.json", '{"total": 1, "id": "x", "name": "y"}')
        event = json.loads(self.must("run", "--json", self.path, "--payload", small).out)
        self.assertEqual(event["status"], "skipped")
        event = json.loads(self.must("run", "--json", self.path, "--payload", "-",
                                     stdin=b'{"total": 2, "id": "x", "name": "y"}').out)
        self.assertEqual(event["status"], "skipped")
        self.assertEqual(self.receiver.requests, [])

    def failed(self, *args):
        result = self.run_it("run", "--json", *args)
        self.assertEqual(result.code, 1, result)
        event = json.loads(result.out)
        self.assertEqual(event["status"], "failed")
        self.assertEqual(json.loads(self.must("events", "show", "--json", event["id"]).out)["id"],
                         event["id"])
        return event

    def test_private_address_is_refused(self):
        event = self.failed(self.path)
        self.assertIn("127.0.0.1", event["error"]["message"])
        self.assertIn("--allow-private", event["error"]["hint"])
        self.assertIn(b"  hint     ", self.run_it("run", self.path).out)
        self.assertEqual(self.receiver.requests, [])

    def test_unreachable_target(self):
        path = self.write("gone.json", connector("http://127.0.0.1:1"))
        self.assertEqual(self.failed("--allow-private", path)["error"]["step"], "lookup")
        out = self.run_it("run", "--allow-private", path)
        self.assertEqual(out.code, 1)
        self.assertIn(b"  error    lookup: ", out.out)
        self.assertEqual(out.out[:out.out.index(b"\n\n")].count(b"refused the connection"), 1)

    def test_target_that_answers_500(self):
        made = json.loads(connector(self.receiver.url))
        made["perform"]["url"] = self.receiver.url + "/broken/$secret.CRM_API_KEY"
        event = self.failed("--allow-private", self.write("b.json", json.dumps(made)))
        self.assertEqual(event["error"]["step"], "perform")

    def test_missing_secret_fails_before_the_network(self):
        path = self.write("m.json", connector(self.receiver.url).replace("ODD_ONE", "NOT_THERE"))
        error = self.failed("--allow-private", path)["error"]
        self.assertIn("NOT_THERE", error["message"])
        self.assertIn("krosyn secret set NOT_THERE", error["hint"])
        self.assertEqual(self.receiver.requests, [])

    def test_bad_template_is_shown_with_caret(self):
        path = self.write("t.json", connector(self.receiver.url).replace("$processed.who",
                                                                         "$procesed.who"))
        result = self.run_it("run", "--allow-private", path)
        self.assertEqual(result.code, 1, result)
        self.assertIn(b"^", result.err)
        self.assertIn(b"  error    compile: perform.body.text: ", result.out)
        self.assertEqual(self.receiver.requests, [])

    def test_input_that_is_no_json_makes_no_event(self):
        bad = self.write("bad.json", '{"total": 1, "who": "kroPrivate",}')
        result = self.fails(1, "run", self.path, "--payload", bad, says="byte 33")
        self.assertNotIn(b"kroPrivate", result.err)
        broken = self.write("broken.json", '{"name": ')
        self.fails(1, "run", broken, says="broken.json")
        self.fails(1, "run", self.dir + "/none.json", says="cannot open the connector")
        self.assertEqual(json.loads(self.must("events", "list", "--json").out), [])

    def test_dry_run_needs_no_key_no_network_and_stores_nothing(self):
        os.unlink(self.key_file())
        before = self.fingerprint()
        event = json.loads(self.must("run", "--json", "--dry-run", self.path).out)
        self.assertIn("/hook/[REDACTED]", json.dumps(event))
        self.assertEqual(self.receiver.requests, [])
        self.assertEqual(before, self.fingerprint())
        lookup = self.write("l.json", '{"tier": "silver"}')
        out = self.must("run", "--dry-run", "--lookup", lookup, self.path, "--home",
                        self.dir + "/none").out
        self.assertIn(b"silver", out)

    def test_event_cannot_steer_the_terminal(self):
        data = self.write("p.json", json.dumps({"total": 90, "id": "1", "name": "\u009b31m\u202e"},
                                               ensure_ascii=False))
        out = self.must("run", "--allow-private", "--payload", data, self.path).out
        self.assertIn(b"\\u009b31m\\u202e", out)
        self.assertNotIn("\u009b".encode(), out)
        self.assertNotIn("\u202e".encode(), out)

    def test_unknown_event(self):
        self.fails(1, "events", "show", "0192f3a0-7b1c")


class Redact(HomeCase):
    def test_values_of_the_organization(self):
        self.assertEqual(self.must("redact", stdin=b"key=" + CANARY.encode() + b"\nplain\n").out,
                         b"key=[REDACTED]\nplain\n")
        self.assertEqual(self.must("redact", "--marker-names", stdin=CANARY.encode()).out,
                         b"[REDACTED:CRM_API_KEY]")

    def test_other_organizations_values_are_not_its_business(self):
        self.must("org", "create", "acme")
        text = b"key=value-of-nobody\n"
        self.assertEqual(self.must("redact", "--org", "acme", stdin=text).out, text)

    def test_values_file_needs_no_home(self):
        values = self.write("v.json", json.dumps([CANARY, {"name": "N", "value": "second-value"}]))
        result = self.must("redact", "--home", self.dir + "/none", "--values", values,
                           "--marker-names", stdin=b"a second-value b " + CANARY.encode())
        self.assertIn(b"[REDACTED:N] b [REDACTED", result.out)

    def test_bad_values_file_is_not_shown(self):
        for text in ('["%s"' % CANARY, '{"a": "%s"}' % CANARY, '[{"value": ["%s"]}]' % CANARY,
                     CANARY):
            values = self.write("v.json", text)
            self.fails(1, "redact", "--values", values, stdin=b"x")

    def test_files_in_order(self):
        one = self.write("one", b"1 " + CANARY.encode() + b"\n")
        two = self.write("two", b"2\n")
        result = self.must("redact", two, "-", one, stdin=b"stdin\n")
        self.assertEqual(result.out, b"2\nstdin\n1 [REDACTED]\n")
        begun = self.write("begun", CANARY[:10])
        result = self.fails(1, "redact", begun, self.dir + "/none", says="cannot open",
                            opens_values=True)
        self.assertEqual(result.out, b"")  # the rest of a value may have been in the other file

    def test_beginning_of_a_value_before_a_read_error_is_not_shown(self):
        head = self.write("head.log", "seen " + CANARY[:-2])
        result = self.fails(1, "redact", head, self.dir, opens_values=True)
        self.assertEqual(result.out, b"seen ")

    def test_stats_and_fail_on_match(self):
        result = self.must("redact", "--stats", stdin=CANARY.encode() + b" " + CANARY.encode())
        self.assertIn(b"2 redacted", result.err)
        self.assertIn(b"CRM_API_KEY", result.err)
        stats = json.loads(self.must("redact", "--stats", "--json", stdin=b"none").err)
        self.assertEqual((stats["redacted"], stats["hits"]), (0, []))
        self.must("redact", "--fail-on-match", stdin=b"none")
        result = self.fails(1, "redact", "--fail-on-match", stdin=CANARY.encode(),
                            opens_values=True)
        self.assertEqual(result.out, b"[REDACTED]")

    def test_big_input_with_a_value_across_every_read(self):
        pad = b"x" * (65536 - 5)
        text = (pad + CANARY.encode() + b"\n") * 8
        self.assertEqual(self.must("redact", stdin=text).out, (pad + b"[REDACTED]\n") * 8)

    def test_writes_what_is_decided_before_the_input_ends(self):
        process = subprocess.Popen([KROSYN, "redact"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, env=self.environment())
        process.stdin.write(b"a line that is long enough to be decided at once\n")
        process.stdin.flush()
        first = os.read(process.stdout.fileno(), 20)
        self.assertTrue(b"a line that is long enough".startswith(first[:26]))
        process.stdin.close()
        process.stdout.read()
        self.assertEqual(process.wait(), 0)
        process.stdout.close()

    def test_reader_that_goes_away(self):
        for before in (None, lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN)):
            done = subprocess.run(
                ["sh", "-c", 'yes some text | head -c 4000000 | "$0" redact | head -c 10', KROSYN],
                env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                preexec_fn=before, restore_signals=before is None, check=False)
            self.assertEqual(done.stdout, b"some text\n")
            self.assertNotIn(b"krosyn", done.stderr)
