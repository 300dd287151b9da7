#pragma once
// A recipe says how to turn a model's weights into a precision (names and options: the interface that users rely on).

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/quant/quantize.h"
#include "core/quant/weight.h"

namespace phiscope {

enum class TensorClass : uint8_t { embedding, attention_in, attention_out, mlp_in, mlp_out, experts, lm_head, other };
inline constexpr int kTensorClasses = 8;
/// "attention_in", ...
std::string_view tensor_class_name(TensorClass tensor_class);

/// Activations that enter a linear layer.
enum class ActivationMode : uint8_t {
  wide,  // never below 16 bits; the run says which type multiplied
  int8,  // 8 bits, symmetric, made at run time per token and group of 128
};
enum class KvType : uint8_t { f32, f16, int8, int4 };
std::string_view kv_type_name(KvType type);

/// What happens to one tensor class: nothing (the source's own type) or an encoding.
struct WeightRule {
  bool keep_source = false;
  WeightEncoding encoding;
};
/// A rule for tensors whose name matches a glob ("model.layers.0.*"); the first that matches wins over the class rule.
struct PatternRule {
  std::string pattern;
  WeightRule rule;
};

struct Recipe {
  std::string name;         // canonical text: "int4", "int4:g64:method=rtn:lm_head=int4"; equal recipes have equal names
  std::string base;         // built-in name it starts from
  std::string description;  // one line for `recipe list`
  std::array<WeightRule, kTensorClasses> rules;
  std::vector<PatternRule> patterns;
  QuantMethod method = QuantMethod::mse;
  ActivationMode activation = ActivationMode::wide;
  KvType kv = KvType::f16;

  const WeightRule& rule_for(TensorClass tensor_class, std::string_view tensor_name) const;
};

/// The built-in recipes, in the order shown to users.
std::span<const Recipe> builtin_recipes();
/// One recipe: a built-in name with `:` options. Errors: invalid_argument with the nearest name; unsupported for recipes that this version
/// names but cannot make (int8-static, int4-a4, fp8), saying so.
Result<Recipe> parse_recipe(std::string_view text);
/// The recipe that makes the same weights, without what happens at run time: "int4-dyn:g64:kv=int8" -> "int4:g64".
Recipe weights_recipe(const Recipe& recipe);
/// "int4:g64,int8" (commas separate recipes), or a path to a .toml file.
Result<std::vector<Recipe>> parse_recipes(std::string_view text);
Result<Recipe> load_recipe_file(const std::filesystem::path& path);

}  // namespace phiscope
