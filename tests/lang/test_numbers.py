#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbers against Python's int, float, Fraction and Decimal: arithmetic, rounding, printing, order."""
import decimal
import math
import struct
import sys
from fractions import Fraction

from driver import Differ

LOW, HIGH = -(2**63), 2**63 - 1
decimal.getcontext().prec = 3000
decimal.getcontext().Emax = decimal.MAX_EMAX
decimal.getcontext().Emin = decimal.MIN_EMIN
ROUNDINGS = {"round": decimal.ROUND_HALF_UP, "floor": decimal.ROUND_FLOOR, "ceil": decimal.ROUND_CEILING}


def canonical(number):
    """The engine's print of an exact decimal: integers of 64 bits, plain from 1e-6 to 1e18, else an exponent."""
    sign, digits, exponent = decimal.Decimal(number).as_tuple()
    digits = "".join(map(str, digits)).lstrip("0")
    while digits.endswith("0"):
        digits, exponent = digits[:-1], exponent + 1
    if not digits:
        return "0"
    minus = "-" if sign else ""
    point = len(digits) + exponent
    if exponent >= 0 and point < 25 and LOW <= int(minus + digits + "0" * exponent) <= HIGH:
        return minus + digits + "0" * exponent
    if -5 <= point <= 18:
        if point <= 0:
            return minus + "0." + "0" * -point + digits
        return minus + digits.ljust(point, "0")[:point] + ("." + digits[point:] if len(digits) > point else "")
    return f"{minus}{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{point - 1:+d}"


def written_whole(text):
    return not any(c in ".eE" for c in text)


def reference(name, a, b):
    x, y = decimal.Decimal(a), decimal.Decimal(b)
    for text, value in ((a, x), (b, y)):
        if written_whole(text) and not LOW <= value <= HIGH:
            return "E360"
        if math.isinf(float(value)):
            return "E360"
    if name in ("divide", "modulo") and float(y) == 0:
        return "E361"
    is_whole = all(not v or abs(v.adjusted()) < 30 and v == v.to_integral_value() and LOW <= v <= HIGH for v in (x, y))
    if is_whole:
        i, j = int(x), int(y)
        if name == "divide":
            exact = Fraction(i, j)
            is_over = exact.denominator == 1
        else:
            remainder = abs(i) % abs(j or 1) * (1 if i >= 0 else -1)
            exact = Fraction({"add": i + j, "subtract": i - j, "multiply": i * j, "modulo": remainder}[name])
            is_over = True
        if exact.denominator == 1 and LOW <= exact <= HIGH:
            return str(int(exact))
        if is_over and written_whole(a) and written_whole(b):
            return "E360"
    p, q = float(x), float(y)
    try:
        result = {"add": lambda: p + q, "subtract": lambda: p - q, "multiply": lambda: p * q, "divide": lambda: p / q,
                  "modulo": lambda: math.fmod(p, q)}[name]()
    except OverflowError:
        return "E360"
    return canonical(repr(result)) if math.isfinite(result) else "E360"


def some_double(rnd):
    kind = rnd.randrange(6)
    if kind == 0:
        real = struct.unpack("<d", rnd.randbytes(8))[0]
    elif kind == 1:
        real = math.ldexp(rnd.choice((1.0, 1.5, 1 + 2**-52)), rnd.randrange(-1074, 1023))
    elif kind == 2:
        real = rnd.randrange(-10**6, 10**6) / 100
    elif kind == 3:
        real = math.ldexp(rnd.randrange(1, 2**52), -1074)
    else:
        real = rnd.uniform(-1000, 1000)
    return real if math.isfinite(real) else 0.5


def some_number(rnd):
    kind = rnd.randrange(9)
    if kind < 2:
        return str(rnd.randrange(-1000, 1000))
    if kind == 2:
        return str(rnd.choice((LOW, HIGH, 2**53, -(2**53))) + rnd.randrange(-3, 4))
    if kind == 3:
        return f"{rnd.randrange(-10**4, 10**4)}.{rnd.randrange(1000):03}"
    if kind == 4:
        return f"{rnd.randrange(-10**4, 10**4)}e{rnd.randrange(-30, 30)}"
    if kind == 5:
        return repr(some_double(rnd))
    if kind == 6:
        return str(rnd.randrange(LOW, HIGH))
    if kind == 7:
        return f"{rnd.choice(('', '-'))}{rnd.randrange(10**20)}.{rnd.randrange(10**25)}"
    return rnd.choice(("0", "-0", "0.0", "-0.0", "1.0", "1e0", "1E2", "100e-2", "1e400", "-1e400", "1e-400", "0e999999999"))


