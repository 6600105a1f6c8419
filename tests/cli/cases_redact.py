# SPDX-License-Identifier: Apache-2.0
"""redact as what stands in pipes and jobs: values saved meanwhile, files in place, whatever goes wrong."""
import json
import os
import resource
import signal
import stat
import subprocess
import threading
import time

from harness import CANARY, CANARY_ODD, KROSYN, TIME_LIMIT_S, HomeCase, Terminal

LEAKY = b"one " + CANARY.encode() + b" two\n"
CLEAN = b"one [REDACTED] two\n"


class RedactPipe(HomeCase):
    def start(self, *args, **more):
        return subprocess.Popen([KROSYN, "redact", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.environment(), **more)

    def test_a_secret_saved_meanwhile_is_removed(self):
        process = self.start("--stats")
        process.stdin.write(b"before late-value-4711 then late-val")
        process.stdin.flush()
        seen = b""
        while not seen.endswith(b"late-va"):  # one character may be part of a base64 form
            seen += os.read(process.stdout.fileno(), 100)
        self.must("secret", "set", "LATE", stdin=b"late-value-4711")
        out, err = process.communicate(b"ue-4711 and late-value-4711\n", timeout=TIME_LIMIT_S)
        self.assertEqual(seen + out, b"before late-value-4711 then late-va[REDACTED] and [REDACTED]\n")
        self.assertEqual(process.returncode, 0, err)
        self.assertIn(b"warning: 1 value had in part been written before it became known", err)
        self.assertIn(b"2 redacted", err)
        self.assertIn(b"LATE", err)

    def test_rotated_and_deleted_secrets_stay_known(self):
        process = self.start()
        process.stdin.write(b"x ")
        process.stdin.flush()
        os.read(process.stdout.fileno(), 1)
        self.must("secret", "set", "CRM_API_KEY", stdin=b"rotated-value-4711")
        self.must("secret", "delete", "CRM_API_KEY")
        out, err = process.communicate(LEAKY + b"rotated-value-4711", timeout=TIME_LIMIT_S)
        self.assertIn(CLEAN, out, err)

    def test_a_pipe_that_does_not_block_is_waited_for(self):
        data = (b"some text without anything " * 40 + LEAKY) * 2000
        source, source_end = os.pipe()
        target_end, target = os.pipe()
        for end in (source, target):
            os.set_blocking(end, False)
        process = subprocess.Popen([KROSYN, "redact"], stdin=source, stdout=target, env=self.environment())
        os.close(source)
        os.close(target)

        def feed():
            with os.fdopen(source_end, "wb") as file:
                file.write(data)

        feeder = threading.Thread(target=feed)
        feeder.start()
        time.sleep(0.2)  # both pipes fill up
        with os.fdopen(target_end, "rb") as file:
            out = file.read()
        feeder.join()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(out, data.replace(CANARY.encode(), b"[REDACTED]"))

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([KROSYN, "redact"], input=LEAKY, stdout=full, stderr=subprocess.PIPE,
                                  env=self.environment(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write standard output: No space left on device", done.stderr)

    def test_a_file_that_is_also_the_output(self):
        path = self.write("log", LEAKY)
        for args, stdin in ((("redact", path), None), (("redact",), path)):
            with open(path, "ab") as out, open(stdin or "/dev/null", "rb") as source:
                done = subprocess.run([KROSYN, *args], stdin=source, stdout=out, stderr=subprocess.PIPE,
                                      env=self.environment(), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"is also the output", done.stderr)
            self.assertIn(b"--in-place", done.stderr)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), LEAKY)

    def test_a_folder_is_said(self):
        self.fails(1, "redact", self.dir, says=["Is a directory", "name the files in it"],
                   opens_values=True)

    def test_counts_are_summed_over_files_and_versions(self):
        self.must("secret", "set", "CRM_API_KEY", stdin=b"rotated-value-4711")
        one = self.write("one", LEAKY + b"rotated-value-4711\n")
        two = self.write("two", LEAKY)
        result = self.must("redact", "--stats", "--json", one, two)
        self.assertEqual(json.loads(result.err), {
            "redacted": 3, "late_partial": 0, "too_short": 0,
            "hits": [{"name": "CRM_API_KEY", "form": "raw", "count": 3}]})
        result = self.must("redact", "--in-place", "--stats", "--json", one, two)
        self.assertEqual(json.loads(result.err)["redacted"], 3)
        self.assertEqual(json.loads(result.err)["hits"][0]["count"], 3)

    def test_forms_are_counted_apart(self):
        text = CANARY_ODD.encode() + b" " + json.dumps(CANARY_ODD).encode()
        stats = json.loads(self.must("redact", "--stats", "--json", stdin=text).err)
        self.assertEqual(sorted(hit["form"] for hit in stats["hits"]), ["json", "raw"])

    def test_forms_are_left_out(self):
        value = b"left-out-4711"  # none of those that may never be printed
        text = value + b" " + value.hex().encode()
        self.must("secret", "set", "FORMS", stdin=value)
        values = self.write("v.json", json.dumps([value.decode()]))
        for source in ((), ("--values", values)):
            self.assertEqual(self.must("redact", *source, stdin=text).out, b"[REDACTED] [REDACTED]")
            out = self.must("redact", "--no-form", "html,hex", *source, stdin=text).out
            self.assertEqual(out, b"[REDACTED] " + value.hex().encode())
        for names in ("raw", "hex,", "nothing"):
            self.fails(2, "redact", "--no-form", names, "--values", values, stdin=text,
                       says=["no such form", "json-twice"])

    def test_fail_on_match_says_why(self):
        self.fails(1, "redact", "--fail-on-match", stdin=LEAKY, opens_values=True,
                   says="1 occurrence of secrets found and removed")

    def test_no_values_is_worth_a_warning(self):
        empty = self.write("v.json", "[]")
        self.assertIn(b"no values to search for",
                      self.must("redact", "--values", empty, stdin=b"x").err)


class RedactInPlace(HomeCase):
    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def leftovers(self):
        return [name for name in os.listdir(self.dir) if name.startswith(".krosyn-")]

    def refused(self, code, path, *says, **more):
        before = self.read(path) if os.path.isfile(path) else None
        info = os.lstat(path) if os.path.lexists(path) else None
        result = self.fails(code, "redact", "--in-place", path, says=says, opens_values=True, **more)
        self.assertEqual(result.out, b"")
        self.assertEqual(self.leftovers(), [])
        if before is not None:
            self.assertEqual(self.read(path), before)
            self.assertEqual(os.lstat(path).st_ino, info.st_ino)

    def test_files_are_replaced_with_mode_owner_and_attributes(self):
        path = self.write("log", LEAKY)
        other = self.write("other", LEAKY * 3)
        os.chmod(path, 0o640)
        if os.getuid() == 0:
            os.chown(path, 12345, 54321)
        try:
            os.setxattr(path, "user.note", b"kept")
            has_attributes = True
        except OSError:
            has_attributes = False
        before = os.stat(path)
        result = self.must("redact", "--in-place", path, other)
        self.assertEqual((result.out, result.err), (b"", b""))
        self.assertEqual((self.read(path), self.read(other)), (CLEAN, CLEAN * 3))
        after = os.stat(path)
        self.assertNotEqual(before.st_ino, after.st_ino)
        self.assertEqual((after.st_mode, after.st_uid, after.st_gid),
                         (before.st_mode, before.st_uid, before.st_gid))
        if has_attributes:
            self.assertEqual(os.getxattr(path, "user.note"), b"kept")
        self.assertEqual(self.leftovers(), [])

    def test_a_file_without_secrets_is_not_touched(self):
        path = self.write("log", b"nothing here\n")
        before = os.stat(path)
        self.must("redact", "--in-place", path)
        after = os.stat(path)
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        self.assertEqual(self.leftovers(), [])

    def test_an_access_list_is_kept(self):
        path = self.write("log", LEAKY)
        # Version 2: user::rw-, user:0:rw-, group::---, mask::rw-, other::---
        entries = [(1, 6, 0xFFFFFFFF), (2, 6, 0), (4, 0, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
        acl = (2).to_bytes(4, "little") + b"".join(
            tag.to_bytes(2, "little") + perm.to_bytes(2, "little") + who.to_bytes(4, "little")
            for tag, perm, who in entries)
        try:
            os.setxattr(path, "system.posix_acl_access", acl)
        except OSError:
            self.skipTest("no access lists here")
        self.must("redact", "--in-place", path)
        self.assertEqual(self.read(path), CLEAN)
        self.assertEqual(os.getxattr(path, "system.posix_acl_access"), acl)

    def test_a_link_is_followed_and_stays(self):
        path = self.write("deep/log", LEAKY)
        link = os.path.join(self.dir, "link")
        os.symlink("deep/log", link)
        self.must("redact", "--in-place", link)
        self.assertEqual(os.readlink(link), "deep/log")
        self.assertEqual(self.read(path), CLEAN)
        self.assertEqual(os.listdir(os.path.join(self.dir, "deep")), ["log"])

    def test_what_cannot_be_replaced(self):
        path = self.write("log", LEAKY)
        self.refused(1, self.dir, "no regular file", "name the files in it")
        self.refused(1, os.path.join(self.dir, "none"), "No such file")
        fifo = os.path.join(self.dir, "fifo")
        os.mkfifo(fifo)
        self.refused(1, fifo, "no regular file", "without --in-place")
        os.symlink("nowhere", os.path.join(self.dir, "broken"))
        self.refused(1, os.path.join(self.dir, "broken"), "No such file")
        os.link(path, os.path.join(self.dir, "second-name"))
        self.refused(3, path, "hard link", "remove the other name")

    def test_wrong_lines(self):
        self.fails(2, "redact", "--in-place", stdin=LEAKY, says="needs the files")
        self.fails(2, "redact", "--in-place", "-", stdin=LEAKY, says="standard input cannot be")

    def test_a_file_that_one_may_not_write(self):
        if os.getuid() == 0:
            self.skipTest("root may write everything")
        path = self.write("log", LEAKY)
        os.chmod(path, 0o400)
        self.refused(1, path, "cannot write", "Permission denied")

    def test_a_full_disk_leaves_the_file(self):
        path = self.write("log", LEAKY * 10000)
        self.refused(1, path, "cannot write a new file beside it", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (100000, 100000)))

    def test_the_first_failure_ends_it(self):
        one, two = self.write("one", LEAKY), self.write("two", LEAKY)
        self.fails(1, "redact", "--in-place", one, self.dir + "/none", two, opens_values=True)
        self.assertEqual((self.read(one), self.read(two)), (CLEAN, LEAKY))

    def test_fail_on_match_comes_after_the_work(self):
        path = self.write("log", LEAKY)
        self.fails(1, "redact", "--in-place", "--fail-on-match", path, opens_values=True)
        self.assertEqual(self.read(path), CLEAN)
        self.must("redact", "--in-place", "--fail-on-match", path)

    def started(self, size):
        """The command at work on a large file, stopped by a signal while its new file is there."""
        path = self.write("log", LEAKY)
        os.truncate(path, size)
        process = subprocess.Popen([KROSYN, "redact", "--in-place", path], stderr=subprocess.PIPE,
                                   env=self.environment())
        end = time.monotonic() + TIME_LIMIT_S
        while not self.leftovers() and time.monotonic() < end:
            pass
        process.send_signal(signal.SIGSTOP)
        self.assertEqual(len(self.leftovers()), 1)
        return path, process

    def test_a_signal_leaves_the_file_and_nothing_else(self):
        path, process = self.started(256 << 20)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=TIME_LIMIT_S)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertEqual(self.leftovers(), [])
        with open(path, "rb") as file:
            self.assertEqual(file.read(len(LEAKY)), LEAKY)

    def test_a_file_that_changes_meanwhile_is_left(self):
        path, process = self.started(64 << 20)
        with open(path, "ab") as file:
            file.write(b"a line that must not be lost\n")
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=TIME_LIMIT_S)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"changed while it was read", err)
        self.assertEqual(self.leftovers(), [])
        self.assertEqual(os.stat(path).st_size, (64 << 20) + 29)

    def test_progress_on_a_terminal(self):
        path = self.write("log", LEAKY)
        os.truncate(path, 17 << 20)
        terminal = Terminal(self, "redact", "--in-place", path)
        self.assertEqual(terminal.finish(), 0, terminal.seen)
        self.assertRegex(terminal.seen, rb"\r *\d+ %  \d+ of 17 MiB\x1b\[K")
        self.assertTrue(terminal.seen.endswith(b"\r\x1b[K"), terminal.seen[-40:])
        self.assertTrue(stat.S_ISREG(os.stat(path).st_mode))
        small = self.write("small", LEAKY)
        terminal = Terminal(self, "redact", "--in-place", small)
        self.assertEqual((terminal.finish(), terminal.seen), (0, b""))
