#include "core/stats/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/stats/random.h"

namespace phiscope::stats {
namespace {

std::vector<uint32_t> every_index(size_t units) {
  std::vector<uint32_t> indices(units);
  std::iota(indices.begin(), indices.end(), 0U);
  return indices;
}

void draw(Random& random, std::vector<uint32_t>& indices) {
  const auto bound = static_cast<uint32_t>(indices.size());
  for (uint32_t& index : indices) index = random.below(bound);
}

Interval percentile_interval(double estimate, std::vector<double>& values, double confidence) {
  std::sort(values.begin(), values.end());
  const double tail = (1 - confidence) / 2;
  return {estimate, quantile_sorted(values, tail), quantile_sorted(values, 1 - tail)};
}

// Two sets of units, drawn on their own; `statistic` sees both draws.
template <class Function>
Interval bootstrap_two(size_t units_a, size_t units_b, bool paired, const BootstrapOptions& options, Function statistic) {
  std::vector<uint32_t> a = every_index(units_a);
  std::vector<uint32_t> b = every_index(units_b);
  const double estimate = statistic(a, b);
  Random random(options.seed);
  std::vector<double> values(static_cast<size_t>(options.resamples));
  for (double& value : values) {
    draw(random, a);
    if (paired)
      b = a;
    else
      draw(random, b);
    value = statistic(a, b);
  }
  return percentile_interval(estimate, values, options.confidence);
}

// Median of a scratch vector, which is reordered.
double median_in_place(std::vector<double>& values) {
  const size_t middle = values.size() / 2;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(middle);
  std::nth_element(values.begin(), at, values.end());
  if (values.size() % 2 == 1) return *at;
  return (*std::max_element(values.begin(), at) + *at) / 2;
}

double median_of(std::span<const double> values, std::span<const uint32_t> drawn, std::vector<double>& scratch) {
  scratch.clear();
  for (uint32_t index : drawn) scratch.push_back(values[index]);
  return median_in_place(scratch);
}

double mean_of(std::span<const ChunkSum> chunks, std::span<const uint32_t> drawn) {
  double sum = 0;
  double count = 0;
  for (uint32_t index : drawn) {
    sum += chunks[index].sum;
    count += chunks[index].count;
  }
  return sum / count;
}

// Type 7, with two selections instead of a sort.
double quantile_in_place(std::vector<double>& values, double p) {
  const double position = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  const double fraction = position - static_cast<double>(below);
  if (fraction == 0 || below + 1 >= values.size()) return *at;
  const double above = *std::min_element(at + 1, values.end());
  return *at == above ? above : *at + fraction * (above - *at);
}

double quantile_of(std::span<const std::vector<double>> chunks, std::span<const uint32_t> drawn, double p,
                   std::vector<double>& scratch) {
  scratch.clear();
  for (uint32_t index : drawn) scratch.insert(scratch.end(), chunks[index].begin(), chunks[index].end());
  return scratch.empty() ? std::nan("") : quantile_in_place(scratch, p);
}

}  // namespace

Interval bootstrap(size_t units, const Statistic& statistic, const BootstrapOptions& options) {
  return bootstrap_two(units, 0, true, options,
                       [&](std::span<const uint32_t> drawn, std::span<const uint32_t>) { return statistic(drawn); });
}

Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options) {
  return bootstrap(
      values.size(),
      [&](std::span<const uint32_t> drawn) {
        double sum = 0;
        for (uint32_t index : drawn) sum += values[index];
        return sum / static_cast<double>(drawn.size());
      },
      options);
}

Interval bootstrap_median(std::span<const double> values, const BootstrapOptions& options) {
  std::vector<double> scratch;
  return bootstrap(values.size(), [&](std::span<const uint32_t> drawn) { return median_of(values, drawn, scratch); }, options);
}

Interval paired_ratio(std::span<const double> reference, std::span<const double> candidate, const BootstrapOptions& options) {
  std::vector<double> logs(reference.size());
  for (size_t i = 0; i < logs.size(); ++i) logs[i] = std::log(candidate[i] / reference[i]);
  const Interval log_ratio = bootstrap_median(logs, options);
  return {std::exp(log_ratio.estimate), std::exp(log_ratio.low), std::exp(log_ratio.high)};
}

Interval unpaired_ratio(std::span<const double> reference, std::span<const double> candidate, const BootstrapOptions& options) {
  std::vector<double> scratch;
  return bootstrap_two(reference.size(), candidate.size(), false, options,
                       [&](std::span<const uint32_t> a, std::span<const uint32_t> b) {
                         const double below = median_of(reference, a, scratch);
                         return median_of(candidate, b, scratch) / below;
                       });
}

Interval chunk_mean(std::span<const ChunkSum> chunks, const BootstrapOptions& options) {
  return bootstrap(chunks.size(), [&](std::span<const uint32_t> drawn) { return mean_of(chunks, drawn); }, options);
}

Interval paired_chunk_difference(std::span<const ChunkSum> reference, std::span<const ChunkSum> candidate,
                                 const BootstrapOptions& options) {
  return bootstrap(
      reference.size(),
      [&](std::span<const uint32_t> drawn) { return mean_of(candidate, drawn) - mean_of(reference, drawn); }, options);
}

Interval paired_chunk_ratio(std::span<const ChunkSum> reference, std::span<const ChunkSum> candidate,
                            const BootstrapOptions& options) {
  return bootstrap(
      reference.size(),
      [&](std::span<const uint32_t> drawn) { return mean_of(candidate, drawn) / mean_of(reference, drawn); }, options);
}

Interval paired_chunk_quantile_difference(std::span<const std::vector<double>> reference,
                                          std::span<const std::vector<double>> candidate, double p,
                                          const BootstrapOptions& options) {
  std::vector<double> scratch;
  return bootstrap(
      reference.size(),
      [&](std::span<const uint32_t> drawn) {
        const double below = quantile_of(reference, drawn, p, scratch);
        return quantile_of(candidate, drawn, p, scratch) - below;
      },
      options);
}

Interval chunk_quantile_ratio(std::span<const std::vector<double>> reference, std::span<const std::vector<double>> candidate,
                              double p, bool paired, const BootstrapOptions& options) {
  std::vector<double> scratch;
  return bootstrap_two(reference.size(), candidate.size(), paired, options,
                       [&](std::span<const uint32_t> a, std::span<const uint32_t> b) {
                         const double below = quantile_of(reference, a, p, scratch);
                         return quantile_of(candidate, b, p, scratch) / below;
                       });
}

}  // namespace phiscope::stats
