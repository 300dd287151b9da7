#pragma once
// Options onto a built-in recipe: shared by the text form ("int4:g64:lm_head=int8") and by recipe files. Internal to core/quant.

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/quant/recipe.h"

namespace phiscope {

class RecipeBuilder {
 public:
  /// Errors: invalid_argument with the nearest name; unsupported for names that this version cannot make.
  static Result<RecipeBuilder> start(std::string_view base_name);

  /// "g64", "row".
  Status set_group(std::string_view text);
  /// `key` is method, kv or one of set_weights. A key may be given once.
  Status set(std::string_view key, std::string_view value);
  /// `key` is a tensor class; anything with '.', '*' or '?' is a pattern of tensor names.
  Status set_weights(std::string_view key, std::string_view weights);
  /// The recipe with its canonical name. Errors: invalid_argument for a group where nothing has groups.
  Result<Recipe> finish() const;

 private:
  explicit RecipeBuilder(const Recipe& base) : base_(&base) {}
  Status claim(std::string_view key);
  struct Choice {
    std::string key, weights;
  };
  Result<WeightRule> rule_from_text(std::string_view text) const;
  std::string rule_text(const WeightRule& rule) const;
  std::array<WeightRule, kTensorClasses> default_rules() const;
  std::string canonical_name(const Recipe& recipe) const;

  const Recipe* base_;
  std::optional<int> group_;
  std::optional<QuantMethod> method_;
  std::optional<KvType> kv_;
  std::vector<Choice> classes_, patterns_;
  std::set<std::string, std::less<>> seen_;
};

}  // namespace phiscope
