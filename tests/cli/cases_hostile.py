# SPDX-License-Identifier: Apache-2.0
"""The vault's commands used by somebody who means harm, or in the wrong way: what must not be run, not be
allowed and not be lost."""
import hashlib
import json
import os

from harness import HomeCase


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
