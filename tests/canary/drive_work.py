# SPDX-License-Identifier: Apache-2.0
"""drive_work.py - every command that uses a value: runs that end well and badly, events, templates, the redactor."""
import base64
import json

SINKS = ("url", "query", "header", "json", "form", "xml", "text", "value")


def connector(surface, name, **more):
    """Into the URL, a header and the body, as it is and encoded; the target answers with all of it."""
    secret = f"$secret.{name}"
    document = {"name": "canary", "example_payload": {"x": 1},
                "process": {"lookup": {"url": surface.target.url + "/l", "query": {"k": secret}},
                            "fields": {"f": f'concat("Bearer ", {secret})'}},
                "perform": {"url": surface.target.url + f"/p?q={secret}", "headers": {"X-Key": f"hexEncode({secret})"},
                            "body": {"a": secret, "b": f"base64Encode({secret})", "c": "$processed.f"}}, **more}
    return surface.write("c.json", json.dumps(document))


def run(surface, name, value):
    """Runs of one secret, and what is kept of them; the first run's event."""
    path = connector(surface, name)
    surface.must("check", path)
    surface.must("--json", "check", path)
    event = json.loads(surface.run_it("--json", "run", path, "--allow-private", codes=(0, 1)).out)
    surface.must("events", "show", event["id"])
    surface.must("--json", "events", "show", event["id"])
    payload = surface.write("p.json", json.dumps({"x": "a", "y": ["b", 1]}))
    surface.run_it("run", path, "--allow-private", "--payload", payload, "--environment", "staging")
    surface.must("--json", "run", path, "--dry-run", "--lookup", payload)
    surface.must("run", path, "--dry-run")
    bad = {"url": surface.target.url + "/broken", "headers": {"K": f"$secret.{name}", "N": "$payload.not_there"}}
    surface.run_it("run", connector(surface, name, perform=bad), "--allow-private")
    surface.run_it("run", connector(surface, name, perform={"url": "http://127.0.0.1:1/$secret." + name}), "--allow-private")
    broken = {"url": surface.target.url + "/broken", "body": f"$secret.{name}"}
    surface.run_it("--json", "run", connector(surface, name, perform=broken), "--allow-private")
    return event


def run_with_value_inside(surface, value):
    """A connector or a payload that is wrong, and holds the value itself."""
    text = value.decode()
    surface.run_it("--json", "run", surface.write("c.json", b'{"name": "x", "perform": "%s"' % value.replace(b'"', b'\\"')))
    surface.run_it("run", surface.write("c.json", json.dumps({"name": "x", "perform": {"url": text}})), "--allow-private")
    surface.run_it("run", surface.write("c.json", json.dumps({"name": text, text: text, "perform": {"url": "https://a.example/"}})))
    path = surface.write("c.json", json.dumps({"name": "x", "perform": {"url": "http://127.0.0.1:1/$payload.x"}}))
    surface.run_it("run", path, "--allow-private", "--payload", surface.write("p.json", '{"x": "' + text))
    surface.run_it("--json", "run", path, "--allow-private", "--payload", surface.write("p.json", json.dumps({"x": text})))


def templates(surface, name):
    text = f"$secret.{name}"
    for sink in SINKS:
        surface.run_it("render", "--sink", sink, "--", text)
    surface.must("--json", "render", "--environment", "staging", "--template", surface.write("t", "Bearer " + text),
                 "--payload", surface.write("p.json", "{}"), "--lookup", surface.write("l.json", "{}"),
                 "--processed", surface.write("r.json", "{}"))
    surface.run_it("render", "--", f"${{concat({text}")
    surface.run_it("render", "--sink", "condition", "--", f"{text} == 'x'")
    for stage in ("--tokens", "--ast", "--code"):
        surface.must("dump", stage, "--sink", "header", "--", text)
    surface.must("dump", "--code", "--template", surface.write("t", "Bearer " + text))


def redact(surface, value, is_searched):
    """In and around the forms of it; is_searched: of 4 bytes or more."""
    text = value.decode()
    forms = (value, base64.b64encode(value), json.dumps(text).encode(), value.hex().encode())
    inside = b"\n".join(b"before " + form + b" after" for form in forms)
    log = surface.path("work", "log")
    if not is_searched:
        surface.must("redact", "--stats", given=b"nothing of it in here")
        return
    done = surface.must("redact", "--stats", given=inside)
    assert done.out.startswith(b"before [REDACTED] after\n"), "the marker does not stand where the value stood"
    surface.must("--json", "redact", "--marker-names", "--stats", "--no-form", "html,leaf", given=b"a " + value + b" b")
    surface.run_it("redact", "--fail-on-match", given=b"a " + value + b" b", codes=(1,))
    surface.must("redact", "--fail-on-match", given=b"nothing of it in here")
    with open(log, "wb") as out:
        out.write(b"x " + value + b" y")
    surface.must("redact", "--in-place", log)
    values = surface.write("values", json.dumps([text]))
    surface.must("redact", "--values", values, given=b"a " + value + b" b")
    for content in ('["%s"' % text, json.dumps([[text]]), json.dumps([{"name": "n", "value_b64": text + "!"}]), text):
        surface.run_it("redact", "--values", surface.write("values", content), given=b"x")


def events(surface):
    surface.must("events", "list")
    surface.must("--json", "events", "list", "--limit", "1000")
    for row in json.loads(surface.must("--json", "events", "list").out):
        surface.must("--json", "events", "show", row["id"])


def span_of(event):
    """Where a request put a value of any length there is the marker, exactly."""
    request = event["perform"]["attempts"][-1]["request"]
    body = request["body"]
    headers = dict(request["headers"])
    return {"url": request["url"].endswith("/p?q=[REDACTED]"), "header": headers["X-Key"] == "[REDACTED]",
            "body": body == {"a": "[REDACTED]", "b": "[REDACTED]", "c": "[REDACTED]"}}
