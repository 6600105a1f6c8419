# SPDX-License-Identifier: Apache-2.0
"""The vault's commands used by somebody who means harm, or in the wrong way: what must not be run, not be
allowed and not be lost."""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time

from harness import KROSYN, TIME_LIMIT_S, HomeCase, Terminal


class ForeignBackup(HomeCase):
    def backup_that_records(self, command):
        """A backup whose settings.json was exchanged by somebody who could write to it."""
        backup = self.dir + "/b"
        self.must("backup", backup)
        with open(backup + "/settings.json") as file:
            settings = json.load(file)
        settings["key"] = {"command": [command]}
        data = json.dumps(settings).encode()
        with open(backup + "/settings.json", "wb") as file:
            file.write(data)
        with open(backup + "/backup.json") as file:
            manifest = json.load(file)
        for entry in manifest["files"]:
            if entry["name"] == "settings.json":
                entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        with open(backup + "/backup.json", "w") as file:
            json.dump(manifest, file)
        return backup

    def test_restore_runs_no_command_that_others_could_write(self):
        trace = self.dir + "/was-run"
        program = self.write("program", "#!/bin/sh\ntouch %s\nexit 1\n" % trace)
        os.chmod(program, 0o755)
        backup = self.backup_that_records(program)
        for place in (backup, backup + "/settings.json"):
            mode = os.stat(place).st_mode
            os.chmod(place, mode | 0o002)
            self.fails(3, "restore", "--check", backup, says="others can write to " + place)
            self.fails(3, "restore", backup, "--home", self.dir + "/h2", says="others can write to " + place)
            os.chmod(place, mode)
        self.assertFalse(os.path.exists(trace))
        self.assertFalse(os.path.exists(self.dir + "/h2"))
        # Of a backup that is ours alone it is run, as of a home.
        self.fails(3, "restore", backup, "--home", self.dir + "/h2", says="exit code 1")
        self.assertTrue(os.path.exists(trace))


class Policy(HomeCase):
    def rules(self):
        return json.loads(self.must("secret", "show", "CRM_API_KEY", "--json").out)

    def test_no_host_is_not_any_host(self):
        self.must("secret", "policy", "CRM_API_KEY", "--hosts", "api.example.com")
        for nothing in (",", " ", " , ,", ""):
            self.fails(2, "secret", "policy", "CRM_API_KEY", "--hosts", nothing, says="--hosts")
        self.assertEqual(self.rules()["hosts"], "api.example.com")
        self.must("secret", "policy", "CRM_API_KEY", "--hosts", "any")
        self.assertEqual(self.rules()["hosts"], "")

    def test_rules_changed_at_once_are_all_kept(self):
        for i in range(2, 22):
            changes = [("--hosts", "h%d.example" % i), ("--keep", str(i)), ("--min-search", str(i))]
            running = [subprocess.Popen([KROSYN, "secret", "policy", "CRM_API_KEY", *change], env=self.environment(),
                                        stdout=subprocess.DEVNULL) for change in changes]
            self.assertEqual([process.wait(TIME_LIMIT_S) for process in running], [0, 0, 0])
            rules = self.rules()
            self.assertEqual((rules["hosts"], rules["keep"], rules["min_search"]), ("h%d.example" % i, i, i))


