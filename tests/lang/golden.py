# SPDX-License-Identifier: Apache-2.0
"""golden.py [--write] KROSYN FILE... - what `krosyn render` and `krosyn dump` say, byte for byte.

A golden file is any number of records:

    === name
    $ render --sink url -- 'https://x.example.com/$payload.id'
    payload: {"id": ".."}
    exit: 1
    --- stdout
    --- stderr
    krosyn: a path segment becomes "." or ".." [E310]

Arguments are quoted as in a shell, $'..' with \\n, \\t and \\xHH among them. --write puts in what is said now: to be read
before it is committed.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

RECORD = re.compile(r"=== (.*)\n\$ (.*)\n(?:payload: (.*)\n)?exit: (\d+)\n--- stdout\n((?:.*\n)*?)--- stderr\n((?:(?!===).*\n)*)")


ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|n|t)")


def arguments(line):
    """The words of a command line as bytes; a word that was $'...' may hold escapes."""
    words = []
    for word in shlex.split(line.replace("$'", "'\0")):
        made = word.lstrip("\0").encode()
        if word.startswith("\0"):
            made = ESCAPE.sub(lambda found: {"n": "\n", "t": "\t"}.get(
                found.group(1)) or chr(int(found.group(1)[1:], 16)), word[1:]).encode("latin-1")
        words.append(made)
    return words


def run(krosyn, line, payload, folder):
    args = arguments(line)
    where = [b"--home", b"none"]
    if payload is not None:
        with open(os.path.join(folder, "payload.json"), "w", encoding="utf-8") as file:
            file.write(payload)
        where += [b"--payload", b"payload.json"]
    done = subprocess.run([os.fsencode(krosyn), args[0], *where, *args[1:]], cwd=folder, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def record(name, line, payload, said):
    given = "" if payload is None else "payload: %s\n" % payload
    return "=== %s\n$ %s\n%sexit: %d\n--- stdout\n%s--- stderr\n%s" % (name, line, given, *said)


def main():
    args = [arg for arg in sys.argv[1:] if arg != "--write"]
    krosyn, paths = os.path.abspath(args[0]), args[1:]
    n_good = n_bad = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        made = []
        with tempfile.TemporaryDirectory(prefix="krosyn-golden-") as folder:
            for found in RECORD.finditer(text):
                name, line, payload = found.group(1, 2, 3)
                made.append(record(name, line, payload, run(krosyn, line, payload, folder)))
                is_good = made[-1] == found.group(0)
                n_good, n_bad = n_good + is_good, n_bad + (not is_good)
                print("[%s] %s: %s" % ("       OK " if is_good else "  FAILED  ",
                                       os.path.basename(path), name), flush=True)
                if not is_good and "--write" not in sys.argv:
                    print("%s\nis not\n%s" % (made[-1], found.group(0)))
        if "--write" in sys.argv:
            with open(path, "w", encoding="utf-8") as file:
                file.write("".join(made))
        elif text.count("=== ") != len(made):
            print("[  FAILED  ] %s: not every record was read" % path)
            n_bad += 1
    print("%d passed, %d failed" % (n_good, n_bad))
    return 0 if n_bad == 0 and n_good > 0 or "--write" in sys.argv else 1


if __name__ == "__main__":
    sys.exit(main())
