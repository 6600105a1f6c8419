# SPDX-License-Identifier: Apache-2.0
"""drive_secrets.py - every way in for a value, and every listing of what is known of it."""
import json

TYPED_KINDS = ("plain", "quotes", "percent", "digits", "like base64", "seven bytes")


def save(surface, number, name, kind, value):
    """From a terminal, a file or a pipe, in turn."""
    if number % 3 == 0 and kind in TYPED_KINDS:
        surface.type_it(value, "secret", "set", name)
    elif number % 3 == 1:
        surface.must("secret", "set", name, "--description", "an example", "--file", surface.write("value", value))
    else:
        surface.must("secret", "set", name, given=value + b"\n")


def import_all(surface, values):
    """All of them from one file of each format, into an organization of their own; again, and with other values."""
    surface.must("org", "create", "imported")
    document = {name: {"value": value.decode(), "description": "imported"} for name, value in values.items()}
    path = surface.write("import.json", json.dumps(document))
    arguments = ("--org", "imported", "secret", "import", path)
    surface.must(*arguments, "--dry-run")
    surface.must(*arguments)
    surface.must("--json", *arguments)
    surface.must("--org", "imported", "secret", "import", "-", "--format", "json", "--environment", "staging",
                 given=json.dumps({name: value.decode() for name, value in values.items()}).encode())
    lines = [f"export {name}='{value.decode()}' # note" for name, value in values.items() if b"'" not in value]
    surface.must("--org", "imported", "secret", "import", surface.write("first.env", "\n".join(lines)),
                 "--environment", "prod", "--replace")
    turned = list(zip(values, reversed(values.values())))  # other values under the same names
    path = surface.write("turned.json", json.dumps({name: value.decode() for name, value in turned}))
    surface.run_it("--org", "imported", "secret", "import", path)
    surface.must("--org", "imported", "secret", "import", path, "--replace")


def import_badly(surface, name, value):
    """Files that are wrong around the value: the error names lines, and quotes nothing."""
    text = value.decode()
    if text.isdigit():  # a good name
        return
    for number, content in enumerate((f"{name}='{text}", f"{text}={text}", f"a b={text}\n{text}\n", f"{name}=x\n{text}")):
        surface.run_it("secret", "import", surface.write("bad.env", content), "--dry-run")
        if number == 0:
            surface.run_it("--json", "secret", "import", surface.write("bad.env", content))
    for content in ('{"%s": "x"' % text, json.dumps({text: text}), '{"A": "' + text, json.dumps({"A": {"value_b64": text}}),
                    json.dumps({"A": [text]}), '{"A": %s}' % text):
        surface.run_it("secret", "import", surface.write("bad.json", content), "--dry-run")


def look(surface, name):
    for arguments in (("secret", "list"), ("--json", "secret", "list"), ("secret", "show", name),
                      ("--json", "secret", "show", name), ("secret", "history", name),
                      ("--json", "secret", "history", name)):
        surface.must(*arguments)


def live(surface, name, value):
    """Versions, rules, environments, and the end."""
    surface.must("secret", "set", name, "--environment", "staging", given=value)
    surface.must("secret", "set", name, "--environment", "staging", given=b"v" + value[1:])
    surface.must("secret", "rollback", name, "1", "--environment", "staging")
    surface.run_it("secret", "rollback", name, "99")
    surface.must("secret", "policy", name, "--environment", "staging", "--hosts", "api.example.com", "--positions",
                 "header,body", "--expires", "2099-01-31", "--min-search", "4", "--keep", "3")
    surface.must("secret", "show", name, "--environment", "staging")
    surface.must("secret", "history", name, "--environment", "staging")
    surface.must("secret", "delete", name, "--environment", "staging")


def look_at_all(surface):
    surface.must("secret", "export")
    surface.must("--org", "imported", "secret", "export")
    surface.must("org", "list")
    surface.must("--json", "org", "list")
    surface.must("org", "show")
    surface.must("org", "set", "redact-scope", "run")
    surface.must("org", "set", "redact-scope", "organization")
