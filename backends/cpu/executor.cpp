#include "backends/cpu/executor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/sparse_mixer.h"

namespace phiscope::cpu {
namespace {

AttentionShape attention_shape(const Plan& plan, int64_t value_width) {
  AttentionShape shape{};
  shape.head_dim = plan.head_dim;
  shape.value_width = value_width;
  shape.queries_per_kv = plan.heads / plan.kv_heads;
  shape.window = plan.window;
  shape.scale = plan.attention_scale;
  return shape;
}

float* resized(std::vector<float>& buffer, int64_t count) {
  if (static_cast<int64_t>(buffer.size()) < count) buffer.resize(static_cast<size_t>(count));
  return buffer.data();
}

}  // namespace

Executor::Executor(Parts parts, Pool& pool, KvCache& cache)
    : parts_(std::move(parts)), plan_(parts_.plan), pool_(pool), cache_(cache), multiplier_(parts_.kernels, pool) {
  attention_shape_ = attention_shape(plan_, cache_.value_width());
  attention_scratch_.resize(static_cast<size_t>(pool_.threads() * attention_scratch_floats(cache_.value_width())));
}

int64_t Executor::linears_width(const std::vector<Linear>& linears) const {
  int64_t width = 0;
  for (const Linear& linear : linears) width += plan_.tensors[static_cast<size_t>(linear.tensor)].rows;
  return width;
}

std::span<const float> Executor::forward(std::span<const int32_t> ids, int64_t first, bool use_long, const LayerCallback& on_layer) {
  resized(residual_, static_cast<int64_t>(ids.size()) * plan_.hidden);
  return run({ids, static_cast<int64_t>(ids.size()), first, use_long}, on_layer);
}

std::span<const float> Executor::forward_states(std::span<const float> residual, int64_t first, bool use_long) {
  std::copy(residual.begin(), residual.end(), resized(residual_, static_cast<int64_t>(residual.size())));
  return run({{}, static_cast<int64_t>(residual.size()) / plan_.hidden, first, use_long}, {});
}

std::span<const float> Executor::run(const Chunk& chunk, const LayerCallback& on_layer) {
  const auto residual_size = static_cast<size_t>(chunk.rows * plan_.hidden);
  set_rotation(chunk);
  int layer = -1;
  for (const Phase& phase : plan_.phases) {
    if (phase.layer != layer && on_layer) on_layer(layer, std::span(residual_).first(residual_size));
    layer = phase.layer;
    switch (phase.kind) {
      case PhaseKind::embedding: embed(phase, chunk); break;
      case PhaseKind::linear: run_linear(phase, chunk); break;
      case PhaseKind::attention: run_attention(phase, chunk); break;
      case PhaseKind::moe: run_moe(phase, chunk); break;
      case PhaseKind::head: break;  // head() does it, for the rows that are asked for
    }
  }
  return {normalized(plan_.final_norm, residual_.data(), chunk.rows), residual_size};
}

void Executor::set_rotation(const Chunk& chunk) {
  const Rotary& rotary = plan_.rotary;
  const int64_t half = rotary.rotary_dims / 2;
  const std::vector<float>& frequencies = chunk.use_long ? rotary.frequencies_long : rotary.frequencies_short;
  const float mscale = chunk.use_long ? rotary.mscale_long : rotary.mscale_short;
  float* cosine = resized(cosine_, chunk.rows * half);
  float* sine = resized(sine_, chunk.rows * half);
  for (int64_t t = 0; t < chunk.rows; ++t) {
    for (int64_t i = 0; i < half; ++i) {
      // The angle is an f32 product, as transformers computes it: at position 1e5 its rounding is visible.
      const float angle = static_cast<float>(chunk.first + t) * frequencies[static_cast<size_t>(i)];
      cosine[t * half + i] = static_cast<float>(std::cos(static_cast<double>(angle))) * mscale;
      sine[t * half + i] = static_cast<float>(std::sin(static_cast<double>(angle))) * mscale;
    }
  }
}

void Executor::embed(const Phase& phase, const Chunk& chunk) {
  for (int64_t t = 0; t < chunk.rows; ++t) {
    float* row = residual_.data() + t * plan_.hidden;
    const int32_t id = chunk.ids[static_cast<size_t>(t)];
    if (parts_.embedding.view.codes != nullptr) {
      dequantize_row(parts_.embedding.view, id, row);
    } else {
      read_packed_row(parts_.weights.matrix(plan_.embedding), id, row);
    }
    for (int64_t i = 0; i < plan_.hidden && phase.scale != 1.0f; ++i) row[i] *= phase.scale;
  }
}

void Executor::apply_norm(const Norm& norm, const float* in, float* out) const {
  if (norm.kind == NormKind::rms) {
    parts_.kernels.rms_norm(in, vector(norm.weight), norm.epsilon, plan_.hidden, out);
  } else {
    parts_.kernels.layer_norm(in, vector(norm.weight), vector(norm.bias), norm.epsilon, plan_.hidden, out);
  }
}

const float* Executor::normalized(const Norm& norm, const float* in, int64_t rows) {
  if (norm.kind == NormKind::none) return in;
  float* out = resized(normed_, rows * plan_.hidden);
  pool_.run(rows, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) apply_norm(norm, in + t * plan_.hidden, out + t * plan_.hidden);
  });
  return out;
}

