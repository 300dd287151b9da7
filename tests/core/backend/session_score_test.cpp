// score_window and score_continuation against a session whose numbers are known by construction.
#include <gtest/gtest.h>

#include <cmath>

#include "core/backend/score.h"

namespace phiscope {
namespace {

constexpr int64_t kVocab = 4, kHidden = 1;

// Hidden state of a position = its id; logits of state h: 1 for id (h + 1) mod 4, else 0; the reference's head says 2.
class CountingSession : public Session {
 public:
  Status truncate(int64_t length) override {
    ids_.resize(static_cast<size_t>(std::min<int64_t>(length, this->length())));
    return {};
  }
  int64_t length() const override { return static_cast<int64_t>(ids_.size()); }
  Status append(std::span<const int32_t> ids, std::span<float> hidden_out) override {
    for (size_t i = 0; i < ids.size(); ++i) {
      ids_.push_back(ids[i]);
      if (!hidden_out.empty()) hidden_out[i] = static_cast<float>(ids[i]);
    }
    longest = std::max(longest, length());
    if (hidden_out.empty()) {
      const float last = static_cast<float>(ids_.back());
      last_.resize(kVocab);
      return logits(std::span(&last, 1), Head::own, last_);
    }
    return {};
  }
  std::span<const float> last_logits() const override { return last_; }
  Status decode(int64_t, const Sampler&, const TokenCallback&) override { return fail(ErrorCode::unsupported, "not here"); }
  Status logits(std::span<const float> hidden, Head head, std::span<float> logits_out) override {
    std::ranges::fill(logits_out, 0.0f);
    for (size_t row = 0; row < hidden.size(); ++row)
      logits_out[row * kVocab + (static_cast<size_t>(hidden[row]) + 1) % kVocab] = head == Head::own ? 1.0f : 2.0f;
    return {};
  }
  MemoryReport memory() const override { return {}; }
  Effective effective() const override { return {}; }

  int64_t longest = 0;

 private:
  std::vector<int32_t> ids_;
  std::vector<float> last_;
};

double nll_of(double logit_target, double logit_top) { return std::log(std::exp(logit_top) + 3) - logit_target; }

TEST(ScoreWindow, ScoresEachPositionAgainstTheIdThatFollows) {
  CountingSession session;
  const std::vector<int32_t> window{0, 1, 2, 0, 1};
  const std::vector<float> reference_hidden{1, 2, 0};
  const auto scores = score_window(session, window, 1, 3, reference_hidden, kHidden, kVocab);
  ASSERT_TRUE(scores.has_value()) << scores.error().message;
  ASSERT_EQ(scores->size(), 3u);
  EXPECT_EQ(session.longest, 5) << "the whole window chooses the longrope list";
  const double wanted[] = {nll_of(1, 1), nll_of(0, 1), nll_of(1, 1)}, wanted_reference[] = {nll_of(2, 2), nll_of(0, 2), nll_of(2, 2)};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*scores)[i].target, window[i + 2]);
    EXPECT_NEAR(static_cast<double>((*scores)[i].nll), wanted[i], 1e-6);
    EXPECT_NEAR(static_cast<double>((*scores)[i].nll_reference), wanted_reference[i], 1e-6);
  }
}

TEST(ScoreWindow, RefusesRangesAndTargetsThatDoNotExist) {
  CountingSession session;
  const std::vector<int32_t> window{0, 1, 2, 9};
  for (const auto& [first, last] : {std::pair{-1, 1}, {2, 1}, {0, 3}, {0, 2}})
    EXPECT_FALSE(score_window(session, window, first, last, {}, kHidden, kVocab).has_value()) << first << " " << last;
  EXPECT_TRUE(score_window(session, window, 0, 1, {}, kHidden, kVocab).has_value());
  const std::vector<float> too_few{1};
  EXPECT_FALSE(score_window(session, window, 0, 1, too_few, kHidden, kVocab).has_value());
}

TEST(ScoreContinuation, AddsLogProbabilitiesAndSaysWhetherAllWereGreedy) {
  CountingSession session;
  const std::vector<int32_t> context{3, 0}, greedy{1, 2, 3}, other{1, 3}, outside{7};
  const auto a = score_continuation(session, context, false, greedy, kHidden, kVocab);
  ASSERT_TRUE(a.has_value()) << a.error().message;
  EXPECT_NEAR(a->log_likelihood, -3 * nll_of(1, 1), 1e-6);
  EXPECT_TRUE(a->is_greedy);
  EXPECT_EQ(session.length(), 2);
  const auto b = score_continuation(session, context, true, other, kHidden, kVocab);
  ASSERT_TRUE(b.has_value()) << b.error().message;
  EXPECT_NEAR(b->log_likelihood, -nll_of(1, 1) - nll_of(0, 1), 1e-6);
  EXPECT_FALSE(b->is_greedy);
  EXPECT_FALSE(score_continuation(session, context, true, outside, kHidden, kVocab).has_value());
  EXPECT_FALSE(score_continuation(session, context, true, {}, kHidden, kVocab).has_value());
}

TEST(GreedySampler, TakesTheLowestIdOnTies) {
  std::vector<float> logits{1, 3, 3, 2};
  EXPECT_EQ(greedy_sampler(logits), 1);
}

}  // namespace
}  // namespace phiscope
