# SPDX-License-Identifier: Apache-2.0
"""test_leaks.py - hostile values, connectors, payloads and targets against the whole command.

usage: test_leaks.py KROSYN

Each row: values to save, a connector (URL/ stands for the receiver), a payload, an answer. After every
row all that was printed, the stored events and all files of the home are searched for the values in all
promised forms (leak_bench.py). Results are printed as TAP.
"""
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from leak_bench import Bench, answer, leaves  # noqa: E402

PLAIN = b"kroLeak-4f9ZqLm2xW8"
ODD = b'kroLeak "quoted"/+%&\\ \xc3\xa9 4f9Zq'
TEXT = ((b"Content-Type", b"text/plain"),)


def perform(**more):
    return {"name": "t", "perform": {"url": "URL/x", **more}}


def with_process(document, **process):
    return {**document, "process": process}


def echo(request):
    """All that was sent, as a text."""
    return answer(request.all, TEXT)


def echo_json(request):
    """What was sent, escaped in a way of its own, as a key, a value and base64."""
    text = request.all.decode("latin-1")
    return answer(json.dumps({text: [text], "n": 1}).encode())


def fixed(*arguments, **more):
    return lambda request: answer(*arguments, **more)


# --- rows: (name, values, connector, payload, respond, what must hold of the event) ---

SEND = perform(headers={"X-API-Key": "$secret.KEY"}, body={"a": "$secret.KEY", "b": "$payload.x"})
ENCODED = perform(
    headers={"A": "base64Encode($secret.KEY)", "B": "hexEncode($secret.KEY)",
             "C": "urlEncode(urlEncode($secret.KEY))", "D": "basicAuth(\"user\", $secret.KEY)"},
    body={"a": "base64Encode(concat($payload.x, $secret.KEY))", "u": "uppercase($secret.KEY)",
          "s": "substring($secret.KEY, 2, 9)", "h": "hmacSha256($payload.x, $secret.KEY)"})
USED = with_process(
    perform(url="URL/$processed.a/p?q=$processed.b",
            headers={"H": "$processed.a", "I": "base64Encode($processed.a)", "J": "uppercase($processed.b)"},
            body={"o": "$processed", "s": "$processed.obj", "t": "x $processed.obj y", "k": "$processed.arr[0]",
                  "sub": "substring($processed.b, 0, 6)", "$payload.k": "not a hole"}),
    fields={"a": 'concat("Bearer ", $secret.KEY)', "b": "uppercase($secret.KEY)",
            "obj": '{"deep": [$secret.KEY]}', "arr": '[concat("pre ", $secret.KEY)]'})


def is_completed(event):
    return event["status"] == "completed"


def is_failed(event):
    return event["status"] == "failed"


def answered(event, step="perform"):
    return event[step]["attempts"][0]["response"]


def lacks(*parts):
    """No decoded key or leaf holds a part of a value."""
    return lambda event: not any(part in leaf for part in parts for leaf in leaves(event))


def both(*checks):
    return lambda event: all(check(event) for check in checks)


LONG_KEY = b"k" + b"0123456789abcdef" * 5
LONG = (b"kroLong%06d-" * 1000) % tuple(range(1000))  # 15 KB
SPLIT = b"kroLeak: zzzyyyxxxwww"
TELLING = ((b"Content-MD5", b"q2hlY2s="), (b"Content-Range", b"bytes 0-18/19"), (b"Digest", b"x=y"),
           (b"Repr-Digest", b"x=y"), (b"X-Kept", b"yes"))

ODD_VALUES = {
    "3 letters": (b"xyz", "completed"), "one letter, 4 times": (b"QQQQ", "completed"),
    "one letter, 30 times": (b"Q" * 30, "completed"), "digits": (b"83716254", "completed"),
    "quotes and slashes": (b'q"u\\o/t\'', "completed"), "all at once": (ODD, "completed"),
    "the target's address": (b"127.0.0.1", "completed"), "a header's name": (b"X-API-Key", "completed"),
    "blanks around it": (b" abcd-efgh ", "completed"), "line breaks": (b"line one\nline two\n", "failed"),
    "NUL": (b"nul\0byte\0x", "failed"), "not UTF-8": (b"\xff\xfe\x80abc\xc3", "failed"),
    "64 KiB": (LONG[:4096] * 16, "failed"),
}

