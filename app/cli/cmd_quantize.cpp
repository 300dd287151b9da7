#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/base/text.h"
#include "core/convert/exporter.h"

namespace phiscope::cli {
namespace {

Json to_json(const session::QuantizeResult& result) {
  Json document;
  document["schema"] = "phiscope/quantize/1";
  document["artifact"] = {{"path", result.path.string()}, {"bytes", result.bytes}, {"hash", result.hash}, {"recipe", result.recipe}};
  document["seconds"] = result.seconds;
  document["bits_per_weight"] = result.bits_per_weight;
  document["notices"] = result.notices;
  document["tensors"] = Json::array();
  for (const auto& tensor : result.tensors)
    document["tensors"].push_back({{"name", tensor.name},
                                   {"format", tensor.format},
                                   {"mse", tensor.error.mse},
                                   {"sqnr_db", std::isfinite(tensor.error.sqnr_db) ? Json(tensor.error.sqnr_db) : Json(nullptr)},
                                   {"max_abs_error", tensor.error.max_abs_error},
                                   {"from_source", tensor.from_source},
                                   {"bytes", tensor.bytes}});
  return document;
}

void print_text(const session::QuantizeResult& result) {
  std::vector<std::vector<std::string>> rows{{"tensor", "format", "bytes", "SQNR", "largest error"}};
  for (const auto& tensor : result.tensors)
    rows.push_back({tensor.name, tensor.format, std::to_string(tensor.bytes),
                    std::isfinite(tensor.error.sqnr_db) ? fmt::format("{:.1f} dB", tensor.error.sqnr_db) : "exact",
                    format_number(tensor.error.max_abs_error, 3)});
  print(format_rows(rows));
  print(fmt::format("wrote {}: {}, {:.2f} bits per weight, in {}", result.path.string(), format_bytes(result.bytes), result.bits_per_weight,
                    format_seconds(result.seconds)));
}

std::string format_help() {
  std::string text = "What is written; without --recipe the weights keep their own values:";
  for (const ExportFormat& format : export_formats()) text += fmt::format("\n  {:<12} {}", format.name, format.description);
  return text;
}

}  // namespace

Action add_quantize(CLI::App& command, const Shared& shared) {
  auto request = std::make_shared<session::QuantizeRequest>();
  command.add_option("MODEL", request->model, "Model to quantize")->required();
  command.add_option("--recipe", request->recipe, "Precision: see phiscope recipe list; the gguf:TYPE formats name their own")->type_name("RECIPE");
  command.add_option("--out", request->out, "Folder or .gguf file to write; an artifact or a file there is replaced")->required()->type_name("PATH");
  command.add_option("--format", request->format, format_help())->type_name("FORMAT");
  add_threads_option(command, request->threads);
  command.parse_complete_callback([request] {
    if (request->recipe.empty() && (request->format.empty() || request->format == "phiscope")) throw CLI::RequiredError("--recipe");
  });
  return [request, &shared]() -> Result<int> {
    ProgressLine line(shared.quiet);
    PHISCOPE_ASSIGN(const session::QuantizeResult result, session::quantize(*request, call_options(line)));
    line.clear();
    if (!shared.quiet)
      for (const std::string& notice : result.notices) print_note(fmt::format("note: {}", notice));
    if (shared.json)
      print_json(to_json(result));
    else
      print_text(result);
    return kExitDone;
  };
}

}  // namespace phiscope::cli
