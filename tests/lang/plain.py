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
    cases = list(file_cases(sys.argv[2:])) + list(shared_cases(source)) + list(random_cases(source, 4000))
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
