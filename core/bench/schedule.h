#pragma once
// The order of a benchmark: open, speed, fidelity, tasks, output check, memory, close; block by block, so that several engines can take turns
// (A B B A) and a run can be cancelled between blocks.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bench/disturbance.h"
#include "core/bench/engine.h"
#include "core/bench/suite.h"
#include "core/record/record.h"

namespace phiscope::bench {

/// One run while it is measured. The caller fills engine, block and the identity in `run` (id, model, recipe, backend, suite, started_at, ...);
/// run_suite fills the rest. A run that failed keeps what was measured before.
struct Candidate {
  Engine* engine = nullptr;
  OpenBlock block;
  Run run;
  /// One file for each fidelity part of the suite, empty = no reference (then `reference_reason` says why).
  std::vector<std::filesystem::path> reference_hidden;
  std::vector<double> reference_floors;  // kld_floor of each part; 0 = unknown
  std::string reference_reason;
  std::optional<double> quantize_s;  // when the artifact was made before the engine was opened
  int64_t begin_ns = 0;              // monotonic: where the time axes of the run's memory series begin
  ReadConditions conditions;         // of the engine's process, for telling disturbed repetitions; empty = unknown
  OpenReply opened;        // filled by run_suite
  bool is_live = false;    // opened and not failed
};

struct Hooks {
  /// Index of the candidate, fraction of its run, what is being done. May be empty.
  std::function<void(size_t candidate, double fraction, std::string_view what)> on_progress;
  std::function<bool()> is_cancelled;   // may be empty
  /// Called when a candidate is finished (closed), so that it can be saved while others go on. May be empty.
  std::function<void(size_t candidate)> on_finished;
};

/// Positions that the suite wants an engine to hold; engines hold at most their model's context.
int64_t context_needed(const Suite& suite);

/// Measures all candidates: opens all, takes turns in every speed shape (A B B A over repetitions), then finishes one after the other. With one
/// candidate it is a plain run. Never fails as a whole: what goes wrong is in the runs.
void run_suite(std::span<Candidate> candidates, const Suite& suite, const Hooks& hooks);

/// Status and reason of a run that met `error`: cancelled; refused where the precision, backend or memory said no at opening; else failed.
void end_run(Run& run, const Error& error, bool while_opening);

}  // namespace phiscope::bench
