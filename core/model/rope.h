#pragma once
// Rotary embedding: the block of a config and the tables of a plan. Internal to core/model.

#include "core/model/model.h"

namespace phiscope {

/// Reads `rope_scaling` (transformers 4) or `rope_parameters` (5) and the keys that stand beside them. head_dim and max_positions must be known.
Status parse_rope(const Json& config, std::string_view where, ModelConfig& out);

/// Frequencies and mscales in f32, as transformers computes them.
Rotary make_rotary(const ModelConfig& config);

/// int(head_dim * partial_rotary).
int64_t rotary_dims(const ModelConfig& config);

}  // namespace phiscope
