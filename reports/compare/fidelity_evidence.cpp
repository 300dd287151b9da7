#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

#include "core/stats/bootstrap.h"
#include "reports/compare/evidence.h"

namespace phiscope::reports {
namespace {

/// Columns of one window of a text; null where the run has none.
struct Window {
  const std::vector<double>* id = nullptr;
  const std::vector<double>* nll = nullptr;
  const std::vector<double>* nll_reference = nullptr;
  const std::vector<double>* kld = nullptr;
  const std::vector<double>* delta_p = nullptr;
  const std::vector<double>* top1 = nullptr;
  const std::vector<double>* top1_reference = nullptr;
  const std::vector<double>* top5_overlap = nullptr;
  const std::vector<double>* top10_overlap = nullptr;     // runs of older versions have none
  const std::vector<double>* p_top1_reference = nullptr;
};

enum class Kind : uint8_t { mean, mean_of_log, quantile, root_mean };

struct FidelityMetric {
  std::string_view family;
  Kind kind;
  double p;  // of a quantile
  /// Value of one position; the columns it needs are not null.
  double (*value)(const Window& window, size_t at);
  bool needs_reference;
};

double nll(const Window& w, size_t i) { return (*w.nll)[i]; }
double nll_gain(const Window& w, size_t i) { return (*w.nll)[i] - (*w.nll_reference)[i]; }
double kld(const Window& w, size_t i) { return (*w.kld)[i]; }
double same_top1(const Window& w, size_t i) { return (*w.top1)[i] == (*w.top1_reference)[i] ? 1 : 0; }
double top5(const Window& w, size_t i) { return (*w.top5_overlap)[i] / 5; }
double top10(const Window& w, size_t i) { return (*w.top10_overlap)[i] / 10; }
double delta_p(const Window& w, size_t i) { return 100 * (*w.delta_p)[i]; }
double delta_p_squared(const Window& w, size_t i) { return delta_p(w, i) * delta_p(w, i); }

// To add a metric of position scores: a row.
constexpr std::array kFidelityMetrics{
    FidelityMetric{"perplexity", Kind::mean_of_log, 0, nll, false},
    FidelityMetric{"nll_mean", Kind::mean, 0, nll, false},
    FidelityMetric{"bits_per_byte", Kind::mean, 0, nll, false},  // the same text on both sides: nll in another unit
    FidelityMetric{"ln_ppl_ratio", Kind::mean, 0, nll_gain, true},
    FidelityMetric{"kld_mean", Kind::mean, 0, kld, true},
    FidelityMetric{"kld_median", Kind::quantile, 0.5, kld, true},
    FidelityMetric{"kld_p90", Kind::quantile, 0.9, kld, true},
    FidelityMetric{"kld_p95", Kind::quantile, 0.95, kld, true},
    FidelityMetric{"kld_p99", Kind::quantile, 0.99, kld, true},
    FidelityMetric{"kld_p999", Kind::quantile, 0.999, kld, true},
    FidelityMetric{"kld_max", Kind::quantile, 1, kld, true},
    FidelityMetric{"same_top1", Kind::mean, 0, same_top1, true},
    FidelityMetric{"top5_overlap", Kind::mean, 0, top5, true},
    FidelityMetric{"top10_overlap", Kind::mean, 0, top10, true},
    FidelityMetric{"kld_x_floor", Kind::mean, 0, kld, true},
    FidelityMetric{"kld_bucket", Kind::mean, 0, kld, true},
    FidelityMetric{"dp_p01", Kind::quantile, 0.01, delta_p, true},
    FidelityMetric{"dp_p99", Kind::quantile, 0.99, delta_p, true},
    FidelityMetric{"dp_mean", Kind::mean, 0, delta_p, true},
    FidelityMetric{"dp_rms", Kind::root_mean, 0, delta_p_squared, true},
};

/// ":NAME" of a text that is not the first. "kld_bucket" has its range after another colon.
std::string_view text_of(std::string_view id) {
  if (metric_family(id) == "kld_bucket") id = id.substr(0, id.rfind(':'));
  const size_t colon = id.find(':');
  return colon == std::string_view::npos ? std::string_view{} : id.substr(colon);
}

/// Reference confidence of the positions that a metric is about: all of them, or the range that its id names ("kld_bucket:0.25-0.5").
struct Range {
  double low = 0, high = 1;
  bool holds(double p) const { return p >= low && (p < high || high == 1); }
};
Range range_of(const std::string& id) {
  if (metric_family(id) != "kld_bucket") return {};
  const std::string text = id.substr(id.rfind(':') + 1);
  return {std::strtod(text.c_str(), nullptr), std::strtod(text.substr(text.find('-') + 1).c_str(), nullptr)};
}

std::map<int64_t, Window> windows_of(const Run& run, std::string_view text) {
  std::map<int64_t, Window> windows;
  for (const Series& series : run.series) {
    if (series.kind != "position_scores" || text_of(series.metric) != text) continue;
    windows[series.item] = {find_column(series, "id"),      find_column(series, "nll"),  find_column(series, "nll_reference"),
                            find_column(series, "kld"),     find_column(series, "delta_p"), find_column(series, "top1"),
                            find_column(series, "top1_reference"), find_column(series, "top5_overlap"),
                            find_column(series, "top10_overlap"), find_column(series, "p_top1_reference")};
  }
  return windows;
}

bool has_columns(const Window& window, const FidelityMetric& metric) {
  if (window.id == nullptr || window.nll == nullptr) return false;
  if (metric.family == "top10_overlap" && window.top10_overlap == nullptr) return false;
  if (metric.family == "kld_bucket" && window.p_top1_reference == nullptr) return false;
  return !metric.needs_reference || (window.nll_reference != nullptr && window.kld != nullptr && window.delta_p != nullptr &&
                                     window.top1 != nullptr && window.top1_reference != nullptr && window.top5_overlap != nullptr);
}

using Chunks = std::vector<std::vector<double>>;  // [window][position]

std::vector<stats::ChunkSum> sums(const Chunks& chunks) {
  std::vector<stats::ChunkSum> result;
  for (const std::vector<double>& chunk : chunks) {
    stats::ChunkSum sum{0, static_cast<double>(chunk.size())};
    for (double value : chunk) sum.sum += value;
    result.push_back(sum);
  }
  return result;
}

double total(const std::vector<stats::ChunkSum>& chunks, std::span<const uint32_t> drawn) {
  stats::ChunkSum all;
  for (uint32_t index : drawn) {
    all.sum += chunks[index].sum;
    all.count += chunks[index].count;
  }
  return all.sum / all.count;
}

stats::Interval root_difference(const Chunks& a, const Chunks& b) {
  const std::vector<stats::ChunkSum> x = sums(a);
  const std::vector<stats::ChunkSum> y = sums(b);
  return stats::bootstrap(
      x.size(), [&](std::span<const uint32_t> drawn) { return std::sqrt(total(y, drawn)) - std::sqrt(total(x, drawn)); }, {.no_effect = 0});
}

bool is_finite(const stats::Interval& interval) {
  return std::isfinite(interval.estimate) && std::isfinite(interval.low) && std::isfinite(interval.high);
}

struct Scaled {
  bool is_ratio;
  stats::Interval interval;
};

// A relative metric gets the interval of a ratio, unless the reference is 0 (KLD of the reference itself).
Scaled interval_of(const FidelityMetric& metric, bool wants_ratio, const Chunks& a, const Chunks& b) {
  if (metric.kind == Kind::mean_of_log) {
    return {true, stats::exponential(stats::paired_chunk_difference(sums(a), sums(b)))};
  }
  if (metric.kind == Kind::root_mean) return {false, root_difference(a, b)};
  const bool is_quantile = metric.kind == Kind::quantile;
  if (wants_ratio) {
    const stats::Interval ratio = is_quantile ? stats::chunk_quantile_ratio(a, b, metric.p, true) : stats::paired_chunk_ratio(sums(a), sums(b));
    if (is_finite(ratio)) return {true, ratio};
  }
  return {false, is_quantile ? stats::paired_chunk_quantile_difference(a, b, metric.p) : stats::paired_chunk_difference(sums(a), sums(b))};
}

}  // namespace

Finding fidelity_evidence(const Run& reference, const Run& candidate, const std::string& id, const MetricInfo& info) {
  const auto* metric = std::find_if(kFidelityMetrics.begin(), kFidelityMetrics.end(),
                                    [&](const FidelityMetric& row) { return row.family == metric_family(id); });
  if (metric == kFidelityMetrics.end()) return {.reason = "no samples to resample"};
  const auto a = windows_of(reference, text_of(id));
  const auto b = windows_of(candidate, text_of(id));
  if (a.size() != b.size() || a.empty())
    return {.reason = fmt::format("windows scored: {} and {}", a.size(), b.size()), .is_mismatch = a.size() != b.size()};
  const Range range = range_of(id);
  Chunks x, y;
  for (const auto& [item, window] : a) {
    const auto other = b.find(item);
    if (other == b.end() || !has_columns(window, *metric) || !has_columns(other->second, *metric))
      return {.reason = fmt::format("window {} has no scores on one side", item)};
    if (*window.id != *other->second.id)
      return {.reason = fmt::format("window {} scores other tokens", item), .is_mismatch = true};
    std::vector<double>& left = x.emplace_back();
    std::vector<double>& right = y.emplace_back();
    for (size_t i = 0; i < window.id->size(); ++i) {
      if (metric->family == "kld_bucket" && !range.holds((*window.p_top1_reference)[i])) continue;
      left.push_back(metric->value(window, i));
      right.push_back(metric->value(other->second, i));
    }
  }
  const Scaled scaled = interval_of(*metric, info.relevant_is_relative, x, y);
  if (!is_finite(scaled.interval)) return {.reason = "a score is not finite"};
  Evidence evidence{.is_ratio = scaled.is_ratio, .estimate = scaled.interval.estimate, .low = scaled.interval.low,
                    .high = scaled.interval.high, .units = static_cast<int64_t>(x.size()), .unit_name = "windows"};
  if (scaled.interval.p_value >= 0) evidence.p_value = scaled.interval.p_value;
  return {.evidence = evidence};
}

}  // namespace phiscope::reports
