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

/// A field of the run that must agree, and the groups of metrics that depend on it ("" = all).
struct Condition {
  std::string_view name;
  std::string Run::*field;
  std::array<std::string_view, 4> groups;
};
constexpr std::array kConditions{
    Condition{"source model", &Run::model_hash, {""}},
    Condition{"tokenizer", &Run::tokenizer_hash, {"fidelity", "tasks"}},
    Condition{"suite", &Run::suite_hash, {"speed", "fidelity", "tasks", "memory"}},
    Condition{"device", &Run::device, {"speed", "memory", "energy"}},
};

bool concerns(const Condition& condition, const std::string& group) {
  if (condition.groups[0].empty()) return true;
  return std::find(condition.groups.begin(), condition.groups.end(), std::string_view(group)) != condition.groups.end();
}

std::string short_value(const std::string& value) { return value.empty() ? "(none)" : value.substr(0, 24); }

std::string environment_value(const Run& run, const std::string& key) {
  const auto found = run.environment.find(key);
  return found == run.environment.end() ? std::string() : found->second;
}

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

std::string difference_of_conditions(const Run& reference, const Run& candidate, const MetricInfo& info) {
  for (const Condition& condition : kConditions) {
    const std::string& a = reference.*condition.field;
    const std::string& b = candidate.*condition.field;
    if (a != b && concerns(condition, info.group)) return fmt::format("{} differs: {} and {}", condition.name, short_value(a), short_value(b));
  }
  if (info.group == "fidelity" || info.group == "tasks") return difference_of_conventions(reference, candidate);
  return {};
}

void decide(MetricComparison& comparison, const Evidence& evidence, std::optional<double> p_value, double noise_floor) {
  comparison.is_ratio = evidence.is_ratio;
  comparison.low = evidence.low;
  comparison.high = evidence.high;
  comparison.mark = evidence.mark;
  comparison.reason = evidence.note;
  if (p_value && *p_value < 1) comparison.reason += fmt::format("; McNemar p = {}", format_number(*p_value, 2));
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