ROWS = [(f"sent and echoed: {name}", {"KEY": value}, SEND, {"x": "hello"}, echo,
         lambda event, status=status: event["status"] == status) for name, (value, status) in ODD_VALUES.items()]
ROWS += [(f"sent in a body and echoed as JSON: {name}", {"KEY": value}, perform(body={"a": "$secret.KEY"}), {},
          echo_json, lambda event: True) for name, (value, _) in ODD_VALUES.items()]
ROWS += [(f"encoded and echoed: {name}", {"KEY": value}, ENCODED, {"x": "hello"}, echo, lambda event: True)
         for name, (value, _) in ODD_VALUES.items() if b"Q" not in value]
ROWS += [
    ("overlapping values", {"A": b"abcdeX", "B": b"Xvery-sensitive", "C": b"sensitive-value"}, perform(),
     {"x": "abcdeXvery-sensitive-value"}, fixed(b"1abcdeXvery-sensitive-value2", TEXT),
     both(lacks(b"very", b"value"), lambda event: answered(event)["body"] == "1[REDACTED]2")),
    ("in process fields, used everywhere", {"KEY": PLAIN}, USED, {}, echo,
     both(is_completed, lacks(b"kroLeak", b"KROLEAK"))),
    ("in keys, numbers and query names",
     {"KEY": b"83716254", "TEXT": ODD},
     with_process(perform(body={"x": "$payload"}),
                  lookup={"url": "URL/l?a=1#f", "query": {ODD.decode(): "$payload.t", "n": "$payload.n"}}),
     {"83716254": 1, "n": 83716254, "m": [183716254, 0.83716254, -8371625400], ODD.decode(): 1, "t": ODD.decode()},
     fixed(b'{"83716254": 83716254, "a": {"x83716254": [8371625400]}}'), is_completed),
    ("a JSON text as body, with a hole for a key", {"KEY": ODD},
     perform(body='{"a": "x $secret.KEY", "$secret.KEY": $payload.x}'), {"x": {ODD.decode(): [ODD.decode()]}}, echo,
     is_completed),
    ("a form as body", {"KEY": ODD},
     perform(headers={"Content-Type": "application/x-www-form-urlencoded"}, body="a=$secret.KEY&b=$payload.x"),
     {"x": ODD.decode()}, echo, is_completed),
    ("as the origin", {"KEY": PLAIN}, perform(url="URL/$secret.KEY", body={}), {}, echo, is_completed),
    ("the name of the connector", {"KEY": PLAIN}, {**perform(), "name": f"to {PLAIN.decode()}"}, {}, echo,
     lambda event: event["connector"] == "to [REDACTED]"),
    ("an example_payload", {"KEY": PLAIN}, {**perform(body={"x": "$payload.x"}), "example_payload":
                                            {"x": PLAIN.decode(), PLAIN.decode(): 1}}, None, echo, is_completed),
    ("reason, header names, header values", {"KEY": PLAIN}, perform(), {},
     fixed(b"", ((b"X-" + PLAIN, b"1"), (b"A", PLAIN), (b"A", PLAIN), (b"B", b"%6BroLeak-4f9ZqLm2xW8")),
           b"200 no " + PLAIN), is_completed),
    ("a header line that the parser divides", {"KEY": SPLIT}, perform(), {},
     fixed(b"", ((b"A", b"1"), (b"kroLeak", b"zzzyyyxxxwww"), (b"kroLeak", b"zzzyyyxxxwww, more"))),
     lacks(b"zzzyyyxxxwww")),
    ("what tells the length or a hash of a body", {"KEY": PLAIN}, perform(), {}, fixed(PLAIN, TEXT + TELLING),
     lambda event: [n for n, _ in answered(event)["headers"]] == ["Content-Type", "X-Kept", "Connection"]),
    ("UTF-16, labelled", {"KEY": PLAIN}, perform(), {},
     fixed(PLAIN.decode().encode("utf-16-le"), ((b"Content-Type", b"text/plain; charset=UTF-16LE"),)),
     lambda event: "withheld" in answered(event)["body"]),
    ("UTF-16 with a byte-order mark", {"KEY": PLAIN}, perform(), {},
     fixed(PLAIN.decode().encode("utf-16"), TEXT), lambda event: "withheld" in answered(event)["body"]),
    ("gzip, labelled the second time", {"KEY": PLAIN}, perform(), {},
     fixed(gzip.compress(PLAIN), ((b"Content-Encoding", b"identity"), (b"Content-Encoding", b"gzip"))),
     lambda event: "withheld" in answered(event)["body"]),
    ("an answer that ends inside a long value", {"KEY": LONG}, perform(), {},
     fixed(b"x" * 100 + LONG[:9000], TEXT, length=20000), both(is_failed, lacks(b"kroLong"))),
    ("an answer that ends inside a short value", {"KEY": PLAIN}, perform(), {},
     fixed(b"x" * 100 + PLAIN[:9], TEXT, length=20000), both(is_failed, lacks(b"kroLeak"))),
    ("an answer over 16 MiB that stops inside a value", {"KEY": PLAIN}, perform(), {},
     fixed(PLAIN * (1 << 20), TEXT), lacks(b"kroLeak")),
    ("a lookup that is not JSON: no byte numbers behind a value", {"KEY": PLAIN},
     with_process(perform(), lookup={"url": "URL/l", "headers": {"A": "$secret.KEY"}}), {},
     fixed(b'{"k": "' + PLAIN + b'" oops'),
     both(is_failed, lambda event: not any(c.isdigit() for c in event["error"]["message"]))),
    ("a path that is cut inside a value", {"KEY": LONG_KEY}, perform(body={LONG_KEY.decode(): "$payload.no"}), {},
     echo, both(is_failed, lacks(LONG_KEY[:8]), lambda event: event["error"]["field"] == "perform.body")),
    ("a header's path that is cut inside a value", {"KEY": LONG_KEY},
     perform(headers={LONG_KEY.decode(): "upercase($payload.no)"}), {}, echo,
     both(is_failed, lacks(LONG_KEY[:8]), lambda event: event["error"]["field"] == "perform.headers")),
    ("a message that is cut inside a value", {"KEY": LONG_KEY},
     perform(body={"a": "$payload." + "b" * 170 + "." + LONG_KEY.decode()}), {}, echo,
     both(is_failed, lacks(LONG_KEY[:8]))),
    ("a hint that names a key of the payload", {"KEY": LONG_KEY[:60]},
     perform(body={"a": "$payload." + LONG_KEY[:58].decode()}),
     {LONG_KEY[:60].decode(): 1}, echo,
     both(is_failed, lambda event: LONG_KEY[:60] not in json.dumps(event["error"]).encode())),
    ("a hint that is cut inside a value", {"KEY": LONG_KEY * 4},
     perform(body={"a": "$payload." + (LONG_KEY * 4)[:-1].decode()}),
     {(LONG_KEY * 4).decode(): 1}, echo,
     both(is_failed, lambda event: LONG_KEY[:8] not in json.dumps(event["error"]).encode())),
    ("a value in a template that does not compile", {"KEY": PLAIN},
     perform(headers={"A": f'upercase("{PLAIN.decode()}")'}), {}, echo, is_failed),
    ("many headers, many long values", {f"S{i}": b"%04d" % i + os.urandom(2000).hex().encode() for i in range(40)},
     perform(), {}, fixed(b"{}", tuple((b"H%d" % i, b"v" * 700) for i in range(250))), is_completed),
]


