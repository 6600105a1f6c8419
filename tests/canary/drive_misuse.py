# SPDX-License-Identifier: Apache-2.0
"""drive_misuse.py - a value where it stands by mistake on a command line, where malformed requests come from.

On a command line there is no NUL and a limit of length; text of A-Z, 0-9 and '_' alone, or of a-z, 0-9 and '-', is a
good name, and names are shown; with dots too, it is a good host, and a policy's hosts are shown.
"""
LONGEST_ARGUMENT = 100_000


def rows(name, text):
    return (
        ("secret", "set", name, text), ("secret", "set", text), ("secret", "set", f"{name}={text}"),
        ("secret", "set", name, "--description", text), ("secret", "set", name, f"--value={text}"),
        ("secret", "set", name, "--value", text), ("secret", "set", name, "--environment", text),
        ("secret", "show", text), ("secret", "show", name, "--environment", text), ("secret", "delete", text),
        ("secret", "history", text), ("secret", "rollback", name, text), ("secret", "rollback", text, "1"),
        ("secret", "import", "-", "--format", text), ("secret", "export", text),
        ("secret", "policy", name, "--hosts", text), ("secret", "policy", name, "--positions", text),
        ("secret", "policy", name, "--expires", text), ("secret", "policy", name, "--keep", text),
        ("secret", "policy", name, "--min-search", text), ("secret", "policy", text),
        (text,), ("secret", text), ("org", text), ("--" + text, "secret", "list"), ("--json", "secret", "set", name, text),
        ("events", "show", text), ("events", "list", "--limit", text),
        ("org", "set", "redact-scope", text), ("org", "set", text, "on"), ("org", "create", text), ("org", "delete", text, "--yes"),
        ("--org", text, "secret", "list"), ("--org", text, "redact"),
        ("key", "forget", text), ("key", "rotate", text), ("key", "rekey", text), ("--key-source", text, "init"),
        ("--passphrase-fd", text, "secret", "list"), ("redact", "--no-form", text), ("render", "--sink", text, "--", "x"),
        ("dump", "--sink", text, "--code", "--", "x"), ("functions", text), ("help", text), ("help", "secret", text),
        ("status", text), ("verify", text), ("purge", text), ("init", text),
    )


def is_given(text):
    is_name = all(c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_" for c in text) or \
        all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in text)
    return not is_name and len(text.encode()) < LONGEST_ARGUMENT


def misuse(surface, number, name, value, every):
    """Every row, or, in turn, each `every`-th of them."""
    text = value.decode()
    if not is_given(text):
        return
    is_host = all(c.isascii() and (c.isalnum() or c in ".-") for c in text)
    for at, arguments in enumerate(rows(name, text)):
        if (at + number) % every == 0 and not (is_host and "--hosts" in arguments):
            surface.run_it(*arguments, given=b"another value " + name.encode())
