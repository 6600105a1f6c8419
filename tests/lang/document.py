# SPDX-License-Identifier: Apache-2.0
"""document.py [--write] ROOT KROSYN RUNNER - docs/language.md against the product.

The tables of functions, limits and diagnostics must be what the command and the sources say;
--write puts them in. Each example (a fenced block `krosyn`, examples apart by an empty line) is
rendered by the command; those that need a value, a mode of missing or raw() go through RUNNER,
the program that runs tests/lang/cases/. The lines are those of the case files.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

GROUPS = ["string", "logic", "compare", "number", "list", "date", "encode", "place"]

# Functions that Krosyn documents publicly, with this order of arguments.
DOCUMENTED = {"concat", "uppercase", "lowercase", "trim", "replace", "substring", "split", "join",
              "contains", "and", "equals", "greaterThan", "last"}

# name of the constant, file, what it limits, unit, number of the diagnostic (data have none)
LIMITS = [
    ("KR_LIMIT_TEMPLATE_BYTES", "src/lang/program.h", "a template", "bytes", "E502"),
    ("KR_LIMIT_NESTING", "src/lang/program.h", "open parentheses and brackets inside each other", "", "E503"),
    ("KR_LIMIT_NODES", "src/lang/program.h", "parts of a template (texts, references, calls, values)", "", "E504"),
    ("KR_LIMIT_PATH_STEPS", "src/lang/program.h", "steps of a reference", "", "E505"),
    ("KR_LIMIT_ARGUMENTS", "src/lang/program.h", "arguments of a call", "", "E506"),
    ("KR_LIMIT_SLOTS", "src/lang/program.h", "different paths in one template", "", "E510"),
    ("KR_LIMIT_PATTERNS", "src/lang/program.h", "different patterns in one template", "", "E521"),
    ("KR_LIMIT_PATTERN_BYTES", "src/regex/regex.h", "a pattern", "bytes", "E520"),
    ("KR_LIMIT_PATTERN_NESTING", "src/regex/regex.h", "parentheses inside each other in a pattern", "", "E220"),
    ("KR_LIMIT_PATTERN_GROUPS", "src/regex/regex.h", "groups of a pattern", "", "E520"),
    ("KR_LIMIT_PATTERN_REPEAT", "src/regex/regex.h", "numbers of a counted repeat", "", "E520"),
    ("KR_LIMIT_PATTERN_CODE_BYTES", "src/regex/regex.h", "a compiled pattern", "bytes", "E520"),
    ("KR_LIMIT_SUBJECT_BYTES", "src/regex/regex.h", "a text to search", "bytes", "E522"),
    ("KR_LIMIT_MATCH_BACKTRACKS", "src/regex/regex.h", "backtracks of a match, or the work that is left", "", "E523"),
    ("KR_LIMIT_MATCH_HEAP_KIB", "src/regex/regex.h", "memory of a match", "KiB", "E523"),
    ("KR_LIMIT_ITEM_NESTING", "src/lang/program.h", "`map` and `filter` inside each other", "", "E524"),
    ("KR_SECRETS_MAX", "src/base/span.h", "different secrets of one connector", "", "E501"),
    ("KR_JSON_MAX_BYTES", "src/json/json.h", "a payload", "bytes", ""),
    ("KR_JSON_MAX_DEPTH", "src/json/json.h", "depth of a payload", "", ""),
    ("KR_LIMIT_STRING_BYTES", "src/vm/render.h", "a string made while rendering", "bytes", "E507"),
    ("KR_LIMIT_URL_BYTES", "src/vm/render.h", "a URL", "bytes", "E508"),
    ("KR_LIMIT_HEADER_BYTES", "src/vm/render.h", "a header value", "bytes", "E508"),
    ("KR_LIMIT_BODY_BYTES", "src/vm/render.h", "a body, or any other output", "bytes", "E508"),
    ("KR_LIMIT_SPANS", "src/vm/render.h", "stretches of one output that come from a secret", "", "E512"),
    ("KR_LIMIT_FUEL", "src/vm/render.h", "work of one render", "units", "E509"),
    ("KR_LIMIT_SCRATCH_BYTES", "src/vm/vm.h", "memory of one render", "bytes", "E511"),
    ("KR_LIMIT_ROUND_DIGITS", "src/vm/number.h", "digits of round and formatNumber", "", "E351"),
    ("KR_ZONE_FILE_BYTES", "src/base/zoneinfo.h", "the file of a time zone", "bytes", "E363"),
]
BY_RUNNER = {"missing", "raw", "decide", "secret", "field", "fuel"}
DATA = ("payload", "lookup", "processed")


def report(name, problem):
    print("[%s] %s" % ("       OK " if problem is None else "  FAILED  ", name), flush=True)
    if problem is not None:
        print(problem, flush=True)
    return problem is None


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def code(text):
    """A code span of a table: no pipe may end the cell."""
    text = text.replace("|", "\\|")
    return "``%s``" % text if "`" in text else "`%s`" % text


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


def function_table(functions, group):
    rows = ["| function | gives | example | secrets |", "|---|---|---|---|"]
    for function in functions:
        if function["group"] != group:
            continue
        documented = " **K**" if function["name"] in DOCUMENTED else ""
        example = ""
        if function["example"]:
            example = "%s → %s" % (code(function["example"]), code(function["result"]))
        rows.append("| %s%s | %s | %s | %s |" % (
            code(function["signature"]), documented, cell(function["phrase"]), example,
            ", ".join(function["secret_arguments"])))
    return rows if len(rows) > 2 else ["None yet."]


def constant(root, name, path):
    found = re.search(r"#define %s ([^/\n]+)" % name, read(root, path))
    if found is None:
        raise SystemExit("%s has no %s" % (path, name))
    product = 1
    for factor in re.findall(r"\d+", found.group(1)):
        product *= int(factor)
    return product


def amount(value, unit):
    if unit == "bytes" and value % 1024 == 0:
        return "%d MiB" % (value >> 20) if value % (1 << 20) == 0 else "%d KiB" % (value >> 10)
    return ("%d %s" % (value, unit)).strip()


def limit_table(root):
    rows = ["| limit | value | error |", "|---|---|---|"]
    for name, path, what, unit, number in LIMITS:
        rows.append("| %s | %s | %s |" % (what, amount(constant(root, name, path), unit), number))
    return rows


def diagnostic_table(root):
    rows = ["| number | meaning |", "|---|---|"]
    found = re.findall(r'^KR_DIAGNOSTIC\((\w+), (\d+), "((?:[^"\\]|\\.)*)"\)',
                       read(root, "src/lang/diagnostics.def"), re.M)
    for _, number, meaning in found:
        rows.append("| E%s | %s |" % (number, cell(json.loads('"%s"' % meaning))))
    return rows


def tables(root, krosyn):
    listed = subprocess.run([krosyn, "functions", "--json"], stdout=subprocess.PIPE, check=True)
    functions = json.loads(listed.stdout)
    made = {"functions: " + group: function_table(functions, group) for group in GROUPS}
    made["limits"] = limit_table(root)
    made["diagnostics"] = diagnostic_table(root)
    return functions, made


def write_tables(page, made):
    for name, rows in made.items():
        page = re.sub(r"(<!-- %s -->\n).*?(<!-- end -->)" % re.escape(name),
                      lambda found: found.group(1) + "\n".join(rows) + "\n" + found.group(2),
                      page, flags=re.S)
    return page


def check_tables(root, page, functions, made):
    passed = []
    in_source = re.findall(r'^KR_FUNCTION\(\w+, "(\w+)"', read(root, "src/lang/functions.def"), re.M)
    listed = [function["name"] for function in functions]
    passed.append(report("table: the command lists functions.def",
                         None if in_source == listed else "%s\nis not\n%s" % (listed, in_source)))
    strange = {function["group"] for function in functions} - set(GROUPS)
    passed.append(report("table: every group is on the page",
                         "no section for %s" % strange if strange else None))
    unknown = DOCUMENTED - set(listed)
    passed.append(report("table: what is documented exists", unknown or None))
    for name, rows in made.items():
        found = re.search(r"<!-- %s -->\n(.*?)<!-- end -->" % re.escape(name), page, re.S)
        problem = None
        if found is None:
            problem = "the page has no such table"
        else:
            shown = found.group(1).split("\n")[:-1]
            differing = [row for row in rows if row not in shown] + \
                        [row for row in shown if row not in rows]
            if shown != rows:
                problem = "differs; run this script with --write:\n" + "\n".join(differing)
        passed.append(report("table: " + name, problem))
    return passed


def examples(page):
    """(name, [(key, value)]) of every example."""
    found = []
    heading, block = "", None
    for number, line in enumerate(page.split("\n"), 1):
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line == "```krosyn":
            block = number
            found.append(("%s, line %d" % (heading, number + 1), []))
        elif block is not None and line == "```":
            block = None
        elif block is not None and line == "":
            found.append(("%s, line %d" % (heading, number + 1), []))
        elif block is not None:
            key, _, value = line.partition(":")
            found[-1][1].append((key, value[1:] if value.startswith(" ") else value))
    return found


def place(error):
    return "%s %s:%s" % (error["code"], error["line"], error["column"])


def run_example(krosyn, lines, folder):
    """None, or what is wrong."""
    keys = dict(lines)
    unknown = set(keys) - {"sink", "template", "out", "error", "lint", *DATA}
    if unknown or "template" not in keys:
        return "these lines make no example: %s" % lines
    args = [krosyn, "render", "--json", "--home", os.path.join(folder, "none")]
    args += ["--sink", keys.get("sink", "text")]
    for name in DATA:
        if name in keys:
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(keys[name])
            args += ["--" + name, path]
    done = subprocess.run(args + ["--", keys["template"]], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    wanted = [value for key, value in lines if key == "error"]
    if done.returncode != 0:
        error = json.loads(done.stderr)["error"]
        shown = [place(error)]
        return None if shown == wanted[:1] else "%s, not %s: %s" % (shown, wanted, error["message"])
    result = json.loads(done.stdout)
    lints = [place(finding) for finding in result["findings"]]
    if wanted or result["text"] != keys.get("out"):
        return "gives %r, not %s" % (result["text"], wanted or repr(keys.get("out")))
    if lints != [value for key, value in lines if key == "lint"]:
        return "warnings are %s" % lints
    return None


def run_cases(runner, cases, folder):
    """Examples for the runner: as a case file, its own lines are passed on."""
    path = os.path.join(folder, "language.md.tmpl")
    with open(path, "w", encoding="utf-8") as file:
        for name, lines in cases:
            file.write("=== %s\n" % name)
            file.writelines("%s: %s\n" % line for line in lines)
    done = subprocess.run([runner, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, check=False)
    out = done.stdout.decode("utf-8", "replace")
    n_good = out.count("[       OK ]")
    # Its own totals would be taken for those of this program.
    print("\n".join(line for line in out.split("\n")
                    if not re.match(r"\[ RUN|\[=|\[  (PASSED|FAILED)  \] \d+ test", line)), flush=True)
    return [True] * n_good + [False] * (len(cases) - n_good)


def main():
    args = [arg for arg in sys.argv[1:] if arg != "--write"]
    root, krosyn, runner = args
    page = read(root, "docs/language.md")
    functions, made = tables(root, krosyn)
    if "--write" in sys.argv:
        with open(os.path.join(root, "docs/language.md"), "w", encoding="utf-8") as file:
            file.write(write_tables(page, made))
        return 0
    passed = check_tables(root, page, functions, made)
    cases = []
    with tempfile.TemporaryDirectory(prefix="krosyn-doc-") as folder:
        for name, lines in examples(page):
            if BY_RUNNER & {key for key, _ in lines}:
                cases.append((name, lines))
            else:
                passed.append(report(name, run_example(krosyn, lines, folder)))
        passed += run_cases(runner, cases, folder)
    print("%d passed, %d failed" % (passed.count(True), passed.count(False)))
    return 0 if all(passed) and len(passed) > 60 else 1


if __name__ == "__main__":
    sys.exit(main())
