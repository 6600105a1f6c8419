#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Search every file of folders for secret values, in every form in which one could hide there.

usage: search_home.py DIR... < {"NAME": "value", ...}

Forms: raw; hex in any case; base64 in both alphabets and all three alignments (the core, so that any
prefix and suffix is covered); percent-encoded and JSON-escaped with any subset of characters escaped
(by decoding the file). Before it searches, it plants each value in each form in a file of its own and
must find every one, and must find nothing in a file without them: a search that cannot find proves
nothing. Prints names, forms and files, never a value. Exit code 0: no hit; 1: hits, or the proof failed.
"""
import base64
import json
import os
import re
import sys
import tempfile


def base64_cores(value, alphabet):
    """What every base64 text contains that encodes the value at one of the three alignments."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + value)
        if alphabet == "url":
            text = text.replace(b"+", b"-").replace(b"/", b"_")
        yield text[(8 * shift + 5) // 6 : 8 * (shift + len(value)) // 6]


def percent_decoded(data):
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), data)


def json_unescaped(data):
    short = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}

    def one(match):
        if match[1] is not None:  # a run of \uXXXX: pairs of surrogates belong together
            units = bytes.fromhex(re.sub(rb"\\u", b"", match[0]).decode())
            return units.decode("utf-16-be", "replace").encode()
        return short.get(match[2], match[2])

    return re.sub(rb"((?:\\u[0-9A-Fa-f]{4})+)|\\(.)", one, data, flags=re.S)


def find(data, values):
    """The (name, form) pairs that occur in data."""
    lowered = data.lower()
    views = {"percent": percent_decoded(data), "json": json_unescaped(data)}
    views["json in json"] = json_unescaped(views["json"])
    views["base64 in percent"] = views["percent"]
    for name, value in values.items():
        if value in data:
            yield name, "raw"
        if value.hex().encode() in lowered:
            yield name, "hex"
        for alphabet in ("standard", "url"):
            for shift, core in enumerate(base64_cores(value, alphabet)):
                if core in data or core in views["json"] or core in views["percent"]:
                    yield name, f"base64 {alphabet}, alignment {shift}"
        for form in ("percent", "json", "json in json"):
            if value in views[form] and value not in data:
                yield name, form


def plants(value):
    """(form, bytes) in which the value must be found."""
    yield "raw", b"x" + value + b"y"
    yield "hex", b"<" + value.hex().encode() + b">"
    yield "hex", b"<" + value.hex().upper().encode() + b">"
    for shift in range(3):
        text = base64.b64encode(b"abc"[:shift] + value + b"suffix")
        yield f"base64 standard, alignment {shift}", text
        yield f"base64 url, alignment {shift}", text.replace(b"+", b"-").replace(b"/", b"_")
    yield "percent", b"?" + b"".join(b"%%%02X" % b for b in value)
    yield "percent", b"?" + b"".join(b"%%%02x" % b if i % 2 else value[i : i + 1] for i, b in enumerate(value))
    yield "json", b'"' + b"".join(b"\\u%04x" % b for b in value) + b'"'
    yield "json", b'"' + json.dumps(value.decode())[1:-1].replace("/", "\\/").encode() + b"\\u0021" + b'"'
    yield "json in json", json.dumps('"' + "".join("\\u%04X" % b for b in value) + '"').encode()


def prove(values):
    """Plant and search; the faults found."""
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "planted")
        for name, value in values.items():
            for number, (form, data) in enumerate(plants(value)):
                with open(path, "wb") as out:
                    out.write(os.urandom(300) + data + os.urandom(300))
                found = {(n, f) for n, f, _, _ in search([folder], values)}
                escaped = form in ("percent", "json") and value in data  # nothing in it to escape
                if (name, "raw" if escaped else form) not in found:
                    faults.append(f"{name}: planted as {form} (number {number}) and not found")
        with open(path, "wb") as out:
            out.write(os.urandom(5000))
        if list(search([folder], values)):
            faults.append("a hit in a file of random bytes")
    return faults


def search(folders, values):
    """(name, form, file, size) of every hit; a file without one is not reported."""
    for path in files(folders):
        with open(path, "rb") as handle:
            data = handle.read()
        for name, form in find(data, values):
            yield name, form, path, len(data)


def files(folders):
    for folder in folders:
        for place, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                yield os.path.join(place, name)


def main(folders):
    values = {name: value.encode() for name, value in json.load(sys.stdin).items()}
    faults = prove(values)
    for fault in faults:
        print("the search cannot find:", fault)
    hits = list(search(folders, values))
    for name, form, path, _ in hits:
        print(f"HIT: {name} as {form} in {path}")
    paths = list(files(folders))
    size = sum(os.path.getsize(path) for path in paths)
    if not paths:
        faults.append("nothing to search")
    print(f"{len(hits)} hits for {len(values)} values in {len(paths)} files ({size} bytes); "
          f"the same search found every planted form" if not faults else "the search is not to be trusted")
    return 1 if hits or faults else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
