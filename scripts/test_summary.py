#!/usr/bin/env python3
"""Adds up CTest's JUnit files: test_summary.py [--broken "PRESET ..."] build/PRESET/test.xml...

Prints every failure with its output and the command that repeats it, then one line a build, then `N passed, N failed, N skipped`.
A broken build (it did not come to its tests) counts as one failure. Exit status 1 when anything failed or nothing was run.
"""
import argparse
import pathlib
import re
import shlex
import sys
import xml.etree.ElementTree as ElementTree

OUTPUT_LINES = 40  # of a failed test; the rest is in test.log


def read_results(path):
    """[(name, 'passed' | 'failed' | 'skipped', output)]"""
    results = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        status = case.get("status")
        if case.find("failure") is not None or status == "fail":
            outcome = "failed"
        elif case.find("skipped") is not None or status in ("notrun", "disabled"):
            outcome = "skipped"
        else:
            outcome = "passed"
        results.append((case.get("name"), outcome, case.findtext("system-out") or ""))
    return results


def repeat_command(folder, name):
    pattern = "^" + re.sub(r"([\\^$.|?*+()\[\]{}])", r"\\\1", name) + "$"
    return f"ctest --test-dir {shlex.quote(str(folder))} --output-on-failure -R {shlex.quote(pattern)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broken", default="", help="presets whose build failed")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()

    total = {"passed": 0, "failed": 0, "skipped": 0}
    lines = []
    for path in options.files:
        results = read_results(path)
        counts = {outcome: sum(1 for result in results if result[1] == outcome) for outcome in total}
        for name, outcome, output in results:
            if outcome == "failed":
                print(f"\nFAILED in {path.parent}: {name}")
                print("\n".join(output.splitlines()[-OUTPUT_LINES:]))
                print(f"    repeat: {repeat_command(path.parent, name)}")
        lines.append(f"{path.parent.name}: " + ", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
        total = {outcome: total[outcome] + counts[outcome] for outcome in total}
    for preset in options.broken.split():
        print(f"\nBROKEN: {preset} did not come to its tests")
        print(f"    repeat: cmake --preset {preset} && cmake --build --preset {preset}")
        lines.append(f"{preset}: not tested")
        total["failed"] += 1

    print()
    print("\n".join(lines))
    print(", ".join(f"{number} {outcome}" for outcome, number in total.items()))
    return 1 if total["failed"] > 0 or total["passed"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
