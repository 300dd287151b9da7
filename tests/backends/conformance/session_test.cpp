// What a Session promises (core/backend/backend.h).
#include "tests/backends/conformance/conformance.h"

namespace phiscope::test {
namespace {

// Sliding window; longrope with a switch at 64 and GQA with a tied head.
constexpr const char* kModels[] = {"phi-3-mini-tiny", "phi-4-mini-tiny"};
constexpr const char* kRecipes[] = {"source", "int4-dyn"};

// Prefill and decode may add in different orders: f32 noise, or for 8-bit activations a code that falls to the other side of a rounding edge.
float order_tolerance(const Recipe& recipe) { return recipe.activation == ActivationMode::int8 ? 0.1f : 2e-4f; }

class SessionPromises : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    session_ = open(options());
    ASSERT_TRUE(session_);
    prompt_ = ids(100);
  }
  Status append(std::span<const int32_t> part) { return session_->append(part); }
  std::vector<float> last_logits() const { return {session_->last_logits().begin(), session_->last_logits().end()}; }
  void expect_same(std::span<const float> a, std::span<const float> b) const { EXPECT_LE(largest_difference(a, b), order_tolerance(recipe_)); }
  static bool keep_going(int32_t, int64_t) { return true; }

  std::unique_ptr<Session> session_;
  std::vector<int32_t> prompt_;
};

TEST_P(SessionPromises, AppendingInPiecesEqualsAppendingAtOnce) {
  const Outputs whole = run(*session_, prompt_);
  ASSERT_TRUE(session_->truncate(0).has_value());
  const std::span<const int32_t> all(prompt_);
  for (const auto& [first, count] : {std::pair{0, 1}, {1, 30}, {31, 1}, {32, 40}, {72, 28}})
    ASSERT_TRUE(append(all.subspan(static_cast<size_t>(first), static_cast<size_t>(count))).has_value());
  EXPECT_EQ(session_->length(), 100);
  expect_same(session_->last_logits(), last_row(whole));
}

TEST_P(SessionPromises, HiddenStatesAreOfTheAppendedPositionsAlone) {
  const Outputs whole = run(*session_, prompt_);
  ASSERT_TRUE(session_->truncate(0).has_value());
  const auto width = static_cast<size_t>(model_.plan->hidden);
  // The second piece crosses the longrope switch, so the first piece is computed again inside it.
  std::vector<float> first(60 * width), second(40 * width);
  ASSERT_TRUE(session_->append(std::span(prompt_).first(60), first).has_value());
  ASSERT_TRUE(session_->append(std::span(prompt_).subspan(60), second).has_value());
  expect_same(second, std::span(whole.hidden).last(40 * width));
}

TEST_P(SessionPromises, TruncatingForgetsWhatCameAfter) {
  for (const int64_t kept : {1, 30, 64, 65, 90}) {
    ASSERT_TRUE(session_->truncate(0).has_value());
    ASSERT_TRUE(append(prompt_).has_value());
    ASSERT_TRUE(session_->truncate(kept).has_value());
    EXPECT_EQ(session_->length(), kept);
    const std::vector<int32_t> other = ids(7);
    ASSERT_TRUE(append(other).has_value());
    std::vector<int32_t> same(prompt_.begin(), prompt_.begin() + kept);
    same.insert(same.end(), other.begin(), other.end());
    const std::vector<float> found = last_logits();
    const Outputs fresh = run(*session_, same);
    expect_same(found, last_row(fresh));
  }
}

TEST_P(SessionPromises, AppendingForHiddenStatesLeavesTheLastLogitsAlone) {
  ASSERT_TRUE(append(std::span(prompt_).first(40)).has_value());
  const std::vector<float> before = last_logits();
  std::vector<float> hidden(5 * static_cast<size_t>(model_.plan->hidden));
  ASSERT_TRUE(session_->append(std::span(prompt_).subspan(40, 5), hidden).has_value());
  EXPECT_EQ(last_logits(), before);
  ASSERT_TRUE(session_->truncate(40).has_value());
  EXPECT_EQ(last_logits(), before);
}

TEST_P(SessionPromises, TooLongASequenceIsAnErrorWithBothNumbersAndChangesNothing) {
  OpenOptions small = options();
  small.context = 48;
  const auto session = open(small);
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->append(std::span(prompt_).first(40)).has_value());
  const Status done = session->append(std::span(prompt_).subspan(40, 9));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(done.error().message.find("49"), std::string::npos) << done.error().message;
  EXPECT_NE(done.error().message.find("48"), std::string::npos) << done.error().message;
  EXPECT_EQ(session->length(), 40);
  EXPECT_TRUE(session->append(std::span(prompt_).subspan(40, 8)).has_value());
  EXPECT_FALSE(session->decode(1, greedy_sampler, keep_going).has_value());
}

TEST_P(SessionPromises, IdsOutsideTheVocabularyAreAnErrorAndChangeNothing) {
  ASSERT_TRUE(append(std::span(prompt_).first(10)).has_value());
  for (const int32_t bad : {-1, static_cast<int32_t>(model_.plan->vocab)}) {
    const std::vector<int32_t> part{5, bad};
    const Status done = append(part);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(done.error().message.find(std::to_string(bad)), std::string::npos) << done.error().message;
    EXPECT_EQ(session_->length(), 10);
  }
}

