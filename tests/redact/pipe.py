# SPDX-License-Identifier: Apache-2.0
"""The C redactor as a process (pipe.c): one for each level of the processor's instructions.

A Driver takes a set of values, then texts for it, and gives what the C code makes of them. It notices when the
process dies (a sanitizer's finding, a crash) and says so as an answer, so that the case can be shown.
"""
import os
import struct
import subprocess

LEVELS = ("scalar", "ssse3", "avx2", "avx512")  # of KROSYN_CPU; what a machine lacks falls back to what it has
FORM_BITS = {"percent": 1, "json": 2, "twice": 4, "html": 8, "base64": 16, "hex": 32, "lines": 64, "leaves": 128}
FORMS_HERE = ("percent", "json", "twice", "html", "base64", "hex")  # what pipe.c accepts: FORMS_HERE there
HAS_CHOICE = False  # of forms, set by set
EVERY_CUT = 0xFFFFFFFF
VERDICTS = ("ok", "value refused", "forms unknown", "failed", "stream differs", "limit")


def number(value):
    return struct.pack("<I", value)


def prefixed(data):
    return number(len(data)) + data


class Died(Exception):
    """The process ended in the middle of a request."""


class Driver:
    def __init__(self, path, level):
        self.path, self.level = path, level
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(os.environ, KROSYN_CPU=self.level))

    def restart(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.start()

    def close(self):
        """End it; its exit code says whether it leaked."""
        self.process.stdin.close()
        code = self.process.wait()
        self.process.stdout.close()
        return code

    def read(self, count):
        data = self.process.stdout.read(count)
        if len(data) != count:
            raise Died(f"the driver ended with code {self.process.wait()}")
        return data

    def read_number(self):
        return struct.unpack("<I", self.read(4))[0]

    def send(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Died(f"the driver ended with code {self.process.wait()}") from None

    def send_set(self, values, forms):
        bits = sum(FORM_BITS[form] for form in forms)
        self.send(b"S" + number(bits) + number(len(values)) + b"".join(prefixed(value) for value in values))

    def read_set(self):
        return VERDICTS[self.read_number()]

    def send_text(self, text, cuts):
        """cuts: "every", or places in rising order."""
        places = number(EVERY_CUT) if cuts == "every" else number(len(cuts)) + b"".join(map(number, cuts))
        self.send(b"T" + prefixed(text) + places)

    def read_text(self):
        """(verdict, output of one shot, output of the stream that differs, its cut, the most that a stream held)"""
        verdict = VERDICTS[self.read_number()]
        return verdict, self.read(self.read_number()), self.read(self.read_number()), self.read_number(), self.read_number()

    def redact_limited(self, text, most):
        self.send(b"L" + prefixed(text) + number(most))
        return VERDICTS[self.read_number()], self.read(self.read_number())

    def set(self, values, forms=FORMS_HERE):
        self.send_set(values, forms)
        return self.read_set()

    def redact(self, text, cuts="every"):
        self.send_text(text, cuts)
        return self.read_text()


class Tap:
    """Prints TAP; the exit code says whether all held."""

    def __init__(self):
        self.n_cases = self.n_failed = 0

    def case(self, name, holds, why=""):
        self.n_cases += 1
        self.n_failed += not holds
        print(f"{'ok' if holds else 'not ok'} {self.n_cases} - {name}", flush=True)
        if not holds:
            print("\n".join("# " + line for line in why.splitlines()), flush=True)

    def end(self):
        print(f"1..{self.n_cases}")
        return 1 if self.n_failed or self.n_cases == 0 else 0
