#pragma once
// One speed shape over several engines that take turns (A B B A): which repeats when, and when it is enough. The engines are behind functions,
// so that the order is tested without any.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/bench/repetitions.h"
#include "core/bench/speed.h"

namespace phiscope::bench {

struct TurnRules {
  Repetitions::Limits limits;
  /// Half-width that the 95 % interval of every member's ratio to the first must reach, as a share (0.01 for effects of 2 %).
  double pair_half_width = 0.01;
  /// Disturbed repetitions that each member may measure again; after that they are kept, marked.
  int64_t max_repeats = 10;
};

/// What became of one member.
struct TurnResult {
  bool is_member = true;          // false: a repetition failed and it left
  std::string reason;             // "pairs settled: ±0.8 % after 12", or Repetitions' own
  double relative_sd = 0;
  bool is_settled = false;        // stable, or its pairs are
  int64_t repeated = 0;           // disturbed repetitions that were measured again
  int64_t kept_disturbed = 0;     // disturbed repetitions that count, since no undisturbed one could be had
  std::string disturbance;        // the first mark seen
};

/// One repetition of a member with this seed (equal seeds, equal prompts); nothing when it failed and leaves.
using Repeat = std::function<std::optional<StepOutcome>(size_t member, uint64_t seed)>;
/// Called for every outcome in order; `is_final` is false for a disturbed one that is measured again.
using Keep = std::function<void(size_t member, StepOutcome outcome, int64_t repetition, bool is_final)>;

/// Even repetitions go forward, odd ones back. One member stops when its own spread is small, several when every ratio to the first is known
/// well enough; each at a cap.
std::vector<TurnResult> take_turns(size_t members, const TurnRules& rules, uint64_t first_seed, const Repeat& repeat, const Keep& keep);

}  // namespace phiscope::bench
