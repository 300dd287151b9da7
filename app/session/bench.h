#pragma once
// Benchmark runs: models x backends x recipes through a suite, one worker a run, everything saved to the store.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/session/worker_client.h"
#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope::session {

struct BenchRequest {
  std::vector<std::string> models;       // MODEL arguments
  std::string recipes = "source";        // comma list or a recipe file
  std::vector<std::string> backends;     // empty = the best available
  std::string suite = "quick";           // name or .toml file
  std::vector<std::string> task_files;   // FILE:FORMAT or FILE:FORMAT:SHOTS_FILE, beside the suite's own tasks
  int threads = 0;                       // 0 = usable cores
  std::string instruction_set;           // forced kernel set
  std::filesystem::path database;        // empty = Store::default_path()
  bool fidelity = true, tasks = true;    // false leaves the part out
  std::optional<bool> interleave;        // empty = when all workers fit into half of the available memory
};

/// Where one run is; given to on_progress.
struct BenchProgress {
  int64_t run = 0, runs = 0;             // index of the run and how many there will be
  std::string model, recipe, backend;
  std::string what;                      // "quantizing", "prefill 512", "scoring text"
  double fraction = 0;                   // of the whole bench, 0..1, never falls
};

/// Called on the thread of run_bench. All may be empty.
struct BenchEvents {
  std::function<void(const BenchProgress&)> on_progress;
  std::function<void(const Run&)> on_run_finished;      // already saved; any status
  std::function<void(std::string_view sentence)> on_notice;  // "waiting for ...", "the reference's states are cached"
  std::function<void(std::string_view line)> on_log;    // worker diagnostics, on another thread
};

struct BenchResult {
  std::vector<Run> runs;                 // in the order of models, backends, recipes
  bool cancelled = false;
  std::optional<Error> store_error;      // why runs could not be saved (a disk that filled up); they are in `runs` all the same
  bool all_done() const;                 // every run has status done
};

/// Errors are only those that prevent every run: unknown suite, recipe or backend name (nearest offered), unwritable database. What goes wrong
/// in one run is that run's status and reason, and the next goes on. Waits for the measuring lock of this machine, saying who holds it.
Result<BenchResult> run_bench(const BenchRequest& request, const BenchEvents& events, const CancelToken* cancel);

}  // namespace phiscope::session
