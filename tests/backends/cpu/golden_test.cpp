// The CPU backend against Hugging Face transformers, with every instruction set of this machine.
#include <gtest/gtest.h>

#include "backends/cpu/kernels/kernel_rows.h"
#include "core/backend/backend.h"
#include "core/base/platform/platform.h"
#include "tests/support/golden.h"

namespace phiscope {
const Backend& cpu_backend();
namespace {

using test::largest_difference;

// The goldens' own f32 noise is 3.2e-5; the smallest mistake worth finding (erf in place of tanh GELU) moves logits by 3e-4.
constexpr float kTolerance = 2e-4f;

using Parameter = std::tuple<const char*, std::string>;  // model, instruction set

class CpuGolden : public testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
    PHISCOPE_FIXTURE(folder, std::string("models/") + std::get<0>(GetParam()));
    auto loaded = load_model(folder);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    model_ = std::move(*loaded);
    golden_ = std::make_unique<test::GoldenFile>(folder);
  }

  std::unique_ptr<Session> open(int threads = 2, KvType kv = KvType::f32) const {
    OpenOptions options;
    options.kv = kv;
    options.threads = threads;
    options.context = 256;
    options.instruction_set = std::get<1>(GetParam());
    auto session = cpu_backend().open(model_.plan, model_.weights, options);
    if (!session) ADD_FAILURE() << session.error().message;
    return session ? std::move(*session) : nullptr;
  }

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

TEST_P(CpuGolden, LogitsAgreeAtEveryPositionOfEveryPrompt) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  for (const int length : test::golden_lengths(*golden_)) {
    const std::string prompt = "p" + std::to_string(length) + ".";
    const Outputs out = run(*session, golden_->ids(prompt + "input_ids"));
    if (golden_->has(prompt + "logits")) {
      EXPECT_LE(largest_difference(out.logits, golden_->floats(prompt + "logits")), kTolerance) << prompt;
    }
    if (golden_->has(prompt + "final_norm")) {
      EXPECT_LE(largest_difference(out.hidden, golden_->floats(prompt + "final_norm")), kTolerance) << prompt;
    }
  }
}

TEST_P(CpuGolden, HiddenStatesAgreeAfterEveryLayer) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  for (const int length : {1, 7, 33}) {
    const std::string prompt = "p" + std::to_string(length) + ".";
    const auto states = session->trace(golden_->ids(prompt + "input_ids"));
    ASSERT_TRUE(states.has_value()) << states.error().message;
    EXPECT_LE(largest_difference(*states, golden_->floats(prompt + "hidden")), kTolerance) << prompt;
  }
}

TEST_P(CpuGolden, GreedyContinuationIsIdentical) {
  const auto session = open(2, KvType::f32);
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

TEST_P(CpuGolden, ResultsDoNotDependOnTheNumberOfThreads) {
  const auto one = open(1), three = open(3);
  ASSERT_NE(one, nullptr);
  ASSERT_NE(three, nullptr);
  const auto ids = golden_->ids("p100.input_ids");
  EXPECT_EQ(run(*one, ids).logits, run(*three, ids).logits);
}

TEST_P(CpuGolden, SplitAppendsAndTruncatedSequencesGiveTheSameAnswer) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  const auto ids = golden_->ids("p100.input_ids");
  const Outputs whole = run(*session, ids);
  ASSERT_TRUE(session->truncate(41).has_value());
  ASSERT_TRUE(session->append(std::span(ids).subspan(41, 1)).has_value());
  // With longrope this append crosses the switch, so that the cached positions are computed again.
  std::vector<float> hidden(58 * static_cast<size_t>(model_.plan->hidden));
  ASSERT_TRUE(session->append(std::span(ids).subspan(42), hidden).has_value());
  EXPECT_LE(largest_difference(hidden, std::span(whole.hidden).last(hidden.size())), kTolerance);
}

TEST_P(CpuGolden, HalfAndByteCachesStayNear) {
  const auto ids = golden_->ids("p33.input_ids");
  const auto expected = golden_->floats("p33.logits");
  // Rounding keys and values to 11 and to 8 bits; logits are of the order of 10.
  for (const auto& [kv, tolerance] : {std::pair{KvType::f16, 0.05f}, {KvType::int8, 0.8f}}) {
    const auto session = open(2, kv);
    ASSERT_NE(session, nullptr);
    const float difference = largest_difference(run(*session, ids).logits, expected);
    EXPECT_LE(difference, tolerance) << kv_type_name(kv);
    EXPECT_GT(difference, 0) << kv_type_name(kv);
  }
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const cpu::KernelRow& row : cpu::kernel_rows()) {
    if ((row.needs & ~platform::cpu_info().features) == 0) names.emplace_back(row.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, CpuGolden, testing::Combine(testing::ValuesIn(test::kGoldenModels), testing::ValuesIn(instruction_sets())),
                         [](const auto& one) { return test::test_name(std::get<0>(one.param)) + "_" + std::get<1>(one.param); });

}  // namespace
}  // namespace phiscope
