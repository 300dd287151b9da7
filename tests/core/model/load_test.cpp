#include <gmock/gmock.h>

#include <fstream>

#include "core/model/model.h"
#include "tests/support/golden.h"

namespace phiscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A tiny phi3 folder whose tensors a test may change before it is written.
class LoadModel : public testing::Test {
 protected:
  struct Tensor {
    DType dtype = DType::f32;
    std::vector<int64_t> shape;
    std::vector<float> values;  // f32 only; other types are written as zero bytes
  };

  void SetUp() override {
    config_ = Json::parse(R"({"model_type":"phi3","hidden_size":8,"intermediate_size":6,"num_hidden_layers":1,"num_attention_heads":2,
      "vocab_size":12,"max_position_embeddings":64,"hidden_act":"silu"})");
    add("model.embed_tokens.weight", {12, 8});
    add("model.layers.0.input_layernorm.weight", {8});
    add("model.layers.0.self_attn.qkv_proj.weight", {24, 8});
    add("model.layers.0.self_attn.o_proj.weight", {8, 8});
    add("model.layers.0.post_attention_layernorm.weight", {8});
    add("model.layers.0.mlp.gate_up_proj.weight", {12, 8});
    add("model.layers.0.mlp.down_proj.weight", {8, 6});
    add("model.norm.weight", {8});
    add("lm_head.weight", {12, 8});
  }

  void add(const std::string& name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    Tensor tensor{DType::f32, std::move(shape), {}};
    for (int64_t i = 0; i < count; ++i) tensor.values.push_back(static_cast<float>(i % 7) * 0.25f - 0.5f);
    tensors_[name] = std::move(tensor);
  }

  Result<Model> load() {
    std::ofstream(folder_ / "config.json") << config_.dump();
    std::vector<SafetensorsWriter::Item> items;
    for (const auto& [name, tensor] : tensors_) items.push_back({name, tensor.dtype, tensor.shape});
    auto writer = SafetensorsWriter::create(folder_ / "model.safetensors", items);
    EXPECT_TRUE(writer.has_value()) << writer.error().message;
    for (const auto& [name, tensor] : tensors_) {
      const std::vector<std::byte> zeros(tensor.values.size() * dtype_bytes(tensor.dtype));
      EXPECT_TRUE((*writer)->write(tensor.dtype == DType::f32 ? std::as_bytes(std::span(tensor.values)) : std::span<const std::byte>(zeros)).has_value());
    }
    EXPECT_TRUE((*writer)->commit().has_value());
    return load_model(folder_.path());
  }

  void expect_refused(ErrorCode code, const std::vector<std::string>& parts) {
    const auto model = load();
    ASSERT_FALSE(model.has_value());
    EXPECT_EQ(model.error().code, code) << model.error().message;
    for (const std::string& part : parts) EXPECT_THAT(model.error().message, HasSubstr(part));
  }

  Json config_;
  std::map<std::string, Tensor> tensors_;
  test::TemporaryFolder folder_;
};

TEST_F(LoadModel, GivesPlanVectorsAndViewsOfTheFile) {
  const auto model = load();
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->plan->tensors.size(), 6u);
  EXPECT_FLOAT_EQ(model->plan->vectors[0].values[1], -0.25f);
  const Weight weight = *model->weights->tensor(model->plan->embedding);
  EXPECT_EQ(weight.view.rows, 12);
  EXPECT_EQ(weight.view.encoding.float_type, DType::f32);
  std::vector<float> row(8);
  dequantize_row(weight.view, 1, row.data());
  EXPECT_FLOAT_EQ(row[0], -0.25f);
  EXPECT_TRUE(model->notices.empty());
}

TEST_F(LoadModel, HashFollowsConfigAndTensors) {
  const std::string hash = load()->hash;
  EXPECT_EQ(load()->hash, hash);
  tensors_["lm_head.weight"].values[5] = 9;
  const std::string other_tensor = load()->hash;
  config_["rope_theta"] = 20000;
  EXPECT_NE(other_tensor, hash);
  EXPECT_NE(load()->hash, other_tensor);
}

TEST_F(LoadModel, AMissingTensorIsNamedWithItsShape) {
  tensors_.erase("model.layers.0.mlp.down_proj.weight");
  expect_refused(ErrorCode::not_found, {"'model.layers.0.mlp.down_proj.weight'", "[8, 6]", "missing"});
}

TEST_F(LoadModel, AWrongShapeNamesTensorExpectedAndFound) {
  add("model.layers.0.self_attn.o_proj.weight", {8, 9});
  expect_refused(ErrorCode::invalid_file, {"'model.layers.0.self_attn.o_proj.weight'", "[8, 9]", "[8, 8]"});
  add("model.layers.0.self_attn.o_proj.weight", {8, 8});
  add("model.norm.weight", {7});
  expect_refused(ErrorCode::invalid_file, {"'model.norm.weight'", "[7]", "[8]"});
}

TEST_F(LoadModel, AnIntegerTensorIsRefused) {
  tensors_["lm_head.weight"].dtype = DType::i8;
  expect_refused(ErrorCode::invalid_file, {"'lm_head.weight'", "i8", "bf16"});
}

