# SPDX-License-Identifier: Apache-2.0
"""A slow interpreter of templates that keeps, for every piece of text, which secrets it came from, and
a generator of random templates and data for it. Written from the description of the language, not from
the C code: trees of tuples, strings as lists of pieces, nothing shared, nothing fused.

  expression  ("lit", value) ("ref", root, steps) ("secret", NAME) ("call", name, args)
              ("arr", items) ("obj", pairs);  a step is (key or index, is_optional)
  template    (sink, parts): a part is ("t", text), ("h", expression, context), ("open",) or ("close",)
              around a path segment; or one whole expression: [("w", expression, context)]
"""
import base64
import hashlib
import hmac
import json
import re

UNRESERVED = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
PATH_BYTES = UNRESERVED | set(b"!$&'()*+,;=:@/")
BLANKS = " \t\n\v\f\r"


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Missing:
    secrets, is_untrusted = frozenset(), False


class Text:
    """pieces: (str, secrets, transforms); secrets empty: not marked."""

    def __init__(self, pieces, is_untrusted=False):
        self.pieces, self.is_untrusted = pieces, is_untrusted

    @property
    def secrets(self):
        return frozenset().union(*(p[1] for p in self.pieces))

    @property
    def text(self):
        return "".join(p[0] for p in self.pieces)


class Scalar:
    """null, booleans, and numbers as their digits in a tuple ("n", digits)."""

    def __init__(self, value, is_untrusted=False):
        self.value, self.is_untrusted, self.secrets = value, is_untrusted, frozenset()


class List:
    def __init__(self, items, is_untrusted):
        self.items, self.is_untrusted = items, is_untrusted

    @property
    def secrets(self):
        return frozenset().union(*(i.secrets for i in self.items))


class Record:
    def __init__(self, pairs, is_untrusted):
        self.pairs, self.is_untrusted = pairs, is_untrusted

    @property
    def secrets(self):
        return frozenset().union(*(v.secrets for _, v in self.pairs))


def from_json(value, is_untrusted, secrets=frozenset()):
    if isinstance(value, str):
        return Text([(value, secrets, ())], is_untrusted)
    if isinstance(value, list):
        return List([from_json(v, is_untrusted, secrets) for v in value], is_untrusted)
    if isinstance(value, dict):
        return Record([(k, from_json(v, is_untrusted, secrets)) for k, v in value.items()], is_untrusted)
    if value is None or isinstance(value, bool):
        return Scalar(value, is_untrusted)
    return Scalar(("n", json.dumps(value)), is_untrusted)


def truth(value):
    if isinstance(value, Text):
        return value.text != ""
    if isinstance(value, Scalar):
        return value.value not in (None, False) and not (isinstance(value.value, tuple) and float(value.value[1]) == 0)
    return not isinstance(value, Missing) and bool(value.items if isinstance(value, List) else value.pairs)


def equal(a, b):
    if isinstance(a, Text) or isinstance(b, Text):
        return isinstance(a, Text) and isinstance(b, Text) and a.text == b.text
    if isinstance(a, Scalar) and isinstance(b, Scalar):
        if isinstance(a.value, tuple) and isinstance(b.value, tuple):
            return float(a.value[1]) == float(b.value[1])
        return a.value is b.value
    return False


def json_escape(text):
    named = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(named.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text)


def json_pieces(value):
    """Compact JSON as pieces; the marks lie inside the quotes of each string."""
    if isinstance(value, Text):
        return [('"', frozenset(), ())] + [(json_escape(t), s, f) for t, s, f in value.pieces] + [('"', frozenset(), ())]
    if isinstance(value, Scalar):
        word = {None: "null", True: "true", False: "false"}.get(value.value) if not isinstance(value.value, tuple) else value.value[1]
        return [(word, frozenset(), ())]
    is_list = isinstance(value, List)
    out = [("[" if is_list else "{", frozenset(), ())]
    for index, item in enumerate(value.items if is_list else value.pairs):
        out += [(",", frozenset(), ())] if index else []
        if not is_list:
            out.append(('"' + json_escape(item[0]) + '":', frozenset(), ()))
            item = item[1]
        out += json_pieces(item)
    return out + [("]" if is_list else "}", frozenset(), ())]


