#include "core/bench/turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/stats/bootstrap.h"

namespace phiscope::bench {
namespace {

// The decision needs no more: 1000 resamples place the ends of an interval within a tenth of its width.
constexpr int kResamples = 1000;
constexpr size_t kLeastPairs = 6;  // below, a bootstrap of the median is the range of the pairs
// Another prompt for a repetition that is measured again: far from the seeds of the repetitions.
constexpr uint64_t kRepeatSeed = uint64_t{1} << 24;

class Turns {
 public:
  Turns(size_t members, const TurnRules& rules, uint64_t first_seed, const Repeat& repeat, const Keep& keep)
      : rules_(rules), seed_(first_seed), repeat_(repeat), keep_(keep), results_(members), values_(members),
        state_(members, Repetitions(rules.limits)) {}

  std::vector<TurnResult> run() {
    for (int64_t repetition = 0; !all_done(); ++repetition) {
      const size_t count = results_.size();
      for (size_t i = 0; i < count; ++i) measure(repetition % 2 == 0 ? i : count - 1 - i, repetition);
    }
    for (size_t i = 0; i < results_.size(); ++i) explain(i);
    return std::move(results_);
  }

 private:
  void measure(size_t i, int64_t repetition) {
    TurnResult& result = results_[i];
    for (uint64_t attempt = 0; result.is_member; ++attempt) {
      auto outcome = repeat_(i, seed_ + static_cast<uint64_t>(repetition) + attempt * kRepeatSeed);
      if (!outcome) {
        result.is_member = false;
        return;
      }
      const bool is_disturbed = !outcome->disturbance.empty();
      if (is_disturbed && result.disturbance.empty()) result.disturbance = outcome->disturbance;
      // A machine that is always disturbed must come to an end too: beyond the time cap nothing is measured again.
      const bool again = is_disturbed && result.repeated < rules_.max_repeats && state_[i].seconds() < rules_.limits.max_seconds;
      if (again) {
        ++result.repeated;
        state_[i].spend(outcome->seconds);
      } else {
        result.kept_disturbed += is_disturbed ? 1 : 0;
        state_[i].add(outcome->primary, outcome->seconds);
        values_[i].push_back(outcome->primary);
      }
      keep_(i, std::move(*outcome), repetition, !again);
      if (!again) return;
    }
  }

  std::optional<size_t> reference() const {
    for (size_t i = 0; i < results_.size(); ++i)
      if (results_[i].is_member) return i;
    return std::nullopt;
  }

  bool has_pairs() const {
    return std::count_if(results_.begin(), results_.end(), [](const TurnResult& r) { return r.is_member; }) > 1;
  }

  /// Half-width of the interval of the ratio to the first member, as a share; nothing while there are too few pairs.
  std::optional<double> half_width(size_t i) const {
    const std::vector<double>&a = values_[*reference()], &b = values_[i];
    if (std::min(a.size(), b.size()) < kLeastPairs || a.size() != b.size()) return std::nullopt;
    const stats::Interval ratio = stats::paired_ratio(a, b, {.resamples = kResamples});
    return (ratio.high - ratio.low) / 2;
  }

  bool is_settled(size_t i) const {
    if (!has_pairs()) return state_[i].is_stable();
    if (state_[i].count() < rules_.limits.min) return false;
    if (i == *reference()) return true;  // the others decide
    const auto half = half_width(i);
    return half && *half <= rules_.pair_half_width;
  }

  bool all_done() const {
    if (!reference()) return true;
    // The members go on together, so that every repetition has its pair: one that waits for its pairs keeps the others.
    bool at_cap = true, settled = true;
    for (size_t i = 0; i < results_.size(); ++i) {
      if (!results_[i].is_member) continue;
      at_cap = at_cap && state_[i].is_at_cap();
      settled = settled && is_settled(i);
    }
    return at_cap || settled;
  }

  void explain(size_t i) {
    TurnResult& result = results_[i];
    result.relative_sd = state_[i].relative_sd();
    result.reason = state_[i].reason();
    if (!result.is_member) return;
    result.is_settled = is_settled(i);
    if (!has_pairs() || i == *reference()) return;
    const auto half = half_width(i);
    if (half)
      result.reason = fmt::format("{}: interval of the ratio ±{:.2f} % after {} pairs; relative SD {:.2f} %",
                                  result.is_settled ? "pairs settled" : state_[i].cap_name(), 100 * *half, state_[i].count(), 100 * result.relative_sd);
  }

  const TurnRules& rules_;
  uint64_t seed_;
  const Repeat& repeat_;
  const Keep& keep_;
  std::vector<TurnResult> results_;
  std::vector<std::vector<double>> values_;  // of each member, by repetition
  std::vector<Repetitions> state_;
};

}  // namespace

std::vector<TurnResult> take_turns(size_t members, const TurnRules& rules, uint64_t first_seed, const Repeat& repeat, const Keep& keep) {
  return Turns(members, rules, first_seed, repeat, keep).run();
}

}  // namespace phiscope::bench
