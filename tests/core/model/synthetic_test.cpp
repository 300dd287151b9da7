#include <gtest/gtest.h>

#include <cmath>

#include "core/model/model.h"

namespace phiscope {
namespace {

Model make(std::string_view name, std::string_view recipe_text, uint64_t seed = 1) {
  const auto recipe = parse_recipe(recipe_text);
  EXPECT_TRUE(recipe.has_value()) << recipe.error().message;
  auto model = make_synthetic(name, *recipe, seed);
  EXPECT_TRUE(model.has_value()) << model.error().message;
  return *model;
}

int find_tensor(const Plan& plan, std::string_view name) {
  for (size_t i = 0; i < plan.tensors.size(); ++i)
    if (plan.tensors[i].name == name) return static_cast<int>(i);
  ADD_FAILURE() << "the plan has no " << name;
  return 0;
}

struct Moments {
  double mean = 0, deviation = 0;
};
Moments moments(const WeightView& weight, int64_t rows) {
  std::vector<float> row(static_cast<size_t>(weight.columns));
  double sum = 0, squares = 0;
  for (int64_t n = 0; n < rows; ++n) {
    dequantize_row(weight, n, row.data());
    for (const float value : row) {
      sum += static_cast<double>(value);
      squares += static_cast<double>(value) * static_cast<double>(value);
    }
  }
  const auto count = static_cast<double>(rows * weight.columns);
  return {sum / count, std::sqrt(squares / count)};
}

TEST(SyntheticModel, HasThePublishedNumberOfParameters) {
  const std::map<std::string, int64_t> published = {
      {"phi-1", 1'418'270'720},
      {"phi-1.5", 1'418'270'720},
      {"phi-2", 2'779'683'840},
      {"phi-3-mini-4k", 3'821'079'552},
      {"phi-3-mini-128k", 3'821'079'552},
      {"phi-3-small-8k", 7'392'272'384},
      {"phi-3-small-128k", 7'392'272'384},
      {"phi-3-medium-4k", 13'960'238'080},
      {"phi-3-medium-128k", 13'960'238'080},
      {"phi-3-vision", 3'821'079'552},
      {"phi-3.5-mini", 3'821'079'552},
      {"phi-3.5-vision", 3'821'079'552},
      {"phi-3.5-moe", 41'873'153'344},
      {"phi-mini-moe", 7'647'632'704},  // the card says 7.6 billion
      {"phi-tiny-moe", 3'755'220'288},
      {"phi-4", 14'659'507'200},
      {"phi-4-reasoning", 14'659'507'200},
      {"phi-4-reasoning-plus", 14'659'507'200},
      {"phi-4-reasoning-vision", 14'659'507'200},
      {"phi-4-mini", 3'836'021'760},
      {"phi-4-mini-reasoning", 3'836'021'760},
      {"phi-4-multimodal", 3'836'021'760},
  };
  EXPECT_EQ(synthetic_models().size(), published.size());
  for (const SyntheticModel& model : synthetic_models()) {
    const auto plan = lower(model.config);
    ASSERT_TRUE(plan.has_value()) << plan.error().message;
    EXPECT_EQ(plan->parameters(), published.at(model.name)) << model.name;
  }
}

TEST(SyntheticModel, GivesEqualBitsForEqualArgumentsOnly) {
  const Model a = make("phi-tiny-moe", "int4"), b = make("phi-tiny-moe", "int4"), other = make("phi-tiny-moe", "int4", 2);
  const int tensor = find_tensor(*a.plan, "model.layers.3.self_attn.k_proj.weight");
  const auto bytes = [&](const Model& model, int index) {
    const Weight weight = *model.weights->tensor(index);
    const auto* codes = reinterpret_cast<const char*>(weight.view.codes);
    return std::string(codes, codes + static_cast<int64_t>(weight.view.encoding.code_bytes_per_row(weight.view.columns)) * weight.view.rows);
  };
  EXPECT_EQ(bytes(a, tensor), bytes(b, tensor));
  EXPECT_NE(bytes(a, tensor), bytes(other, tensor));
  EXPECT_NE(bytes(a, tensor), bytes(a, find_tensor(*a.plan, "model.layers.3.self_attn.v_proj.weight")));
}

// A product must keep the size of its input through 40 layers: deviation near 1/sqrt(K), mean near 0.
TEST(SyntheticModel, WeightsAreCentredAndOfTheRightSizeInEveryEncoding) {
  for (const char* recipe : {"fp32", "fp16", "bf16", "int8", "int4", "int4-asym", "int4:g128"}) {
    const Model model = make("phi-3.5-mini", recipe);
    const int tensor = find_tensor(*model.plan, "model.layers.0.mlp.down_proj.weight");
    const Weight weight = *model.weights->tensor(tensor);
    EXPECT_EQ(weight.view.rows, 3072);
    EXPECT_EQ(weight.view.columns, 8192);
    const Moments found = moments(weight.view, 64);
    const double wanted = 1 / std::sqrt(8192.0);
    EXPECT_LT(std::fabs(found.mean), 0.01 * wanted) << recipe;
    EXPECT_GT(found.deviation, wanted / 1.5) << recipe;
    EXPECT_LT(found.deviation, wanted * 1.5) << recipe;
  }
}

TEST(SyntheticModel, UnknownNameOffersTheNearest) {
  const auto model = make_synthetic("phi-3.5-mni", *parse_recipe("int4"));
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::not_found);
  EXPECT_NE(model.error().message.find("did you mean 'phi-3.5-mini'?"), std::string::npos) << model.error().message;
}

}  // namespace
}  // namespace phiscope
