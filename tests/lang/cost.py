# SPDX-License-Identifier: Apache-2.0
"""What a render costs and gives is never above what is said of its program without data: the case files, the
random templates of the other tests, and random calls of every function over random data.
Arguments: pipe program, case files."""
import json
import os
import random
import re
import sys

import naive
import pipe

FUNCTIONS = {}
for line in open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/lang/functions.def"), encoding="utf-8"):
    row = re.match(r'KR_FUNCTION\(\w+, "(\w+)", (\d+), (\d+), "(\w*)", \'(\w)\'', line)
    if row and row.group(1) not in ("urlPath", "urlSuffix", "hostLabel", "raw"):
        FUNCTIONS[row.group(1)] = (int(row.group(2)), min(int(row.group(3)), int(row.group(2)) + 2), row.group(4), row.group(5))

SINKS = [("text", "a ${%s} b"), ("text", "%s"), ("header", "%s"), ("url", "https://h.example/${%s}/x"), ("url", "https://h.example/?q=${%s}"), ("query", "%s"),
         ("json", '{"k": ${%s}, "${%s}": "x${%s}"}'), ("value", "%s"), ("value", "v ${%s}"), ("form", "a=${%s}"), ("xml", "<a b='${%s}'>${%s}</a>"), ("condition", "%s")]
PATTERNS = ['"[a-z]+"', '"(a)|b"', '"^x?"']
DATES = ['"2026-01-02T03:04:05Z"', '"2024-02-29"', "now()"]
FORMATS = ['"%A %B %Y"', '"%d.%m."', '"%H:%M %Z %z"']


def random_text(source):
    alphabet = source.choice(["ab ", "a\"\\\n", "\u00e9\u0131\u017f\u2c65", "\x01\x1f<&", "x1,2"])
    return "".join(source.choice(alphabet) for _ in range(source.choice([0, 1, 3, 40, 200])))


def random_data(source, depth=3):
    roll = source.random()
    if depth == 0 or roll < 0.5:
        return source.choice([random_text(source), random_text(source), 0, 12, -3.5, 1e300, 123456789012345, True, False, None])
    if roll < 0.75:
        return [random_data(source, depth - 1) for _ in range(source.choice([0, 1, 4, 20]))]
    return {source.choice("abcdefk") + source.choice(["", "x"]): random_data(source, depth - 1) for _ in range(source.choice([0, 2, 5]))}


class Generator:
    def __init__(self, source):
        self.source, self.depth_of_loops = source, 0

    def reference(self):
        roots = ["$payload.s", "$payload.n", "$payload.l", "$payload.o", "$payload.d", "$payload.e.a", "$payload.s.base64", "$payload.s.urlEncode", "$payload.o.json", "$payload.s.uppercase.trim",
                 "$payload.words", "$payload.l[0]", "$payload.absent?", "$lookup.s", "$lookup", "$processed.p", "$payload.n.string", "$payload.words.length", "$payload.rows"]
        return self.source.choice(roots + ["$item", "$item.a?", "$item.b", "$index"] * (self.depth_of_loops > 0))

    def argument(self, letter, depth):
        pick, kind = self.source.choice, letter.lower()
        if kind == "p":
            return pick(PATTERNS)
        if kind == "i":
            return pick(["0", "1", "3", "-2", "40", "$payload.n"])
        if depth > 0 and self.source.random() < 0.55:
            return self.call(depth - 1, kind)
        if kind == "n":
            return pick(["$payload.n", "7", "2.5", "$payload.s.length", "1e15"])
        if kind in ("l", "q", "c") and self.source.random() < 0.8:
            return pick(["$payload.l", "$payload.words", "$payload.rows", '["a", "b", $payload.s]', "[]", "[1, [2, $payload.n], 3]", "$payload.nums"])
        if kind == "o" and self.source.random() < 0.9:
            return pick(["$payload.o", "$payload.e", '{"a": $payload.s, "b": [1, null]}'])
        if kind == "s" and self.source.random() < 0.3:
            return pick(['"lit"', '""', '"\\u00e9\\""', "$secret.A", "12"])
        return self.reference() if self.source.random() < 0.8 else pick(['"lit"', "12", "null", "true", "$secret.A"])

    def call(self, depth, kind=None):
        fitting = [n for n, row in FUNCTIONS.items() if kind in (None, "a", "m") or row[3] in (kind, "a")]
        name = self.source.choice(fitting)
        least, most, letters, _ = FUNCTIONS[name]
        if name in ("map", "filter"):
            array = self.argument("l", depth)
            if self.depth_of_loops == 3:
                return array
            self.depth_of_loops += 1
            body = self.argument("a", depth)
            self.depth_of_loops -= 1
            return f"{name}({array}, {body})"
        if name in ("formatDate", "parseDate", "addDuration", "dateDiff", "toUnix"):
            date = self.source.choice(DATES)
            rest = {"formatDate": [self.source.choice(FORMATS)] + self.source.choice([[], ['"UTC"'], ['"Europe/Berlin"']]), "addDuration": ['"P1DT2H"'],
                    "dateDiff": [date, '"days"'], "parseDate": [], "toUnix": []}[name]
            return f"{name}({', '.join([date] + rest)})"
        count = self.source.randint(least, most)
        if name in ("object", "switch"):
            count = 4
            letters = "sasa" if name == "object" else letters
        args = [self.argument(letters[min(i, len(letters) - 1)], depth) for i in range(count)]
        if name in ("hmacSha256", "fromUnix"):
            args = args[:2] if name == "hmacSha256" else args[:1]
        return f"{name}({', '.join(args)})"