def to_text(value, null_code):
    if isinstance(value, Text):
        return value
    if isinstance(value, Scalar) and value.value is not None:
        return Text([(json_pieces(value)[0][0], frozenset(), ())], value.is_untrusted)
    raise Refused(null_code if isinstance(value, Scalar) else 350 if null_code == 350 else 340)


def each_letter(text, change):
    return "".join(change(c) if len(change(c)) == 1 else c for c in text)


def substring(text, start, length=None):
    start = max(0, len(text) + start) if start < 0 else start
    if length is not None and length < 0:
        raise Refused(351)
    return text[start:] if length is None else text[start:start + length]


def replace(search, replacement, subject):
    if search == "":
        raise Refused(351)
    return subject.replace(search, replacement)


def part(text, delimiter, index):
    if delimiter == "":
        raise Refused(351)
    head, _, tail = text.partition(delimiter)
    return (head, tail)[index]


def url_encode(text):
    return "".join(chr(b) if b in UNRESERVED else f"%{b:02X}" for b in text.encode())


def b64(data):
    return base64.b64encode(data).decode()


# Functions that read their arguments as text (or integers) and mark the whole result.
WHOLE = {
    "uppercase": lambda s: each_letter(s, str.upper), "lowercase": lambda s: each_letter(s, str.lower),
    "trim": lambda s: s.strip(BLANKS), "trimStart": lambda s: s.lstrip(BLANKS), "trimEnd": lambda s: s.rstrip(BLANKS),
    "substring": substring, "replace": replace, "before": lambda s, d: part(s, d, 0), "after": lambda s, d: part(s, d, 1),
    "base64Encode": lambda s: b64(s.encode()), "hexEncode": lambda s: s.encode().hex(), "urlEncode": url_encode,
    "base64UrlEncode": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "sha256": lambda s: hashlib.sha256(s.encode()).hexdigest(),
    "hmacSha256": lambda k, s: hmac.new(k.encode(), s.encode(), "sha256").hexdigest(),
    "basicAuth": lambda u, p: "Basic " + b64((u + ":" + p).encode()),
}


