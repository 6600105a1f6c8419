#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Canary values through every command; see README.md.

usage: test_commands.py KROSYN EMBEDDER PRELOAD [TEST]

KROSYN_TEST_LONG: 1 000 values instead of 28.
"""
import concurrent.futures
import multiprocessing
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
sys.dont_write_bytecode = True
import canary
import drive_denied
import drive_home
import drive_misuse
import drive_secrets
import drive_work
import faults
from surface import HELP, Surface

N_VALUES = 1000 if faults.IS_LONG else 28
PER_HOME = 28 if faults.IS_LONG else 14  # each kind twice, or once
N_WORKERS = 2
MISUSES = 5  # each value gets every fifth


def drive_value(surface, number, name, kind, value):
    """Everything that is done with one value."""
    drive_secrets.save(surface, number, name, kind, value)
    event = drive_work.run(surface, name, value)
    if len(value) < 60000:  # a URL has a limit; then the run ends before it
        wrong = [where for where, holds in drive_work.span_of(event).items() if not holds]
        assert not wrong, f"{kind}: no marker in {wrong}"
    drive_work.run_with_value_inside(surface, value)
    drive_work.templates(surface, name)
    drive_work.redact(surface, value, len(value) >= 4)
    drive_denied.deny(surface, number, name)
    drive_secrets.live(surface, name, value)
    drive_secrets.import_badly(surface, name, value)
    drive_misuse.misuse(surface, number, name, value, MISUSES)
    drive_secrets.look(surface, name)


def drive_home_of(surface, values):
    """Everything that is done with a home that holds all of them."""
    drive_secrets.import_all(surface, values)
    drive_secrets.look_at_all(surface)
    drive_work.events(surface)
    drive_home.copies(surface)
    drive_home.damage(surface)
    drive_home.keys(surface)
    drive_home.custody(surface, next(iter(values.values())))
    drive_home.organizations(surface)
    drive_home.delete(surface, list(values)[:2])
    drive_home.helps(surface, HELP.commands)


def drive_group(start):
    """The values from start on, in a home of their own: (what was driven, hits by kind, what went wrong)."""
    values = dict(list(canary.make(N_VALUES, 41).items())[start:start + PER_HOME])
    bare = {name: value for name, (_, value) in values.items()}
    surface = Surface()
    try:
        for number, (name, (kind, value)) in enumerate(values.items(), start + start // PER_HOME):
            drive_value(surface, number, name, kind, value)
        drive_home_of(surface, bare)
        hits = surface.found({**bare, "passphrase": drive_home.PASSPHRASE})
        kinds = {name: kind for name, (kind, _) in values.items()}
        n_bytes = sum(len(data) for _, data in surface.kept)
        return surface.driven, sorted({(kinds.get(name, name), form, where) for name, form, where in hits}), n_bytes, \
            len(surface.kept), len(surface.target.requests)
    finally:
        surface.close()


class Everything(unittest.TestCase):
    """All groups run once; what they gave is looked at from several sides."""

    @classmethod
    def setUpClass(cls):
        began = time.monotonic()
        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(N_WORKERS, mp_context=context) as pool:
            cls.groups = list(pool.map(drive_group, range(0, N_VALUES, PER_HOME)))
        print(f"# {N_VALUES} values, {sum(g[3] for g in cls.groups)} outputs of {sum(g[2] for g in cls.groups)} bytes, "
              f"{sum(g[4] for g in cls.groups)} requests, {time.monotonic() - began:.0f} s", flush=True)

    def test_no_command_shows_a_value(self):
        self.assertEqual({hit for group in self.groups for hit in group[1]}, set())
        self.assertGreater(sum(group[4] for group in self.groups), N_VALUES)

    def test_every_command_of_the_help_was_driven(self):
        driven = {}
        for group in self.groups:
            for command, options in group[0].items():
                driven.setdefault(command, set()).update(options)
        self.assertGreater(len(HELP.commands), 30)
        self.assertEqual(set(HELP.commands) - set(driven), set(), "commands in the help that the harness does not drive")
        missing = {(command, option) for command, options in HELP.commands.items() for option in options - driven[command]}
        self.assertEqual(missing, set(), "options in the help that the harness does not drive")


if __name__ == "__main__":
    faults.main(sys.argv[4] if len(sys.argv) > 4 else None)
