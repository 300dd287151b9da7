#pragma once
// The timed shapes of a suite: each is a step that asks an engine for one block and turns its times into samples.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/bench/engine.h"
#include "core/bench/suite.h"
#include "core/record/record.h"

namespace phiscope::bench {

struct StepOutcome {
  double primary = 0;             // decides about warm-up and stop
  double seconds = 0;             // spent in the measured window
  std::string disturbance;        // what got in the way; set by the schedule, empty = nothing
  std::vector<Sample> samples;    // item and repetition are set by the schedule
  std::optional<Series> timeline; // "token_timeline": time_ns since the ids were handed over
};

struct SpeedStep {
  std::string metric;             // of `primary`, with shape
  std::vector<std::string> metrics;  // all that it gives, for the reason when it does not fit
  std::string what;               // "prefill 512", for progress
  int64_t tokens = 0;             // positions that it needs; a shape that does not fit is skipped with a reason
  bool is_decode = false;
  bool needs_tokenizer = false;
  /// `seed` gives the random ids: equal seeds, equal ids.
  std::function<Result<StepOutcome>(Engine& engine, uint64_t seed)> run;
};

/// Prefill shapes first, then decode, then requests. Errors: io or not_found for a request's text.
Result<std::vector<SpeedStep>> speed_steps(const Suite& suite);

/// Samples of one generation: decode rate, time per output token, start-up of decode, and energy where it was counted (`idle_w` < 0: the net
/// value is left out). Needs two tokens.
std::vector<Sample> decode_samples(const GenerateReply& reply, int64_t length, int64_t depth, double idle_w = -1);

struct ColdStart {
  double first_token_s = 0;  // of the first request, weights touched for the first time
  double total_s = 0;        // opening and loading included
};
/// To be called right after open().
Result<ColdStart> cold_start(Engine& engine, const OpenReply& opened);

/// Kind "sustained": end of each generation in ns since the first began, and its decode rate. `go_on` hears the fraction done; false ends it.
Result<Series> sustained_series(Engine& engine, const SustainedPart& part, const std::function<bool(double fraction)>& go_on);

}  // namespace phiscope::bench
