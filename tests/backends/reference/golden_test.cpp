// The reference backend against Hugging Face transformers.
#include <gtest/gtest.h>

#include "core/backend/backend.h"
#include "core/backend/score.h"
#include "tests/support/golden.h"

namespace phiscope {
namespace {

using test::largest_difference;

// The goldens' own f32 noise is 3.2e-5; the smallest mistake worth finding (erf in place of tanh GELU) moves logits by 3e-4.
constexpr float kTolerance = 2e-4f;

class Golden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    PHISCOPE_FIXTURE(folder, std::string("models/") + GetParam());
    auto loaded = load_model(folder);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    model_ = std::move(*loaded);
    golden_ = std::make_unique<test::GoldenFile>(folder);
  }

  std::unique_ptr<Session> open(std::shared_ptr<const Plan> plan) const {
    const auto backend = find_backend("reference");
    if (!backend) return nullptr;
    OpenOptions options;
    options.kv = KvType::f32;
    auto session = (*backend)->open(std::move(plan), model_.weights, options);
    if (!session) ADD_FAILURE() << session.error().message;
    return session ? std::move(*session) : nullptr;
  }

  // Final-norm states and logits of every position of a fresh window.
  struct Outputs {
    std::vector<float> hidden, logits;
  };
  Outputs run(Session& session, std::span<const int32_t> ids) const {
    Outputs out;
    out.hidden.resize(ids.size() * static_cast<size_t>(model_.plan->hidden));
    out.logits.resize(ids.size() * static_cast<size_t>(model_.plan->vocab));
    EXPECT_TRUE(session.truncate(0).has_value());
    EXPECT_TRUE(session.append(ids, out.hidden).has_value());
    EXPECT_TRUE(session.logits(out.hidden, Head::own, out.logits).has_value());
    return out;
  }

  Model model_;
  std::unique_ptr<test::GoldenFile> golden_;
};

TEST_P(Golden, LogitsAgreeAtEveryPositionOfEveryPrompt) {
  const auto session = open(model_.plan);
  ASSERT_NE(session, nullptr);
  for (const int length : test::golden_lengths(*golden_)) {
    const std::string prompt = "p" + std::to_string(length) + ".";
    const Outputs out = run(*session, golden_->ids(prompt + "input_ids"));
    if (golden_->has(prompt + "logits")) {
      EXPECT_LE(largest_difference(out.logits, golden_->floats(prompt + "logits")), kTolerance) << prompt;
    }
    if (golden_->has(prompt + "last_logits")) {
      EXPECT_LE(largest_difference(std::span(out.logits).last(static_cast<size_t>(model_.plan->vocab)), golden_->floats(prompt + "last_logits")), kTolerance)
          << prompt;
    }
    if (golden_->has(prompt + "final_norm")) {
      EXPECT_LE(largest_difference(out.hidden, golden_->floats(prompt + "final_norm")), kTolerance) << prompt;
    }
  }
}

TEST_P(Golden, HiddenStatesAgreeAfterEveryLayer) {
  const auto session = open(model_.plan);
  ASSERT_NE(session, nullptr);
  for (const int length : {1, 7, 33}) {
    const std::string prompt = "p" + std::to_string(length) + ".";
    const auto states = session->trace(golden_->ids(prompt + "input_ids"));
    ASSERT_TRUE(states.has_value()) << states.error().message;
    EXPECT_LE(largest_difference(*states, golden_->floats(prompt + "hidden")), kTolerance) << prompt;
  }
}

TEST_P(Golden, GreedyContinuationIsIdentical) {
  const auto session = open(model_.plan);
  ASSERT_NE(session, nullptr);
  for (const int length : test::golden_lengths(*golden_)) {
    const std::string prompt = "p" + std::to_string(length) + ".";
    const auto expected = golden_->ids(prompt + "greedy");
    ASSERT_TRUE(session->truncate(0).has_value());
    ASSERT_TRUE(session->append(golden_->ids(prompt + "input_ids")).has_value());
    std::vector<int32_t> ids;
    const auto keep = [&](int32_t id, int64_t) {
      ids.push_back(id);
      return true;
    };
    const Status done = session->decode(static_cast<int64_t>(expected.size()), greedy_sampler, keep);
    ASSERT_TRUE(done.has_value()) << done.error().message;
    EXPECT_EQ(ids, expected) << prompt;
  }
}

TEST_P(Golden, NegativeLogLikelihoodsAgree) {
  const auto session = open(model_.plan);
  ASSERT_NE(session, nullptr);
  for (const int length : test::golden_lengths(*golden_)) {
    if (length < 2) continue;
    const std::string prompt = "p" + std::to_string(length) + ".";
    const auto scores = score_window(*session, golden_->ids(prompt + "input_ids"), 0, length - 2, {}, model_.plan->hidden, model_.plan->vocab);
    ASSERT_TRUE(scores.has_value()) << scores.error().message;
    std::vector<float> nll;
    for (const PositionScore& score : *scores) nll.push_back(score.nll);
    EXPECT_LE(largest_difference(nll, golden_->floats(prompt + "nll")), kTolerance) << prompt;
  }
}

// Engines that fix one list per session are described by these; here they prove that both lists are read right at every length.
TEST_P(Golden, ForcedRotaryListsAgree) {
  for (const auto& [length, list] : {std::pair{33, "long"}, {100, "short"}}) {
    const std::string name = fmt::format("alt.p{}.{}_list.logits", length, list);
    if (!golden_->has(name)) continue;
    auto plan = std::make_shared<Plan>(*model_.plan);
    plan->rotary.switch_length = 0;
    if (std::string(list) == "long") plan->rotary.frequencies_short = plan->rotary.frequencies_long;
    const auto session = open(plan);
    ASSERT_NE(session, nullptr);
    const Outputs out = run(*session, golden_->ids(fmt::format("p{}.input_ids", length)));
    EXPECT_LE(largest_difference(out.logits, golden_->floats(name)), kTolerance) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::ValuesIn(test::kGoldenModels), [](const auto& model) { return test::test_name(model.param); });

}  // namespace
}  // namespace phiscope
