#include "core/device/roofline.h"

namespace phiscope::device {
namespace {

constexpr double kKvBits = 16;
constexpr double kBatchTokens = 512;    // what engines process at once by default (llama.cpp's micro-batch)
constexpr double kProgramBytes = 150e6;
constexpr double kFloatBytes = 4;

double bytes_of(int64_t count, double bits) { return static_cast<double>(count) * bits / 8; }

}  // namespace

double weight_bytes(const ModelShape& shape, const DeployFormat& format) {
  return bytes_of(shape.body_parameters, format.body_bits) + bytes_of(shape.head_parameters, format.head_bits) +
         bytes_of(shape.embedding_parameters, format.embedding_bits);
}

double bytes_per_token(const ModelShape& shape, const DeployFormat& format, int64_t depth) {
  return bytes_of(shape.active_parameters, format.body_bits) + bytes_of(shape.head_parameters, format.head_bits) +
         static_cast<double>(depth) * shape.kv_bytes_per_token(kKvBits);
}

double prefill_operations(const ModelShape& shape, int64_t tokens) {
  const auto t = static_cast<double>(tokens);
  const double attention = 2.0 * static_cast<double>(shape.heads * shape.head_dim * shape.layers) * t;
  return t * (2.0 * static_cast<double>(shape.active_parameters) + attention) + 2.0 * static_cast<double>(shape.head_parameters);
}

double workspace_bytes(const ModelShape& shape) {
  const auto width = static_cast<double>(4 * shape.hidden + 2 * shape.ffn);
  return kBatchTokens * kFloatBytes * width + kFloatBytes * static_cast<double>(shape.vocab) + kProgramBytes;
}

}  // namespace phiscope::device
