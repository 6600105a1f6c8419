# SPDX-License-Identifier: Apache-2.0
"""A second reading of docs/redaction.md, in another language, against the C redactor.

Every value becomes regular expressions, one per form; every match at every
start covers bytes; runs of covered bytes become one marker. Usage:
reference.py DRIVER [CASES] [SEED]. Exits with 1 at the first difference.
"""

import base64
import html
import json
import random
import re
import struct
import subprocess
import sys

MARKER = b"[REDACTED]"
SHORT = {8: b"b", 12: b"f", 10: b"n", 13: b"r", 9: b"t", 34: b'"', 92: b"\\", 47: b"/"}
NAMED = {38: b"&amp;", 60: b"&lt;", 62: b"&gt;", 34: b"&quot;", 39: b"&apos;", 0xA0: b"&nbsp;"}
ENTITY_BYTES = 12
BASE64_CHARACTER = rb"[A-Za-z0-9+/_-]"


def any_case(digits):
    return b"".join(b"[%c%c]" % (d, d ^ 32) if d > 57 else b"%c" % d for d in digits)


def units(point):
    text = chr(point).encode("utf-16-be")
    digits = [any_case(text[i : i + 2].hex().encode()) for i in range(0, len(text), 2)]
    return b"|".join(b"".join(start + d for d in digits) for start in (rb"\\u", rb"\\\\u"))


def entities(point):
    for digits, start in ((b"%d" % point, b"&#"), (any_case(b"%x" % point), b"&#[xX]")):
        n_digits = len(b"%d" % point) + 3 if start == b"&#" else len(b"%x" % point) + 4
        yield start + b"0{0,%d}" % (ENTITY_BYTES - n_digits) + digits + b";"
    if point in NAMED:
        yield NAMED[point]


def byte_spellings(byte):
    yield re.escape(bytes([byte]))
    yield b"%" + any_case(b"%02x" % byte)
    if byte == 32:
        yield rb"\+"
    if byte < 128:
        yield units(byte)
        yield from entities(byte)
    if byte in SHORT:
        yield rb"\\" + re.escape(SHORT[byte])
        if byte != 92:
            yield rb"\\\\" + re.escape(SHORT[byte])
        if byte in b'"\\/':
            yield rb"\\\\\\" + re.escape(SHORT[byte])


def spelled(value):
    """Expressions for suffixes: value[i:] in every mix of spellings, built from the back.

    A code point of several bytes may also be one escape as a whole.
    """
    parts = []
    at = 0
    while at < len(value):
        choices = b"|".join(byte_spellings(value[at]))
        whole = None
        for length in (2, 3, 4):
            try:
                text = value[at : at + length].decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(text) == 1 and value[at] >= 0x80 and at + length <= len(value):
                whole = (length, b"|".join([units(ord(text)), *entities(ord(text))]))
        if whole:
            singles = b"".join(b"(?:%s)" % b"|".join(byte_spellings(b)) for b in value[at : at + whole[0]])
            parts.append(b"(?:%s|%s)" % (singles, whole[1]))
            at += whole[0]
        else:
            parts.append(b"(?:%s)" % choices)
            at += 1
    return b"".join(parts)


