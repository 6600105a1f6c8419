#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile and odd input for the C redactor: binary, huge values, very many values, floods, no room for the output.

usage: test_hostile.py PIPE

The output is what naive_reference.py gives, or is known because of how the input was made. Streams hold no more than
the longest form needs, whatever the input. Work is counted elsewhere; here only the answer counts. TAP output.
"""
import base64
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402
import naive_reference as naive  # noqa: E402
import pipe  # noqa: E402

R = naive.MARKER
MAX_VALUE_BYTES = 64 * 1024
MAX_VALUES = 100000
LONGEST_ESCAPE = 14  # bytes that one byte of a value may take in the text: \\ud83d\\ude00 spells four
FORMS = pipe.FORMS_HERE
IS_LONG = os.environ.get("KROSYN_TEST_LONG") == "1"
FLOOD_BYTES = 2000000 if IS_LONG else 300000
# Rows where the C code removes more than it must, as docs/redaction.md says of texts with very many readings at once.
REMOVES_TOO_MUCH = {"very many readings at once"}


def seams(text, size):
    return list(range(size, len(text), size))


class Check:
    expectations = {}  # by name: the reference is asked once for all levels

    def __init__(self, tap, driver):
        self.tap, self.driver = tap, driver

    def __call__(self, name, values, text, expected=None, sizes=(4096,)):
        """Every answer for the text is what is expected, or what the reference says."""
        if name not in self.expectations:
            self.expectations[name] = naive.redact(text, values, FORMS) if expected is None else expected
        expected = self.expectations[name]
        bound = LONGEST_ESCAPE * (max(map(len, values), default=0) + 4)
        try:
            said = self.driver.set(values)
            wrong = "" if said == "ok" else "set: " + said
            for size in sizes if not wrong else ():
                verdict, output, streamed, _, held = self.driver.redact(text, seams(text, size))
                wrong = wrong or self.judge(verdict, output, streamed, expected)
                if held > bound:
                    wrong = wrong or f"a stream held {held} bytes"
        except pipe.Died as died:
            wrong = str(died)
            self.driver.restart()
        if wrong and name in REMOVES_TOO_MUCH:
            self.tap.case(f"{self.driver.level}: {name} # SKIP removes too much: {wrong[:60]}", True)
        else:
            self.tap.case(f"{self.driver.level}: {name}", not wrong, wrong)

    @staticmethod
    def judge(verdict, output, streamed, expected):
        if output == expected:
            return "" if verdict == "ok" else f"{verdict}: {first_difference(streamed, expected)}"
        return "one shot: " + first_difference(output, expected)

    def refused(self, name, values):
        self.tap.case(f"{self.driver.level}: {name}", self.driver.set(values) == "value refused")


def first_difference(got, expected):
    at = next((at for at, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
    return f"at {at} of {len(got)} ({len(expected)} expected): {got[at - 20 if at > 20 else 0:at + 30]!r} is not {expected[at - 20 if at > 20 else 0:at + 30]!r}"


def check_bytes(check):
    rng = random.Random(4)
    everything = bytes(range(256))
    encoded = [everything, b"".join(b"%%%02X" % byte for byte in everything), base64.b64encode(b"xy" + everything), everything.hex().encode()]
    check("a value of every byte", [everything], b"|".join(encoded), sizes=(4096, 1))
    check("a value of every byte, backwards does not count", [everything], everything[::-1] * 3, sizes=(7,))
    binary = rng.randbytes(30000)
    check("random binary text, binary values", [binary[100:108], binary[4090:4130], binary[-5:], b"\0\0\0\0"], binary + b"\0" * 9, sizes=(4096, 1))
    check("NUL alone", [b"\0\0\0\0\0\0\0\0"], b"\0" * 20001, R)
    check("no UTF-8", [b"\xc3\x28\xa0\xa1", b"\xf0\x28\x8c\xbc"], b"\xc3\xc3\x28\xa0\xa1\xf0\xf0\x28\x8c\xbc\xff" * 50, sizes=(5, 1))


def check_long_values(check):
    rng = random.Random(5)
    value = rng.randbytes(MAX_VALUE_BYTES).replace(b"\r", b"r").replace(b"\n", b"n")  # one line: no line alone is a part
    quoted = b"".join(b"%%%02x" % byte for byte in value)
    coded = base64.b64encode(b"abc" + value + b"defg")
    mixed = b"".join(rng.choice((b"%%%02x" % byte, bytes([byte]))) for byte in value)
    check("64 KiB as it is", [value], b"<" + value + b">", b"<" + R + b">")
    check("64 KiB in percent", [value], b"<" + quoted + b">", b"<" + R + b">")
    check("64 KiB in percent and not", [value], b"<" + mixed + b">")
    check("64 KiB in base64", [value], coded, coded[:4] + R + coded[4 + -(-MAX_VALUE_BYTES * 8 // 6):])
    check("64 KiB in hex", [value], b"<" + value.hex().upper().encode() + b">", b"<" + R + b">")
    one_line = value.translate(bytes.maketrans(b"\r\n", b"rn"))
    check("64 KiB but for the last byte", [one_line], one_line[:-1], one_line[:-1])
    check("64 KiB but for the first byte", [one_line], one_line[1:], one_line[1:])
    check("64 KiB of one letter in more of it", [b"a" * MAX_VALUE_BYTES], b"a" * 300000, R)
    check("64 KiB that end in another letter, in a flood of the first", [b"a" * (MAX_VALUE_BYTES - 1) + b"b"], b"a" * 300000, b"a" * 300000)
    check("the same, with the end at last", [b"a" * (MAX_VALUE_BYTES - 1) + b"b"], b"a" * 300000 + b"b", b"a" * (300001 - MAX_VALUE_BYTES) + R)
    check("64 KiB of period two", [b"ab" * (MAX_VALUE_BYTES // 2)], b"b" + b"ab" * 100000 + b"c", b"b" + R + b"c")
    check.refused("a value longer than 64 KiB is refused", [bytes(MAX_VALUE_BYTES + 1)])
    check.refused("an empty value is refused", [b"sesame", b""])
    check.refused("a blank value is refused", [b"sesame", b" \t\r\n"])


def check_most_values(check):
    """As many values as a set may have; building takes long under a sanitizer, so not at each level."""
    if not IS_LONG and check.driver.level != pipe.LEVELS[-1]:
        return
    rng = random.Random(6)
    values = ["".join(rng.choices("ghijklmnopqrstuvwxyz", k=rng.randint(16, 24))).encode() for _ in range(MAX_VALUES)]
    planted = rng.sample(values, 60)
    text = b" ".join(b"%d %s" % (rng.getrandbits(300), generate.encoded_occurrence(rng, value, FORMS)) for value in planted)
    near = b" ".join(value[:-1] + b"!" for value in rng.sample(values, 300))
    text = text + near + text
    check("100 000 values", values, text, naive.redact(text, planted, FORMS))
    check.refused("one value more is refused", values + [b"sesame"])


def check_many_values(check):
    alike = [b"prefix-that-all-have-%05d" % at for at in range(3000)]
    text = b"".join(b"prefix-that-all-have-%04d;" % at for at in range(300)) + b" ".join(alike[::100])
    check("3 000 values that differ at their ends", alike, text, naive.redact(text, alike[::100], FORMS))
    nested = [b"a" * length for length in range(4, 200)]
    check("values inside values", nested, b"aaab" + b"a" * 1000 + b"baaaab" + b"aaa", b"aaab" + R + b"b" + R + b"baaa")


FLOODS = [b"a", b"b", b"\0", b"\xff", b"%", b"%%4", b"%6", b"%61", b"%2561", b"+", b"\\", b"\\\\u", b"\\u", b"\\u0", b"\\u00", b"\\u0061", b"\\ud83d", b"\\ude00",
          b"\\\\", b"\\\"", b"\\n", b"&", b"&a", b"&am", b"&#", b"&#x", b"&#x6", b"&#x61;", b"&#97;", b"&#0000097;", b"&amp;", b"&amp;lt;", b"YWFh", b"YQ",
          b"61", b"=", b"[", b"[REDACTED", R, b"a%61\\u0061", b"ab", b"aab", b"%61%6", b"\\u00610", b"-----BEGIN ", b"\r\n", b"\"", b"{[", b"://a:a@"]


def check_floods(check):
    values = [b"a" * 16, b"a" * 15 + b"b", b"%61%61%61%61", b"\\u0061\\u0061", b"&&&&&&&&&", b"+ + + + +", b"abababababab", b"\r\n\r\n!", b"\0\0\0\0\0"]
    for flood in FLOODS:
        text = (flood * (6000 // len(flood) + 1))[:6000]
        check(f"a flood of {flood!r}", values, text, sizes=(4096, 13))
    check("very many readings at once", [b"\\" * 14 + b"x"], b"\\" * 6000)
    for flood in (b"a", b"%61", b"\\u0061"):
        text = flood * (FLOOD_BYTES // len(flood))
        check(f"very much of {flood!r}", [b"a" * 16, b"a" * 40], text, R)
        check(f"very much of {flood!r}, none", [b"a" * 40 + b"b", b"baaaaaaa" * 4], text, text)
    value = b"correct horse battery staple"
    for cut in (1, 5, 12, 27):
        text = value[:cut] * 3000
        check(f"near misses: {cut} bytes again and again", [value], text, text)
        text = b"".join(b"%%%02x" % byte for byte in value[:cut]) * 1000
        check(f"near misses: {cut} bytes again and again, in percent", [value], text, text)
    text = base64.b64encode(value[:-2]) * 1000
    check("near misses in base64", [value], text)


def check_no_room(check):
    """An output that does not fit leaves what was there, and nothing of the text: kestra logs the original."""
    driver, tap = check.driver, check.tap
    text = b"x" * 50 + b"sesame" + b"y" * 50
    whole = naive.redact(text, [b"sesame"], FORMS)
    driver.set([b"sesame"])
    for most in range(len(whole) + 2):
        fits = most >= len(whole)
        answer = driver.redact_limited(text, most)
        if answer != (("ok", b"before:" + whole) if fits else ("limit", b"before:")):
            tap.case(f"{driver.level}: room for {most} of {len(whole)}", False, repr(answer))
            return
    tap.case(f"{driver.level}: no room for the output", True)


def main(path):
    tap = pipe.Tap()
    for level in pipe.LEVELS:
        check = Check(tap, pipe.Driver(path, level))
        for part in (check_bytes, check_no_room, check_long_values, check_many_values, check_most_values, check_floods):
            part(check)
        tap.case(f"{level}: the process ends well", check.driver.close() == 0)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
