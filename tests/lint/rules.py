"""The rules as tables. design.md section 4 is their source."""

# Who may include what. A row covers a folder and all below it that have no row of their own; every folder may include itself.
# "a/*" allows every folder of a. To add a layer: its row here and its README.md.
LAYERS = {
    "core/base": [],
    "core/record": ["core/base"],
    "core/stats": ["core/base"],
    "core/tensor": ["core/base"],
    "core/job": ["core/base"],
    "core/quant": ["core/tensor", "core/base"],
    "core/format": ["core/tensor", "core/base"],
    "core/tokenizer": ["core/format", "core/base"],
    "core/store": ["core/record", "core/base"],
    "core/backend": ["core/quant", "core/tensor", "core/base"],
    "core/device": ["core/backend", "core/record", "core/base"],
    "core/model": ["core/backend", "core/format", "core/quant", "core/tokenizer", "core/tensor", "core/base"],
    "core/convert": ["core/model", "core/backend", "core/format", "core/quant", "core/tokenizer", "core/job", "core/tensor", "core/base"],
    "core/bench": ["core/convert", "core/model", "core/backend", "core/device", "core/stats", "core/tokenizer", "core/quant", "core/tensor",
                   "core/job", "core/record", "core/base"],
    "backends/reference": ["core/backend", "core/quant", "core/tensor", "core/base"],
    "backends/cpu": ["core/backend", "core/quant", "core/tensor", "core/base"],
    "backends/cuda": ["core/backend", "core/quant", "core/tensor", "core/base"],
    "reports": ["core/record", "core/stats", "core/device", "core/base"],
    "app/session": ["reports/*", "core/*"],
    "app/worker": ["core/*"],  # links the backends, names none
    "app/cli": ["app/session", "reports/*", "core/*"],
    "app/gui": ["app/session", "reports/*", "core/*"],
    "tests": ["core/*", "backends/*", "reports/*", "app/*"],
}

# Includes that only some folders may have: pattern of the header, folders, reason.
RESERVED_HEADERS = [
    (r"^(SQLiteCpp/|sqlite3\.h)", ["core/store", "tests"], "SQL lives in core/store"),
    (r"^CLI/", ["app/cli", "app/gui", "tests"], "command-line parsing lives in app/cli"),
    (r"^(imgui|implot|GLFW/|SDL)", ["app/gui", "tests"], "the GUI library lives in app/gui"),
    (r"^(cuda|cublas|nvml|mma\.h)", ["backends/cuda"], "CUDA lives in backends/cuda"),
    (r"^(immintrin|x86intrin|arm_neon|cpuid)\.h", ["backends/cpu", "core/base/platform", "tests"],
     "instructions of one processor live in backends/cpu"),
    (r"^(unistd|fcntl|poll|sched|dirent|dlfcn|pthread|pwd|termios|signal|sys/.*|linux/.*|windows)(\.h)?$", ["core/base/platform", "tests"],
     "what one operating system offers lives in core/base/platform"),
    (r"^(gtest|gmock)/", ["tests"], "test libraries stay in tests"),
]

# Libraries hand results back; only programs print or end.
LIBRARY_FOLDERS = ["core", "backends", "reports"]
STRAY_CALLS = [
    (r"\bstd::(cout|cerr|clog)\b", "prints"),
    (r"(?<![\w.>])(printf|vprintf|fprintf|vfprintf|puts|fputs|putchar|perror|fwrite)\s*\(", "prints"),
    (r"\b(fmt|std)::print(ln)?\s*\(", "prints"),
    (r"\bspdlog::", "prints; use core/base/log.h"),
    (r"(?<![\w.>])(exit|abort|quick_exit|_Exit)\s*\(", "ends the program"),
    (r"\bstd::(terminate|unexpected)\s*\(", "ends the program"),
]

# A file that matches the glob needs a row in the table file; {name} is what * stood for.
TABLE_ROWS = [
    ("app/cli/cmd_*.cpp", "app/cli/command_table.cpp", r"&add_{name}\b"),
    ("app/cli/cmd_*.cpp", "app/cli/command.h", r"\badd_{name}\("),
    ("reports/export/*_exporter.cpp", "reports/export/exporter_table.cpp", r"\b(write_)?{name}(_exporter)?\b"),
    ("app/gui/panels/*_panel.cpp", "app/gui/panels/panel_table.cpp", r"\b{name}_panel\b"),
    ("core/store/migrations/*.sql", "core/store/CMakeLists.txt", r"\b{name}\.sql\b"),
]

# Machine paths: a folder of one machine or account in a file of the repository.
MACHINE_FOLDERS = ["home", "root", "work", "tmp", "Users", "mnt"]
# Data whose text is not ours.
DATA_SUFFIXES = {".safetensors", ".bin", ".jsonl", ".gz", ".zst", ".png", ".gguf", ".db"}
DATA_FOLDERS = ["datasets/corpora", "datasets/tasks", "datasets/tiny_phi", "tests/golden"]

CODE_SUFFIXES = {".h", ".cpp", ".cu", ".cuh", ".inc"}
# Folders of code without a README.md of their own: the tests of a folder are what that folder's README describes.
MIRRORED_TEST_FOLDERS = ["tests/core", "tests/backends", "tests/reports", "tests/app"]

# Lines at most; tables and generated kernels are named here with their reason when they need more.
MAX_LINES = {".cpp": 650, ".cu": 650, ".h": 275}
LONG_FILES = {}
