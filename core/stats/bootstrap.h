#pragma once
// Percentile bootstrap with a fixed seed: the same samples give the same interval on every machine. Pure and thread-safe.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/stats/summary.h"

namespace phiscope::stats {

struct BootstrapOptions {
  int resamples = 10000;
  uint64_t seed = 20240423;
  double confidence = 0.95;
  std::optional<double> no_effect{};
};

/// Of the units drawn with replacement (indices below `units`), the value of a statistic.
using Statistic = std::function<double(std::span<const uint32_t> drawn)>;
/// estimate = the statistic of every unit once; low, high = percentiles of its values over the resamples; p_value where `no_effect` says which
/// value means no effect: twice the smaller share of resamples on either side of it, counted as (k + 1)/(B + 1), at most 1 (Efron and
/// Tibshirani, An Introduction to the Bootstrap, 15.4). `units` >= 1.
Interval bootstrap(size_t units, const Statistic& statistic, const BootstrapOptions& options = {});

/// The interval of a ratio from that of its logarithm.
Interval exponential(const Interval& logs);

Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {});
Interval bootstrap_median(std::span<const double> values, const BootstrapOptions& options = {});

/// Median of ln(candidate[i] / reference[i]) over the pairs, as a ratio. Same length, all values > 0.
Interval paired_ratio(std::span<const double> reference, std::span<const double> candidate, const BootstrapOptions& options = {});
/// median(candidate) / median(reference), each resampled on its own. All values > 0.
Interval unpaired_ratio(std::span<const double> reference, std::span<const double> candidate, const BootstrapOptions& options = {});

/// One chunk of a text: positions inside are correlated, so chunks are the units that are drawn.
struct ChunkSum {
  double sum = 0;
  double count = 0;
};
/// Mean over all positions, resampled by chunk.
Interval chunk_mean(std::span<const ChunkSum> chunks, const BootstrapOptions& options = {});
/// The p-quantile over all positions, resampled by chunk.
Interval chunk_quantile(std::span<const std::vector<double>> chunks, double p, const BootstrapOptions& options = {.resamples = 1000});
/// candidate mean - reference mean, the same chunks drawn on both sides. Same length.
Interval paired_chunk_difference(std::span<const ChunkSum> reference, std::span<const ChunkSum> candidate,
                                 const BootstrapOptions& options = {});
/// candidate mean / reference mean. The reference's mean must not be 0.
Interval paired_chunk_ratio(std::span<const ChunkSum> reference, std::span<const ChunkSum> candidate,
                            const BootstrapOptions& options = {});
/// Difference of the p-quantiles over all positions. Costs resamples x positions x min(p, 1 - p), so fewer resamples are usual.
Interval paired_chunk_quantile_difference(std::span<const std::vector<double>> reference,
                                          std::span<const std::vector<double>> candidate, double p,
                                          const BootstrapOptions& options = {.resamples = 1000});
/// candidate quantile / reference quantile, each side's chunks drawn on their own (`paired` false) or together.
Interval chunk_quantile_ratio(std::span<const std::vector<double>> reference, std::span<const std::vector<double>> candidate,
                              double p, bool paired, const BootstrapOptions& options = {.resamples = 1000});

}  // namespace phiscope::stats
