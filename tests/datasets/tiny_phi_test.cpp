// The bundled Phi: logits, perplexity and every answer as transformers and PyTorch computed them in FP32.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/backend/backend.h"
#include "core/base/json.h"
#include "core/bench/local_engine.h"
#include "tests/support/golden.h"

namespace phiscope {
namespace {

const std::filesystem::path kDatasets = PHISCOPE_DATASETS_FOLDER;
const std::filesystem::path kFolder = kDatasets / "tiny_phi";

constexpr float kLogitTolerance = 2e-4f;      // as for the seeded models
constexpr double kPerplexityTolerance = 1e-3; // relative: what the measurement promises against transformers
constexpr double kAnswersEqual = 0.99;        // of the items: near-ties may flip with the order of f32 sums

class BundledPhi : public testing::TestWithParam<const char*> {
 protected:
  /// Logits of `ids` at `positions`, [positions, vocab].
  std::vector<float> logits_at(std::span<const int32_t> ids, std::span<const int32_t> positions) {
    auto model = load_model(kFolder / "model");
    EXPECT_TRUE(model.has_value()) << model.error().message;
    OpenOptions options;
    options.context = 512;
    options.kv = KvType::f32;
    auto session = find_backend(GetParam()).value()->open(model->plan, model->weights, options);
    EXPECT_TRUE(session.has_value()) << session.error().message;
    const auto hidden = static_cast<size_t>(model->plan->hidden), vocab = static_cast<size_t>(model->plan->vocab);
    std::vector<float> states(ids.size() * hidden), logits(positions.size() * vocab);
    EXPECT_TRUE((*session)->append(ids, states).has_value());
    for (size_t i = 0; i < positions.size(); ++i) {
      const auto row = std::span(states).subspan(static_cast<size_t>(positions[i]) * hidden, hidden);
      EXPECT_TRUE((*session)->logits(row, Head::own, std::span(logits).subspan(i * vocab, vocab)).has_value());
    }
    return logits;
  }
};

TEST_P(BundledPhi, LogitsEqualTransformers) {
  const test::GoldenFile golden(kFolder);
  for (const std::string size : {"64", "512"}) {
    if (size == "512" && std::string(GetParam()) == "reference") continue;  // seconds of scalar arithmetic for the same rule
    const auto logits = logits_at(golden.ids("ids." + size), golden.ids("positions." + size));
    EXPECT_LE(test::largest_difference(logits, golden.floats("logits." + size)), kLogitTolerance) << size << " tokens";
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, BundledPhi, testing::Values("reference", "cpu"));

class BundledPhiMeasured : public testing::Test {
 protected:
  void SetUp() override {
    auto golden = read_json_file(kFolder / "golden.json");
    ASSERT_TRUE(golden.has_value()) << golden.error().message;
    golden_ = *golden;
    const auto opened = engine_.open({.model = (kFolder / "model").string(), .recipe = "fp32", .backend = "cpu", .context = 512,
                                      .instruction_set = "", .with_reference_head = false}, {});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
  }

  Json golden_;
  test::TemporaryFolder folder_;
  bench::LocalEngine engine_{[](std::string_view name) { return find_backend(name); }, folder_ / "cache", system_clock()};
};

TEST_F(BundledPhiMeasured, PerplexityOfEachWindowEqualsTransformers) {
  const bench::Windows windows{.text = kFolder / "heldout.txt", .chunk = 512, .stride = 0, .max_chunks = 8};
  const auto reply = engine_.score(windows, {}, {});
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  ASSERT_EQ(reply->windows.size(), 8U);
  const auto expected = golden_["perplexity"]["window_mean_nll"].get<std::vector<double>>();
  double total = 0;
  for (size_t w = 0; w < reply->windows.size(); ++w) {
    const Series& series = reply->windows[w];
    const auto column = std::find(series.columns.begin(), series.columns.end(), "nll") - series.columns.begin();
    const std::vector<double>& nll = series.rows.at(static_cast<size_t>(column));
    const double mean = std::accumulate(nll.begin(), nll.end(), 0.0) / static_cast<double>(nll.size());
    EXPECT_NEAR(mean, expected[w], 1e-4) << "window " << w;
    total += mean;
  }
  const double perplexity = std::exp(total / 8), golden = golden_["perplexity"]["first_8_windows"].get<double>();
  EXPECT_NEAR(perplexity / golden, 1.0, kPerplexityTolerance);
}

TEST_F(BundledPhiMeasured, AnswersEqualThoseOfPyTorchItemByItem) {
  const auto manifest = read_json_file(kDatasets / "tasks" / "manifest.json");
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  for (const Json& task : (*manifest)["tasks"]) {
    const std::string name = task["name"].get<std::string>();
    const auto reply = engine_.items({.task = kDatasets / "tasks" / task["file"].get<std::string>(), .format = {}, .shots_file = {}, .kind = task["kind"].get<std::string>(),
                                      .max_items = 200, .max_new_tokens = task.value("max_new_tokens", 16), .stop = task.value("stop", std::string())}, {});
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    const auto column = std::find(reply->items.columns.begin(), reply->items.columns.end(), "correct") - reply->items.columns.begin();
    const std::vector<double>& correct = reply->items.rows.at(static_cast<size_t>(column));
    const std::string expected = golden_["tasks"][name]["right"].get<std::string>();
    ASSERT_EQ(correct.size(), 200U);
    int equal = 0;
    for (size_t i = 0; i < correct.size(); ++i) equal += (correct[i] > 0.5) == (expected[i] == '1') ? 1 : 0;
    EXPECT_GE(equal, static_cast<int>(kAnswersEqual * 200)) << name;
  }
}

}  // namespace
}  // namespace phiscope