def respell(rnd, text):
    """Another spelling of the same number."""
    sign, digits, exponent = decimal.Decimal(text).as_tuple()
    digits = "".join(map(str, digits)).lstrip("0")
    zeros = rnd.randrange(4) if digits else 0
    return f"{'-' if sign else ''}{digits or '0'}{'0' * zeros}e{exponent - zeros}"


def grouped(number, places, point, group):
    rounded = number.quantize(decimal.Decimal(1).scaleb(-places), decimal.ROUND_HALF_UP)
    whole, _, fraction = f"{abs(rounded):f}".partition(".")
    parts = []
    while len(whole) > 3:
        whole, parts = whole[:-3], [whole[-3:]] + parts
    return ("-" if rounded < 0 else "") + group.join([whole] + parts) + (point + fraction if places else "")


def main():
    differ = Differ(20260102)
    rnd = differ.random
    for _ in range(8000):
        a, b = some_number(rnd), some_number(rnd)
        name = rnd.choice(("add", "subtract", "multiply", "divide", "modulo"))
        differ.add(f"{name}($payload.a, $payload.b)", f'{{"a":{a},"b":{b}}}', reference(name, a, b), "arithmetic")
    for _ in range(8000):
        real = some_double(rnd)
        differ.add("multiply($payload, 1.5e0)" if rnd.random() < 0.1 else "add($payload, 0.0)", repr(real), "", "shortest digits of doubles")
        template = differ.rows[-1][0]
        product = real * 1.5 if "multiply" in template else real
        exact = decimal.Decimal(repr(real))
        if exact == exact.to_integral_value() and "add" in template and LOW <= exact <= HIGH:
            product = exact
        wanted = "E360" if not math.isfinite(product) else canonical(repr(product) if isinstance(product, float) else product)
        differ.rows[-1] = (template, repr(real), wanted, "shortest digits of doubles")
    for _ in range(6000):
        text = some_number(rnd)
        number = decimal.Decimal(text)
        if abs(number.adjusted()) > 500:
            continue
        name = rnd.choice(tuple(ROUNDINGS))
        places = rnd.randrange(-4, 8) if name == "round" else 0
        rounded = number.quantize(decimal.Decimal(1).scaleb(-places), ROUNDINGS[name]) if number.as_tuple().exponent < -places else number
        differ.add(f"{name}($payload.a{f', {places}' if name == 'round' else ''})", f'{{"a":{text}}}', canonical(rounded), "rounding")
    for _ in range(4000):
        text = some_number(rnd)
        number = decimal.Decimal(text)
        places = rnd.randrange(0, 6)
        group = rnd.choice(("", ",", "\u202f", "'"))
        if number and abs(number.adjusted()) < 400:
            differ.add(f'formatNumber($payload.a, {places}, ",", "{group}")', f'{{"a":{text}}}',
                       '"' + grouped(number, places, ",", group) + '"', "formatNumber")
    for _ in range(8000):
        a = some_number(rnd)
        b = respell(rnd, a) if rnd.random() < 0.4 and abs(decimal.Decimal(a).adjusted()) < 10**6 else some_number(rnd)
        x, y = decimal.Decimal(a), decimal.Decimal(b)
        name, truth = rnd.choice((("equals", x == y), ("lessThan", x < y), ("greaterThan", x > y), ("lessThanOrEqual", x <= y),
                                  ("greaterThanOrEqual", x >= y), ("notEquals", x != y)))
        differ.add(f"{name}($payload.a, $payload.b)", f'{{"a":{a},"b":{b}}}', "true" if truth else "false", "equality and order")
    for _ in range(2000):
        items = [some_number(rnd) for _ in range(rnd.randrange(1, 8))]
        name, pick = rnd.choice((("min", min), ("max", max)))
        best = items[0]
        for item in items[1:]:
            if pick(decimal.Decimal(best), decimal.Decimal(item)) != decimal.Decimal(best):
                best = item
        differ.add(f"{name}($payload)", "[" + ",".join(items) + "]", best, "min and max")
    for _ in range(2000):
        items = [some_number(rnd) for _ in range(rnd.randrange(0, 8))]
        total = "0"
        for item in items:
            total = reference("add", total, item)
            if total[0] == "E":
                break
        differ.add("sum($payload)", "[" + ",".join(items) + "]", total, "sum")
    return differ.finish(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
