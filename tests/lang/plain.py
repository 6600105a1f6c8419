# SPDX-License-Identifier: Apache-2.0
"""What the compiler joins, shares and fuses changes nothing: all case files and random templates, compiled
with is_plain and without, give the same bytes, spans, errors, lints and derived strings."""
import json
import os
import random
import sys

import pipe
import naive


def file_cases(paths):
    """Fuel is what differs between the two, so cases about fuel are left out."""
    for test in pipe.read_cases(paths):
        if "fuel" not in test:
            yield test["name"][0].decode(), pipe.file_case(test)


SHARED = ["${exists($payload.absent?)}$payload.absent", "${default($payload.absent?, 1)}${$payload.absent}", "$payload.o.s ${$payload.o?.s} ${$payload.o.s?}",
          "$processed.one$processed.both$processed", "${exists($payload.absent)} ${$payload.absent?}", "$payload.a[0]${$payload.a[-1]}${$payload.a[0]?}"]


# What literals alone say, or decide; and what stands near it.
FOLDED = ["uppercase('x')", "concat('a', uppercase('b'), $payload.o.s, 'c', 1, true, lowercase('D'))", "concat(concat('a', $secret.A), concat('b', 2), 'c')",
          "concat(concat($payload.o.s, 'a'), 'b', 'c')", "concat('a', 'b', $payload.o)", "concat(concat('a', concat('b', $secret.A, uppercase('c'))), 'd', 'e', $payload.a)",
          "if(equals(1, 1.0), $payload.o.s, 'x')", "if('', $secret.A, $payload.o.s)", "if(1, $secret.A, 'x')", "if(0.000e5, 'x', $payload.absent)", "if([], 1, default($payload.absent?, 'z'))",
          "and($payload.o.s, 'x', $payload.a)", "and($payload.o.s, '', $payload.absent)", "or($payload.absent?, 0, false)", "or(0, $payload.o.s, true, $payload.absent)", "and(true, 1)", "or('', 0)",
          "and($payload.absent?, 0, $payload.absent)", "switch('b', 'a', 1, 'b', $payload.o.s, 2)", "switch(1, 1.0, $secret.A, 2)", "switch('z', 'a', 1, $payload.o.s, 2, 3)", "switch('z', 'a', 1, $payload.a)",
          "switch($payload.o.s, 'a', 1, 2)", "default(null, $payload.o.s)", "default('x', $payload.absent)", "coalesce(null, $payload.absent?, 'y', $payload.absent)", "coalesce(null, null)", "coalesce(null, $secret.A)",
          "coalesce($payload.absent?, null, 7)", "default(null, null)", "default(first([]), 'x')", "first([])", "last([1, null])", "exists(null)", "not([])", "toJson({'a': [1, null, 'x']})", "parseJson('{\"a\": [1.50, -0]}').a",
          "['a', 1, null, {'k': ['v']}]", "{'a': [1], 'b': $payload.o.s}", "in($payload.o.s, ['a', 'b'])", "merge({'a': 1}, {'b': [2]}, $payload.o)", "abs(-1.50)", "add(1, 2)", "multiply(19.9, 3)", "round(2.5)",
          "base64Decode('/w==')", "sha256(base64Decode('/w=='))", "base64Encode(base64Decode('/w=='))", "raw('<&>')", "urlEncode('a b/\u00fc\"\\\n')", "'a\"b'", "trim('  \"x\\y\u0001 ')", "trim('')", "null", "true", "1.50",
          "formatDate('2026-07-01T12:00:00Z', '%d %b %H:%M %Z', 'Europe/Berlin')", "formatDate($payload.o.s, '%Q')", "divide(1, 0)", "divide($payload.o.s, 0)", "toNumber('x')", "if(false, toNumber('x'), 1)", "concat('a', [])",
          "repeat('ab', 3000)", "repeat('ab', 2048)", "repeat('a', 4094)", "matches('^a', 'abc')", "extract('b(.)', 'abc')", "extract('z', 'abc')", "regexReplace('b', '$0$0', 'abc')", "map(['a', 'b'], uppercase($item))",
          "map(['a'], if(true, concat($item, 'x', 'y'), 1))", "filter([1, 2], and(true, greaterThan($item, 1)))", "count([1, 2]).string", "if(true, $payload.o, 1).s", "if(true, {'s': 1}, 1).s", "get({'a': {'b': 7}}, 'a.b')"]


def folded_cases(source):
    """Each as a hole of each sink, in each mode; some always fail, and do so alike."""
    around = [("text", "a ", " b"), ("header", "x", ""), ("url", "https://h.example/", "/z?q=1"), ("url", "https://h.example/?q=", ""), ("json", "{\"a\": ", "}"), ("json", "[\"x", "y\"]"), ("json", "{", ": 1}"),
              ("form", "a=", "&b=1"), ("xml", "<a>", "</a>"), ("xml", "<a b='", "'/>"), ("query", "q", ""), ("value", "v ", ""), ("value", None, None), ("query", None, None), ("header", None, None), ("condition", None, None)]
    for expression in FOLDED:
        for sink, head, tail in around:
            generator = naive.Generator(source)
            text = expression if head is None else head + "${" + expression + "}" + tail
            for missing in (None, "nullish", "empty"):
                for is_preview in (False, True):
                    yield f"folded {text}", pipe.case(sink, text, generator.data["payload"], generator.secrets, generator.fields,
                                                      r=json.dumps(generator.data["processed"]), m=missing, w=True, v=is_preview)


def shared_cases(source):
    """Paths that differ in one thing only: what is shared too eagerly shows."""
    generator = naive.Generator(source)
    for text in SHARED:
        for sink in ("text", "header", "form", "xml", "query", "value"):
            for missing in (None, "nullish", "empty"):
                yield f"shared {text}", pipe.case(sink, text, generator.data["payload"], generator.secrets, generator.fields,
                                                    r=json.dumps(generator.data["processed"]), m=missing)


def random_cases(source, count):
    for number in range(count):
        generator = naive.Generator(source)
        template = generator.template()
        # Twice the same holes: shared slots and steps matter only then.
        if template[1][0][0] == "t" and template[0] in ("text", "form", "query", "value"):
            template = (template[0], template[1] + template[1])
        yield f"random {number}", pipe.case(
            template[0], naive.spell_template(template, source), generator.data["payload"], generator.secrets, generator.fields,
            l=json.dumps(generator.data["lookup"]), r=json.dumps(generator.data["processed"]),
            v=source.random() < 0.1, m=source.choice([None, None, "nullish", "empty"]))


def main():
    seed = int(os.environ.get("KROSYN_SEED", "11"))
    source = random.Random(seed)
    cases = list(file_cases(sys.argv[2:])) + list(folded_cases(source)) + list(shared_cases(source)) + list(random_cases(source, 4000))
    report = pipe.Report()
    optimised = pipe.run(sys.argv[1], [c for _, c in cases])
    plain = pipe.run(sys.argv[1], [c + [("P", "")] for _, c in cases])
    n_longer = 0
    for (name, fields), one, other in zip(cases, optimised, plain):
        report.check(one.result() == other.result(), "not the same", name, dict(fields).get("t"), one.result(), other.result())
        n_longer += other.n_code > one.n_code
        report.check(other.n_code >= one.n_code, "the plain program is the shorter one", name)
    # Otherwise the option does nothing, and the comparison above says nothing.
    report.check(n_longer > len(cases) // 2, "is_plain hardly changes the code", n_longer, len(cases))
    print(f"seed {seed}, {len(cases)} templates, {n_longer} of them longer when plain")
    report.finish("plain")


main()
