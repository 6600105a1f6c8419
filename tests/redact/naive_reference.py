# SPDX-License-Identifier: Apache-2.0
"""What the redactor must give, written from its specification alone: slow, no automaton, no filter, no window.

An occurrence of a value is an interval of the text that can be split into tokens which spell the value's bytes one
after the other. A token is a byte that stands for itself or one escape. Every way to split is tried. The covered
bytes of all occurrences of all forms of all values are united, and each unbroken run of them becomes one marker.

    redact(text, values, forms) -> bytes         forms: a set of names out of FORMS

Escapes are read wherever they can be read: a byte belongs to every token that it can be part of, so foreign text
before an occurrence cannot hide it. Used by differential.py and hostile.py; it has no knowledge of the C code.
"""
import base64
import html.entities
import json
import re
import urllib.parse

MARKER = b"[REDACTED]"
MIN_SEARCH = 4  # bytes of a value
MIN_CORE = 6  # characters of a base64 core
MIN_LINE = 16  # bytes of a single line of a value of several lines
MIN_LEAF = 8  # bytes of a part of a structured value
MAX_ENTITY = 12  # bytes from & to ;
BLANKS = b" \t\n\r"
BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
ENTITY_NAMES = ("amp", "lt", "gt", "quot", "apos", "nbsp")

# percent also reads + as a space. twice_general reads every character of an escaped JSON escape as such or escaped
# itself, twice only the spellings that JSON writers produce.
ESCAPES = ("percent", "json", "twice", "twice_general", "html")
FORMS = ("percent", "json", "twice", "html", "base64", "hex", "lines", "leaves")

JSON_SIMPLE = {ord('"'): b'"', ord("\\"): b"\\", ord("/"): b"/", ord("b"): b"\b", ord("f"): b"\f", ord("n"): b"\n",
               ord("r"): b"\r", ord("t"): b"\t"}
PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
JSON_UNIT = re.compile(rb"\\u([0-9A-Fa-f]{4})")
TWICE_UNIT = re.compile(rb"\\\\u([0-9A-Fa-f]{4})")
ENTITY = re.compile(rb"&(?:#([0-9]+)|#[xX]([0-9A-Fa-f]+)|([a-z]+));")


# -- escapes ---------------------------------------------------------------------------------------------------------

def of_code_point(code):
    """The UTF-8 bytes of a code point; None where there is none."""
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return None
    return chr(code).encode("utf-8")


def read_units(text, at, unit):
    """A character written as one or two UTF-16 units: list of at most one token."""
    first = unit.match(text, at)
    if first is None:
        return []
    code = int(first[1], 16)
    if not 0xD800 <= code <= 0xDFFF:
        return [(first.end(), of_code_point(code))]
    second = unit.match(text, first.end())
    if code >= 0xDC00 or second is None or not 0xDC00 <= int(second[1], 16) <= 0xDFFF:
        return []
    return [(second.end(), of_code_point(0x10000 + ((code - 0xD800) << 10) + int(second[1], 16) - 0xDC00))]


def read_percent(text, at):
    if text[at] == ord("+"):
        return [(at + 1, b" ")]
    found = PERCENT.match(text, at)
    return [] if found is None else [(at + 3, bytes([int(found[1], 16)]))]


def read_json(text, at):
    if text[at] != ord("\\"):
        return []
    simple = JSON_SIMPLE.get(text[at + 1]) if at + 1 < len(text) else None
    return [(at + 2, simple)] if simple is not None else read_units(text, at, JSON_UNIT)


def read_twice(text, at):
    r"""A JSON escape whose backslash is escaped: \\n, \\", \\\", \\\\, \\/, \\\/, \\u0041, \\ud83d\\ude00.

    A backslash of the inner escape is escaped always: in a JSON string none stands for itself, so \\\ is no spelling.
    """
    if text[at:at + 2] != b"\\\\":
        return []
    tokens = read_units(text, at, TWICE_UNIT)
    for skipped in (2, 3):
        char = text[at + skipped] if at + skipped < len(text) else None
        if char in JSON_SIMPLE and (char != ord("\\") if skipped == 2 else char in b'"\\/') and text[at + 2:at + skipped] in (b"", b"\\"):
            tokens.append((at + skipped + 1, JSON_SIMPLE[char]))
    return tokens


def read_json_char(text, at):
    """The tokens that spell one ASCII character, itself or as a JSON escape."""
    if at >= len(text):
        return []
    raw = [] if text[at] == ord("\\") else [(at + 1, text[at:at + 1])]  # none stands for itself in a JSON string
    return [(end, char) for end, char in raw + read_json(text, at) if len(char) == 1 and char < b"\x80"]


