# SPDX-License-Identifier: Apache-2.0
"""decode(render(x)) == x: hostile untrusted strings in every context, read back by the decoders of
Python's standard library. What may be refused is written here from the language's table of contexts;
everything else must come back exactly, with what stands around it untouched."""
import email.parser
import email.policy
import html
import http.client
import io
import json
import random
import re
import sys
import urllib.parse
import xml.etree.ElementTree
import xml.parsers.expat

import pipe

HOSTILE = [
    "", "a", " ", "  a  ", "\t", "\ta\t", "\n", "\r", "\r\n", "a\r\nX-Injected: 1", "a\nb", "\0", "a\0b", "\x01", "\x08\x0b\x0c",
    "\x1b[31m", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\xa0", "\u2028", "\u2029", "\ufeff", "\ufeffbom", "\ufffd", "\ufffe",
    "\uffff", "\U0001f600", "\U0010ffff", "\U0001fffe", "\u202egnp.exe", "\u05d0\u05d1", "e\u0301", "\u0300", "\u200b", "\u200d", "\xad",
    "\xfc", "\u65e5\u672c\u8a9e", ".", "..", "...", "./", "../", "../../etc/passwd", "..\\..\\x", "%2e", "%2E%2e", "%2e.", ".%2E", "%252e", "%",
    "%%", "%z", "%4", "%41", "%00", "%0d%0a", "+", "a+b", "&", "a&b=c", "=", "a=b", ";", "a;b", "?", "#", "a?b#c", "/", "//", "//evil.example/",
    "a/b", "/a", "a/", "\\", "\\\\", "\\n", "\\u0041", "\"", "'", "\"'", "\\\"", "`", "<", ">", "</a>", "<!--", "-->", "--", "]]>", "<![CDATA[x]]>",
    "<?x?>", "&amp;", "&lt;", "&#x41;", "&#0;", "&bogus;", "&", "<script>alert(1)</script>", "a\" b=\"c", "a' b='c", "$", "$$", "$secret.TOKEN",
    "${$secret.TOKEN}", "$payload.other", "${concat(\"a\", $secret.TOKEN)}", "uppercase($payload.other)", "$item", "{{x}}", "{%x%}", "#{x}",
    "{}", "[]", "{\"a\":1}", "[1,2]", "null", "true", "false", "123", "1e5", "-0", "\"quoted\"", "a,b", "}", "]", "\",\"admin\":true,\"x\":\"",
    "http://evil.example/", "https://u:p@h:1/x?y#z", "user@host", "u:p@", "javascript:alert(1)", "h.example:99", "@", ":", "*", "~", "!$&'()*+,;=:@",
    "-._~", "[::1]", "|^`{}", "=?utf-8?q?x?=", "a: b", ", b", "; path=/", "\"; x=\"", "()<>@,;:\\\"/[]?={}", "%s%n", "x" * 300,
    "\U0001f469\u200d\U0001f4bb" * 20, "\xe9" * 2000, "%" * 3000, "a" * 8193, "\"" * 9000, "&" * 70000, "q" * 1000000,
]
assert len(set(HOSTILE)) >= 80


def with_random(seed, count):
    source = random.Random(seed)
    alphabet = "ab.%/\\?#&=+;:@<>\"'`$ {}[]()\r\n\t\0\x1f\x7f\x85\xa0\xe9\u2028\ufeff\U0001f600-2eE"
    return ["".join(source.choice(alphabet) for _ in range(source.randrange(1, 12))) for _ in range(count)]


# What the table refuses. Each returns the code, or None where the value must come back.
LIMIT = 508


def over(text, limit):
    return LIMIT if len(text.encode()) > limit else None


def quoted_len(text):
    return len(urllib.parse.quote(text, safe=""))


def refuse_url(text, extra):
    return LIMIT if quoted_len(text) + extra > 8192 else None


def refuse_segment(text, extra):
    if text == "":
        return 311
    return 310 if text in (".", "..") else refuse_url(text, extra)


def refuse_header(text, extra):
    if re.search("[\0-\x08\x0a-\x1f\x7f\x80-\x9f]", text):
        return 320
    return over(text.strip(" \t") if extra == 0 else text, 8192 - extra)


def refuse_xml(text):
    return 333 if re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text) else None


def body(refused, encode):
    """Refusals of a body: its own, then the limit of 1 MiB on what is written."""
    return lambda text: refused(text) or (LIMIT if len(encode(text)) > 1048576 else None)


def never(_):
    return None


