#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print which module includes which, and fail on an arrow that docs/architecture.md does not allow.

The table "The modules" in docs/architecture.md is the one place that says what a module may use and
which third-party headers it owns. Its rows stand ground first, so an allowed arrow always points to
a row above; `base` and <krosyn/types.h> are open to all. The column "used by" must be the inverse of
"may use". Also checked: third-party headers stay in their folder, every source file has its SPDX line.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(ROOT, "docs", "architecture.md")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
SYSTEM_FOLDERS = ("sys/", "linux/", "netinet/", "arpa/", "net/")
SYSTEM_HEADERS = set(
    """assert.h ctype.h dirent.h dlfcn.h elf.h emmintrin.h errno.h fcntl.h fenv.h fnmatch.h float.h getopt.h
    immintrin.h inttypes.h arm_neon.h cpuid.h x86intrin.h limits.h link.h locale.h math.h netdb.h poll.h
    pthread.h pwd.h sched.h setjmp.h signal.h spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h
    stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h termios.h threads.h time.h
    unistd.h""".split()
)
PUBLIC_FOR = {"engine", "cli"}  # who may include more of include/krosyn than types.h


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


def read_table():
    """module -> (may use, used by, {header prefix: folder}), in the order of the rows."""
    modules = {}
    with open(TABLE, encoding="utf-8") as text:
        lines = iter(text.read().splitlines())
    for line in lines:
        if re.match(r"\| module \|", line):
            break
    next(lines, None)  # the ruler below the heading
    for line in lines:
        if not line.startswith("|"):
            break
        name, _, may_use, used_by, third = [cell.strip() for cell in line.strip("|").split("|")]
        name = words(name)[0]
        headers = {h.strip("<>"): f for h, f in re.findall(r"`(<[^`]+>)` in `([^`]+)`", third)}
        modules[name] = (words(may_use), words(used_by), headers)
    return modules


def check_table(modules):
    faults = []
    seen = []
    for name, (may_use, used_by, _) in modules.items():
        for used in may_use:
            if used not in seen:
                faults.append(f"table: {name} may use {used}, which is no row above it")
        users = [user for user, row in modules.items() if name in row[0]]
        if name != "base" and sorted(users) != sorted(used_by):
            faults.append(f"table: {name} is used by {', '.join(users)}; the row says otherwise")
        seen.append(name)
    return faults


def sources(folders, endings):
    for folder in folders:
        for place, _, names in sorted(os.walk(os.path.join(ROOT, folder))):
            if "node_modules" in place.split(os.sep):  # what ./dev bench --peers installed
                continue
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(place, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as text:
        return text.read()


def check_includes(modules):
    faults = []
    arrows = {}
    third_party = {h: f for _, _, headers in modules.values() for h, f in headers.items()}
    for path in sources(["src"], (".c", ".h", ".def")):
        module = path.split(os.sep)[1]
        if module not in modules:
            faults.append(f"{path}: {module} has no row in docs/architecture.md")
            continue
        for bracket, header in INCLUDE.findall(read(path)):
            top = header.split("/")[0]
            if bracket == '"':
                if "/" not in header or top not in modules:
                    faults.append(f'{path}: "{header}": write it as "module/file.h"')
                elif top != module:
                    arrows[(module, top)] = arrows.get((module, top), 0) + 1
                    if top != "base" and top not in modules[module][0]:
                        faults.append(f'{path}: {module} may not use {top} ("{header}")')
            elif top == "krosyn":
                if header != "krosyn/types.h" and module not in PUBLIC_FOR:
                    faults.append(f"{path}: only {', '.join(sorted(PUBLIC_FOR))} may include <{header}>")
            elif header not in SYSTEM_HEADERS and not header.startswith(SYSTEM_FOLDERS):
                owner = next((f for h, f in third_party.items() if header.startswith(h)), None)
                if owner is None:
                    faults.append(f"{path}: <{header}> belongs to no row of the table")
                elif not path.startswith(f"src/{owner}/"):
                    faults.append(f"{path}: <{header}> belongs to src/{owner} alone")
    return arrows, faults


def check_spdx():
    endings = (".c", ".h", ".def", ".py", ".sh", "meson.build", "meson_options.txt")
    paths = list(sources(["src", "include", "tests", "fuzz", "bench", "docs"], endings))
    paths += ["dev", ".ci/run", "meson.build", "meson_options.txt"]
    return [f"{p}: no SPDX line at its top" for p in paths if "SPDX-License-Identifier: Apache-2.0" not in read(p)[:160]]


def main():
    modules = read_table()
    if "base" not in modules:
        return ["docs/architecture.md: the table of modules is missing"]
    arrows, faults = check_includes(modules)
    for module in modules:
        used = [f"{to} ({n})" for (frm, to), n in sorted(arrows.items()) if frm == module]
        print(f"{module:10} -> {', '.join(used) if used else '-'}")
    return check_table(modules) + faults + check_spdx()


if __name__ == "__main__":
    found = main()
    for fault in found:
        print("arrow:", fault, file=sys.stderr)
    print("include arrows: " + (f"{len(found)} faults" if found else "clean"))
    sys.exit(1 if found else 0)