def read_twice_general(text, at):
    """A JSON escape each of whose characters is itself or a JSON escape, the backslash always the latter."""
    def spelled(ats, count):
        """All ways to read count characters from the places in ats: (end, characters)."""
        for _ in range(count):
            ats = [(end, read + char) for begin, read in ats for end, char in read_json_char(text, begin)]
        return ats

    def inner_units(begins):
        return [(end, escape) for end, escape in spelled(begins, 5) if re.fullmatch(rb"u[0-9A-Fa-f]{4}", escape)]

    slashes = [(end, b"") for end, char in (read_json(text, at) if text[at] == ord("\\") else []) if char == b"\\"]
    tokens = [(end, JSON_SIMPLE[char[0]]) for end, char in spelled(slashes, 1) if char[0] in JSON_SIMPLE]
    for end, escape in inner_units(slashes):
        tokens += read_units(b"\\" + escape, 0, JSON_UNIT) and [(end, of_code_point(int(escape[1:], 16)))]
        if 0xD800 <= int(escape[1:], 16) < 0xDC00:
            second = [(after, b"") for after, char in read_json(text, end) if char == b"\\"] if end < len(text) else []
            for last, low in inner_units(second):
                tokens += [(last, spelling) for _, spelling in read_units(b"\\" + escape + b"\\" + low, 0, JSON_UNIT)]
    return tokens


def read_html(text, at):
    found = ENTITY.match(text, at)
    if found is None or found.end() - at > MAX_ENTITY:
        return []
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        name = name.decode()
        return [(found.end(), of_code_point(entity_code(name)))] if name in ENTITY_NAMES else []
    spelling = of_code_point(int(decimal) if decimal is not None else int(hexadecimal, 16))
    return [] if spelling is None else [(found.end(), spelling)]


def entity_code(name):
    return ord("'") if name == "apos" else html.entities.name2codepoint[name]


READERS = {ord("%"): {"percent": read_percent}, ord("+"): {"percent": read_percent}, ord("&"): {"html": read_html},
           ord("\\"): {"json": read_json, "twice": read_twice, "twice_general": read_twice_general}}


def tokens_of(text, forms):
    """For each place of the text: the tokens that begin there, as (end, bytes spelled)."""
    tokens = [[(at + 1, text[at:at + 1])] for at in range(len(text))]
    for at, byte in enumerate(text):
        for form, reader in READERS.get(byte, {}).items():
            if form in forms:
                tokens[at] += reader(text, at)
    return tokens


# -- occurrences -----------------------------------------------------------------------------------------------------

def begins_of(tokens):
    """Where an occurrence can begin: first byte -> list of (place, end of its first token, what it spells from there)."""
    begins = {}
    for at, here in enumerate(tokens):
        for end, spelled in here:
            for skipped in range(len(spelled)):  # an occurrence may begin inside what one escape spells
                begins.setdefault(spelled[skipped], []).append((at, end, spelled[skipped:]))
    return begins


def step(value, done, end, spelled, reached, ends):
    """One token more: note where that leads, if it goes on to spell the value."""
    rest = value[done:done + len(spelled)]
    if not spelled.startswith(rest):
        return
    if done + len(spelled) >= len(value):
        ends.add(end)  # an occurrence may also end inside what one escape spells
    else:
        reached.setdefault(done + len(spelled), set()).add(end)


def ends_of(value, tokens, begin):
    """All ends of occurrences of value whose first token is the one given."""
    _, first_end, first = begin
    ends, reached = set(), {}
    step(value, 0, first_end, first, reached, ends)
    done = 0
    while reached:
        done = min(reached)
        for at in reached.pop(done):
            for end, spelled in tokens[at] if at < len(tokens) else []:
                step(value, done, end, spelled, reached, ends)
    return ends


def occurrences(value, tokens, begins):
    for begin in begins.get(value[0], []):
        for end in ends_of(value, tokens, begin):
            yield begin[0], end


# -- forms of a value ------------------------------------------------------------------------------------------------

