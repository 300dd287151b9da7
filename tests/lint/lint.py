#!/usr/bin/env python3
"""Checks what the compiler cannot: lint.py [--root FOLDER] [CHECK...]; lint.py --list names the checks.

Prints one line a finding, `file:line: what is wrong; what to do`. Exit status 0 clean, 1 findings, 2 wrong usage.
"""
import argparse
import pathlib
import sys

import checks
from source_tree import list_files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent.parent)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("checks", nargs="*", metavar="CHECK")
    options = parser.parse_args()
    if options.list:
        print("\n".join(checks.CHECKS))
        return 0
    unknown = [name for name in options.checks if name not in checks.CHECKS]
    if unknown:
        parser.error(f"no check is called {unknown[0]}; there are: {', '.join(checks.CHECKS)}")

    files = list_files(options.root)
    findings = [finding for name in options.checks or checks.CHECKS for finding in checks.CHECKS[name](options.root, files)]
    for finding in findings:
        print(finding)
    if not files:
        print(f"{options.root}: has no files")
    return 1 if findings or not files else 0


if __name__ == "__main__":
    sys.exit(main())
