#pragma once
// What both the maker and the reader of artifacts say about tensors in weights.safetensors. Internal to core/convert.

#include <string>
#include <vector>

#include "core/convert/artifact.h"
#include "core/format/tensor_file.h"

namespace phiscope {

/// Equal as stored: group, offset and scale type mean nothing for floats.
bool same_encoding(const WeightEncoding& a, const WeightEncoding& b);

/// The parts of one tensor in weights.safetensors, in file order: codes, scales, zero points.
std::vector<SafetensorsWriter::Item> tensor_items(const ArtifactTensor& tensor);

/// Totals over the matrices, and the bytes of the plan's vectors.
double bits_per_weight(const std::vector<ArtifactTensor>& tensors);
uint64_t deployed_bytes(const std::vector<ArtifactTensor>& tensors, const Plan& plan);

}  // namespace phiscope
