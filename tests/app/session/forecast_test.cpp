// The forecast against what a worker really takes. A model of some size is written for it: in a smaller one the program itself would count.
#include "app/session/forecast.h"

#include <gmock/gmock.h>

#include <fstream>

#include "app/session/worker_engine.h"
#include "core/base/json.h"
#include "core/format/tensor_file.h"
#include "tests/app/session/worker_environment.h"

namespace phiscope::session {
namespace {

// What the allocator keeps of freed pages or takes in advance; in a model of real size it is nothing.
constexpr double kAllocatorSlack = 2 << 20;

struct Case {
  const char* recipe;
  int64_t context;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.recipe << " at " << one.context; }

/// The tiny Phi-3's folder with other shapes and random weights.
void write_model(const std::filesystem::path& folder) {
  constexpr int64_t kHidden = 256, kFeedForward = 512, kLayers = 8, kContext = 2048;
  const std::filesystem::path source = test::source_path("tests/golden/models/phi-3-mini-tiny");
  std::filesystem::create_directories(folder);
  for (const char* name : {"generation_config.json", "tokenizer.json", "tokenizer_config.json"}) std::filesystem::copy_file(source / name, folder / name);
  Json config = read_json_file(source / "config.json").value();
  config.update({{"hidden_size", kHidden}, {"intermediate_size", kFeedForward}, {"num_hidden_layers", kLayers}, {"num_attention_heads", 4},
                 {"num_key_value_heads", 4}, {"max_position_embeddings", kContext}, {"original_max_position_embeddings", kContext},
                 {"sliding_window", nullptr}, {"rope_scaling", nullptr}, {"torch_dtype", "float32"}});
  std::ofstream(folder / "config.json") << config.dump(1);
  const auto vocab = config["vocab_size"].get<int64_t>();
  std::vector<SafetensorsWriter::Item> items{{"model.embed_tokens.weight", DType::f32, {vocab, kHidden}}};
  for (int64_t i = 0; i < kLayers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    items.push_back({layer + "input_layernorm.weight", DType::f32, {kHidden}});
    items.push_back({layer + "self_attn.qkv_proj.weight", DType::f32, {3 * kHidden, kHidden}});
    items.push_back({layer + "self_attn.o_proj.weight", DType::f32, {kHidden, kHidden}});
    items.push_back({layer + "post_attention_layernorm.weight", DType::f32, {kHidden}});
    items.push_back({layer + "mlp.gate_up_proj.weight", DType::f32, {2 * kFeedForward, kHidden}});
    items.push_back({layer + "mlp.down_proj.weight", DType::f32, {kHidden, kFeedForward}});
  }
  items.push_back({"model.norm.weight", DType::f32, {kHidden}});
  items.push_back({"lm_head.weight", DType::f32, {vocab, kHidden}});
  auto writer = SafetensorsWriter::create(folder / "model.safetensors", items);
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  uint32_t state = 1;
  for (const SafetensorsWriter::Item& item : items) {
    std::vector<float> values(static_cast<size_t>(item.shape[0] * (item.shape.size() > 1 ? item.shape[1] : 1)));
    for (float& value : values) {
      state = state * 1664525u + 1013904223u;
      value = item.shape.size() == 1 ? 1.0f : static_cast<float>(state >> 8) / 16777216.0f * 0.1f - 0.05f;
    }
    ASSERT_TRUE((*writer)->write(std::as_bytes(std::span(values))).has_value());
  }
  ASSERT_TRUE((*writer)->commit().has_value());
}

class ForecastTest : public test::WorkerTest, public testing::WithParamInterface<Case> {};

TEST_P(ForecastTest, IsWithinFivePercentOfWhatTheWorkerTakes) {
  const auto [recipe, context] = GetParam();
  const std::filesystem::path model = folder_ / "model";
  ASSERT_NO_FATAL_FAILURE(write_model(model));
  Target target;
  target.model = model.string();
  target.recipe = recipe;
  target.backend = "cpu";
  target.threads = 1;
  target.context = context;
  const auto forecast = forecast_memory(target, {});
  ASSERT_TRUE(forecast.has_value()) << forecast.error().message;
  EXPECT_EQ(forecast->context, context);
  EXPECT_EQ(forecast->total, forecast->weights + forecast->kv + forecast->workspace);

  auto client = WorkerClient::start({});
  ASSERT_TRUE(client.has_value()) << client.error().message;
  WorkerEngine engine(std::move(*client), nullptr);
  const auto opened = engine.open({target.model, recipe, "cpu", 1, context, "", false}, {});
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  const auto loaded = engine.memory();
  ASSERT_TRUE(loaded.has_value());
  bench::PrefillBlock whole;
  whole.tokens = context;
  const auto filled = engine.prefill(whole);  // touches the whole cache
  ASSERT_TRUE(filled.has_value()) << filled.error().message;
  const auto after = engine.memory();
  ASSERT_TRUE(after.has_value());

  // What the session says it holds.
  const MemoryReport& report = after->report;
  const auto held = static_cast<double>(report.weights_private + report.weights_mapped + report.kv_allocated + report.workspace);
  EXPECT_NEAR(static_cast<double>(forecast->total) / held, 1, 0.05) << forecast->total << " forecast, " << held << " held";
  EXPECT_NEAR(static_cast<double>(forecast->kv) / static_cast<double>(report.kv_allocated), 1, 0.05);
  // What the kernel says that the cache and the workspace took beyond the loaded weights: within 5 % of the forecast for the whole.
  const double grown = static_cast<double>(after->anonymous) - static_cast<double>(loaded->anonymous);
  const auto expected = static_cast<double>(forecast->kv + forecast->workspace), slack = 0.05 * static_cast<double>(forecast->total) + kAllocatorSlack;
  const std::string parts = fmt::format("KV {}, workspace {}, total {}", forecast->kv, forecast->workspace, forecast->total);
  EXPECT_LE(grown, expected + slack) << parts;
  // A short context fits into pages that loading has used and given back to the allocator: then the kernel sees less.
  if (context >= 1024) {
    EXPECT_GE(grown, expected - slack) << parts;
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, ForecastTest,
                         testing::Values(Case{"fp32", 128}, Case{"int8", 2048}, Case{"int4", 1024}, Case{"int4:kv=int8", 2048}));

}  // namespace
}  // namespace phiscope::session
