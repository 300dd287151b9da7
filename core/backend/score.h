#pragma once
// Fidelity of one position: statistics of two distributions over the full vocabulary, in f64 (formulas: docs/measuring.md).

#include <cstdint>
#include <span>
#include <vector>

#include "core/backend/backend.h"
#include "core/base/result.h"

namespace phiscope {

struct PositionScore {
  int32_t target = 0;       // the id that really follows
  float nll = 0;            // -ln p(target), candidate
  float nll_reference = 0;  // -ln p0(target)
  float kld = 0;            // sum p0 (ln p0 - ln p), exactly 0 for equal logits
  float delta_p = 0;        // p(target) - p0(target)
  int32_t top1 = 0, top1_reference = 0;  // lowest id on ties
  float p_top1_reference = 0;            // p0 of its own top 1: confidence bucket
  uint8_t top5_overlap = 0;              // ids common to both top 5
  uint8_t top10_overlap = 0;             // and to both top 10
  bool same_top1() const { return top1 == top1_reference; }
};

/// `reference` empty: only target, nll and top1 are filled. `target` is inside the vocabulary. Thread-safe.
PositionScore score_position(std::span<const float> reference, std::span<const float> candidate, int32_t target);

/// Scores positions first..last (inclusive) of `window`: position i predicts window[i + 1]. The whole window is computed from a fresh sequence:
/// its length, last id included, chooses the longrope list; reference_hidden must come from the same append.
/// `reference_hidden`: final-norm hidden states of the reference for those positions [last - first + 1, hidden], or empty.
Result<std::vector<PositionScore>> score_window(Session& session, std::span<const int32_t> window, int64_t first, int64_t last,
                                                std::span<const float> reference_hidden, int64_t hidden, int64_t vocab);

/// The same from final-norm states [rows, hidden] of the candidate that exist already; targets[i] follows row i.
Result<std::vector<PositionScore>> score_states(Session& session, std::span<const float> states, std::span<const int32_t> targets,
                                                std::span<const float> reference_hidden, int64_t hidden, int64_t vocab);

/// Sum of ln p of `continuation` after `context`, and whether every id was the greedy choice; leaves the session at the context's end, so that
/// several continuations share it. `context_is_loaded` = the session already holds the context and last_logits() is its end.
struct ContinuationScore {
  double log_likelihood = 0;
  bool is_greedy = true;
};
Result<ContinuationScore> score_continuation(Session& session, std::span<const int32_t> context, bool context_is_loaded,
                                             std::span<const int32_t> continuation, int64_t hidden, int64_t vocab);

}  // namespace phiscope
