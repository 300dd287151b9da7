#pragma once
// What a model can be written as. One exporter a file, one row a format in exporter_table.cpp.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/convert/artifact.h"

namespace phiscope {

struct ExportRequest {
  Recipe recipe;                  // which values the weights become; "source" = the model's own
  std::filesystem::path target;   // a file or a folder, as the format has it; complete or absent
  ConvertOptions options;
};

struct ExportResult {
  std::filesystem::path path;
  uint64_t bytes = 0;             // of all that was written
  std::string hash;               // of the content
  std::string recipe;
  double bits_per_weight = 0;     // over the matrices
  std::vector<ArtifactTensor> tensors;  // errors are against the model's own weights
  std::vector<std::string> notices;     // what the user of the result must know
};

struct ExportFormat {
  std::string name;         // as `--format` takes it: "gguf:Q4_K_M"
  std::string description;  // one line
  bool names_types = false; // the format says the weights' types itself: the recipe must be "source"
  /// Errors: those of make_artifact; unsupported naming what the format cannot hold. Nothing is left behind.
  Result<ExportResult> (*write)(const Model& model, const ExportRequest& request, std::string_view format) = nullptr;
};

/// In the order shown to users.
std::span<const ExportFormat> export_formats();
/// Errors: invalid_argument with the nearest name.
Result<const ExportFormat*> find_export_format(std::string_view name);
/// One format, its rules checked.
Result<ExportResult> export_model(const Model& model, std::string_view format, const ExportRequest& request);

// The exporters.
Result<ExportResult> export_artifact(const Model& model, const ExportRequest& request, std::string_view format);  // artifact_maker.cpp
Result<ExportResult> export_hf(const Model& model, const ExportRequest& request, std::string_view format);        // hf_exporter.cpp
Result<ExportResult> export_gguf(const Model& model, const ExportRequest& request, std::string_view format);      // gguf_exporter.cpp

}  // namespace phiscope
