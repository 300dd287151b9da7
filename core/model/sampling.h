#pragma once
// Picking the next token from logits. Deterministic: the same options and logits give the same ids on every machine.

#include <cstdint>
#include <span>

#include "core/backend/backend.h"
#include "core/base/result.h"

namespace phiscope {

struct SamplingOptions {
  double temperature = 0;  // 0 = greedy: the largest logit, the lowest id on ties; of the others only the penalty then has an effect
  int top_k = 0;           // only the k largest; 0 = all
  double top_p = 1;        // the smallest set of most probable tokens whose probabilities reach top_p
  double min_p = 0;        // tokens less probable than min_p times the most probable one are dropped
  double repetition_penalty = 1;  // logits of ids that the sequence holds are divided by it, negative ones multiplied (Keskar et al. 2019, CTRL)
  uint64_t seed = 0;
};

/// Errors: invalid_argument naming the option and its range.
Status check_sampling(const SamplingOptions& options);

/// Order: repetition penalty, temperature, top_k, top_p, min_p, draw, as in transformers. `prompt`: ids that count as repeated from the start, beside
/// those that the sampler picks. A sampler holds its random state: one for each generation, not thread-safe.
Sampler make_sampler(const SamplingOptions& options, std::span<const int32_t> prompt = {});

}  // namespace phiscope
