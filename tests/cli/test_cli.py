# SPDX-License-Identifier: Apache-2.0
"""test_cli.py KROSYN [PATTERN] - drives the built command as its users do: by its command line,
its files, its pipes and its terminal. Prints one line per test and a summary."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import cases_copies  # noqa: E402
import cases_custody  # noqa: E402
import cases_home  # noqa: E402
import cases_hostile  # noqa: E402
import cases_import  # noqa: E402
import cases_keys  # noqa: E402
import cases_language  # noqa: E402
import cases_life  # noqa: E402
import cases_redact  # noqa: E402
import cases_usage  # noqa: E402
import cases_work  # noqa: E402
import harness  # noqa: E402

if __name__ == "__main__":
    cases = [
        cases_usage,
        cases_home,
        cases_keys,
        cases_life,
        cases_language,
        cases_work,
        cases_redact,
        cases_copies,
        cases_custody,
        cases_hostile,
        cases_import,
    ]
    sys.exit(harness.main(cases))
