// Folders that hold the same model under other names, made from the fixtures: each must give the plan and the weights of the plain one.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "core/format/tensor_file.h"
#include "core/model/model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct Bytes {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;
};

class Variant {
 public:
  explicit Variant(const std::filesystem::path& source) : plain_(*load_model(source)) {
    config_ = *read_json_file(source / "config.json");
    for (const TensorEntry& entry : plain_.files->tensors())
      tensors_[entry.name] = {entry.view.dtype, entry.view.shape, {entry.view.data, entry.view.data + entry.view.bytes()}};
  }

  Json& config() { return config_; }
  const Model& plain() const { return plain_; }
  std::map<std::string, Bytes>& tensors() { return tensors_; }
  void add(const std::string& name) { tensors_[name] = {DType::f32, {2}, std::vector<std::byte>(8)}; }
  void rename(std::string_view from, std::string_view to) {
    std::map<std::string, Bytes> renamed;
    for (auto& [name, bytes] : tensors_) {
      std::string other = name;
      if (const size_t at = other.find(from); at != std::string::npos) other.replace(at, from.size(), to);
      renamed[other] = std::move(bytes);
    }
    tensors_ = std::move(renamed);
  }
  // Replaces several tensors of every layer by one that holds their rows.
  void join(const std::vector<std::string>& parts, const std::string& whole) {
    for (int64_t layer = 0; layer < plain_.config.layers; ++layer) {
      const std::string base = fmt::format("model.layers.{}.", layer);
      Bytes joined = std::move(tensors_.extract(base + parts[0]).mapped());
      for (size_t i = 1; i < parts.size(); ++i) {
        const Bytes part = std::move(tensors_.extract(base + parts[i]).mapped());
        joined.shape[0] += part.shape[0];
        joined.data.insert(joined.data.end(), part.data.begin(), part.data.end());
      }
      tensors_[base + whole] = std::move(joined);
    }
  }

  Result<Model> load() {
    std::ofstream(folder_ / "config.json") << config_;
    std::vector<SafetensorsWriter::Item> items;
    for (const auto& [name, bytes] : tensors_) items.push_back({name, bytes.dtype, bytes.shape});
    auto writer = SafetensorsWriter::create(folder_ / "model.safetensors", items);
    for (const auto& [name, bytes] : tensors_) EXPECT_TRUE((*writer)->write(bytes.data).has_value());
    EXPECT_TRUE((*writer)->commit().has_value());
    return load_model(folder_.path());
  }

  void expect_equal(const Model& other) const {
    ASSERT_EQ(other.plan->tensors.size(), plain_.plan->tensors.size());
    for (size_t i = 0; i < plain_.plan->tensors.size(); ++i) {
      const Weight a = *plain_.weights->tensor(static_cast<int>(i)), b = *other.weights->tensor(static_cast<int>(i));
      ASSERT_EQ(a.view.rows, b.view.rows);
      ASSERT_EQ(a.view.columns, b.view.columns);
      EXPECT_EQ(std::memcmp(a.view.codes, b.view.codes, a.view.encoding.bytes(a.view.rows, a.view.columns)), 0) << plain_.plan->tensors[i].name;
    }
    ASSERT_EQ(other.plan->vectors.size(), plain_.plan->vectors.size());
    for (size_t i = 0; i < plain_.plan->vectors.size(); ++i) EXPECT_EQ(other.plan->vectors[i].values, plain_.plan->vectors[i].values) << plain_.plan->vectors[i].name;
    EXPECT_EQ(other.plan->rotary.frequencies_long, plain_.plan->rotary.frequencies_long);
    EXPECT_EQ(other.plan->rotary.rotary_dims, plain_.plan->rotary.rotary_dims);
    EXPECT_EQ(other.plan->rotary.mscale_long, plain_.plan->rotary.mscale_long);
    EXPECT_EQ(other.plan->window, plain_.plan->window);
  }

 private:
  Model plain_;
  Json config_;
  std::map<std::string, Bytes> tensors_;
  test::TemporaryFolder folder_;
};

TEST(ModelVariant, PhiVisionIsItsTextPart) {
  PHISCOPE_FIXTURE(source, "models/phi-3.5-mini-tiny");
  Variant vision(source);
  vision.config()["model_type"] = "phi3_v";
  vision.config()["architectures"] = {"Phi3VForCausalLM"};
  vision.config()["img_processor"] = {{"image_dim_out", 1024}};
  vision.add("model.vision_embed_tokens.img_processor.vision_model.embeddings.class_embedding");
  vision.add("model.vision_embed_tokens.glb_GN");
  const auto model = vision.load();
  ASSERT_TRUE(model.has_value()) << model.error().message;
  vision.expect_equal(*model);
  EXPECT_THAT(model->notices, ElementsAre(HasSubstr("skipped 2 vision tensors")));
}

