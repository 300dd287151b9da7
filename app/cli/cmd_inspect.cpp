#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/forecast.h"
#include "app/session/model_report.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/quant/recipe.h"

namespace phiscope::cli {
namespace {

using session::ModelReport;

Json id_or_null(const std::optional<int32_t>& id) { return id ? Json(*id) : Json(nullptr); }

Json sizes_json(const std::vector<session::PrecisionSize>& sizes) {
  Json rows = Json::array();
  for (const auto& size : sizes)
    rows.push_back({{"recipe", size.recipe},
                    {"weight_bytes", size.weight_bytes},
                    {"bits_per_weight", size.bits_per_weight},
                    {"kv_bytes_per_token", size.kv_bytes_per_token}});
  return rows;
}

Json to_json(const ModelReport& report) {
  const ModelConfig& config = report.config;
  Json document;
  document["schema"] = "phiscope/inspect/1";
  document["model"] = {{"name", report.name},         {"kind", report.kind},
                       {"architecture", config.architecture}, {"parameters", report.parameters},
                       {"layers", config.layers},     {"hidden_size", config.hidden_size},
                       {"heads", config.heads},       {"kv_heads", config.kv_heads},
                       {"head_dim", config.head_dim}, {"vocab_size", config.vocab_size},
                       {"context", config.max_positions}, {"sliding_window", config.sliding_window},
                       {"longrope", config.longrope}, {"tied_embeddings", config.tied_embeddings}};
  document["tensors"] = Json::array();
  for (const auto& tensor : report.tensors)
    document["tensors"].push_back({{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"bytes", tensor.bytes}});
  document["tokenizer"] = nullptr;
  if (const auto& tokenizer = report.tokenizer)
    document["tokenizer"] = {{"kind", tokenizer->kind()},
                             {"vocab_size", tokenizer->vocab_size()},
                             {"bos", id_or_null(tokenizer->bos())},
                             {"eos", id_or_null(tokenizer->eos())}};
  document["sizes"] = sizes_json(report.sizes);
  document["notices"] = report.notices;
  document["hash"] = report.hash;
  return document;
}

std::string heads_text(const ModelConfig& config) {
  return config.heads == config.kv_heads ? fmt::format("{}", config.heads) : fmt::format("{} query, {} key/value", config.heads, config.kv_heads);
}

void print_text(const ModelReport& report, bool all_tensors) {
  const ModelConfig& config = report.config;
  print(format_rows({
      {"model", fmt::format("{} ({})", report.name, report.kind)},
      {"architecture", fmt::format("{}, {} layers, hidden {}, feed-forward {}", config.architecture, config.layers, config.hidden_size,
                                   config.intermediate_size)},
      {"heads", fmt::format("{} of {} dimensions", heads_text(config), config.head_dim)},
      {"parameters", fmt::format("{:.4g} million", static_cast<double>(report.parameters) / 1e6)},
      {"vocabulary", fmt::format("{} rows{}", config.vocab_size, config.tied_embeddings ? ", embedding tied with the head" : "")},
      {"context", fmt::format("{} tokens{}", config.max_positions, config.longrope ? fmt::format(", longrope beyond {}", config.original_max_positions) : "")},
      {"tokenizer", report.tokenizer ? fmt::format("{}, {} ids", report.tokenizer->kind(), report.tokenizer->vocab_size()) : "none"},
      {"tensors", fmt::format("{}", report.tensors.size())},
      {"hash", report.hash},
  }));
  const uint64_t available = platform::system_memory().available;
  std::vector<std::vector<std::string>> sizes{{"recipe", "weights", "bits/weight", "KV per 1,000 tokens", "fits here at 4,096 tokens"}};
  for (const auto& size : report.sizes) {
    const uint64_t needed = size.weight_bytes + size.kv_bytes_per_token * 4096;
    sizes.push_back({size.recipe, format_bytes(size.weight_bytes), fmt::format("{:.2f}", size.bits_per_weight),
                     format_bytes(size.kv_bytes_per_token * 1000), needed < available ? "yes" : fmt::format("no, needs {}", format_bytes(needed))});
  }
  print(format_rows(sizes));
  if (all_tensors) {
    std::vector<std::vector<std::string>> rows{{"tensor", "type", "shape", "bytes"}};
    for (const auto& tensor : report.tensors) rows.push_back({tensor.name, tensor.dtype, shape_text(tensor.shape), std::to_string(tensor.bytes)});
    print(format_rows(rows));
  }
  for (const std::string& notice : report.notices) print(fmt::format("note: {}", notice));
}

Json to_json(const std::vector<session::PublishedModel>& models) {
  Json document;
  document["schema"] = "phiscope/inspect/1";
  document["published"] = Json::array();
  for (const auto& model : models)
    document["published"].push_back({{"name", model.name},
                                     {"title", model.title},
                                     {"architecture", model.architecture},
                                     {"parameters", model.parameters},
                                     {"checked", model.checked},
                                     {"sizes", sizes_json(model.sizes)}});
  return document;
}

/// Rows for format_rows(), the head first.
std::vector<std::vector<std::string>> published_rows(const std::vector<session::PublishedModel>& models) {
  constexpr std::string_view kRecipes[] = {"source", "int8", "int4"};
  std::vector<std::vector<std::string>> rows{{"Phi", "synthetic:", "architecture", "parameters", "as published", "int8", "int4", "KV per 1,000 tokens", "checked against"}};
  for (const auto& model : models) {
    std::vector<std::string> row{model.title, model.name, model.architecture, fmt::format("{:.2f} billion", static_cast<double>(model.parameters) / 1e9)};
    uint64_t kv = 0;
    for (const std::string_view recipe : kRecipes)
      for (const auto& size : model.sizes) {
        if (size.recipe != recipe) continue;
        row.push_back(format_bytes(size.weight_bytes));
        kv = size.kv_bytes_per_token;
      }
    row.push_back(format_bytes(kv * 1000));
    row.push_back(model.checked);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string as_markdown(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    text += fmt::format("| {} |\n", fmt::join(rows[i], " | "));
    if (i > 0) continue;
    for (size_t column = 0; column < rows[i].size(); ++column) text += "|---";
    text += "|\n";
  }
  text.pop_back();  // print() ends the line
  return text;
}

/// What each recipe needs at a context length, as its backend plans it.
Result<int> forecast(const std::string& model, const std::string& recipes, const std::string& backend, int64_t context, const Shared& shared) {
  PHISCOPE_ASSIGN(const std::vector<Recipe> chosen, parse_recipes(recipes));
  ProgressLine line(shared.quiet);
  const session::CallOptions call = call_options(line);
  Json document{{"schema", "phiscope/inspect/1"}, {"model", model}, {"forecast", Json::array()}};
  std::vector<std::vector<std::string>> rows{{"recipe", "context", "weights", "KV cache", "workspace", "total", "fits here"}};
  for (const Recipe& recipe : chosen) {
    session::Target target;
    target.model = model;
    target.recipe = recipe.name;
    target.backend = backend;
    target.context = context;
    PHISCOPE_ASSIGN(const session::MemoryForecast f, session::forecast_memory(target, call));
    const bool fits = f.total < f.available;
    document["forecast"].push_back({{"recipe", f.recipe}, {"context", f.context}, {"weights_bytes", f.weights}, {"kv_bytes", f.kv},
                                    {"workspace_bytes", f.workspace}, {"total_bytes", f.total}, {"available_bytes", f.available}, {"fits", fits}});
    rows.push_back({f.recipe, fmt::format("{}", f.context), format_bytes(f.weights), format_bytes(f.kv), format_bytes(f.workspace),
                    format_bytes(f.total), fits ? "yes" : fmt::format("no, {} are free", format_bytes(f.available))});
  }
  line.clear();
  if (shared.json) print_json(document);
  else print(format_rows(rows));
  return kExitDone;
}

}  // namespace

Action add_inspect(CLI::App& command, const Shared& shared) {
  struct Options {
    std::string model;
    bool tensors = false, published = false, markdown = false;
    int64_t context = 0;
    std::string recipes = "fp32,fp16,int8,int4", backend;
  };
  auto options = std::make_shared<Options>();
  CLI::Option* model = command.add_option("MODEL", options->model, "Model to show; a folder with config.json alone is enough");
  command.add_flag("--tensors", options->tensors, "List every tensor");
  CLI::Option* published = command.add_flag("--published", options->published, "Every published Phi that can be read, with its sizes, instead of a model");
  command.add_flag("--markdown", options->markdown, "With --published: as a Markdown table")->needs(published);
  published->excludes(model);
  command.parse_complete_callback([options] {
    if (options->model.empty() && !options->published) throw CLI::RequiredError("MODEL");
  });
  CLI::Option* context = command.add_option("--context", options->context, "Forecast the memory at so many tokens instead")->check(CLI::Range(1, 1 << 30));
  command.add_option("--recipe", options->recipes, "Precisions of the forecast; the KV cache's type is an option of one: int4:kv=int8")
      ->capture_default_str()
      ->needs(context);
  add_backend_option(command, options->backend);
  return [options, &shared]() -> Result<int> {
    if (options->published) {
      const auto models = session::published_models();
      if (shared.json)
        print_json(to_json(models));
      else
        print(options->markdown ? as_markdown(published_rows(models)) : format_rows(published_rows(models)));
      return kExitDone;
    }
    if (options->context > 0) return forecast(options->model, options->recipes, options->backend, options->context, shared);
    PHISCOPE_ASSIGN(const ModelReport report, session::inspect_model(options->model));
    if (shared.json)
      print_json(to_json(report));
    else
      print_text(report, options->tensors);
    return kExitDone;
  };
}

}  // namespace phiscope::cli
