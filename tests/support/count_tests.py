#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Count individual test cases in meson's testlog.json files; the last line is `N passed, N failed`.

A cmocka program prints a line for each of its cases (others may print the same lines), a TAP program likewise; every other program is
one case. A program that ends badly without a failed case of its own (crash, leak, timeout) is one
failed case more. Skipped cases are counted apart and are never passed ones. The exit code is 1 when
anything failed, when nothing passed, or when a log is missing.
"""
import json
import re
import sys

CMOCKA_OK = re.compile(r"^\[ +OK \] ", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (?!\d+ test\(s\))(.+?)$", re.M)
CMOCKA_SKIPPED = re.compile(r"^\[  SKIPPED \] (?!\d+ test\(s\))(.+?)$", re.M)
CMOCKA_RUN = re.compile(r"^\[=+\] (?:.*: )?Running \d+ test\(s\)", re.M)
CMOCKA_TOTALS = re.compile(r"^\[  (PASSED|FAILED) +\] (?:.*: )?(\d+) test\(s\)", re.M)
TAP_LINE = re.compile(r"^(not )?ok\b(.*)$", re.M)
BAD_RESULTS = {"FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"}


def count_cmocka(output):
    """Passed, failed and skipped cases by the program's own lines."""
    skipped = len(set(CMOCKA_SKIPPED.findall(output)))
    totals = CMOCKA_TOTALS.findall(output)
    passed = sum(int(n) for word, n in totals if word == "PASSED")
    failed = sum(int(n) for word, n in totals if word == "FAILED")
    if not totals:  # it died before its summary, or prints none
        passed = len(CMOCKA_OK.findall(output))
        failed = len(set(CMOCKA_FAILED.findall(output)))
    return passed, failed, skipped


def count_tap(output):
    passed = failed = skipped = 0
    for bad, rest in TAP_LINE.findall(output):
        if "# SKIP" in rest.upper():
            skipped += 1
        elif bad:
            failed += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_program(entry):
    output = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    result = entry["result"]
    if result == "SKIP":
        return 0, 0, 1
    if CMOCKA_RUN.search(output) or CMOCKA_OK.search(output):
        passed, failed, skipped = count_cmocka(output)
    elif re.search(r"^1\.\.\d+", output, re.M):
        passed, failed, skipped = count_tap(output)
    else:
        passed, failed, skipped = int(result not in BAD_RESULTS), 0, 0
    if result in BAD_RESULTS and failed == 0:
        failed = 1
    return passed, failed, skipped


def main(paths):
    totals = [0, 0, 0]
    bad = []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as log:
            for line in log:
                entry = json.loads(line)
                counts = count_program(entry)
                totals = [a + b for a, b in zip(totals, counts)]
                if counts[1] or entry["result"] in BAD_RESULTS:
                    bad.append(f"{entry['name']} ({entry['result'].lower()}, {counts[1]} failed)")
    for line in bad:
        print("failed:", line)
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or bad or passed == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        print(f"count_tests: {error}", file=sys.stderr)
        print("0 passed, 1 failed")
        sys.exit(1)
