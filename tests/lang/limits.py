# SPDX-License-Identifier: Apache-2.0
"""Every limit of the language in every sink it applies to: at the limit it passes, one more is an error that
names the limit and the place. Then templates that try to cost more than they say: each ends by itself, by
fuel or by a limit, and what it may do is counted in units of fuel."""
import json
import sys

import pipe

SINKS = ("text", "header", "url", "query", "json", "form", "xml", "value", "condition")
AROUND = {"text": ("x ", " y"), "header": ("x ", " y"), "url": ("https://h.example/a?b=", ""), "query": ("x", "y"), "json": ("[\"", "\"]"),
          "form": ("a=", "&b=1"), "xml": ("<a>", "</a>"), "value": ("x ", " y")}
FUEL = 200000


def within(sink, expression):
    """The expression in a hole of the sink; a condition is the expression."""
    if sink == "condition":
        return expression
    head, tail = AROUND[sink]
    return head + "${" + expression + "}" + tail


class Matrix:
    def __init__(self):
        self.cases, self.expected = [], []

    def passes(self, name, case, **checks):
        self.cases.append(case)
        self.expected.append((name, None, None, checks))

    def fails(self, name, case, code, number, place=None):
        """code; the number that the message must name; a byte of the template the span must hold."""
        self.cases.append(case)
        self.expected.append((name, code, number, {"place": place}))

    def pair(self, name, at_limit, above, code, number, **more):
        self.passes(name, at_limit)
        self.fails(name + ", one more", above, code, number, **more)


def compiling(m):
    for sink in SINKS:
        short = within(sink, "trim('x')")
        padded = lambda n: short.replace("trim(", "trim(" + " " * (n - len(short)))
        m.pair(f"{sink}: template bytes", pipe.case(sink, padded(65536)), pipe.case(sink, padded(65537)), 502, "65536")
        deep = lambda n: within(sink, "trim(" * n + "'x'" + ")" * n)
        m.pair(f"{sink}: nesting of calls", pipe.case(sink, deep(64)), pipe.case(sink, deep(65)), 503, "64", place=deep(65).index("'"))
        lists = lambda n: within(sink, "toJson(" + "[" * n + "]" * n + ")")
        m.pair(f"{sink}: nesting of arrays", pipe.case(sink, lists(63)), pipe.case(sink, lists(64)), 503, "64", place=lists(64).index("]"))
        steps = lambda n: within(sink, "default($payload" + ".a" * n + ", 'x')")
        m.pair(f"{sink}: steps", pipe.case(sink, steps(32), {}), pipe.case(sink, steps(33), {}), 505, "32", place=steps(33).index(", 'x'") - 2)
        after = lambda n: within(sink, "default(first([])" + "[0]" * n + ", 'x')")
        m.pair(f"{sink}: steps of a call", pipe.case(sink, after(32), {}), pipe.case(sink, after(33), {}), 505, "32", place=after(33).index(", 'x'") - 3)
        arguments = lambda n: within(sink, "concat(" + ",".join("1" * n) + ")")
        m.pair(f"{sink}: arguments", pipe.case(sink, arguments(64)), pipe.case(sink, arguments(65)), 506, "64", place=arguments(65).rindex("1)"))
        # Beside the items: the call, the array, text before and after, and what a URL is cut into.
        items = lambda n: within(sink, "toString(count([" + ",".join("1" * n) + "]))")
        m.passes(f"{sink}: parts", pipe.case(sink, items(4085)))
        m.fails(f"{sink}: too many parts", pipe.case(sink, items(4096)), 504, "4096")
        paths = lambda last: within(sink, "join('', [" + ",".join(f"default($payload.k{i}" + ".a" * (31 if i < 127 else last) + ",'')" for i in range(128)) + "])")
        m.pair(f"{sink}: paths", pipe.case(sink, paths(30), {}), pipe.case(sink, paths(31), {}), 510, "4096", place=paths(31).rindex("$payload") + 1)
        if sink == "condition":
            continue
        names = [f"S{i}" for i in range(65)]
        secrets = lambda n: within(sink, "concat(" + ",".join("concat(" + ",".join("$secret." + s for s in names[i:min(i + 30, n)]) + ")" for i in range(0, n, 30)) + ")")
        values = {s: "v" for s in names[:64]}
        m.pair(f"{sink}: secrets", pipe.case(sink, secrets(64), secrets=values), pipe.case(sink, secrets(65), secrets=values), 501, "64",
               place=secrets(65).index("S64"))
        name = lambda n: within(sink, "$secret." + "N" * n)
        m.pair(f"{sink}: secret name", pipe.case(sink, name(128), secrets={"N" * 128: "v"}), pipe.case(sink, name(129)), 106, "128", place=name(129).index("NN"))
    array = lambda n: "[" + "1," * n + "]"
    m.pair("value: parts exactly", pipe.case("value", array(4095)), pipe.case("value", "toJson(" + array(4095) + ")"), 504, "4096")


