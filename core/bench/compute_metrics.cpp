#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <fmt/format.h>

#include "core/bench/catalogue.h"
#include "core/stats/bootstrap.h"
#include "core/stats/proportion.h"
#include "core/stats/summary.h"

namespace phiscope::bench {
namespace {

constexpr int64_t kLeastPositions = 100;  // no KLD is shown under so many
constexpr std::string_view kSkip = "skip.";

class Metrics {
 public:
  explicit Metrics(Run& run) : run_(run) {}

  void value(const std::string& id, double number, int64_t n) {
    if (!std::isfinite(number)) return reason(id, "the value is not finite", n);
    add(id).value = number;
    last().n = n;
  }
  void interval(const std::string& id, double number, double low, double high, int64_t n) {
    value(id, number, n);
    if (!last().value || !std::isfinite(low) || !std::isfinite(high)) return;
    last().low = low;
    last().high = high;
  }
  void reason(const std::string& id, std::string why, int64_t n = 0) {
    add(id).reason = std::move(why);
    last().n = n;
  }
  bool has(const std::string& id) const {
    return std::any_of(found_.begin(), found_.end(), [&](const Metric& m) { return m.id == id; });
  }

  /// In the catalogue's order, shapes in the order measured.
  void store() {
    run_.metrics.clear();
    run_.metric_infos.clear();
    for (const MetricInfo& info : metric_catalogue()) {
      bool occurs = false;
      for (Metric& metric : found_) {
        if (metric_family(metric.id) != info.id) continue;
        metric.version = info.version;
        run_.metrics.push_back(metric);
        occurs = true;
      }
      if (occurs) run_.metric_infos.push_back(info);
    }
  }

 private:
  Metric& add(const std::string& id) {
    found_.push_back({});
    found_.back().id = id;
    return found_.back();
  }
  Metric& last() { return found_.back(); }

