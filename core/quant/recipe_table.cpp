// The built-in recipes.

#include <vector>

#include "core/quant/recipe.h"

namespace phiscope {
namespace {

constexpr WeightEncoding kInt8Row{.bits = 8};
constexpr WeightEncoding kInt4{.bits = 4, .group = 32};
constexpr WeightEncoding kInt4ZeroPoint{.bits = 4, .group = 32, .offset = OffsetClass::zero_point};

/// Every matrix alike.
Recipe uniform(std::string name, std::string description, const WeightRule& rule, KvType kv = KvType::f16) {
  Recipe recipe{.name = name, .base = name, .description = std::move(description), .rules = {}, .patterns = {}, .kv = kv};
  recipe.rules.fill(rule);
  return recipe;
}

/// Tensors that are neither read nor multiplied whole (a MoE router) stay as they are: they are small and decide much.
Recipe with_other_kept(Recipe recipe) {
  recipe.rules[static_cast<size_t>(TensorClass::other)] = {.keep_source = true, .encoding = {}};
  return recipe;
}

/// Embedding and head at 8 bits a row: the head is the most sensitive matrix of the small Phis, the embedding is read one row a token.
Recipe four_bits(std::string name, std::string description, const WeightEncoding& encoding) {
  Recipe recipe = with_other_kept(uniform(std::move(name), std::move(description), {.encoding = encoding}));
  recipe.rules[static_cast<size_t>(TensorClass::embedding)] = {.encoding = kInt8Row};
  recipe.rules[static_cast<size_t>(TensorClass::lm_head)] = {.encoding = kInt8Row};
  return recipe;
}

Recipe with_int8_activations(Recipe recipe) {
  recipe.activation = ActivationMode::int8;
  return recipe;
}

// To add a recipe: a row here, in the order shown to users, and its line in the interface's table.
std::vector<Recipe> make_recipes() {
  return {
      uniform("source", "as the file holds the weights", {.keep_source = true, .encoding = {}}),
      uniform("fp32", "FP32 weights and arithmetic", {.encoding = {.float_type = DType::f32}}, KvType::f32),
      uniform("fp16", "FP16 weights", {.encoding = {.float_type = DType::f16}}),
      uniform("bf16", "BF16 weights", {.encoding = {.float_type = DType::bf16}}),
      with_other_kept(uniform("int8", "8-bit weights, symmetric, one scale a row", {.encoding = kInt8Row})),
      with_int8_activations(with_other_kept(
          uniform("int8-dyn", "int8, activations rounded to 8 bits per token at run time", {.encoding = kInt8Row}))),
      four_bits("int4", "4-bit weights, symmetric, groups of 32; embedding and head 8-bit", kInt4),
      four_bits("int4-asym", "4-bit weights with zero points, groups of 32; embedding and head 8-bit", kInt4ZeroPoint),
      with_int8_activations(four_bits("int4-dyn", "int4, activations rounded to 8 bits per token at run time", kInt4)),
  };
}

}  // namespace

std::span<const Recipe> builtin_recipes() {
  static const std::vector<Recipe> recipes = make_recipes();
  return recipes;
}

}  // namespace phiscope