def data(m):
    text = lambda n: "{\"a\":\"" + "x" * (n - 8) + "\"}"
    depth = lambda n: "{\"a\":" + "[" * (n - 1) + "]" * (n - 1) + "}"
    values = lambda n: "{\"a\":[" + ",".join("1" * (n - 3)) + "]}"
    for sink in SINKS:
        template = within(sink, "if(exists($payload.a), 1, 2)")
        for key in "plr":
            m.passes(f"{sink}: bytes of {key}", pipe.case(sink, template, "{\"a\":1}") if key != "p" else pipe.case(sink, template, text(4194304)))
            if sink not in ("text", "condition"):
                continue
            for name, at, above, number in (("bytes", text(4194304), text(4194305), "4194304"), ("depth", depth(128), depth(129), "128"),
                                            ("values", values(1048576), values(1048577), "1048576")):
                root = {"p": "payload", "l": "lookup", "r": "processed"}[key]
                where = template.replace("payload", root)
                m.passes(f"{sink}: {name} of {root}", [("s", sink), ("t", where), (key, at)])
                m.fails(f"{sink}: {name} of {root}, one more", [("s", sink), ("t", where), (key, above)], 0, number)


def strings(m):
    """A string made while rendering; one function of each kind that makes one."""
    mib = 1048576
    x = lambda n: "x" * n
    made = [("concat", "concat($payload.a, $payload.b)", lambda n: {"a": x(n - 9), "b": x(9)}), ("join", "join('--', [$payload.a, $payload.b])", lambda n: {"a": x(n - 9), "b": x(7)}),
            ("repeat", "repeat('x', $payload.n)", lambda n: {"n": n}), ("repeat of two", "concat(repeat('xy', 524287), $payload.b)", lambda n: {"b": x(n - mib + 2)}),
            ("padStart", "padStart('7', $payload.n, '0')", lambda n: {"n": n}), ("padEnd", "padEnd('é', $payload.n)", lambda n: {"n": n - 1}),
            ("replace", "replace('-', $payload.r, $payload.a)", lambda n: {"a": "-" + x(n - 1024), "r": x(1024)}),
            ("truncate", "truncate($payload.a, 1048570, $payload.b)", lambda n: {"a": x(mib), "b": x(n - 1048570)}), ("toJson", "toJson($payload.a)", lambda n: {"a": x(n - 2)}),
            ("toJson of an array", "toJson([$payload.a, 1])", lambda n: {"a": x(n - 6)}), ("toString of an object", "toString($payload.o)", lambda n: {"o": {"k": x(n - 8)}}),
            ("escapes of toJson", "toJson($payload.a)", lambda n: {"a": "\x01" * 174762 + x(n - 2 - 174762 * 6)}), ("uppercase", "uppercase($payload.a)", lambda n: {"a": x(n)}),
            ("hexEncode", "concat(hexEncode($payload.a), $payload.b)", lambda n: {"a": x(524287), "b": x(n - 1048574)}),
            ("base64Encode", "concat(base64Encode($payload.a), $payload.b)", lambda n: {"a": x(786429), "b": x(n - 1048572)}),
            ("urlEncode", "concat(urlEncode($payload.a), $payload.b)", lambda n: {"a": "%" * 300000 + x(100000), "b": x(n - 1000000)})]
    for name, expression, payload in made:
        for sink in SINKS:
            whole = within(sink, f"length({expression})")
            m.pair(f"{sink}: string of {name}", pipe.case(sink, whole, payload(mib)), pipe.case(sink, whole, payload(mib + 1)), 507, "1048576",
                   place=whole.index(expression))


