#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Install into a folder, compile docs/examples/*.c through pkg-config, shared and static, run all, and
docs/examples/redact_ctypes.py over the shared library. The exported symbols are those the headers declare.

usage: test_embed.py BUILD_FOLDER

TAP output: what was compiled, printed and hidden, one case each. Needs a build without sanitizers.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
EXAMPLES = os.path.join(ROOT, "docs", "examples")
VALUE = "example-value-1"
cases = []


def case(name, holds, why=""):
    cases.append(holds)
    print(f"{'ok' if holds else 'not ok'} {len(cases)} - {name}", flush=True)
    if not holds and why:
        print("\n".join("# " + line for line in why.splitlines()))
    return holds


def call(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **more)
    return done.returncode, done.stdout, done.stdout + done.stderr


def find(folder, name):
    for place, _, names in os.walk(folder):
        if name in names:
            return place
    return None


def ask(stage, *arguments):
    """What pkg-config says, with the staged tree before the system's packages; None when it fails."""
    _, system, _ = call("pkg-config", "--variable", "pc_path", "pkg-config")
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": f"{find(stage, 'krosyn.pc')}:{system.strip()}",
                   "PKG_CONFIG_SYSROOT_DIR": stage}
    code, out, said = call("pkg-config", *arguments, env=environment)
    return out.split() if case(f"pkg-config {' '.join(arguments)}", code == 0, said) else None


def static_flags(stage):
    """libkrosyn.a with the system's shared libraries. `pkg-config --static` would ask for those of curl's static one too."""
    ours = ask(stage, "--cflags", "--libs", "krosyn")
    required = ask(stage, "--print-requires-private", "krosyn")
    names = [word for word in required or [] if word[0].isalpha()]  # without ">=" and versions
    theirs = ask(stage, "--libs", *names)
    with open(os.path.join(find(stage, "krosyn.pc"), "krosyn.pc"), encoding="utf-8") as text:
        private = [line.split(":", 1)[1].split() for line in text if line.startswith("Libs.private:")]
    if not ours or not theirs or not case("krosyn.pc names what the static library needs besides", len(private) == 1):
        return None
    return ["-l:libkrosyn.a" if flag == "-lkrosyn" else flag for flag in ours] + theirs + private[0]


def build(kind, name, stage, arguments):
    """The example as a program; None when it does not compile."""
    program = os.path.join(stage, f"{name}-{kind}")
    code, _, said = call("cc", "-std=c17", "-D_POSIX_C_SOURCE=200809L", "-pthread", "-Wall", "-Wextra", "-Werror",
                         os.path.join(EXAMPLES, name + ".c"), "-o", program, *arguments)
    return program if case(f"{kind}: {name}.c compiles without warnings", code == 0, said) else None


def try_embed(kind, stage, arguments, environment):
    program = build(kind, "embed", stage, arguments)
    if program is None:
        return
    folder = tempfile.mkdtemp(prefix="embed-", dir=stage)
    code, out, said = call(program, folder, env=environment)
    case(f"{kind}: it runs", code == 0, said)
    case(f"{kind}: the preview shows the marker", "preview: Bearer [REDACTED]\n" in out, said)
    case(f"{kind}: the preview says where the secret lands", "lands: API_KEY as header value\n" in out, said)
    case(f"{kind}: the dry run shows the request without the value",
         "dry run: completed" in out and "https://api.example.com/greet/Jane" in out and '"Bearer [REDACTED]"' in out, said)
    case(f"{kind}: the filter removes a value split over two writes", "filtered: key=[REDACTED] was refused\n" in out, said)
    case(f"{kind}: no value in what it printed", VALUE not in said)


LOGGED = """{"msg": "nothing to hide", "n": 1}
{"msg":"login","password":"[REDACTED]"}
{"url":"https://api.example.com/?s=[REDACTED]","ok":true}
not JSON: [REDACTED]
"""


def try_logger(kind, stage, arguments, environment):
    program = build(kind, "redact_logger", stage, arguments)
    if program is not None:
        code, out, said = call(program, env=environment)
        case(f"{kind}: the logger's records are redacted, old and new values", (code, out) == (0, LOGGED), said)


def try_stream(kind, stage, arguments, environment):
    program = build(kind, "redact_stream", stage, arguments)
    if program is None:
        return
    values = os.path.join(stage, "values.json")
    with open(values, "w", encoding="utf-8") as file:
        file.write('["first-value-1", {"name": "API_KEY", "value": "example value"}]')
    # More than one read of 4096 bytes, with a value over the edge.
    text = "x" * 4090 + "example+value first-value-1 first-val"
    code, out, said = call(program, values, input=text, env=environment)
    case(f"{kind}: the stream is redacted",
         (code, out) == (0, "x" * 4090 + "[REDACTED:API_KEY] [REDACTED:value-1] first-val"), said[-300:])
    case(f"{kind}: it counts by name and form", "API_KEY percent 1\n" in said and "value-1 raw 1\n" in said, said[-300:])


def try_ctypes(stage):
    library = os.path.join(find(stage, "libkrosyn.so"), "libkrosyn.so")
    code, out, said = call(sys.executable, os.path.join(EXAMPLES, "redact_ctypes.py"), library)
    case("ctypes: records, JSON and a stream are redacted from Python",
         (code, out) == (0, "login with [REDACTED]\nGET https://api.example.com/?s=[REDACTED]\n"
                            '{"key":"[REDACTED]","n":1}\nstream: [REDACTED], and example-pass\n'), said)


def try_symbols(stage):
    """What the headers declare with KR_API is what the library exports."""
    folder = os.path.join(ROOT, "include", "krosyn")
    declared = set()
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as text:
            declared.update(re.findall(r"\bKR_API\b[^;(]*?\b(kr_\w+)\s*\(", text.read()))
    _, out, said = call("nm", "-D", "--defined-only", os.path.join(find(stage, "libkrosyn.so"), "libkrosyn.so"))
    exported = {line.split()[2].split("@")[0] for line in out.splitlines() if len(line.split()) == 3}
    exported = {name for name in exported if name.startswith("kr_")}
    case("the library exports what the headers declare", declared == exported and len(declared) > 40,
         f"not exported: {sorted(declared - exported)}; not declared: {sorted(exported - declared)}\n{said[:200]}")


def try_one(kind, stage, arguments, environment):
    environment = {**os.environ, **environment}
    for attempt in (try_embed, try_logger, try_stream):
        attempt(kind, stage, arguments, environment)


def main(folder):
    stage = tempfile.mkdtemp(prefix="krosyn-stage-")
    try:
        code, _, said = call("meson", "install", "-C", folder, "--no-rebuild", "--destdir", stage)
        if case("meson install into a folder", code == 0 and find(stage, "krosyn.pc") is not None, said):
            shared = ask(stage, "--cflags", "--libs", "krosyn")
            if shared is not None:
                try_one("shared", stage, shared, {"LD_LIBRARY_PATH": find(stage, "libkrosyn.so")})
                try_ctypes(stage)
                try_symbols(stage)
            static = static_flags(stage)
            if static is not None:
                try_one("static", stage, static, {})
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    print(f"1..{len(cases)}")
    return 0 if all(cases) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
