// The first screen: which precision to take, what it costs, what it saves, how sure.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/text.h"
#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

// What counts as keeping the quality: healthy 8-bit models keep the reference's first choice at more than 99 % of the positions, below 95 % is
// a reason to look closer (ai-edge-quantizer's guidance). A task or perplexity that is proven worse weighs as much.
constexpr double kHealthyAgreement = 0.985;
constexpr double kSuspectAgreement = 0.95;
constexpr double kHealthyLoss = 0.005;  // ln of the perplexity ratio
constexpr double kSuspectLoss = 0.05;

enum class Quality : uint8_t { kept, reduced, damaged, unknown };

struct Judged {
  const Labelled* row = nullptr;
  Quality quality = Quality::unknown;
  double speed = 0;   // decode, tokens a second; 0 = unknown
  double memory = 0;  // bytes; 0 = unknown
};

std::optional<double> value_of(const Labelled& row, const std::string& id) {
  const Metric* metric = id.empty() ? nullptr : row.run->find_metric(id);
  return metric != nullptr ? metric->value : std::nullopt;
}

bool has_worse_task(const Labelled& row) {
  return row.comparison != nullptr && std::any_of(row.comparison->metrics.begin(), row.comparison->metrics.end(), [](const MetricComparison& metric) {
           return metric_family(metric.id) == "task_accuracy" && metric.verdict == Verdict::worse;
         });
}

Quality quality_of(const std::vector<Labelled>& runs, const Labelled& row) {
  if (row.comparison == nullptr) return Quality::kept;
  const auto same = value_of(row, main_metric_id(runs, "same_top1"));
  const auto loss = value_of(row, main_metric_id(runs, "ln_ppl_ratio"));
  if (!same && !loss) return Quality::unknown;
  if ((same && *same < kSuspectAgreement) || (loss && *loss > kSuspectLoss)) return Quality::damaged;
  if ((same && *same < kHealthyAgreement) || (loss && *loss > kHealthyLoss) || has_worse_task(row)) return Quality::reduced;
  return Quality::kept;
}

std::string times(double ratio) { return fmt::format("{}×", format_number(ratio, 3)); }

std::string fewer(double ratio) {
  const double percent = 100 * (1 - ratio);
  return fmt::format("{} % {}", format_number(std::abs(percent), 2), percent >= 0 ? "less" : "more");
}

// "decodes 3.6× as fast (95 %: 3.4 .. 3.8)"; empty where there is nothing to compare.
std::string speed_phrase(const std::vector<Labelled>& runs, const Labelled& row) {
  const MetricComparison* metric = row.comparison->find(main_metric_id(runs, "decode_tokens_per_s"));
  if (metric == nullptr || !metric->ratio) return {};
  if (metric->verdict == Verdict::same) return "decodes as fast as the reference";
  const std::string interval = metric->low && metric->high && metric->is_ratio ? fmt::format(" (95 %: {} to {})", times(*metric->low), times(*metric->high)) : "";
  return fmt::format("decodes {} as fast{}", times(*metric->ratio), interval);
}

std::string size_phrase(const std::vector<Labelled>& runs, const Labelled& row, std::string_view family, std::string_view what) {
  const MetricComparison* metric = row.comparison->find(main_metric_id(runs, family));
  if (metric == nullptr || !metric->ratio || !metric->candidate) return {};
  return fmt::format("{} {}, {}", value_text(metric->info, *metric->candidate), what, fewer(*metric->ratio));
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts)
    if (!part.empty()) text += (text.empty() ? "" : std::string(separator)) + part;
  return text;
}

std::string savings(const std::vector<Labelled>& runs, const Labelled& row) {
  return join({speed_phrase(runs, row), size_phrase(runs, row, "file_bytes", "on disk"), size_phrase(runs, row, "peak_rss_bytes", "of memory at the peak")}, "; ");
}

std::string task_phrase(const Labelled& row) {
  int worse = 0, better = 0, open = 0, all = 0;
  for (const MetricComparison& metric : row.comparison->metrics) {
    if (metric_family(metric.id) != "task_accuracy" || !metric.candidate) continue;
    ++all;
    worse += metric.verdict == Verdict::worse;
    better += metric.verdict == Verdict::better;
    open += metric.verdict == Verdict::unclear;
  }
  if (all == 0) return {};
  if (worse > 0) return fmt::format("{} of {} tasks proven worse", worse, all);
  if (open > 0) return fmt::format("no task of {} proven worse, {} undecided", all, open);
  return fmt::format("no task of {} worse", all);
}

std::string costs(const std::vector<Labelled>& runs, const Labelled& row) {
  std::vector<std::string> parts;
  if (const auto same = value_of(row, main_metric_id(runs, "same_top1")))
    parts.push_back(fmt::format("another first choice at {} % of the tokens", format_number(100 * (1 - *same), 2)));
  if (const auto loss = value_of(row, main_metric_id(runs, "ln_ppl_ratio"))) {
    const double percent = 100 * std::expm1(*loss);
    parts.push_back(fmt::format("perplexity {}{} %", percent < 0 ? "−" : "+", format_number(std::abs(percent), 2)));
  }
  parts.push_back(task_phrase(row));
  const std::string text = join(parts, "; ");
  return text.empty() ? "unknown: these runs measured no quality" : text;
}

