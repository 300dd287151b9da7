#include "core/convert/artifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cmath>
#include <cstring>

#include "core/base/files.h"
#include "core/base/json.h"
#include "core/base/platform/platform.h"
#include "tests/core/convert/tiny_model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using test::names_in;
using test::recipe_of;
using test::tiny_model;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

Artifact made(const Model& model, std::string_view recipe, const std::filesystem::path& target) {
  auto artifact = make_artifact(model, recipe_of(recipe), target, {.threads = 2, .on_progress = {}});
  EXPECT_TRUE(artifact.has_value()) << recipe << ": " << (artifact ? "" : artifact.error().message);
  return artifact.value_or(Artifact{});
}

Artifact opened(const std::filesystem::path& folder, const Model* model = nullptr) {
  auto artifact = open_artifact(folder, model);
  EXPECT_TRUE(artifact.has_value()) << (artifact ? "" : artifact.error().message);
  return artifact.value_or(Artifact{});
}

/// Each tensor of the artifact equals the tensor quantized by itself, bit for bit.
void expect_quantized(const Model& model, const Recipe& recipe, const Artifact& artifact) {
  ASSERT_EQ(artifact.tensors.size(), model.plan->tensors.size());
  for (size_t i = 0; i < artifact.tensors.size(); ++i) {
    const PlanTensor& planned = model.plan->tensors[i];
    const WeightRule& rule = recipe.rule_for(planned.tensor_class, planned.name);
    const Weight source = *model.weights->tensor(static_cast<int>(i));
    const WeightEncoding encoding = rule.keep_source ? source.view.encoding : rule.encoding;
    const TensorView view{source.view.encoding.float_type, {planned.rows, planned.columns}, source.view.codes};
    const EncodedMatrix expected = *quantize_matrix(view, encoding, recipe.method, 1);
    const auto found = artifact.weights->tensor(static_cast<int>(i));
    ASSERT_TRUE(found.has_value());
    ASSERT_EQ(found->view.encoding.name(), encoding.name());
    ASSERT_EQ(std::memcmp(found->view.codes, expected.codes.data(), expected.codes.size()), 0) << planned.name;
    if (!encoding.is_integer()) continue;
    ASSERT_EQ(std::memcmp(found->view.scales, expected.scales.data(), expected.scales.size()), 0) << planned.name;
    const std::vector<uint8_t>& zeros = expected.zero_points;
    ASSERT_TRUE(zeros.empty() || std::memcmp(found->view.zero_points, zeros.data(), zeros.size()) == 0) << planned.name;
  }
}

TEST(Artifact, ReadBackGivesTheSameBits) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  for (const char* text : {"int4", "int4-asym", "int8", "fp32", "fp16", "bf16", "source", "int4:g64:method=rtn:lm_head=fp16:embedding=source",
                           "fp32:model.layers.1.*=int8-g32"}) {
    const Recipe recipe = recipe_of(text);
    const std::filesystem::path target = folder / (std::string("artifact-") + text);
    const Artifact artifact = made(model, text, target);
    expect_quantized(model, recipe, artifact);
    const Artifact again = opened(target);  // by itself, or from the source that its manifest names
    expect_quantized(model, recipe, again);
    EXPECT_EQ(again.hash, artifact.hash);
    EXPECT_EQ(again.weights->hash(), artifact.hash);
    EXPECT_EQ(again.recipe, recipe.name);
    ASSERT_EQ(again.plan->vectors.size(), model.plan->vectors.size());
    for (size_t i = 0; i < model.plan->vectors.size(); ++i) EXPECT_EQ(again.plan->vectors[i].values, model.plan->vectors[i].values);
    for (size_t i = 0; i < artifact.tensors.size(); ++i) {
      EXPECT_EQ(again.tensors[i].error.mse, artifact.tensors[i].error.mse);
      EXPECT_EQ(again.tensors[i].error.sqnr_db, artifact.tensors[i].error.sqnr_db);
    }
    again.weights->release(0);
    expect_quantized(model, recipe, again);
  }
}

TEST(Artifact, KeepsOddSizesAligned) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model", {.hidden = 24, .ffn = 33, .layers = 1, .vocab = 101});
  for (const char* text : {"int4-asym", "int8", "fp32", "int4:g16"}) {
    made(model, text, folder / "artifact");
    expect_quantized(model, recipe_of(text), opened(folder / "artifact"));
  }
}

TEST(Artifact, WithIntegersStandsAlone) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  made(model, "int4:embedding=source", folder / "artifact");
  std::filesystem::remove_all(folder / "model");
  std::filesystem::rename(folder / "artifact", folder / "elsewhere");
  const Artifact artifact = opened(folder / "elsewhere");
  EXPECT_TRUE(artifact.weights->tensor(0).has_value());
  EXPECT_THAT(names_in(folder / "elsewhere"), ElementsAre("config.json", "manifest.json", "tokenizer.json", "weights.safetensors"));
}

TEST(Artifact, OfTheSourcesOwnTypeCopiesNothing) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  const Artifact artifact = made(model, "bf16", folder / "artifact");
  EXPECT_THAT(names_in(folder / "artifact"), Not(Contains("weights.safetensors")));
  for (const ArtifactTensor& tensor : artifact.tensors) {
    EXPECT_TRUE(tensor.from_source);
    EXPECT_EQ(tensor.error.mse, 0);
  }
  EXPECT_EQ(artifact.weights->tensor(0)->view.codes, model.weights->tensor(0)->view.codes) << "the mapping of the source";
}

