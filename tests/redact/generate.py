# SPDX-License-Identifier: Apache-2.0
"""Random cases for the redactor: values with overlaps, borders and repeats, and texts that spell them in every way.

All randomness comes from the generator that is passed in, so a seed gives the same case again.
"""
import base64
import random

import naive_reference as naive

ALPHABETS = [
    b"ab", b"ab%", b"a1%4", b"ab+ ", b"a\\\"/", b"u0\\61", b"\\ntr/", b"&amp;#", b"&#x41;", b"a\n\r", b"a \t\nb", b"AQab/+", b"-_+/",
    b"=ab", b"0123456789abcdefABCDEF", b"[REDACTED]", bytes(range(32, 127)), bytes(range(256)), bytes([0, 255, 128, 97]),
    "aé€😀".encode(), b"{}[]\":,ab", b"://@:ab%",
]
CHARACTERS = ["a", "b", "é", "€", "😀", "\u00a0", "\x7f", "Z"]
INTRODUCERS = [b"%", b"%4", b"%41", b"%%", b"\\", b"\\\\", b"\\u", b"\\u0", b"\\u00", b"\\u004", b"\\ud83d", b"\\ud83d\\u", b"\\\\u", b"\\\\u00",
               b"\\\\\\", b"&", b"&a", b"&am", b"&amp", b"&#", b"&#x", b"&#x4", b"&#0006", b"&lt", b"+", b"\\\"", b"=", b"A"]
NAMED = {ord("&"): b"amp", ord("<"): b"lt", ord(">"): b"gt", ord('"'): b"quot", ord("'"): b"apos", 0xA0: b"nbsp"}
JSON_LETTERS = {char[0]: bytes([letter]) for letter, char in naive.JSON_SIMPLE.items()}


def any_case(rng, digits):
    return bytes(rng.choice((char, char ^ 32)) if chr(char).isalpha() else char for char in digits)


def some_bytes(rng, low, high):
    alphabet = rng.choice(ALPHABETS)
    return bytes(rng.choice(alphabet) for _ in range(rng.randint(low, high)))


# -- spelling --------------------------------------------------------------------------------------------------------

def units_of(code):
    return [code] if code < 0x10000 else [0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code - 0x10000 & 0x3FF)]


def spell_json(rng, code):
    letter = JSON_LETTERS.get(code)
    if letter is not None and rng.random() < 0.6:
        return b"\\" + letter
    return b"".join(b"\\u" + any_case(rng, b"%04x" % unit) for unit in units_of(code))


def spell_twice(rng, code):
    """The escape with its backslash escaped, and what else JSON writers escape in it."""
    inner = spell_json(rng, code)
    outer = inner.replace(b"\\", b"\\\\") if rng.random() < 0.3 else b"\\" + inner
    if inner[1:] in (b'"', b"/") and rng.random() < 0.5:
        outer = b"\\\\\\" + inner[1:]
    elif b"\\u" in inner:
        outer = inner.replace(b"\\", b"\\\\")
    return outer


def spell_html(rng, code):
    if code in NAMED and rng.random() < 0.5:
        return b"&" + NAMED[code] + b";"
    digits = b"%d" % code if rng.random() < 0.5 else rng.choice((b"x", b"X")) + any_case(rng, b"%x" % code)
    mark = digits[:1] if digits[:1] in b"xX" else b""
    zeros = b"0" * (rng.randint(0, 4) if rng.random() < 0.4 else 0)  # some are longer than what is read
    return b"&#" + mark + zeros + digits[len(mark):] + b";"


SPELLERS = {"json": spell_json, "twice": spell_twice, "html": spell_html}


