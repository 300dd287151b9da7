// A model computed layer by layer gives the bits of one that is computed whole (core/backend/walk.h).
#include "core/backend/walk.h"

#include <cstring>

#include "tests/backends/conformance/conformance.h"

namespace phiscope::test {
namespace {

class LayerByLayer : public Conformance {
 protected:
  Walk walk() const {
    Walk walk;
    walk.backend = GetParam().backend;
    walk.plan = model_.plan;
    walk.weights = weights_;
    walk.options = options(recipe_.kv);
    walk.scratch_folder = folder_ / "scratch";
    return walk;
  }
  static bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
  }

  TemporaryFolder folder_;
};

TEST_P(LayerByLayer, HiddenStatesAndLogitsAreThoseOfTheWholeModelBitForBit) {
  const auto whole = open(options(recipe_.kv));
  ASSERT_TRUE(whole);
  // Shorter and longer than a longrope switch at 64, sliding windows of 24 and 31, and micro-batches.
  const std::vector<int32_t> a = ids(100), b = ids(33), c(a.begin() + 20, a.begin() + 84), d(1, 5);
  const std::vector<std::span<const int32_t>> windows{a, b, c, d};
  const Stage head = head_stage(*model_.plan, weights_);
  OpenOptions head_options = options(recipe_.kv);
  auto head_session = GetParam().backend->open(head.plan, head.weights, head_options);
  ASSERT_TRUE(head_session.has_value()) << head_session.error().message;
  std::vector<size_t> order;
  const Status done = walk_layers(walk(), windows, [&](size_t window, std::span<const float> hidden) -> Status {
    order.push_back(window);
    const Outputs expected = run(*whole, windows[window]);
    EXPECT_TRUE(same_bits(hidden, expected.hidden)) << "window " << window;
    std::vector<float> logits(expected.logits.size());
    EXPECT_TRUE((*head_session)->logits(hidden, Head::own, logits).has_value());
    EXPECT_TRUE(same_bits(logits, expected.logits)) << "window " << window;
    return {};
  });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 3}));
}

TEST_P(LayerByLayer, LeavesNothingBehindAndStopsWhenTold) {
  const std::vector<int32_t> a = ids(33);
  const std::vector<std::span<const int32_t>> windows{a};
  Walk one = walk();
  int64_t last = -2;
  one.on_progress = [&](double fraction, int64_t layer) {
    EXPECT_GE(fraction, 0.0);
    EXPECT_LE(fraction, 1.0);
    last = layer;
    return layer < 1;
  };
  const Status done = walk_layers(one, windows, [](size_t, std::span<const float>) -> Status { return {}; });
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::cancelled);
  EXPECT_EQ(last, 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "scratch"));
}

TEST_P(LayerByLayer, AVisitorSeesEveryLayerAndMayChangeItsRows) {
  const std::vector<int32_t> a = ids(33);
  const std::vector<std::span<const int32_t>> windows{a};
  const auto whole = open(options(recipe_.kv));
  ASSERT_TRUE(whole);
  const auto trace = whole->trace(a);
  ASSERT_TRUE(trace.has_value()) << trace.error().message;
  Walk one = walk();
  int64_t seen = -1;
  one.on_layer = [&](int64_t layer, size_t, std::span<float> residual) -> Status {
    EXPECT_EQ(layer, seen++);
    const auto expected = std::span(*trace).subspan(static_cast<size_t>(layer + 1) * residual.size(), residual.size());
    EXPECT_TRUE(same_bits(residual, expected)) << "after layer " << layer;
    if (layer + 1 == model_.plan->layers) std::ranges::fill(residual, 0.0f);
    return {};
  };
  const Status done = walk_layers(one, windows, [](size_t, std::span<const float> hidden) -> Status {
    // The norm of zeros is zero, or the bias of a layer norm: the same in every row.
    const size_t width = hidden.size() / 33;
    EXPECT_TRUE(same_bits(hidden.first(width), hidden.last(width)));
    return {};
  });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(seen, model_.plan->layers);
}

// Every architecture; long context lists, a tied head, experts, biases.
constexpr const char* kRecipes[] = {"source", "int8", "int4-dyn"};
INSTANTIATE_TEST_SUITE_P(All, LayerByLayer, testing::ValuesIn(all_cases(kGoldenModels, kRecipes)), [](const auto& one) { return case_name(one.param); });

}  // namespace
}  // namespace phiscope::test
