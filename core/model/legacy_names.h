#pragma once
// Tensor names of phi-msft, the uploads of phi-1, phi-1.5 and phi-2 of 2023.

#include "core/model/model.h"

namespace phiscope {

/// A tensor of the plan in a file with older names: whole, or rows from `first_row` of a fused tensor with `rows` rows.
struct LegacyTensor {
  std::string name;
  int64_t first_row = 0, rows = 0;
};
/// `name` is "model.layers.0.self_attn.q_proj.weight" or another name of the plan, `rows` its rows (or values, for a vector).
LegacyTensor legacy_tensor(std::string name, int64_t rows, const ModelConfig& config);

}  // namespace phiscope
