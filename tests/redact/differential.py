#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C redactor against naive_reference.py, which was written from the specification alone, over random cases.

usage: differential.py PIPE [--seed N] [--cases N] [--family small|medium|big] [--index N] [--levels a,b]

Each case goes to one process for each level of KROSYN_CPU; one shot and streams with every cut (small texts) or
some cuts (larger ones) must give what the reference gives, byte for byte. KROSYN_TEST_LONG=1 runs at least a million
small cases. A failure is printed with what repeats it, and reduced. TAP output.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402
import naive_reference as naive  # noqa: E402
import pipe  # noqa: E402

# family: texts in a normal run, in a long one
COUNTS = {"small": (24000, 1000000), "medium": (300, 10000), "big": (12, 400)}
MAX_FAILURES = 5  # shown of each family
MAX_REDUCTIONS = 400  # tries to make one smaller


class Judge:
    """All levels, and what is right."""

    def __init__(self, path, levels):
        self.turn = 0
        self.drivers = [pipe.Driver(path, level) for level in levels]

    def check(self, values, forms, texts):
        """None, or (level, text, cuts, what went wrong). Python and the drivers work side by side."""
        for driver in self.drivers:
            driver.send_set(values, forms)
        for text, cuts in texts:
            every = self.turn = (self.turn + 1) % len(self.drivers)  # one level takes every cut, the others a few
            for at, driver in enumerate(self.drivers):
                driver.send_text(text, cuts if at == every or cuts != "every" else [len(text) // 3, len(text) // 2])
            expected = naive.redact(text, values, forms)
            for driver in self.drivers:
                why = self.read_set(driver, texts[0][0] is text) or judge_answer(driver.read_text(), expected)
                if why:
                    return driver.level, text, cuts, why
        return None

    @staticmethod
    def read_set(driver, is_first):
        said = driver.read_set() if is_first else "ok"
        return "" if said == "ok" else "set: " + said

    def guarded(self, values, forms, texts):
        try:
            return self.check(values, forms, texts)
        except pipe.Died as died:
            return "some level", texts[0][0], texts[0][1], str(died)

    def fails(self, values, forms, text, cuts):
        """One text, from fresh processes if one died or may be in the middle of something."""
        found = self.guarded(values, forms, [(text, cuts)])
        if found:
            self.restart()
        return found

    def restart(self):
        for driver in self.drivers:
            driver.restart()

    def close(self):
        return [f"{driver.level} ended with {code}" for driver in self.drivers for code in [driver.close()] if code != 0]


def judge_answer(answer, expected):
    verdict, output, streamed, cut, _ = answer
    if output != expected:
        return f"one shot gives {output!r}\nthe reference   {expected!r}"
    if verdict == "stream differs":
        return f"the stream (cut {cut}) gives {streamed!r}\none shot and the reference {expected!r}"
    return "" if verdict == "ok" else verdict


def reduce_case(judge, values, forms, text, cuts):
    """A smaller case that still fails: fewer values, less text, shorter values."""
    tries = 0

    def still(values, text):
        nonlocal tries
        tries += 1
        return tries < MAX_REDUCTIONS and all(each.strip(naive.BLANKS) for each in values) and values and \
            judge.fails(values, forms, text, "every" if len(text) < 3000 else cuts)

    for at in reversed(range(len(values))):
        if still(values[:at] + values[at + 1:], text):
            values = values[:at] + values[at + 1:]
    size = len(text) // 2
    while size >= 1:
        at = 0
        while at < len(text):
            if still(values, text[:at] + text[at + size:]):
                text = text[:at] + text[at + size:]
            else:
                at += size
        size //= 2
    return values, text


def describe(judge, case, forms, found):
    family, seed, index, values = case
    level, text, cuts, why = found
    lines = [f"{family}, level {level}: --family {family} --seed {seed} --index {index}", shorten(why)]
    if not judge.fails(values, forms, text, cuts):
        lines.append("alone it does not fail")
        return "\n".join(lines)
    values, text = reduce_case(judge, values, forms, text, cuts)
    found = judge.fails(values, forms, text, "every" if len(text) < 3000 else cuts)
    return "\n".join(lines + [f"reduced: forms {','.join(forms)}", f"values {values!r}", "text   " + shorten(repr(text)),
                              shorten(found[3] if found else "(no longer fails)")])


def shorten(text):
    return text if len(text) < 3000 else text[:1500] + " ... " + text[-1400:]


def run_family(judge, family, seed, indexes, forms, has_choice):
    """(texts compared, descriptions of failures)"""
    n_texts = 0
    failures = []
    for index in indexes:
        values, forms_now, texts = generate.make_case(family, seed, index, forms, has_choice)
        found = judge.guarded(values, forms_now, texts)
        n_texts += len(texts)
        if found:
            judge.restart()
            failures.append(describe(judge, (family, seed, index, values), forms_now, found))
            if len(failures) == MAX_FAILURES:
                break
    return n_texts, failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pipe")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", choices=sorted(COUNTS))
    parser.add_argument("--cases", type=int, help="texts of each family")
    parser.add_argument("--index", type=int, help="this case alone")
    parser.add_argument("--levels", default=",".join(pipe.LEVELS))
    options = parser.parse_args()
    is_long = os.environ.get("KROSYN_TEST_LONG") == "1"
    tap = pipe.Tap()
    judge = Judge(options.pipe, options.levels.split(","))
    for family in [options.family] if options.family else ["small", "medium", "big"]:
        started = time.monotonic()
        wanted = options.cases or COUNTS[family][is_long]
        indexes = [options.index] if options.index is not None else range(-(-wanted // (4 if family == "small" else 1)))
        n_texts, failures = run_family(judge, family, options.seed, indexes, pipe.FORMS_HERE, pipe.HAS_CHOICE)
        tap.case(f"{family}: the same as the reference at {options.levels}", not failures, "\n\n".join(failures))
        print(f"# {n_texts} texts in {time.monotonic() - started:.1f} s, seed {options.seed}", flush=True)
    problems = judge.close()
    tap.case("the processes end well", not problems, "\n".join(problems))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
