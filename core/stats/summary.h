#pragma once
// What a set of samples looks like. Every function is pure and thread-safe; of an empty set it gives NaN.

#include <cstdint>
#include <optional>
#include <span>

namespace phiscope::stats {

double mean(std::span<const double> values);
/// Sum of squared deviations / (n - 1); NaN for fewer than 2 values.
double sample_variance(std::span<const double> values);
double sample_sd(std::span<const double> values);
/// sample_sd / sqrt(n).
double standard_error(std::span<const double> values);
/// sample_sd / |mean|, the noise of a timing; NaN for fewer than 2 values or a mean of 0.
double relative_sd(std::span<const double> values);

/// Order statistic of probability p in [0, 1], linear between neighbours: type 7 of Hyndman and Fan, the default of numpy and R.
double quantile(std::span<const double> values, double p);
/// The same when `sorted` is ascending already.
double quantile_sorted(std::span<const double> sorted, double p);
double median(std::span<const double> values);
/// Upper minus lower quartile.
double interquartile_range(std::span<const double> values);

/// Whether n samples say anything about percentile p: at least 5 lie beyond it. So p95 needs 100 samples, p99 needs 500.
bool has_percentile(int64_t n, double p);
/// quantile(values, p) where has_percentile allows it.
std::optional<double> supported_quantile(std::span<const double> values, double p);

struct Summary {
  int64_t n = 0;
  double minimum = 0, lower_quartile = 0, median = 0, upper_quartile = 0, maximum = 0;
  double mean = 0, sd = 0;                 // sd is NaN for one value
  std::optional<double> p90, p95, p99;     // where n allows
};
Summary summarize(std::span<const double> values);

struct Interval {
  double estimate = 0;
  double low = 0, high = 0;
  double p_value = -1;  // two-sided, of no effect (a ratio of 1, a difference of 0); -1 where none was computed
};
/// mean ± 1.96 standard errors.
Interval normal_mean_interval(std::span<const double> values);

}  // namespace phiscope::stats