class Interpreter:
    def __init__(self, data, secrets, fields):
        self.data, self.secrets, self.fields = data, secrets, fields

    def value(self, e, is_kept=False):
        kind = e[0]
        if kind == "lit":
            return from_json(e[1], False)
        if kind == "secret":
            return Text([(self.secrets[e[1]], frozenset([e[1]]), ())])
        if kind == "ref":
            found = self.walk(e)
            if isinstance(found, Missing) and not is_kept:
                raise Refused(601)
            return found
        if kind == "arr":
            items = [self.value(i) for i in e[1]]
            return List(items, any(i.is_untrusted for i in items))
        if kind == "obj":
            pairs = [(k, self.value(v)) for k, v in e[1]]
            return Record(pairs, any(v.is_untrusted for _, v in pairs))
        return self.call(e[1], e[2], is_kept)

    def walk(self, e):
        _, root, steps = e
        if root == "processed":
            name = steps[0][0]
            marks, is_untrusted = self.fields[name]
            at, steps = from_json(self.data[root][name], is_untrusted, frozenset(marks)), steps[1:]
        else:
            at = from_json(self.data[root], True)
        for key, is_optional in steps:
            if isinstance(at, Missing):
                return at
            found = None
            if isinstance(at, Record) and isinstance(key, str):
                found = dict(at.pairs).get(key)
            elif isinstance(at, List) and isinstance(key, int) and -len(at.items) <= key < len(at.items):
                found = at.items[key]
            elif isinstance(at, Text) and isinstance(key, int):
                raise Refused(350)
            at = found or (Scalar(None) if is_optional else Missing())
        return at

    def call(self, name, args, is_kept):
        if name == "if":
            return self.value(args[1] if truth(self.value(args[0])) else args[2], is_kept)
        if name == "switch":
            subject = self.value(args[0])
            for key, result in zip(args[1:-1:2], args[2:-1:2]):
                if equal(subject, self.value(key)):
                    return self.value(result, is_kept)
            return self.value(args[-1], is_kept)
        if name in ("default", "coalesce"):
            for index, arg in enumerate(args):
                is_last = name == "default" and index + 1 == len(args)
                found = self.value(arg, is_kept if is_last else True)
                if is_last or not (isinstance(found, Missing) or (isinstance(found, Scalar) and found.value is None)):
                    return found
            return Scalar(None)
        if name in ("and", "or"):
            for arg in args:
                if truth(self.value(arg)) == (name == "or"):
                    return Scalar(name == "or")
            return Scalar(name == "and")
        values = [self.value(a, name == "exists") for a in args]
        return self.apply(name, values)

    def apply(self, name, values):
        is_untrusted = any(v.is_untrusted for v in values)
        if name == "exists":
            return Scalar(not isinstance(values[0], Missing), is_untrusted)
        if name == "not":
            return Scalar(not truth(values[0]), is_untrusted)
        if name == "equals":
            return Scalar(equal(*values), is_untrusted)
        if name == "concat":
            return Text([p for v in values for p in to_text(v, 350).pieces], is_untrusted)
        if name == "join":
            delimiter = to_text(values[0], 350)
            if not isinstance(values[1], List):
                raise Refused(350)
            pieces = []
            for index, item in enumerate(values[1].items):
                pieces += (delimiter.pieces if index else []) + to_text(item, 341).pieces
            return Text(pieces, is_untrusted)
        if name == "toJson":
            text = "".join(p[0] for p in json_pieces(values[0]))
        elif name == "toString":
            is_plain = isinstance(values[0], Text)
            text = values[0].text if is_plain else "".join(p[0] for p in json_pieces(values[0]))
        else:
            text = WHOLE[name](*[v.text for v in self.converted(name, values)])
        return Text([(text, *self.whole_mark(name, values))], is_untrusted)

    @staticmethod
    def converted(name, values):
        out = []
        for index, value in enumerate(values):
            if name == "substring" and index > 0:
                if not (isinstance(value, Scalar) and isinstance(value.value, tuple) and float(value.value[1]).is_integer()):
                    raise Refused(350)
                value = type("Integer", (), {"text": int(float(value.value[1]))})
            else:
                value = to_text(value, 350)
            out.append(value)
        return out

    @staticmethod
    def whole_mark(name, values):
        """The union of all secrets; the transforms of the first argument with any, and this function."""
        secrets = frozenset().union(*(v.secrets for v in values))
        if not secrets:
            return secrets, ()
        first = next(v for v in values if v.secrets)
        before = next((p[2] for p in first.pieces if p[1]), ()) if isinstance(first, Text) else ()
        return secrets, (before + (name,))[:6]


# Escaping: (text as bytes, index, is_secret) -> bytes of the output for the byte at index.
def percent(byte):
    return b"%%%02X" % byte


def is_triplet(data, at):
    return re.match(rb"%[0-9A-Fa-f]{2}", data[at:at + 3]) is not None


def escape_path(data, at, is_secret, keeps_slash):
    byte = data[at]
    if is_secret:
        return bytes([byte]) if byte in PATH_BYTES or is_triplet(data, at) else percent(byte)
    return bytes([byte]) if byte in UNRESERVED or (keeps_slash and byte == 0x2F) else percent(byte)


def escape_form(byte):
    return b"+" if byte == 0x20 else bytes([byte]) if byte in set(b"*-._") or chr(byte).isalnum() and byte < 128 else percent(byte)


XML = {0x26: b"&amp;", 0x3C: b"&lt;", 0x3E: b"&gt;", 0x22: b"&quot;", 0x27: b"&#39;", 0x0D: b"&#13;"}
XML_ATTRIBUTE = {**XML, 0x0A: b"&#10;", 0x09: b"&#9;"}


