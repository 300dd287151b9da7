#include "core/stats/proportion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/stats/constants.h"

namespace phiscope::stats {
namespace {

constexpr int64_t kExactBelow = 25;  // flips; docs/measuring.md section 3

// 2 · P(X <= successes) for X ~ Binomial(n, 1/2), n small enough for exact doubles.
double two_sided_binomial(int64_t successes, int64_t n) {
  double term = std::ldexp(1.0, static_cast<int>(-n));  // C(n, 0) / 2^n
  double sum = 0;
  for (int64_t k = 0; k <= successes; ++k) {
    sum += term;
    term *= static_cast<double>(n - k) / static_cast<double>(k + 1);
  }
  return std::min(1.0, 2 * sum);
}

}  // namespace

double proportion_standard_error(double share, int64_t n) {
  if (n < 2) return std::numeric_limits<double>::quiet_NaN();
  return std::sqrt(share * (1 - share) / static_cast<double>(n - 1));
}

Interval wilson_interval(int64_t successes, int64_t n) {
  const auto count = static_cast<double>(n);
  const double share = static_cast<double>(successes) / count;
  const double z2 = kNormal95 * kNormal95;
  const double scale = 1 + z2 / count;
  const double center = (share + z2 / (2 * count)) / scale;
  const double half = kNormal95 * std::sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / scale;
  return {share, std::max(0.0, center - half), std::min(1.0, center + half)};
}

Flips count_flips(std::span<const uint8_t> reference_correct, std::span<const uint8_t> candidate_correct) {
  Flips flips;
  flips.n = static_cast<int64_t>(std::min(reference_correct.size(), candidate_correct.size()));
  for (size_t i = 0; i < static_cast<size_t>(flips.n); ++i) {
    const bool was_right = reference_correct[i] != 0;
    const bool is_right = candidate_correct[i] != 0;
    flips.lost += was_right && !is_right ? 1 : 0;
    flips.gained += !was_right && is_right ? 1 : 0;
  }
  return flips;
}

double mcnemar_p(const Flips& flips) {
  const int64_t total = flips.lost + flips.gained;
  if (total == 0) return 1;
  if (total < kExactBelow) return two_sided_binomial(std::min(flips.lost, flips.gained), total);
  const double distance = std::max(0.0, std::abs(static_cast<double>(flips.lost - flips.gained)) - 1);
  const double chi_squared = distance * distance / static_cast<double>(total);
  return std::erfc(std::sqrt(chi_squared / 2));  // upper tail of chi-squared with one degree of freedom
}

Interval paired_share_difference(const Flips& flips) {
  const auto n = static_cast<double>(flips.n);
  const auto total = static_cast<double>(flips.lost + flips.gained);
  const auto net = static_cast<double>(flips.gained - flips.lost);
  const double half = kNormal95 * std::sqrt(std::max(0.0, total - net * net / n)) / n;
  return {net / n, net / n - half, net / n + half};
}

double minimum_detectable_effect(const Flips& flips) {
  return kPower80 * std::sqrt(static_cast<double>(flips.lost + flips.gained)) / static_cast<double>(flips.n);
}

std::vector<double> holm_adjust(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double highest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p_values[order[rank]] * static_cast<double>(order.size() - rank);
    highest = std::max(highest, std::min(1.0, scaled));
    adjusted[order[rank]] = highest;
  }
  return adjusted;
}

int64_t pairs_needed(double cv, double effect) {
  const double ratio = kPower80 * cv / effect;
  return static_cast<int64_t>(std::ceil(ratio * ratio));
}

}  // namespace phiscope::stats
