#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows with an output worked out by hand; the reference and the C code at each level, at every cut, must both give it.

usage: test_table.py PIPE

The reference is checked too, since a test is worth what its judge is worth. Rows whose form the C code does not have
are skipped for it. TAP output.
"""
import base64
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import naive_reference as naive  # noqa: E402
import pipe  # noqa: E402

R = b"[REDACTED]"
KEY = b"s3cr&t<k/y>\"q\\z"  # every character that some writer escapes
PEM = (b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\nshort=\n-----END PRIVATE KEY-----\n")
ACCOUNT = b'{"type":"service_account","id":"acme-1","private_key":"first+half\\nsecond/half","list":["short",{"n":"inner-leaf"}]}'
URL = b"postgres://reporting:p%40ssw%2Frd!1@db.example/main"


def b64(data):
    return base64.b64encode(data)


def b64url(data):
    return base64.urlsafe_b64encode(data)


def every(data):
    return b"".join(b"%%%02x" % byte for byte in data)


# name, values, text, output, forms that a set must have beyond raw
LEAKS = [
    ("tail of overlapping values", [b"abcdeX", b"Xvery-sensitive-value"], b"=abcdeXvery-sensitive-value.", b"=" + R + b".", ()),
    ("the same, registered the other way round", [b"Xvery-sensitive-value", b"abcdeX"], b"=abcdeXvery-sensitive-value.", b"=" + R + b".", ()),
    ("a value inside a value, and its rest", [b"bcde", b"abcdefgh"], b"abcdefgh bcde abcdefg", R + b" " + R + b" a" + R + b"fg", ()),
    ("overlap with itself", [b"abab"], b"xabababax", b"x" + R + b"ax", ()),
    ("three that overlap in a chain", [b"aaab", b"abbb", b"bbbc"], b"aaabbbc", R, ()),
    ("touching values are one run", [b"sesame"], b"sesamesesame", R, ()),
    ("bytes held at a mismatch: aaab in aaaab", [b"aaab"], b"aaaab", b"a" + R, ()),
    ("bytes held at a mismatch: a longer prefix fails", [b"abcdefg", b"cdeX"], b"abcdeX", b"ab" + R, ()),
    ("bytes held at a mismatch: back into the middle", [b"abcabd"], b"abcabcabd", b"abc" + R, ()),
    ("base64 of prefix, value and newline", [b"hunter2hunter2"], b64(b"user:hunter2hunter2\n"), b"dXNlcj" + R + b"o=", ("base64",)),
    ("base64 url alphabet", [b"\xfb\xef\xbe\xff\xff\xfe"], b"x " + b64url(b"\xfb\xef\xbe\xff\xff\xfe") + b" y", b"x " + R + b" y", ("base64",)),
    ("percent, lower hex", [KEY], urllib.parse.quote(KEY, safe="").lower().encode(), R, ("percent",)),
    ("percent, upper hex", [KEY], urllib.parse.quote(KEY, safe="").encode(), R, ("percent",)),
    ("percent, mixed hex, some bytes only", [b"pa/ss?wo=rd"], b"p%61%2Fss%3fwo%3Drd", R, ("percent",)),
    ("percent, all bytes", [b"sesame"], b"%73%65%73%61%6d%65", R, ("percent",)),
    ("plus for a space", [b"open sesame"], b"q=open+sesame&r=open%20sesame", b"q=" + R + b"&r=" + R, ("percent",)),
    (r"\u0026 and the like", [KEY], b's3cr\\u0026t\\u003ck/y\\u003e\\"q\\\\z', R, ("json",)),
    (r"\u in any case of hex", [b"jkl~mno"], b"\\u006A\\u006b\\u006C\\u007Emno", R, ("json",)),
    (r"\/", [b"a/b/c/d"], b"a\\/b/c\\/d", R, ("json",)),
    ("surrogate pairs", ["key\U0001F600end".encode()], b"=key\\uD83d\\uDe00end=", b"=" + R + b"=", ("json",)),
    ("surrogate pair of which the value has the end", ["\U0001F600end".encode()[2:]], b"key\\uD83d\\uDe00end", b"key" + R, ("json",)),
    ("hex, any case", [b"open sesame"], b"6F70656e20736573616D65", R, ("hex",)),
    ("base64 inside percent", [b"\xfb\xef\xbe\xff\xff\xfe\x01\x02"], urllib.parse.quote(b64(b"\xfb\xef\xbe\xff\xff\xfe\x01\x02"), safe="").encode(),
     R + b"%3D", ("base64", "percent")),
    ("base64 inside JSON", [b"\xff\xff\xff\xff\xff\xff"], b"\\/\\/\\/\\/\\u002f\\/\\/\\/", R, ("base64", "json")),
    ("percent inside JSON", [b"a b/c\"d"], b"a%20b\\/c%22d", R, ("percent", "json")),
    ("JSON inside JSON", [b'a"b\\c/d\n'], json.dumps(json.dumps('a"b\\c/d\n')).encode(), b'"\\"' + R + b'\\""', ("twice",)),
    ("JSON inside JSON, not ASCII", ["äö\U0001F600".encode()], json.dumps(json.dumps("äö\U0001F600")).encode(), b'"\\"' + R + b'\\""', ("twice",)),
    ("HTML, named", [KEY], b"<b>s3cr&amp;t&lt;k/y&gt;&quot;q\\z</b>", b"<b>" + R + b"</b>", ("html",)),
    ("HTML, decimal and hex", [KEY], b"s3cr&#38;t&#x3c;k/y&#X003E;&#0034;q\\z", R, ("html",)),
    ("HTML inside JSON", [b"a&b\"c<d"], b"a\\u0026b&quot;c\\u003cd", R, ("html", "json")),
    ("Go's JSON of a key of several lines", [PEM], json.dumps(PEM.decode()).encode(), b'"' + R + b'"', ("json",)),
    ("a key of several lines with other newlines", [PEM], PEM.replace(b"\n", b"\r\n"), R, ("lines",)),
    ("a key of several lines with other newlines, escaped", [PEM], PEM.replace(b"\n", b"\\r\\n"), R, ("lines", "json")),
    ("single lines of a key, not its framing", [PEM], b"at EFAASCBKcwggSjAgEAAoIBAQ; -----BEGIN PRIVATE KEY-----; short=",
     b"at " + R + b"; -----BEGIN PRIVATE KEY-----; short=", ("lines",)),
    ("leaves of a JSON value", [ACCOUNT], b"key first+half\nsecond/half, inner-leaf, acme-1, short",
     b"key " + R + b", " + R + b", acme-1, short", ("leaves",)),
    ("password of a URL, as written and decoded", [URL], b"p%40ssw%2Frd!1 p@ssw/rd!1 reporting main", R + b" " + R + b" " + R + b" main", ("leaves",)),
    ("encoded userinfo", [b"p@ss:w/rd"], b"https://u:p%40ss%3Aw%2Frd@h/", b"https://u:" + R + b"@h/", ("percent",)),
    ("Basic auth", [b"Pa55word!"], b"Authorization: Basic " + b64(b"alice:Pa55word!"), b"Authorization: Basic YWxpY2U6" + R, ("base64",)),
    ("Basic auth, other alignments", [b"Pa55word!"], b64(b"bob:Pa55word!") + b" " + b64(b"al:Pa55word!") + b" " + b64(b"Pa55word!:"),
     b"Ym9iO" + R + b"== YWw6" + R + b" " + R + b"Og==", ("base64",)),
    ("an error text", [b"tok-12345678"], b'GET https://h/?key=tok-12345678&x: 401 "tok-12345678" refused', b"GET https://h/?key=" + R + b"&x: 401 \"" + R + b"\" refused", ()),
    ("numbers and keys of JSON", [b"12345678"], b'{"n":12345678,"x12345678":1.12345678e3}', b'{"n":' + R + b',"x' + R + b'":1.' + R + b"e3}", ()),
]

# What the specification says besides.
RULES = [
    ("nothing to find", [b"sesame"], b"Sesame SESAME sesam esame", b"Sesame SESAME sesam esame", ()),
    ("no text", [b"sesame"], b"", b"", ()),
    ("no values", [], b"sesame", b"sesame", ()),
    ("a part at the end is printed", [b"sesame"], b"sesame sesam", R + b" sesam", ()),
    ("a part of an escape at the end is printed", [b"sesame"], b"s%65sam%6", b"s%65sam%6", ("percent",)),
    ("trimmed", [b"  sesame\r\n"], b"x=sesame;", b"x=" + R + b";", ()),
    ("trimmed, and the whole", [b" sesame\n"], b"x= sesame\n;", b"x=" + R + b";", ()),
    ("three bytes are not searched", [b"abc"], b"abc YWJj 616263", b"abc YWJj 616263", ()),
    ("four bytes, raw and escaped", [b"abcd"], b"abcd a%62cd \\u0061bcd 61626364 YWJjZA==", R + b" " + R + b" " + R + b" " + R + b" YWJjZA==", ("percent", "json", "hex")),
    ("trimmed to three bytes: as it is only", [b" abc"], b"abc, abc", b"abc," + R, ()),
    ("five bytes in base64", [b"abcde"], b64(b"abcde") + b" " + b64(b"xabcde") + b" " + b64(b"xyabcde"),
     R + b"= e" + R + b" eH" + R + b"==", ("base64",)),
    ("the output is not read again", [b"sesame", b"R[REDACTED]"], b"Rsesame", b"R" + R, ()),
    ("the marker as a value", [R], b"a[REDACTED]b", b"a" + R + b"b", ()),
    ("the marker in the text stays", [b"sesame"], b"[REDACTED]sesame", R + R, ()),
    ("foreign percent before", [b"41abc d"], b"100%41abc d", b"100%" + R, ()),
    ("foreign \\u before", [b"0041xyz"], b"\\u0041xyz \\u000041xyz", b"\\u" + R + b" \\u00" + R, ()),
    ("foreign & before", [b"amp;xyz"], b"&amp;xyz", b"&" + R, ()),
    ("an escape spells the first of the value", [b"Axyz"], b"%41xyz \\u0041xyz", R + b" " + R, ("percent", "json")),
    ("a value full of introducers, as it is", [b"%41\\u0041+&amp;"], b"=%41\\u0041+&amp;=", b"=" + R + b"=", ()),
    ("a value full of introducers, escaped", [b"%41\\u+"], b"%2541\\\\u%2B", R, ("percent", "json")),
    ("plus of the value is no space", [b"a+b+c"], b"a+b+c a b c a%20b%20c", R + b" a b c a%20b%20c", ()),
    ("a lone surrogate is nothing", [b"key\xed\xa0\xbdend"], b"key\\ud83dend", b"key\\ud83dend", ("json",)),
    ("surrogates the wrong way round are nothing", ["k\U0001F600end".encode()], b"k\\ude00\\ud83dend", b"k\\ude00\\ud83dend", ("json",)),
    ("an entity of 12 bytes, and of 13", [b"abcAd"], b"abc&#000000065;d abc&#0000000065;d",
     R + b" abc&#0000000065;d", ("html",)),
    ("an entity of no character", [b"abcd"], b"abc&#xD800;d abc&#x110000;", b"abc&#xD800;d abc&#x110000;", ("html",)),
    ("an entity without its end", [b"a&bcd"], b"a&ampbcd", b"a&ampbcd", ("html",)),
    ("an escape half of which is the value's", ["é1234".encode()[1:]], b"x\\u00e91234", b"x" + R, ("json",)),
    ("NUL", [b"a\0b\0"], b"a\0b\0\0 a\\u0000b%00", R + b"\0 " + R, ("json", "percent")),
    ("not UTF-8", [b"\xff\xfe\x80\x81"], b"\xff\xff\xfe\x80\x81\x80 %FF%fe%80%81", b"\xff" + R + b"\x80 " + R, ("percent",)),
    ("newlines of the value stay its own without lines", [b"ab\ncd"], b"ab\ncd", R, ()),
]


def check_reference(tap, name, values, text, output, needs):
    got = naive.redact(text, values, set(naive.FORMS))
    tap.case(f"reference: {name}", got == output, f"values {values!r}\ntext {text!r}\nexpected {output!r}\ngot      {got!r}")
    alone = naive.redact(text, values, set(needs))
    tap.case(f"reference: {name}: by {', '.join(needs) or 'itself'}", alone == output, f"expected {output!r}\ngot      {alone!r}")
    for need in needs if text != output else ():
        without = naive.redact(text, values, set(needs) - {need})
        tap.case(f"reference: {name}: not without {need}", without != output, f"got {without!r}")


def check_driver(tap, driver, name, values, text, output, needs):
    title = f"{driver.level}: {name}"
    if not set(needs) <= set(pipe.FORMS_HERE):
        tap.case(f"{title} # SKIP no {', '.join(sorted(set(needs) - set(pipe.FORMS_HERE)))} yet", True)
        return
    said = driver.set(values)
    if said != "ok":
        tap.case(title, False, said)
        return
    empty_writes = [at for at in range(len(text)) for _ in range(3)]  # each byte alone, and nothing, and nothing
    for how, cuts in (("every cut", "every"), ("byte by byte with empty writes", empty_writes)):
        verdict, got, streamed, cut, _ = driver.redact(text, cuts)
        tap.case(f"{title}: {how}", verdict == "ok" and got == output,
                 f"values {values!r}\ntext {text!r}\nexpected {output!r}\ngot      {got!r}\n{verdict} at {cut}: {streamed!r}")


def main(path):
    tap = pipe.Tap()
    for row in LEAKS + RULES:
        check_reference(tap, *row)
    for level in pipe.LEVELS:
        driver = pipe.Driver(path, level)
        for row in LEAKS + RULES:
            try:
                check_driver(tap, driver, *row)
            except pipe.Died as died:
                tap.case(f"{level}: {row[0]}", False, str(died))
                driver.restart()
        tap.case(f"{level}: the process ends well", driver.close() == 0)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
