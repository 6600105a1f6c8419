#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tools that judge the project can say no: count_tests.py, include_arrows.py, search_home.py.

TAP output. Works on copies in a temporary folder.
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUPPORT = os.path.join(ROOT, "tests", "support")
CMOCKA = "[==========] Running 3 test(s).\n[ RUN      ] a\n[       OK ] a\n"
CMOCKA_END = "[==========] 3 test(s) run.\n[  PASSED  ] {} test(s).\n"
CMOCKA_FAILED = "[  FAILED  ] {} test(s), listed below:\n[  FAILED  ] b\n\n {} FAILED TEST(S)\n"
ENTRY = {"name": "x", "result": "OK", "stdout": "", "stderr": ""}

# name, entries of the log, last line, exit code
COUNTS = [
    ("three cmocka cases pass", [{"stdout": CMOCKA, "stderr": CMOCKA_END.format(3)}], "3 passed, 0 failed", 0),
    ("one of three fails", [{"result": "FAIL", "stdout": CMOCKA, "stderr": CMOCKA_END.format(2) + CMOCKA_FAILED.format(1, 1)}],
     "2 passed, 1 failed", 1),
    ("it dies after one case", [{"result": "FAIL", "stdout": CMOCKA}], "1 passed, 1 failed", 1),
    ("all pass, then a leak", [{"result": "FAIL", "stdout": CMOCKA, "stderr": CMOCKA_END.format(3)}], "3 passed, 1 failed", 1),
    ("a cmocka case is skipped",
     [{"stdout": CMOCKA, "stderr": CMOCKA_END.format(2) + "[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] c\n"}],
     "2 passed, 0 failed, 1 skipped", 0),
    ("TAP", [{"result": "FAIL", "stdout": "ok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP why\n1..3\n"}], "1 passed, 1 failed, 1 skipped", 1),
    ("a plain program", [{}], "1 passed, 0 failed", 0),
    ("a plain program times out", [{"result": "TIMEOUT"}], "0 passed, 1 failed", 1),
    ("a program is skipped, another passes", [{"result": "SKIP"}, {}], "1 passed, 0 failed, 1 skipped", 0),
    ("nothing at all", [], "0 passed, 0 failed", 1),
]

# name, file to change, text to put at its end (None: drop its first line), part of the complaint
ARROWS = [
    ("an arrow upwards", "src/base/str.h", '#include "vault/vault.h"\n', "base may not use vault"),
    ("an arrow sideways", "src/redact/redact.h", '#include "store/store.h"\n', "redact may not use store"),
    ("a third-party header in another folder", "src/json/json.h", "#include <openssl/evp.h>\n", "belongs to src/crypto alone"),
    ("a header of nobody's", "src/json/json.h", "#include <zlib.h>\n", "belongs to no row"),
    ("the public interface from below", "src/vault/vault.h", "#include <krosyn/run.h>\n", "may include <krosyn/run.h>"),
    ("a file without its SPDX line", "src/json/json.h", None, "no SPDX line"),
]

n_cases = 0
n_failed = 0


def case(name, holds, why=""):
    global n_cases, n_failed
    n_cases += 1
    n_failed += not holds
    print(f"{'ok' if holds else 'not ok'} {n_cases} - {name}", flush=True)
    if not holds:
        print("\n".join("# " + line for line in why.splitlines()))


def call(program, *arguments, given=""):
    done = subprocess.run([sys.executable, program, *arguments], input=given, capture_output=True, text=True,
                          check=False, timeout=120)
    return done.returncode, done.stdout, done.stdout + done.stderr


def test_counts(folder):
    log = os.path.join(folder, "testlog.json")
    for name, entries, last, code in COUNTS:
        with open(log, "w", encoding="utf-8") as out:
            out.writelines(json.dumps({**ENTRY, **entry}) + "\n" for entry in entries)
        got, out, said = call(os.path.join(SUPPORT, "count_tests.py"), log)
        case("count: " + name, got == code and out.splitlines()[-1:] == [last], said)
    got, _, said = call(os.path.join(SUPPORT, "count_tests.py"), os.path.join(folder, "none"))
    case("count: a missing log fails", got == 1, said)


def test_arrows(folder):
    got, _, said = call(os.path.join(SUPPORT, "include_arrows.py"))
    case("arrows: this tree is clean", got == 0, said)
    copy = os.path.join(folder, "tree")
    for part in ("src", "tests", "docs", ".ci"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(copy, part))
    for part in ("dev", "meson.build", "meson_options.txt"):
        shutil.copy(os.path.join(ROOT, part), copy)
    program = os.path.join(copy, "tests", "support", "include_arrows.py")
    for name, path, added, complaint in ARROWS:
        path = os.path.join(copy, path)
        with open(path, encoding="utf-8") as text:
            before = text.read()
        with open(path, "w", encoding="utf-8") as out:
            out.write(before + added if added else before.split("\n", 1)[1])
        got, _, said = call(program)
        case("arrows: " + name, got == 1 and complaint in said, said)
        with open(path, "w", encoding="utf-8") as out:
            out.write(before)


def test_search(folder):
    value = "T00/B00/abcdefgh+12345"
    home = os.path.join(folder, "home", "deep")
    os.makedirs(home)
    program = os.path.join(SUPPORT, "search_home.py")
    given = json.dumps({"KEY": value})
    for name, text, code in (
        ("nothing", "no secret here", 0),
        ("raw", f"x{value}y", 1),
        ("base64 behind two bytes", base64.b64encode(b"u:" + value.encode()).decode(), 1),
        ("percent, in part", value.replace("/", "%2f"), 1),
        ("JSON escapes", value.replace("/", "\\/").replace("a", "\\u0061"), 1),
        ("hex", value.encode().hex().upper(), 1),
    ):
        with open(os.path.join(home, "file"), "w", encoding="utf-8") as out:
            out.write(text)
        got, _, said = call(program, os.path.dirname(home), given=given)
        case(f"search: {name}", got == code and value not in said, said)
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    got, _, said = call(program, empty, given=given)
    case("search: an empty folder proves nothing", got == 1, said)


def main():
    with tempfile.TemporaryDirectory(prefix="krosyn-tools-") as folder:
        test_counts(folder)
        test_arrows(folder)
        test_search(folder)
    print(f"1..{n_cases}")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
