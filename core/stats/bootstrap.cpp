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

double two_sided_p(const std::vector<double>& sorted, double no_effect) {
  const auto below = std::upper_bound(sorted.begin(), sorted.end(), no_effect) - sorted.begin();   // <= no effect
  const auto above = sorted.end() - std::lower_bound(sorted.begin(), sorted.end(), no_effect);     // >= no effect
  return std::min(1.0, 2 * static_cast<double>(std::min(below, above) + 1) / static_cast<double>(sorted.size() + 1));
}

Interval percentile_interval(double estimate, std::vector<double>& values, const BootstrapOptions& options) {
  std::sort(values.begin(), values.end());
  const double tail = (1 - options.confidence) / 2;
  Interval interval{estimate, quantile_sorted(values, tail), quantile_sorted(values, 1 - tail)};
  if (options.no_effect) interval.p_value = two_sided_p(values, *options.no_effect);
  return interval;
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
  return percentile_interval(estimate, values, options);
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

/// All values of all chunks in order, each with its chunk: a resample only counts how often each chunk was drawn, so its quantile is a walk from
/// the nearer end (p99 visits 1 % of the values) and nothing is sorted again.
class SortedChunks {
 public:
  explicit SortedChunks(std::span<const std::vector<double>> chunks) : sizes_(chunks.size()), times_(chunks.size()) {
    for (size_t chunk = 0; chunk < chunks.size(); ++chunk) {
      sizes_[chunk] = chunks[chunk].size();
      for (double value : chunks[chunk]) entries_.push_back({value, static_cast<uint32_t>(chunk)});
    }
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.value < b.value; });
  }

  /// Type 7 over the chunks drawn; NaN when they hold nothing.
  double quantile(std::span<const uint32_t> drawn, double p) {
    std::fill(times_.begin(), times_.end(), 0);
    size_t total = 0;
    for (uint32_t chunk : drawn) {
      ++times_[chunk];
      total += sizes_[chunk];
    }
    if (total == 0) return std::nan("");
    const double position = p * static_cast<double>(total - 1);
    const auto below = static_cast<size_t>(position);
    const double fraction = position - static_cast<double>(below);
    const double low = order_statistic(below, total);
    if (fraction == 0 || below + 1 >= total) return low;
    const double high = order_statistic(below + 1, total);
    return low == high ? low : low + fraction * (high - low);
  }

 private:
  struct Entry {
    double value;
    uint32_t chunk;
  };

  // The value with `rank` others before it (from 0), of `total` drawn ones.
  double order_statistic(size_t rank, size_t total) const {
    size_t seen = 0;
    if (rank < total / 2) {
      for (const Entry& entry : entries_)
        if ((seen += times_[entry.chunk]) > rank) return entry.value;
    } else {
      const size_t from_end = total - 1 - rank;
      for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
        if ((seen += times_[entry->chunk]) > from_end) return entry->value;
    }
    return std::nan("");
  }

  std::vector<Entry> entries_;
  std::vector<size_t> sizes_;
  std::vector<size_t> times_;  // how often each chunk was drawn
};

BootstrapOptions with_no_effect(BootstrapOptions options, double value) {
  options.no_effect = value;
  return options;
}

}  // namespace

Interval exponential(const Interval& logs) { return {std::exp(logs.estimate), std::exp(logs.low), std::exp(logs.high), logs.p_value}; }

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
  return exponential(bootstrap_median(logs, with_no_effect(options, 0)));
}

Interval unpaired_ratio(std::span<const double> reference, std::span<const double> candidate, const BootstrapOptions& options) {
  std::vector<double> scratch;
  return bootstrap_two(reference.size(), candidate.size(), false, with_no_effect(options, 1),
                       [&](std::span<const uint32_t> a, std::span<const uint32_t> b) {
                         const double below = median_of(reference, a, scratch);
                         return median_of(candidate, b, scratch) / below;
                       });
}

Interval chunk_mean(std::span<const ChunkSum> chunks, const BootstrapOptions& options) {
  return bootstrap(chunks.size(), [&](std::span<const uint32_t> drawn) { return mean_of(chunks, drawn); }, options);
}

Interval chunk_quantile(std::span<const std::vector<double>> chunks, double p, const BootstrapOptions& options) {
  SortedChunks sorted(chunks);
  return bootstrap(chunks.size(), [&](std::span<const uint32_t> drawn) { return sorted.quantile(drawn, p); }, options);
}

Interval paired_chunk_difference(std::span<const ChunkSum> reference, std::span<const ChunkSum> candidate,
                                 const BootstrapOptions& options) {
  return bootstrap(
      reference.size(),
      [&](std::span<const uint32_t> drawn) { return mean_of(candidate, drawn) - mean_of(reference, drawn); }, with_no_effect(options, 0));
}

Interval paired_chunk_ratio(std::span<const ChunkSum> reference, std::span<const ChunkSum> candidate,
                            const BootstrapOptions& options) {
  return bootstrap(
      reference.size(),
      [&](std::span<const uint32_t> drawn) { return mean_of(candidate, drawn) / mean_of(reference, drawn); }, with_no_effect(options, 1));
}

Interval paired_chunk_quantile_difference(std::span<const std::vector<double>> reference,
                                          std::span<const std::vector<double>> candidate, double p,
                                          const BootstrapOptions& options) {
  SortedChunks below(reference);
  SortedChunks above(candidate);
  return bootstrap(
      reference.size(), [&](std::span<const uint32_t> drawn) { return above.quantile(drawn, p) - below.quantile(drawn, p); },
      with_no_effect(options, 0));
}

Interval chunk_quantile_ratio(std::span<const std::vector<double>> reference, std::span<const std::vector<double>> candidate,
                              double p, bool paired, const BootstrapOptions& options) {
  SortedChunks below(reference);
  SortedChunks above(candidate);
  return bootstrap_two(
      reference.size(), candidate.size(), paired, with_no_effect(options, 1),
      [&](std::span<const uint32_t> a, std::span<const uint32_t> b) { return above.quantile(b, p) / below.quantile(a, p); });
}

}  // namespace phiscope::stats
