#pragma once
// Shares: accuracies and agreement, alone and paired item by item. Pure and thread-safe.

#include <cstdint>
#include <span>
#include <vector>

#include "core/stats/summary.h"

namespace phiscope::stats {

/// sqrt(a(1 - a)/(n - 1)), as lm-eval and llama.cpp give it; NaN for n < 2.
double proportion_standard_error(double share, int64_t n);
/// Wilson's score interval at 95 %: stays inside [0, 1] and does not collapse at 0 or 1. n >= 1.
Interval wilson_interval(int64_t successes, int64_t n);

/// Outcomes of the same n items by two systems.
struct Flips {
  int64_t lost = 0;    // right by the reference, wrong by the candidate (b)
  int64_t gained = 0;  // the other way (c)
  int64_t n = 0;
};
Flips count_flips(std::span<const uint8_t> reference_correct, std::span<const uint8_t> candidate_correct);

/// McNemar's two-sided test: exact binomial for fewer than 25 flips, else chi-squared with continuity correction. 1 without flips.
double mcnemar_p(const Flips& flips);
/// (gained - lost)/n with its 95 % interval from the standard error sqrt(b + c - (b - c)²/n)/n.
Interval paired_share_difference(const Flips& flips);
/// The smallest true difference that a test with this many flips finds 80 times in 100: 2.8·sqrt(b + c)/n.
double minimum_detectable_effect(const Flips& flips);

/// Holm's step-down adjustment of p values, in the order given; each at most 1.
std::vector<double> holm_adjust(std::span<const double> p_values);

/// Pairs that show an effect (a ratio of 1 ± effect) 80 times in 100 when one pair's relative SD is `cv`: (2.8·cv/effect)², rounded up.
int64_t pairs_needed(double cv, double effect);

}  // namespace phiscope::stats