class Variable(HomeCase):
    def test_key_does_not_stay_with_who_waits_for_a_child(self):
        with open(self.key_file()) as file:
            line = file.read().splitlines()[-1]
        place = os.open(self.home + "/vault", os.O_RDONLY)
        fcntl.flock(place, fcntl.LOCK_EX)  # nobody opens the store, so that both wait
        running = subprocess.Popen([KROSYN, "verify"], env=self.environment(KROSYN_KEY=line),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            processes = [running.pid, self.child_of(running.pid)]
            try:
                self.wait_until(lambda: all(line.encode() not in self.environ(pid) for pid in processes))
            except PermissionError:
                self.skipTest("only root may look into a process that protects itself")
            self.assertEqual([b"HOME=" in self.environ(pid) for pid in processes], [True, True])
        finally:
            os.close(place)
            said = running.communicate(timeout=TIME_LIMIT_S)[0]
        self.assertIn(b"all is good", said)

    def environ(self, pid):
        with open("/proc/%d/environ" % pid, "rb") as file:
            return file.read()

    def wait_until(self, is_so):
        end = time.monotonic() + 10
        while not is_so():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def child_of(self, pid):
        children = "/proc/%d/task/%d/children" % (pid, pid)
        self.wait_until(lambda: open(children).read().split())
        return int(open(children).read().split()[0])


class Rekey(HomeCase):
    def test_who_read_the_key_file_before_reads_it_again(self):
        with open(self.key_file()) as file:
            before = file.read()
        self.must("key", "rekey")
        with open(self.key_file()) as file:
            after = file.read()
        with open(self.key_file(), "w") as file:
            file.write(before)
        self.fails(3, "secret", "list", says="need key")
        place = os.open(self.home + "/vault", os.O_RDONLY)
        fcntl.flock(place, fcntl.LOCK_EX)  # the key file is read, then the store is opened
        running = subprocess.Popen([KROSYN, "secret", "list"], env=self.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        time.sleep(0.5)
        with open(self.key_file(), "w") as file:
            file.write(after)
        os.close(place)
        said = running.communicate(timeout=TIME_LIMIT_S)[0]
        self.assertEqual(running.returncode, 0, said)


class ReadOnlyDisk(HomeCase):
    def setUp(self):
        super().setUp()
        self.disk = self.dir + "/disk"
        os.mkdir(self.disk)
        made = subprocess.run(["mount", "-t", "tmpfs", "none", self.disk], stderr=subprocess.DEVNULL)
        if made.returncode != 0:
            self.skipTest("only root may mount")
        self.addCleanup(subprocess.run, ["umount", self.disk])
        shutil.copytree(self.home, self.disk + "/h")
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)

    def test_what_reads_works_and_the_rest_says_why_not(self):
        home = ["--home", self.disk + "/h", "--key", self.key_file()]
        for command in (["status"], ["verify"], ["key", "status"], ["backup", self.dir + "/b"]):
            self.must(*command, *home)
        for command in (["secret", "list"], ["secret", "set", "X"], ["key", "rotate"], ["org", "create", "x"], ["purge"],
                        ["org", "delete", "x", "--yes"], ["secret", "policy", "X", "--keep", "3"]):
            said = self.fails(1, *command, *home, stdin=b"a value", says="the file system is read-only")
            self.assertIn(b"remount the disk", said.err)
            self.assertNotIn(b"another user", said.err)


class WrongUse(HomeCase):
    def test_pipes_and_directories_in_place_of_files(self):
        backup = self.dir + "/b"
        self.must("backup", backup)
        for place, words in ((backup + "/backup.json", ["restore", "--check", backup]),
                             (self.home + "/settings.json", ["secret", "list"])):
            os.rename(place, place + "-away")
            os.mkfifo(place)
            result = self.run_it(*words)  # does not wait for somebody to write into it
            self.assertIn(b"is not a plain file", result.err)
            os.unlink(place)
            os.mkdir(place)
            self.assertIn(b"is not a plain file", self.run_it(*words).err)
            os.rmdir(place)
            os.rename(place + "-away", place)
        file = self.write("file", "x")
        self.fails(1, "restore", "--check", file, says=["no whole backup", "a backup is a directory"])
        self.fails(1, "secret", "list", "--home", file, says=["no krosyn home", "krosyn init"])

    def test_new_homes_are_made_elsewhere(self):
        self.must("backup", self.dir + "/b")
        self.fails(1, "verify", "--salvage", self.home + "/new", says="inside the damaged one")
        before = sorted(os.listdir(self.dir + "/b"))
        self.fails(1, "restore", self.dir + "/b", "--home", self.dir + "/b/new", says="inside the backup")
        self.assertEqual(sorted(os.listdir(self.dir + "/b")), before)

    def test_a_date_that_has_passed_is_warned_of(self):
        said = self.must("secret", "policy", "CRM_API_KEY", "--expires", "2019-01-01")
        self.assertIn(b"has expired", said.err)
        self.assertEqual(self.must("secret", "policy", "CRM_API_KEY", "--expires", "2999-01-01").err, b"")

    def test_nobody_types_a_value_that_is_seen(self):
        terminal = Terminal(self, "secret", "set", "TYPED", "--file", "-")
        self.assertEqual(terminal.finish(), 2)
        self.assertIn(b"would be seen", terminal.seen)
