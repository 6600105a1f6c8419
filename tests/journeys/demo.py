#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job from end to end, each promise checked: `./dev demo`, and a test of `./dev test`.

usage: demo.py KROSYN RECEIVER

A fresh home with three random secrets; a receiver on loopback that plays CRM and webhook target and
echoes what it was sent; the connector docs/examples/slack-order-alerts.json pointed at it. Works in a
temporary folder of its own, touches no configuration of the user, prints no value, cleans up on every
path, and exits 1 if anything is not as promised.
"""
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.dont_write_bytecode = True
from search_home import find  # noqa: E402

EXAMPLE = os.path.join(HERE, "..", "..", "docs", "examples", "slack-order-alerts.json")
SEARCH = os.path.join(HERE, "..", "support", "search_home.py")
DESCRIPTIONS = {
    "CRM_API_KEY": "reads customers",
    "SLACK_WEBHOOK_PATH": "the orders channel",
    "TARGET_API_KEY": "identifies us to the target",
}


def step(letter, text):
    print(f"\n({letter}) {text}", flush=True)


def promise(text, holds):
    print(f"    {'ok' if holds else 'BROKEN'}: {text}", flush=True)
    if not holds:
        sys.exit("demo: a promise is broken, see the last line above")


def show(text):
    print("\n".join("    | " + line for line in text.rstrip("\n").split("\n")), flush=True)


def pretty(value, indent=""):
    """JSON, indented, but for what fits on a line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent + line) <= 110 or not isinstance(value, (dict, list)):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}: {pretty(item, inner)}" for key, item in value.items()]
    else:
        parts = [inner + pretty(item, inner) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + "\n" + ",\n".join(parts) + "\n" + indent + closing


def new_values():
    """Random, with the characters that escaping changes: slashes, '+', '=', quotes."""
    return {
        "CRM_API_KEY": f"crm_{secrets.token_hex(8)}+{secrets.token_hex(8)}/==",
        "SLACK_WEBHOOK_PATH": f"T{secrets.token_hex(4).upper()}/B{secrets.token_hex(4).upper()}/{secrets.token_urlsafe(18)}",
        "TARGET_API_KEY": f'tk "{secrets.token_urlsafe(12)}" \\{secrets.token_hex(6)}/&',
    }


class Receiver:
    """krosyn-receiver, told beforehand, in order and byte for byte, which requests must come."""

    def __init__(self, program, folder, expected):
        self.report = os.path.join(folder, "report")
        list_file = os.path.join(folder, "expected")
        with open(list_file, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(request) + "\n" for request in expected)
        self.process = subprocess.Popen(
            [os.path.abspath(program), "--expect", list_file, "--report", self.report, "--max-seconds", "300"],
            stdout=subprocess.PIPE, text=True)
        self.origin = None
        self.n_seen = 0

    def wait_for_port(self):
        self.origin = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def news(self):
        """The report's lines since the last call; one for each request."""
        with open(self.report, encoding="utf-8") as text:
            lines = text.read().splitlines()[self.n_seen:]
        self.n_seen += len(lines)
        return lines

    def stop(self):
        """Whether all that was expected came, exactly, and nothing else."""
        self.process.terminate()
        return self.process.wait(timeout=10) == 0


def expected_requests(values):
    lookup = {"name": "lookup", "method": "GET", "path": "/users/u-77?email=jane%2Bshop%40example.com",
              "headers": {"Authorization": "Bearer " + values["CRM_API_KEY"]}}
    perform = {"name": "perform", "method": "POST", "path": "/services/" + values["SLACK_WEBHOOK_PATH"],
               "headers": {"X-API-Key": values["TARGET_API_KEY"], "Content-Type": "application/json"},
               "body": '{"text":"New order from Jane Doe #ORD-12345","total":89.99}'}
    return [lookup, perform, lookup, {**perform, "path": "/fail/" + values["SLACK_WEBHOOK_PATH"]}]


class Demo:
    def __init__(self, krosyn, folder):
        self.krosyn = os.path.abspath(krosyn)
        self.folder = folder
        self.home = os.path.join(folder, "home")
        self.key = os.path.join(folder, "keys", "demo.key")
        self.values = new_values()
        kept = ("PATH", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
        self.environment = {k: v for k, v in os.environ.items() if k in kept}
        self.environment.update(HOME=folder, NO_COLOR="1")

    def run(self, *arguments, given="", codes=(0,)):
        """krosyn with these arguments; (exit code, stdout). No value may be in what it prints."""
        done = subprocess.run(
            [self.krosyn, "--home", self.home, "--key", self.key, *arguments],
            input=given, capture_output=True, text=True, env=self.environment, timeout=60, check=False,
        )
        shown = (done.stdout + done.stderr).encode()
        leaks = sorted(set(find(shown, {n: v.encode() for n, v in self.values.items()})))
        if leaks:
            sys.exit(f"demo: krosyn {arguments[0]} printed {leaks}")
        if done.returncode not in codes:
            sys.exit(f"demo: krosyn {' '.join(arguments)} ended with {done.returncode}, not {codes}:\n{done.stdout}{done.stderr}")
        return done.returncode, done.stdout

    def write(self, name, document):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            json.dump(document, out, indent=2)
        return path

    def connector(self, origin):
        """The example, its two hosts replaced by the receiver."""
        with open(EXAMPLE, encoding="utf-8") as text:
            document = text.read()
        for host in ("https://crm.example.com", "https://hooks.slack.com"):
            document = document.replace(host, origin)
        return json.loads(document)

    def run_connector(self, document, *more, codes=(0,)):
        """The exit code and the event of one run."""
        path = self.write("connector.json", document)
        code, out = self.run("run", path, "--allow-private", "--json", *more, codes=codes)
        return code, json.loads(out)

    def create(self):
        step("a", "A fresh home, its key file beside it, and three secrets that enter through stdin.")
        self.run("init")
        promise("krosyn init made the home and the key (mode 600, outside of the home)",
                os.stat(self.key).st_mode & 0o777 == 0o600)
        for name, value in self.values.items():
            self.run("secret", "set", name, "--description", DESCRIPTIONS[name], given=value + "\n")
        _, out = self.run("secret", "list")
        show(out)
        promise("krosyn secret list names all three and shows no value", all(n in out for n in self.values))

    def complete(self, receiver):
        step("c", "krosyn run: trigger, lookup at the CRM, fields, POST to the webhook.")
        _, event = self.run_connector(self.connector(receiver.origin))
        promise("the run completed", event["status"] == "completed")
        seen = receiver.news()
        show("\n".join(seen))
        promise("the receiver got exactly the right bytes: the key after `Bearer `, the e-mail encoded into the query,"
                " the path with its slashes, the body with the number's own digits",
                seen == ["request 1: GET lookup: exact", "request 2: POST perform: exact"])
        step("d", "What the event log holds of it (krosyn events show).")
        _, shown = self.run("events", "show", event["id"], "--json")
        stored = json.loads(shown)
        promise("the stored event is the one that run printed", stored == event)
        show(pretty(stored))
        look, send = (stored[part]["attempts"][0] for part in ("lookup", "perform"))
        promise("URL: /services/[REDACTED]", send["request"]["url"].endswith("/services/[REDACTED]"))
        promise("headers: Bearer [REDACTED], and X-API-Key: [REDACTED]",
                ["Authorization", "Bearer [REDACTED]"] in look["request"]["headers"]
                and ["X-API-Key", "[REDACTED]"] in send["request"]["headers"])
        promise("the lookup's answer echoed the key: [REDACTED]", "[REDACTED]" in json.dumps(look["response"]))
        promise("the target's answer echoed path and key: [REDACTED]", "[REDACTED]" in json.dumps(send["response"]))
        promise("what is no secret stays readable: New order from Jane Doe #ORD-12345",
                send["request"]["body"] == {"text": "New order from Jane Doe #ORD-12345", "total": 89.99})
        self.search()

    def search(self):
        """A separate program searches the home; it proves first that it can find."""
        done = subprocess.run([sys.executable, SEARCH, self.home], input=json.dumps(self.values),
                              capture_output=True, text=True, timeout=120, check=False)
        show(done.stdout + done.stderr)
        promise("no file of the home holds a value: raw, hex, base64, percent or JSON-escaped", done.returncode == 0)

    def others(self, receiver):
        step("e", "The same connector when things are otherwise.")
        small = self.connector(receiver.origin)["example_payload"]
        small["order"]["total"] = 20
        _, event = self.run_connector(self.connector(receiver.origin), "--payload", self.write("small.json", small))
        promise("an order of 20: the trigger is false, the event is skipped, nothing was sent",
                event["status"] == "skipped" and not receiver.news())

        missing = self.connector(receiver.origin)
        missing["perform"]["headers"]["X-Other"] = "$secret.NOT_THERE"
        _, event = self.run_connector(missing, codes=(1,))
        show(event["error"]["message"])
        promise("a secret that does not exist: a failed event that names it, before any network I/O",
                event["status"] == "failed" and "NOT_THERE" in event["error"]["message"] and not receiver.news())

        failing = self.connector(receiver.origin)
        failing["perform"]["url"] = receiver.origin + "/fail/$secret.SLACK_WEBHOOK_PATH"
        _, event = self.run_connector(failing, codes=(1,))
        answer = event["perform"]["attempts"][-1]["response"]
        show(json.dumps({"status": answer["status"], "body": answer["body"]}, ensure_ascii=False))
        promise("the target answers 500 with our key in its error text: the event is failed, the key is [REDACTED]",
                event["status"] == "failed" and answer["status"] == 500
                and answer["body"] == "internal error: cannot use key [REDACTED]"
                and receiver.news() == ["request 3: GET lookup: exact", "request 4: POST perform: exact"])
        _, out = self.run("events", "list")
        show(out)
        self.search()


def main(krosyn, receiver_program):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    folder = tempfile.mkdtemp(prefix="krosyn-demo-")
    receiver = None
    try:
        os.umask(0o077)
        demo = Demo(krosyn, folder)
        demo.create()
        step("b", "A receiver on loopback plays CRM and webhook target; it echoes the secrets it was sent.")
        receiver = Receiver(receiver_program, folder, expected_requests(demo.values))
        receiver.wait_for_port()
        print(f"    listening at {receiver.origin}")
        demo.complete(receiver)
        demo.others(receiver)
        promise("in all, the receiver got what was expected and nothing else", receiver.stop())
        print("\nEverything was as promised.")
    finally:
        if receiver is not None:
            receiver.process.kill()
            receiver.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