def generated(source, count):
    for _ in range(count):
        generator = Generator(source)
        sink, around = source.choice(SINKS)
        n_holes = around.count("%s")
        template = around % tuple(generator.call(source.randrange(0, 4)) for _ in range(n_holes))
        text = lambda: random_text(source)
        payload = {"s": text(), "n": source.choice([0, 3, 41.5, -7]), "l": [random_data(source, 2) for _ in range(source.choice([0, 2, 9]))], "d": random_data(source),
                   "o": {k: random_data(source, 1) for k in "abc"}, "e": {"a": {"b": text()}}, "words": [text() for _ in range(source.choice([0, 3, 12]))],
                   "nums": [source.choice([1, 2.5, -3, 1e20]) for _ in range(source.choice([0, 3, 30]))],
                   "rows": [{"a": text(), "b": source.choice([1, "x", [text(), text()]])} for _ in range(source.choice([0, 2, 8]))]}
        separators = source.choice([(",", ":"), (", ", ": ")])
        dump = lambda value: json.dumps(value, ensure_ascii=source.random() < 0.5, separators=separators)
        yield pipe.case(sink, template, dump(payload), {"A": source.choice(["k", "secret-Value" * 9])}, {"p": (("A",), True)}, l=dump({"s": text()}), r=dump({"p": text()}),
                        m=source.choice([None, "nullish", "nullish", "empty"]), D=True)


def tight():
    """Nothing but one text of the worst bytes, as a literal and as the whole payload: here bounds are met."""
    calls = ["%s", "uppercase(%s)", "lowercase(%s)", "capitalize(%s)", "urlEncode(%s)", "hexEncode(%s)", "base64Encode(%s)", "xmlEscape(%s)", "htmlEscape(%s)",
             "quotedString(%s)", "toJson(%s)", "toJson([%s])", "replace('a', 'bcd', %s)", "repeat(%s, 40)", "padStart(%s, 900, '\u00e9')", "split('', %s)", "join('--', split('', %s))",
             "concat(%s, %s)", "map([%s, %s], concat($item, $item))", "map(split('', %s), concat('abc', $item, $index))", "object('k', %s)", "basicAuth('u', %s)", "truncate(%s, 2, %s)",
             "trim(%s)", "toJson(toJson([%s]))", "in(%s, ['x', %s])", "equals([%s], [%s])", "sha256(%s)", "slice(split('a', %s), 0)", "flatten([[%s], %s])", "sum([0.1, 0.2, 0.3, 0.7, 1.9])", "max([0.1, 1e9, 1.55])", "keys(object('k', %s))"]
    texts = ["a" * 64, "\u00e9" * 96, "\u0131\u017f" * 50, "<\"" * 50, "\x01" * 90, "&'" * 70, "\\" * 64, "\ud7ff" * 64]
    for call in calls:
        for text in texts:
            for sink, around in SINKS:
                for argument, data in ((json.dumps(text, ensure_ascii=False), "0"), ("$payload", json.dumps(text, ensure_ascii=False)), ("$secret.A", "0")):
                    template = around.replace("%s", call.replace("%s", argument))
                    yield pipe.case(sink, template, data, {"A": text}, D=True)


def sizes(case):
    found = {"p": 0, "l": 0, "r": 0, "S": 0}
    for key, value in case:
        if key in found:
            data = value if isinstance(value, bytes) else value.encode()
            found[key] += len(data.split(b"=", 1)[1] if key == "S" else data)
    return [found[k] for k in "plrS"]


def bound(numbers, inputs, unit):
    """None: open."""
    is_open, fixed, *per = numbers
    return None if is_open else fixed + sum(k * n for k, n in zip(per, inputs)) // unit


def main():
    seed = int(os.environ.get("KROSYN_SEED", "3"))
    count = int(os.environ.get("KROSYN_CASES", "12000"))
    source = random.Random(seed)
    report = pipe.Report()
    cases = [pipe.file_case(test) for test in pipe.read_cases(sys.argv[2:]) if "preview" not in test and "fuel" not in test]
    for _ in range(3000):
        generator = naive.Generator(source)
        template = generator.template()
        cases.append(pipe.case(template[0], naive.spell_template(template, source), generator.data["payload"], generator.secrets, generator.fields,
                               l=json.dumps(generator.data["lookup"]), r=json.dumps(generator.data["processed"])))
    cases += generated(source, count)
    cases += tight()
    n_bounded = n_open = n_ok = 0
    nearest = {"fuel": 0.0, "output": 0.0}
    for case, answer in zip(cases, pipe.run(sys.argv[1], cases)):
        if not answer.bounds:
            continue
        inputs = sizes(case)
        limits = {"fuel": (bound(answer.bounds[:6], inputs, 32), answer.fuel), "output": (bound(answer.bounds[6:], inputs, 1), len(answer.out or b""))}
        n_ok += answer.kind == "ok"
        for what, (most, measured) in limits.items():
            if most is None:
                n_open += 1
                continue
            n_bounded += 1
            report.check(measured <= most, f"more {what} than its bound", dict(case)["t"], inputs, "bound", most, "measured", measured, answer.bounds)
            if most > 0 and answer.kind == "ok":
                nearest[what] = max(nearest[what], measured / most)
    # Otherwise it is all open, or nothing renders, or the bounds are far from what happens.
    report.check(n_bounded > 2 * n_open and n_ok > len(cases) // 3 and min(nearest.values()) > 0.9, "too little is bounded", n_bounded, n_open, n_ok, nearest)
    print(f"seed {seed}, {len(cases)} templates, {n_ok} render, {n_bounded} bounds, {n_open} open, nearest {nearest}")
    report.finish("cost")


main()
