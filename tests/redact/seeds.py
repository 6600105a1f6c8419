#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of this folder as inputs of the fuzz targets: `seeds.py STAMP FOLDER TABLES...` reads the rows of each C
file of tests and fills FOLDER/{redact_diff,redact_stream,redact_json}, a file an input, in the form of
fuzz/redact_case.h, and touches STAMP. So a row is also replayed against the properties of the targets, and the
fuzzers begin with all that the tests know.
"""
import ast
import hashlib
import json
import pathlib
import re
import shutil
import sys

TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"|[A-Za-z_]\w*|\d+|[{},()]')
COMMENTS = re.compile(r"/\*.*?\*/", re.S)
LONGEST_VALUE = 0xEF
SEARCH, SHORT_ONES = 1, 8  # choice[0] of redact_diff
JSON, TEXT, SPANS, JSON_SPANS = range(4)  # choice[0] of redact_json
FAR = b"\xff\xb0" + b"\xff\x60.\xff" * 16 + b"\xff\x60.\x0c"  # nearly a piece of the sieve
CUT, UPDATE, FLUSH, SPAN = b"\xff\x70", b"\xff\x80", b"\xff\x90", b"\xff\xa0"


def literal(token):
    """C's escapes in these tables are Python's, but that \\x has two digits there."""
    return ast.literal_eval("b" + token.replace("\\?", "?"))


class Table:
    """What stands between the braces of a C initializer: lists, bytes, and names and numbers as they are."""

    def __init__(self, text):
        self.macros = {name: body for name, body in re.findall(r'^#define (\w+) (".*")$', text, re.M)}
        self.text = COMMENTS.sub("", text)

    def read(self, declaration):
        start = self.text.find(declaration)
        if start < 0:
            return []
        self.tokens = TOKENS.findall(self.text, self.text.index("{", start))
        return self.group()

    def group(self):
        items = []
        self.tokens.pop(0)
        joined = None  # of adjacent strings
        while True:
            token = self.tokens[0]
            if token == "{":
                items.append(self.group())
                continue
            self.tokens.pop(0)
            if token == "}" or token == ",":
                if joined is not None:
                    items.append(joined)
                joined = None
                if token == "}":
                    return items
            elif token in self.macros:
                for part in TOKENS.findall(self.macros[token]):
                    joined = (joined or b"") + (literal(part) if part[0] == '"' else literal(self.macros[part]))
            elif token[0] == '"':
                joined = (joined or b"") + literal(token)
            elif token not in "()":
                items.append(token)


def rows(path):
    """(values, how many of them are known at first, texts, is JSON)"""
    table = Table(pathlib.Path(path).read_text())
    listed = table.read("static const char *const values[]")
    for row in table.read("static const row rows[]"):
        name, second, *rest = row
        if isinstance(second, list):
            yield [value for value in second if value != "NULL"], 1, rest[:1], False
        elif rest[0] in ("true", "false"):
            yield listed[:8], len(listed[:8]), [second], rest[0] == "true"
        elif len(row) == 8:
            values = [b"" if value == "NULL" else value for value in (second, rest[0])]
            yield values, 1, rest[1:3], False
        else:
            yield [second], 1, rest[:1], False


def quoted(text):
    return text.replace(b"\xff", b"\xff\xf0")


def encode(values, choice, second, text):
    head = bytes([len(values) - 1 | choice << 3, 0, second])
    return head + b"".join(bytes([len(value)]) + value for value in values) + text


def inputs(values, n_known, texts, is_json, turn):
    values = values or [b""]
    whole = b"".join(texts)
    text = quoted(whole)
    some = values[turn % len(values)]
    spelled = b"".join(bytes([0xFF, kind << 4 | at, turn % 251, at]) + b"-" for at in range(len(values)) for kind in (1, 2))
    yield "redact_diff", encode(values, 0, 0, text)
    yield "redact_diff", encode(values, SHORT_ONES if turn % 4 == 0 else 2 * (turn % 4), 0, text + SPAN + b"\x05" + spelled)
    yield "redact_diff", encode(values, SEARCH | turn % 2 * 2, 0xFF, text + quoted(some))
    if turn % 4 == 0:
        yield "redact_diff", encode(values, 0, 0, FAR + text + spelled)
    level = turn % 4
    half = len(whole) // 2
    yield "redact_stream", encode(values, level, 7 | 1 << 3, text)
    yield "redact_stream", encode(values, level | 8, 7, quoted(whole[:half]) + FLUSH + quoted(whole[half:]) + CUT + spelled)
    middle = texts if len(texts) == 2 else [whole[:half], whole[half:]]
    late = UPDATE.join(map(quoted, middle)) + UPDATE + spelled
    yield "redact_stream", encode(values, level, n_known - 1 if len(texts) == 2 else 0, late)
    yield "redact_json", encode(values, JSON if is_json else TEXT, 0, text)
    yield "redact_json", encode(values, SPANS, 0, text + SPAN + b"\x03" + spelled)
    if is_json:
        yield "redact_json", encode(values, JSON_SPANS, 0, text)
    else:
        leaf = json.dumps({"k": whole.decode("utf-8", "replace"), some.decode("utf-8", "replace"): [1, True]}, ensure_ascii=turn % 2 == 0)
        yield "redact_json", encode(values, JSON, 0, quoted(leaf.encode()))


def main(stamp, folder, paths):
    shutil.rmtree(folder, ignore_errors=True)
    for path in paths:
        n_rows = 0
        for values, n_known, texts, is_json in rows(path):
            n_rows += 1
            if any(len(value) > LONGEST_VALUE for value in values):
                continue
            for target, data in inputs(values, n_known, texts, is_json, n_rows):
                place = pathlib.Path(folder, target)
                place.mkdir(parents=True, exist_ok=True)
                (place / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        if n_rows == 0:
            sys.exit(f"seeds: there is no row in {path}")
    pathlib.Path(stamp).touch()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