def base64_cores(value):
    """The characters that depend on nothing but the value: (core, has a mixed character before, has one after)."""
    for before in range(3):
        begin, end = -(-8 * before // 6), 8 * (before + len(value)) // 6
        if end - begin < MIN_CORE:
            continue
        whole = base64.b64encode(bytes(before) + value + bytes(-(before + len(value)) % 3))
        for core in {whole[begin:end], whole[begin:end].translate(bytes.maketrans(b"+/", b"-_"))}:
            yield core, before != 0, 8 * (before + len(value)) % 6 != 0


def single_lines(value):
    lines = [line.strip(BLANKS) for line in re.split(rb"\r\n|\r|\n", value)]
    if len([line for line in lines if line]) < 2:
        return []
    return [line for line in lines if len(line) >= MIN_LINE and not re.match(rb"-----(BEGIN|END)", line)]


def newline_styles(value):
    """The value with each of the three newlines in place of all of its own."""
    return [re.sub(rb"\r\n|\r|\n", newline, value) for newline in (b"\n", b"\r\n", b"\r")] if re.search(rb"[\r\n]", value) else []


def json_leaves(value):
    leaves = []

    def collect(node):
        if isinstance(node, str):
            leaves.append(node.encode("utf-8", "surrogatepass"))
        elif isinstance(node, tuple):  # an object: all its pairs, of equal keys too
            for _, child in node:
                collect(child)
        elif isinstance(node, list):
            for child in node:
                collect(child)

    if value.strip(BLANKS)[:1] not in (b"{", b"["):
        return []
    try:
        collect(json.loads(value.decode("utf-8"), object_pairs_hook=tuple))
    except (ValueError, RecursionError):
        return []
    return leaves


def url_leaves(value):
    found = re.match(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#\s]*)@", value.strip(BLANKS))
    if found is None:
        return []
    parts = found[1].split(b":", 1)
    return parts + [urllib.parse.unquote_to_bytes(part) for part in parts]


def values_of(value, forms):
    """The values that stand for one: as it is, trimmed, with other newlines, its lines, its parts."""
    whole = [value, value.strip(BLANKS)]
    if "lines" in forms:
        whole += [styled for each in whole for styled in newline_styles(each)]
    parts = single_lines(value) if "lines" in forms else []
    if "leaves" in forms:
        parts += [leaf for leaf in json_leaves(value) + url_leaves(value) if len(leaf) >= MIN_LEAF]
    return {each for each in whole + parts if len(each) >= MIN_SEARCH}


# -- how hard a case is, and how safe an output ------------------------------------------------------------------------

def patterns_of(values, forms):
    """Every listed form that may be spelled with escapes."""
    whole = {each for value in values if len(value) >= MIN_SEARCH for each in values_of(value, forms)}
    return whole | ({core for value in whole for core, _, _ in base64_cores(value)} if "base64" in forms else set())


def most_readings(text, values, forms):
    """How many readings with an escape in them are open at the busiest place: begun, not ended, not refuted."""
    tokens = tokens_of(text, forms)
    begins = begins_of(tokens)
    counts = {}
    for pattern in patterns_of(values, forms):
        for begin, first_end, first in begins.get(pattern[0], []):
            ends, reached, escaped = set(), {}, set()
            step(pattern, 0, first_end, first, reached, ends)
            for done, ats in list(reached.items()):
                escaped |= {(at, done) for at in ats if at - begin != done}
            while reached:
                done = min(reached)
                for at in reached.pop(done):
                    counts[at] = counts.get(at, 0) + ((at, done) in escaped)
                    for end, spelled in tokens[at] if at < len(tokens) else []:
                        step(pattern, done, end, spelled, reached, ends)
                        if (at, done) in escaped or end - at != len(spelled) or spelled != text[at:end]:
                            escaped.add((end, done + len(spelled)))
    return max(counts.values(), default=0)


def is_safe(output, text, marks):
    """Can the output be the text with at least every marked byte removed?"""
    reached = {0: {0}}  # place in the output -> places in the text
    for at in range(len(output) + 1):
        places = reached.pop(at, set())
        if at == len(output):
            return len(text) in places
        for place in places:
            if place < len(text) and not marks[place] and output[at] == text[place]:
                reached.setdefault(at + 1, set()).add(place + 1)
        if places and output.startswith(MARKER, at):
            reached.setdefault(at + len(MARKER), set()).update(range(min(places) + 1, len(text) + 1))
    return False


# -- redaction -------------------------------------------------------------------------------------------------------

def is_base64(spelled):
    return len(spelled) == 1 and spelled[0] in BASE64


def cover_base64(value, tokens, begins, cover):
    endings = {}  # end of a token -> where tokens begin that spell one base64 character
    for core, is_mixed_before, is_mixed_after in base64_cores(value):
        for begin, end in occurrences(core, tokens, begins):
            cover(begin, end)
            if is_mixed_before and not endings:
                for at, here in enumerate(tokens):
                    for token_end, spelled in here:
                        if is_base64(spelled):
                            endings.setdefault(token_end, []).append(at)
            if is_mixed_before:
                for at in endings.get(begin, []):
                    cover(at, begin)
            if is_mixed_after:
                for token_end, spelled in tokens[end] if end < len(tokens) else []:
                    if is_base64(spelled):
                        cover(end, token_end)


def cover_hex(value, lowered, cover):
    pattern = value.hex().encode()
    at = lowered.find(pattern)
    while at >= 0:
        cover(at, at + len(pattern))
        at = lowered.find(pattern, at + 1)


def covered(text, values, forms):
    """One byte for each of the text: 1 where an occurrence covers it."""
    marks = bytearray(len(text))
    tokens = tokens_of(text, forms)
    begins = begins_of(tokens)
    lowered = text.lower()

    def cover(begin, end):
        marks[begin:end] = b"\1" * (end - begin)

    for value in {each for value in values if len(value) >= MIN_SEARCH for each in values_of(value, forms)}:
        for begin, end in occurrences(value, tokens, begins):
            cover(begin, end)
        if "base64" in forms:
            cover_base64(value, tokens, begins, cover)
        if "hex" in forms:
            cover_hex(value, lowered, cover)
    return marks


def redact(text, values, forms=FORMS):
    """The text with each unbroken run of covered bytes replaced by one marker."""
    forms = frozenset(forms)
    pieces = []
    at = 0
    for run in re.finditer(rb"\x01+", covered(text, values, forms)):
        pieces += [text[at:run.start()], MARKER]
        at = run.end()
    return b"".join(pieces) + text[at:]