void Executor::add_bias(const Linear& linear, float* y, int64_t stride, int64_t rows, int64_t columns) {
  const float* bias = vector(linear.bias);
  for (int64_t t = 0; t < rows && bias != nullptr; ++t) parts_.kernels.add(bias, columns, y + t * stride);
}

void Executor::run_linear(const Phase& phase, const Chunk& chunk) {
  const std::vector<float>& input = phase.input == PhaseInput::residual    ? residual_
                                    : phase.input == PhaseInput::attention ? attention_
                                                                           : activation_;
  const float* in = normalized(phase.norm, input.data(), chunk.rows);
  const int64_t width = linears_width(phase.linears);
  float* product = resized(product_, chunk.rows * width);
  int64_t column = 0;
  for (const Linear& linear : phase.linears) {
    const PackedMatrix& matrix = parts_.weights.matrix(linear.tensor);
    multiplier_.multiply(matrix, in, matrix.columns, chunk.rows, arithmetic_of(matrix, parts_.activation), product + column, width);
    add_bias(linear, product + column, width, chunk.rows, matrix.rows);
    column += matrix.rows;
  }
  if (phase.epilogue == Epilogue::rotary_kv) return store_qkv(phase, chunk, width);
  const bool halves = phase.epilogue == Epilogue::silu_gate || phase.epilogue == Epilogue::gegelu;
  const int64_t out_width = halves ? width / 2 : width;
  float* activation = phase.epilogue == Epilogue::add_residual ? nullptr : resized(activation_, chunk.rows * out_width);
  const KernelTable& kernels = parts_.kernels;
  pool_.run(chunk.rows, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = product + t * width;
      switch (phase.epilogue) {
        case Epilogue::add_residual: kernels.add(row, width, residual_.data() + t * width); break;
        case Epilogue::silu_gate: kernels.silu_gate(row, row + out_width, out_width, activation + t * out_width); break;
        case Epilogue::gegelu: kernels.gegelu(row, phase.scale, out_width, activation + t * out_width); break;
        case Epilogue::gelu_tanh: kernels.gelu_tanh(row, width, activation + t * width); break;
        default: std::copy_n(row, width, activation + t * width); break;
      }
    }
  });
}

