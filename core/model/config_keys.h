#pragma once
// Keys of config.json that only some model types have.

#include <string_view>

#include "core/model/model.h"

namespace phiscope {

/// A whole number, or `fallback` where the key is absent or null.
Result<int64_t> optional_int(const Json& config, const char* key, int64_t fallback, std::string_view where, int64_t low, int64_t high);

/// The config with the keys of a model type under the names that the other types use ("n_embd" as "hidden_size").
Json with_usual_keys(const Json& config, std::string_view model_type);

/// Block-sparse attention, gegelu, muP multipliers and masked ids of phi-3-small. Errors name the key. Needs heads and vocab_size in `out`.
Status parse_phi3_small(const Json& config, std::string_view where, ModelConfig& out);

}  // namespace phiscope
