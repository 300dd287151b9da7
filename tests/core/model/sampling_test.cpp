#include "core/model/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace phiscope {
namespace {

std::map<int32_t, int> draw_many(const SamplingOptions& options, const std::vector<float>& logits, int times) {
  const Sampler sampler = make_sampler(options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < times; ++i) {
    std::vector<float> copy = logits;
    ++counts[sampler(copy)];
  }
  return counts;
}

TEST(Sampling, TemperatureZeroIsGreedyWithTheLowestIdOnTies) {
  EXPECT_EQ(draw_many({}, {1, 3, 3, 2}, 10), (std::map<int32_t, int>{{1, 10}}));
}

TEST(Sampling, DrawsWithTheProbabilitiesOfTheSoftmax) {
  // Probabilities 0.5, 0.25, 0.25; the standard error of a share of 20000 draws is at most 0.0036.
  const auto counts = draw_many({.temperature = 1, .seed = 3}, {std::log(2.0f), 0, 0}, 20000);
  EXPECT_NEAR(counts.at(0) / 20000.0, 0.5, 0.015);
  EXPECT_NEAR(counts.at(1) / 20000.0, 0.25, 0.015);
}

TEST(Sampling, TemperatureSharpens) {
  // At temperature 0.5 the odds 2 : 1 : 1 become 4 : 1 : 1.
  const auto counts = draw_many({.temperature = 0.5, .seed = 3}, {std::log(2.0f), 0, 0}, 20000);
  EXPECT_NEAR(counts.at(0) / 20000.0, 4.0 / 6, 0.015);
}

TEST(Sampling, TopKKeepsTheLargest) {
  const auto counts = draw_many({.temperature = 5, .top_k = 2, .seed = 1}, {1, 4, 2, 3}, 500);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.contains(1) && counts.contains(3));
}

TEST(Sampling, TopPKeepsTheSmallestSetThatReachesIt) {
  // Probabilities 0.5, 0.25, 0.25: 0.5 is reached by the first alone, 0.51 needs the second (the lower id).
  const std::vector<float> logits = {std::log(2.0f), 0, 0};
  EXPECT_EQ(draw_many({.temperature = 1, .top_p = 0.49, .seed = 1}, logits, 200).size(), 1u);
  const auto counts = draw_many({.temperature = 1, .top_p = 0.6, .seed = 1}, logits, 200);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.contains(1));
}

TEST(Sampling, MinPDropsWhatIsFarBelowTheMostProbable) {
  const std::vector<float> logits = {0, std::log(0.5f), std::log(0.04f)};
  EXPECT_EQ(draw_many({.temperature = 1, .min_p = 0.05, .seed = 1}, logits, 500).size(), 2u);
}

TEST(Sampling, EqualSeedsGiveEqualIds) {
  const std::vector<float> logits(50, 0);
  EXPECT_EQ(draw_many({.temperature = 1, .seed = 9}, logits, 30), draw_many({.temperature = 1, .seed = 9}, logits, 30));
  EXPECT_NE(draw_many({.temperature = 1, .seed = 9}, logits, 30), draw_many({.temperature = 1, .seed = 10}, logits, 30));
}

// What every option leaves of a distribution, computed here in f64 straight from its definition, against 60,000 draws with a fixed seed: Pearson's
// chi-square stays below its 99.9 % quantile (Wilson and Hilferty's approximation).
std::vector<double> expected_shares(const SamplingOptions& options, std::vector<double> logits, const std::vector<int32_t>& seen) {
  for (const int32_t id : std::set<int32_t>(seen.begin(), seen.end())) {
    double& logit = logits[static_cast<size_t>(id)];
    logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
  }
  std::vector<std::pair<double, size_t>> order;
  for (size_t i = 0; i < logits.size(); ++i) order.emplace_back(-std::exp(logits[i] / options.temperature), i);
  std::sort(order.begin(), order.end());
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(options.top_k)));
  double total = 0, sum = 0;
  for (const auto& [weight, id] : order) total -= weight;
  std::vector<double> shares(logits.size());
  const double largest = -order.front().first;
  for (const auto& [weight, id] : order) {
    if (sum >= options.top_p * total) break;
    sum -= weight;
    if (-weight >= options.min_p * largest) shares[id] = -weight;
  }
  double kept = 0;
  for (const double share : shares) kept += share;
  for (double& share : shares) share /= kept;
  return shares;
}