def cores(value):
    for k in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(k) + value).rstrip(b"=")
            core = text[(8 * k + 5) // 6 : 8 * (k + len(value)) // 6]
            if len(core) >= 6:
                yield core, k > 0, (k + len(value)) % 3 > 0


ESCAPED_BASE64 = b"(?:%s)" % b"|".join(
    b"|".join(list(byte_spellings(c))[1:]) for c in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
)
LEFT = re.compile(b"(?:%s|%s)\\Z" % (ESCAPED_BASE64, BASE64_CHARACTER), re.S)
RIGHT = re.compile(b"%s|%s" % (ESCAPED_BASE64, BASE64_CHARACTER), re.S)


def ends(expression, text, start):
    """Every end of a match from start: the expression is tried against every prefix."""
    longest = 12 * 600
    for end in range(start + 1, min(len(text), start + longest) + 1):
        if expression.fullmatch(text, start, end):
            yield end


def search(expression, text):
    for start in range(len(text)):
        if expression.match(text, start):
            for end in ends(expression, text, start):
                yield start, end


def matches(value, text):
    for form in {value, value.strip(b" \t\r\n")}:
        if len(form) < 4:
            continue
        yield from search(re.compile(spelled(form), re.S), text)
        yield from search(re.compile(any_case(form.hex().encode())), text)
        for core, left, right in cores(form):
            for start, end in search(re.compile(spelled(core), re.S), text):
                if left:
                    found = LEFT.search(text, max(0, start - ENTITY_BYTES), start)
                    start = found.start() if found else start
                if right:
                    found = RIGHT.match(text, end)
                    end = found.end() if found else end
                yield start, end


def redact(values, text):
    covered = bytearray(len(text))
    for value in values:
        for start, end in matches(value, text):
            covered[start:end] = b"\1" * (end - start)
    out = bytearray()
    for at, byte in enumerate(text):
        if not covered[at]:
            out.append(byte)
        elif at == 0 or not covered[at - 1]:
            out += MARKER
    return bytes(out)


ALPHABETS = [b"ab", b"abc% 1", b'ab\\nu"/', b"a+ %2B", b"&'<>\"x#1;", b"Ya+/-_x9", "aé€😀z".encode(), bytes(range(256)), b"%25"]


def random_value(rng):
    if rng.random() < 0.3:
        return "".join(rng.choice("aé€😀z/ ") for _ in range(rng.randint(2, 5))).encode() + b"#"
    alphabet = rng.choice(ALPHABETS)
    value = bytes(rng.choice(alphabet) for _ in range(rng.randint(1, 14)))
    return value if value.strip(b" \t\r\n") else value + b"a"


def spell(rng, value):
    kind = rng.random()
    if kind < 0.15:
        text = bytes(rng.randrange(256) for _ in range(rng.randrange(4))) + value + rng.randbytes(rng.randrange(4))
        return rng.choice((base64.b64encode, base64.urlsafe_b64encode))(text)
    if kind < 0.25:
        return rng.choice((value.hex(), value.hex().upper())).encode()
    if kind < 0.4:
        return value
    if kind < 0.55 and value.isascii():
        return json.dumps(value.decode())[1:-1].encode()
    if kind < 0.7:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return value
        once = json.dumps(text)[1:-1]
        whole = (once, json.dumps(once)[1:-1], html.escape(text), text.encode("ascii", "xmlcharrefreplace").decode())
        return rng.choice(whole).encode()
    out = b""
    for byte in value:
        options = [bytes([byte]), b"%%%02x" % byte, b"%%%02X" % byte]
        if byte < 128:
            options.append(b"\\u%04x" % byte)
            options += [b"&#%d;" % byte, b"&#x%X;" % byte, NAMED.get(byte, b"&#%08d;" % byte)]
        if byte == 32:
            options.append(b"+")
        if byte in SHORT:
            options.append(b"\\" + SHORT[byte])
            options.append((b"\\\\\\" if byte in b'"\\/' else b"\\\\") + SHORT[byte])
        out += rng.choice(options)
    return out


def random_case(rng):
    values = [random_value(rng) for _ in range(rng.randint(1, 3))]
    text = b""
    for _ in range(rng.randint(1, 5)):
        piece = spell(rng, rng.choice(values))
        if rng.random() < 0.2:
            piece = piece[: rng.randint(0, len(piece))]
        text += piece + bytes(rng.choice(rng.choice(ALPHABETS)) for _ in range(rng.randrange(3)))
    return values, text


def put(data):
    return struct.pack("<I", len(data)) + data


def main():
    driver = sys.argv[1]
    n_cases = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 20240607)
    cases = [random_case(rng) for _ in range(n_cases)]
    sent = b"".join(struct.pack("<I", len(v)) + b"".join(map(put, v)) + put(t) for v, t in cases)
    done = subprocess.run([driver], input=sent, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"the driver failed with {done.returncode}: {done.stderr.decode(errors='replace')}")
    answers = done.stdout
    n_hit = 0
    at = 0
    for number, (values, text) in enumerate(cases):
        (length,) = struct.unpack_from("<I", answers, at)
        actual = answers[at + 4 : at + 4 + length]
        at += 4 + length
        expected = redact(values, text)
        n_hit += MARKER in expected
        if actual != expected:
            sys.exit(f"case {number}\nvalues   {values}\ntext     {text}\nexpected {expected}\nactual   {actual}")
    if at != len(answers) or n_hit < n_cases // 2:
        sys.exit(f"{n_hit} of {n_cases} cases had a match, {len(answers) - at} bytes left over")
    print(f"{n_cases} cases equal, {n_hit} with matches")


if __name__ == "__main__":
    main()