def run_row(bench, row):
    _, values, connector, payload, respond, check = row
    for name, value in values.items():
        bench.save(name, value)
    bench.receiver.respond = respond
    event, done = bench.run_connector(connector, payload)
    assert event is not None, (done.code, done.err)
    assert check(event), json.dumps(event)[:3000]
    assert event["receipt"]["failed"] == [], event["receipt"]


# --- what is no single run ---


def rotated_during_a_run(bench):
    """The target answers with a value that was saved after the run had begun."""
    later = {"KEY": b"kroLeakSecond-8816253", "OTHER": b"kroLeakThird-1523344"}
    bench.save("KEY", PLAIN)

    def respond(request):
        for name, value in later.items():
            bench.save(name, value)
        return answer(b" ".join([PLAIN, *later.values()]), TEXT + ((b"X", later["KEY"]),))

    bench.receiver.respond = respond
    connector = bench.connector(perform(headers={"A": "$secret.KEY"}))
    done = bench.run("run", connector, "--payload", bench.write("p.json", {}), "--allow-private", "--json")
    assert answered(json.loads(done.out))["body"] == "[REDACTED] [REDACTED] [REDACTED]", done.out
    bench.values["FIRST"] = PLAIN


def interrupted_run(bench):
    """The intent record of a killed run, and the event made of it, name the connector without the value."""
    bench.save("KEY", PLAIN)
    bench.receiver.respond = lambda request: (time.sleep(20), answer())[1]
    connector = bench.connector({**perform(headers={"A": "$secret.KEY"}), "name": f"n {PLAIN.decode()}"})
    process = subprocess.Popen(
        [bench.krosyn, "--home", bench.home, "--key", os.path.join(bench.folder, "keys", "a.key"), "run", connector,
         "--payload", bench.write("p.json", {}), "--allow-private"],
        env=bench.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(2000):
        if bench.receiver.requests:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (event,) = json.loads(bench.must("events", "list", "--json").out)
    assert event["status"] == "interrupted" and event["connector"] == "n [REDACTED]", event


def connectors_that_do_not_parse(bench):
    """What is said of a connector that a run cannot read quotes none of its data."""
    bench.save("KEY", PLAIN)
    for text in (b'{"name":"t","example_payload":{"k":"%s"} "perform":{}}', b'{"name":"t","trigger":{"k":"%s"}}',
                 b'{"name":"t","example_payload":"%s","performance":{}}', b'{"status":"%s","name":"t"}'):
        done = bench.run("run", bench.write("c.json", text % PLAIN))
        assert done.code == 1 and not done.out, done.out


def payloads_that_do_not_parse(bench):
    bench.save("KEY", PLAIN)
    for text in (b'{"k":"%s", %s}', b"%s%s", b'{"%s":1,"%s":2}', b'["%s\\u12"%s'):
        done = bench.run("run", bench.connector(perform()), "--payload", bench.write("p", text % (PLAIN, PLAIN)))
        assert done.code == 1 and not done.out, done.out


def values_files_that_are_wrong(bench):
    bench.values["KEY"] = PLAIN
    for text in (b'["%s', b'[{"name":"%s","valu":"x"}]', b'{"a":"%s"}', b"%s", b'[{"value_b64":"%s!"}]',
                 b'[["%s"]]', b'["%s" "x"]', b'["%s", "  "]'):
        done = bench.run("redact", "--values", bench.write("v.json", text % PLAIN), given=PLAIN)
        assert done.code == 1 and not done.out, (text, done.out)
    done = bench.run("redact", "--values", bench.write("v.json", b'["%s"]' % PLAIN), "--stats",
                     given=b"a" + PLAIN + b"b")
    assert done.out == b"a[REDACTED]b", done.out


def descriptions(bench):
    """A description is metadata in the clear: one that holds a value is refused, whoever's it is."""
    bench.save("KEY", PLAIN)
    rows = [("KEY", PLAIN, ["--description", f"is {PLAIN.decode()}"], 1),
            ("OTHER", b"another-value", ["--description", f"like {PLAIN.decode()}"], 1),
            ("OTHER", b"another-value", ["--description", "another-value"], 1),
            ("OTHER", b"another-value", ["--description", "YW5vdGhlci12YWx1ZQ=="], 1),
            ("OTHER", b"another-value", ["--description", "the CRM's"], 0),
            ("OTHER", b"the CRM", [], 1), ("OTHER", b"a third", [], 0)]
    for name, value, more, code in rows:
        done = bench.run("secret", "set", name, *more, given=value)
        assert done.code == code, (more, done.code, done.err)
        assert code == 0 or b"description" in done.err, done.err
    bench.must("secret", "list")
    bench.must("secret", "show", "OTHER", "--json")
    bench.values["OTHER"] = b"another-value"


def other_organizations(bench):
    bench.save("KEY", PLAIN)
    bench.must("org", "create", "other")
    bench.receiver.respond = echo
    connector = perform(headers={"A": "$secret.KEY"})
    event, _ = bench.run_connector(connector, {})
    other = ("--org", "other")
    for arguments in (("events", "show", event["id"]), ("secret", "show", "KEY"), ("secret", "delete", "KEY"),
                      ("run", bench.connector(connector), "--payload", bench.write("p", {}), "--allow-private")):
        done = bench.run(*arguments, *other)
        assert done.code == 1, (arguments, done.code)
    assert bench.must("events", "show", event["id"], "--json").out
    assert json.loads(bench.must("secret", "list", "--json", *other).out) == []
    n_requests = len(bench.receiver.requests)
    assert n_requests == 2, n_requests  # run_connector runs twice; the other organization sent nothing


def without_a_key(bench):
    """check, render and a dry run know no value and say where each would stand."""
    bench.save("KEY", PLAIN)
    path = bench.connector(perform(headers={"A": "Bearer $secret.KEY", "B": "base64Encode($secret.KEY)"}))
    bench.must("check", path)
    bench.must("check", "--json", path)
    done = bench.must("run", path, "--dry-run", "--json", "--payload", bench.write("p", {}))
    headers = dict(json.loads(done.out)["perform"]["attempts"][0]["request"]["headers"])
    assert headers["A"] == "Bearer [REDACTED]" and headers["B"] == "[REDACTED]", headers
    for sink in ("url", "header", "json", "form", "xml", "text"):
        bench.run("render", "--sink", sink, "--json", "--", "$secret.KEY")
        bench.run("render", "--sink", sink, "--", "x$secret.KEYS")


STORIES = [rotated_during_a_run, interrupted_run, connectors_that_do_not_parse, payloads_that_do_not_parse,
           values_files_that_are_wrong, descriptions, other_organizations, without_a_key]


def hostile_answers(bench):
    """Broken and half HTTP with a value in every part of it: an event each time, and no value in one."""
    bench.save("KEY", PLAIN)
    head = b"HTTP/1.1 200 OK\r\n"
    pieces = [b"HTTP/1.1 200 " + PLAIN, b"HTTP/1.1 2", b"HTTP/1.0 999 " + PLAIN + b"\r\n\r\n", PLAIN,
              head + PLAIN, head + b"A: " + PLAIN[:9], head + b"A: 1\r\n " + PLAIN + b"\r\n\r\n",
              head + PLAIN + b": x\r\n\r\n", head + b": " + PLAIN + b"\r\n\r\n", head + b"A: " + b"y" * 200000,
              head + b"Content-Length: -1\r\nA: " + PLAIN + b"\r\n\r\n" + PLAIN,
              head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + PLAIN,
              head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + PLAIN,
              head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + PLAIN,
              head + b"Transfer-Encoding: chunked\r\n\r\n1;" + PLAIN + b"\r\nx\r\n0\r\nT: " + PLAIN + b"\r\n\r\n",
              head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nkro\r\n4\r\nLeak\r\nc\r\n-4f9ZqLm2xW8\r\n0\r\n\r\n",
              b"HTTP/1.1 100 " + PLAIN + b"\r\nA: " + PLAIN + b"\r\n\r\n" + head + b"\r\n",
              head + b"Content-Type: application/json\r\n\r\n{\"" + PLAIN + b"\": 1, \"" + PLAIN + b"\"",
              head + b"A\0B: " + PLAIN + b"\r\n\r\n", head + b"\r\n" + PLAIN + b"\0" + PLAIN + b"\xff"]
    for piece in pieces:
        bench.receiver.respond = lambda request, piece=piece: piece
        event, done = bench.run_connector({**perform(headers={"A": "$secret.KEY"}), "timeout_ms": 5000}, {})
        assert event is not None, (piece, done.err)


STORIES.append(hostile_answers)


def main(krosyn):
    tests = [(row[0], lambda bench, row=row: run_row(bench, row)) for row in ROWS]
    tests += [(story.__name__.replace("_", " "), story) for story in STORIES]
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        bench = Bench(krosyn)
        try:
            test(bench)
            found = bench.leaks()
            assert not found, found
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # any failure of one test is reported, and the next goes on
            print(f"not ok {number} - {name}", flush=True)
            print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
        finally:
            bench.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
