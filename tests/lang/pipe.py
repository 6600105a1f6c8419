# SPDX-License-Identifier: Apache-2.0
"""Talks to pipe.c: many cases in, an answer to each out. The fields are described there."""
import json
import os
import struct
import subprocess
import sys


def case(sink, template=None, payload=None, secrets=None, fields=None, **more):
    """One case as pipe.c reads it; data given as Python values becomes JSON."""
    out = [("s", sink)]
    if template is not None:
        out.append(("t", template))
    if payload is not None:
        out.append(("p", payload if isinstance(payload, (str, bytes)) else json.dumps(payload)))
    for name, value in (secrets or {}).items():
        out.append(("S", name.encode() + b"=" + (value if isinstance(value, bytes) else value.encode())))
    for name, (marks, is_untrusted) in (fields or {}).items():
        out.append(("F", name + "=" + ",".join(marks) + (" untrusted" if is_untrusted else "")))
    for key, value in more.items():
        if value is not None and value is not False:
            out.append((key, "" if value is True else value))
    return out


def _pack(fields):
    parts = []
    for key, value in fields + [(".", "")]:
        data = value if isinstance(value, bytes) else value.encode()
        parts.append(key.encode() + struct.pack("<I", len(data)) + data)
    return b"".join(parts)


class Answer:
    """kind: ok, compile, render or payload; the rest as far as there is any."""

    def __init__(self, fields):
        self.kind = fields["k"][0].decode() if "k" in fields else "?"
        self.out = fields.get("o", [None])[0]
        self.errors = [self._error(line) for line in fields.get("e", [])]
        self.lints = [self._error(line)[:3] for line in fields.get("i", [])]
        self.spans = [self._span(line) for line in fields.get("s", [])]
        self.derived = [tuple(line.split(b"|", 2)) for line in fields.get("d", [])]
        self.is_null = "n" in fields
        self.truth = fields.get("c", [None])[0]
        self.fuel = int(fields.get("f", [b"0"])[0])
        self.n_code = int(fields.get("N", [b"0"])[0])
        self.tree = fields.get("T", [None])[0]
        self.canonical = fields.get("C", [None])[0]

    @staticmethod
    def _error(line):
        code, offset, length, message = line.decode("utf-8", "replace").split(" ", 3)
        return int(code), int(offset), int(length), message

    @staticmethod
    def _span(line):
        offset, length, secrets, context, transforms = line.decode().split("|")
        return (int(offset), int(length), frozenset(secrets.split(",")),
                tuple(t for t in transforms.split(",") if t), context)

    @property
    def code(self):
        return self.errors[0][0] if self.errors else 0

    def result(self):
        """All that a user sees."""
        return (self.kind, self.out, self.spans, self.errors, self.lints, self.is_null, self.truth, self.derived)

    def __repr__(self):
        return f"{self.kind} {self.out if self.out is None or len(self.out) < 300 else len(self.out)} {self.spans} {self.errors[:2]}"


def run(executable, cases):
    done = subprocess.run([executable], input=b"".join(_pack(c) for c in cases), stdout=subprocess.PIPE, check=True)
    data, at, answers, fields = done.stdout, 0, [], {}
    while at < len(data):
        key = chr(data[at])
        length = struct.unpack_from("<I", data, at + 1)[0]
        if key == ".":
            answers.append(Answer(fields))
            fields = {}
        else:
            fields.setdefault(key, []).append(data[at + 5:at + 5 + length])
        at += 5 + length
    assert len(answers) == len(cases), (len(answers), len(cases))
    return answers


class Report:
    """Counts; shows the first failures; the exit code of the test."""

    def __init__(self, shown=12):
        self.n_checks, self.n_failed, self.shown = 0, 0, int(os.environ.get("KROSYN_SHOWN", shown))

    def check(self, is_good, *what):
        self.n_checks += 1
        if is_good:
            return
        self.n_failed += 1
        if self.n_failed <= self.shown:
            print("FAIL", *(ascii(w) if not isinstance(w, str) else ascii(w)[1:-1] for w in what), sep="\n  ")

    def finish(self, title):
        print(f"{title}: {self.n_checks} checks, {self.n_failed} failed")
        sys.exit(1 if self.n_failed else 0)


def read_cases(paths):
    """The case files of this folder (runner.h) as dictionaries of lists."""
    found = []
    for path in paths:
        for line in open(path, "rb").read().split(b"\n"):
            if line.startswith(b"=== "):
                found.append({"name": [line[4:]]})
            elif line and not line.startswith(b"#"):
                key, text = line.split(b":", 1)
                text = text[1:] if text.startswith(b" ") else text
                if key.endswith(b"+"):
                    key, text = key[:-1], _unescape(text)
                found[-1].setdefault(key.decode(), []).append(text)
    return found


def _unescape(text):
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] != 0x5C:
            out.append(text[at])
            at += 1
        elif text[at + 1:at + 2] == b"x":
            out.append(int(text[at + 2:at + 4], 16))
            at += 4
        else:
            out += {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}[text[at + 1:at + 2]]
            at += 2
    return bytes(out)


def file_case(test, **more):
    """A case of the files as a case of the pipe."""
    one = lambda key: test.get(key, [None])[0]
    out = [("s", one("sink") or b"text"), ("t", one("template") or b"")]
    for key, letter in (("payload", "p"), ("lookup", "l"), ("processed", "r"), ("body", "B"), ("missing", "m"),
                        ("fuel", "f")):
        if one(key):
            out.append((letter, one(key)))
    for key, letter in (("raw", "w"), ("preview", "v"), ("decide", "D")):
        if one(key) == b"true":
            out.append((letter, ""))
    for line in test.get("secret", []):
        name, blank, value = line.partition(b" ")
        if blank:
            out.append(("S", name + b"=" + value))
    for line in test.get("field", []):
        name, marks = line.split(b" ", 1)
        words = [w for w in marks.replace(b",", b" ").split() if w not in (b"-", b"untrusted")]
        out.append(("F", name + b"=" + b",".join(words) + (b" untrusted" if b"untrusted" in marks else b"")))
    return out + [(key, "" if value is True else value) for key, value in more.items()]