  Run& run_;
  std::vector<Metric> found_;
};

const std::vector<double>* column(const Series& series, std::string_view name) {
  for (size_t c = 0; c < series.columns.size() && c < series.rows.size(); ++c)
    if (series.columns[c] == name) return &series.rows[c];
  return nullptr;
}

/// In the order of items and repetitions. A repetition that was disturbed and measured again counts once: with its last value.
std::vector<double> values_of(const Run& run, std::string_view id) {
  std::map<std::pair<int64_t, int64_t>, double> last;
  for (const Sample& sample : run.samples)
    if (sample.metric == id) last[{sample.item, sample.repetition}] = sample.value;
  std::vector<double> values;
  for (const auto& [key, value] : last) values.push_back(value);
  return values;
}

/// Scalar samples: the value itself, or median and quartiles where it was repeated.
void scalar_metrics(const Run& run, Metrics& metrics) {
  std::vector<std::string> order;
  for (const Sample& sample : run.samples) {
    if (find_metric_info(sample.metric) != nullptr && std::find(order.begin(), order.end(), sample.metric) == order.end())
      order.push_back(sample.metric);
  }
  for (const std::string& id : order) {
    const std::vector<double> v = values_of(run, id);
    const auto n = static_cast<int64_t>(v.size());
    if (n == 1) metrics.value(id, v[0], 1);
    else metrics.interval(id, stats::median(v), stats::quantile(v, 0.25), stats::quantile(v, 0.75), n);
  }
}

void gap_metrics(const Run& run, Metrics& metrics) {
  std::vector<double> gaps;
  bool is_measured = false;
  for (const Series& series : run.series) {
    if (series.kind != "token_timeline" || metric_family(series.metric) != "decode_tokens_per_s") continue;
    if (series.metric.substr(series.metric.find('@')).find('d') != std::string::npos) continue;
    const std::vector<double>* times = column(series, "time_ns");
    is_measured = true;
    for (size_t i = 1; times != nullptr && i < times->size(); ++i) gaps.push_back(((*times)[i] - (*times)[i - 1]) * 1e-6);
  }
  if (!is_measured) return;
  const auto n = static_cast<int64_t>(gaps.size());
  const auto percentile = [&](const std::string& id, double p) {
    const auto found = stats::supported_quantile(gaps, p);
    if (found) metrics.value(id, *found, n);
    else metrics.reason(id, fmt::format("{} token gaps are too few for this percentile; {} are needed", n, std::ceil(5 / (1 - p) - 1e-9)), n);
    return found;
  };
  percentile("itl_p50_ms", 0.5);
  percentile("itl_p95_ms", 0.95);
  const auto p99 = percentile("itl_p99_ms", 0.99);
  if (p99 && *p99 > 0) metrics.value("decode_low1_tokens_per_s", 1e3 / *p99, n);
  else metrics.reason("decode_low1_tokens_per_s", fmt::format("{} token gaps are too few for this percentile; 500 are needed", n), n);
}

void bandwidth_metrics(const Run& run, Metrics& metrics) {
  const auto probe = run.environment.find("probe.read_gb_s");
  double bytes = 0;
  std::map<std::string, std::vector<double>> rates;
  for (const Sample& sample : run.samples) {
    if (sample.metric == "decode_bytes") bytes = sample.value;
    // The KV cache's bytes at depth are not in `decode_bytes`.
    if (metric_family(sample.metric) == "decode_tokens_per_s" && sample.metric.find('d', sample.metric.find('@')) == std::string::npos)
      rates[sample.metric] = {};
  }
  for (auto& [id, values] : rates) values = values_of(run, id);
  if (probe == run.environment.end() || bytes <= 0) return;
  const double bandwidth = std::strtod(probe->second.c_str(), nullptr) * 1e9;
  for (const auto& [id, values] : rates) {
    if (bandwidth > 0)
      metrics.value("bandwidth_pct" + id.substr(id.find('@')), 100 * bytes * stats::median(values) / bandwidth, static_cast<int64_t>(values.size()));
  }
}

void sustained_metric(const Run& run, Metrics& metrics) {
  for (const Series& series : run.series) {
    const std::vector<double>* rates = series.kind == "sustained" ? column(series, "tokens_per_s") : nullptr;
    if (rates == nullptr) continue;
    const size_t quarter = rates->size() / 4;
    const auto n = static_cast<int64_t>(rates->size());
    if (quarter == 0) {
      metrics.reason("sustained_ratio", fmt::format("{} generations are too few; 4 are needed", n), n);
      continue;
    }
    const std::span<const double> all(*rates);
    const double first = stats::median(all.first(quarter));
    if (first > 0) metrics.value("sustained_ratio", stats::median(all.last(quarter)) / first, n);
  }
}

using Chunks = std::vector<std::vector<double>>;  // [window][position]

/// All scored positions of one text, window by window: positions of a window are correlated, so windows are what is drawn again.
struct Positions {
  Chunks nll, gain, kld, delta_p, squares, same_top1, top5, top10, confidence;
  void append(const Series& series);
  int64_t count() const {
    int64_t n = 0;
    for (const std::vector<double>& window : nll) n += static_cast<int64_t>(window.size());
    return n;
  }
};

/// `values` empty where the run has no such column.
template <class Value>
void add_window(Chunks& chunks, const Series& series, std::string_view name, Value value) {
  const std::vector<double>* values = column(series, name);
  if (values == nullptr) return;
  std::vector<double>& window = chunks.emplace_back();
  for (size_t i = 0; i < values->size(); ++i) window.push_back(value((*values)[i], i));
}

void Positions::append(const Series& series) {
  const auto itself = [](double v, size_t) { return v; };
  add_window(nll, series, "nll", itself);
  add_window(kld, series, "kld", itself);
  add_window(confidence, series, "p_top1_reference", itself);
  add_window(top5, series, "top5_overlap", [](double v, size_t) { return v / 5; });
  add_window(top10, series, "top10_overlap", [](double v, size_t) { return v / 10; });
  add_window(delta_p, series, "delta_p", [](double v, size_t) { return 100 * v; });
  add_window(squares, series, "delta_p", [](double v, size_t) { return 1e4 * v * v; });
  const std::vector<double>* own = column(series, "nll");
  const std::vector<double>* top1 = column(series, "top1");
  if (own != nullptr) add_window(gain, series, "nll_reference", [&](double v, size_t i) { return (*own)[i] - v; });
  if (top1 != nullptr) add_window(same_top1, series, "top1_reference", [&](double v, size_t i) { return (*top1)[i] == v ? 1.0 : 0.0; });
}

std::vector<stats::ChunkSum> sums_of(const Chunks& chunks) {
  std::vector<stats::ChunkSum> sums;
  for (const std::vector<double>& chunk : chunks) {
    stats::ChunkSum sum{0, static_cast<double>(chunk.size())};
    for (const double value : chunk) sum.sum += value;
    sums.push_back(sum);
  }
  return sums;
}

std::vector<double> joined(const Chunks& chunks) {
  std::vector<double> all;
  for (const std::vector<double>& chunk : chunks) all.insert(all.end(), chunk.begin(), chunk.end());
  return all;
}

/// Mean with its bootstrap interval over windows; a single window says nothing about another, so its interval comes from its positions' SE.
stats::Interval mean_interval(const Chunks& chunks) {
  if (chunks.size() < 2) return stats::normal_mean_interval(joined(chunks));
  return stats::chunk_mean(sums_of(chunks));
}

/// interval of `change` of the mean, which never falls.
template <class Change>
void mean_metric(Metrics& metrics, const std::string& id, const Chunks& chunks, int64_t n, Change change) {
  const stats::Interval mean = mean_interval(chunks);
  metrics.interval(id, change(mean.estimate), change(mean.low), change(mean.high), n);
}

void quantile_metric(Metrics& metrics, const std::string& id, const Chunks& chunks, double p, int64_t n) {
  const std::vector<double> all = joined(chunks);
  if (!stats::has_percentile(n, p))
    return metrics.reason(id, fmt::format("{} positions are too few for this percentile; {} are needed", n, std::ceil(5 / std::min(p, 1 - p) - 1e-9)), n);
  if (chunks.size() < 2) return metrics.value(id, stats::quantile(all, p), n);
  const stats::Interval interval = stats::chunk_quantile(chunks, p);
  metrics.interval(id, interval.estimate, interval.low, interval.high, n);
}

const auto kSame = [](double v) { return v; };

void perplexity_metrics(const Positions& p, double scored_bytes, const std::string& suffix, Metrics& metrics) {
  const int64_t n = p.count();
  mean_metric(metrics, "perplexity" + suffix, p.nll, n, [](double v) { return std::exp(v); });
  mean_metric(metrics, "nll_mean" + suffix, p.nll, n, kSame);
  const double per_byte = scored_bytes > 0 ? static_cast<double>(n) / (std::numbers::ln2 * scored_bytes) : 0;
  if (per_byte > 0) mean_metric(metrics, "bits_per_byte" + suffix, p.nll, n, [&](double v) { return v * per_byte; });
}

/// Undecided positions dominate the mean; damage shows where the reference is sure.
void bucket_metrics(const Positions& p, const std::string& suffix, Metrics& metrics) {
  static constexpr std::pair<double, double> kBuckets[] = {{0, 0.25}, {0.25, 0.5}, {0.5, 0.75}, {0.75, 0.95}, {0.95, 1}};
  if (p.confidence.size() != p.kld.size()) return;
  for (const auto& [low, high] : kBuckets) {
    Chunks chosen(p.kld.size());
    int64_t n = 0;
    for (size_t w = 0; w < p.kld.size(); ++w)
      for (size_t i = 0; i < p.kld[w].size() && i < p.confidence[w].size(); ++i)
        if (p.confidence[w][i] >= low && (p.confidence[w][i] < high || high == 1)) chosen[w].push_back(p.kld[w][i]), ++n;
    const std::string id = fmt::format("kld_bucket{}:{}-{}", suffix, low, high);
    if (n < kLeastPositions) metrics.reason(id, fmt::format("{} positions are too few; {} are needed", n, kLeastPositions), n);
    else mean_metric(metrics, id, chosen, n, kSame);
  }
}

void kld_metrics(const Positions& p, double floor, const std::string& suffix, Metrics& metrics) {
  const int64_t n = p.count();
  static const std::pair<const char*, double> kPercentiles[] = {
      {"kld_median", 0.5}, {"kld_p90", 0.9}, {"kld_p95", 0.95}, {"kld_p99", 0.99}, {"kld_p999", 0.999}};
  if (n < kLeastPositions) {
    metrics.reason("kld_mean" + suffix, fmt::format("{} positions are too few; {} are needed", n, kLeastPositions), n);
    return;
  }
  mean_metric(metrics, "kld_mean" + suffix, p.kld, n, kSame);
  for (const auto& [id, probability] : kPercentiles) quantile_metric(metrics, id + suffix, p.kld, probability, n);
  const std::vector<double> all = joined(p.kld);
  metrics.value("kld_max" + suffix, *std::max_element(all.begin(), all.end()), n);
  if (floor > 0) mean_metric(metrics, "kld_x_floor" + suffix, p.kld, n, [&](double v) { return v / floor; });
  bucket_metrics(p, suffix, metrics);
}

void difference_metrics(const Positions& p, const std::string& suffix, Metrics& metrics) {
  const int64_t n = p.count();
  mean_metric(metrics, "ln_ppl_ratio" + suffix, p.gain, n, kSame);
  mean_metric(metrics, "same_top1" + suffix, p.same_top1, n, kSame);
  mean_metric(metrics, "top5_overlap" + suffix, p.top5, n, kSame);
  if (!p.top10.empty()) mean_metric(metrics, "top10_overlap" + suffix, p.top10, n, kSame);
  mean_metric(metrics, "dp_mean" + suffix, p.delta_p, n, kSame);
  mean_metric(metrics, "dp_rms" + suffix, p.squares, n, [](double v) { return std::sqrt(std::max(v, 0.0)); });
  quantile_metric(metrics, "dp_p01" + suffix, p.delta_p, 0.01, n);
  quantile_metric(metrics, "dp_p99" + suffix, p.delta_p, 0.99, n);
}

double sample_value(const Run& run, const std::string& id) {
  double value = 0;
  for (const Sample& sample : run.samples)
    if (sample.metric == id) value = sample.value;
  return value;
}

void fidelity_metrics(const Run& run, Metrics& metrics) {
  std::vector<std::string> order;
  std::map<std::string, Positions> texts;  // suffix -> positions
  for (const Series& series : run.series) {
    if (series.kind != "position_scores") continue;
    const size_t colon = series.metric.find(':');
    const std::string suffix = colon == std::string::npos ? "" : series.metric.substr(colon);
    if (!texts.contains(suffix)) order.push_back(suffix);
    texts[suffix].append(series);
  }
  for (const std::string& suffix : order) {
    const Positions& p = texts[suffix];
    if (p.count() == 0) continue;
    perplexity_metrics(p, sample_value(run, "scored_bytes" + suffix), suffix, metrics);
    if (p.kld.empty()) continue;
    kld_metrics(p, sample_value(run, "kld_floor" + suffix), suffix, metrics);
    difference_metrics(p, suffix, metrics);
  }
}

constexpr std::string_view kNormalized = "correct_normalized";

/// False for exact match, where nothing is chosen.
bool has_choices(const Series& series) {
  const std::vector<double>* choice = column(series, "choice");
  return choice != nullptr && std::any_of(choice->begin(), choice->end(), [](double c) { return c >= 0; });
}

void task_metrics(const Run& run, Metrics& metrics) {
  for (const Series& series : run.series) {
    if (series.kind != "task_items") continue;
    const std::string name = series.metric.substr(series.metric.find(':') + 1);
    static const std::pair<const char*, std::string_view> kScores[] = {{"task_accuracy:", "correct"}, {"task_accuracy_norm:", kNormalized}};
    for (const auto& [prefix, column_name] : kScores) {
      const std::vector<double>* correct = column(series, column_name);
      if (correct == nullptr || correct->empty()) continue;
      if (column_name == kNormalized && !has_choices(series)) continue;
      const auto n = static_cast<int64_t>(correct->size());
      const auto right = static_cast<int64_t>(std::count(correct->begin(), correct->end(), 1.0));
      const stats::Interval interval = stats::wilson_interval(right, n);
      metrics.interval(prefix + name, static_cast<double>(right) / static_cast<double>(n), interval.low, interval.high, n);
    }
  }
}

/// What was left out says why.
void skipped_metrics(const Run& run, Metrics& metrics) {
  for (const auto& [key, why] : run.environment) {
    if (!key.starts_with(kSkip)) continue;
    const std::string id = key.substr(kSkip.size());
    if (!metrics.has(id)) metrics.reason(id, why);
  }
}

}  // namespace

void compute_metrics(Run& run) {
  Metrics metrics(run);
  scalar_metrics(run, metrics);
  bandwidth_metrics(run, metrics);
  gap_metrics(run, metrics);
  sustained_metric(run, metrics);
  fidelity_metrics(run, metrics);
  task_metrics(run, metrics);
  skipped_metrics(run, metrics);
  metrics.store();
}

}  // namespace phiscope::bench