TEST_P(SessionPromises, DecodingEqualsAppendingTheChosenIds) {
  ASSERT_TRUE(append(std::span(prompt_).first(33)).has_value());
  std::vector<int32_t> chosen;
  int64_t time = 0;
  const auto keep = [&](int32_t id, int64_t time_ns) {
    EXPECT_GE(time_ns, time);
    time = time_ns;
    chosen.push_back(id);
    return true;
  };
  ASSERT_TRUE(session_->decode(12, greedy_sampler, keep).has_value());
  EXPECT_EQ(chosen.size(), 12u);
  EXPECT_EQ(session_->length(), 45);
  const std::vector<float> after = last_logits();
  std::vector<int32_t> whole(prompt_.begin(), prompt_.begin() + 33);
  whole.insert(whole.end(), chosen.begin(), chosen.end());
  const Outputs fresh = run(*session_, whole);
  expect_same(after, last_row(fresh));
}

TEST_P(SessionPromises, DecodingStopsWhenTheReceiverSaysSo) {
  ASSERT_TRUE(append(std::span(prompt_).first(33)).has_value());
  int received = 0;
  ASSERT_TRUE(session_->decode(10, greedy_sampler, [&](int32_t, int64_t) { return ++received < 3; }).has_value());
  EXPECT_EQ(received, 3);
  EXPECT_EQ(session_->length(), 36);
}

TEST_P(SessionPromises, TheSamplerMayChangeTheLogitsItSees) {
  ASSERT_TRUE(append(std::span(prompt_).first(5)).has_value());
  std::vector<int32_t> chosen;
  const Sampler always_nine = [](std::span<float> logits) {
    std::ranges::fill(logits, 0.0f);
    return 9;
  };
  const auto keep = [&](int32_t id, int64_t) {
    chosen.push_back(id);
    return true;
  };
  ASSERT_TRUE(session_->decode(2, always_nine, keep).has_value());
  EXPECT_EQ(chosen, (std::vector<int32_t>{9, 9}));
}

TEST_P(SessionPromises, ReportsWhatRanAndWhatItTakes) {
  ASSERT_TRUE(append(prompt_).has_value());
  const Effective effective = session_->effective();
  for (const std::string& text : {effective.instruction_set, effective.weights, effective.activations, effective.accumulate, effective.kv})
    EXPECT_FALSE(text.empty());
  const MemoryReport memory = session_->memory();
  EXPECT_GT(memory.weights_private + memory.weights_mapped, 0u);
  EXPECT_GT(memory.kv_per_token, 0u);
  EXPECT_GE(memory.kv_allocated, 100 * memory.kv_per_token);
  EXPECT_GT(memory.bytes_per_decode_token, 0u);
}

TEST_P(SessionPromises, LoadingCanBeCancelled) {
  OpenOptions cancelled = options();
  cancelled.on_progress = [](double) { return false; };
  const auto session = GetParam().backend->open(model_.plan, weights_, cancelled);
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::cancelled);
}

TEST_P(SessionPromises, ContinuationsShareOneContext) {
  const std::span<const int32_t> context = std::span(prompt_).first(20);
  const std::vector<int32_t> a(prompt_.begin() + 20, prompt_.begin() + 26), b(prompt_.begin() + 50, prompt_.begin() + 51), c(prompt_.begin() + 70, prompt_.begin() + 73);
  const int64_t hidden = model_.plan->hidden, vocab = model_.plan->vocab;
  std::vector<double> shared, alone;
  for (const auto* continuation : {&a, &b, &c}) {
    const auto score = score_continuation(*session_, context, !shared.empty(), *continuation, hidden, vocab);
    ASSERT_TRUE(score.has_value()) << score.error().message;
    shared.push_back(score->log_likelihood);
    EXPECT_EQ(session_->length(), 20);
  }
  for (const auto* continuation : {&a, &b, &c}) {
    std::vector<int32_t> window(context.begin(), context.end());
    window.insert(window.end(), continuation->begin(), continuation->end());
    const auto scores = score_window(*session_, window, 19, static_cast<int64_t>(window.size()) - 2, {}, hidden, vocab);
    ASSERT_TRUE(scores.has_value()) << scores.error().message;
    double sum = 0;
    for (const PositionScore& score : *scores) sum -= static_cast<double>(score.nll);
    alone.push_back(sum);
  }
  for (size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(shared[i], alone[i], static_cast<double>(order_tolerance(recipe_)) * 6);
}

INSTANTIATE_TEST_SUITE_P(All, SessionPromises, testing::ValuesIn(all_cases(kModels, kRecipes)), [](const auto& one) { return case_name(one.param); });

TEST(FindBackend, NamesThoseThatExist) {
  const auto found = find_backend("tpu");
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::invalid_argument);
  for (const Backend* backend : backends()) EXPECT_NE(found.error().message.find(backend->name()), std::string::npos) << found.error().message;
}

}  // namespace
}  // namespace phiscope::test
