#!/usr/bin/env python3
"""Runs the text cases of this folder (format: README.md).

run_cases.py --list FILE...            prints the names, for CTest
run_cases.py --bin FOLDER FILE NAME    runs one case; exit 0 passed, 1 failed, 77 skipped
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import given

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
TIMEOUT_S = 300
DIRECTIVES = {"given", "env", "run", "exit", "stderr", "stderr!", "stdout", "stdout!", "json", "lines", "same", "absent", "present"}


def parse(path):
    """[{"name": str, "steps": [(directive, argument)]}]"""
    cases = []
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        named = re.match(r"# name: (\S+)$", line)
        if named:
            cases.append({"name": named.group(1), "steps": []})
        elif line.strip() and not line.startswith("#"):
            directive, _, argument = line.partition(" ")
            if directive not in DIRECTIVES or not cases:
                sys.exit(f"{path}:{number}: unknown directive '{directive}'")
            cases[-1]["steps"].append((directive, argument.strip()))
    names = [case["name"] for case in cases]
    if len(set(names)) != len(names):
        sys.exit(f"{path}: two cases have the same name")
    return cases


def value_at(document, path):
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def check_json(stdout, rule):
    path, operator, expected = re.match(r"(\S+)\s+(==|!=|<|>)\s+(.*)$", rule).groups()
    try:
        found = value_at(json.loads(stdout), path)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return f"no value at '{path}' in the JSON on stdout ({error!r})"
    expected = json.loads(expected)
    holds = {"==": lambda: found == expected, "!=": lambda: found != expected, "<": lambda: found < expected, ">": lambda: found > expected}
    return None if holds[operator]() else f"{path} is {found!r}, expected {operator} {expected!r}"


def check(directive, argument, result):
    """None, or what is wrong."""
    if directive == "exit":
        return None if result.returncode == int(argument) else f"exit status {result.returncode}, expected {argument}"
    if directive in ("stderr", "stdout"):
        return None if argument in getattr(result, directive) else f"{directive} does not contain: {argument}"
    if directive in ("stderr!", "stdout!"):
        return f"{directive[:-1]} contains: {argument}" if argument in getattr(result, directive[:-1]) else None
    if directive == "json":
        return check_json(result.stdout, argument)
    if directive == "same":
        stream, path = argument.split()
        text = pathlib.Path(SOURCE, path).read_text()
        return None if getattr(result, stream) in text else f"{path} does not hold what {stream} says; put it there"
    if directive == "lines":
        stream, count = argument.split()
        found = len(getattr(result, stream).splitlines())
        return None if found == int(count) else f"{stream} has {found} lines, expected {count}"
    exists = os.path.lexists(argument)
    if directive == "absent":
        return f"{argument} exists" if exists else None
    return None if exists else f"{argument} does not exist"


def run_case(case, bin_folder):
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="phiscope-case-"))
    variables = {"tmp": str(tmp), "source": str(SOURCE), "tiny": str(SOURCE / "tests/golden/models/phi-3-mini-tiny")}
    environment = dict(os.environ, PHISCOPE_DB=str(tmp / "phiscope.db"), PHISCOPE_CACHE=str(tmp / "cache"), PHISCOPE_LOCKS=str(tmp / "locks"),
                       PHISCOPE_DATASETS=str(SOURCE / "datasets"), XDG_DATA_HOME=str(tmp / "data"), XDG_CONFIG_HOME=str(tmp / "config"),
                       NO_COLOR="1")
    environment.pop("PHISCOPE_CPU_ISA", None)
    result = None
    try:
        for directive, raw in case["steps"]:
            argument = re.sub(r"\{(\w+)\}", lambda match: variables.get(match.group(1), match.group(0)), raw)
            if directive == "given":
                name, *rest = argument.split()
                variables.update(getattr(given, name)(tmp, *rest) or {})
            elif directive == "env":
                key, _, value = argument.partition("=")
                environment[key] = value
            elif directive == "run":
                words = shlex.split(argument)
                words[0] = str(pathlib.Path(bin_folder) / words[0])
                result = subprocess.run(words, env=environment, cwd=tmp, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                        errors="replace", timeout=TIMEOUT_S, preexec_fn=given.limits_for(variables))
            else:
                problem = check(directive, argument, result)
                if problem:
                    print(f"{case['name']}: {problem}\n--- command: {result.args}\n--- exit {result.returncode}\n--- stdout\n{result.stdout[-4000:]}\n"
                          f"--- stderr\n{result.stderr[-4000:]}")
                    return 1
        return 0
    except given.Skip as reason:
        print(f"skipped: {reason}")
        return 77
    finally:
        given.clean_up(tmp)
        shutil.rmtree(tmp, ignore_errors=True)


def main():
    if sys.argv[1] == "--list":
        for path in sys.argv[2:]:
            for case in parse(path):
                print(case["name"])
        return 0
    _, _, bin_folder, path, name = sys.argv
    case = next(case for case in parse(path) if case["name"] == name)
    return run_case(case, bin_folder)


if __name__ == "__main__":
    sys.exit(main())
