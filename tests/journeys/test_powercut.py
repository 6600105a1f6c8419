#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts. What commands write to the stores is recorded (fault_preload.c), then the disk is put together as a
power cut at any place would leave it: all that was synced, and of what was not any part, in any choice, torn
between sectors too. Each such home must open and hold every change that was acknowledged before the cut, and
nothing but the one that was under way beyond.

usage: test_powercut.py KROSYN LIBRARY [TEST]

KROSYN_TEST_LONG: 2 000 cuts instead of 300.
"""
import concurrent.futures
import json
import os
import random
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "cli")]
sys.dont_write_bytecode = True
import faults  # noqa: E402
from receiver import Receiver  # noqa: E402

KROSYN, LIBRARY = (os.path.abspath(path) for path in sys.argv[1:3])
N_CUTS = 2000 if faults.IS_LONG else 300
SECTOR_BYTES = 512
STORES = ("vault/data.mdb", "events/data.mdb")


def value(number):
    return "kroPower-%03d-6Wq2Zt" % number


class Model:
    """What a home holds."""

    def __init__(self):
        self.versions, self.values, self.orgs, self.n_events = {}, {}, ["default"], 0

    def copy(self):
        new = Model()
        new.versions, new.values = dict(self.versions), dict(self.values)
        new.orgs, new.n_events = list(self.orgs), self.n_events
        return new

    def seen(self):
        return self.versions, sorted(self.orgs), self.values

    def after(self, operation):
        new = self.copy()
        kind, name, number = operation
        if kind == "set":
            new.versions[name] = new.versions.get(name, 0) + 1
            new.values[name] = value(number)
        elif kind == "delete":
            del new.versions[name], new.values[name]
        elif kind == "org":
            new.orgs.append(name)
        else:
            new.n_events += 1
        return new


def operations(chance):
    """A list of changes in which every kind follows every other."""
    known, number, made = [], 0, []
    for number in range(60):
        kind = chance.choice(["set", "set", "set", "delete", "org", "run", "run"])
        if kind == "delete" and len(known) > 1:
            made.append(("delete", known.pop(chance.randrange(len(known))), number))
        elif kind in ("org", "run"):
            made.append((kind, "org-%d" % number, number))
        else:
            name = chance.choice(known) if known and chance.random() < 0.6 else "NAME_%d" % number
            known += [name] if name not in known else []
            made.append(("set", name, number))
    return made


class Disk:
    """Files as they surely are, and the writes that may or may not have reached them."""

    def __init__(self, files):
        self.durable = {name: bytearray(data) for name, data in files.items()}
        self.pending = []  # (file, offset, bytes, or None for a new length)

    @staticmethod
    def put(image, offset, data):
        if data is None:
            del image[offset:]
            image.extend(bytes(offset - len(image)))
            return
        image.extend(bytes(max(0, offset + len(data) - len(image))))
        image[offset:offset + len(data)] = data

    def settle(self, name):
        for write in [w for w in self.pending if w[0] == name]:
            self.put(self.durable[name], *write[1:])
        self.pending = [w for w in self.pending if w[0] != name]

    def after_cut(self, chance):
        """One way in which the files may be now."""
        image = {name: bytearray(data) for name, data in self.durable.items()}
        share = chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
        for name, offset, data in self.pending:
            if data is not None and chance.random() < 0.3:  # the length came, the bytes did not
                image[name].extend(bytes(max(0, offset + len(data) - len(image[name]))))
            if chance.random() >= share:
                continue
            if data is not None and chance.random() < 0.3:
                for at in range(0, len(data), SECTOR_BYTES):
                    if chance.random() < 0.5:
                        self.put(image[name], offset + at, data[at:at + SECTOR_BYTES])
                continue
            self.put(image[name], offset, data)
        return image


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.folder = faults.new_folder("krosyn-power-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.chance = random.Random(20261)
        self.target = Receiver()
        self.addCleanup(self.target.close)

    def record(self, home, log):
        """Run the operations; (models, places in the log at which each was acknowledged)."""
        connector = os.path.join(self.folder, "c.json")
        with open(connector, "w", encoding="utf-8") as out:
            json.dump({"name": "power", "example_payload": {},
                       "perform": {"url": self.target.url + "/x", "headers": {"X-A": "$secret.KEPT"}}}, out)
        kept = {"RECORD": log, "UNDER": home.home}
        models, acknowledged = [Model()], []
        models[0].versions, models[0].values = {"KEPT": 1}, {"KEPT": value(999)}
        for operation in operations(self.chance):
            kind, name, number = operation
            arguments = {"set": ["secret", "set", name], "delete": ["secret", "delete", name],
                         "org": ["org", "create", name], "run": ["run", connector, "--allow-private"]}[kind]
            home.must(*arguments, given=value(number).encode(), faults=kept)
            models.append(models[-1].after(operation))
            acknowledged.append(len(faults.read_record(log)))
        return models, acknowledged

    def cuts(self, base, calls):
        """(calls before the cut, files); places are before and after each call ended."""
        self.assertGreater(len([c for c in calls if c[0] == "d"]), 60)
        self.assertGreater(len([c for c in calls if c[0] == "s"]), 60)
        wanted = sorted(self.chance.randrange(1, 2 * len(calls) + 1) for _ in range(N_CUTS))
        disk = Disk({name: self.read(base, name) for name in STORES})
        for number, (letter, name, offset, data) in enumerate(calls):
            self.assertIn(name, disk.durable)
            if letter in "wdt":
                disk.pending.append((name, offset, None if letter == "t" else data))
            yield from ((number, disk.after_cut(self.chance)) for place in wanted if place == 2 * number + 1)
            if letter == "s":
                disk.settle(name)
            elif letter == "d":
                write = disk.pending.pop()
                disk.put(disk.durable[name], *write[1:])
            yield from ((number + 1, disk.after_cut(self.chance)) for place in wanted if place == 2 * number + 2)

    @staticmethod
    def read(home, name):
        with open(os.path.join(home.home, name), "rb") as file:
            return file.read()

    def check(self, work):
        number, n_calls, base, images, models, acknowledged = work
        home = base.copy(os.path.join(self.folder, "cut-%d" % number))
        for name, data in images.items():
            with open(os.path.join(home.home, name), "wb") as out:
                out.write(data)
            if number % 2:
                os.unlink(os.path.join(home.home, os.path.dirname(name), "lock.mdb"))
        n_done = sum(place <= n_calls for place in acknowledged)
        allowed = models[n_done:n_done + 2]
        context = "cut %d, after %d calls and %d changes" % (number, n_calls, n_done)
        try:
            versions, orgs = home.secrets(), home.orgs()
            listed = home.events()
        except AssertionError as error:
            self.fail("%s: %s" % (context, error))
        self.assertIn((versions, orgs), [m.seen()[:2] for m in allowed], context)
        n_completed = listed.count("completed")
        self.assertIn(n_completed, [m.n_events for m in allowed], context)
        self.assertEqual(set(listed) - {"completed", "interrupted"}, set(), context)
        self.assertLessEqual(len(listed) - n_completed, 1, context)
        (model,) = [m for m in allowed if m.seen()[:2] == (versions, orgs)][:1]
        opened = home.opened(list(model.values.values()))
        self.assertEqual(opened, {v: k for k, v in model.values.items()}, context)
        home.must("secret", "set", "AFTER", given=value(998).encode())  # and it can go on
        home.remove()

    def test_every_acknowledged_change_is_there(self):
        base = faults.Home(KROSYN, LIBRARY, os.path.join(self.folder, "base"))
        os.mkdir(base.folder)
        base.must("init")
        base.must("secret", "set", "KEPT", given=value(999).encode())
        live = base.copy(os.path.join(self.folder, "live"))
        log = os.path.join(self.folder, "log")
        models, acknowledged = self.record(live, log)
        calls = [(letter, os.path.relpath(path, live.home), offset, data)
                 for letter, path, offset, data in faults.read_record(log)]
        work = [(number, n_calls, base, images, models, acknowledged)
                for number, (n_calls, images) in enumerate(self.cuts(base, calls))]
        self.assertEqual(len(work), N_CUTS)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(self.check, work))
        print("# %d cuts over %d calls and %d changes" % (len(work), len(calls), len(acknowledged)))

    def test_the_test_sees_a_lost_write(self):
        """Without the syncs that a store makes, cuts do lose changes: what is looked for here can be found."""
        disk = Disk({"f": b"old-old-old-"})
        disk.pending = [("f", 0, b"new-"), ("f", 4, b"new-"), ("f", 12, b"more")]
        seen = {bytes(disk.after_cut(self.chance)["f"]) for _ in range(500)}
        self.assertIn(b"old-old-old-", seen)
        self.assertIn(b"old-new-old-", seen)
        self.assertIn(b"new-new-old-more", seen)
        self.assertIn(b"old-old-old-\0\0\0\0", seen)
        disk.settle("f")
        self.assertEqual({bytes(disk.after_cut(self.chance)["f"]) for _ in range(50)}, {b"new-new-old-more"})


if __name__ == "__main__":
    faults.main(sys.argv[3] if len(sys.argv) > 3 else None)
