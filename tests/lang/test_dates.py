#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Dates against Python's datetime and zoneinfo: reading, printing, calendar arithmetic, every zone of zone1970.tab."""
import calendar
import os
import sys
from datetime import datetime, timedelta, timezone

from driver import Differ

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOLDER = "/usr/share/zoneinfo"


def iso(when, digits=0):
    text = when.strftime("%Y").rjust(4, "0") + when.strftime("-%m-%dT%H:%M:%S")
    if digits:
        text += "." + f"{when.microsecond:06}".ljust(9, "0")[:digits]
    return text + "Z"


def some_instant(rnd):
    """An instant and its canonical text; the fraction has 0, 3 or 6 digits."""
    kind = rnd.randrange(4)
    if kind == 0:
        when = datetime(rnd.randrange(1, 10000), rnd.choice((1, 2, 3, 12)), 1, tzinfo=UTC)
    elif kind == 1:
        year, month = rnd.randrange(1, 10000), rnd.randrange(1, 13)
        when = datetime(year, month, calendar.monthrange(year, month)[1], 23, 59, 59, tzinfo=UTC)
    else:
        when = datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=rnd.randrange(315537897600))
    digits = rnd.choice((0, 0, 0, 3, 6))
    if digits:
        when = when.replace(microsecond=rnd.randrange(1, 10**digits) * 10 ** (6 - digits))
    return when, digits, iso(when, digits)


def add_months(when, months):
    total = when.year * 12 + when.month - 1 + months
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        return None
    return when.replace(year=year, month=month + 1, day=min(when.day, calendar.monthrange(year, month + 1)[1]))


def months_between(a, b):
    if a > b:
        count = 0
        while (later := add_months(a, count - 1)) is not None and later >= b:
            count -= 1
        return count
    count = 0
    while (later := add_months(a, count + 1)) is not None and later <= b:
        count += 1
    return count


def micros(a, b):
    return (b - a) // timedelta(microseconds=1)