def spell(rng, data, kinds, density):
    """The bytes with some of them escaped, each in one of the kinds."""
    pieces = []
    at = 0
    while at < len(data):
        kind = rng.choice(kinds) if kinds and rng.random() < density else None
        length = next((n for n in (1, 2, 3, 4) if kind in SPELLERS and is_character(data[at:at + n])), None)
        if kind == "percent":
            is_plus = data[at] == ord(" ") and rng.random() < 0.5
            pieces.append(b"+" if is_plus else b"%" + any_case(rng, b"%02x" % data[at]))
            at += 1
        elif length is not None:
            pieces.append(SPELLERS[kind](rng, ord(data[at:at + length].decode())))
            at += length
        else:
            pieces.append(data[at:at + 1])
            at += 1
    return b"".join(pieces)


def is_character(data):
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


# -- values ----------------------------------------------------------------------------------------------------------

def structured(rng):
    user, password = (some_bytes(rng, 4, 12).hex().encode()[:rng.randint(4, 12)] for _ in range(2))
    line = lambda: bytes(rng.choice(b"abcDEF019+/=") for _ in range(rng.randint(12, 24)))
    newline = rng.choice((b"\n", b"\r\n", b"\r"))
    return rng.choice((
        lambda: b"https://" + user + b":" + spell(rng, password, ["percent"], 0.3) + b"@host/path",
        lambda: b'{"user":"' + user + b'","list":["' + spell(rng, password, ["json"], 0.3) + b'"]}',
        lambda: b"-----BEGIN KEY-----" + newline + newline.join(line() for _ in range(rng.randint(1, 3))) + newline + b"-----END KEY-----" + newline,
        lambda: newline.join(line() for _ in range(rng.randint(2, 3))),
    ))()