# Decoders: from the whole output to the value, after checking what stands around it.
def ascii_url(out):
    assert re.fullmatch(rb"[!-~]+", out) and not re.search(rb"[\"<>\\^`{|}]", out), "bytes that no URL has"
    parts = urllib.parse.urlsplit(out.decode("ascii"))
    assert (parts.scheme, parts.netloc) == ("https", "h.example"), parts
    return parts


def unquote(text):
    assert not re.search("%(?![0-9A-Fa-f]{2})", text), "a bare percent sign"
    return urllib.parse.unquote(text, errors="strict")


def path_segment(index, count, query=""):
    def decode(out):
        parts = ascii_url(out)
        segments = parts.path.split("/")[1:]
        assert len(segments) == count and parts.query == query and parts.fragment == "", parts
        assert all(s == str(i) for i, s in enumerate(segments) if i != index), segments
        return unquote(segments[index])
    return decode


def path_affixed(out):
    value = path_segment(1, 3)(out)
    assert value.startswith("x") and value.endswith("y")
    return value[1:-1]


def query_pairs(out):
    parts = ascii_url(out)
    assert parts.path == "/p" and parts.fragment == "f", parts
    strict = urllib.parse.parse_qsl(parts.query, keep_blank_values=True, errors="strict", strict_parsing=True)
    plain = [tuple(unquote(half) for half in pair.split("=")) for pair in parts.query.split("&")]
    assert strict == plain, "+ reads differently for two kinds of servers"
    return plain


def query_value(out):
    pairs = query_pairs(out)
    assert [k for k, _ in pairs] == ["a", "v", "z"] and (pairs[0][1], pairs[2][1]) == ("1", "2"), pairs
    return pairs[1][1]


def query_key(out):
    pairs = query_pairs(out)
    assert len(pairs) == 2 and pairs[0] == ("a", "1") and pairs[1][1] == "2", pairs
    return pairs[1][0]


def fragment(out):
    parts = ascii_url(out)
    assert (parts.path, parts.query) == ("/p", "a=1"), parts
    return unquote(parts.fragment)


def form_pairs(out):
    assert re.fullmatch(rb"[A-Za-z0-9*\-._+%&=]*", out), "bytes outside the WHATWG set"
    return urllib.parse.parse_qsl(out.decode("ascii"), keep_blank_values=True, errors="strict", strict_parsing=True)


def form_value(out):
    pairs = form_pairs(out)
    assert [k for k, _ in pairs] == ["a", "v", "z"] and (pairs[0][1], pairs[2][1]) == ("1 2", "2"), pairs
    return pairs[1][1]


def form_key(out):
    pairs = form_pairs(out)
    assert len(pairs) == 2 and pairs[1] == ("z", "2") and pairs[0][1] == "1", pairs
    return pairs[0][0]


def query_sink(out):
    assert re.fullmatch(rb"[A-Za-z0-9\-._~%]*", out), "bytes that are not unreserved"
    text = out.decode("ascii")
    assert urllib.parse.unquote_plus(text, errors="strict") == unquote(text)
    return unquote(text)


def header(prefix):
    def decode(out):
        raw = b"Before: 1\r\nX-Value:" + b" " + out + b"\r\nAfter: 2\r\n\r\n"
        parsed = http.client.parse_headers(io.BytesIO(raw))
        again = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw)
        assert parsed.keys() == ["Before", "X-Value", "After"] == again.keys(), parsed.items()
        assert (parsed["Before"], parsed["After"]) == ("1", "2") and not again.get_payload()
        value = parsed["X-Value"].encode("latin-1").decode()
        assert value.startswith(prefix)
        return value[len(prefix):]
    return decode


def json_of(pick):
    def decode(out):
        text = out.decode("utf-8")
        pairs = json.loads(text, object_pairs_hook=list)
        return pick(pairs)
    return decode


def picked(pairs, shape):
    assert len(pairs) == len(shape) and all(s is None or s == p for s, p in zip(shape, pairs)), pairs
    return next(p for s, p in zip(shape, pairs) if s is None)


def only(pairs, key):
    assert len(pairs) == 1 and pairs[0][0] == key, pairs
    return pairs[0][1]


def affixed(text):
    assert text.startswith("<") and text.endswith(">"), text[:40]
    return text[1:-1]


def xml_document(out):
    root = xml.etree.ElementTree.fromstring(out)
    assert root.tag == "r" and [child.tag for child in root] == ["a", "b"] and root[1].text == "2", out[:80]
    events = []
    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: events.append((name, attributes))
    parser.CommentHandler = parser.ProcessingInstructionHandler = lambda *a: events.append(a)
    parser.Parse(out, True)
    comments = [" ' ", " ' "] if out.startswith(b"<!DOCTYPE") else []
    assert [e[0] for e in events] == comments + ["r", "a", "b"], events
    return root[0]


