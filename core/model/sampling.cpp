#include "core/model/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>
#include <vector>

namespace phiscope {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, full period, the same on every machine.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  /// Uniform in [0, 1), 53 bits.
  double uniform() {
    state_ += 0x9E3779B97F4A7C15ull;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    return static_cast<double>(z >> 11) * 0x1.0p-53;
  }

 private:
  uint64_t state_;
};

struct Choice {
  int32_t id = 0;
  double probability = 0;
};

/// Candidates with unnormalised probabilities, most probable first, the lower id first on ties.
std::vector<Choice> sorted_choices(std::span<const float> logits, const SamplingOptions& options) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const size_t keep = options.top_k > 0 ? std::min(ids.size(), static_cast<size_t>(options.top_k)) : ids.size();
  const auto before = [&](int32_t a, int32_t b) {
    const float left = logits[static_cast<size_t>(a)], right = logits[static_cast<size_t>(b)];
    return left != right ? left > right : a < b;
  };
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(keep), ids.end(), before);
  std::vector<Choice> choices(keep);
  const double largest = logits[static_cast<size_t>(ids[0])];
  for (size_t i = 0; i < keep; ++i) {
    const double logit = logits[static_cast<size_t>(ids[i])];
    choices[i] = {ids[i], std::exp((logit - largest) / options.temperature)};
  }
  return choices;
}

void cut_top_p(std::vector<Choice>& choices, double top_p) {
  double total = 0;
  for (const Choice& choice : choices) total += choice.probability;
  double sum = 0;
  size_t keep = 0;
  while (keep < choices.size()) {
    sum += choices[keep++].probability;
    if (sum >= top_p * total) break;
  }
  choices.resize(keep);
}

int32_t draw(const std::vector<Choice>& choices, double uniform) {
  double total = 0;
  for (const Choice& choice : choices) total += choice.probability;
  double rest = uniform * total;
  for (const Choice& choice : choices) {
    rest -= choice.probability;
    if (rest < 0) return choice.id;
  }
  return choices.back().id;
}

void penalize(std::span<float> logits, int32_t id, float penalty) {
  if (id < 0 || static_cast<size_t>(id) >= logits.size()) return;
  float& logit = logits[static_cast<size_t>(id)];
  logit = logit > 0 ? logit / penalty : logit * penalty;
}

Sampler make_picker(const SamplingOptions& options) {
  if (options.temperature <= 0) return greedy_sampler;
  return [options, random = SplitMix(options.seed)](std::span<float> logits) mutable {
    std::vector<Choice> choices = sorted_choices(logits, options);
    if (options.top_p < 1) cut_top_p(choices, options.top_p);
    const double least = options.min_p * choices[0].probability;
    const auto end = std::find_if(choices.begin() + 1, choices.end(), [&](const Choice& c) { return c.probability < least; });
    choices.erase(end, choices.end());
    return draw(choices, random.uniform());
  };
}

}  // namespace

Status check_sampling(const SamplingOptions& options) {
  if (!std::isfinite(options.temperature) || options.temperature < 0)
    return fail(ErrorCode::invalid_argument, "temperature is {}; it must be 0 (greedy) or more", options.temperature);
  if (options.top_k < 0) return fail(ErrorCode::invalid_argument, "top-k is {}; it must be 0 (all) or more", options.top_k);
  if (!(options.top_p > 0 && options.top_p <= 1))
    return fail(ErrorCode::invalid_argument, "top-p is {}; it must be above 0 and at most 1", options.top_p);
  if (!(options.min_p >= 0 && options.min_p < 1))
    return fail(ErrorCode::invalid_argument, "min-p is {}; it must be at least 0 and below 1", options.min_p);
  if (!std::isfinite(options.repetition_penalty) || options.repetition_penalty <= 0)
    return fail(ErrorCode::invalid_argument, "repetition-penalty is {}; it must be above 0, and 1 is none", options.repetition_penalty);
  return {};
}

Sampler make_sampler(const SamplingOptions& options, std::span<const int32_t> prompt) {
  const Sampler pick = make_picker(options);
  if (options.repetition_penalty == 1) return pick;
  return [pick, penalty = static_cast<float>(options.repetition_penalty), seen = std::unordered_set<int32_t>(prompt.begin(), prompt.end())](
             std::span<float> logits) mutable {
    for (const int32_t id : seen) penalize(logits, id, penalty);
    const int32_t id = pick(logits);
    seen.insert(id);
    return id;
  };
}

}  // namespace phiscope