TEST_F(LoadModel, NaNAndInfinityAreRefusedWithTensorAndElement) {
  tensors_["model.norm.weight"].values[3] = std::numeric_limits<float>::quiet_NaN();
  expect_refused(ErrorCode::invalid_file, {"'model.norm.weight'", "element 3", "NaN"});
  add("model.norm.weight", {8});
  tensors_["model.layers.0.mlp.down_proj.weight"].values[40] = std::numeric_limits<float>::infinity();
  expect_refused(ErrorCode::invalid_file, {"'model.layers.0.mlp.down_proj.weight'", "element 40", "infinite"});
}

TEST_F(LoadModel, ATiedModelNeedsNoHead) {
  tensors_.erase("lm_head.weight");
  expect_refused(ErrorCode::not_found, {"'lm_head.weight'"});
  config_["tie_word_embeddings"] = true;
  const auto model = load();
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->plan->head, model->plan->embedding);
}

TEST_F(LoadModel, TensorsOfOtherPartsAreSkippedWithANotice) {
  add("model.embed_tokens_extend.image_embed.a", {2});
  add("model.embed_tokens_extend.image_embed.b", {2});
  add("model.layers.0.self_attn.qkv_proj.lora_A.speech.weight", {2});
  add("model.layers.0.self_attn.rotary_emb.inv_freq", {2});
  const auto model = load();
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_THAT(model->notices, ElementsAre(HasSubstr("skipped 1 adapter tensor"), HasSubstr("skipped 2 vision tensors")));
}

TEST_F(LoadModel, TheTextPartOfAMultimodalModelIsFoundUnderBaseLayer) {
  for (const char* name : {"self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"}) {
    auto node = tensors_.extract(std::string("model.layers.0.") + name + ".weight");
    node.key() = std::string("model.layers.0.") + name + ".base_layer.weight";
    tensors_.insert(std::move(node));
  }
  config_["model_type"] = "phi4mm";
  EXPECT_TRUE(load().has_value());
}

// transformers 5 stacks experts when it saves a phimoe.
TEST_F(LoadModel, StackedExpertsEqualSeparateOnes) {
  PHISCOPE_FIXTURE(source, "models/phi-3.5-moe-tiny");
  const auto separate = load_model(source);
  ASSERT_TRUE(separate.has_value()) << separate.error().message;
  std::filesystem::copy(source / "config.json", folder_ / "config.json");
  std::vector<SafetensorsWriter::Item> items;
  std::vector<std::byte> data;
  const auto add_bytes = [&](std::span<const std::byte> bytes) { data.insert(data.end(), bytes.begin(), bytes.end()); };
  const auto bytes_of = [&](const std::string& name) {
    const TensorEntry* entry = separate->files->find(name);
    return std::span(entry->view.data, entry->view.bytes());
  };
  for (const TensorEntry& entry : separate->files->tensors()) {
    if (entry.name.find("block_sparse_moe") != std::string::npos) continue;
    items.push_back({entry.name, entry.view.dtype, entry.view.shape});
    add_bytes(bytes_of(entry.name));
  }
  for (int layer = 0; layer < 2; ++layer) {
    const std::string base = fmt::format("model.layers.{}.", layer);
    items.push_back({base + "mlp.router.weight", DType::bf16, {4, 64}});
    add_bytes(bytes_of(base + "block_sparse_moe.gate.weight"));
    items.push_back({base + "mlp.experts.gate_up_proj", DType::bf16, {4, 192, 64}});
    for (int expert = 0; expert < 4; ++expert)
      for (const char* part : {"w1", "w3"}) add_bytes(bytes_of(fmt::format("{}block_sparse_moe.experts.{}.{}.weight", base, expert, part)));
    items.push_back({base + "mlp.experts.down_proj", DType::bf16, {4, 64, 96}});
    for (int expert = 0; expert < 4; ++expert) add_bytes(bytes_of(fmt::format("{}block_sparse_moe.experts.{}.w2.weight", base, expert)));
  }
  auto writer = SafetensorsWriter::create(folder_ / "model.safetensors", items);
  ASSERT_TRUE(writer.has_value() && (*writer)->write(data).has_value() && (*writer)->commit().has_value());
  const auto stacked = load_model(folder_.path());
  ASSERT_TRUE(stacked.has_value()) << stacked.error().message;
  for (size_t i = 0; i < stacked->plan->tensors.size(); ++i) {
    const Weight a = *separate->weights->tensor(static_cast<int>(i)), b = *stacked->weights->tensor(static_cast<int>(i));
    const size_t bytes = a.view.encoding.bytes(a.view.rows, a.view.columns);
    EXPECT_EQ(std::memcmp(a.view.codes, b.view.codes, bytes), 0) << stacked->plan->tensors[i].name;
  }
}

TEST(LoadFixtures, EveryModelLoadsWithoutNotice) {
  for (const char* name : test::kGoldenModels) {
    PHISCOPE_FIXTURE(folder, std::string("models/") + name);
    const auto model = load_model(folder);
    ASSERT_TRUE(model.has_value()) << model.error().message;
    EXPECT_EQ(model->name, name);
    EXPECT_TRUE(model->notices.empty()) << name << ": " << model->notices.front();
  }
}

}  // namespace
}  // namespace phiscope
