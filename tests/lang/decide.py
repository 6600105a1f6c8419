# SPDX-License-Identifier: Apache-2.0
"""Random templates that decide on secrets, each rendered with many values of them. Whatever the values are,
the same is shown: the output with its spans covered is one and the same, so is that of the preview, and all
that fails fails with one error. Arguments: pipe program, case files (unused)."""
import os
import random
import sys

import pipe

VALUES = ["a", "b", "test_1", "12", "3", "x y", "a/b", "true", "\u00e9", "0", "-7.5", 'q"', "null", "a,b", "zz\nz"]
PAYLOAD = {"s": "a", "n": 3, "nil": None, "l": ["a", "b"], "o": {"k": "12"}, "yes": True}
SINKS = [("text", "x ${%s} y"), ("text", "%s"), ("header", "h ${%s}"), ("url", "https://h.example/p/${%s}/q"), ("url", "https://h.example/?q=${%s}"),
         ("query", "%s"), ("json", '{"k": "v${%s}"}'), ("json", '[${%s}]'), ("value", "%s"), ("value", '{"k": [%s]}'), ("form", "a=${%s}&b=c"), ("xml", "<a>${%s}</a>")]


class Generator:
    def __init__(self, source):
        self.source = source

    def pick(self, *choices):
        choice = self.source.choice(choices)
        return choice() if callable(choice) else choice

    def literal(self):
        return self.pick('"a"', '"test_"', '"12"', "3", '"x y"', "true", '""')

    def plain(self):
        return self.pick(self.literal, self.literal, "$payload.s", "$payload.n", "$payload.o.k", "$payload.nil", "$payload.absent", "$payload.absent?", "$payload.l", "null")

    def secret(self, depth):
        if depth <= 0:
            return self.pick("$secret.A", "$secret.B")
        inner = lambda: self.value(depth - 1)
        return self.pick("$secret.A", "$secret.B", "$secret.A", lambda: f"substring($secret.A, 0, {self.pick('1', '2')})", lambda: f"uppercase({inner()})",
                         lambda: f"concat($secret.B, {inner()})")

    def truth(self, depth):
        s = lambda: self.secret(depth - 1)
        t = lambda: self.truth(depth - 1)
        return self.pick(lambda: f"equals({s()}, {self.literal()})", lambda: f"startsWith({s()}, {self.literal()})", lambda: f"contains({s()}, \"a\")",
                         lambda: f"in({s()}, [\"a\", \"12\", {s()}])", lambda: f"matches(\"^[a-z]\", {s()})", lambda: f"greaterThan({self.number(depth - 1)}, 1)",
                         s, "$payload.yes", lambda: f"exists({s()})", *([lambda: f"not({t()})", lambda: f"and({t()}, {t()}, {self.plain()})", lambda: f"or({t()}, {t()})"] if depth > 0 else []))

    def number(self, depth):
        s = lambda: self.secret(depth - 1)
        return self.pick(lambda: f"length({s()})", lambda: f"toNumber({s()})", lambda: f"indexOf({s()}, \"b\")", "$payload.n",
                         *([lambda: f"add({self.number(depth - 1)}, 1)", lambda: f"toInteger({s()})", lambda: f"divide(6, {self.number(depth - 1)})"] if depth > 0 else []))

    def value(self, depth):
        if depth <= 0:
            return self.pick(self.plain, lambda: self.secret(0))
        v = lambda: self.value(depth - 1)
        choose = lambda: f"if({self.truth(depth)}, {v()}, {v()})"
        return self.pick(choose, choose, lambda: f"switch({self.secret(depth)}, {self.literal()}, {v()}, \"12\", {v()}, {v()})",
                         lambda: f"switch({self.plain()}, {self.secret(depth)}, {v()}, {v()})", lambda: f"default({choose()}, {v()})", lambda: f"coalesce({v()}, {choose()}, {v()})",
                         lambda: f"concat({v()}, \"-\", {v()})", lambda: f"uppercase({v()})", lambda: f"base64Encode({v()})", lambda: f"toString({self.number(depth)})",
                         lambda: self.number(depth), lambda: self.truth(depth), lambda: f"toJson([{v()}])", lambda: f"trim({v()})",
                         lambda: f"join(\"+\", map([\"a\", {v()}, \"12\"], if(equals($item, {self.secret(0)}), {v()}, $index)))", lambda: f"join(\",\", [{v()}, {self.truth(depth)}])")


def covered(answer):
    """The output as a reader of events sees it."""
    out, at = b"", 0
    for offset, length, _, _, _ in answer.spans:
        out += answer.out[at:offset] + b"[R]"
        at = offset + length
    # A header's outer blanks go: that a value is empty is the one thing that shows.
    return (out + answer.out[at:]).replace(b"h [R]", b"h[R]")


def main():
    seed = int(os.environ.get("KROSYN_SEED", "5"))
    count = int(os.environ.get("KROSYN_CASES", "2500"))
    source = random.Random(seed)
    report = pipe.Report()
    cases, groups = [], []
    for _ in range(count):
        sink, around = source.choice(SINKS)
        template = around % Generator(source).value(source.randrange(1, 4))
        pairs = [(source.choice(VALUES), source.choice(VALUES)) for _ in range(10)]
        missing = source.choice([None, None, "nullish"])
        options = [{}] * len(pairs) + [{"v": True}, {"P": True}]
        groups.append((template, sink, pairs))
        for (a, b), more in zip(pairs + pairs[:2], options):
            cases.append(pipe.case(sink, template, PAYLOAD, {"A": a, "B": b}, D=True, m=missing, **more))
    answers = iter(pipe.run(sys.argv[1], cases))
    n_compiled = n_deciding = n_failing = 0
    for template, sink, pairs in groups:
        found = [next(answers) for _ in pairs]
        preview, plain = next(answers), next(answers)
        if found[0].kind == "compile":
            report.check(all(e[0] in (350, 405, 401, 901) for e in found[0].errors), "does not compile", template, found[0])
            continue
        n_compiled += 1
        good = [a for a in found if a.kind == "ok"]
        shown = {covered(a) for a in good}
        report.check(len(shown) <= 1, "what is shown tells of the value", sink, template, shown)
        report.check(len({tuple(s[2] for s in a.spans) for a in good}) <= 1, "the marks tell of the value", sink, template, good[:4])
        errors = {tuple(a.errors) for a in found if a.kind == "render"}
        report.check(len(errors) <= 1, "which error it is tells of the value", sink, template, errors)
        report.check(len({a.is_null for a in good}) <= 1, "null tells of the value", sink, template)
        report.check(plain.result() == found[1].result(), "not the same when plain", template, plain, found[1])
        if good and preview.kind == "ok":
            report.check(covered(preview) in shown, "the preview shows other places", sink, template, preview, good[0])
        n_deciding += len({a.out for a in good}) > 1
        n_failing += bool(errors) and bool(good)
    # Otherwise the generator makes nothing that could fail.
    report.check(n_compiled > count // 3 and n_deciding > count // 6 and n_failing > count // 50, "hardly any decisions", n_compiled, n_deciding, n_failing)
    print(f"seed {seed}, {n_compiled} of {count} templates compile, {n_deciding} give different outputs, {n_failing} fail for some values")
    report.finish("decide")


main()
