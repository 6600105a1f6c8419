# SPDX-License-Identifier: Apache-2.0
"""Shared by the differential tests: many templates through one run of the driver, results compared with a reference."""
import json
import random
import subprocess
import sys


class Differ:
    """Collects (template, payload, wanted); wanted is the exact output text, or an error code like "E360"."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.rows = []
        self.skips = []

    def add(self, template, payload, wanted, name=""):
        self.rows.append((template, payload if isinstance(payload, str) else json.dumps(payload), wanted, name))

    def finish(self, driver):
        text = "".join(f"{payload}\t{template}\n" for template, payload, _, _ in self.rows)
        run = subprocess.run([driver], input=text.encode(), stdout=subprocess.PIPE, check=False)
        lines = run.stdout.decode().splitlines()
        counts = {}
        if run.returncode != 0 or len(lines) != len(self.rows):
            print(f"not ok - the driver ended with {run.returncode} after {len(lines)} of {len(self.rows)} lines")
            return 1
        for (template, payload, wanted, name), line in zip(self.rows, lines):
            code, _, found = line.partition("\t")
            is_good = code == wanted if wanted[:1] == "E" else (code == "ok" and found == wanted)
            good, bad = counts.get(name, (0, 0))
            counts[name] = (good + is_good, bad + (not is_good))
            if not is_good and bad < 5:
                print(f"# {name}: {template} with {payload[:300]} gives {line}, not {wanted}", file=sys.stderr)
        print(f"1..{len(counts) + len(self.skips)}")
        for number, (name, (good, bad)) in enumerate(counts.items(), 1):
            print(f"{'not ' if bad else ''}ok {number} - {name}: {good} of {good + bad} agree")
        for number, name in enumerate(self.skips, len(counts) + 1):
            print(f"ok {number} - {name}")
        return int(any(bad for _, bad in counts.values()))