def random_value(rng, values, is_long):
    """A value: of one small alphabet, periodic, bordered, overlapping one before it, of characters, or structured."""
    low, high = (12, 40) if is_long else (4, 10)
    kind = rng.random()
    if kind < 0.3:
        return some_bytes(rng, low, high)
    if kind < 0.45:
        return (some_bytes(rng, 1, 3) * high)[:rng.randint(low, high)]
    if kind < 0.6:
        border = some_bytes(rng, 1, low // 2)
        return border + some_bytes(rng, low // 2, high // 2) + border
    if kind < 0.8 and values:
        other = rng.choice(values)
        cut = rng.randint(0, len(other))
        return rng.choice((other[cut:] + some_bytes(rng, 1, high - 2), some_bytes(rng, 1, high - 2) + other[:cut], other[cut:]))
    if kind < 0.9:
        return "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(low // 2, high // 2))).encode()
    if kind < 0.96:
        return rng.choice((b" ", b"\n", b"\t ", b"")) + some_bytes(rng, low, high) + rng.choice((b"\n", b" ", b"\r\n"))
    return structured(rng)


def random_values(rng, is_long):
    values = []
    for _ in range(rng.choice((1, 1, 2, 2, 3, 5))):
        value = random_value(rng, values, is_long)
        if rng.random() < 0.03:
            value = value[:rng.randint(1, 3)]
        if value.strip(naive.BLANKS):
            values.append(value)
    return values or [b"sesame"]


# -- texts -----------------------------------------------------------------------------------------------------------

def encoded_occurrence(rng, value, forms):
    """An occurrence of one of the forms of a value that would be found if its edges are left alone."""
    whole = rng.choice(sorted(naive.values_of(value, forms)) or [value])
    kinds = [kind for kind in ("percent", "json", "twice", "html") if kind in forms]
    kinds = rng.sample(kinds, rng.randint(0, len(kinds)))
    density = rng.choice((0.0, 0.1, 0.5, 1.0))
    kind = rng.random()
    if kind < 0.2 and "base64" in forms:
        data = some_bytes(rng, 0, 4) + whole + some_bytes(rng, 0, 4)
        coded = rng.choice((base64.b64encode, base64.urlsafe_b64encode))(data)
        return spell(rng, coded.rstrip(b"=") if rng.random() < 0.3 else coded, kinds, density)
    if kind < 0.28 and "hex" in forms:
        return any_case(rng, whole.hex().encode())
    return spell(rng, whole, kinds, density)


def random_piece(rng, values, forms):
    value = rng.choice(values)
    kind = rng.random()
    if kind < 0.5:
        piece = encoded_occurrence(rng, value, forms)
        return rng.choice(INTRODUCERS) + piece if rng.random() < 0.3 else piece
    if kind < 0.62:  # nearly: a part of it, or a part and another
        piece = encoded_occurrence(rng, value, forms)
        cut = rng.randint(0, len(piece))
        return rng.choice((piece[cut:], piece[:cut], piece[:cut] + encoded_occurrence(rng, rng.choice(values), forms)))
    if kind < 0.7:
        return rng.choice(INTRODUCERS)
    if kind < 0.75:  # spelled as none of the kinds asked for
        return spell(rng, value, ["percent", "json", "twice", "html"], 0.3)
    if kind < 0.78:
        return naive.MARKER
    return some_bytes(rng, 1, 6)


def random_text(rng, values, forms, n_pieces):
    return b"".join(random_piece(rng, values, forms) for _ in range(n_pieces))


def random_cuts(rng, text):
    if len(text) <= 80 or rng.random() < 0.02:
        return "every"
    if rng.random() < 0.3:
        size = rng.choice((1, 2, 3, 7, 16, 64))
        return list(range(size, len(text), size))
    return sorted(rng.randint(0, len(text)) for _ in range(rng.randint(1, 8)))


# -- big texts -------------------------------------------------------------------------------------------------------

WORDS = b"info level request done path user-agent GET POST /v1/orders 200 404 time status ok retry queue items total name".split()


def filler_line(rng):
    words = b" ".join(rng.choice(WORDS) for _ in range(rng.randint(4, 14)))
    return b'{"ts":%d,"msg":"%s","id":"%08x"%s}\n' % (rng.randint(10**9, 2 * 10**9), words, rng.getrandbits(32),
                                                      rng.choice((b"", b"", b"", b',"q":"a%20b+c\\n"', b',"h":"&lt;b&gt;"')))


def big_text(rng, values, forms):
    """Lines as in a log with occurrences around the places where code that reads in pieces has its seams."""
    size = rng.choice((20000, 33000, 66000, 100000))
    lines = [filler_line(rng) for _ in range(rng.randint(20, 60))]
    text = bytearray()
    while len(text) < size:
        text += rng.choice(lines)
    del text[size:]
    seams = sorted({rng.choice((4096, 8192, 16384)) * rng.randint(1, size // 4096) for _ in range(rng.randint(2, 12))})
    for seam in seams + [0, size]:
        piece = encoded_occurrence(rng, rng.choice(values), forms)
        at = max(0, min(size - len(piece), seam + rng.randint(-len(piece) - 2, 2)))
        if at + len(piece) <= size:
            text[at:at + len(piece)] = piece
    return bytes(text)


def big_cuts(rng, text):
    size = rng.choice((511, 4096, 8192, 16384, 5000))
    return sorted(min(len(text), max(0, at + rng.choice((0, 0, -1, 1)))) for at in range(size, len(text), size))


# -- cases -----------------------------------------------------------------------------------------------------------

def random_forms(rng, forms, has_choice):
    if not has_choice or rng.random() < 0.6:
        return tuple(forms)
    return tuple(form for form in forms if rng.random() < 0.5)


def make_case(family, seed, index, forms, has_choice):
    """(values, forms, [(text, cuts)]); a few texts for each set of values."""
    rng = random.Random(f"{family} {seed} {index}")
    forms = random_forms(rng, forms, has_choice)
    if family == "big":
        values = random_values(rng, rng.random() < 0.8)
        text = big_text(rng, values, forms)
        return values, forms, [(text, big_cuts(rng, text))]
    values = random_values(rng, rng.random() < 0.3)
    if family == "medium":
        text = random_text(rng, values, forms, rng.randint(20, 150))
        return values, forms, [(text, random_cuts(rng, text))]
    texts = [random_text(rng, values, forms, rng.randint(1, 4)) for _ in range(4)]
    return values, forms, [(text, random_cuts(rng, text)) for text in texts]