def xml_text(out):
    element = xml_document(out)
    assert not element.attrib
    value = element.text or ""
    raw = re.search(rb"<a>(.*)</a>", out, re.S).group(1).decode()
    assert html.unescape(raw) == value, "an HTML reader reads something else"
    return value


def xml_attribute(out):
    element = xml_document(out)
    assert set(element.attrib) == {"v", "w"} and element.attrib["w"] == "1", element.attrib
    return element.attrib["v"]


J = lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode()
Q = lambda text: urllib.parse.quote(text, safe="").encode()
F = lambda text: urllib.parse.urlencode({"": text})[1:].encode()
T = lambda text: text.encode()
X = lambda text: html.escape(text).replace("\r", "&#13;").encode()


def jsonish(around):
    return body(never, lambda text: b"-" * around + J(text))


# name, sink, template with the reference as @, refusal, decoder
CONTEXTS = [
    ("path segment", "url", "https://h.example/0/@/2", lambda t: refuse_segment(t, 22), path_segment(1, 3)),
    ("last path segment", "url", "https://h.example/0/@", lambda t: refuse_segment(t, 20), path_segment(1, 2)),
    ("part of a segment", "url", "https://h.example/0/x@y/2", lambda t: refuse_url(t, 24), path_affixed),
    ("segment before a query", "url", "https://h.example/@?q=1", lambda t: refuse_segment(t, 22), path_segment(0, 1, "q=1")),
    ("query value", "url", "https://h.example/p?a=1&v=@&z=2#f", lambda t: refuse_url(t, 32), query_value),
    ("query key", "url", "https://h.example/p?a=1&@=2#f", lambda t: refuse_url(t, 28), query_key),
    ("fragment", "url", "https://h.example/p?a=1#@", lambda t: refuse_url(t, 24), fragment),
    ("query sink", "query", "@", body(never, Q), query_sink),
    ("form value", "form", "a=1+2&v=@&z=2", body(never, lambda t: b"-" * 12 + F(t)), form_value),
    ("form key", "form", "@=1&z=2", body(never, lambda t: b"-" * 6 + F(t)), form_key),
    ("header", "header", "@", lambda t: refuse_header(t, 0), lambda out: header("")(out)),
    ("header after text", "header", "Bearer:@", lambda t: refuse_header(t.rstrip(" \t"), 7), header("Bearer:")),
    ("json string", "json", "{\"a\": \"@\"}", jsonish(9), json_of(lambda p: only(p, "a"))),
    ("part of a json string", "json", "[1, \"<@>\"]", jsonish(9), json_of(lambda p: affixed(picked(p, [1, None])))),
    ("json value", "json", "{\"a\": @}", jsonish(9), json_of(lambda p: only(p, "a"))),
    ("json item", "json", "[@, 2]", jsonish(7), json_of(lambda p: picked(p, [None, 2]))),
    ("json key", "json", "{@: 1}", jsonish(7), json_of(lambda p: only([tuple(reversed(p[0]))], 1))),
    ("json key in quotes", "json", "{\"@\": 1}", jsonish(7), json_of(lambda p: only([tuple(reversed(p[0]))], 1))),
    ("value", "value", "@", jsonish(2), json_of(lambda p: p)),
    ("text in a value", "value", "<@>", jsonish(4), json_of(affixed)),
    ("array in a value", "value", "[@, 2]", jsonish(5), json_of(lambda p: picked(p, [None, 2]))),
    ("object in a value", "value", "{\"a\": @}", jsonish(8), json_of(lambda p: only(p, "a"))),
    ("xml text", "xml", "<r><a>@</a><b>2</b></r>", body(refuse_xml, lambda t: b"-" * 22 + X(t)), xml_text),
    ("xml attribute in \"", "xml", "<r><a v=\"@\" w='1'/><b>2</b></r>", body(refuse_xml, lambda t: b"-" * 30 + X(t)), xml_attribute),
    ("xml attribute in '", "xml", "<r><a w=\"1\" v='@'/><b>2</b></r>", body(refuse_xml, lambda t: b"-" * 30 + X(t)), xml_attribute),
    ("xml text after a doctype", "xml", "<!DOCTYPE r [<!ENTITY b \"]>'\"><!-- ' -->]><!-- ' --><r><a>@</a><b>2</b></r>",
     body(refuse_xml, lambda t: b"-" * 70 + X(t)), xml_text),
    ("text", "text", "@", body(never, T), lambda out: out.decode()),
    ("text between text", "text", "<@>", body(never, lambda t: b"<" + T(t) + b">"), lambda out: affixed(out.decode())),
]
SPELLINGS = ["$R.v", "${$R.v}", "${concat($R.v)}", "${default($R.absent, $R.v)}", "${if(true, $R.v, 1)}", "${$R[\"v\"]?}", "${$R.list[-1]}"]
NOT_TEMPLATE = [("userinfo", "https://@@h.example/", 302), ("user", "https://@:p@h.example/", 302), ("host", "https://@/", 302),
                ("host label", "https://@.h.example/", 302), ("port", "https://h.example:@/", 302), ("scheme", "@://h.example/", 301),
                ("whole", "@", 301), ("head", "@/x", 301), ("xml name", "<@>x</a>", 332), ("xml comment", "<!-- @ -->", 332),
                ("xml instruction", "<?a @?>", 332), ("doctype", "<!DOCTYPE @>", 332), ("doctype subset", "<!DOCTYPE a [<!ENTITY b \">@\">]><a/>", 332), ("doctype string", "<!DOCTYPE a SYSTEM '>@'><a/>", 332),
                ("comment in a doctype", "<!DOCTYPE a [<!-- it's \" ]> @ -->]><a/>", 332), ("after a comment there", "<!DOCTYPE a [<!-- ' -->@]><a/>", 332),
                ("instruction in a doctype", "<!DOCTYPE a [<?x ]> ?>@]><a/>", 332),
                ("unquoted attribute", "<a b=@>", 332), ("cdata", "<![CDATA[@]]>", 332), ("attribute name", "<a @=\"1\">", 332),
                ("json between digits", "[1@]", 331), ("json in a word", "[t@rue]", 330)]


