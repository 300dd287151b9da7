// GGUF files as models: those of tests/golden/gguf against the Hugging Face folders that they were made from, and damaged ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/base/files.h"
#include "core/format/gguf.h"
#include "core/model/model.h"
#include "tests/core/format/gguf_bytes.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using test::gguf_pair;
using test::raw;

std::filesystem::path golden(const std::string& name) { return test::source_path("tests/golden/gguf/" + name); }

std::vector<float> values_of(const Model& model, size_t index) {
  const PlanTensor& tensor = model.plan->tensors[index];
  const auto weight = model.weights->tensor(static_cast<int>(index));
  EXPECT_TRUE(weight.has_value());
  std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.columns));
  for (int64_t row = 0; row < tensor.rows; ++row) dequantize_row(weight->view, row, values.data() + row * tensor.columns);
  return values;
}

class SameModel : public testing::TestWithParam<std::pair<const char*, const char*>> {};

// F16 and BF16 files hold the checkpoint's own bits: plan, vectors and matrices must be equal.
TEST_P(SameModel, AsItsFolder) {
  PHISCOPE_FIXTURE(folder, std::string("models/") + GetParam().second);
  const auto expected = load_model(folder), found = load_model(golden(GetParam().first));
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const Plan &a = *found->plan, &b = *expected->plan;
  EXPECT_EQ(a.context, b.context);
  EXPECT_EQ(a.window, b.window);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.kv_heads, b.kv_heads);
  EXPECT_EQ(a.vocab, b.vocab);
  EXPECT_EQ(a.phases.size(), b.phases.size());
  EXPECT_EQ(a.rotary.rotary_dims, b.rotary.rotary_dims);
  EXPECT_EQ(a.rotary.switch_length, b.rotary.switch_length);
  EXPECT_EQ(a.rotary.frequencies_short, b.rotary.frequencies_short);
  EXPECT_EQ(a.rotary.frequencies_long, b.rotary.frequencies_long);
  EXPECT_FLOAT_EQ(a.rotary.mscale_short, b.rotary.mscale_short);
  EXPECT_FLOAT_EQ(a.rotary.mscale_long, b.rotary.mscale_long);
  EXPECT_FLOAT_EQ(a.final_norm.epsilon, b.final_norm.epsilon);
  ASSERT_EQ(a.vectors.size(), b.vectors.size());
  for (size_t i = 0; i < a.vectors.size(); ++i) EXPECT_EQ(a.vectors[i].values, b.vectors[i].values) << b.vectors[i].name;
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) EXPECT_EQ(values_of(*found, i), values_of(*expected, i)) << b.tensors[i].name;
  EXPECT_THAT(found->notices, testing::IsEmpty());
  EXPECT_EQ(found->name, GetParam().second);
}
INSTANTIATE_TEST_SUITE_P(Gguf, SameModel,
                         testing::Values(std::pair{"phi-2-tiny.gguf", "phi-2-tiny"}, std::pair{"phi-4-mini-tiny.gguf", "phi-4-mini-tiny"},
                                         std::pair{"phi-3.5-moe-tiny.gguf", "phi-3.5-moe-tiny"}),
                         [](const auto& one) {
                           std::string name = one.param.second;
                           for (char& c : name)
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           return name;
                         });

// Each matrix in another block type, q, k and v apart: every value near the checkpoint's, within half a step of 4 bits of a group's range.
TEST(LoadGguf, QuantizedMatricesAreThoseOfTheFolder) {
  PHISCOPE_FIXTURE(folder, "models/phi-3-mini-tiny");
  const auto expected = load_model(folder), found = load_model(golden("phi-3-mini-tiny-mixed.gguf"));
  ASSERT_TRUE(expected.has_value() && found.has_value());
  EXPECT_TRUE(found->config.separate_qkv);
  EXPECT_EQ(found->plan->window, 24);
  EXPECT_THAT(stored_blocks(*found), AllOf(HasSubstr("Q4_0"), HasSubstr("Q8_0"), HasSubstr("Q5_1")));
  std::map<std::string, std::vector<float>> originals;
  for (size_t i = 0; i < expected->plan->tensors.size(); ++i) originals[expected->plan->tensors[i].name] = values_of(*expected, i);
  for (size_t i = 0; i < found->plan->tensors.size(); ++i) {
    const std::string& name = found->plan->tensors[i].name;
    std::vector<float> original = originals[name];
    for (const auto& [part, first] : {std::pair{".q_proj.", 0}, {".k_proj.", 64}, {".v_proj.", 128}}) {
      const size_t at = name.find(part);
      if (at == std::string::npos) continue;
      const std::vector<float>& fused = originals[name.substr(0, at) + ".qkv_proj.weight"];
      original.assign(fused.begin() + first * 64, fused.begin() + (first + 64) * 64);
    }
    const std::vector<float> values = values_of(*found, i);
    ASSERT_EQ(values.size(), original.size()) << name;
    double error = 0, size = 0;
    for (size_t k = 0; k < values.size(); ++k) {
      error += std::pow(static_cast<double>(values[k] - original[k]), 2);
      size += std::pow(static_cast<double>(original[k]), 2);
    }
    EXPECT_LT(std::sqrt(error / size), 0.12) << name;
  }
}