// How much the numbers can carry: what was undecided, and what the runs themselves complain about.
std::string confidence(const std::vector<Labelled>& runs, const Labelled& row) {
  std::vector<std::string> parts;
  const MetricComparison* speed = row.comparison->find(main_metric_id(runs, "decode_tokens_per_s"));
  if (speed != nullptr && speed->verdict == Verdict::unclear) parts.push_back("the speed is undecided");
  if (speed != nullptr && !speed->mark.empty()) parts.push_back(speed->mark);
  if (const std::string id = main_metric_id(runs, "same_top1"); !id.empty()) {
    const Metric* metric = row.run->find_metric(id);
    if (metric != nullptr && metric->n > 0) parts.push_back(fmt::format("quality from {} tokens of text", metric->n));
  }
  const size_t warnings = row.run->warnings.size();
  if (warnings > 0) parts.push_back(fmt::format("{} warning{}, see below", warnings, warnings == 1 ? "" : "s"));
  return parts.empty() ? "intervals are in the table" : join(parts, "; ");
}

Answer::Option option_of(const std::vector<Labelled>& runs, const Labelled& row, std::string heading) {
  return {.heading = std::move(heading), .label = row.label, .recipe = row.run->recipe, .saves = savings(runs, row), .costs = costs(runs, row), .sure = confidence(runs, row)};
}

std::vector<Judged> judge(const std::vector<Labelled>& runs) {
  std::vector<Judged> rows;
  for (const Labelled& row : runs) {
    if (row.run->status != RunStatus::done) continue;
    rows.push_back({&row, quality_of(runs, row), value_of(row, main_metric_id(runs, "decode_tokens_per_s")).value_or(0),
                    value_of(row, main_metric_id(runs, "peak_rss_bytes")).value_or(value_of(row, main_metric_id(runs, "file_bytes")).value_or(0))});
  }
  return rows;
}

// The fastest of a quality; among speeds within 3 % the smaller. Never the reference.
const Judged* fastest(const std::vector<Judged>& rows, Quality quality) {
  const Judged* best = nullptr;
  for (const Judged& row : rows) {
    if (row.quality != quality || row.row->comparison == nullptr) continue;
    if (best == nullptr || row.speed > 1.03 * best->speed || (row.speed > 0.97 * best->speed && row.memory > 0 && row.memory < best->memory)) best = &row;
  }
  return best;
}

bool pays(const Judged& row, const Judged& other) { return row.speed > 1.03 * other.speed || (row.memory > 0 && row.memory < 0.97 * other.memory); }

}  // namespace

std::optional<Answer> build_answer(const std::vector<Labelled>& runs) {
  const std::vector<Judged> rows = judge(runs);
  if (rows.empty() || runs.size() < 2 || runs.front().run->status != RunStatus::done) return std::nullopt;
  const Judged& reference = rows.front();
  Answer answer;
  const Judged* kept = fastest(rows, Quality::kept);
  if (kept != nullptr && pays(*kept, reference)) {
    answer.headline = fmt::format("Take {}: it keeps the quality of {} and {}.", kept->row->label, runs.front().label, savings(runs, *kept->row));
    answer.options.push_back(option_of(runs, *kept->row, "Take"));
  }
  const Judged* reduced = fastest(rows, Quality::reduced);
  if (reduced != nullptr && pays(*reduced, kept != nullptr ? *kept : reference)) {
    if (answer.headline.empty())
      answer.headline = fmt::format("No precision keeps the quality of {} and pays; {} gives up some of it: {}.", runs.front().label, reduced->row->label, costs(runs, *reduced->row));
    answer.options.push_back(option_of(runs, *reduced->row, "If speed and size count more than the last bit of quality"));
  }
  for (const Judged& row : rows)
    if (row.quality == Quality::damaged) answer.options.push_back(option_of(runs, *row.row, "Rather not"));
  const Judged* unknown = fastest(rows, Quality::unknown);
  if (answer.options.empty() && unknown != nullptr) {
    answer.headline = fmt::format("{} is the fastest, but these runs say nothing about quality: measure it before you choose.", unknown->row->label);
    answer.options.push_back(option_of(runs, *unknown->row, "Fastest"));
  }
  if (answer.headline.empty()) answer.headline = fmt::format("Stay with {}: no other precision of these runs is faster or smaller at an acceptable quality.", runs.front().label);
  answer.rule = fmt::format("Quality counts as kept when the first choice is the reference's at {} % of the tokens or more, perplexity grows by at most {} % and no task is proven "
                            "worse; as damaged below {} % or above {} %. Among those that keep it the fastest is taken.",
                            format_number(100 * kHealthyAgreement, 3), format_number(100 * kHealthyLoss, 2), format_number(100 * kSuspectAgreement, 3), format_number(100 * kSuspectLoss, 2));
  return answer;
}

}  // namespace phiscope::reports
