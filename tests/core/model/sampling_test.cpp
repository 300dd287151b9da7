#include "core/model/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

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

TEST(Sampling, OptionsOutsideTheirRangeAreNamed) {
  EXPECT_EQ(check_sampling({.temperature = -1}).error().message, "temperature is -1; it must be 0 (greedy) or more");
  EXPECT_FALSE(check_sampling({.top_k = -1}).has_value());
  EXPECT_FALSE(check_sampling({.top_p = 0}).has_value());
  EXPECT_FALSE(check_sampling({.top_p = 1.5}).has_value());
  EXPECT_FALSE(check_sampling({.min_p = 1}).has_value());
  EXPECT_TRUE(check_sampling({.temperature = 0.7, .top_k = 40, .top_p = 0.9, .min_p = 0.05}).has_value());
}

}  // namespace
}  // namespace phiscope
