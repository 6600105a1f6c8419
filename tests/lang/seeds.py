#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cases of this folder as inputs of the fuzz targets: `seeds.py STAMP FOLDER CASES...` fills
FOLDER/{lex,compile,render,json}, a file an input, in the form that each target reads, and touches STAMP. So a case
is also replayed against the properties of the targets, and the fuzzers begin with all that the tests know.
"""
import hashlib
import pathlib
import re
import shutil
import sys

import pipe

SINKS = [b"url", b"query", b"header", b"json", b"form", b"xml", b"text", b"condition", b"value"]  # kr_sink
MODES = {b"strict": 0, b"nullish": 1, b"empty": 2}


def two_secrets(template):
    """The render target knows the secrets A and B."""
    names = {}

    def short(match):
        return b"$secret." + names.setdefault(match.group(1), b"AB"[len(names):][:1] or b"B")

    return re.sub(rb"\$secret\.([A-Z0-9_]+)", short, template)


def inputs(case):
    def get(key, fallback=b""):
        return case.get(key, [fallback])[0]

    template, payload = get("template"), get("payload")
    sink = SINKS.index(get("sink", b"text"))
    yield "lex", template
    yield "compile", bytes([sink]) + template
    if b"\0" not in template:
        mode = MODES[get("missing", b"strict")] | (4 if get("raw") == b"true" else 0)
        mode |= (16 if get("preview") == b"true" else 0) | (64 if get("decide") == b"true" else 0)
        yield "render", bytes([sink, mode]) + two_secrets(template) + b"\0" + payload
    if payload:
        yield "json", payload


def main(stamp, folder, paths):
    shutil.rmtree(folder, ignore_errors=True)
    n_written = 0
    for case in pipe.read_cases(paths):
        for target, data in inputs(case):
            place = pathlib.Path(folder, target)
            place.mkdir(parents=True, exist_ok=True)
            (place / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
            n_written += 1
    if n_written == 0:
        sys.exit("seeds: there is no case in these files")
    pathlib.Path(stamp).touch()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