// product_ [rows, (heads + 2 * kv_heads) * head_dim]: rotate q and k, keep q, append k and v to the cache of this layer.
void Executor::store_qkv(const Phase& phase, const Chunk& chunk, int64_t width) {
  const int64_t dim = plan_.head_dim, query_width = plan_.heads * dim, half = plan_.rotary.rotary_dims / 2;
  float* query = resized(query_, chunk.rows * query_width);
  pool_.run(chunk.rows, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = product_.data() + t * width;
      const auto rotated = [&](int64_t part) {
        float* pair = row + part * dim;
        const float* cosine = cosine_.data() + t * half;
        const float* sine = sine_.data() + t * half;
        for (int64_t i = 0; i < half; ++i) {
          const float a = pair[i], b = pair[i + half];
          pair[i] = a * cosine[i] - b * sine[i];
          pair[i + half] = b * cosine[i] + a * sine[i];
        }
        return pair;
      };
      for (int64_t head = 0; head < plan_.heads; ++head) {
        std::copy_n(rotated(plan_.query_part(head)), dim, query + t * query_width + head * dim);
      }
      for (int64_t head = 0; head < plan_.kv_heads; ++head) {
        cache_.store(phase.layer, head, chunk.first + t, rotated(plan_.key_part(head)), row + plan_.value_part(head) * dim);
      }
    }
  });
}

void Executor::run_attention(const Phase& phase, const Chunk& chunk) {
  const BlockSparse& sparse = plan_.block_sparse;
  AttentionShape shape = attention_shape_;
  const bool is_sparse = sparse.is_sparse_layer(phase.layer);
  if (is_sparse) {
    shape.sparse_block = sparse.block;
    shape.sparse_local = sparse.local_blocks;
    shape.sparse_stride = sparse.vertical_stride;
    shape.sparse_head_step = sparse.head_step;
  }
  // Heads that share keys see other blocks of them. One row a head reads the blocks near by once for all; with more rows each head goes alone
  // and skips what it does not see.
  const int64_t group = is_sparse && chunk.rows > 1 ? 1 : shape.queries_per_kv;
  const int64_t shared = shape.queries_per_kv;
  shape.queries_per_kv = group;
  const int64_t stride = plan_.heads * plan_.head_dim;
  const int64_t tile = std::max<int64_t>(1, kAttentionRows / group);
  const int64_t tiles = (chunk.rows + tile - 1) / tile;
  float* out = resized(attention_, chunk.rows * stride);
  const int64_t scratch = attention_scratch_floats(shape.value_width);
  pool_.run(tiles * plan_.heads / group, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / tiles * group, t = i % tiles * tile;
      const int64_t offset = t * stride + head * plan_.head_dim;
      const AttentionRows rows{.query = query_.data() + offset,
                               .output = out + offset,
                               .query_stride = stride,
                               .output_stride = stride,
                               .tokens = std::min(tile, chunk.rows - t),
                               .first_position = chunk.first + t,
                               .first_head = head};
      parts_.kernels.attention(shape, cache_.view(phase.layer, head / shared), rows, attention_scratch_.data() + thread * scratch);
    }
  });
}

void Executor::run_moe(const Phase& phase, const Chunk& chunk) {
  const float* in = normalized(phase.norm, residual_.data(), chunk.rows);
  const auto experts = static_cast<int64_t>(phase.expert_gate.size());
  float* logits = resized(expert_out_, chunk.rows * experts);
  const PackedMatrix& router = parts_.weights.matrix(phase.router);
  multiplier_.multiply(router, in, plan_.hidden, chunk.rows, router_arithmetic(router, parts_.activation), logits, experts);
  // Tokens are grouped by expert. Experts add in the order of their index: for a token that is the same order whatever the others chose.
  std::vector<std::vector<std::pair<int64_t, float>>> tokens(static_cast<size_t>(experts));
  for (int64_t t = 0; t < chunk.rows; ++t) {
    const ChosenExperts chosen = sparse_mixer({logits + t * experts, static_cast<size_t>(experts)}, phase.router_jitter);
    tokens[static_cast<size_t>(chosen.first)].emplace_back(t, chosen.first_weight);
    tokens[static_cast<size_t>(chosen.second)].emplace_back(t, chosen.second_weight);
  }
  for (size_t expert = 0; expert < tokens.size(); ++expert) {
    if (!tokens[expert].empty()) run_expert(phase, expert, in, tokens[expert]);
  }
}