def escape_byte(context, data, at, is_secret):
    byte = data[at]
    if context in ("url path", "url path segments"):
        return escape_path(data, at, is_secret, context == "url path segments")
    if context in ("url query", "url fragment", "query value"):
        return bytes([byte]) if byte in UNRESERVED else percent(byte)
    if context == "form value":
        return escape_form(byte)
    if context == "xml text":
        return XML.get(byte, bytes([byte]))
    if context == "xml attribute":
        return XML_ATTRIBUTE.get(byte, bytes([byte]))
    if context in ("json string", "json key", "json value", "value"):
        return json_escape(chr(byte)).encode() if byte < 0x80 else bytes([byte])
    return bytes([byte])


def is_refused(context, text, is_secret):
    if context == "header value":
        return re.search("[\0-\x08\x0a-\x1f\x7f\x80-\x9f]", text) and 320
    if context in ("xml text", "xml attribute"):
        return re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text) and 333
    return context == "url path" and is_secret and re.search("[?#]", text) and 312


class Output:
    def __init__(self):
        self.data, self.spans, self.segment, self.is_null = b"", [], 0, False

    def put(self, context, value):
        is_secret = bool(value.secrets) and not value.is_untrusted
        code = is_refused(context, value.text, is_secret)
        if code:
            raise Refused(404 if value.secrets else code)
        whole, at = value.text.encode(), 0
        for text, secrets, transforms in value.pieces:
            start, end = len(self.data), at + len(text.encode())
            self.data += b"".join(escape_byte(context, whole, i, is_secret) for i in range(at, end))
            at = end
            if secrets:
                self.spans.append((start, len(self.data) - start, secrets, transforms, context))

    def emit(self, context, value, is_whole):
        is_list = isinstance(value, (List, Record))
        is_null = isinstance(value, Scalar) and value.value is None
        if is_whole and is_null and context in ("query value", "value"):
            self.is_null = True
        if context == "query value" and self.is_null:
            return
        if context in ("json value", "value"):
            for text, secrets, transforms in json_pieces(value):
                start = len(self.data)
                self.data += text.encode()
                if secrets:
                    self.spans.append((start, len(self.data) - start, secrets, transforms, context))
            return
        if is_list and context in ("text", "json string"):
            value = Text(json_pieces(value), value.is_untrusted)
        value = to_text(value, 341)
        self.data += b'"' if context == "json key" else b""
        self.put(context, value)
        self.data += b'"' if context == "json key" else b""

    def close(self):
        for segment in self.data[self.segment:].split(b"/"):
            plain = re.sub(rb"(?i)%2e", b".", segment)
            if plain in (b"", b".", b".."):
                if any(s[0] + s[1] >= self.segment for s in self.spans):
                    raise Refused(404)
                raise Refused(310 if segment else 311)

    def trim(self):
        start = len(self.data) - len(self.data.lstrip(b" \t"))
        end = max(start, len(self.data.rstrip(b" \t")))
        self.data = self.data[start:end] if end > start else b""
        start, end = (start, end) if self.data else (0, 0)
        clip = lambda at: min(max(at, start), end) - start
        self.spans = [(clip(o), clip(o + n) - clip(o), s, t, c) for o, n, s, t, c in self.spans]


LITERAL = {"query": url_encode, "value": json_escape}


def render(template, data, secrets, fields):
    """(bytes, spans, is_null), or raises Refused."""
    sink, parts = template
    interpreter, out = Interpreter(data, secrets, fields), Output()
    is_text_value = sink == "value" and parts[0][0] != "w"
    out.data += b'"' if is_text_value else b""
    for item in parts:
        if item[0] == "t":
            out.data += LITERAL.get(sink, str)(item[1]).encode()
        elif item[0] == "open":
            out.segment = len(out.data)
        elif item[0] == "close":
            out.close()
        else:
            out.emit(item[2], interpreter.value(item[1]), item[0] == "w")
    out.data += b'"' if is_text_value else b""
    if sink == "header":
        out.trim()
    return out.data, out.spans, out.is_null


