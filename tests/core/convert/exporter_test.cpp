#include "core/convert/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/base/json.h"
#include "core/convert/gguf_types.h"
#include "core/format/gguf.h"
#include "core/quant/blocks.h"
#include "tests/core/convert/tiny_model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using test::recipe_of;
using test::tiny_model;
using ::testing::Contains;
using ::testing::HasSubstr;

ExportResult exported(const Model& model, std::string_view format, const std::filesystem::path& target, std::string_view recipe = "source") {
  auto result = export_model(model, format, {recipe_of(recipe), target, {.threads = 2, .on_progress = {}}});
  EXPECT_TRUE(result.has_value()) << format << ": " << (result ? "" : result.error().message);
  return result.value_or(ExportResult{});
}

/// A tiny model with a tokenizer that works.
Model whole_model(const std::filesystem::path& folder) {
  Model model = tiny_model(folder);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
    std::filesystem::copy_file(test::source_path(std::string("tests/golden/models/phi-3-mini-tiny/") + name), folder / name,
                               std::filesystem::copy_options::overwrite_existing);
  return model;
}

std::vector<float> values_of(const WeightSource& weights, int index) {
  const Weight weight = *weights.tensor(index);
  std::vector<float> values(static_cast<size_t>(weight.view.rows * weight.view.columns));
  for (int64_t row = 0; row < weight.view.rows; ++row) dequantize_row(weight.view, row, values.data() + row * weight.view.columns);
  return values;
}

std::vector<float> values_of(const TensorView& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  if (tensor.block != BlockType::none)
    for (int64_t row = 0; row < tensor.rows(); ++row)
      dequantize_blocks(tensor.block, tensor.data + static_cast<uint64_t>(row) * block_row_bytes(tensor.block, tensor.columns()), tensor.columns(),
                        values.data() + row * tensor.columns());
  else
    widen_to_f32(tensor, 0, tensor.elements(), values.data());
  return values;
}

std::shared_ptr<const GgufFile> opened(const std::filesystem::path& path) {
  auto file = GgufFile::open(path);
  EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().message);
  return *file;
}

TEST(GgufExport, FloatsArriveAsTheyAre) {
  const test::TemporaryFolder folder;
  const Model model = whole_model(folder.path() / "model");
  const ExportResult result = exported(model, "gguf:BF16", folder.path() / "out.gguf");
  const auto file = opened(result.path);
  EXPECT_EQ(result.bytes, std::filesystem::file_size(result.path));
  EXPECT_EQ(values_of(file->tensors()->find("token_embd.weight")->view), values_of(*model.weights, model.plan->embedding));
  EXPECT_EQ(file->tensors()->find("blk.1.ffn_down.weight")->view.shape, (std::vector<int64_t>{64, 96}));
  EXPECT_EQ(file->tensors()->find("blk.0.attn_norm.weight")->view.dtype, DType::f32);
  EXPECT_EQ(*file->integer("phi3.block_count", 0, 99), 2);
  EXPECT_EQ(*file->integer("general.file_type", 0, 99), 32);
  EXPECT_EQ(file->texts("tokenizer.ggml.tokens", 999)->size(), 320u) << "padding rows included";
}

/// What was measured is what is deployed.
TEST(GgufExport, AnInt4ArtifactIsQ4_0CodeForCode) {
  const test::TemporaryFolder folder;
  const Model model = whole_model(folder.path() / "model");
  const auto artifact = make_artifact(model, recipe_of("int4"), folder.path() / "int4", {.threads = 2, .on_progress = {}});
  ASSERT_TRUE(artifact.has_value()) << artifact.error().message;
  const Model quantized = *model_of_artifact(*artifact);
  const ExportResult result = exported(quantized, "gguf", folder.path() / "out.gguf");
  const auto file = opened(result.path);
  const TensorView qkv = file->tensors()->find("blk.0.attn_qkv.weight")->view, head = file->tensors()->find("output.weight")->view;
  EXPECT_EQ(qkv.block, BlockType::q4_0);
  EXPECT_EQ(head.block, BlockType::q8_0);
  EXPECT_EQ(*file->integer("general.file_type", 0, 99), 2);
  for (size_t i = 0; i < quantized.plan->tensors.size(); ++i) {
    EXPECT_EQ(result.tensors[i].error.mse, 0);
    if (quantized.plan->tensors[i].name == "model.layers.0.self_attn.qkv_proj.weight") {
      EXPECT_EQ(values_of(qkv), values_of(*quantized.weights, static_cast<int>(i)));
    }
  }
  EXPECT_EQ(values_of(head), values_of(*quantized.weights, quantized.plan->head));

  // With a recipe the same file comes straight from the model.
  const ExportResult direct = exported(model, "gguf", folder.path() / "direct.gguf", "int4");
  const auto again = opened(direct.path);
  for (const TensorEntry& entry : file->tensors()->tensors())
    EXPECT_EQ(std::memcmp(entry.view.data, again->tensors()->find(entry.name)->view.data, entry.view.bytes()), 0) << entry.name;

  // A mixture takes what fits (the head too: rows of 64 hold no Q6_K, so it is Q8_0) and says what is rounded again: the embedding.
  const ExportResult mixture = exported(quantized, "gguf:Q4_0", folder.path() / "mixture.gguf");
  EXPECT_EQ(values_of(opened(mixture.path)->tensors()->find("blk.0.attn_qkv.weight")->view), values_of(qkv));
  EXPECT_THAT(mixture.notices, Contains(HasSubstr("1 of 10 matrices were quantized already")));
}

