#include "core/quant/recipe_builder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/text.h"

namespace phiscope {
namespace {

// Named by the interface, made by later versions.
constexpr std::array<std::string_view, 3> kLaterRecipes{"int8-static", "int4-a4", "fp8"};
constexpr std::array kGroups{16, 32, 64, 128, 256};

struct FloatName {
  std::string_view name;
  DType type;
};
constexpr std::array kFloatNames{FloatName{"fp32", DType::f32}, FloatName{"fp16", DType::f16}, FloatName{"bf16", DType::bf16}};
const std::vector<std::string> kWeightTypes{"source", "fp32", "fp16", "bf16", "int8", "int4", "int4-asym"};

/// " (did you mean 'x'?)" or nothing.
std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : fmt::format("; did you mean '{}'?", nearest);
}

/// "g64" -> 64, "row" -> 0.
std::optional<int> group_from_text(std::string_view text) {
  if (text == "row") return 0;
  if (!text.starts_with('g')) return std::nullopt;
  int group = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 1, end, group);
  const bool exists = error == std::errc() && stop == end && std::ranges::find(kGroups, group) != kGroups.end();
  return exists ? std::optional(group) : std::nullopt;
}

std::string group_text(int group) { return group == 0 ? "row" : fmt::format("g{}", group); }

std::optional<TensorClass> class_from_name(std::string_view name) {
  for (int i = 0; i < kTensorClasses; ++i)
    if (tensor_class_name(static_cast<TensorClass>(i)) == name) return static_cast<TensorClass>(i);
  return std::nullopt;
}

std::optional<KvType> kv_from_name(std::string_view name) {
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8, KvType::int4})
    if (kv_type_name(type) == name) return type;
  return std::nullopt;
}

bool is_pattern(std::string_view key) { return key.find_first_of(".*?") != std::string_view::npos; }

std::vector<std::string> builtin_names() {
  std::vector<std::string> names;
  for (const Recipe& recipe : builtin_recipes()) names.push_back(recipe.name);
  return names;
}

/// The encoding that the base is named after: its linear layers'.
const WeightRule& main_rule(const Recipe& recipe) { return recipe.rules[static_cast<size_t>(TensorClass::mlp_in)]; }

bool same_rule(const WeightRule& a, const WeightRule& b) {
  return a.keep_source == b.keep_source && (a.keep_source || a.encoding == b.encoding);
}

}  // namespace

Result<RecipeBuilder> RecipeBuilder::start(std::string_view base_name) {
  for (const Recipe& recipe : builtin_recipes())
    if (recipe.name == base_name) return RecipeBuilder(recipe);
  if (std::ranges::find(kLaterRecipes, base_name) != kLaterRecipes.end())
    return fail(ErrorCode::unsupported, "recipe '{}' cannot be made by this version; it makes {}", base_name,
                fmt::join(builtin_names(), ", "));
  return fail(ErrorCode::invalid_argument, "recipe '{}' is unknown{} (there are {})", base_name, suggestion(base_name, builtin_names()),
              fmt::join(builtin_names(), ", "));
}

Status RecipeBuilder::set_group(std::string_view text) {
  const std::optional<int> group = group_from_text(text);
  if (!group)
    return fail(ErrorCode::invalid_argument, "group '{}' does not exist; use {} or row", text,
                fmt::join(std::vector{"g16", "g32", "g64", "g128", "g256"}, ", "));
  if (group_) return fail(ErrorCode::invalid_argument, "the group is given twice ('{}' and '{}')", group_text(*group_), text);
  if (!main_rule(*base_).encoding.is_integer())
    return fail(ErrorCode::invalid_argument, "recipe '{}' has no groups, so '{}' has no meaning", base_->name, text);
  group_ = *group;
  return {};
}

Status RecipeBuilder::claim(std::string_view key) {
  if (!seen_.emplace(key).second) return fail(ErrorCode::invalid_argument, "option '{}' is given twice", key);
  return {};
}

Status RecipeBuilder::set(std::string_view key, std::string_view value) {
  if (key == "method") {
    method_ = method_from_name(value);
    if (!method_) return fail(ErrorCode::invalid_argument, "method '{}' is unknown; use mse or rtn", value);
    return claim(key);
  }
  if (key == "kv") {
    kv_ = kv_from_name(value);
    if (!kv_) return fail(ErrorCode::invalid_argument, "KV cache type '{}' is unknown; use fp32, fp16, int8 or int4", value);
    return claim(key);
  }
  return set_weights(key, value);
}

Status RecipeBuilder::set_weights(std::string_view key, std::string_view weights) {
  if (!is_pattern(key) && !class_from_name(key)) {
    std::vector<std::string> known{"method", "kv"};
    for (int i = 0; i < kTensorClasses; ++i) known.emplace_back(tensor_class_name(static_cast<TensorClass>(i)));
    return fail(ErrorCode::invalid_argument, "recipe option '{}' is unknown{} (there are gN, row, {})", key, suggestion(key, known),
                fmt::join(known, ", "));
  }
  PHISCOPE_ASSIGN([[maybe_unused]] const WeightRule rule, rule_from_text(weights));
  (is_pattern(key) ? patterns_ : classes_).push_back({std::string(key), std::string(weights)});
  return claim(key);
}