TEST(Artifact, FindsItsSourceWhenBothMovedTogether) {
  const test::TemporaryFolder folder;
  {
    const Model model = tiny_model(folder / "one/model");
    made(model, "bf16", folder / "one/artifact");
  }
  std::filesystem::rename(folder / "one", folder / "two");
  EXPECT_TRUE(opened(folder / "two/artifact").weights->tensor(1).has_value());
}

TEST(Artifact, CountsBytesAndBitsPerWeight) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  const Artifact half = made(model, "fp16", folder / "half"), four = made(model, "int4:lm_head=int4:embedding=int4", folder / "four");
  EXPECT_DOUBLE_EQ(half.bits_per_weight, 16);
  EXPECT_DOUBLE_EQ(four.bits_per_weight, 4.5);
  uint64_t weights = 0, vectors = 0;
  for (const PlanTensor& tensor : model.plan->tensors) weights += static_cast<uint64_t>(tensor.rows * tensor.columns);
  for (const PlanVector& vector : model.plan->vectors) vectors += vector.values.size() * 4;
  EXPECT_EQ(half.file_bytes, 2 * weights + vectors);
  EXPECT_EQ(four.file_bytes, weights * 9 / 16 + vectors);
}

TEST(Artifact, StatesTheErrorOfEachTensorInItsManifest) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  made(model, "int4", folder / "artifact");
  const Json manifest = *read_json_file(folder / "artifact/manifest.json");
  EXPECT_EQ(manifest["schema"], "phiscope/artifact/1");
  EXPECT_EQ(manifest["recipe"], "int4");
  EXPECT_EQ(manifest["source"]["hash"], model.hash);
  for (const Json& tensor : manifest["tensors"]) {
    const double sqnr = tensor["sqnr_db"];
    EXPECT_GT(sqnr, tensor["encoding"]["type"] == "int8" ? 35 : 18) << tensor["name"];
    EXPECT_LT(sqnr, tensor["encoding"]["type"] == "int8" ? 55 : 28) << tensor["name"];
    EXPECT_GT(tensor["mse"], 0);
  }
}

TEST(Artifact, IsTheSameForAnyNumberOfThreads) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  for (const int threads : {1, 3}) {
    const auto artifact = make_artifact(model, recipe_of("int4-asym"), folder / std::to_string(threads), {.threads = threads, .on_progress = {}});
    ASSERT_TRUE(artifact.has_value());
  }
  EXPECT_EQ(*read_file(folder / "1/weights.safetensors"), *read_file(folder / "3/weights.safetensors"));
  EXPECT_EQ(*read_file(folder / "1/manifest.json"), *read_file(folder / "3/manifest.json"));
}

TEST(Artifact, IsMadeFromQuantizedWeightsToo) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  Model eight_bits = model;
  eight_bits.weights = made(model, "int8", folder / "int8").weights;
  const Artifact copy = made(eight_bits, "int8", folder / "copy");
  expect_quantized(model, recipe_of("int8"), copy);
  EXPECT_EQ(copy.tensors[0].error.mse, 0) << "its source is the 8-bit model";
  const Artifact four = made(eight_bits, "int4:method=rtn", folder / "int4");
  EXPECT_EQ(four.tensors[1].encoding.bits, 4);
  EXPECT_GT(four.tensors[1].error.sqnr_db, 18);
}

TEST(Artifact, ReportsProgressThatEndsAtOne) {
  const test::TemporaryFolder folder;
  const Model model = tiny_model(folder / "model");
  std::vector<double> fractions;
  const auto on_progress = [&](double fraction, std::string_view tensor) {
    EXPECT_FALSE(tensor.empty());
    fractions.push_back(fraction);
    return true;
  };
  ASSERT_TRUE(make_artifact(model, recipe_of("int8"), folder / "artifact", {.threads = 1, .on_progress = on_progress}).has_value());
  EXPECT_TRUE(std::ranges::is_sorted(fractions));
  EXPECT_DOUBLE_EQ(fractions.back(), 1.0);
}

/// Of 28 million weights, 112 MB in FP32, one piece at a time is in private memory.
TEST(Artifact, TakesPrivateMemoryForOnePieceOnly) {
  const test::TemporaryFolder folder;
  constexpr uint64_t kLargestTensor = 2 * 4096 * 512 * 2;  // gate_up_proj in BF16
  constexpr uint64_t kConstant = uint64_t{40} << 20;       // one piece of 8 million f32 codes, allocator slack
  const Model model = tiny_model(folder / "model", {.hidden = 512, .ffn = 4096, .layers = 4});
  for (const char* text : {"int4:method=rtn", "fp32"}) {
    malloc_trim(0);  // what writing the model left behind would hide what is taken now
    const uint64_t before = platform::process_memory()->anonymous;
    uint64_t most = 0;
    const auto on_progress = [&](double, std::string_view) {
      most = std::max(most, platform::process_memory()->anonymous);
      return true;
    };
    ASSERT_TRUE(make_artifact(model, recipe_of(text), folder / "artifact", {.threads = 2, .on_progress = on_progress}).has_value());
    ASSERT_GT(before, 0u);
    EXPECT_LT(most, before + 2 * kLargestTensor + kConstant) << text;
    RecordProperty(std::string("private_bytes_") + text, std::to_string(most - before));
  }
}

}  // namespace
}  // namespace phiscope