TEST(GgufExport, TheRecipeAndTheFormatAreNotBothAsked) {
  const test::TemporaryFolder folder;
  const Model model = whole_model(folder.path() / "model");
  const auto refused = export_model(model, "gguf:Q4_0", {recipe_of("int4"), folder.path() / "out.gguf", {}});
  EXPECT_THAT(refused.error().message, HasSubstr("--recipe int4 has no place"));
  EXPECT_THAT(export_model(model, "gguf", {recipe_of("int4-asym"), folder.path() / "out.gguf", {}}).error().message, HasSubstr("no type of GGUF holds"));
  EXPECT_THAT(export_model(model, "gguf:Q4_0", {recipe_of("source"), folder.path() / "out.bin", {}}).error().message, HasSubstr("ends in .gguf"));
  EXPECT_THAT(export_model(model, "gguf:Q4", {recipe_of("source"), folder.path() / "out.gguf", {}}).error().message, HasSubstr("did you mean 'gguf:Q4_0'"));
  EXPECT_EQ(test::names_in(folder.path()), std::vector<std::string>{"model"}) << "nothing is left behind";
}

/// The rule of llama-quantize, whose types for Phi-3.5-mini (32 layers) are published.
TEST(GgufTypes, MixturesAreThoseOfLlamaQuantize) {
  const auto type = [](std::string_view mixture, std::string_view name, int64_t layer, int64_t columns, bool is_head = false) {
    for (const GgufMixture& row : gguf_mixtures())
      if (row.name == mixture) return gguf_encoding(row, {name, layer, 32, columns, is_head}).name();
    return std::string("none");
  };
  int six_bits = 0;
  for (int64_t layer = 0; layer < 32; ++layer) six_bits += type("Q4_K_M", "blk.0.ffn_down.weight", layer, 8192) == "Q6_K" ? 1 : 0;
  EXPECT_EQ(six_bits, 16);
  EXPECT_EQ(type("Q4_K_M", "blk.4.attn_qkv.weight", 4, 3072), "Q4_K");
  EXPECT_EQ(type("Q4_K_M", "blk.6.attn_v.weight", 6, 3072), "Q6_K");
  EXPECT_EQ(type("Q4_K_M", "blk.0.attn_output.weight", 0, 3072), "Q4_K");
  EXPECT_EQ(type("Q4_0", "output.weight", -1, 3072, true), "Q6_K");
  EXPECT_EQ(type("Q4_0", "token_embd.weight", -1, 3072), "Q4_0");
  EXPECT_EQ(type("Q8_0", "output.weight", -1, 3072, true), "Q8_0");
  EXPECT_EQ(type("Q4_K_M", "blk.4.ffn_down_exps.weight", 4, 448), "Q5_0") << "448 is no multiple of 256";
  EXPECT_EQ(type("Q5_K_M", "blk.4.ffn_down_exps.weight", 4, 448), "Q5_1");
  EXPECT_EQ(type("Q6_K", "blk.4.ffn_down_exps.weight", 4, 448), "Q8_0");
  EXPECT_EQ(type("Q4_0", "blk.0.ffn_up.weight", 0, 80), "f16");
  EXPECT_EQ(type("Q4_0", "blk.0.ffn_gate_inp.weight", 0, 4096), "f32");
}

TEST(HfExport, AFolderThatIsTheSameModel) {
  const test::TemporaryFolder folder;
  const Model model = whole_model(folder.path() / "model");
  const ExportResult result = exported(model, "hf", folder.path() / "copy");
  const auto copy = load_model(result.path);
  ASSERT_TRUE(copy.has_value()) << copy.error().message;
  for (size_t i = 0; i < model.plan->tensors.size(); ++i)
    EXPECT_EQ(values_of(*copy->weights, static_cast<int>(i)), values_of(*model.weights, static_cast<int>(i)));
  for (size_t i = 0; i < model.plan->vectors.size(); ++i) EXPECT_EQ(copy->plan->vectors[i].values, model.plan->vectors[i].values);
  EXPECT_EQ(copy->files->metadata().at("format"), "pt") << "transformers asks for it";
  EXPECT_THAT(test::names_in(result.path), Contains("tokenizer.json"));
  EXPECT_THAT(export_model(model, "hf", {recipe_of("source"), result.path, {}}).error().message, HasSubstr("not empty"));
}

TEST(HfExport, QuantizedValuesStayWhatTheyAre) {
  const test::TemporaryFolder folder;
  const Model model = whole_model(folder.path() / "model");
  const auto artifact = make_artifact(model, recipe_of("int4"), folder.path() / "int4", {.threads = 2, .on_progress = {}});
  const ExportResult result = exported(model, "hf", folder.path() / "wide", "int4");
  const auto wide = load_model(result.path);
  ASSERT_TRUE(wide.has_value()) << wide.error().message;
  EXPECT_EQ(wide->config.dtype, DType::f32);
  for (size_t i = 0; i < model.plan->tensors.size(); ++i)
    EXPECT_EQ(values_of(*wide->weights, static_cast<int>(i)), values_of(*artifact->weights, static_cast<int>(i)));
}

}  // namespace
}  // namespace phiscope