TEST(LoadGguf, ConfigsGoThroughConfigJson) {
  for (const SyntheticModel& model : synthetic_models()) {
    SCOPED_TRACE(model.name);
    const auto again = parse_config(to_json(model.config), "test");
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(to_json(*again), to_json(model.config));
    EXPECT_EQ(lower(*again)->rotary.frequencies_long, lower(model.config)->rotary.frequencies_long);
    EXPECT_EQ(lower(*again)->window, lower(model.config)->window);
  }
}

// --- a phi3 of one layer, byte by byte ---------------------------------------------------------------------------------------------

using Pairs = std::vector<std::pair<std::string, std::string>>;  // key, whole pair

Pairs small_pairs() {
  const auto u32 = [](const std::string& key, uint32_t value) { return std::pair{key, gguf_pair(key, GgufType::u32, raw(value))}; };
  const auto f32 = [](const std::string& key, float value) { return std::pair{key, gguf_pair(key, GgufType::f32, raw(value))}; };
  return {{"general.architecture", gguf_pair("general.architecture", GgufType::string, test::gguf_string("phi3"))},
          u32("phi3.context_length", 4096),
          u32("phi3.embedding_length", 32),
          u32("phi3.feed_forward_length", 32),
          u32("phi3.block_count", 1),
          u32("phi3.attention.head_count", 2),
          u32("phi3.attention.head_count_kv", 1),
          f32("phi3.attention.layer_norm_rms_epsilon", 1e-5f),
          u32("phi3.rope.dimension_count", 16)};
}

struct SmallTensor {
  std::string name;
  std::vector<uint64_t> dims;
};
std::vector<SmallTensor> small_tensors() {
  return {{"token_embd.weight", {32, 8}},         {"output_norm.weight", {32}},       {"output.weight", {32, 8}},         {"blk.0.attn_norm.weight", {32}},
          {"blk.0.ffn_norm.weight", {32}},        {"blk.0.attn_qkv.weight", {32, 64}}, {"blk.0.attn_output.weight", {32, 32}}, {"blk.0.ffn_up.weight", {32, 64}},
          {"blk.0.ffn_down.weight", {32, 32}}};
}

Result<Model> load_small(const Pairs& pairs, const std::vector<SmallTensor>& tensors, float value = 0.5f) {
  test::GgufBytes file;
  for (const auto& [key, pair] : pairs) file.pairs.push_back(pair);
  for (const SmallTensor& tensor : tensors) {
    file.tensors.push_back(test::gguf_tensor(tensor.name, tensor.dims, 0, file.data.size()));
    uint64_t count = 1;
    for (const uint64_t dim : tensor.dims) count *= dim;
    for (uint64_t i = 0; i < count; ++i) file.data += raw(value);
    file.data.resize((file.data.size() + 31) / 32 * 32, '\0');
  }
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "small.gguf";
  EXPECT_TRUE(write_file(path, file.bytes()).has_value());
  return load_model(path);
}

Pairs with(Pairs pairs, const std::string& key, const std::string& pair) {
  std::erase_if(pairs, [&](const auto& one) { return one.first == key; });
  if (!pair.empty()) pairs.emplace_back(key, pair);
  return pairs;
}
Pairs with_u32(const std::string& key, uint32_t value) { return with(small_pairs(), key, gguf_pair(key, GgufType::u32, raw(value))); }

TEST(LoadGguf, AnEarlyFileWithoutWindowGetsThePublishedOne) {
  const auto model = load_small(small_pairs(), small_tensors());
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->plan->window, 2047);
  EXPECT_THAT(model->notices, testing::ElementsAre(HasSubstr("2047")));
  EXPECT_EQ(load_small(with_u32("phi3.attention.sliding_window", 0), small_tensors())->plan->window, 0);
  EXPECT_EQ(load_small(with_u32("phi3.attention.sliding_window", 100), small_tensors())->plan->window, 100);
  EXPECT_EQ(load_small(with_u32("phi3.context_length", 8192), small_tensors())->plan->window, 0);
}

TEST(LoadGguf, FactorsSayHowManyDimensionsRotate) {
  auto tensors = small_tensors();
  tensors.push_back({"rope_factors_long.weight", {6}});
  tensors.push_back({"rope_factors_short.weight", {6}});
  const auto model = load_small(small_pairs(), tensors);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->plan->rotary.rotary_dims, 12);
  EXPECT_THAT(model->notices, testing::Contains(HasSubstr("12")));
  const auto refused = load_small(with_u32("phi3.rope.dimension_count", 8), tensors);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("rope_factors_long.weight"), HasSubstr("6 factors"), HasSubstr("is 4")));
  tensors.pop_back();
  EXPECT_THAT(load_small(small_pairs(), tensors).error().message, HasSubstr("equally many"));
}

