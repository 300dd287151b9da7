// "int4:g64:lm_head=int8,bf16": a colon adds an option, a comma another recipe.

#include "core/base/text.h"
#include "core/quant/recipe_builder.h"

namespace phiscope {
namespace {

bool is_recipe_file(std::string_view text) { return text.ends_with(".toml"); }

Status apply_option(RecipeBuilder& builder, std::string_view option, std::string_view text) {
  const size_t equals = option.find('=');
  if (equals != std::string_view::npos) return builder.set(trim(option.substr(0, equals)), trim(option.substr(equals + 1)));
  if (option == "row" || option.starts_with('g')) return builder.set_group(option);
  return fail(ErrorCode::invalid_argument, "recipe '{}': option '{}' is neither gN, row nor NAME=VALUE", text, option);
}

}  // namespace

Result<Recipe> parse_recipe(std::string_view text) {
  const std::vector<std::string> parts = split(trim(text), ':');
  if (parts.empty() || trim(parts.front()).empty()) return fail(ErrorCode::invalid_argument, "the recipe is empty; name one, for example int4");
  PHISCOPE_ASSIGN(RecipeBuilder builder, RecipeBuilder::start(trim(parts.front())));
  for (size_t i = 1; i < parts.size(); ++i) PHISCOPE_TRY(apply_option(builder, trim(parts[i]), text));
  return builder.finish();
}

Recipe weights_recipe(const Recipe& recipe) {
  constexpr std::string_view kDynamic = "-dyn";
  std::string name;
  for (std::string_view part : split(recipe.name, ':')) {
    if (part.starts_with("kv=")) continue;
    if (name.empty() && part.ends_with(kDynamic)) part.remove_suffix(kDynamic.size());
    name += (name.empty() ? "" : ":") + std::string(part);
  }
  return parse_recipe(name).value_or(recipe);
}

Result<std::vector<Recipe>> parse_recipes(std::string_view text) {
  std::vector<Recipe> recipes;
  for (const std::string& part : split(text, ',')) {
    const std::string item(trim(part));
    PHISCOPE_ASSIGN(Recipe recipe, is_recipe_file(item) ? load_recipe_file(item) : parse_recipe(item));
    recipes.push_back(std::move(recipe));
  }
  return recipes;
}

}  // namespace phiscope
