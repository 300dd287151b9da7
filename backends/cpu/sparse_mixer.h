#pragma once
// Routing of phimoe ("sparsemixer" at inference): two experts picked one after the other, each with a softmax over its near-ties only, so
// that the two weights need not sum to 1.

#include <span>

namespace phiscope::cpu {

struct ChosenExperts {
  int first = 0, second = 0;
  float first_weight = 0, second_weight = 0;
};
/// `logits`: one per expert, at least two. Ties go to the lower index.
ChosenExperts sparse_mixer(std::span<const float> logits, float jitter);

}  // namespace phiscope::cpu
