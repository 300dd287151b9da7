#include "core/base/text.h"
#include "core/convert/exporter.h"
#include "core/convert/gguf_types.h"

namespace phiscope {
namespace {

// To add a format: its exporter and a row here.
std::vector<ExportFormat> make_formats() {
  std::vector<ExportFormat> formats{
      {"phiscope", "artifact folder, which every command takes as a MODEL", false, export_artifact},
      {"hf", "Hugging Face folder for transformers: the recipe's values as floats, exactly", false, export_hf},
      {"gguf", "file for llama.cpp that holds the recipe's values exactly: int4 as Q4_0, int8 as Q8_0, floats as they are", false, export_gguf},
  };
  for (const GgufMixture& mixture : gguf_mixtures())
    formats.push_back({fmt::format("gguf:{}", mixture.name), fmt::format("file for llama.cpp in its own types: {}", mixture.description), true, export_gguf});
  return formats;
}

}  // namespace

std::span<const ExportFormat> export_formats() {
  static const std::vector<ExportFormat> formats = make_formats();
  return formats;
}

Result<const ExportFormat*> find_export_format(std::string_view name) {
  std::vector<std::string> known;
  for (const ExportFormat& format : export_formats()) {
    if (format.name == name) return &format;
    known.push_back(format.name);
  }
  const std::string nearest = nearest_name(name, known);
  return fail(ErrorCode::invalid_argument, "format '{}' does not exist{}; there are {}", name,
              nearest.empty() ? "" : fmt::format(" (did you mean '{}'?)", nearest), fmt::join(known, ", "));
}

Result<ExportResult> export_model(const Model& model, std::string_view format, const ExportRequest& request) {
  PHISCOPE_ASSIGN(const ExportFormat* row, find_export_format(format));
  if (row->names_types && request.recipe.name != "source")
    return fail(ErrorCode::invalid_argument,
                "--format {} says itself how weights are stored, so --recipe {} has no place; leave --recipe out, or write --format gguf for a file that "
                "holds the recipe's values exactly",
                format, request.recipe.name);
  return row->write(model, request, format);
}

}  // namespace phiscope
