# SPDX-License-Identifier: Apache-2.0
"""drive_home.py - what is done with a whole home: copies, checks, keys and where they come from, organizations, help.

Keys are secrets too: Surface.found searches for every key that stands in FOLDER/keys, as text and as bytes.
"""
import json
import os
import re
import shutil

PASSPHRASE = b"kroPassphrase-4Tz9Lw2xQ7"


def copies(surface):
    """A backup, proved, restored, salvaged; the head; a purge."""
    backup, home = surface.path("backup"), surface.path("restored")
    surface.must("backup", backup)
    surface.run_it("backup", backup)
    surface.must("restore", "--check", backup)
    surface.must("--json", "restore", "--check", backup)
    key = ("--key", surface.home.key)
    surface.call([surface.home.krosyn, "--home", home, *key, "restore", backup], ("restore", backup), codes=(0,))
    surface.call([surface.home.krosyn, "--home", home, *key, "verify"], ("verify",), codes=(0,))
    head = surface.write("head", surface.must("verify", "--head").out)
    surface.must("verify", "--expect-head", head)
    surface.must("--json", "verify")
    surface.must("verify", "--salvage", surface.path("salvaged"))
    surface.must("purge")
    surface.must("status")
    surface.must("--json", "status")


def damage(surface):
    """The same of a home that is damaged: what is wrong is named, not shown."""
    home = surface.path("damaged")
    shutil.copytree(surface.home.home, home)
    path = os.path.join(home, "vault", "data.mdb")
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for at in range(3 * 4096 + 900, size, 5 * 4096):
            file.seek(at)
            file.write(b"\xA5" * 7)
    krosyn = [surface.home.krosyn, "--home", home, "--key", surface.home.key]
    for arguments in (("verify",), ("--json", "verify"), ("verify", "--salvage", surface.path("saved")), ("secret", "list"),
                      ("status",), ("backup", surface.path("bad-backup")), ("purge",), ("key", "rotate")):
        surface.call(krosyn + list(arguments), arguments)
    surface.call(krosyn + ["redact"], ("redact",), given=b"x")


def keys(surface):
    """Rotated, changed, forgotten."""
    first = surface.must("key", "status").out
    surface.must("key", "rotate")
    surface.must("key", "rotate", "--all")
    surface.must("key", "rekey")
    (old,) = re.findall(rb"^vault key +(\S+)", first, re.M)
    surface.must("key", "forget", old.decode())
    surface.must("--json", "key", "status")
    other = surface.path("keys", "other")
    surface.must("key", "new", other)
    surface.must("key", "rekey", "--new-key", other)
    surface.home.key = other
    surface.must("key", "status")
    surface.run_it("key", "forget", "k-00000000")


def custody(surface, value):
    """A home for each source of a key; the key's text in the environment must not be in any output either."""
    path = surface.path("keys", "made")
    surface.must("key", "new", path)
    with open(path, encoding="ascii") as file:
        (line,) = [row for row in file.read().split("\n") if row and not row.startswith("#")]
    os.mkdir(surface.path("keys", "credentials"), 0o700)
    shutil.copy(path, surface.path("keys", "credentials", "krosyn.key"))
    passphrase = surface.write("passphrase", PASSPHRASE + b"\n")
    os.chmod(passphrase, 0o600)
    sources = {
        "environment": (["--key-source", "environment"], [], {"KROSYN_KEY": line}),
        "credential": (["--key-source", "credential"], [], {"CREDENTIALS_DIRECTORY": surface.path("keys", "credentials")}),
        "command": (["--key-command", "/bin/cat " + path], [], {}),
        "file": ([], [], {"KROSYN_KEY_FILE": surface.path("keys", "another")}),
        "passphrase": (["--passphrase", "--passphrase-file", passphrase], ["--passphrase-file", passphrase], {}),
    }
    for name, (made_with, opened_with, variables) in sources.items():
        _live_with(surface, surface.path("home-" + name), made_with, opened_with, variables, value)
    _passphrase_from_descriptor(surface)


def _live_with(surface, home, made_with, opened_with, variables, value):
    environment = surface.environment(**variables)
    krosyn = [surface.home.krosyn, "--home", home]
    surface.call(krosyn + ["init", *made_with], ("init", *made_with), codes=(0,), env=environment)
    for arguments, given in ((("secret", "set", "A_ONE"), value), (("key", "status"), b""), (("redact",), b"x " + value)):
        surface.call(krosyn + [*opened_with, *arguments], (*opened_with, *arguments), given=given, codes=(0,), env=environment)
    wrong = {name: "k-1 " + "A" * 86 + "==" for name in variables if name == "KROSYN_KEY"}
    surface.call(krosyn + ["--key", surface.home.key, "key", "status"], ("key", "status"),
                 env=surface.environment(**wrong))


def _passphrase_from_descriptor(surface):
    home = surface.path("home-descriptor")
    for arguments in (("init", "--passphrase", "--passphrase-fd", "0"), ("secret", "list", "--passphrase-fd", "0")):
        surface.call([surface.home.krosyn, "--home", home, *arguments], arguments, given=PASSPHRASE + b"\n", codes=(0,))
    wrong = ("secret", "list", "--passphrase-fd", "0")
    surface.call([surface.home.krosyn, "--home", home, *wrong], wrong, given=PASSPHRASE[:-1] + b"8\n", codes=(3,))


def organizations(surface):
    surface.must("org", "create", "acme-eu")
    surface.must("--org", "acme-eu", "org", "set", "decide-on-secrets", "on")
    surface.must("--json", "org", "show")
    surface.must("org", "delete", "acme-eu", "--yes")
    surface.must("org", "delete", "imported", "--yes")
    surface.run_it("org", "delete", "imported", "--yes")


def delete(surface, names):
    for name in names:
        surface.must("secret", "delete", name)
    surface.must("purge")


def helps(surface, commands):
    surface.must("functions")
    surface.must("--json", "functions", "concat")
    for name in commands:
        surface.must("help", *name.split())
    json.loads(surface.must("--json", "secret", "list").out)
