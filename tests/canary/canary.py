# SPDX-License-Identifier: Apache-2.0
"""canary.py - values of every kind that must be seen nowhere, and the search for them. See README.md."""
import base64
import html
import json
import os
import random
import re
import string
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.dont_write_bytecode = True
from search_home import files, find  # noqa: E402

MIN_SEARCHED_BYTES = 8  # random ones; shorter values are checked by position and by comparing
LONGEST_BYTES = 64 * 1024


def word(chance, size=12, letters=string.ascii_letters + string.digits):
    return "".join(chance.choice(letters) for _ in range(size))


def lines(chance, size, width=64):
    text = base64.b64encode(chance.randbytes(size)).decode()
    return "\n".join(text[i:i + width] for i in range(0, len(text), width))


KINDS = {
    "plain": word,
    "lines": lambda c: f"{word(c)}\n{word(c)}\n{word(c)}",
    "JSON": lambda c: json.dumps({"type": "key", "id": word(c), "secret": f'{word(c)}"/\\{word(c)}'}),
    "PEM": lambda c: f"-----BEGIN PRIVATE KEY-----\n{lines(c, 300)}\n-----END PRIVATE KEY-----\n",
    "one byte": lambda c: c.choice(string.punctuation.replace("-", "").replace("_", "")),
    "three bytes": lambda c: word(c, 2) + "+",
    "seven bytes": lambda c: word(c, 6) + "~",
    "64 KiB": lambda c: word(c, LONGEST_BYTES),
    "unicode": lambda c: "pä" + "".join(chr(c.randrange(0x400, 0x4FF)) for _ in range(8)) + "\U0001F511" + word(c),
    "quotes": lambda c: f"\"{word(c)}'{word(c)}\\\"`",
    "percent": lambda c: f"%2F{word(c)}%%{word(c)}%zz&=+?",
    "digits": lambda c: word(c, 16, string.digits),
    "like base64": lambda c: base64.b64encode(c.randbytes(24)).decode(),
    "markup": lambda c: f"<a b='{word(c)}'>&amp;{word(c)}</a>",
}


def make(count, seed):
    """{name: (kind, bytes)}; kinds in turn."""
    chance = random.Random(seed)
    kinds = list(KINDS.items())
    made = {}
    for number in range(count):
        kind, maker = kinds[number % len(kinds)]
        made[f"CANARY_{number}"] = (kind, maker(chance).encode())
    return made


def hits(data, values):
    """(name, form) of every value of values ({name: bytes}) that data shows in any form."""
    searched = {n: v for n, v in values.items() if len(v) >= MIN_SEARCHED_BYTES}
    found = set(find(data, searched))
    unescaped = html.unescape(data.decode("utf-8", "replace")).encode("utf-8", "replace") if b"&" in data else data
    upper = shouted(data)
    for name, value in searched.items():
        if value in unescaped and value not in data:
            found.add((name, "HTML"))
        if shouted(value) in upper and value not in data:
            found.add((name, "another case"))
        try:
            text = value.decode()
        except UnicodeDecodeError:
            continue
        for form in ("utf-16-le", "utf-16-be"):
            if text.encode(form) in data:
                found.add((name, form))
    return found


def shouted(data):
    """In upper case with '_' for what is no letter or digit, as a name would be made of it."""
    return re.sub(rb"[^A-Z0-9]", b"_", data.upper())


def core(value):
    """A piece of at most 12 random letters and digits: what is left when a heap has overwritten the ends of a freed value."""
    runs = re.findall(rb"[0-9A-Za-z]{8,}", value)
    longest = max(runs, key=len)
    middle = len(longest) // 2
    return longest[max(middle - 6, 0):middle + 6]


def hits_in_files(folders, values, but=()):
    """(name, form, file) of every file below folders; a link is not followed, since what it names lies elsewhere."""
    for path in files(folders):
        if any(path == other or path.startswith(other + os.sep) for other in but) or os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            yield from ((name, form, path) for name, form in hits(file.read(), values))
