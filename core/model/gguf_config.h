#pragma once
// The config of a model from the metadata of a GGUF file, with the gaps that older converters left. Internal to core/model.

#include "core/format/gguf.h"
#include "core/model/model.h"

namespace phiscope {

struct GgufConfig {
  ModelConfig config;
  std::vector<std::string> notices;  // what the file does not say and was taken from the published model
};

/// Errors: invalid_file naming file, key or tensor, and offset; unsupported naming the architecture and those that are supported.
Result<GgufConfig> read_gguf_config(const GgufFile& file);

}  // namespace phiscope
