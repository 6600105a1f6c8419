# SPDX-License-Identifier: Apache-2.0
"""Random templates through the C code and through naive.py: the same bytes, the same spans (offset,
length, secrets, transforms, context), the same refusal. Arguments: pipe program, case files (unused), and
the environment's KROSYN_SEED and KROSYN_CASES for more."""
import json
import os
import random
import re
import sys

import pipe
import naive

# A secret where the language refuses one; nothing else in the template is wrong.
FORBIDDEN = ["length($secret.A)", "split(',', concat('a', $secret.KEY))", "equals(uppercase($secret.A), 'x')", "if($secret.A, 1, 2)",
             "contains('a', $secret.A)", "startsWith($processed.one, 'a')", "switch($secret.A, 'a', 1, 2)", "repeat($secret.A, 2)",
             "padStart($payload.s, 9, $secret.A)", "toNumber($secret.A)", "not($secret.A)", "substring($payload.s, toNumber($secret.A))",
             "replace($secret.A, 'x', $payload.s)", "before($payload.s, $secret.A)", "and(true, $secret.A)", "isEmpty(trim($processed.both))",
             "truncate($secret.A, 2)", "indexOf($secret.A, 'a')", "toBool($secret.A)", "unique([$secret.A])", "sort([$secret.A])",
             "hmacSha256('k', 'v', $secret.A)", "keys(object('a', $secret.A))", "in($secret.A, ['x'])", "typeOf($secret.A)"]


def main():
    seed = int(os.environ.get("KROSYN_SEED", "7"))
    count = int(os.environ.get("KROSYN_CASES", "12000"))
    source = random.Random(seed)
    report = pipe.Report(6)
    cases, expected = [], []
    for _ in range(count):
        generator = naive.Generator(source)
        template = generator.template()
        text = naive.spell_template(template, source)
        try:
            wanted = naive.render(template, generator.data, generator.secrets, generator.fields)
        except naive.Refused as refused:
            wanted = refused.code
        cases.append(pipe.case(template[0], text, generator.data["payload"], generator.secrets, generator.fields,
                                 l=json.dumps(generator.data["lookup"]), r=json.dumps(generator.data["processed"])))
        expected.append((text, wanted, generator))
    generator = naive.Generator(source)
    for text in FORBIDDEN:
        for sink, around in (("text", text), ("text", "a ${" + text + "} b"), ("header", text), ("json", "[${" + text + "}]"), ("value", text), ("condition", text),
                             ("url", "https://h.example/${concat('a', " + text + ")}"), ("form", "a=${default(null, " + text + ")}"), ("xml", "<a>${" + text + "}</a>")):
            cases.append(pipe.case(sink, around, generator.data["payload"], generator.secrets, generator.fields))
            expected.append((around, "forbidden", generator))
    tally = {}
    answers = pipe.run(sys.argv[1], cases)
    # A call of literals that fails is refused when it is compiled; what it says when it is rendered is judged here.
    refused = [i for i, a in enumerate(answers) if a.kind == "compile" and a.code in (312, 320, 333, 350, 351) and expected[i][1] != "forbidden"]
    for i, answer in zip(refused, pipe.run(sys.argv[1], [cases[i] + [("U", "")] for i in refused])):
        answers[i] = answer
    for (text, wanted, generator), answer in zip(expected, answers):
        shown = (text, generator.data, generator.secrets, "wanted", wanted, "found", answer)
        if wanted == "forbidden":
            report.check(answer.kind == "compile" and any(e[0] == 401 for e in answer.errors), "a secret is let in", *shown)
            continue
        tally[wanted if isinstance(wanted, int) else "ok"] = tally.get(wanted if isinstance(wanted, int) else "ok", 0) + 1
        if isinstance(wanted, int):
            report.check(answer.kind == "render" and answer.code == wanted, "another refusal", *shown)
            continue
        data, spans, is_null = wanted
        report.check(answer.kind == "ok" and answer.out == data, "other bytes", *shown)
        report.check(answer.spans == spans, "other spans", *shown, "spans wanted", spans)
        report.check(answer.is_null == is_null, "other null", *shown)
        for found in re.finditer(rb"mk(\d)", answer.out or b""):  # what the model cannot be wrong about
            name = list(generator.secrets)[int(found.group(1))]
            if generator.secrets[name].encode() in answer.out:
                covered = any(o <= found.start() and found.end() <= o + n and name in s for o, n, s, _, _ in answer.spans)
                report.check(covered, "the start of a secret outside its spans", name, *shown)
    print(f"seed {seed}, {len(cases)} templates: {dict(sorted(tally.items(), key=str))}")
    report.finish("taint")


main()
