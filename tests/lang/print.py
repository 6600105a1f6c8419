# SPDX-License-Identifier: Apache-2.0
"""Printing is stable: parse(print(parse(t))) is parse(t), print gives the same text again, and the printed
template renders the same bytes and spans. Over all case files, random templates and texts full of marks."""
import json
import os
import random
import sys

import pipe
import naive


def chunk_of(line):
    word, _, text = line.strip().partition(" ")
    return json.loads(text) if word == "chunk" else None


def joined(tree):
    """The tree with neighbouring chunks as one: "$$" cuts a chunk in two."""
    out = []
    for line in tree.decode().split("\n"):
        text = chunk_of(line)
        if text is not None and out and isinstance(out[-1], list):
            out[-1][0] += text
        else:
            out.append(line if text is None else [text])
    return out


TEXTS = ["$5", "$$", "$$$", "$$$$payload.s", "US$", "$ {x}", "$payload.s.", "$payload.s?x=1", "$payload.a[0]]", "$payload.a[x]", "$payload", "$$payload.s",
         "$USD 5", "$payload.s$payload.t", "${$payload.s}x", "${ $payload.o[\"a b\"] }", "${$payload.o['s']?}", "$secret.A.x", "${$secret.A.uppercase}",
         "$secret.A?", "$secret.2FA", "a(b) $payload.s", "a($payload.s", "fn(${concat(\"\\u0029\")}", "fn(${concat(\"(\\u0029\")})", "${$payload[\"0\"]}", "${default($payload[\"1a\"]['b'], \"x\")}", "fn(${concat(')', \"(\\u0029\")} x", "  $payload.s  ",
         " trim( $payload.s ) ", "concat('a',\"b\",)", "toJson({'a':1,\"b\":[1,2,],})", "concat('\\'', \"\\\"\", '\\$', '\\/', '\\u00e9\\ud83d\\ude00\\u0000')",
         "concat('a\nb')", "first([[1]])[0]", "first([{'a': {'b c': 1}}])?.a[\"b c\"]?", "[1, 2", "[$5]", "{}", "[]", "{\"a\": $payload.s}", "[\"$$\"]", "[\"$$5\" x",
         "[$payload.s", "true", "null", "\"x\"", "-1.50e+3", "concat(-0, 1E5, 1.0)", "x\u2028\ufeffy", "map($payload.a, concat($index, '-', $item))", "${count(filter($payload.a, equals($item.length?, 1)))}", "", "   ", "$payload[\"\"]", "${$payload[\"\"][-3]}",
         "${$payload.a[ 0 ].uppercase}", "$item", "total (USD)", "uppercase ($payload.s)", "length($payload.a)$", "{\"a\": \"$$\", \"b\": ${$payload.s}}"]


def texts(source, count):
    pieces = ["$", "$$", "${", "}", "(", ")", "[", "]", "{", "'", "\"", "\\", ",", ":", ".", "?", " ", "x", "é", "0", "-1", "$payload.s", "$payload.a[0]", "$secret.A",
              "${$payload.o[\"a b\"]}", "concat(", "'a'", "\"b\"", "true", "$secret.A.trim", "${trim( \"x\" )}", "toJson([1,2,])", "\\u0041", "first($payload.a)"]
    return ["".join(source.choice(pieces) for _ in range(source.randrange(1, 9))) for _ in range(count)]


def collect(paths, source):
    for test in pipe.read_cases(paths):
        if "body" not in test:
            yield pipe.file_case(test)
    generator = naive.Generator(source)
    sinks = ("text", "header", "url", "query", "json", "form", "xml", "value", "condition")
    for number, text in enumerate(TEXTS * len(sinks) + texts(source, 6000)):
        sink = sinks[number // len(TEXTS) % len(sinks)] if number < len(TEXTS) * len(sinks) else source.choice(sinks)
        yield pipe.case(sink, text, generator.data["payload"], generator.secrets, l="{}", r=json.dumps(generator.data["processed"]))
    for _ in range(3000):
        generator = naive.Generator(source)
        template = generator.template()
        yield pipe.case(template[0], naive.spell_template(template, source), generator.data["payload"], generator.secrets, generator.fields,
                          l=json.dumps(generator.data["lookup"]), r=json.dumps(generator.data["processed"]))


def replaced(case, text):
    return [(k, text if k == "t" else v) for k, v in case] + [("C", ""), ("T", "")]


def outcome(answer):
    """All but positions, which belong to the spelling, and lints, which a printed dollar does not have."""
    return answer.kind, answer.out, answer.spans, [(e[0], e[3]) for e in answer.errors], answer.is_null, answer.truth


def main():
    seed = int(os.environ.get("KROSYN_SEED", "3"))
    cases = list(collect(sys.argv[2:], random.Random(seed)))
    report = pipe.Report()
    before = pipe.run(sys.argv[1], [c + [("C", ""), ("T", "")] for c in cases])
    printed = [(c, a) for c, a in zip(cases, before) if a.canonical is not None]
    after = pipe.run(sys.argv[1], [replaced(c, a.canonical) for c, a in printed])
    n_trees = 0
    for (case, one), two in zip(printed, after):
        shown = (dict(case)["s"], dict(case)["t"], one.canonical, two.canonical)
        report.check(one.canonical == two.canonical, "printed again, it differs", *shown, two)
        report.check((one.tree is None) == (two.tree is None), "one of them does not compile", *shown, one, two)
        if one.tree is not None and two.tree is not None:
            n_trees += 1
            report.check(joined(one.tree) == joined(two.tree), "another tree", *shown, one.tree, two.tree)
        report.check(outcome(one) == outcome(two), "another result", *shown, one, two)
    unprinted = [c for c, a in zip(cases, before) if a.canonical is None and a.kind != "compile"]
    report.check(not unprinted, "compiles, but is not printed", unprinted[:3])
    report.check(n_trees > 3000, "too few templates that compile", n_trees)
    print(f"seed {seed}, {len(cases)} templates, {len(printed)} parse, {n_trees} trees compared")
    report.finish("print")


main()
