#pragma once
// Artifacts: the quantized model that a recipe made, on disk, with a manifest. A folder:
//   manifest.json        schema, source hash, recipe, tool version, per-tensor encoding and error, hash of all content
//   weights.safetensors  <tensor>.codes (U8 or the float type), <tensor>.scales, <tensor>.zero_points; absent when every tensor is the source's
//   config.json, tokenizer files: copies (of a GGUF: what its metadata says), so that the folder is a MODEL by itself

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/plan.h"
#include "core/base/result.h"
#include "core/model/model.h"
#include "core/quant/quantize.h"
#include "core/quant/recipe.h"

namespace phiscope {

struct ArtifactTensor {
  std::string name;
  WeightEncoding encoding;
  QuantError error;
  bool from_source = false;  // not copied: read from the model's own file
  uint64_t bytes = 0;
  int64_t rows = 0, columns = 0;
};

struct Artifact {
  std::filesystem::path folder;  // empty: only in memory (synthetic)
  std::string recipe;
  std::string source_hash;
  std::string hash;              // of recipe, source and content
  std::string tool_version;
  std::vector<ArtifactTensor> tensors;
  uint64_t file_bytes = 0;       // what a deployment of these weights takes on disk, source tensors included
  double bits_per_weight = 0;    // over the matrices, scales included
  std::shared_ptr<const Plan> plan;
  std::shared_ptr<const WeightSource> weights;
};

struct ConvertOptions {
  int threads = 0;
  std::function<bool(double fraction, std::string_view tensor)> on_progress;  // false cancels; may be empty
};

/// Quantizes tensor by tensor, written atomically. Private memory stays under twice the largest tensor plus a constant.
/// Errors: cancelled, io (full disk), invalid_file (NaN), all leaving nothing behind.
Result<Artifact> make_artifact(const Model& model, const Recipe& recipe, const std::filesystem::path& target, const ConvertOptions& options);
/// Reads an artifact back; checks manifest, shapes and sizes. `model` gives the tensors that were not copied; for a folder that refers to
/// its source, the manifest's source path is opened when `model` is null.
Result<Artifact> open_artifact(const std::filesystem::path& folder, const Model* model = nullptr);
/// An artifact as a model, to be quantized again: its weights as they are, errors add up. Lives as long as the artifact's weights.
Result<Model> model_of_artifact(const Artifact& artifact);
/// True when the folder holds a Phiscope manifest.
bool is_artifact(const std::filesystem::path& folder);

/// The artifact of model and recipe from the user's cache, made when absent. `made` tells which. Recipes that differ only at run time
/// ("int4", "int4-dyn", "int4:kv=int8") share one entry: their hashes differ, their weights' hashes do not.
Result<Artifact> cached_artifact(const Model& model, const Recipe& recipe, const std::filesystem::path& cache_folder,
                                 const ConvertOptions& options, bool* made = nullptr);

struct CacheEntry {
  std::string kind;  // "artifact", "packed", "hidden"
  std::string name;
  std::filesystem::path path;
  uint64_t bytes = 0;
  int64_t used_unix_ms = 0;
};
Result<std::vector<CacheEntry>> list_cache(const std::filesystem::path& cache_folder);
Result<uint64_t> clear_cache(const std::filesystem::path& cache_folder);  // bytes freed

/// A MODEL argument: Hugging Face folder or .gguf file (both Kind::folder), artifact folder, "bundled:NAME", "synthetic:NAME".
struct ModelReference {
  enum class Kind { folder, artifact, synthetic } kind = Kind::folder;
  std::filesystem::path path;
  std::string name;  // what the user typed, for display
};
/// Errors: not_found naming what was tried; unsupported for .bin, .pt, .h5, .tflite, .onnx, GPTQ and AWQ folders with the command that converts.
Result<ModelReference> resolve_model(std::string_view argument);
/// Where the data sets are: $PHISCOPE_DATASETS, beside the program (share/phiscope/datasets), or the source tree it was built from.
std::filesystem::path datasets_folder();

}  // namespace phiscope