/// "source", "fp16", "int4", "int4-asym", "int8-g32": "int4" is the recipe's own 4-bit encoding where it has one.
Result<WeightRule> RecipeBuilder::rule_from_text(std::string_view text) const {
  if (text == "source") return WeightRule{.keep_source = true, .encoding = {}};
  for (const FloatName& row : kFloatNames)
    if (row.name == text) return WeightRule{.encoding = {.float_type = row.type}};
  std::string_view type = text;
  std::optional<int> group;
  if (const size_t dash = text.rfind('-'); dash != std::string_view::npos) {
    group = group_from_text(text.substr(dash + 1));
    if (group) type = text.substr(0, dash);
  }
  const WeightEncoding& main = main_rule(*base_).encoding;
  WeightEncoding encoding;
  if (type == "int8") {
    encoding = main.bits == 8 ? main : WeightEncoding{.bits = 8};
  } else if (type == "int4" || type == "int4-asym") {
    encoding = main.bits == 4 ? main : WeightEncoding{.bits = 4, .group = 32};
    if (type == "int4-asym") encoding.offset = OffsetClass::zero_point;
  } else {
    return fail(ErrorCode::invalid_argument, "weight type '{}' is unknown{} (there are {}, the last three also with a group as in int8-g32)",
                text, suggestion(text, kWeightTypes), fmt::join(kWeightTypes, ", "));
  }
  if (encoding.bits == main.bits && group_) encoding.group = *group_;
  if (group) encoding.group = *group;
  return WeightRule{.encoding = encoding};
}

/// The shortest text that gives the rule back in this recipe.
std::string RecipeBuilder::rule_text(const WeightRule& rule) const {
  for (const std::string& text : kWeightTypes)
    if (const auto parsed = rule_from_text(text); parsed && same_rule(*parsed, rule)) return text;
  const std::string_view type = rule.encoding.bits == 8 ? "int8" : rule.encoding.offset == OffsetClass::zero_point ? "int4-asym" : "int4";
  return fmt::format("{}-{}", type, group_text(rule.encoding.group));
}

/// The base's rules with the group option: it moves the encodings that the recipe is named after.
std::array<WeightRule, kTensorClasses> RecipeBuilder::default_rules() const {
  std::array<WeightRule, kTensorClasses> rules = base_->rules;
  if (!group_) return rules;
  for (WeightRule& rule : rules)
    if (!rule.keep_source && rule.encoding.bits == main_rule(*base_).encoding.bits) rule.encoding.group = *group_;
  return rules;
}

Result<Recipe> RecipeBuilder::finish() const {
  Recipe recipe = *base_;
  recipe.rules = default_rules();
  for (const Choice& choice : classes_) {
    PHISCOPE_ASSIGN(const WeightRule rule, rule_from_text(choice.weights));
    recipe.rules[static_cast<size_t>(*class_from_name(choice.key))] = rule;
  }
  for (const Choice& choice : patterns_) {
    PHISCOPE_ASSIGN(const WeightRule rule, rule_from_text(choice.weights));
    recipe.patterns.push_back({choice.key, rule});
  }
  recipe.method = method_.value_or(base_->method);
  recipe.kv = kv_.value_or(base_->kv);
  const auto is_integer = [](const WeightRule& rule) { return !rule.keep_source && rule.encoding.is_integer(); };
  const bool has_integers = std::ranges::any_of(recipe.rules, is_integer) ||
                            std::ranges::any_of(recipe.patterns, [&](const PatternRule& rule) { return is_integer(rule.rule); });
  if (!has_integers) recipe.method = base_->method;  // nothing to round: equal recipes have equal names
  recipe.name = canonical_name(recipe);
  return recipe;
}

std::string RecipeBuilder::canonical_name(const Recipe& recipe) const {
  std::string name = base_->name;
  if (group_ && *group_ != main_rule(*base_).encoding.group) name += ":" + group_text(*group_);
  if (recipe.method != base_->method) name += fmt::format(":method={}", method_name(recipe.method));
  if (recipe.kv != base_->kv) name += fmt::format(":kv={}", kv_type_name(recipe.kv));
  const auto defaults = default_rules();
  for (size_t i = 0; i < recipe.rules.size(); ++i)
    if (!same_rule(recipe.rules[i], defaults[i]))
      name += fmt::format(":{}={}", tensor_class_name(static_cast<TensorClass>(i)), rule_text(recipe.rules[i]));
  for (const PatternRule& rule : recipe.patterns) name += fmt::format(":{}={}", rule.pattern, rule_text(rule.rule));
  return name;
}

}  // namespace phiscope
