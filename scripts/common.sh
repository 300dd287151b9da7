# Shared by the commands of this folder; sourced, not run.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Compiled objects are shared between checkouts: paths below the root are cached as relative ones.
export CCACHE_BASEDIR="$ROOT" CCACHE_NOHASHDIR=1
# What ccache asks for with precompiled headers: their content counts, not their time.
export CCACHE_SLOPPINESS="pch_defines,time_macros,include_file_mtime,include_file_ctime"

step() { printf '==> %s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# show_help SCRIPT: the comment block at the top of a command, below its first line.
show_help() { sed -n '2,/^$/ s/^# \{0,1\}//p' "$1"; }

# One compiler for every core, but a gigabyte of free memory for each.
default_jobs() {
  local cores memory
  cores="$(nproc)"
  memory="$(awk '/^MemAvailable:/ { print int($2 / 1000000) }' /proc/meminfo)"
  if ((memory < cores)); then cores=$((memory > 1 ? memory : 1)); fi
  echo "$cores"
}

# logged LOG COMMAND...: runs a command with its output in LOG; when it fails, says so, shows the end of the log and how to repeat it.
logged() {
  local log="$1"
  shift
  mkdir -p "$(dirname "$log")"
  if "$@" >"$log" 2>&1 </dev/null; then return 0; fi
  {
    # The first complaint of a compiler is worth more than the last lines of a parallel build.
    grep -nE -m 5 -A 6 '(error|Error|FAILED|fatal):? ' "$log" || tail -n 40 "$log"
    printf '%s: this command failed, its whole output is in %s:\n    %s\n' "$(basename "$0")" "${log#"$ROOT"/}" "$*"
  } >&2
  return 1
}
