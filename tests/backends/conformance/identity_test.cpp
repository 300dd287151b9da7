// What must be equal bit for bit: other thread counts, a model against itself.
#include "tests/backends/conformance/conformance.h"

namespace phiscope::test {
namespace {

// Odd sizes (80, 112) and GQA; windows; longrope. Sizes that no thread count divides evenly.
constexpr const char* kModels[] = {"phi-3-h80", "phi-3-medium-tiny", "phi-4-mini-tiny", "phi-2-h80", "phi-tiny-moe-tiny"};
constexpr const char* kRecipes[] = {"fp32", "bf16", "int8-dyn", "int4", "int4-dyn"};

class Identity : public Conformance {
 protected:
  OpenOptions with_threads(int threads) const {
    OpenOptions chosen = options(KvType::f16);
    chosen.threads = threads;
    return chosen;
  }
};

TEST_P(Identity, ResultsDoNotDependOnTheNumberOfThreads) {
  std::vector<float> prefill, decode;
  for (const int threads : {1, 2, 3, 5}) {
    const auto session = open(with_threads(threads));
    ASSERT_TRUE(session);
    const Outputs out = run(*session, ids(100));
    ASSERT_TRUE(session->truncate(0).has_value());
    ASSERT_TRUE(session->append(ids(33)).has_value());
    ASSERT_TRUE(session->decode(6, greedy_sampler, [](int32_t, int64_t) { return true; }).has_value());
    const std::vector<float> last(session->last_logits().begin(), session->last_logits().end());
    if (threads == 1) {
      prefill = out.logits;
      decode = last;
    }
    EXPECT_EQ(out.logits, prefill) << threads;
    EXPECT_EQ(last, decode) << threads;
  }
}

TEST_P(Identity, AModelAgainstItselfHasNoDivergenceAtAll) {
  OpenOptions chosen = options(KvType::f16);
  chosen.activation = ActivationMode::wide;  // as the reference's head multiplies
  chosen.reference_weights = weights_.get();
  const auto reference = open(chosen), candidate = open(chosen);
  ASSERT_TRUE(reference && candidate);
  const std::vector<int32_t> window = ids(100);
  const Outputs kept = run(*reference, window);
  const int64_t hidden = model_.plan->hidden;
  const auto of_positions = std::span<const float>(kept.hidden).subspan(static_cast<size_t>(10 * hidden), static_cast<size_t>(89 * hidden));
  const auto scores = score_window(*candidate, window, 10, 98, of_positions, hidden, model_.plan->vocab);
  ASSERT_TRUE(scores.has_value()) << scores.error().message;
  for (const PositionScore& score : *scores) {
    EXPECT_EQ(score.kld, 0.0f);
    EXPECT_EQ(score.delta_p, 0.0f);
    EXPECT_EQ(score.nll, score.nll_reference);
    EXPECT_TRUE(score.same_top1());
    EXPECT_EQ(score.top5_overlap, 5);
  }
}

TEST_P(Identity, TheReferenceHeadGivesTheReferencesOwnLogits) {
  OpenOptions chosen = options();
  chosen.reference_weights = model_.weights.get();
  const auto candidate = open(chosen);
  ASSERT_TRUE(candidate);
  auto reference = GetParam().backend->open(model_.plan, model_.weights, options());
  ASSERT_TRUE(reference.has_value()) << reference.error().message;
  const Outputs of_reference = run(**reference, ids(33));
  std::vector<float> logits(of_reference.logits.size());
  ASSERT_TRUE(candidate->logits(of_reference.hidden, Head::reference, logits).has_value());
  EXPECT_EQ(logits, of_reference.logits);
}

TEST_P(Identity, TheReferenceHeadNeedsTheReferencesWeights) {
  const auto session = open(options());
  ASSERT_TRUE(session);
  const std::vector<float> hidden(static_cast<size_t>(model_.plan->hidden));
  std::vector<float> logits(static_cast<size_t>(model_.plan->vocab));
  const Status done = session->logits(hidden, Head::reference, logits);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(All, Identity, testing::ValuesIn(all_cases(kModels, kRecipes)), [](const auto& one) { return case_name(one.param); });

}  // namespace
}  // namespace phiscope::test
