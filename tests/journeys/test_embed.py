#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Install into a folder, compile docs/examples/embed.c through pkg-config, shared and static, run both.

usage: test_embed.py BUILD_FOLDER

TAP output: what was compiled, printed and hidden, one case each. Needs a build without sanitizers.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "..", "..", "docs", "examples", "embed.c")
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


def try_one(kind, stage, arguments, environment):
    program = os.path.join(stage, "embed-" + kind)
    code, _, said = call("cc", "-std=c17", "-Wall", "-Wextra", "-Werror", EXAMPLE, "-o", program, *arguments)
    if not case(f"{kind}: the example compiles without warnings", code == 0, said):
        return
    folder = tempfile.mkdtemp(prefix="embed-", dir=stage)
    code, out, said = call(program, folder, env={**os.environ, **environment})
    case(f"{kind}: it runs", code == 0, said)
    case(f"{kind}: the preview shows the marker", "preview: Bearer [REDACTED]\n" in out, said)
    case(f"{kind}: the preview says where the secret lands", "lands: API_KEY as header value\n" in out, said)
    case(f"{kind}: the dry run shows the request without the value",
         "dry run: completed" in out and "https://api.example.com/greet/Jane" in out and '"Bearer [REDACTED]"' in out, said)
    case(f"{kind}: the filter removes a value split over two writes", "filtered: key=[REDACTED] was refused\n" in out, said)
    case(f"{kind}: no value in what it printed", VALUE not in said)


def main(build):
    stage = tempfile.mkdtemp(prefix="krosyn-stage-")
    try:
        code, _, said = call("meson", "install", "-C", build, "--no-rebuild", "--destdir", stage)
        if case("meson install into a folder", code == 0 and find(stage, "krosyn.pc") is not None, said):
            shared = ask(stage, "--cflags", "--libs", "krosyn")
            if shared is not None:
                try_one("shared", stage, shared, {"LD_LIBRARY_PATH": find(stage, "libkrosyn.so")})
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
