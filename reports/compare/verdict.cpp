#include "reports/compare/verdict.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/text.h"

namespace phiscope::reports {
namespace {

constexpr double kSignificance = 0.05;

struct VerdictName {
  Verdict verdict;
  std::string_view name;
};
constexpr std::array kVerdictNames{
    VerdictName{Verdict::better, "better"},   VerdictName{Verdict::worse, "worse"},
    VerdictName{Verdict::same, "same"},       VerdictName{Verdict::unclear, "unclear"},
    VerdictName{Verdict::not_comparable, "not_comparable"},
};

std::string environment_value(const Run& run, const std::string& key) {
  const auto found = run.environment.find(key);
  return found == run.environment.end() ? std::string() : found->second;
}

/// A field of the run that must agree, and the groups of metrics that depend on it ("" = all).
struct Condition {
  std::string_view key;   // for CompareOptions
  std::string_view name;
  std::string (*value)(const Run& run);
  std::array<std::string_view, 4> groups;
};
// Size and memory of the same artifact are the same in another suite or tool.
constexpr std::array kConditions{
    Condition{"model", "source model", [](const Run& run) { return run.model_hash; }, {""}},
    Condition{"tokenizer", "tokenizer", [](const Run& run) { return run.tokenizer_hash; }, {"fidelity", "tasks"}},
    Condition{"suite", "suite", [](const Run& run) { return run.suite_hash; }, {"speed", "fidelity", "tasks", "memory"}},
    Condition{"device", "device", [](const Run& run) { return run.device; }, {"speed", "memory", "energy"}},
    Condition{"protocol", "protocol", [](const Run& run) { return environment_value(run, "protocol"); }, {"speed", "memory", "energy"}},
};
constexpr std::string_view kConvention = "convention";

bool concerns(const Condition& condition, const std::string& group) {
  if (condition.groups[0].empty()) return true;
  return std::find(condition.groups.begin(), condition.groups.end(), std::string_view(group)) != condition.groups.end();
}

bool is_allowed(const CompareOptions& options, std::string_view key) {
  return std::find(options.across.begin(), options.across.end(), key) != options.across.end();
}

/// Numbers of a run whose output check failed mean nothing; no option allows them.
std::string why_invalid(const Run& run, std::string_view side) {
  for (const Warning& warning : run.warnings)
    if (warning.id == "invalid") return fmt::format("the {} is invalid: {}", side, warning.sentence);
  return {};
}

std::string short_value(const std::string& value) { return value.empty() ? "(none)" : value.substr(0, 24); }

std::string difference_of_conventions(const Run& reference, const Run& candidate) {
  static constexpr std::string_view kPrefix = "convention.";
  for (const Run* run : {&reference, &candidate}) {
    for (const auto& [key, value] : run->environment) {
      if (!std::string_view(key).starts_with(kPrefix)) continue;
      const std::string a = environment_value(reference, key);
      const std::string b = environment_value(candidate, key);
      if (a != b) return fmt::format("{} differs: {} and {}", key, short_value(a), short_value(b));
    }
  }
  return {};
}

/// Effect and interval with better = positive, and the smallest effect that matters on the same scale.
struct Effect {
  double estimate, low, high, relevant;
};

Effect signed_effect(const MetricComparison& comparison, const Evidence& evidence, double noise_floor) {
  const double center = evidence.is_ratio ? 1 : 0;
  Effect effect{evidence.estimate - center, evidence.low - center, evidence.high - center, comparison.info.relevant_difference};
  if (!evidence.is_ratio && comparison.info.relevant_is_relative) {
    // The reference is 0 (or was in a resample): the share is taken of the larger value, and noise counts as nothing.
    const double larger = std::max(std::abs(comparison.reference.value_or(0)), std::abs(comparison.candidate.value_or(0)));
    effect.relevant = std::max(noise_floor, comparison.info.relevant_difference * larger);
  }
  if (comparison.info.direction == Direction::lower) effect = {-effect.estimate, -effect.high, -effect.low, effect.relevant};
  return effect;
}

Verdict verdict_of(const Effect& effect, Direction direction, std::optional<double> p_value) {
  if (effect.low >= -effect.relevant && effect.high <= effect.relevant) return Verdict::same;
  if (direction == Direction::none) return Verdict::unclear;
  const bool excludes_zero = p_value ? *p_value < kSignificance : effect.low > 0 || effect.high < 0;
  if (excludes_zero && effect.estimate > effect.relevant) return Verdict::better;
  if (excludes_zero && effect.estimate < -effect.relevant) return Verdict::worse;
  return Verdict::unclear;
}

// The half-width shrinks with the root of the number of units; settled at half the smallest effect that matters.
std::string what_would_settle(const Effect& effect, const Evidence& evidence) {
  const double half = (effect.high - effect.low) / 2;
  if (!(effect.relevant > 0) || !(half > 0) || evidence.units <= 0) return "the interval does not decide";
  const double wanted = 2 * half / effect.relevant;
  const double needed = std::ceil(static_cast<double>(evidence.units) * wanted * wanted);
  if (needed <= static_cast<double>(evidence.units)) return "the effect is at the edge of what matters";
  return fmt::format("about {} {} instead of {} would settle it", format_number(needed, 2), evidence.unit_name, evidence.units);
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  for (const VerdictName& row : kVerdictNames)
    if (row.verdict == verdict) return row.name;
  return "unclear";
}

Status check_options(const CompareOptions& options) {
  std::vector<std::string> known;
  for (const Condition& condition : kConditions) known.emplace_back(condition.key);
  known.emplace_back(kConvention);
  for (const std::string& key : options.across) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      return fail(ErrorCode::invalid_argument, "'{}' is nothing that runs can differ in; {} are", key, fmt::format("{}", fmt::join(known, ", ")));
  }
  return {};
}

ConditionDifference difference_of_conditions(const Run& reference, const Run& candidate, const MetricInfo& info, const CompareOptions& options) {
  ConditionDifference difference;
  const auto note = [&](std::string_view key, std::string reason) {
    if (!is_allowed(options, key)) difference.reason = std::move(reason);
    else difference.mark += fmt::format("{}across {}", difference.mark.empty() ? "" : ", ", key);
  };
  difference.reason = why_invalid(reference, "reference");
  if (difference.reason.empty()) difference.reason = why_invalid(candidate, "candidate");
  for (const Condition& condition : kConditions) {
    if (!difference.reason.empty()) return difference;
    const std::string a = condition.value(reference), b = condition.value(candidate);
    if (a != b && concerns(condition, info.group))
      note(condition.key, fmt::format("{} differs: {} and {}", condition.name, short_value(a), short_value(b)));
  }
  if (difference.reason.empty() && (info.group == "fidelity" || info.group == "tasks")) {
    const std::string convention = difference_of_conventions(reference, candidate);
    if (!convention.empty()) note(kConvention, convention);
  }
  return difference;
}

void decide(MetricComparison& comparison, const Evidence& evidence, std::optional<double> p_value, double noise_floor) {
  comparison.is_ratio = evidence.is_ratio;
  comparison.low = evidence.low;
  comparison.high = evidence.high;
  if (!evidence.mark.empty()) comparison.mark += (comparison.mark.empty() ? "" : ", ") + evidence.mark;
  comparison.reason = evidence.note;
  if (p_value && *p_value < 1 && !evidence.test.empty()) comparison.reason += fmt::format("; {} p = {}", evidence.test, format_number(*p_value, 2));
  const Effect effect = signed_effect(comparison, evidence, noise_floor);
  comparison.verdict = verdict_of(effect, comparison.info.direction, p_value);
  if (comparison.verdict != Verdict::unclear) return;
  const std::string why = comparison.info.direction == Direction::none ? "neither direction is better" : what_would_settle(effect, evidence);
  comparison.reason += (comparison.reason.empty() ? "" : "; ") + why;
}

void decide_exact(MetricComparison& comparison) {
  Evidence evidence{.is_ratio = comparison.info.relevant_is_relative && comparison.ratio.has_value()};
  evidence.estimate = evidence.is_ratio ? *comparison.ratio : comparison.difference.value_or(0);
  evidence.low = evidence.high = evidence.estimate;
  decide(comparison, evidence, std::nullopt, 0);
}

}  // namespace phiscope::reports
