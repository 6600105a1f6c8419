# SPDX-License-Identifier: Apache-2.0
"""Where the master key is: each source through the command, `key new`, `key status`."""
import json
import os
import subprocess
import termios

import harness
from harness import CANARY, KROSYN, HomeCase, Terminal

PASSPHRASE = "krosyn horse battery-9Wq2"
KEY = "a3JDYW5hcnlLZXktN2YzWnE5TG0yeFc4a3JDYW5hcnlLZXktN2YzWnE5TG0yeFc4LTAwMDExMTIyMjMzMzQ0NA=="
KEY_LINE = "k-canary " + KEY
OTHER_LINE = "k-other " + "QUFB" * 21 + "QQ=="
# Neither may be seen in anything that any test here or elsewhere makes the command print.
harness.CANARIES.extend([PASSPHRASE, KEY.rstrip("=")])


class CustodyCase(HomeCase):
    with_home = False

    def setUp(self):
        super().setUp()
        self.key = self.write("some.key", KEY_LINE + "\n")
        os.chmod(self.key, 0o600)
        self.passphrase = self.write("passphrase", PASSPHRASE + "\n")
        os.chmod(self.passphrase, 0o600)

    def command(self, text, name="command"):
        path = self.write(name, "#!/bin/sh\n" + text + "\n")
        os.chmod(path, 0o700)
        return path

    def status(self, *args, code=0, **more):
        result = self.run_it("key", "status", "--json", *args, **more)
        self.assertEqual(result.code, code, result)
        return json.loads(result.out)

    def uses_the_vault(self, *args, **more):
        self.must("secret", "set", "CRM_API_KEY", *args, stdin=CANARY.encode(), **more)
        self.assertEqual(self.must("redact", *args, stdin=CANARY.encode(), **more).out, b"[REDACTED]")

    def keys(self):
        """The ids of the keys in the one key file of init."""
        with open(self.key_file()) as file:
            return [line.split()[0] for line in file if not line.startswith("#")]


