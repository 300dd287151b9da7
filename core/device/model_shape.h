#pragma once
// What of a model decides its speed and memory: counts of parameters by what is read for a token, and the KV cache.

#include <cstdint>
#include <string>

#include "core/backend/plan.h"

namespace phiscope::device {

struct ModelShape {
  std::string name{};          // as people call it
  std::string architecture{};  // "phi", "phi3", "phimoe", ...
  int64_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0, ffn = 0, vocab = 0, context = 0;
  int64_t parameters = 0;            // all
  int64_t body_parameters = 0;       // matrices but for embedding and head
  int64_t active_parameters = 0;     // of the body, those read for one token: of experts only the chosen two
  int64_t head_parameters = 0;
  int64_t embedding_parameters = 0;  // 0 when tied: the head's own

  /// Bytes of keys and values of one position, at `bits` a value.
  double kv_bytes_per_token(double bits) const { return 2.0 * static_cast<double>(layers * kv_heads * head_dim) * bits / 8; }
  /// The same network whatever its name: speed and memory carry over.
  bool has_same_size(const ModelShape& other) const;
};

ModelShape shape_of(const Plan& plan, std::string name);

}  // namespace phiscope::device
