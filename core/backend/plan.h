#pragma once
// What a model computes, as plain data: phases that a backend compiles, fusing as it likes. Every Phi architecture is such data.
//
// All activations are rows [tokens, width] of f32 unless a backend reports another effective type. Buffers that phases read and write:
//   residual    [T, hidden]             the stream that blocks add to
//   query       [T, heads * head_dim]   after rotary
//   KV cache    per layer               keys after rotary, values
//   attention   [T, heads * head_dim]   output of the attention phase
//   activation  [T, ffn]                output of the gated or plain activation

#include <cstdint>
#include <string>
#include <vector>

#include "core/quant/recipe.h"
#include "core/quant/weight.h"

namespace phiscope {

/// A matrix that the plan needs: [rows, columns] = [out, in].
struct PlanTensor {
  std::string name;   // as in the model, "model.layers.0.self_attn.qkv_proj.weight"
  TensorClass tensor_class = TensorClass::other;
  int64_t rows = 0, columns = 0;
  bool is_embedding_too = false;  // a tied head: also read as the embedding table, one row a token
};

/// A vector that is always f32: norm weights and biases.
struct PlanVector {
  std::string name;
  std::vector<float> values;
};

enum class NormKind : uint8_t { none, rms, layer };
struct Norm {
  NormKind kind = NormKind::none;
  float epsilon = 0;
  int weight = -1;  // index in Plan::vectors, [hidden]
  int bias = -1;    // layer norm only; -1 = none
};

/// Rows of one matrix (all of them): y = W x + b.
struct Linear {
  int tensor = -1;  // index in Plan::tensors
  int bias = -1;    // index in Plan::vectors, [rows]; -1 = none
};

enum class PhaseKind : uint8_t {
  embedding,  // residual = table[id] * scale
  linear,     // epilogue(linears(norm(input)))
  attention,  // attention = softmax(query keys / scale) values
  moe,        // residual += sum over chosen experts of w_e * down_e(silu(gate_e(n)) * up_e(n)), n = norm(residual)
  head,       // logits = linears(norm(residual)) * scale
};
enum class PhaseInput : uint8_t { residual, attention, activation };
enum class Epilogue : uint8_t {
  none,
  rotary_kv,     // output rows are q | k | v, or as Plan::qkv_by_kv_head: rotate q and k, q -> query, k and v -> KV cache of this layer
  silu_gate,     // output rows are gate [ffn] | up [ffn]: activation = silu(gate) * up
  gelu_tanh,     // activation = 0.5 y (1 + tanh(sqrt(2/pi) (y + 0.044715 y^3)))
  gegelu,        // rows interleaved g, l: g' = min(g, limit), activation = g' sigmoid(1.702 g') (clamp(l, -limit, limit) + 1)
  add_residual,  // residual += y
};

struct Phase {
  PhaseKind kind = PhaseKind::linear;
  int layer = -1;  // -1 outside layers
  PhaseInput input = PhaseInput::residual;
  Norm norm;
  std::vector<Linear> linears;  // outputs are concatenated in this order (q, k, v when not fused)
  Epilogue epilogue = Epilogue::none;
  float scale = 1.0f;           // embedding, head: multiplier; gegelu: limit
  // moe only
  int router = -1;              // tensor [experts, hidden]
  std::vector<Linear> expert_gate, expert_up, expert_down;
  float router_jitter = 0;      // sparsemixer's epsilon
};

/// Rotary embedding, half-split pairs (i, i + rotary_dims / 2); cos and sin are multiplied by the mscale.
struct Rotary {
  int rotary_dims = 0;                 // even, <= head_dim; 0 = no rotary
  std::vector<float> frequencies_short;  // [rotary_dims / 2], 1 / (factor_i * theta^(2i/d)), computed in f32 as transformers does
  std::vector<float> frequencies_long;   // equal to short without longrope
  float mscale_short = 1, mscale_long = 1;
  int64_t switch_length = 0;           // longrope: sequences longer than this use the long list, for all positions; 0 = never
};

/// Attention of phi-3-small: queries see the local blocks before them and, of the rest, every vertical_stride-th block.
struct BlockSparse {
  bool enabled = false;
  int64_t block = 64, local_blocks = 16, vertical_stride = 8;  // positions a block; blocks
  int dense_every = 2;                 // layer l is dense where (l + 1) % dense_every == 0; 0 = all are sparse
  int64_t head_step = 1;               // blocks by which the vertical stripes of two neighbouring heads differ

  bool is_sparse_layer(int layer) const { return enabled && (dense_every == 0 || (layer + 1) % dense_every != 0); }
  /// Whether a query of `query_block` sees the keys of `key_block` (causality apart).
  bool is_visible(int64_t head, int64_t query_block, int64_t key_block) const {
    return query_block - key_block < local_blocks || (key_block + head * head_step + 1) % vertical_stride == 0;
  }
};

struct Plan {
  std::string architecture;  // "phi3", "phi", "phimoe", "phi3small"
  std::string name;          // model name for people
  int64_t hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, ffn = 0, vocab = 0;
  int64_t first_layer = 0;   // of a stage of a larger plan (walk.h): its phases keep their layer's number, its KV cache begins here
  int64_t context = 0;       // largest position + 1 that the model was made for
  int64_t window = 0;        // key j is visible to query q iff q - j < window; 0 = all
  float attention_scale = 0; // multiplies q.k; 1/sqrt(head_dim) but for phi-3-small
  bool qkv_by_kv_head = false;  // rows of the fused q, k, v: for each KV head its query heads, its key, its value (phi-3-small)
  Rotary rotary;
  BlockSparse block_sparse;
  std::vector<int> masked_ids;  // logits set to -infinity (phi-3-small)
  std::vector<PlanTensor> tensors;
  std::vector<PlanVector> vectors;
  std::vector<Phase> phases;  // in execution order: embedding, layers, head
  int embedding = -1;         // tensor index of the embedding table
  int head = -1;              // tensor index of the output head (may equal `embedding` when tied)
  int head_bias = -1;         // vector index
  Norm final_norm;

  int64_t parameters() const;

  /// Which head_dim rows of the joined q, k, v output a query head, and the key and the value of a KV head, are.
  int64_t query_part(int64_t q_head) const { return qkv_by_kv_head ? q_head + 2 * (q_head / (heads / kv_heads)) : q_head; }
  int64_t key_part(int64_t kv_head) const { return qkv_by_kv_head ? kv_head * (heads / kv_heads + 2) + heads / kv_heads : heads + kv_head; }
  int64_t value_part(int64_t kv_head) const { return qkv_by_kv_head ? key_part(kv_head) + 1 : heads + kv_heads + kv_head; }
};

}  // namespace phiscope
