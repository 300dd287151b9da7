// Every backend on Phi-3-small against double precision: no golden of transformers exists for it.
#include <limits>

#include "tests/backends/conformance/conformance.h"
#include "tests/support/phi3_small.h"

namespace phiscope {
namespace {

constexpr float kTolerance = 2e-4f;  // as for the goldens of transformers

struct Phi3SmallCase {
  std::string name;
  test::Phi3SmallShape shape;
  std::vector<int> lengths;  // the longest last
};

// Blocks of the published size with stripes of two heads apart by the rule for fewer heads than the stride; blocks smaller than what kernels
// work on at a time; one pattern for all heads and every layer but the last sparse.
const std::vector<Phi3SmallCase>& shapes() {
  // One by one: GCC 12 takes the members of a braced list for uninitialized.
  static const std::vector<Phi3SmallCase> cases = [] {
    std::vector<Phi3SmallCase> list;
    const auto add = [&](std::string name, const test::Phi3SmallShape& shape, std::vector<int> lengths) {
      list.push_back(Phi3SmallCase{std::move(name), shape, std::move(lengths)});
    };
    add("small_blocks", {}, {1, 7, 24, 25, 100});
    add("published_blocks", {.heads = 8, .context = 512, .block = 64, .local_blocks = 1, .stride = 4, .longrope = false}, {130, 400});
    add("fewer_heads_than_the_stride", {.kv_heads = 4, .context = 256, .block = 16, .local_blocks = 1, .stride = 8, .longrope = false}, {200});
    add("same_for_all_heads", {.kv_heads = 1, .dense_every = 3, .same_for_all_heads = true, .gegelu_limit = 20}, {60, 100});
    return list;
  }();
  return cases;
}

using Parameter = std::tuple<const Backend*, Phi3SmallCase>;

class Phi3SmallOnBackends : public testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
    const auto& [backend, one] = GetParam();
    oracle_ = std::make_unique<test::Phi3Small>(one.shape);
    oracle_->write(folder_.path());
    auto model = load_model(folder_.path());
    ASSERT_TRUE(model.has_value()) << model.error().message;
    EXPECT_TRUE(model->notices.empty());
    model_ = std::move(*model);
    OpenOptions options;
    options.kv = KvType::f32;
    options.threads = 2;
    options.context = one.shape.context;
    auto session = backend->open(model_.plan, model_.weights, options);
    ASSERT_TRUE(session.has_value()) << session.error().message;
    session_ = std::move(*session);
  }

  std::vector<int32_t> ids(int length) const {
    std::vector<int32_t> ids;
    for (int i = 0; i < length; ++i) ids.push_back((i * 37 + i * i % 11) % static_cast<int>(model_.plan->vocab));
    return ids;
  }

  // Finite values agree and -infinity stands at the same places.
  void expect_equal(std::span<const float> actual, std::span<const double> expected, const std::string& what) const {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const std::string place = fmt::format("{} position {} id {}", what, i / static_cast<size_t>(model_.plan->vocab), i % static_cast<size_t>(model_.plan->vocab));
      if (std::isinf(expected[i])) {
        ASSERT_EQ(actual[i], -std::numeric_limits<float>::infinity()) << place;
      } else {
        ASSERT_NEAR(static_cast<double>(actual[i]), expected[i], static_cast<double>(kTolerance)) << place;
      }
    }
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<test::Phi3Small> oracle_;
  Model model_;
  std::unique_ptr<Session> session_;
};

TEST_P(Phi3SmallOnBackends, LogitsEqualDoublePrecisionAtEveryPosition) {
  for (const int length : std::get<1>(GetParam()).lengths) {
    std::vector<float> hidden(static_cast<size_t>(length * model_.plan->hidden)), logits(static_cast<size_t>(length * model_.plan->vocab));
    ASSERT_TRUE(session_->truncate(0).has_value());
    ASSERT_TRUE(session_->append(ids(length), hidden).has_value());
    ASSERT_TRUE(session_->logits(hidden, Head::own, logits).has_value());
    expect_equal(logits, oracle_->logits(ids(length)), fmt::format("{} tokens,", length));
    if (HasFatalFailure()) return;
  }
}

TEST_P(Phi3SmallOnBackends, TokenByTokenGivesTheSame) {
  const int length = std::get<1>(GetParam()).lengths.back();
  const std::vector<int32_t> all = ids(length);
  for (const int step : {1, 3}) {
    ASSERT_TRUE(session_->truncate(length - 20).has_value());
    const auto before = std::span(all).first(static_cast<size_t>(length - 20));
    if (session_->length() == 0) {
      ASSERT_TRUE(session_->append(before).has_value());
    }
    for (int at = length - 20; at < length; at += step)
      ASSERT_TRUE(session_->append(std::span(all).subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(step, length - at)))).has_value());
    const std::vector<double> expected = oracle_->logits(all);
    expect_equal(session_->last_logits(), std::span(expected).last(static_cast<size_t>(model_.plan->vocab)), fmt::format("by {}", step));
  }
}

TEST_P(Phi3SmallOnBackends, MaskedIdsAreNeverGenerated) {
  ASSERT_TRUE(session_->append(ids(5)).has_value());
  const std::vector<int>& masked = model_.plan->masked_ids;
  ASSERT_EQ(masked.size(), 3u);
  const auto last_masked = [&](std::span<float> logits) {  // the worst sampler there could be
    for (const int id : masked) EXPECT_EQ(logits[static_cast<size_t>(id)], -std::numeric_limits<float>::infinity());
    return greedy_sampler(logits);
  };
  const auto check = [&](int32_t id, int64_t) {
    EXPECT_EQ(std::count(masked.begin(), masked.end(), id), 0);
    return true;
  };
  ASSERT_TRUE(session_->decode(12, last_masked, check).has_value());
}

std::vector<Parameter> parameters() {
  std::vector<Parameter> list;
  for (const Backend* backend : backends())
    for (const Phi3SmallCase& one : shapes()) list.emplace_back(backend, one);
  return list;
}

INSTANTIATE_TEST_SUITE_P(All, Phi3SmallOnBackends, testing::ValuesIn(parameters()), [](const auto& one) {
  return test::test_name(fmt::format("{}_{}", std::get<0>(one.param)->name(), std::get<1>(one.param).name));
});

}  // namespace
}  // namespace phiscope
