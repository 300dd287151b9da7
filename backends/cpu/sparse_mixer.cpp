#include "backends/cpu/sparse_mixer.h"

#include <algorithm>
#include <cmath>

namespace phiscope::cpu {
namespace {

int pick(std::span<const float> logits, int excluded) {
  int best = -1;
  for (int i = 0; i < static_cast<int>(logits.size()); ++i) {
    if (i != excluded && (best < 0 || logits[static_cast<size_t>(i)] > logits[static_cast<size_t>(best)])) best = i;
  }
  return best;
}

float weight_of(std::span<const float> logits, int best, int excluded, float jitter) {
  const float largest = logits[static_cast<size_t>(best)];
  double total = 0;
  for (int i = 0; i < static_cast<int>(logits.size()); ++i) {
    const float logit = logits[static_cast<size_t>(i)];
    if (i == excluded || (largest - logit) / std::max(std::fabs(logit), largest) > 2 * jitter) continue;
    total += std::exp(static_cast<double>(logit) - static_cast<double>(largest));
  }
  return static_cast<float>(1.0 / total);
}

}  // namespace

ChosenExperts sparse_mixer(std::span<const float> logits, float jitter) {
  ChosenExperts chosen;
  chosen.first = pick(logits, -1);
  chosen.first_weight = weight_of(logits, chosen.first, -1, jitter);
  chosen.second = pick(logits, chosen.first);
  chosen.second_weight = weight_of(logits, chosen.second, chosen.first, jitter);
  return chosen;
}

}  // namespace phiscope::cpu
