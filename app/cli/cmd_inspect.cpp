#include <fmt/format.h>

#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/model_report.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::cli {
namespace {

using session::ModelReport;

Json id_or_null(const std::optional<int32_t>& id) { return id ? Json(*id) : Json(nullptr); }

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
  document["sizes"] = Json::array();
  for (const auto& size : report.sizes)
    document["sizes"].push_back({{"recipe", size.recipe},
                                 {"weight_bytes", size.weight_bytes},
                                 {"bits_per_weight", size.bits_per_weight},
                                 {"kv_bytes_per_token", size.kv_bytes_per_token}});
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

}  // namespace

Action add_inspect(CLI::App& command, const Shared& shared) {
  struct Options {
    std::string model;
    bool tensors = false;
  };
  auto options = std::make_shared<Options>();
  command.add_option("MODEL", options->model, "Model to show")->required();
  command.add_flag("--tensors", options->tensors, "List every tensor");
  return [options, &shared]() -> Result<int> {
    PHISCOPE_ASSIGN(const ModelReport report, session::inspect_model(options->model));
    if (shared.json)
      print_json(to_json(report));
    else
      print_text(report, options->tensors);
    return kExitDone;
  };
}

}  // namespace phiscope::cli