struct Refused {
  const char* name;
  Pairs pairs;
  std::vector<SmallTensor> tensors;
  std::vector<std::string> sentence;
};

std::vector<Refused> refused_files() {
  auto without = [](const std::string& name) {
    auto tensors = small_tensors();
    std::erase_if(tensors, [&](const SmallTensor& tensor) { return tensor.name == name; });
    return tensors;
  };
  auto misshapen = small_tensors();
  misshapen[7].dims = {32, 48};
  const auto text = [](const std::string& key, const std::string& value) { return with(small_pairs(), key, gguf_pair(key, GgufType::string, test::gguf_string(value))); };
  return {
      {"another architecture", text("general.architecture", "llama"), small_tensors(), {"small.gguf", "'llama'", "offset", "phi2, phi3 and phimoe"}},
      {"no epsilon", with(small_pairs(), "phi3.attention.layer_norm_rms_epsilon", ""), small_tensors(), {"phi3.attention.layer_norm_rms_epsilon", "missing"}},
      {"epsilon of zero", with(small_pairs(), "phi3.attention.layer_norm_rms_epsilon", gguf_pair("phi3.attention.layer_norm_rms_epsilon", GgufType::f32, raw(0.0f))),
       small_tensors(), {"layer_norm_rms_epsilon", "offset", "above 0"}},
      {"a text for a number", text("phi3.block_count", "one"), small_tensors(), {"phi3.block_count", "offset", "whole number"}},
      {"no heads", with_u32("phi3.attention.head_count", 0), small_tensors(), {"phi3.attention.head_count", "offset", "1 to"}},
      {"heads that divide nothing", with_u32("phi3.attention.head_count", 3), small_tensors(), {"phi3.embedding_length", "does not divide"}},
      {"kv heads that divide nothing", with(with_u32("phi3.attention.head_count", 4), "phi3.attention.head_count_kv",
                                            gguf_pair("phi3.attention.head_count_kv", GgufType::u32, raw<uint32_t>(3))),
       small_tensors(), {"head_count_kv", "not a multiple"}},
      {"an odd rotary size", with_u32("phi3.rope.dimension_count", 15), small_tensors(), {"phi3.rope.dimension_count", "offset", "even"}},
      {"a rotary size above the head", with_u32("phi3.rope.dimension_count", 18), small_tensors(), {"phi3.rope.dimension_count", "2 to 16"}},
      {"a missing tensor", small_pairs(), without("blk.0.ffn_norm.weight"), {"small.gguf", "blk.0.ffn_norm.weight", "[32]", "missing"}},
      {"a misshapen tensor", small_pairs(), misshapen, {"small.gguf", "blk.0.ffn_up.weight", "offset", "[48, 32]", "[64, 32]"}},
      {"no embedding", small_pairs(), without("token_embd.weight"), {"token_embd.weight"}},
      {"another number of tokens",
       with(small_pairs(), "tokenizer.ggml.tokens", test::gguf_array("tokenizer.ggml.tokens", GgufType::string, 1, test::gguf_string("a"))), small_tensors(),
       {"tokenizer.ggml.tokens", "1 tokens", "token_embd.weight", "8 rows"}},
      {"another scaling", text("phi3.rope.scaling.type", "linear"), small_tensors(), {"phi3.rope.scaling.type", "'linear'", "offset"}},
  };
}

TEST(LoadGguf, WhatDoesNotFitIsNamedWithItsPlace) {
  for (const Refused& row : refused_files()) {
    SCOPED_TRACE(row.name);
    const auto model = load_small(row.pairs, row.tensors);
    ASSERT_FALSE(model.has_value());
    for (const std::string& part : row.sentence) EXPECT_THAT(model.error().message, HasSubstr(part));
  }
  const auto infinite = load_small(small_pairs(), small_tensors(), INFINITY);
  ASSERT_FALSE(infinite.has_value());
  EXPECT_THAT(infinite.error().message, AllOf(HasSubstr("token_embd.weight"), HasSubstr("NaN or infinite"), HasSubstr("offset")));
}

TEST(LoadGguf, AVocabularyAloneIsNoModelButHasAConfig) {
  const auto tokens = test::gguf_array("tokenizer.ggml.tokens", GgufType::string, 2, test::gguf_string("a") + test::gguf_string("b"));
  const auto model = load_small(with(small_pairs(), "tokenizer.ggml.tokens", tokens), {});
  ASSERT_FALSE(model.has_value());
  EXPECT_THAT(model.error().message, HasSubstr("no tensors"));
}

}  // namespace
}  // namespace phiscope