// residual += share * down(silu(gate) * up) for the tokens that chose this expert; `normed`: all rows after the norm.
void Executor::run_expert(const Phase& phase, size_t expert, const float* normed, const std::vector<std::pair<int64_t, float>>& tokens) {
  const auto rows = static_cast<int64_t>(tokens.size());
  const PackedMatrix& gate = parts_.weights.matrix(phase.expert_gate[expert].tensor);
  const PackedMatrix& up = parts_.weights.matrix(phase.expert_up[expert].tensor);
  const PackedMatrix& down = parts_.weights.matrix(phase.expert_down[expert].tensor);
  const int64_t ffn = gate.rows, hidden = plan_.hidden;
  float* in = resized(expert_in_, rows * hidden);
  for (int64_t i = 0; i < rows; ++i) std::copy_n(normed + tokens[static_cast<size_t>(i)].first * hidden, hidden, in + i * hidden);
  float* product = resized(product_, rows * 2 * ffn);
  multiplier_.multiply(gate, in, hidden, rows, arithmetic_of(gate, parts_.activation), product, 2 * ffn);
  add_bias(phase.expert_gate[expert], product, 2 * ffn, rows, ffn);
  multiplier_.multiply(up, in, hidden, rows, arithmetic_of(up, parts_.activation), product + ffn, 2 * ffn);
  add_bias(phase.expert_up[expert], product + ffn, 2 * ffn, rows, ffn);
  float* activation = resized(activation_, rows * ffn);
  for (int64_t i = 0; i < rows; ++i) {
    parts_.kernels.silu_gate(product + i * 2 * ffn, product + i * 2 * ffn + ffn, ffn, activation + i * ffn);
  }
  float* out = resized(expert_out_, rows * hidden);
  multiplier_.multiply(down, activation, ffn, rows, arithmetic_of(down, parts_.activation), out, hidden);
  add_bias(phase.expert_down[expert], out, hidden, rows, hidden);
  for (int64_t i = 0; i < rows; ++i) {
    const auto& [token, share] = tokens[static_cast<size_t>(i)];
    parts_.kernels.add_scaled(out + i * hidden, share, hidden, residual_.data() + token * hidden);
  }
}

void Executor::head(const PackedMatrix& matrix, ActivationMode activation, std::span<const float> hidden, std::span<float> out) {
  const int64_t rows = static_cast<int64_t>(hidden.size()) / plan_.hidden, vocab = plan_.vocab;
  const float scale = plan_.phases.back().scale;
  for (int64_t first = 0; first < rows; first += kMicroBatch) {
    const int64_t count = std::min(kMicroBatch, rows - first);
    float* logits = out.data() + first * vocab;
    multiplier_.multiply(matrix, hidden.data() + first * plan_.hidden, plan_.hidden, count, arithmetic_of(matrix, activation), logits, vocab);
    add_bias(Linear{plan_.head, plan_.head_bias}, logits, vocab, count, vocab);
    for (int64_t t = 0; t < count; ++t) {
      float* row = logits + t * vocab;
      for (int64_t i = 0; i < vocab && scale != 1.0f; ++i) row[i] *= scale;
      for (const int id : plan_.masked_ids) row[id] = -std::numeric_limits<float>::infinity();
    }
  }
}

uint64_t Executor::workspace_bytes() const {
  uint64_t floats = 0;
  for (const std::vector<float>* buffer : {&residual_, &normed_, &query_, &attention_, &activation_, &product_, &expert_in_, &expert_out_, &cosine_,
                                           &sine_, &attention_scratch_}) {
    floats += buffer->size();
  }
  return floats * sizeof(float) + multiplier_.workspace_bytes();
}

}  // namespace phiscope::cpu
