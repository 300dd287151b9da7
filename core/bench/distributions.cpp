#include "core/bench/distributions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace phiscope::bench {

TokenPlace distribution_at(std::span<const float> logits, int32_t target, int64_t top) {
  TokenPlace place;
  place.target = target;
  const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  const auto chance = [&](int32_t id) { return std::exp(static_cast<double>(logits[static_cast<size_t>(id)]) - largest) / sum; };
  place.p_target = chance(target);
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto count = std::min<std::ptrdiff_t>(top, std::ssize(ids));
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  for (std::ptrdiff_t i = 0; i < count; ++i) place.top.push_back({ids[static_cast<size_t>(i)], chance(ids[static_cast<size_t>(i)]), {}});
  return place;
}

}  // namespace phiscope::bench
