#pragma once
// Runs the phases of a plan over a few rows of tokens: the interpreter between the session and the kernels.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backends/cpu/kv_cache.h"
#include "backends/cpu/multiply.h"
#include "backends/cpu/packed_model.h"
#include "core/backend/plan.h"
#include "core/quant/weight.h"

namespace phiscope::cpu {

/// Not thread-safe.
class Executor {
 public:
  struct Parts {
    const Plan& plan;
    const PackedModel& weights;
    Weight embedding;             // unpacked table; view.codes null when the head's packed matrix serves (tied)
    const KernelTable& kernels;
    ActivationMode activation = ActivationMode::wide;
  };
  Executor(Parts parts, Pool& pool, KvCache& cache);

  /// Receives the residual rows after the embedding (layer -1) and after each layer; may be empty.
  using LayerCallback = std::function<void(int layer, std::span<const float> residual)>;

  /// Computes positions first .. first + ids.size() (at most kMicroBatch) and appends them to the cache; returns the rows after the final
  /// norm [ids, hidden], valid until the next call.
  std::span<const float> forward(std::span<const int32_t> ids, int64_t first, bool use_long, const LayerCallback& on_layer = {});
  /// The same for a plan without embedding: from residual rows [rows, hidden].
  std::span<const float> forward_states(std::span<const float> residual, int64_t first, bool use_long);

  /// Logits of final-norm rows (any number) with `matrix`; with scale, bias and masked ids of the plan.
  void head(const PackedMatrix& matrix, ActivationMode activation, std::span<const float> hidden, std::span<float> out);

  uint64_t workspace_bytes() const;

 private:
  struct Chunk {
    std::span<const int32_t> ids;
    int64_t rows, first;
    bool use_long;
  };
  std::span<const float> run(const Chunk& chunk, const LayerCallback& on_layer);
  void embed(const Phase& phase, const Chunk& chunk);
  void run_linear(const Phase& phase, const Chunk& chunk);
  void run_attention(const Phase& phase, const Chunk& chunk);
  void run_moe(const Phase& phase, const Chunk& chunk);
  void run_expert(const Phase& phase, size_t expert, const float* normed, const std::vector<std::pair<int64_t, float>>& tokens);
  void store_qkv(const Phase& phase, const Chunk& chunk, int64_t width);
  void set_rotation(const Chunk& chunk);
  const float* normalized(const Norm& norm, const float* in, int64_t rows);
  void apply_norm(const Norm& norm, const float* in, float* out) const;
  void add_bias(const Linear& linear, float* y, int64_t stride, int64_t rows, int64_t columns);
  const float* vector(int index) const { return index < 0 ? nullptr : parts_.plan.vectors[static_cast<size_t>(index)].values.data(); }
  int64_t linears_width(const std::vector<Linear>& linears) const;

  Parts parts_;
  const Plan& plan_;
  Pool& pool_;
  KvCache& cache_;
  Multiplier multiplier_;
  AttentionShape attention_shape_{};
  std::vector<float> residual_, normed_, query_, attention_, activation_, product_;  // [kMicroBatch, width] each
  std::vector<float> expert_in_, expert_out_;
  std::vector<float> cosine_, sine_;                                                 // [rows, rotary_dims / 2]
  std::vector<float> attention_scratch_;                                             // per thread
};

}  // namespace phiscope::cpu