class Sources(CustodyCase):
    def test_key_file_of_init(self):
        self.must("init")
        found = self.status()
        self.assertEqual(found["state"], "right")
        self.assertEqual((found["source"], found["rule"]), ("file", "home"))
        self.assertEqual((found["place"], found["mode"]), (self.key_file(), "0600"))
        self.assertEqual(found["keys"], self.keys())
        self.assertEqual(found["needed"], found["keys"][0])
        self.assertEqual((found["warnings"], found["problem"]), ([], None))

    def test_status_for_people(self):
        self.must("init")
        shown = self.must("key", "status").out.decode()
        for text in ("source     file: " + self.key_file() + " (mode 0600)", "(current)",
                     "because    the home recorded it", "state      right"):
            self.assertIn(text, shown)
        more = self.write("more.key", open(self.key_file()).read() + KEY_LINE + "\n")
        os.chmod(more, 0o600)
        shown = self.must("key", "status", "--key", more).out.decode()
        self.assertIn("k-canary (previous)", shown)
        self.assertIn("an option of the command names it", shown)

    def test_passphrase_from_a_file(self):
        made = json.loads(self.must("init", "--json", "--passphrase-file", self.passphrase).out)
        self.assertEqual((made["key_source"], made["key_file"]), ("passphrase", None))
        self.assertFalse(os.path.exists(self.key_dir))
        self.uses_the_vault("--passphrase-file", self.passphrase)
        found = self.status("--passphrase-file", self.passphrase)
        self.assertEqual((found["state"], found["source"], found["mode"]), ("right", "passphrase", None))

    def test_passphrase_from_a_descriptor(self):
        def with_descriptor(*args, text=PASSPHRASE, **more):
            read_fd, write_fd = os.pipe()
            os.write(write_fd, text.encode())
            os.close(write_fd)
            try:
                return self.run_it(*args, "--passphrase-fd", str(read_fd), pass_fds=[read_fd], **more)
            finally:
                os.close(read_fd)

        self.assertEqual(with_descriptor("init").code, 0)
        self.assertEqual(with_descriptor("org", "list").code, 0)
        wrong = with_descriptor("org", "list", text="krosyn horse battery-9Wq3")
        self.assertEqual(wrong.code, 3)
        self.assertIn(b"wrong passphrase: it does not give the key p-", wrong.err)

    def test_passphrase_and_value_in_one_pipe(self):
        self.must("init", "--passphrase-file", self.passphrase)
        both = (PASSPHRASE + "\r\n" + CANARY).encode()
        self.must("secret", "set", "BOTH", "--passphrase-fd", "0", stdin=both)
        self.assertEqual(self.must("redact", "--passphrase-file", self.passphrase, stdin=CANARY.encode()).out,
                         b"[REDACTED]")

    def test_passphrase_files_that_are_refused(self):
        os.chmod(self.passphrase, 0o640)
        self.fails(3, "init", "--passphrase-file", self.passphrase, says="open to other users")
        self.fails(3, "init", "--passphrase-file", self.passphrase + ".no", says="cannot open")
        self.fails(1, "init", "--passphrase-fd", "77", says="cannot read the passphrase")
        self.fails(1, "init", "--passphrase-fd", "0", stdin=b"too short\n", says="at least 12 characters")
        self.fails(1, "init", "--passphrase-fd", "0", stdin=b"x" * 5000, says="too long")
        self.assertFalse(os.path.exists(self.home))

    def test_command(self):
        path = self.command("echo said >&2; cat " + self.key)
        self.must("init", "--key-command", path + " some argument")
        with open(self.home + "/settings.json") as file:
            self.assertEqual(json.load(file)["key"], {"command": [path, "some", "argument"]})
        self.uses_the_vault()
        result = self.run_it("key", "status")
        self.assertIn("source     command: %s\n" % path, result.out.decode())
        self.assertIn(b"said", result.err)
        self.assertIn(b"settings.json names", result.err)
        self.assertNotIn(b"argument", result.out + result.err)

    def test_command_of_one_value(self):
        self.must("init", "--key-command", self.command("echo " + KEY))
        self.assertEqual(self.status()["keys"], ["command"])
        self.uses_the_vault()

    def test_command_does_not_get_our_input_nor_the_variable(self):
        self.must("init", "--key-command", self.command("cat " + self.key))
        self.command('read a; test -z "$a$KROSYN_KEY" && cat ' + self.key)
        self.uses_the_vault(env={"KROSYN_KEY": OTHER_LINE, "KROSYN_KEY_FILE": ""},
                            *["--key-command", os.path.join(self.dir, "command")])

    def test_commands_that_fail(self):
        self.fails(3, "init", "--key-command", self.command("echo %s; exit 4" % KEY_LINE), says="exit code 4")
        self.fails(3, "init", "--key-command", self.command("echo k-1 %s." % KEY), says="line 1")
        self.fails(3, "init", "--key-command", "/no/such/program", says="cannot be run")
        self.fails(1, "init", "--key-command", "pass show krosyn", says="absolute path")
        self.assertFalse(os.path.exists(self.home))

    def test_credential(self):
        directory = self.dir + "/credentials"
        os.mkdir(directory, 0o700)
        os.rename(self.key, directory + "/krosyn.key")
        os.chmod(directory + "/krosyn.key", 0o400)
        env = {"CREDENTIALS_DIRECTORY": directory}
        self.must("init", env=env)
        self.uses_the_vault(env=env)
        found = self.status(env=env)
        self.assertEqual((found["source"], found["rule"], found["mode"]), ("credential", "credential", "0400"))
        self.assertEqual(found["keys"], ["k-canary"])
        self.assertEqual(self.status(code=1)["rule"], "home")
        self.fails(3, "org", "list", says="CREDENTIALS_DIRECTORY is not set")
        os.chmod(directory + "/krosyn.key", 0o444)
        self.fails(3, "org", "list", env=env, says="open to other users")

    def test_variable(self):
        env = {"KROSYN_KEY": KEY_LINE}
        made = self.must("init", env=env)
        self.assertIn(b"KROSYN_KEY is set", made.err)
        self.uses_the_vault(env=env)
        found = self.status(env=env)
        self.assertEqual((found["source"], found["rule"]), ("environment", "environment"))
        self.assertIn("KROSYN_KEY", found["warnings"][0])
        self.assertIn(b"KROSYN_KEY is set", self.must("org", "list", env=env).err)
        self.assertNotIn(b"KROSYN_KEY", self.must("render", "--", "x", env=env).err)
        self.fails(3, "org", "list", says="KROSYN_KEY, which is not set")
        self.fails(3, "org", "list", env={"KROSYN_KEY": OTHER_LINE},
                   says="wrong key from the variable: have key k-other, need key k-canary")
        self.fails(3, "org", "list", env={"KROSYN_KEY": "k-canary " + OTHER_LINE.split()[1]},
                   says="key k-canary of the variable is not the key k-canary of this vault")
        self.fails(3, "org", "list", env={"KROSYN_KEY": KEY}, says="variable KROSYN_KEY, line 1")

    def test_variable_is_not_in_the_environment_of_the_process(self):
        self.must("init", env={"KROSYN_KEY": KEY_LINE})
        running = subprocess.Popen([KROSYN, "redact"], env=self.environment(KROSYN_KEY=KEY_LINE), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            running.stdin.write(b"a line\n" * 20000)
            running.stdin.flush()
            running.stdout.read(1)  # the home is open
            try:
                with open("/proc/%d/environ" % running.pid, "rb") as file:
                    seen = file.read()
            except PermissionError:
                self.skipTest("only root may look into a process that protects itself")
        finally:
            running.stdin.close()
            running.stdout.read()
            running.stdout.close()
            running.wait(timeout=harness.TIME_LIMIT_S)
        self.assertIn(b"HOME=", seen)
        self.assertIn(b"KROSYN_KEY=\0", seen)
        self.assertNotIn(KEY.encode()[:20], seen)
        self.assertNotIn(b"k-canary", seen)

    def test_two_variables(self):
        self.must("init")
        self.fails(1, "org", "list", env={"KROSYN_KEY": KEY_LINE, "KROSYN_KEY_FILE": self.key},
                   says="unset all but one")
        self.must("org", "list", "--key", self.key_file(), env={"KROSYN_KEY": KEY_LINE, "KROSYN_KEY_FILE": self.key})


class Status(CustodyCase):
    def test_missing_and_wrong(self):
        self.must("init")
        found = self.status("--key", self.key, code=1)
        self.assertEqual((found["state"], found["keys"]), ("wrong", ["k-canary"]))
        self.assertIn("have key k-canary, need key " + found["needed"], found["problem"]["message"])
        os.rename(self.key_file(), self.dir + "/away.key")
        found = self.status(code=1)
        self.assertEqual((found["state"], found["keys"], found["mode"]), ("missing", [], None))
        self.assertIn("there is no key file", found["problem"]["message"])
        told = self.fails(1, "key", "status", says=["there is no key file", "  hint: "]).out.decode()
        self.assertIn("state      missing", told)
        self.assertIn("vault key  " + found["needed"], told)
        os.chmod(self.dir + "/away.key", 0o644)
        found = self.status("--key", self.dir + "/away.key", code=1)
        self.assertEqual((found["state"], found["mode"]), ("missing", "0644"))

    def test_no_home(self):
        self.fails(1, "key", "status", says="no krosyn home")

    def test_damaged_home(self):
        self.must("init")
        os.rename(self.home + "/vault", self.home + "/away")
        self.fails(3, "key", "status", says="lacks its store")

    def test_settings_that_somebody_changed(self):
        self.must("init")
        path = self.home + "/settings.json"
        with open(path) as file:
            settings = json.load(file)
        for key in ({}, {"source": "tpm"}, {"command": "/bin/true"}, {"file": "x"},
                    {"source": "passphrase", "id": "p-1", "kdf": "scrypt", "n": 1 << 30, "r": 8, "p": 1,
                     "salt": "00" * 16},
                    {"source": "passphrase", "id": "p-1", "kdf": "scrypt", "n": 2, "r": 8, "p": 1,
                     "salt": "00" * 16}):
            with self.subTest(key=key):
                with open(path, "w") as file:
                    json.dump({**settings, "key": key}, file)
                self.fails(3, "key", "status", says="  hint: ")
                self.fails(3, "org", "list", "--passphrase-fd", "0", stdin=PASSPHRASE.encode())


class New(CustodyCase):
    def test_new_key_serves_as_any_source(self):
        path = self.dir + "/keys/new.key"
        made = json.loads(self.must("key", "new", path, "--json").out)
        self.assertEqual(made["key_file"], path)
        with open(path) as file:
            text = file.read()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        key = text.split()[-1]
        for result in (made["id"], self.must("key", "new", path + "2").out.decode()):
            self.assertNotIn(key, result)
        self.must("init", env={"KROSYN_KEY": text})
        found = self.status("--key", path)
        self.assertEqual((found["state"], found["keys"]), ("right", [made["id"]]))

    def test_never_overwrites(self):
        self.fails(1, "key", "new", self.key, says="exists already")
        with open(self.key) as file:
            self.assertEqual(file.read(), KEY_LINE + "\n")


class Usage(CustodyCase):
    def test_one_way_only(self):
        for args in (["--key", self.key, "--key-command", "/bin/true"],
                     ["--key", self.key, "--passphrase-fd", "0"],
                     ["--key-command", "/bin/true", "--passphrase-file", self.passphrase],
                     ["--passphrase-fd", "0", "--passphrase-file", self.passphrase],
                     ["--passphrase-fd", "x"], ["--passphrase-fd", "-1"], ["--passphrase-fd", "1x"],
                     ["--passphrase-fd", "99999999999999999999"]):
            with self.subTest(args=args):
                self.fails(2, "org", "list", *args)
        for args in (["--key-source", "tpm"], ["--key-source", "command"],
                     ["--passphrase", "--key-source", "credential"], ["--passphrase", "--key", self.key],
                     ["--key-source", "environment", "--key-command", "/bin/true"]):
            with self.subTest(args=args):
                self.fails(2, "init", *args)
        self.fails(2, "org", "list", "--passphrase", says="no option --passphrase")
        self.assertFalse(os.path.exists(self.home))

    def test_sources_by_name(self):
        self.fails(3, "init", "--key-source", "environment", says="not set")
        self.fails(3, "init", "--key-source", "credential", says="not set")
        self.must("init", "--key-source", "file", env={"KROSYN_KEY": KEY_LINE})
        self.assertEqual(self.status()["place"], self.key_file())

    def test_passphrase_that_the_home_does_not_want(self):
        self.must("init")
        self.fails(1, "org", "list", "--passphrase-fd", "0", stdin=PASSPHRASE.encode(),
                   says="not made from a passphrase")


class Typed(CustodyCase):
    def type(self, *args, entries, says=()):
        terminal = Terminal(self, *args)
        for prompt, entry in entries:
            terminal.wait_for(prompt)
            self.assertFalse(termios.tcgetattr(terminal.fd)[3] & termios.ECHO)
            terminal.type(entry)
        code = terminal.finish()
        self.assertNotIn(PASSPHRASE.encode(), terminal.seen)
        for text in says:
            self.assertIn(text, terminal.seen)
        return code

    def test_asked_twice_at_init_and_once_later(self):
        line = PASSPHRASE.encode() + b"\n"
        twice = [(b"New passphrase (not shown): ", line), (b"again: ", line)]
        self.assertEqual(self.type("init", "--passphrase", entries=twice), 0)
        self.assertEqual(self.type("org", "list", entries=[(b"Passphrase (not shown): ", line)],
                                   says=[b"default"]), 0)
        self.assertEqual(self.type("key", "status", entries=[(b"Passphrase (not shown): ", b"wrong" + line)],
                                   says=[b"wrong passphrase"]), 1)

    def test_refused(self):
        line = PASSPHRASE.encode() + b"\n"
        first = b"New passphrase (not shown): "
        for entries, says in (([(first, line), (b"again: ", b"x" + line)], b"differ"),
                              ([(first, b"\n")], b"no passphrase was typed"),
                              ([(first, b"short\n"), (b"again: ", b"short\n")], b"at least 12 characters"),
                              ([(first, b"x" * 1500 + b"\n"), (b"again: ", b"x" * 1500 + b"\n")], b"too long")):
            self.assertEqual(self.type("init", "--passphrase", entries=entries, says=[says]), 1)
            self.assertFalse(os.path.exists(self.home))

    def test_asked_on_the_terminal_while_a_value_comes_in_a_pipe(self):
        self.must("init", "--passphrase-file", self.passphrase)
        value = self.write("value", CANARY)
        # A shell on the terminal, whose command has the value as its input.
        terminal = Terminal.__new__(Terminal)
        terminal.args, terminal.seen = ("secret", "set", "PIPED"), b""
        terminal.pid, terminal.fd = harness.pty.fork()
        if terminal.pid == 0:
            try:
                os.execve("/bin/sh", ["sh", "-c", '"$0" secret set PIPED <"$1"', KROSYN, value],
                          self.environment())
            finally:
                os._exit(127)
        terminal.wait_for(b"Passphrase (not shown): ")
        terminal.type(PASSPHRASE.encode() + b"\n")
        self.assertEqual(terminal.finish(), 0)
        self.assertIn(b"saved PIPED", terminal.seen)

    def test_no_terminal(self):
        self.must("init", "--passphrase-file", self.passphrase)
        done = subprocess.run([KROSYN, "org", "list"], stdin=subprocess.DEVNULL, env=self.environment(),
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"--passphrase-fd N", done.stderr)
