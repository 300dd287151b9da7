// Artifacts of GGUF files: recipe `source` keeps the file's own bits, others quantize the values that they stand for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/convert/artifact.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/core/convert/tiny_model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

std::filesystem::path mixed_file() { return test::source_path("tests/golden/gguf/phi-3-mini-tiny-mixed.gguf"); }

Model mixed() {
  auto model = load_model(mixed_file());
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
  return model.value_or(Model{});
}

std::vector<float> row_of(const WeightSource& weights, int index, int64_t row) {
  const auto weight = weights.tensor(index);
  EXPECT_TRUE(weight.has_value());
  std::vector<float> values(static_cast<size_t>(weight->view.columns));
  dequantize_row(weight->view, row, values.data());
  return values;
}

TEST(GgufArtifact, SourceIsTheFileItself) {
  const Model model = mixed();
  const test::TemporaryFolder folder;
  ASSERT_TRUE(make_artifact(model, test::recipe_of("source"), folder / "artifact", {}).has_value());
  const auto artifact = open_artifact(folder / "artifact");  // finds the file again by itself
  ASSERT_TRUE(artifact.has_value()) << artifact.error().message;
  EXPECT_EQ(artifact->file_bytes, std::filesystem::file_size(mixed_file()));
  EXPECT_GT(artifact->bits_per_weight, 4.5);
  EXPECT_LT(artifact->bits_per_weight, 8.5);
  for (size_t i = 0; i < model.plan->tensors.size(); ++i) {
    const int index = static_cast<int>(i);
    const Weight source = *model.weights->tensor(index), found = *artifact->weights->tensor(index);
    ASSERT_TRUE(found.view.encoding.is_blocks());
    EXPECT_EQ(found.view.encoding.name(), source.view.encoding.name());
    EXPECT_EQ(std::memcmp(found.view.codes, source.view.codes, source.view.encoding.bytes(source.view.rows, source.view.columns)), 0);
  }
}

TEST(GgufArtifact, OtherRecipesQuantizeTheValuesOfTheFile) {
  const Model model = mixed();
  const test::TemporaryFolder folder;
  for (const char* recipe : {"fp32", "int4:g32", "int8:lm_head=source"}) {
    SCOPED_TRACE(recipe);
    ASSERT_TRUE(make_artifact(model, test::recipe_of(recipe), folder / "artifact", {}).has_value());
    const auto artifact = open_artifact(folder / "artifact");
    ASSERT_TRUE(artifact.has_value()) << artifact.error().message;
    const bool is_exact = std::string_view(recipe) == "fp32";
    for (size_t i = 0; i < model.plan->tensors.size(); ++i) {
      const std::vector<float> expected = row_of(*model.weights, static_cast<int>(i), 3), found = row_of(*artifact->weights, static_cast<int>(i), 3);
      if (is_exact || artifact->tensors[i].encoding.is_blocks()) {
        EXPECT_EQ(found, expected);
      } else {
        EXPECT_NEAR(found[5], expected[5], 0.05);
      }
    }
    const bool keeps_head = std::string_view(recipe).ends_with("source");
    EXPECT_EQ(artifact->weights->encoding(artifact->plan->head).is_blocks(), keeps_head);
    // The folder stands alone: config and vocabulary come from the metadata.
    const auto tokenizer = Tokenizer::load(folder / "artifact"), original = Tokenizer::load(mixed_file());
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    EXPECT_EQ((*tokenizer)->hash(), (*original)->hash());
    EXPECT_EQ(artifact->plan->window, model.plan->window);
    EXPECT_EQ(model_of_artifact(*artifact)->config.separate_qkv, true);
  }
}

}  // namespace
}  // namespace phiscope