TEST(Sampling, EveryOptionDrawsFromTheDistributionOfItsDefinition) {
  std::vector<float> logits;
  for (int i = 0; i < 24; ++i) logits.push_back(static_cast<float>(2.5 * std::sin(1.7 * i) + 0.1 * (i % 5)));
  const std::vector<int32_t> seen{0, 3, 3, 7, 11};
  constexpr int kDraws = 60000;
  const std::vector<SamplingOptions> rows{{.temperature = 1, .seed = 11},
                                          {.temperature = 0.7, .seed = 12},
                                          {.temperature = 1.8, .top_k = 9, .seed = 13},
                                          {.temperature = 1, .top_p = 0.8, .seed = 14},
                                          {.temperature = 1.3, .min_p = 0.1, .seed = 15},
                                          {.temperature = 1, .top_k = 12, .top_p = 0.95, .min_p = 0.08, .repetition_penalty = 1.3, .seed = 16}};
  for (const SamplingOptions& options : rows) {
    const std::vector<double> expected = expected_shares(options, {logits.begin(), logits.end()}, seen);
    std::vector<int> counts(logits.size());
    for (int i = 0; i < kDraws; ++i) {
      SamplingOptions one = options;
      one.seed = options.seed * 1000003 + static_cast<uint64_t>(i);
      std::vector<float> copy = logits;
      ++counts[static_cast<size_t>(make_sampler(one, seen)(copy))];  // a fresh sampler: none of them has drawn before
    }
    double statistic = 0;
    int cells = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      if (expected[i] <= 0) {
        EXPECT_EQ(counts[i], 0) << "id " << i << " should have been dropped";
        continue;
      }
      ++cells;
      statistic += std::pow(counts[i] - expected[i] * kDraws, 2) / (expected[i] * kDraws);
    }
    const double freedom = cells - 1, spread = 2 / (9 * freedom);
    EXPECT_LT(statistic, freedom * std::pow(1 - spread + 3.0902 * std::sqrt(spread), 3)) << "seed " << options.seed;
  }
}

TEST(Sampling, TheRepetitionPenaltyWorksOnGreedyToo) {
  const SamplingOptions options{.repetition_penalty = 2};
  const Sampler sampler = make_sampler(options, std::vector<int32_t>{1, 99, -5});  // ids without a logit have no effect
  std::vector<int32_t> ids;
  for (int i = 0; i < 4; ++i) {
    std::vector<float> logits{2.5f, 4, 3, -1};
    ids.push_back(sampler(logits));
  }
  EXPECT_EQ(ids, (std::vector<int32_t>{2, 0, 1, 1}));  // 4 / 2, then 3 / 2, then 2.5 / 2
  std::vector<float> negative{-1, -1.5f};
  EXPECT_EQ(make_sampler(options, std::vector<int32_t>{0})(negative), 1);  // -1 becomes -2
}

TEST(Sampling, OptionsOutsideTheirRangeAreNamed) {
  EXPECT_EQ(check_sampling({.temperature = -1}).error().message, "temperature is -1; it must be 0 (greedy) or more");
  EXPECT_FALSE(check_sampling({.top_k = -1}).has_value());
  EXPECT_FALSE(check_sampling({.top_p = 0}).has_value());
  EXPECT_FALSE(check_sampling({.top_p = 1.5}).has_value());
  EXPECT_FALSE(check_sampling({.min_p = 1}).has_value());
  EXPECT_FALSE(check_sampling({.repetition_penalty = 0}).has_value());
  EXPECT_TRUE(check_sampling({.temperature = 0.7, .top_k = 40, .top_p = 0.9, .min_p = 0.05}).has_value());
}

}  // namespace
}  // namespace phiscope