# Writing templates down, in one of the spellings the grammar has.
def quoted(text, source):
    quote = source.choice("\"'")
    out = "".join(("\\" + c) if c in "\\" + quote else {"\n": "\\n", "\0": "\\u0000"}.get(c) or
                  (f"\\u{ord(c):04x}" if c < "\uffff" and source.random() < 0.05 else c) for c in text)
    return quote + out + quote


def spell_steps(steps, source):
    out = ""
    for key, is_optional in steps:
        named = isinstance(key, str) and re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key) and source.random() < 0.8
        out += f".{key}" if named else f"[{quoted(key, source) if isinstance(key, str) else key}]"
        out += "?" if is_optional else ""
    return out


def spell(e, source):
    blank = lambda: source.choice(["", "", "", " ", "\n "])
    listed = lambda items: blank() + ("," + blank()).join(items) + source.choice(["", "", blank() + ","] if items else [""]) + blank()
    if e[0] == "lit":
        return quoted(e[1], source) if isinstance(e[1], str) else json.dumps(e[1])
    if e[0] == "secret":
        return "$secret." + e[1]
    if e[0] == "ref":
        return "$" + e[1] + spell_steps(e[2], source)
    if e[0] == "arr":
        return "[" + listed([spell(i, source) for i in e[1]]) + "]"
    if e[0] == "obj":
        return "{" + listed([quoted(k, source) + blank() + ":" + blank() + spell(v, source) for k, v in e[1]]) + "}"
    return e[1] + "(" + listed([spell(a, source) for a in e[2]]) + ")"


