"""Files of a source tree, and their text without comments or literals."""
import pathlib
import re
import subprocess

SKIPPED_FOLDERS = {"build", ".git", ".cache", "out", "__pycache__"}


def list_files(root):
    """Paths relative to root, sorted: what git tracks or would track, else everything outside of build folders."""
    root = pathlib.Path(root)
    if (root / ".git").exists():
        listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, check=False)
        if listed.returncode == 0:
            names = (pathlib.Path(name) for name in listed.stdout.decode().split("\0") if name)
            return sorted(name for name in names if (root / name).is_file())
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if not SKIPPED_FOLDERS & set(path.parts))


def is_below(path, folder):
    return pathlib.PurePath(path).parts[:len(pathlib.PurePath(folder).parts)] == pathlib.PurePath(folder).parts


def read_text(path):
    """None for files that are not text."""
    data = pathlib.Path(path).read_bytes()
    if b"\0" in data[:8192]:
        return None
    return data.decode("utf-8", errors="replace")


_LITERALS = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^()\s\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def strip_literals(code):
    """C++ without comments, strings and characters, line numbers kept."""
    # A quote between digits is a separator (1'000), not the start of a character.
    code = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", code)
    return _LITERALS.sub(lambda match: "\n" * match.group(0).count("\n") or " ", code)
