// Recipe files, TOML:
//   base = "int4"             a built-in name
//   group = 64                or "row"
//   method = "mse"
//   kv = "fp16"
//   description = "..."
//   [class]
//   lm_head = "int8"
//   [[rule]]                  the first that matches wins over [class]
//   pattern = "model.layers.0.*"
//   weights = "int8"

#include <toml++/toml.h>

#include "core/base/files.h"
#include "core/quant/recipe_builder.h"

namespace phiscope {
namespace {

std::string place(const std::filesystem::path& path, const toml::source_region& source) {
  return fmt::format("{}:{}", path.string(), source.begin.line);
}

Result<std::string> text_of(const toml::node& node, std::string_view key, const std::filesystem::path& path) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  return fail(ErrorCode::invalid_file, "{}: '{}' must be a text in quotes", place(path, node.source()), key);
}

/// The error of a step, with file and line.
Status at(Status status, const toml::node& node, const std::filesystem::path& path) {
  if (status.has_value()) return status;
  return fail(Error{ErrorCode::invalid_file, status.error().message}.with_context(place(path, node.source())));
}

Status apply_class_table(RecipeBuilder& builder, const toml::node& node, const std::filesystem::path& path) {
  if (!node.is_table()) return fail(ErrorCode::invalid_file, "{}: 'class' must be a table, [class]", place(path, node.source()));
  for (const auto& [key, value] : *node.as_table()) {
    PHISCOPE_ASSIGN(const std::string weights, text_of(value, key.str(), path));
    PHISCOPE_TRY(at(builder.set_weights(key.str(), weights), value, path));
  }
  return {};
}

Status apply_rule(RecipeBuilder& builder, const toml::node& node, const std::filesystem::path& path) {
  const toml::table* rule = node.as_table();
  const toml::node* pattern = rule == nullptr ? nullptr : rule->get("pattern");
  const toml::node* weights = rule == nullptr ? nullptr : rule->get("weights");
  if (pattern == nullptr || weights == nullptr || rule->size() != 2)
    return fail(ErrorCode::invalid_file, "{}: a [[rule]] has exactly the keys pattern and weights", place(path, node.source()));
  PHISCOPE_ASSIGN(const std::string name, text_of(*pattern, "pattern", path));
  PHISCOPE_ASSIGN(const std::string type, text_of(*weights, "weights", path));
  if (name.find_first_of(":,=") != std::string::npos || name.find_first_of(".*?") == std::string::npos)
    return fail(ErrorCode::invalid_file, "{}: pattern '{}' must be a tensor name or a glob like 'model.layers.0.*', without : , =",
                place(path, pattern->source()), name);
  return at(builder.set_weights(name, type), *pattern, path);
}

Status apply_rules(RecipeBuilder& builder, const toml::node& node, const std::filesystem::path& path) {
  if (!node.is_array()) return fail(ErrorCode::invalid_file, "{}: 'rule' must be a list of tables, [[rule]]", place(path, node.source()));
  for (const toml::node& rule : *node.as_array()) PHISCOPE_TRY(apply_rule(builder, rule, path));
  return {};
}

Status apply_group(RecipeBuilder& builder, const toml::node& node, const std::filesystem::path& path) {
  const auto number = node.value_exact<int64_t>();
  const auto text = node.value_exact<std::string>();
  if (!number && !text) return fail(ErrorCode::invalid_file, "{}: 'group' must be a number or \"row\"", place(path, node.source()));
  return at(builder.set_group(number ? fmt::format("g{}", *number) : *text), node, path);
}

Status apply_text(RecipeBuilder& builder, std::string_view key, const toml::node& node, const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const std::string value, text_of(node, key, path));
  return at(builder.set(key, value), node, path);
}

Result<Recipe> recipe_of_table(const toml::table& table, const std::filesystem::path& path) {
  const toml::node* base = table.get("base");
  if (base == nullptr) return fail(ErrorCode::invalid_file, "{}: key 'base' is missing; name a built-in recipe, for example base = \"int4\"", path.string());
  PHISCOPE_ASSIGN(const std::string base_name, text_of(*base, "base", path));
  auto started = RecipeBuilder::start(base_name);
  if (!started) return fail(started.error().with_context(place(path, base->source())));
  RecipeBuilder builder = std::move(*started);
  std::string description;
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (name == "base") continue;
    if (name == "group") {
      PHISCOPE_TRY(apply_group(builder, node, path));
    } else if (name == "class") {
      PHISCOPE_TRY(apply_class_table(builder, node, path));
    } else if (name == "rule") {
      PHISCOPE_TRY(apply_rules(builder, node, path));
    } else if (name == "description") {
      PHISCOPE_ASSIGN(description, text_of(node, name, path));
    } else if (name == "method" || name == "kv") {
      PHISCOPE_TRY(apply_text(builder, name, node, path));
    } else {
      return fail(ErrorCode::invalid_file, "{}: key '{}' is unknown; a recipe file has base, group, method, kv, description, [class] and [[rule]]",
                  place(path, node.source()), name);
    }
  }
  PHISCOPE_ASSIGN(Recipe recipe, builder.finish());
  if (!description.empty()) recipe.description = description;
  return recipe;
}

}  // namespace

Result<Recipe> load_recipe_file(const std::filesystem::path& path) {
  constexpr uint64_t kLimitBytes = 1 << 20;
  PHISCOPE_ASSIGN(const std::string content, read_file(path, kLimitBytes));
  try {
    return recipe_of_table(toml::parse(content, path.string()), path);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::invalid_file, "{}: {}", place(path, error.source()), error.description());
  }
}

}  // namespace phiscope
