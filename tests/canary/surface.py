# SPDX-License-Identifier: Apache-2.0
"""surface.py - a home in a folder of its own, commands run in it, and everything that they wrote, kept and searched.

    FOLDER/inputs/      what a test writes for the commands to read; the one place that may hold values
    FOLDER/keys/        key files; may hold the keys, not the values
    FOLDER/...          everything else is searched: the home, backups, the working directory, HOME, TMPDIR

Every command that ends with 0 is counted as driven, with its options: test_commands.py compares that with `krosyn help`.
"""
import os
import pty
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "cli")]
sys.dont_write_bytecode = True
import base64  # noqa: E402

import canary  # noqa: E402
import faults  # noqa: E402
from listeners import Listener  # noqa: E402
from receiver import Receiver  # noqa: E402

KROSYN = os.path.abspath(sys.argv[1])
ANY = (0, 1, 2, 3)


class Help:
    """What the command's help names: {command: options}, and the options of all."""

    def __init__(self, text_of):
        rows = self._section(text_of(), "Commands:")
        words = [re.match(r"[a-z]+(?: [a-z]+)*", row)[0] for row in rows]
        self.commands, self.takes = {}, set()
        for name in words:
            self.commands[name] = set(self._options(text_of(*name.split()), "Options:"))
        self.general = set(self._options(text_of("help"), "General options:"))

    @staticmethod
    def _section(text, title):
        rows = text.split("\n" + title + "\n")[1].split("\n\n")[0] if "\n" + title + "\n" in text else ""
        return [row[2:] for row in rows.split("\n") if re.match(r"  \S", row)]

    def _options(self, text, title):
        for row in self._section(text, title):
            option = re.match(r"(--[a-z-]+)( [A-Z]+)?", row)
            if option[2]:
                self.takes.add(option[1])
            yield option[1]

    def command_of(self, arguments):
        """(command, its options) of a command line."""
        words, options, index = [], set(), 0
        while index < len(arguments) and arguments[index] != "--":
            name = arguments[index].split("=")[0]
            if name.startswith("--"):
                options.add(name)
                index += name in self.takes and "=" not in arguments[index]
            else:
                words.append(arguments[index])
            index += 1
        for name in (" ".join(words[:2]), " ".join(words[:1])):
            if name in self.commands:
                return name, options
        return None, options


def ask_help(*words):
    return subprocess.run([KROSYN, "help", *words], capture_output=True, text=True, check=True).stdout


HELP = Help(ask_help)


class Surface:
    def __init__(self, receiver=True):
        self.folder = faults.new_folder("krosyn-canary-")
        self.home = faults.Home(KROSYN, sys.argv[3] if len(sys.argv) > 3 else None, self.folder)
        self.kept = []     # (what, bytes) that commands printed and sockets got
        self.driven = {}   # {command: options} of those that ended with 0
        for name in ("inputs", "work", "tmp", "user", "keys"):
            os.mkdir(os.path.join(self.folder, name), 0o700)
        self.target = Receiver() if receiver else None  # may get the values, and gives them back
        self.denied = Listener()                        # must not get one
        self.closing = [self.denied] + ([self.target] if receiver else [])
        self.must("init")

    def close(self):
        for one in self.closing:
            one.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        """An input, which is not searched."""
        path = self.path("inputs", name)
        with open(path, "wb") as out:
            out.write(data if isinstance(data, bytes) else data.encode())
        return path

    def keep(self, what, data):
        self.kept.append((what, data))

    def environment(self, **more):
        return {**self.home.environment(), "HOME": self.path("user"), "TMPDIR": self.path("tmp"), **more}

    def note(self, arguments):
        command, options = HELP.command_of(arguments)
        if command:
            self.driven.setdefault(command, set()).update(options)

    def call(self, command, arguments, given=b"", codes=ANY, **popen):
        """Any command line of krosyn, not only one for this home."""
        done = subprocess.run(command, input=given, capture_output=True, cwd=self.path("work"), check=False,
                              timeout=faults.TIME_LIMIT_S, **{"env": self.environment(), **popen})
        what = HELP.command_of(arguments)[0] or "no command"
        self.keep(what, done.stdout + b"\n" + done.stderr)
        if done.returncode not in codes:
            shown = "" if set(codes) != {0} else ": " + done.stderr.decode("utf-8", "replace")[:300]
            raise AssertionError(f"{what} ended with {done.returncode}{shown}")
        if done.returncode == 0:
            self.note(arguments)
        return faults.Done(done.returncode, done.stdout, done.stderr)

    def run_it(self, *arguments, **more):
        return self.call(self.home.command(*arguments), arguments, **more)

    def must(self, *arguments, **more):
        return self.run_it(*arguments, codes=(0,), **more)

    def type_it(self, value, *arguments, prompts=2):
        """On a terminal, which must not show it."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(KROSYN, self.home.command(*arguments), self.environment())
        seen = b""
        for count in range(1, prompts + 1):
            while seen.count(b": ") < count:
                seen += os.read(fd, 4096)
            os.write(fd, value + b"\n")
        try:
            while data := os.read(fd, 4096):
                seen += data
        except OSError:
            pass
        os.close(fd)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise AssertionError("what was typed was not taken")
        self.note(arguments)
        self.keep(" ".join(arguments[:2]) + ", typed", seen)

    def key_values(self):
        """The keys themselves, which must not be seen either: their text, and their bytes."""
        found = {}
        for place, _, names in os.walk(self.path("keys")):
            for name in names:
                with open(os.path.join(place, name), "rb") as file:
                    for text in re.findall(rb"[0-9A-Za-z+/]{86}==", file.read()):
                        found[f"key {len(found)}"] = text
                        found[f"key {len(found)}"] = base64.b64decode(text)
        return found

    def found(self, values):
        """{(name, form, where)} of every value in anything that was kept or written."""
        together = {}
        for what, data in self.kept + [("a server that must not get it", b"\n".join(self.denied.received))]:
            together.setdefault(what, []).append(data)
        keys = self.key_values()
        found = {(name, form, what) for what, data in together.items()
                 for name, form in canary.hits(b"\n".join(data), {**values, **keys})}
        of_files = canary.hits_in_files([self.folder], {**values, **keys}, but=[self.path("inputs")])
        return found | {(name, form, os.path.relpath(path, self.folder)) for name, form, path in of_files
                        if not (name in keys and path.startswith(self.path("keys")))}
