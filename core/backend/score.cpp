#include "core/backend/score.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace phiscope {
namespace {

constexpr size_t kLanes = 8;  // independent sums: hides the latency of an addition and lets the compiler use vectors
constexpr int kTop = 5;

// e^x for x <= 0 in f64 without branches, so that loops over it vectorize. x = k ln 2 + r, |r| <= ln 2 / 2; Taylor to degree 13 leaves
// r^14 / 14! < 5e-18. Below -708 the result is 0 (smaller than any sum's last bit).
inline double exp_nonpositive(double x) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer held in the low mantissa bits
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  const double clamped = x < -708.0 ? -708.0 : x;
  const double shifted = clamped * 1.4426950408889634074 + kShift;
  const double k = shifted - kShift;
  const double r = (clamped - k * kLn2High) - k * kLn2Low;
  double sum = 1.0 / 6227020800.0;
  constexpr double kInverseFactorials[] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                                           1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5,         1.0, 1.0};
  for (const double coefficient : kInverseFactorials) sum = sum * r + coefficient;
  const double power = std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1023) << 52);
  return x < -708.0 ? 0.0 : sum * power;
}

// The ids of the five largest values, largest first, the lowest id first on ties.
struct Top {
  std::array<float, kTop> value;
  std::array<int32_t, kTop> id;
  int count = 0;
};

Top find_top(std::span<const float> logits) {
  Top top;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (top.count == kTop && !(logits[i] > top.value[kTop - 1])) continue;
    int place = top.count < kTop ? top.count++ : kTop - 1;
    for (; place > 0 && logits[i] > top.value[static_cast<size_t>(place - 1)]; --place) {
      top.value[static_cast<size_t>(place)] = top.value[static_cast<size_t>(place - 1)];
      top.id[static_cast<size_t>(place)] = top.id[static_cast<size_t>(place - 1)];
    }
    top.value[static_cast<size_t>(place)] = logits[i];
    top.id[static_cast<size_t>(place)] = static_cast<int32_t>(i);
  }
  return top;
}

double add_lanes(const std::array<double, kLanes>& lanes) {
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

double sum_exp(std::span<const float> logits, double largest) {
  std::array<double, kLanes> lanes{};
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += exp_nonpositive(static_cast<double>(logits[i + lane]) - largest);
  for (size_t lane = 0; i < logits.size(); ++i, ++lane) lanes[lane] += exp_nonpositive(static_cast<double>(logits[i]) - largest);
  return add_lanes(lanes);
}

struct PairSums {
  double reference = 0;   // sum e^(r - max r)
  double candidate = 0;   // sum e^(c - max c)
  double difference = 0;  // sum e^(r - max r) ((r - max r) - (c - max c)); 0 * infinity of masked ids counts as 0
};

PairSums sum_pair(std::span<const float> reference, std::span<const float> candidate, double largest_reference, double largest) {
  std::array<double, kLanes> reference_lanes{}, candidate_lanes{}, difference_lanes{};
  const auto add = [&](size_t i, size_t lane) {
    const double r = static_cast<double>(reference[i]) - largest_reference;
    const double c = static_cast<double>(candidate[i]) - largest;
    const double e = exp_nonpositive(r);
    reference_lanes[lane] += e;
    candidate_lanes[lane] += exp_nonpositive(c);
    difference_lanes[lane] += e > 0 ? e * (r - c) : 0.0;
  };
  size_t i = 0;
  for (; i + kLanes <= reference.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  for (size_t lane = 0; i < reference.size(); ++i, ++lane) add(i, lane);
  return {add_lanes(reference_lanes), add_lanes(candidate_lanes), add_lanes(difference_lanes)};
}

uint8_t overlap(const Top& a, const Top& b) {
  uint8_t common = 0;
  for (int i = 0; i < a.count; ++i)
    common = static_cast<uint8_t>(common + std::count(b.id.begin(), b.id.begin() + b.count, a.id[static_cast<size_t>(i)]));
  return common;
}

}  // namespace

PositionScore score_position(std::span<const float> reference, std::span<const float> candidate, int32_t target) {
  const auto at = static_cast<size_t>(target);
  const Top top = find_top(candidate);
  const double largest = static_cast<double>(top.value[0]);
  PositionScore score;
  score.target = target;
  score.top1 = top.id[0];
  if (reference.empty()) {
    score.nll = static_cast<float>(std::log(sum_exp(candidate, largest)) - (static_cast<double>(candidate[at]) - largest));
    return score;
  }
  const Top top_reference = find_top(reference);
  const double largest_reference = static_cast<double>(top_reference.value[0]);
  const PairSums sums = sum_pair(reference, candidate, largest_reference, largest);
  const double log_sum = std::log(sums.candidate), log_sum_reference = std::log(sums.reference);
  const double nll = log_sum - (static_cast<double>(candidate[at]) - largest);
  const double nll_reference = log_sum_reference - (static_cast<double>(reference[at]) - largest_reference);
  score.nll = static_cast<float>(nll);
  score.nll_reference = static_cast<float>(nll_reference);
  // Rounding can leave a tiny negative value where both distributions are nearly equal.
  const double kld = sums.difference / sums.reference - (log_sum_reference - log_sum);
  score.kld = static_cast<float>(kld < 0 ? 0.0 : kld);
  score.delta_p = static_cast<float>(std::exp(-nll) - std::exp(-nll_reference));
  score.top1_reference = top_reference.id[0];
  score.p_top1_reference = static_cast<float>(1.0 / sums.reference);
  score.top5_overlap = overlap(top, top_reference);
  return score;
}

}  // namespace phiscope
