#pragma once
// Walks a plan over rows of tokens.

#include <functional>
#include <vector>

#include "backends/reference/phase_math.h"
#include "core/quant/recipe.h"

namespace phiscope::reference {

/// Keys after rotary and values of one sequence, [positions, kv_heads * head_dim] per layer; already rounded to the KV type.
struct KvCache {
  std::vector<std::vector<float>> keys, values;
  int64_t length = 0;

  explicit KvCache(int64_t layers) : keys(static_cast<size_t>(layers)), values(static_cast<size_t>(layers)) {}
  void truncate(int64_t positions, int64_t width);
};

/// A plan with its matrices. Immutable after construction.
class Interpreter {
 public:
  Interpreter(const Plan& plan, std::vector<WeightView> weights, KvType kv, ActivationMode activation)
      : plan_(plan), weights_(std::move(weights)), kv_(kv), activation_(activation) {}

  /// Receives the residual rows of a chunk after the embedding (layer -1) and after each layer; may be empty.
  using LayerCallback = std::function<void(int layer, const Rows& residual)>;

  /// Appends ids at positions cache.length.. and returns the rows after the final norm.
  Rows forward(std::span<const int32_t> ids, bool use_long, KvCache& cache, const LayerCallback& on_layer = {}) const;
  /// The same for a plan without embedding: from residual rows.
  Rows forward_states(Rows residual, bool use_long, KvCache& cache) const;

  /// logits [rows, vocab] of final-norm rows with a head matrix (the plan's own or another model's) and activations of that head.
  Rows head(Rows hidden, const WeightView& matrix, ActivationMode activation) const;

  const WeightView& weight(int tensor) const { return weights_[static_cast<size_t>(tensor)]; }

 private:
  struct Chunk;  // buffers of the rows in flight
  Rows run(std::span<const int32_t> ids, Chunk& chunk, const LayerCallback& on_layer) const;
  void run_linear(const Phase& phase, Chunk& chunk) const;
  void run_attention(const Phase& phase, Chunk& chunk) const;
  void run_moe(const Phase& phase, Chunk& chunk) const;
  void store_qkv(const Phase& phase, const Rows& qkv, Chunk& chunk) const;
  std::vector<int64_t> visible_keys(int layer, int64_t head, int64_t position) const;
  Rows normalized(const Norm& norm, const Rows& in) const;
  Rows linear(const Linear& linear, const Rows& in) const;
  const float* bias(int vector) const;
  float round_kv(float value) const;

  const Plan& plan_;
  std::vector<WeightView> weights_;
  KvType kv_;
  ActivationMode activation_;
};

}  // namespace phiscope::reference