def towards_zero(number, unit):
    return -(-number // unit) if number < 0 else number // unit


def reading(differ, rnd):
    for _ in range(4000):
        when, digits, text = some_instant(rnd)
        offset = rnd.randrange(-23 * 60, 23 * 60)
        try:
            local = when + timedelta(minutes=offset)
        except OverflowError:
            continue
        spelled = iso(local, digits)[:-1].replace("T", rnd.choice("Tt "))
        spelled = spelled.replace(".", rnd.choice(".,"))
        sign = "-" if offset < 0 else "+"
        spelled += f"{sign}{abs(offset) // 60:02}{rnd.choice((':', ''))}{abs(offset) % 60:02}"
        differ.add("parseDate($payload)", f'"{spelled}"', f'"{text}"', "reading ISO 8601")
    for _ in range(4000):
        number = rnd.randrange(-62135596800, 253402300800)
        when = EPOCH + timedelta(seconds=number)
        differ.add("[fromUnix($payload), toUnix(fromUnix($payload))]", str(number), f'["{iso(when)}",{number}]', "unix time")
        millis = rnd.randrange(-62135596800000, 253402300800000)
        when = EPOCH + timedelta(milliseconds=millis)
        differ.add('[fromUnix($payload, "milliseconds"), toUnix(fromUnix($payload, "milliseconds"), "milliseconds")]', str(millis),
                   f'["{iso(when, 3)}",{millis}]', "unix time")


def not_dates(differ, rnd):
    for _ in range(3000):
        year, month, day = rnd.randrange(1, 10000), rnd.randrange(0, 14), rnd.randrange(0, 33)
        hour, minute, second = rnd.randrange(0, 26), rnd.randrange(0, 62), rnd.randrange(0, 62)
        text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        try:
            datetime(year, month, day, hour, minute, second)
            wanted = f'"{text}"'
        except ValueError:
            wanted = "E362"
        differ.add("parseDate($payload)", f'"{text}"', wanted, "dates that do not exist")


def printing(differ, rnd):
    directives = "%Y %m %d %H %M %S %j %a %A %b %B %% %z %Z"
    for _ in range(4000):
        when, _, text = some_instant(rnd)
        wanted = when.strftime(directives.replace("%Y", f"{when.year:04}"))
        differ.add(f'formatDate($payload, "{directives}")', f'"{text}"', f'"{wanted}"', "printing")
    for _ in range(4000):
        when, _, text = some_instant(rnd)
        when = when.replace(microsecond=0)
        form = rnd.choice(("%d/%m/%Y %H:%M:%S", "%A, %d %B %Y %H.%M.%S", "%a %b %d %H:%M:%S %Y", "%Y%m%dT%H%M%SZ", "%Y-%j %H:%M:%S",
                           "%Y-%m-%d %H:%M:%S %z", "%S%%%M%%%H %d.%m.%Y %Z"))
        spelled = when.strftime(form.replace("%Y", f"{when.year:04}"))
        differ.add(f'parseDate($payload, "{form}")', f'"{spelled}"', f'"{iso(when)}"', "reading by format")


def arithmetic(differ, rnd):
    for _ in range(6000):
        when, digits, text = some_instant(rnd)
        months, days, seconds = rnd.randrange(-4000, 4000), rnd.randrange(-9999, 9999), rnd.randrange(-10**7, 10**7)
        if rnd.random() < 0.5:
            months, days, seconds = rnd.choice(((months, 0, 0), (0, days, 0), (0, 0, seconds), (months % 30, 0, 0)))
        years, rest = divmod(abs(months), 12)
        sign = "-" if months < 0 else ""
        duration = f"P{sign}{years}Y{sign}{rest}M{days}DT{seconds}S"
        moved = add_months(when, months)
        try:
            moved = moved and moved + timedelta(days=days)
            moved = moved and moved + timedelta(seconds=seconds)
        except OverflowError:
            moved = None
        if moved is None:
            continue  # the year 0 is ours but not Python's; the ends of the range are cases of their own
        differ.add(f'addDuration($payload, "{duration}")', f'"{text}"', f'"{iso(moved, digits)}"', "adding durations")
    units = {"milliseconds": 1000, "seconds": 10**6, "minutes": 6 * 10**7, "hours": 36 * 10**8, "days": 864 * 10**8, "weeks": 7 * 864 * 10**8}
    for _ in range(4000):
        a, _, text_a = some_instant(rnd)
        b, _, text_b = some_instant(rnd)
        unit = rnd.choice(tuple(units))
        differ.add(f'dateDiff($payload[0], $payload[1], "{unit}")', f'["{text_a}","{text_b}"]',
                   str(towards_zero(micros(a, b), units[unit])), "differences")
    for _ in range(2000):
        a, _, text_a = some_instant(rnd)
        a = a.replace(year=1900 + a.year % 200, day=min(a.day, 28) if a.month == 2 else a.day)
        b = a + timedelta(days=rnd.randrange(-900, 900), seconds=rnd.choice((0, 0, -1, 1, 5000)))
        b = b.replace(day=rnd.choice((28, b.day)))
        months = months_between(a, b)
        differ.add('[dateDiff($payload[0], $payload[1], "months"), dateDiff($payload[0], $payload[1], "years")]',
                   f'["{iso(a, 6)}","{iso(b, 6)}"]', f"[{months},{towards_zero(months, 12)}]", "differences in months")


def zone_names():
    with open(f"{FOLDER}/zone1970.tab", encoding="utf-8") as table:
        names = [line.split("\t")[2].strip() for line in table if line[0] != "#"]
    return names + ["EST5EDT", "Etc/GMT+5", "Asia/Kolkata", "Africa/Casablanca", "America/Nuuk", "Etc/UTC"]


def zones(differ, rnd):
    from zoneinfo import ZoneInfo
    first = int((datetime(1900, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    last = int((datetime(2100, 12, 31, tzinfo=UTC) - EPOCH).total_seconds())
    for name in zone_names():
        zone = ZoneInfo(name)
        instants = [rnd.randrange(first, last) for _ in range(30)]
        low = EPOCH + timedelta(seconds=rnd.randrange(first, last))
        for _ in range(4):  # on both sides of some changes of the clock
            step = timedelta(days=rnd.randrange(60, 240))
            high = low + step
            if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
                a, b = int((low - EPOCH).total_seconds()), int((high - EPOCH).total_seconds())
                at_low = low.astimezone(zone).utcoffset()
                while b - a > 1:
                    middle = (a + b) // 2
                    if (EPOCH + timedelta(seconds=middle)).astimezone(zone).utcoffset() == at_low:
                        a = middle
                    else:
                        b = middle
                instants += [a, b]
            low = high
        for number in instants:
            when = EPOCH + timedelta(seconds=number)
            local = when.astimezone(zone)
            differ.add(f'formatDate($payload, "%Y-%m-%d %H:%M:%S %z %Z", "{name}")', f'"{iso(when)}"',
                       f'"{local.strftime("%Y-%m-%d %H:%M:%S %z %Z")}"', "zones")


def main():
    differ = Differ(20260103)
    for part in (reading, not_dates, printing, arithmetic):
        part(differ, differ.random)
    if os.path.exists(f"{FOLDER}/zone1970.tab"):
        zones(differ, differ.random)
    else:
        differ.skips.append("zones # SKIP this system has no time zones (package tzdata)")
    return differ.finish(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
