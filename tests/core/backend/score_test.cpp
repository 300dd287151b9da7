#include "core/backend/score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace phiscope {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Logits that f32 holds exactly: ((i a + b) mod 1021 - 510) / 64.
std::vector<float> logits(int64_t count, int64_t a, int64_t b) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>((i * a + b) % 1021 - 510) / 64.0f);
  return values;
}

// Computed with NumPy in 80-bit floats: log-sum-exp with the largest value taken out, sum of p0 (ln p0 - ln p) over log-probabilities.
struct Oracle {
  int64_t count, reference_a, reference_b, candidate_a, candidate_b;
  int32_t target;
  double nll, nll_reference, kld, delta_p;
  int32_t top1, top1_reference;
  double p_top1_reference;
  int top5_overlap;
};
constexpr Oracle kOracle[] = {
    {320, 7, 3, 11, 5, 17, 15.8107354478, 16.9681533231, 9.01453650117, 9.3244041243e-08, 185, 291, 0.0522075414064, 0},
    {4096, 389, 1, 391, 2, 4095, 18.0700398728, 18.4291625459, 6.61811535462, 4.28423212429e-09, 141, 979, 0.00387130915607, 0},
    {32064, 389, 1, 389, 3, 0, 23.502147088, 23.5330650303, 0.454772944244, 1.89086856557e-12, 937, 979, 0.000494882582634, 0},
    {200064, 613, 9, 613, 40, 123456, 25.2884900164, 9.81932335678, 5.63663622142, -5.43903642183e-05, 408, 996, 7.91375281184e-05, 0},
    {5, 211, 7, 307, 2, 4, 11.1645539337, 0.0377003519359, 10.5942408619, -0.9629872916, 3, 4, 0.963001459185, 5},
    {13, 97, 0, 89, 6, 12, 14.8487429831, 13.1699167267, 1.39363145087, -1.55126437467e-06, 11, 10, 0.780327382106, 4},
};

void expect_close(float found, double expected) { EXPECT_NEAR(static_cast<double>(found), expected, 1e-6 * std::fabs(expected)); }

TEST(ScorePosition, AgreesWithAnIndependentOracle) {
  for (const Oracle& row : kOracle) {
    const auto reference = logits(row.count, row.reference_a, row.reference_b), candidate = logits(row.count, row.candidate_a, row.candidate_b);
    const PositionScore score = score_position(reference, candidate, row.target);
    expect_close(score.nll, row.nll);
    expect_close(score.nll_reference, row.nll_reference);
    expect_close(score.kld, row.kld);
    expect_close(score.delta_p, row.delta_p);
    expect_close(score.p_top1_reference, row.p_top1_reference);
    EXPECT_EQ(score.top1, row.top1);
    EXPECT_EQ(score.top1_reference, row.top1_reference);
    EXPECT_EQ(score.top5_overlap, row.top5_overlap);
    EXPECT_EQ(score.target, row.target);
  }
}

TEST(ScorePosition, EqualLogitsHaveNoDivergenceAtAll) {
  for (const int64_t count : {5, 13, 320, 32064}) {
    const auto values = logits(count, 389, 17);
    const PositionScore score = score_position(values, values, 3);
    EXPECT_EQ(score.kld, 0.0f);
    EXPECT_EQ(score.delta_p, 0.0f);
    EXPECT_EQ(score.nll, score.nll_reference);
    EXPECT_TRUE(score.same_top1());
    EXPECT_EQ(score.top5_overlap, 5);
    EXPECT_EQ(score.top10_overlap, std::min<int64_t>(10, count));
  }
}

TEST(ScorePosition, OverlapsCountIdsInBothTopFiveAndTopTen) {
  std::vector<float> rising, falling;
  for (int i = 0; i < 12; ++i) rising.push_back(static_cast<float>(i)), falling.push_back(static_cast<float>(-i));
  const PositionScore score = score_position(rising, falling, 0);
  EXPECT_EQ(score.top5_overlap, 0);   // {7 .. 11} and {0 .. 4}
  EXPECT_EQ(score.top10_overlap, 8);  // {2 .. 11} and {0 .. 9}
}

TEST(ScorePosition, SmallDivergencesAreNotLostInRounding) {
  // One logit of 1000 equal ones moved by d: KLD = ln((999 + e^d) / 1000) - d / 1000, about d^2 / 2000.
  std::vector<float> reference(1000, 0.0f), candidate = reference;
  candidate[500] = 0.0078125f;
  const double d = 0.0078125;
  const double expected = std::log1p(std::expm1(d) / 1000) - d / 1000;
  EXPECT_NEAR(static_cast<double>(score_position(reference, candidate, 0).kld), expected, 1e-6 * expected);
}

TEST(ScorePosition, WithoutAReferenceOnlyTheCandidateIsScored) {
  const auto candidate = logits(320, 11, 5);
  const PositionScore score = score_position({}, candidate, 17);
  expect_close(score.nll, 15.8107354478);
  EXPECT_EQ(score.top1, 185);
  EXPECT_EQ(score.kld, 0.0f);
}

TEST(ScorePosition, TheLowestIdWinsATie) {
  const std::vector<float> reference{1, 5, 5, 0, 5, 5, 5, 5}, candidate{7, 1, 1, 7, 0, 0, 0, 7};
  const PositionScore score = score_position(reference, candidate, 0);
  EXPECT_EQ(score.top1, 0);
  EXPECT_EQ(score.top1_reference, 1);
  EXPECT_EQ(score.top5_overlap, 2);  // {1 2 4 5 6} and {0 3 7 1 2}
}

TEST(ScorePosition, MaskedIdsCountAsNothingInBoth) {
  std::vector<float> reference = logits(64, 7, 3), candidate = logits(64, 11, 5);
  reference[9] = candidate[9] = -kInfinity;
  const PositionScore masked = score_position(reference, candidate, 3);
  reference.erase(reference.begin() + 9);
  candidate.erase(candidate.begin() + 9);
  const PositionScore removed = score_position(reference, candidate, 3);
  expect_close(masked.kld, static_cast<double>(removed.kld));
  expect_close(masked.nll, static_cast<double>(removed.nll));
}

TEST(ScorePosition, AnImpossibleTargetAndNaNStayVisible) {
  std::vector<float> reference = logits(64, 7, 3), candidate = reference;
  candidate[5] = -kInfinity;
  EXPECT_EQ(score_position(reference, candidate, 5).nll, kInfinity);
  EXPECT_EQ(score_position(reference, candidate, 5).kld, kInfinity);
  candidate[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(score_position(reference, candidate, 3).nll));
  EXPECT_TRUE(std::isnan(score_position(reference, candidate, 3).kld));
}

TEST(ScorePosition, FarApartLogitsNeitherOverflowNorLoseTheTail) {
  const std::vector<float> reference{0, -700, -800, -30000}, candidate{-700, 0, -30000, -800};
  const PositionScore score = score_position(reference, candidate, 3);
  EXPECT_FLOAT_EQ(score.nll, 800);
  EXPECT_FLOAT_EQ(score.nll_reference, 30000);
  EXPECT_FLOAT_EQ(score.kld, 700);
}

}  // namespace
}  // namespace phiscope
