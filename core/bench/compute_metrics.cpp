#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <fmt/format.h>

#include "core/bench/catalogue.h"
#include "core/stats/constants.h"
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
  /// mean ± 1.96 SE.
  void with_error(const std::string& id, double number, double standard_error, int64_t n) {
    const double half = stats::kNormal95 * standard_error;
    interval(id, number, number - half, number + half, n);
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

/// All positions of one text.
struct Positions {
  std::vector<double> nll, nll_reference, kld, delta_p, same_top1, top5;
  void append(const Series& series);
};

void extend(std::vector<double>& target, const std::vector<double>* source) {
  if (source != nullptr) target.insert(target.end(), source->begin(), source->end());
}

void Positions::append(const Series& series) {
  extend(nll, column(series, "nll"));
  extend(nll_reference, column(series, "nll_reference"));
  extend(kld, column(series, "kld"));
  extend(delta_p, column(series, "delta_p"));
  const std::vector<double>* top1 = column(series, "top1");
  const std::vector<double>* reference = column(series, "top1_reference");
  for (size_t i = 0; top1 != nullptr && reference != nullptr && i < std::min(top1->size(), reference->size()); ++i)
    same_top1.push_back((*top1)[i] == (*reference)[i] ? 1 : 0);
  if (const std::vector<double>* overlap = column(series, "top5_overlap"))
    for (const double ids : *overlap) top5.push_back(ids / 5);
}

void perplexity_metrics(const Positions& p, double scored_bytes, const std::string& suffix, Metrics& metrics) {
  const auto n = static_cast<int64_t>(p.nll.size());
  const double mean = stats::mean(p.nll), error = stats::standard_error(p.nll);
  metrics.with_error("perplexity" + suffix, std::exp(mean), std::exp(mean) * error, n);
  metrics.with_error("nll_mean" + suffix, mean, error, n);
  if (scored_bytes > 0) {
    const double per_byte = static_cast<double>(n) / (std::numbers::ln2 * scored_bytes);
    metrics.with_error("bits_per_byte" + suffix, mean * per_byte, error * per_byte, n);
  }
}

void kld_metrics(const Positions& p, const std::string& suffix, Metrics& metrics) {
  const auto n = static_cast<int64_t>(p.kld.size());
  static const std::pair<const char*, double> kPercentiles[] = {
      {"kld_median", 0.5}, {"kld_p90", 0.9}, {"kld_p95", 0.95}, {"kld_p99", 0.99}, {"kld_p999", 0.999}};
  if (n < kLeastPositions) {
    metrics.reason("kld_mean" + suffix, fmt::format("{} positions are too few; {} are needed", n, kLeastPositions), n);
    return;
  }
  metrics.with_error("kld_mean" + suffix, stats::mean(p.kld), stats::standard_error(p.kld), n);
  for (const auto& [id, probability] : kPercentiles) {
    const auto found = stats::supported_quantile(p.kld, probability);
    if (found) metrics.value(id + suffix, *found, n);
    else metrics.reason(id + suffix, fmt::format("{} positions are too few for this percentile; {:.0f} are needed", n,
                                                 std::ceil(5 / (1 - probability) - 1e-9)), n);
  }
  metrics.value("kld_max" + suffix, *std::max_element(p.kld.begin(), p.kld.end()), n);
}

void difference_metrics(const Positions& p, const std::string& suffix, Metrics& metrics) {
  const auto n = static_cast<int64_t>(p.delta_p.size());
  std::vector<double> difference(p.nll_reference.size()), squares(p.delta_p.size());
  for (size_t i = 0; i < difference.size() && i < p.nll.size(); ++i) difference[i] = p.nll[i] - p.nll_reference[i];
  for (size_t i = 0; i < squares.size(); ++i) squares[i] = p.delta_p[i] * p.delta_p[i];
  metrics.with_error("ln_ppl_ratio" + suffix, stats::mean(difference), stats::standard_error(difference), n);
  const auto same = static_cast<int64_t>(std::count(p.same_top1.begin(), p.same_top1.end(), 1.0));
  const stats::Interval agreement = stats::wilson_interval(same, n);
  metrics.interval("same_top1" + suffix, static_cast<double>(same) / static_cast<double>(n), agreement.low, agreement.high, n);
  metrics.with_error("top5_overlap" + suffix, stats::mean(p.top5), stats::standard_error(p.top5), n);
  metrics.with_error("dp_mean" + suffix, 100 * stats::mean(p.delta_p), 100 * stats::standard_error(p.delta_p), n);
  const double rms = std::sqrt(stats::mean(squares));
  metrics.with_error("dp_rms" + suffix, 100 * rms, rms > 0 ? 100 * stats::standard_error(squares) / (2 * rms) : 0, n);
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
    if (p.nll.empty()) continue;
    double bytes = 0;
    for (const Sample& sample : run.samples)
      if (sample.metric == "scored_bytes" + suffix) bytes = sample.value;
    perplexity_metrics(p, bytes, suffix, metrics);
    if (p.kld.empty()) continue;
    kld_metrics(p, suffix, metrics);
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
