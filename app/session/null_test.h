#pragma once
// Are the verdicts true on this machine? The same thing against itself must come out "same", a known slowdown must be found.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/session/commands.h"
#include "core/bench/disturbance.h"
#include "core/bench/engine.h"
#include "core/bench/turns.h"
#include "reports/compare/compare.h"

namespace phiscope::session {

/// Verdicts of many comparisons of two engines.
struct VerdictTally {
  int trials = 0, same = 0, better = 0, worse = 0, unclear = 0;
  std::vector<double> ratios;           // candidate / reference of each trial
  std::vector<int64_t> pairs;           // that each trial took
  int64_t repeated = 0, kept_disturbed = 0;
  /// Relative time of each block in the order measured, both engines in turns: what tests replay as recorded noise.
  std::vector<double> block_seconds;
};

struct TrialSettings {
  int64_t tokens = 32;                  // decoded in a block
  bench::TurnRules rules;
};
TrialSettings default_trial_settings();

/// One engine of a trial.
struct TrialEngine {
  bench::Engine* engine = nullptr;
  bench::ReadConditions conditions;     // may be empty
};

/// Each trial measures both in turns and compares them as `phiscope compare` does. Errors are the engines'.
Result<VerdictTally> tally_verdicts(TrialEngine reference, TrialEngine candidate, int trials, const TrialSettings& settings,
                                    const std::function<bool(int done)>& go_on = {});

struct NullTestRequest {
  Target target;                        // model, recipe, backend, threads
  int trials = 100, slow_trials = 50;
  double slowdown = 0.03;
};
struct NullTestResult {
  TargetReport report;
  TrialSettings settings;
  VerdictTally itself;                  // the artifact against itself, two workers
  VerdictTally slower;                  // a stub engine against one that does `slowdown` more work
  bool passed() const;                  // same at least 95 times in 100, found at least 9 times in 10
};
/// Holds the measuring lock. `on_notice` says who is waited for.
Result<NullTestResult> run_null_test(const NullTestRequest& request, const std::function<void(std::string_view)>& on_notice,
                                     const CallOptions& options);

}  // namespace phiscope::session
