#pragma once
// manifest.json of an artifact, schema phiscope/artifact/1. Internal to core/convert.

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/convert/artifact.h"
#include "core/convert/fingerprint.h"

namespace phiscope {

inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr std::string_view kWeightsName = "weights.safetensors";

struct Manifest {
  std::string model_name;
  std::string recipe;
  std::string tool_version;
  std::string source_hash;
  std::string source_path;           // absolute, of the machine that made it
  std::string source_relative_path;  // from the artifact's folder; tried first, so that both can move together
  std::vector<FileRecord> source_files;  // only when a tensor is read from the source
  std::vector<FileRecord> files;         // of the artifact's own folder
  std::vector<ArtifactTensor> tensors;
  std::string content_hash;  // of all that weights.safetensors holds, in file order; empty without such a file
  double bits_per_weight = 0;
  uint64_t file_bytes = 0;

  bool needs_source() const;
  /// Of recipe, source and content; not of paths and times.
  std::string hash() const;
};

Json to_json(const Manifest& manifest);
/// Errors: unsupported for another schema version; invalid_file naming what is wrong, also when the hash does not fit.
Result<Manifest> read_manifest(const std::filesystem::path& folder);

}  // namespace phiscope
