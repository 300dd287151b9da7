"""The checks: each takes the root and its files and yields sentences "file:line: what is wrong; what to do"."""
import fnmatch
import pathlib
import re

import rules
from source_tree import is_below, read_text, strip_literals

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
TOP_FOLDERS = {row.split("/")[0] for row in rules.LAYERS}


def code_files(files):
    return [path for path in files if path.suffix in rules.CODE_SUFFIXES]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def layer_of(path):
    """The row that covers a file or a folder: the longest that it lies below."""
    rows = [row for row in rules.LAYERS if is_below(path, row)]
    return max(rows, key=len) if rows else None


def is_allowed(layer, target):
    if is_below(target, layer):
        return True
    return any(is_below(target, allowed.removesuffix("/*")) for allowed in rules.LAYERS[layer])


def include_graph(root, files):
    """Every include goes to a layer that design.md section 4 allows."""
    for path in code_files(files):
        layer = layer_of(path)
        text = read_text(root / path)
        if layer is None:
            if path.parts[0] != "datasets":
                yield f"{path}:1: lies in no layer; add its folder to LAYERS in tests/lint/rules.py"
            continue
        for match in INCLUDE.finditer(text):
            place, target = f"{path}:{line_of(text, match.start())}", match.group(1)
            if target is None:
                yield from reserved_header(place, path, match.group(2))
            elif target.endswith(".inc") and is_generated(root, path, target):
                continue
            elif target.split("/")[0] not in TOP_FOLDERS:
                yield f'{place}: includes "{target}"; write includes from the root of the tree, or <...> for other libraries'
            elif not (root / target).is_file():
                yield f'{place}: includes "{target}", which does not exist'
            elif not is_allowed(layer, target):
                allowed = ", ".join(rules.LAYERS[layer]) or "nothing of Phiscope"
                yield f"{place}: includes {target}; {layer} may include: {allowed}"


def is_generated(root, path, target):
    """The folder's CMakeLists.txt makes it while building."""
    recipe = root / path.parent / "CMakeLists.txt"
    return recipe.is_file() and re.search(rf"(^|[\s(/]){re.escape(target)}\b", read_text(recipe)) is not None


def reserved_header(place, path, header):
    for pattern, folders, reason in rules.RESERVED_HEADERS:
        if re.search(pattern, header) and not any(is_below(path, folder) for folder in folders):
            yield f"{place}: includes <{header}>; {reason}"


def stray_calls(root, files):
    """Libraries never print and never end the program."""
    for path in code_files(files):
        if not any(is_below(path, folder) for folder in rules.LIBRARY_FOLDERS):
            continue
        code = strip_literals(read_text(root / path))
        for pattern, what in rules.STRAY_CALLS:
            for match in re.finditer(pattern, code):
                yield f"{path}:{line_of(code, match.start())}: '{match.group(0).strip()}' {what}; libraries return an Error or use core/base/log.h"


def machine_paths(root, files):
    """No file names a folder of one machine."""
    pattern = re.compile(r"(?<![\w.~}$)-])/(?:" + "|".join(rules.MACHINE_FOLDERS) + r")/[\w.]")
    for path in files:
        if path.suffix in rules.DATA_SUFFIXES or any(is_below(path, folder) for folder in rules.DATA_FOLDERS):
            continue
        text = read_text(root / path) or ""
        for match in pattern.finditer(text):
            line = text[text.rfind("\n", 0, match.start()) + 1:].split("\n", 1)[0].strip()
            yield f"{path}:{line_of(text, match.start())}: names a folder of one machine: {line[:100]}"


def readmes(root, files):
    """Every folder with code says what belongs there."""
    del root
    with_code = {path.parent for path in files if path.suffix in rules.CODE_SUFFIXES | {".py", ".sh"}}
    for folder in sorted(with_code):
        is_mirror = any(is_below(folder, mirrored) for mirrored in rules.MIRRORED_TEST_FOLDERS)
        if not is_mirror and folder / "README.md" not in files:
            yield f"{folder}:1: has code but no README.md; ten lines: what belongs here, how to add one, rules"


def table_rows(root, files):
    """Every command, exporter, panel and migration has its row."""
    for glob, table, row in rules.TABLE_ROWS:
        before, after = glob.split("*")
        for path in files:
            if not fnmatch.fnmatchcase(str(path), glob):
                continue
            name = str(path)[len(before):len(str(path)) - len(after)]
            pattern = row.replace("{name}", re.escape(name))
            if pathlib.Path(table) not in files:
                yield f"{path}:1: needs a row in {table}, which does not exist"
            elif not re.search(pattern, read_text(root / table)):
                yield f"{path}:1: has no row in {table} (nothing matches {pattern})"


def sizes(root, files):
    """Files stay small enough to be read in one sitting."""
    for path in files:
        limit = rules.LONG_FILES.get(str(path), rules.MAX_LINES.get(path.suffix))
        if limit is None:
            continue
        lines = read_text(root / path).count("\n")
        if lines > limit:
            yield f"{path}:{limit}: has {lines} lines, {limit} at most; split it by subject"


# To add a check: a function above and its name here; CTest finds it through `lint.py --list`.
CHECKS = {check.__name__: check for check in (include_graph, stray_calls, machine_paths, readmes, table_rows, sizes)}