def spell_hole(e, after, source):
    is_bare = e[0] in ("ref", "secret") and source.random() < 0.6 and not re.match(r"[A-Za-z0-9_.\[]", after)
    if is_bare and e[0] == "ref":
        is_bare = not any(o for _, o in e[2]) and all(not isinstance(k, str) or re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", k) for k, _ in e[2])
    if is_bare:
        return "$" + (e[1] + spell_steps(e[2], source) if e[0] == "ref" else "secret." + e[1])
    return "${" + source.choice(["", " "]) + spell(e, source) + source.choice(["", "\n"]) + "}"


def spell_template(template, source):
    parts = [p for p in template[1] if p[0] not in ("open", "close")]
    if parts[0][0] == "w":
        return spell(parts[0][1], source)
    out = ""
    for item, after in zip(reversed(parts), [("t", "")] + list(reversed(parts))):
        if item[0] == "t":
            out = item[1].replace("$", "$$") + out
        else:
            out = spell_hole(item[1], out, source) + out
    return out


# Random data and templates.
TAILS = ["", "", "x/y", "a b", "\"q\"", "%2F", "%zz", "?a", "#f", "\n", " ", "é", "\U0001f600", "<&>", "a'b", "\\", "..", "+&=", "\t", "$x", "\x01"]


def random_text(source):
    return "".join(source.choice(["a", "B", "z", "-", "1"] + TAILS) for _ in range(source.randrange(4)))


class Generator:
    def __init__(self, source):
        self.source = source
        names = ["A", "B_2", "KEY", "2FA"]
        self.secrets = {n: f"mk{i}" + source.choice(TAILS) + source.choice(["", "Tail", "é"]) + source.choice(TAILS) for i, n in enumerate(names)}
        self.fields = {"plain": ((), False), "data": ((), True), "one": (("A",), False), "both": (("A", "KEY"), True), "list": (("B_2",), False)}
        text = lambda: random_text(source)
        self.data = {
            "payload": {"s": text(), "t": text() or "t", "n": source.choice([0, 1, 42, -7, 1.5]), "yes": True, "no": False, "nil": None, "k": source.choice("abc"),
                        "a": [text(), source.choice([1, "x"]), text()], "o": {"s": text(), "a b": text(), "in": {"v": text()}}},
            "lookup": {"name": text() or "n", "row": {"id": 7, "mail": text()}},
            "processed": {"plain": text(), "data": text(), "one": "mk0" + text(), "both": text(), "list": ["mk1" + text(), text()]},
        }

    def reference(self):
        o = self.source.random() < 0.15
        pick = self.source.choice
        return pick([
            ("ref", "payload", [(pick(["s", "t", "s", "t", "n", "yes", "no", "k"]), o)]), ("ref", "payload", [("o", False), (pick(["s", "a b"]), o)]),
            ("ref", "payload", [("o", False), ("in", False), ("v", o)]), ("ref", "payload", [("a", False), (pick([0, 2, -1, -3]), o)]),
            ("ref", "lookup", [("name", o)]), ("ref", "lookup", [("row", False), (pick(["id", "mail"]), o)]),
            ("ref", "processed", [(pick(["plain", "data", "one", "both"]), False)]), ("ref", "processed", [("list", False), (pick([0, 1]), False)])])

    def odd_reference(self):
        """Missing, null, or no scalar."""
        pick = self.source.choice
        return pick([("ref", "payload", [("absent", self.source.random() < 0.5)]), ("ref", "payload", [("nil", False)]), ("ref", "payload", [("a", False)]),
                     ("ref", "payload", [("o", False)]), ("ref", "payload", [("nil", False), ("x", True)]), ("ref", "payload", [("a", False), (9, False)]),
                     ("ref", "payload", [("s", False), ("deeper", False)])])

    def condition(self, depth):
        pick = self.source.choice
        plain = lambda: ("ref", "payload", [(pick(["yes", "no", "n", "s", "t", "k"]), False)])
        return pick([plain(), ("lit", True), ("lit", False), ("call", "equals", [plain(), ("lit", pick(["a", 1, "b"]))]),
                     ("call", "exists", [self.odd_reference()]), ("call", "not", [plain()]), ("call", pick(["and", "or"]), [plain(), plain(), plain()])])

    def expression(self, depth):
        source = self.source
        roll = source.random()
        if depth <= 0 or roll < 0.3:
            leaf = source.random()
            if leaf < 0.4:
                return ("secret", source.choice(list(self.secrets)))
            if leaf < 0.55:
                return ("lit", source.choice(["lit", "", "a/b", "é\"", 5, "x\ny", "$payload.s", 1.25, True]))
            return self.odd_reference() if leaf > 0.98 else self.reference()
        if roll < 0.4:
            return ("secret", source.choice(list(self.secrets)))
        e = lambda: self.expression(depth - 1)
        call = lambda name, *args: ("call", name, list(args))
        literal = lambda *choices: ("lit", source.choice(choices))
        return source.choice([
            lambda: call("concat", *[e() for _ in range(source.randrange(1, 5))]),
            lambda: call("concat", *[e() for _ in range(source.randrange(1, 5))]),
            lambda: call("join", e() if source.random() < 0.3 else literal("", "-", ", "), ("arr", [e() for _ in range(source.randrange(4))])),
            lambda: call("join", literal("/"), ("ref", source.choice(["payload"]), [("a", False)])),
            lambda: call("join", literal("+"), ("ref", "processed", [("list", False)])),
            lambda: call("if", self.condition(depth), e(), e()),
            lambda: call("switch", ("ref", "payload", [("k", False)]), literal("a"), e(), literal("b", "c"), e(), e()),
            lambda: call("default", self.odd_reference() if source.random() < 0.7 else e(), e()),
            lambda: call("coalesce", self.odd_reference(), self.odd_reference(), e()),
            lambda: call(source.choice(["uppercase", "lowercase", "trim", "trimStart", "trimEnd"]), e()),
            lambda: call("substring", e(), literal(0, 1, -2, 50), *source.choice([[], [literal(0, 2, 9, 3.0)], [literal(-1)]])),
            lambda: call("replace", literal("m", "a", "k", "zz", "") if source.random() < 0.8 else ("ref", "payload", [("k", False)]), e(), e()),
            lambda: call(source.choice(["before", "after"]), e(), literal("k", "/", "x")),
            lambda: call(source.choice(["base64Encode", "hexEncode", "urlEncode", "base64UrlEncode", "sha256"]), e()),
            lambda: call("hmacSha256", e(), e()), lambda: call("basicAuth", literal("user", "ü"), e()),
            lambda: call("toJson", e()), lambda: call("toJson", ("arr", [e(), e()])), lambda: call("toString", e()),
        ])()

    def hole(self, context, depth=None):
        depth = self.source.randrange(4) if depth is None else depth
        e = self.expression(depth)
        while e[0] == "lit" or e[0] in ("arr", "obj"):
            e = self.expression(depth)
        return ("h", e, context)

    def literal(self, extra=""):
        return "".join(self.source.choice("abc xyz-_:,." + extra) for _ in range(self.source.randrange(1, 8)))

    def template(self):
        source = self.source
        sink = source.choice(["text", "header", "url", "url", "query", "json", "json", "form", "xml", "value", "value"])
        if sink == "url":
            return sink, self.url()
        if source.random() < 0.2 or (sink == "value" and source.random() < 0.5):
            e = self.hole("", source.randrange(1, 5))[1]
            if sink == "value" and source.random() < 0.4:
                e = source.choice([("arr", [self.expression(2) for _ in range(3)]), ("obj", [("k", self.expression(2)), ("é", ("arr", [e]))])])
            context = {"text": "text", "header": "header value", "query": "query value", "json": "json value", "form": "form value",
                       "xml": "xml text", "value": "value"}[sink]
            if e[0] == "call" or sink == "value":
                return sink, [("w", e, context)]
        return sink, getattr(self, sink)()

    def mixed(self, context, extra=""):
        parts = []
        for _ in range(self.source.randrange(1, 4)):
            parts += [("t", "x" + self.literal(extra)), self.hole(context)]
        return parts + ([("t", self.literal(extra))] if self.source.random() < 0.5 else [])

    def text(self):
        return self.mixed("text", "\n\"é$ ")

    def value(self):
        return self.mixed("json string", "\n\"é$\\ ")

    def header(self):
        return [("t", self.source.choice(["  ", "\t", "Bearer "]))] + [self.hole("header value")] + self.mixed("header value", "é$ ") + [("t", " ")]

    def query(self):
        return self.mixed("query value", "é$&/")

    def form(self):
        return [("t", "a="), self.hole("form value"), ("t", "&"), self.hole("form value"), ("t", "=b&c="), self.hole("form value")]

    def xml(self):
        return [("t", "<r a=\""), self.hole("xml attribute"), ("t", "\" b='x"), self.hole("xml attribute"), ("t", "'>é"), self.hole("xml text"),
                ("t", "<!-- $ --></r>")]

    def json(self):
        parts = [("t", "{\"a\": \"x"), self.hole("json string"), self.hole("json string"), ("t", "\", \"n\": [1, "), self.hole("json value"), ("t", "], ")]
        if self.source.random() < 0.5:
            parts += [self.hole("json key"), ("t", ": true, ")]
        return parts + [("t", "\"é$\": "), self.hole("json value"), ("t", "}")]

    def url(self):
        parts = [("t", "https://h.example/")]
        for _ in range(self.source.randrange(1, 3)):
            parts += [("open",)]
            if self.source.random() < 0.5:
                parts += [("t", self.source.choice(["a", ".", "v1-"]))]
            hole = self.hole("url path")
            parts += [hole] + ([self.hole("url path")] if self.source.random() < 0.2 else []) + [("close",), ("t", "/end/")]
        parts += [("t", "p?q="), self.hole("url query"), ("t", "&"), self.hole("url query")]
        return parts + ([("t", "#x"), self.hole("url fragment")] if self.source.random() < 0.4 else [])
