#!/usr/bin/env python3
"""Plants violations in a made-up tree and expects each check to find exactly those."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

LINT = pathlib.Path(__file__).resolve().parent / "lint.py"
README = "# folder\n"


def run_lint(files, *names):
    """(exit status, lines) of lint.py on a tree of {path: text}."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", str(LINT), "--root", folder, *names], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()


class IncludeGraph(unittest.TestCase):
    def findings(self, path, text):
        tree = {"core/stats/bootstrap.h": "", "core/base/json.h": "", "backends/cpu/cpu.h": "", "core/backend/plan.h": "", path: text}
        return run_lint(tree, "include_graph")

    def test_names_file_line_target_and_what_is_allowed(self):
        self.assertEqual(self.findings("core/store/runs.cpp", '// comment\n#include "core/stats/bootstrap.h"\n'),
                         (1, ["core/store/runs.cpp:2: includes core/stats/bootstrap.h; core/store may include: core/record, core/base"]))

    def test_accepts_what_the_design_allows(self):
        for path, header in [("core/store/a.cpp", "core/base/json.h"), ("app/cli/a.cpp", "core/stats/bootstrap.h"),
                             ("app/cli/a.cpp", "core/backend/plan.h"), ("backends/cpu/a/b.cpp", "backends/cpu/cpu.h"),
                             ("tests/core/a.cpp", "backends/cpu/cpu.h"), ("core/base/platform/a.cpp", "core/base/json.h")]:
            self.assertEqual(self.findings(path, f'#include "{header}"\n'), (0, []), path)

    def test_finds_each_forbidden_direction(self):
        for path, header in [("app/cli/a.cpp", "backends/cpu/cpu.h"), ("app/worker/a.cpp", "backends/cpu/cpu.h"),
                             ("backends/reference/a.cpp", "backends/cpu/cpu.h"), ("reports/a.cpp", "core/backend/plan.h"),
                             ("core/base/a.cpp", "core/stats/bootstrap.h"), ("core/backend/a.cpp", "backends/cpu/cpu.h")]:
            status, lines = self.findings(path, f'#include "{header}"\n')
            self.assertEqual((status, len(lines)), (1, 1), path)
            self.assertIn(f"{path}:1: includes {header}", lines[0])

    def test_finds_includes_that_are_not_from_the_root_or_do_not_exist(self):
        self.assertIn('includes "json.h"; write includes from the root', self.findings("core/base/a.cpp", '#include "json.h"\n')[1][0])
        self.assertIn("which does not exist", self.findings("core/base/a.cpp", '#include "core/base/none.h"\n')[1][0])

    def test_accepts_generated_tables_that_the_folder_makes(self):
        self.assertEqual(self.findings("core/base/a.cpp", '#include "rows.inc"\n')[0], 1)
        tree = {"core/base/a.cpp": '#include "rows.inc"\n', "core/base/CMakeLists.txt": "embed(rows.inc)\n"}
        self.assertEqual(run_lint(tree, "include_graph"), (0, []))

    def test_finds_headers_in_the_wrong_folder(self):
        for header in ("SQLiteCpp/Database.h", "imgui.h", "cuda_runtime.h", "unistd.h", "sys/mman.h", "CLI/CLI.hpp", "immintrin.h"):
            status, lines = self.findings("core/quant/a.cpp", f"  #  include <{header}>\n")
            self.assertEqual((status, len(lines)), (1, 1), header)
        self.assertEqual(self.findings("core/store/a.cpp", "#include <SQLiteCpp/Database.h>\n#include <vector>\n"), (0, []))

    def test_finds_folders_without_a_layer(self):
        self.assertIn("lies in no layer", self.findings("extras/a.cpp", "")[1][0])


class StrayCalls(unittest.TestCase):
    def test_finds_prints_and_exits_in_libraries_only(self):
        code = 'int f() {\n  std::cout << 1;\n  std::printf("x");\n  fprintf(stderr, "y");\n  fmt::print("z");\n  exit(1);\n  std::abort();\n}\n'
        status, lines = run_lint({"core/a.cpp": code}, "stray_calls")
        self.assertEqual(status, 1)
        self.assertEqual(sorted(line.split(": ")[0] for line in lines), [f"core/a.cpp:{n}" for n in (2, 3, 4, 5, 6, 7)])
        self.assertEqual(run_lint({"app/cli/a.cpp": code}, "stray_calls"), (0, []))

    def test_ignores_comments_strings_and_other_names(self):
        code = ('// std::cout\n/* exit(1)\n abort() */\nconst char* a = "printf(1) \\" exit(2)"; int n = 1\'000; char c = \'"\';\n'
                'auto r = R"(puts("x"))"; snprintf(b, 1, ""); this->exit(1); _exit(127); Exit exit_;\n')
        self.assertEqual(run_lint({"core/a.cpp": code}, "stray_calls"), (0, []))


class MachinePaths(unittest.TestCase):
    def test_finds_folders_of_a_machine(self):
        for folder in ("home", "root", "work", "tmp"):
            status, lines = run_lint({"scripts/a": f"x\ncd /{folder}/somebody/x\n"}, "machine_paths")
            self.assertEqual((status, len(lines)), (1, 1), folder)
            self.assertTrue(lines[0].startswith("scripts/a:2: "), lines)

    def test_accepts_system_folders_and_relative_paths(self):
        text = "/proc/self/exe /sys/class /usr/share/javascript /dev/null a/tmp/b build/work/x $HOME/root/y\n"
        self.assertEqual(run_lint({"scripts/a": text}, "machine_paths"), (0, []))


class Readmes(unittest.TestCase):
    def test_finds_folders_of_code_without_one(self):
        tree = {"core/a/x.cpp": "", "core/b/y.cpp": "", "core/b/README.md": README, "tests/core/a/x_test.cpp": "", "docs/z.md": ""}
        status, lines = run_lint(tree, "readmes")
        self.assertEqual(status, 1)
        self.assertEqual([line.split(":")[0] for line in lines], ["core/a"])


class TableRows(unittest.TestCase):
    def test_finds_commands_without_a_row(self):
        tree = {"app/cli/cmd_bench.cpp": "", "app/cli/cmd_new.cpp": "", "app/cli/command.h": "Action add_bench();\nAction add_new();\n",
                "app/cli/command_table.cpp": '{"bench", "", "", &add_bench},\n'}
        status, lines = run_lint(tree, "table_rows")
        self.assertEqual((status, len(lines)), (1, 1))
        self.assertIn("app/cli/cmd_new.cpp:1: has no row in app/cli/command_table.cpp", lines[0])

    def test_finds_exporters_and_migrations_without_a_table(self):
        self.assertEqual(run_lint({"reports/export/csv_exporter.cpp": ""}, "table_rows")[0], 1)
        self.assertEqual(run_lint({"core/store/migrations/001_first.sql": "", "core/store/CMakeLists.txt": "002_second.sql"}, "table_rows")[0], 1)


class Sizes(unittest.TestCase):
    def test_finds_files_that_are_too_long(self):
        self.assertEqual(run_lint({"core/a.h": "\n" * 276, "core/b.h": "\n" * 275}, "sizes")[1], ["core/a.h:275: has 276 lines, 275 at most; split it by subject"])


class CommandLine(unittest.TestCase):
    def test_refuses_unknown_checks_and_empty_trees(self):
        self.assertEqual(run_lint({"a": ""}, "no_such_check")[0], 2)
        self.assertEqual(run_lint({}, "sizes")[0], 1)


if __name__ == "__main__":
    unittest.main()
