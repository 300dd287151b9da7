#include "core/convert/artifact_layout.h"

namespace phiscope {

bool same_encoding(const WeightEncoding& a, const WeightEncoding& b) {
  if (a.is_blocks() || b.is_blocks()) return a.block == b.block;
  if (!a.is_integer() && !b.is_integer()) return a.float_type == b.float_type;
  return a == b;
}

std::vector<SafetensorsWriter::Item> tensor_items(const ArtifactTensor& tensor) {
  const WeightEncoding& encoding = tensor.encoding;
  if (encoding.is_floating()) return {{tensor.name + ".codes", encoding.float_type, {tensor.rows, tensor.columns}}};
  const int64_t groups = encoding.groups(tensor.columns);
  const auto code_bytes = static_cast<int64_t>(encoding.code_bytes_per_row(tensor.columns));
  if (encoding.is_blocks()) return {{tensor.name + ".codes", DType::u8, {tensor.rows, code_bytes}}};
  std::vector<SafetensorsWriter::Item> items{{tensor.name + ".codes", DType::u8, {tensor.rows, code_bytes}},
                                             {tensor.name + ".scales", encoding.scale_type, {tensor.rows, groups}}};
  if (encoding.offset == OffsetClass::zero_point) items.push_back({tensor.name + ".zero_points", DType::u8, {tensor.rows, groups}});
  return items;
}

double bits_per_weight(const std::vector<ArtifactTensor>& tensors) {
  double bits = 0, weights = 0;
  for (const ArtifactTensor& tensor : tensors) {
    bits += 8 * static_cast<double>(tensor.bytes);
    weights += static_cast<double>(tensor.rows) * static_cast<double>(tensor.columns);
  }
  return weights == 0 ? 0 : bits / weights;
}

uint64_t deployed_bytes(const std::vector<ArtifactTensor>& tensors, const Plan& plan) {
  uint64_t bytes = 0;
  for (const ArtifactTensor& tensor : tensors) bytes += tensor.bytes;
  for (const PlanVector& vector : plan.vectors) bytes += vector.values.size() * sizeof(float);
  return bytes;
}

}  // namespace phiscope