def outputs(m):
    mib = 1048576
    places = [("header", "@", 8192), ("header", "Bearer @", 8192), ("url", "https://h.example/@", 8192), ("url", "https://h.example/x/y@z/", 8192), ("url", "https://h.example/?a=@", 8192),
              ("url", "https://h.example/#@", 8192), ("text", "@", mib), ("text", "ab@c", mib), ("json", "[\"@\"]", mib), ("json", "{@: 1}", mib), ("json", "[@]", mib), ("form", "a=@&b=1", mib),
              ("xml", "<a>@</a>", mib), ("xml", "<a b='@'/>", mib), ("query", "@", mib), ("value", "x@", mib), ("value", "@", mib), ("value", "[@]", mib)]
    for sink, template, limit in places:
        quotes = 2 if (sink == "json" and "\"" not in template) or sink == "value" else 0
        frame = len(template) - 1 + quotes
        hole = "$payload.v" if sink == "value" and template[0] != "x" else "${$payload.v}"
        text = template.replace("@", hole)
        for unit, width in (("x", 1), ("é", {"url": 6, "query": 6, "form": 6}.get(sink, 2))):
            fill = lambda n: unit * ((n - frame) // width) + "x" * ((n - frame) % width)
            name = f"{sink}: output {template} of {unit}"
            m.passes(name, pipe.case(sink, text, {"v": fill(limit)}), size=limit)
            m.fails(name + ", one more", pipe.case(sink, text, {"v": fill(limit + 1)}), 508, str(limit))
        secret = text.replace("$payload.v", "$secret.K")
        if limit == 8192:
            m.passes(f"{sink}: output {template} of a secret", pipe.case(sink, secret, secrets={"K": "k" * (limit - frame)}), size=limit)
            m.fails(f"{sink}: output {template} of a secret, one more", pipe.case(sink, secret, secrets={"K": "k" * (limit - frame + 1)}), 508, str(limit))
    for sink, head in (("url", "https://h.example/"), ("header", "")):
        m.passes(f"{sink}: literal", pipe.case(sink, head + "x" * (8192 - len(head))), size=8192)
        m.fails(f"{sink}: literal, one more", pipe.case(sink, head + "x" * (8193 - len(head))), 508, "8192")
    m.passes("text: spans", pipe.case("text", "join($secret.K, $payload.a)", {"a": [""] * 65537}, {"K": "k"}), size=65536)
    m.fails("text: spans, one more", pipe.case("text", "join($secret.K, $payload.a)", {"a": [""] * 65538}, {"K": "k"}), 512, "65536")
    twice = "x${join($secret.K, $payload.a)}${$secret.K}"
    m.passes("text: spans of two holes", pipe.case("text", twice, {"a": [""] * 65536}, {"K": "k"}), size=65537)
    m.fails("text: spans of two holes, one more", pipe.case("text", twice, {"a": [""] * 65537}, {"K": "k"}), 512, "65536")


COSTS = ["concat('a', $payload.s)", "join(',', split(' ', $payload.s))", "replace('a', 'bb', $payload.s)", "uppercase($payload.s)", "toJson($payload)", "base64Encode($payload.s)",
         "sha256($payload.s)", "if(equals($payload.o, $payload.o), 'x', 'y')", "switch($payload.s, 'a', 1, $payload.s, 2, 3)", "toString(count(unique($payload.a)))",
         "join('', sort($payload.a))", "toJson(merge($payload.o, {'x': 1}))", "padStart('x', 500)", "repeat('ab', 300)", "substring($payload.s, 3, 100)",
         "toString(contains($payload.a, 'zz'))", "toString(in('zz', $payload.a))", "toJson(reverse($payload.a))", "toJson(flatten([$payload.a, $payload.a]))", "default($payload.x?, 'd')"]
DATA = {"s": "a bc " * 200, "a": [f"item {i % 50}" for i in range(120)], "o": {f"key{i}": i for i in range(60)}}


def hostile():
    """(name, template, payload, the least fuel it must be charged or None): whatever they do is bounded by fuel."""
    big, many = "a" * 1000000, list(range(400000))
    keys = {f"{i:06d}" + "k" * 3000: i for i in range(1200)}
    shared = {"k" * 3000 + f"{i:06d}": i for i in range(1200)}
    nested = None
    for _ in range(120):
        nested = [nested, nested] if nested is None else [nested]
    return [
        ("repeat of repeat", "${length(repeat(repeat('x', 1000), 1000))}" * 50, {}, FUEL), ("repeat of nothing", "repeat('', 9000000000000000000)", {}, None),
        ("padStart without end", "padStart('', 9000000000000000000)", {}, None), ("padEnd, negative", "padEnd('x', -9000000000000000000)", {}, None),
        ("replace doubling", "replace('a','aa'," * 30 + "$payload.s" + ")" * 30, {"s": "a" * 1000}, None),
        ("replace everywhere", "${length(replace('a', '', $payload.s))}" * 30, {"s": big}, FUEL), ("replace, near misses", "replace($payload.n, 'x', $payload.s)", {"s": big, "n": "a" * 5000 + "b"}, None),
        ("split by nothing", "${count(split('', $payload.s))}" * 20, {"s": big}, FUEL), ("split by one", "${count(split('a', $payload.s))}" * 20, {"s": big}, FUEL),
        ("join of many", "${length(join('', $payload.a))}" * 20, {"a": many}, FUEL), ("join of split of join", "join('aa', split('', " * 20 + "$payload.s" + "))" * 20, {"s": "abcd"}, None),
        ("concat doubling", "concat(" * 60 + "$payload.s, $payload.s" + ")" * 60, {"s": big}, None), ("concat of itself", "${concat($payload.s, $payload.s)}", {"s": big}, None),
        ("concat beside concat", "${concat(" + ",".join(["$payload.s"] * 64) + ")}", {"s": big}, None), ("contains again and again", "${contains($payload.a, -1)}" * 60, {"a": many}, FUEL),
        ("in again and again", "${in(-1, $payload.a)}" * 60, {"a": many}, FUEL), ("count again and again", "${count($payload.a)}" * 60, {"a": many}, FUEL),
        ("reverse of reverse", "count(" + "reverse(" * 60 + "$payload.a" + ")" * 61, {"a": many}, FUEL), ("unique of many", "count(unique($payload.a))", {"a": many}, FUEL),
        ("sort of many", "count(sort($payload.a))", {"a": many}, FUEL), ("sort of alike strings", "count(sort($payload.a))", {"a": ["x" * 2000 + str(i) for i in range(1500)]}, 100000),
        ("unique of alike strings", "count(unique($payload.a))", {"a": ["x" * 2000 + f"{i:05d}" for i in range(1000)]}, FUEL), ("flatten again", "count(" + "flatten(" * 50 + "$payload.a" + ")" * 51, {"a": many}, FUEL),
        ("merge of long keys", "count(keys(merge($payload.o, {})))", {"o": keys}, FUEL), ("merge of keys alike", "count(keys(merge($payload.o, {})))", {"o": shared}, FUEL),
        ("equals of trees", "${equals($payload.a, $payload.b)}" * 40, {"a": many[:200000], "b": many[:200000]}, FUEL), ("equals of strings", "${equals($payload.s, $payload.t)}" * 60, {"s": big, "t": big}, FUEL),
        ("toJson of toJson", "toJson(" * 40 + "$payload.s" + ")" * 40, {"s": "\"\\"}, None), ("toJson of deep data", "${length(toJson($payload.d))}" * 500, {"d": nested}, None),
        ("substring far off", "${substring($payload.s, 999999, 1)}" * 60, {"s": big}, FUEL), ("length of long", "${length($payload.s)}" * 60, {"s": big}, FUEL),
        ("indexOf, near misses", "${indexOf($payload.s, $payload.n)}" * 40, {"s": big, "n": "a" * 9999 + "b"}, FUEL), ("number with a long exponent", "equals(1e999999999, $payload.n)", '{"n": 1e-999999999}', None),
        ("number of many digits", "${equals($payload.n, $payload.m)}" * 30, '{"n": ' + "9" * 1000000 + ', "m": ' + "9" * 1000000 + "}", FUEL), ("pluck again", "${count(pluck($payload.a, 'k'))}" * 60, {"a": [{"k": 1}] * 100000}, FUEL),
        ("get deep", "get($payload.d, $payload.p)", {"d": nested, "p": "[0]" * 100000}, None), ("nested map", "count(map($payload.a, map($payload.a, map($payload.a, $item))))", {"a": list(range(100))}, FUEL),
        ("nested filter", "count(filter($payload.a, count(filter($payload.a, contains($payload.a, -1)))))", {"a": list(range(2000))}, FUEL),
        ("trim of blanks", "${trim($payload.s)}" * 60, {"s": " " * 1000000}, FUEL),
        ("startsWith of long", "${startsWith($payload.s, $payload.s)}" * 60, {"s": big}, FUEL), ("urlEncode of urlEncode", "urlEncode(" * 30 + "$payload.s" + ")" * 30, {"s": "%" * 1000}, None),
        ("base64 of base64", "base64Encode(" * 60 + "$payload.s" + ")" * 60, {"s": "x" * 1000}, None), ("sha256 of long", "${sha256($payload.s)}" * 60, {"s": big}, FUEL),
        ("values again", "${count(values($payload.o))}" * 400, {"o": {str(i): i for i in range(100000)}}, FUEL), ("switch of long", "switch($payload.s, " + "$payload.t, 1, " * 31 + "2)", {"s": big, "t": big + "b"}, None),
    ]


def run_fuel(executable, report):
    cases = [(sink, e, pipe.case(sink, within(sink, e), DATA)) for sink in SINKS for e in COSTS]
    used = [a for a in pipe.run(executable, [c for _, _, c in cases])]
    again = pipe.run(executable, [c + [("f", str(u.fuel))] for (_, _, c), u in zip(cases, used)])
    half = pipe.run(executable, [c + [("f", str(u.fuel // 2))] for (_, _, c), u in zip(cases, used)])
    short = pipe.run(executable, [c + [("f", str(u.fuel - 1))] for (_, _, c), u in zip(cases, used)])
    for (sink, e, _), u, a, s, h in zip(cases, used, again, short, half):
        report.check(h.code == 509 and h.errors[0][2] > 0, "without its place", sink, e, h)
        report.check(u.kind == "ok" and u.fuel > 1, "does not render", sink, e, u)
        report.check(a.result() == u.result(), "does not pass with exactly its fuel", sink, e, u, a)
        # The last unit is the end of the program, which has no place.
        report.check(s.code == 509 and str(u.fuel - 1) in s.errors[0][3] and s.out is None, "passes with less fuel than it used", sink, e, s)
    return len(cases)


def run_hostile(executable, report):
    rows = hostile()
    answers = pipe.run(executable, [pipe.case("text", t, p) for _, t, p, _ in rows])
    for (name, _, _, least), answer in zip(rows, answers):
        by_limit = answer.kind == "render" and answer.code in (351, 507, 508, 509, 511, 512)
        report.check(answer.kind == "ok" or by_limit, "ends otherwise", name, answer)
        report.check(answer.fuel <= FUEL, "more fuel than there is", name, answer.fuel)
        report.check(least is None or answer.fuel >= least - 40000 or (least == FUEL and answer.code == 509), "costs less than its work", name, answer.fuel, answer)
        report.check(least != FUEL or answer.code == 509 and str(FUEL) in answer.errors[0][3], "is not ended by fuel", name, answer.fuel, answer)
    return len(rows)


def main():
    report = pipe.Report()
    m = Matrix()
    for group in (compiling, data, strings, outputs):
        group(m)
    for (name, code, number, checks), answer in zip(m.expected, pipe.run(sys.argv[1], m.cases)):
        if code is None:
            report.check(answer.kind == "ok", "does not pass at the limit", name, answer)
            report.check(checks.get("size") is None or len(answer.out or b"") == checks["size"], "another size", name, len(answer.out or b""))
            continue
        report.check(answer.kind in ("compile", "render", "payload") and answer.code == code, f"not E{code}", name, answer)
        if answer.errors:
            first = answer.errors[0]
            report.check(number in first[3], "does not name the limit", name, first)
            place = checks["place"]
            report.check(place is None or first[1] <= place < first[1] + max(first[2], 1), "another place", name, place, first)
        report.check(answer.out is None and answer.spans == [], "output beside an error", name)
    n_fuel = run_fuel(sys.argv[1], report)
    n_hostile = run_hostile(sys.argv[1], report)
    print(f"{len(m.cases)} cases at limits, {n_fuel} costs, {n_hostile} hostile templates")
    report.finish("limits")


main()
