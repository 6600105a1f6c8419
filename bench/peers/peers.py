#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Template engines in Python, asked by bench_render over stdin and stdout, a line each (see peers.js).
"jinja2" escapes nothing; "jinja2-escaped" passes each field through json.dumps."""
import json
import os
import sys
import time

try:
    import jinja2
except ImportError:
    jinja2 = None
    print("bench: without jinja2; ./dev bench render --peers installs it", file=sys.stderr)

FORMATS = {"plain": "{f}", "upper": "{f} | upper", "lower": "{f} | lower", "trim": "{f} | trim", "head": "{f}[:8]",
           "replace": "{f} | replace('-', '/')", "join": "({f} ~ ' ' ~ {n})", "default": "{f} | default('none')",
           "choose": "('yes' if {f} == 'paid' else 'no')"}
NUMBERS = [f"SO-2024-{i:05d}" for i in range(4096)]
CASES = {}


def environment():
    made = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
    made.filters["inner"] = lambda value: json.dumps(value, ensure_ascii=False)[1:-1]
    return made


ENVIRONMENT = environment() if jinja2 else None


def template(pieces, is_escaped, unique):
    out = []
    for piece in pieces:
        if "literal" in piece:
            out.append(piece["literal"])
            continue
        code = FORMATS[piece["function"]].format(f=piece["field"], n=piece["next"])
        out.append("{{ (" + code + ") | inner }}" if is_escaped else "{{ " + code + " }}")
    return ENVIRONMENT.from_string("".join(out) + f"{{# {unique} #}}")


class Case:
    def __init__(self, message):
        self.payloads = [json.loads(text) for text in message["payloads"]]
        self.pieces = message["pieces"]
        self.n_compiled = 0
        self.render = {}
        if jinja2:
            self.render = {"jinja2": template(self.pieces, False, 0), "jinja2-escaped": template(self.pieces, True, 0)}

    def engines(self, action):
        return {"render": list(self.render), "compile": list(self.render)[:1]}.get(action, [])

    def output(self, engine, number):
        if number < 4:
            self.payloads[number]["order_id"] = NUMBERS[number]
        return self.render[engine].render(self.payloads[number])

    def run(self, engine, action, count):
        payloads, made, numbers = self.payloads[:4], self.render[engine], NUMBERS
        begin = time.perf_counter_ns()
        for i in range(count):
            payload = payloads[i & 3]
            payload["order_id"] = numbers[i & 4095]
            if action == "compile":
                self.n_compiled += 1
                made = template(self.pieces, False, self.n_compiled)
            made.render(payload)
        return time.perf_counter_ns() - begin


def answer(message):
    if message["op"] == "case":
        CASES[message["name"]] = Case(message)
        return "ok"
    if message["op"] == "parse-text":
        return "ok"
    case = CASES.get(message["case"])
    if message["op"] == "engine":
        names = case.engines(message["action"]) if case else []
        return names[message["n"]] if message["n"] < len(names) else ""
    if message["op"] == "output":
        return case.output(message["engine"], message["n"]).encode().hex()
    return str(case.run(message["engine"], message["action"], message["n"]))


for line in sys.stdin:
    os.write(1, answer(json.loads(line)).encode() + b"\n")
