#include "core/backend/score.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "core/tensor/multiversion.h"

namespace phiscope {
namespace {

constexpr int kTop = 10;

// A piece of a row that is worked on at once: three buffers of f64 stay in the first-level cache.
constexpr int64_t kBlock = 512;

// e^x for kLowest <= x <= 0 in f64 without branches, so that loops over it become vectors. x = k ln 2 + r, |r| <= ln 2 / 2; Taylor to degree 13 leaves
// r^14 / 14! < 5e-18.
constexpr double kLowest = -708.0;  // e^kLowest = 3e-308 is nothing beside the 1 of the largest logit; smaller powers are denormal
PHISCOPE_LOOP double exp_nonpositive(double x) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer held in the low mantissa bits
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  const double shifted = x * 1.4426950408889634074 + kShift;
  const double k = shifted - kShift;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0 / 6227020800.0;
  sum = sum * r + 1.0 / 479001600.0;
  sum = sum * r + 1.0 / 39916800.0;
  sum = sum * r + 1.0 / 3628800.0;
  sum = sum * r + 1.0 / 362880.0;
  sum = sum * r + 1.0 / 40320.0;
  sum = sum * r + 1.0 / 5040.0;
  sum = sum * r + 1.0 / 720.0;
  sum = sum * r + 1.0 / 120.0;
  sum = sum * r + 1.0 / 24.0;
  sum = sum * r + 1.0 / 6.0;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  const double power = std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1023) << 52);
  return sum * power;
}

// shifted = logits - largest; exponential = e^shifted, at least e^kLowest.
PHISCOPE_LOOP void exp_loop(const float* __restrict logits, int64_t count, double largest, double* __restrict shifted, double* __restrict exponential) {
  for (int64_t i = 0; i < count; ++i) shifted[i] = static_cast<double>(logits[i]) - largest;
  // Loops of their own: in one, the compiler treats the clamped values as a branch and gives up vectors. NaN passes through.
  for (int64_t i = 0; i < count; ++i) exponential[i] = shifted[i] < kLowest ? kLowest : shifted[i];
  for (int64_t i = 0; i < count; ++i) exponential[i] = exp_nonpositive(exponential[i]);
}
PHISCOPE_MULTIVERSION(exp_version, exp_loop, (const float* logits, int64_t count, double largest, double* shifted, double* exponential),
                      (logits, count, largest, shifted, exponential));

// Four independent sums hide the latency of an addition.
class Sum {
 public:
  void add(const double* values, int64_t count) {
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
      for (int64_t lane = 0; lane < 4; ++lane) lanes_[static_cast<size_t>(lane)] += values[i + lane];
    for (; i < count; ++i) lanes_[0] += values[i];
  }
  double value() const { return (lanes_[0] + lanes_[1]) + (lanes_[2] + lanes_[3]); }

 private:
  std::array<double, 4> lanes_{};
};

// The ids of the ten largest values, largest first, the lowest id first on ties.
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

double sum_exp(std::span<const float> logits, double largest) {
  std::array<double, kBlock> shifted, exponential;
  Sum sum;
  const auto count = static_cast<int64_t>(logits.size());
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t n = std::min(kBlock, count - first);
    exp_version(logits.data() + first, n, largest, shifted.data(), exponential.data());
    sum.add(exponential.data(), n);
  }
  return sum.value();
}

struct PairSums {
  double reference = 0;   // sum e^(r - max r)
  double candidate = 0;   // sum e^(c - max c)
  double difference = 0;  // sum e^(r - max r) ((r - max r) - (c - max c)); 0 * infinity of masked ids counts as 0
};

PairSums sum_pair(std::span<const float> reference, std::span<const float> candidate, double largest_reference, double largest) {
  std::array<double, kBlock> r, c, reference_exp, candidate_exp;
  Sum reference_sum, candidate_sum, difference_sum;
  const auto count = static_cast<int64_t>(reference.size());
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t n = std::min(kBlock, count - first);
    exp_version(reference.data() + first, n, largest_reference, r.data(), reference_exp.data());
    exp_version(candidate.data() + first, n, largest, c.data(), candidate_exp.data());
    reference_sum.add(reference_exp.data(), n);
    candidate_sum.add(candidate_exp.data(), n);
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) r[i] = r[i] > kLowest ? reference_exp[i] * (r[i] - c[i]) : 0.0;
    difference_sum.add(r.data(), n);
  }
  return {reference_sum.value(), candidate_sum.value(), difference_sum.value()};
}

uint8_t overlap(const Top& a, const Top& b, int top) {
  uint8_t common = 0;
  for (int i = 0; i < std::min(a.count, top); ++i)
    common = static_cast<uint8_t>(common + std::count(b.id.begin(), b.id.begin() + std::min(b.count, top), a.id[static_cast<size_t>(i)]));
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
  score.top5_overlap = overlap(top, top_reference, 5);
  score.top10_overlap = overlap(top, top_reference, 10);
  return score;
}

}  // namespace phiscope