TEST(ModelVariant, Phi4MultimodalIsItsTextPartWithoutAdapters) {
  PHISCOPE_FIXTURE(source, "models/phi-4-mini-tiny");
  for (const auto& [type, class_name] : {std::pair{"phi4mm", "Phi4MMForCausalLM"}, {"phi4_multimodal", "Phi4MultimodalForCausalLM"}}) {
    Variant multimodal(source);
    multimodal.config()["model_type"] = type;
    multimodal.config()["architectures"] = {class_name};
    multimodal.config()["vision_lora"] = {{"r", 256}};
    for (const char* part : {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"})
      multimodal.rename(fmt::format("{}.weight", part), fmt::format("{}.base_layer.weight", part));
    multimodal.add("model.layers.0.self_attn.qkv_proj.lora_A.vision.weight");
    multimodal.add("model.layers.0.self_attn.qkv_proj.lora_B.speech.weight");
    multimodal.add("model.embed_tokens_extend.image_embed.img_processor.patch");
    multimodal.add("model.embed_tokens_extend.audio_embed.encoder.bias");
    const auto model = multimodal.load();
    ASSERT_TRUE(model.has_value()) << model.error().message;
    multimodal.expect_equal(*model);
    EXPECT_THAT(model->notices, ElementsAre(HasSubstr("skipped 2 adapter tensors"), HasSubstr("skipped 1 audio tensor"), HasSubstr("skipped 1 vision tensor")));
  }
}

TEST(ModelVariant, Phi4ReasoningVisionIsItsTextPart) {
  PHISCOPE_FIXTURE(source, "models/phi-4-tiny");
  Variant vision(source);
  vision.config()["model_type"] = "phi4-siglip";
  vision.config().erase("architectures");
  vision.add("model.vision_tower.vision_tower.vision_model.head.probe");
  vision.add("model.mm_projector.0.weight");
  const auto model = vision.load();
  ASSERT_TRUE(model.has_value()) << model.error().message;
  vision.expect_equal(*model);
  EXPECT_THAT(model->notices, ElementsAre(HasSubstr("skipped 2 vision tensors")));
}

// The keys and the names of the uploads of 2023; rotary dimensions are a number there, and no n_inner means four times n_embd.
void make_legacy(Variant& legacy) {
  Json& config = legacy.config();
  const int64_t hidden = config["hidden_size"].get<int64_t>(), dims = legacy.plain().plan->rotary.rotary_dims;
  config = {{"model_type", "phi-msft"}, {"architectures", {"PhiForCausalLM"}},
            {"n_embd", hidden}, {"n_layer", config["num_hidden_layers"]}, {"n_head", config["num_attention_heads"]},
            {"n_head_kv", nullptr}, {"n_inner", config["intermediate_size"]}, {"n_positions", config["max_position_embeddings"]},
            {"rotary_dim", dims}, {"vocab_size", config["vocab_size"]}, {"layer_norm_epsilon", config["layer_norm_eps"]},
            {"activation_function", "gelu_new"}, {"torch_dtype", "float16"}};
  for (const char* kind : {"weight", "bias"}) {
    const auto part = [&](const char* name) { return fmt::format("self_attn.{}.{}", name, kind); };
    legacy.join({part("q_proj"), part("k_proj"), part("v_proj")}, fmt::format("mixer.Wqkv.{}", kind));
  }
  for (const auto& [from, to] : {std::pair{"self_attn.dense", "mixer.out_proj"}, {"input_layernorm", "ln"}, {"lm_head.", "lm_head.linear."},
                                 {"model.final_layernorm", "lm_head.ln"}, {"model.embed_tokens", "transformer.embd.wte"}, {"model.layers", "transformer.h"}})
    legacy.rename(from, to);
  legacy.add("transformer.h.0.mixer.rotary_emb.inv_freq");
}

TEST(ModelVariant, PhiOf2023HasFusedTensorsUnderOlderNames) {
  for (const char* name : {"models/phi-2-tiny", "models/phi-2-h80", "models/phi-1_5-tiny"}) {
    PHISCOPE_FIXTURE(source, name);
    Variant legacy(source);
    make_legacy(legacy);
    const auto model = legacy.load();
    ASSERT_TRUE(model.has_value()) << model.error().message;
    legacy.expect_equal(*model);
    EXPECT_THAT(model->notices, ElementsAre());
  }
}

TEST(ModelVariant, OlderNamesAreCheckedLikeOthers) {
  PHISCOPE_FIXTURE(source, "models/phi-2-tiny");
  Variant legacy(source);
  make_legacy(legacy);
  Bytes& fused = legacy.tensors().at("transformer.h.1.mixer.Wqkv.weight");
  fused.shape = {fused.shape[1], fused.shape[0]};
  const auto turned = legacy.load();
  ASSERT_FALSE(turned.has_value());
  EXPECT_THAT(turned.error().message, AllOf(HasSubstr("transformer.h.1.mixer.Wqkv.weight"), HasSubstr("[192, 64]"), HasSubstr("[64, 192]")));
  legacy.tensors().erase("transformer.h.1.mixer.Wqkv.weight");
  EXPECT_FALSE(legacy.load().has_value());
}

TEST(ModelVariant, WhatCannotRunIsRefusedByNameWithTheReason) {
  for (const auto& [type, reason] : {std::pair{"phi4flash", "state-space layers"}, {"mixformer-sequential", "take the current revision"}}) {
    const auto config = parse_config(Json{{"model_type", type}}, "config.json");
    ASSERT_FALSE(config.has_value());
    EXPECT_EQ(config.error().code, ErrorCode::unsupported);
    EXPECT_THAT(config.error().message, AllOf(HasSubstr(type), HasSubstr(reason), HasSubstr("Phi3SmallForCausalLM")));
  }
}

// Keys of phi-3-small that only it has.
Json phi3_small() {
  return {{"model_type", "phi3small"}, {"hidden_size", 4096}, {"ff_intermediate_size", 14336}, {"num_hidden_layers", 32}, {"num_attention_heads", 32},
          {"num_key_value_heads", 8}, {"vocab_size", 100352}, {"max_position_embeddings", 8192}, {"layer_norm_epsilon", 1e-5},
          {"rope_embedding_base", 1000000}, {"rope_position_scale", 1.0}, {"hidden_act", "gegelu"}, {"torch_dtype", "bfloat16"}};
}

TEST(ModelVariant, Phi3SmallHasThePublishedValuesWhereTheFileIsSilent) {
  const auto config = parse_config(phi3_small(), "config.json");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const Plan plan = *lower(*config);
  EXPECT_EQ(plan.parameters(), 7'392'272'384);
  EXPECT_FLOAT_EQ(plan.attention_scale, 1.0f / 128);
  EXPECT_FLOAT_EQ(plan.phases.front().scale, 10);
  EXPECT_FLOAT_EQ(plan.phases.back().scale, 0.125f);
  EXPECT_EQ(plan.masked_ids.size(), 91u);
  EXPECT_EQ(plan.head, plan.embedding);
  EXPECT_TRUE(plan.block_sparse.is_sparse_layer(0));
  EXPECT_FALSE(plan.block_sparse.is_sparse_layer(1));
  EXPECT_FLOAT_EQ(plan.rotary.frequencies_short[1], std::pow(1e6f, -2.0f / 128));
}

TEST(ModelVariant, KeysOfPhi3SmallAreChecked) {
  const std::vector<std::pair<std::string, Json>> rows{
      {"blocksparse_block_size", 0},        {"blocksparse_num_local_blocks", -1}, {"blocksparse_vert_stride", 0},   {"dense_attention_every_n_layers", "two"},
      {"gegelu_limit", -3},                 {"mup_width_multiplier", 0},          {"mup_embedding_multiplier", "x"}, {"dummy_token_indices", {100352}},
      {"dummy_token_indices", {-1}},        {"dummy_token_indices", {1.5}},       {"rope_position_scale", 2.0},      {"blocksparse_homo_head_pattern", 1},
      {"hidden_act", "silu"}};
  for (const auto& [key, value] : rows) {
    Json file = phi3_small();
    file[key] = value;
    const auto config = parse_config(file, "config.json");
    ASSERT_FALSE(config.has_value()) << key << " = " << value;
    EXPECT_THAT(config.error().message, AllOf(HasSubstr("config.json"), HasSubstr(key)));
  }
}

}  // namespace
}  // namespace phiscope