def spelled(template, spelling, root):
    reference = spelling.replace("$R", "$" + root)
    return template.replace("@", reference)


def in_json_text(sink, template, spelling):
    """A bare reference where a name may follow it would read on; a quoted step closes nothing there."""
    if spelling == "$R.v" and re.search(r"@[A-Za-z0-9_.\[]", template):
        return False
    return not (sink == "value" and template[0] in "[{" and spelling.startswith("${"))


def main():
    seed = 20240917
    strings = HOSTILE + with_random(seed, 160)
    report = pipe.Report()
    cases, expected = [], []
    for name, sink, template, refused, decode in CONTEXTS:
        spellings = [s for s in SPELLINGS if in_json_text(sink, template, s)]
        for number, text in enumerate(strings):
            n = len(spellings) if len(text) < 400 else 1
            for turn in range(n):
                spelling = spellings[(number + turn) % len(spellings)]
                root = ("payload", "lookup", "processed")[(number + turn) % 3]
                data = json.dumps({"v": text, "list": [1, text], "other": "OTHER"}, ensure_ascii=number % 2 == 0)
                key = {"payload": "p", "lookup": "l", "processed": "r"}[root]
                cases.append(pipe.case(sink, spelled(template, spelling, root), secrets={"TOKEN": "S3CRET"}, **{key: data}))
                expected.append((name, spelling, text, refused(text), decode))
    for name, template, code in NOT_TEMPLATE:
        sink = "xml" if template[0] == "<" else "json" if template[0] == "[" else "url"
        reference = template.replace("@", "${$payload.v}", 1)
        cases.append(pipe.case(sink, reference, {"v": "a"}))
        expected.append((name, reference, "a", code, None))
    answers = pipe.run(sys.argv[1], cases)
    n_refused = 0
    for (name, spelling, text, code, decode), answer in zip(expected, answers):
        shown = (name, spelling, text[:60], len(text), answer)
        report.check(answer.spans == [] and b"S3CRET" not in (answer.out or b""), "a secret or a span in", *shown)
        if code is not None:
            n_refused += 1
            report.check(answer.kind == ("render" if decode else "compile") and answer.code == code, f"not refused with E{code}", *shown)
            report.check(len(text) < 4 or not answer.errors or repr(text)[1:-1] not in answer.errors[0][3], "value in message", *shown)
            continue
        report.check(answer.kind == "ok", "refused, though it can be encoded", *shown)
        if answer.kind != "ok":
            continue
        wanted = text
        if name == "header":
            wanted = text.strip(" \t")
        elif name == "header after text":
            wanted = text.rstrip(" \t")
        try:
            found = decode(answer.out)
        except Exception as problem:
            report.check(False, f"not readable: {problem!r}", *shown)
            continue
        report.check(found == wanted, "comes back changed", *shown, found[:80] if isinstance(found, str) else found)
    print(f"seed {seed}, {len(strings)} strings, {len(CONTEXTS)} contexts, {len(cases)} renders, {n_refused} refusals")
    report.finish("round trip")


main()
