#include <fmt/format.h>

#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/quant/recipe.h"

namespace phiscope::cli {
namespace {

std::string rule_text(const WeightRule& rule) { return rule.keep_source ? "source" : rule.encoding.name(); }

std::string activation_text(const Recipe& recipe) {
  return recipe.activation == ActivationMode::int8 ? "int8, made at run time" : "never below 16 bits";
}

Json to_json(const Recipe& recipe) {
  Json classes;
  for (int i = 0; i < kTensorClasses; ++i) {
    const auto tensor_class = static_cast<TensorClass>(i);
    if (tensor_class != TensorClass::other) classes[std::string(tensor_class_name(tensor_class))] = rule_text(recipe.rules[static_cast<size_t>(i)]);
  }
  Json patterns = Json::array();
  for (const PatternRule& row : recipe.patterns) patterns.push_back({{"pattern", row.pattern}, {"weights", rule_text(row.rule)}});
  return {{"name", recipe.name},
          {"description", recipe.description},
          {"weights", classes},
          {"patterns", patterns},
          {"method", method_name(recipe.method)},
          {"activations", activation_text(recipe)},
          {"kv", kv_type_name(recipe.kv)}};
}

Result<int> list_recipes(bool json) {
  Json document;
  document["schema"] = "phiscope/recipe/1";
  document["recipes"] = Json::array();
  std::vector<std::vector<std::string>> rows{{"recipe", "linear layers", "head", "activations", "KV", "what it is"}};
  for (const Recipe& recipe : builtin_recipes()) {
    document["recipes"].push_back(to_json(recipe));
    rows.push_back({recipe.name, rule_text(recipe.rules[static_cast<size_t>(TensorClass::mlp_in)]),
                    rule_text(recipe.rules[static_cast<size_t>(TensorClass::lm_head)]), activation_text(recipe),
                    std::string(kv_type_name(recipe.kv)), recipe.description});
  }
  if (json)
    print_json(document);
  else
    print(format_rows(rows) + "Options after a colon: g64, method=rtn, kv=int8, lm_head=int4 ...; phiscope recipe show int4:g64:lm_head=int4");
  return kExitDone;
}

Result<int> show_recipe(const std::string& text, bool json) {
  PHISCOPE_ASSIGN(const auto recipes, parse_recipes(text));
  for (const Recipe& recipe : recipes) {
    Json document;
    document["schema"] = "phiscope/recipe/1";
    document.update(to_json(recipe));
    if (json) {
      print_json(document);
      continue;
    }
    std::vector<std::vector<std::string>> rows{{"recipe", recipe.name}, {"what it is", recipe.description}};
    for (const auto& [name, value] : document["weights"].items()) rows.push_back({name, value.get<std::string>()});
    for (const PatternRule& row : recipe.patterns) rows.push_back({row.pattern, rule_text(row.rule)});
    rows.push_back({"method", std::string(method_name(recipe.method))});
    rows.push_back({"activations", activation_text(recipe)});
    rows.push_back({"KV cache", std::string(kv_type_name(recipe.kv))});
    print(format_rows(rows));
  }
  return kExitDone;
}

}  // namespace

Action add_recipe(CLI::App& command, const Shared& shared) {
  auto text = std::make_shared<std::string>();
  command.require_subcommand(1);
  CLI::App* list = command.add_subcommand("list", "All built-in recipes")->fallthrough();
  CLI::App* show = command.add_subcommand("show", "What a recipe does to each tensor class")->fallthrough();
  show->add_option("RECIPE", *text, "Name with options (int4:g64), or a .toml file")->required();
  return [list, text, &shared] { return list->parsed() ? list_recipes(shared.json) : show_recipe(*text, shared.json); };
}

}  // namespace phiscope::cli
