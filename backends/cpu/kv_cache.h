#pragma once
// Keys and values of one sequence. Keys lie in blocks of 16 positions, [position / 16][head_dim][16], so that scores need no horizontal
// sums; values lie [position][head_dim padded to 16].

#include <cstdint>

#include "backends/cpu/kernels/kernel_table.h"
#include "core/backend/plan.h"
#include "core/quant/recipe.h"
#include "core/tensor/dtype.h"

namespace phiscope::cpu {

/// Not thread-safe, but different positions and heads may be stored at the same time.
class KvCache {
 public:
  static uint64_t bytes(const Plan& plan, KvType type, int64_t context);
  static uint64_t bytes_per_token(const Plan& plan, KvType type);

  /// Throws std::bad_alloc.
  KvCache(const Plan& plan, KvType type, int64_t context, const KernelTable& kernels);

  /// One head's key and value [head_dim] at a position; f16 rounds to nearest even, int8 keeps amax / 127 as a scale for each.
  void store(int layer, int64_t head, int64_t position, const float* key, const float* value);
  KvHeadView view(int layer, int64_t head) const;
  int64_t value_width() const { return value_width_; }
  uint64_t allocated_bytes() const { return keys_.size() + values_.size() + scales_.size(); }

 private:
  int64_t head_index(int layer, int64_t head) const { return (layer - first_layer_) * heads_ + head; }

  const KernelTable& kernels_;
  KvKind kind_;
  int64_t first_layer_, heads_, head_dim_, value_width_, capacity_, element_bytes_;
  AlignedBuffer keys_, values_, scales_;  // scales: [layer, head][2][capacity], int8 only
};

}  // namespace phiscope::cpu
