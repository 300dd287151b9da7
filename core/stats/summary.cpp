#include "core/stats/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/stats/constants.h"

namespace phiscope::stats {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kSamplesBeyondPercentile = 5;  // docs/measuring.md section 3

std::vector<double> sorted_copy(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace

double mean(std::span<const double> values) {
  if (values.empty()) return kNaN;
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double sample_variance(std::span<const double> values) {
  if (values.size() < 2) return kNaN;
  const double center = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - center) * (value - center);
  return sum / static_cast<double>(values.size() - 1);
}

double sample_sd(std::span<const double> values) { return std::sqrt(sample_variance(values)); }

double standard_error(std::span<const double> values) {
  return sample_sd(values) / std::sqrt(static_cast<double>(values.size()));
}

double relative_sd(std::span<const double> values) {
  const double center = std::abs(mean(values));
  return center > 0 ? sample_sd(values) / center : kNaN;
}

double quantile_sorted(std::span<const double> sorted, double p) {
  if (sorted.empty()) return kNaN;
  const double position = std::clamp(p, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double fraction = position - static_cast<double>(below);
  // Equal neighbours need no interpolation; it would turn two infinities into NaN.
  if (fraction == 0 || sorted[below] == sorted[above]) return sorted[below];
  return sorted[below] + fraction * (sorted[above] - sorted[below]);
}

double quantile(std::span<const double> values, double p) { return quantile_sorted(sorted_copy(values), p); }

double median(std::span<const double> values) { return quantile(values, 0.5); }

double interquartile_range(std::span<const double> values) {
  const std::vector<double> sorted = sorted_copy(values);
  return quantile_sorted(sorted, 0.75) - quantile_sorted(sorted, 0.25);
}

bool has_percentile(int64_t n, double p) {
  const double beyond = static_cast<double>(n) * (p < 0.5 ? p : 1 - p);
  return beyond >= kSamplesBeyondPercentile - 1e-9;  // 1 - 0.95 is not exactly 0.05
}

std::optional<double> supported_quantile(std::span<const double> values, double p) {
  if (!has_percentile(static_cast<int64_t>(values.size()), p)) return std::nullopt;
  return quantile(values, p);
}

Summary summarize(std::span<const double> values) {
  const std::vector<double> sorted = sorted_copy(values);
  const auto n = static_cast<int64_t>(sorted.size());
  Summary summary;
  summary.n = n;
  summary.minimum = sorted.empty() ? kNaN : sorted.front();
  summary.lower_quartile = quantile_sorted(sorted, 0.25);
  summary.median = quantile_sorted(sorted, 0.5);
  summary.upper_quartile = quantile_sorted(sorted, 0.75);
  summary.maximum = sorted.empty() ? kNaN : sorted.back();
  summary.mean = mean(values);
  summary.sd = sample_sd(values);
  if (has_percentile(n, 0.90)) summary.p90 = quantile_sorted(sorted, 0.90);
  if (has_percentile(n, 0.95)) summary.p95 = quantile_sorted(sorted, 0.95);
  if (has_percentile(n, 0.99)) summary.p99 = quantile_sorted(sorted, 0.99);
  return summary;
}

Interval normal_mean_interval(std::span<const double> values) {
  const double center = mean(values);
  const double half = kNormal95 * standard_error(values);
  return {center, center - half, center + half};
}

}  // namespace phiscope::stats
