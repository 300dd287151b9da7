#include "backends/reference/interpreter.h"

#include <algorithm>
#include <limits>

namespace phiscope::reference {

struct Interpreter::Chunk {
  int64_t first_position;
  bool use_long;
  KvCache& cache;
  Rows residual, query, attention, activation;
};

void KvCache::truncate(int64_t positions, int64_t width) {
  length = std::min(length, positions);
  for (auto* side : {&keys, &values})
    for (std::vector<float>& layer : *side) layer.resize(static_cast<size_t>(length * width));
}

const float* Interpreter::bias(int vector) const { return vector < 0 ? nullptr : plan_.vectors[static_cast<size_t>(vector)].values.data(); }

float Interpreter::round_kv(float value) const { return kv_ == KvType::f16 ? f16_to_f32(f32_to_f16(value)) : value; }

Rows Interpreter::normalized(const Norm& norm, const Rows& in) const {
  if (norm.kind == NormKind::none) return in;
  Rows out(in.count, in.width);
  for (int64_t t = 0; t < in.count; ++t) apply_norm(norm, plan_, in.row(t), out.row(t));
  return out;
}

Rows Interpreter::linear(const Linear& linear, const Rows& in) const {
  const WeightView& matrix = weight(linear.tensor);
  Rows out(in.count, matrix.rows);
  if (activation_ == ActivationMode::int8 && matrix.encoding.is_integer()) {
    Rows rounded = in;
    round_to_int8(rounded);
    multiply(matrix, bias(linear.bias), rounded, out, 0);
  } else {
    multiply(matrix, bias(linear.bias), in, out, 0);
  }
  return out;
}

// qkv [T, (heads + 2 * kv_heads) * head_dim]: rotate q and k, keep q, append k and v to the cache of this layer.
void Interpreter::store_qkv(const Phase& phase, const Rows& qkv, Chunk& chunk) const {
  const int64_t dim = plan_.head_dim;
  std::vector<float>& keys = chunk.cache.keys[static_cast<size_t>(phase.layer - plan_.first_layer)];
  std::vector<float>& values = chunk.cache.values[static_cast<size_t>(phase.layer - plan_.first_layer)];
  chunk.query = Rows(qkv.count, plan_.heads * dim);
  for (int64_t t = 0; t < qkv.count; ++t) {
    const auto head_at = [&](int64_t part) {
      const auto columns = qkv.row(t).subspan(static_cast<size_t>(part * dim), static_cast<size_t>(dim));
      return std::vector<float>(columns.begin(), columns.end());
    };
    for (int64_t head = 0; head < plan_.heads; ++head) {
      std::vector<float> query = head_at(plan_.query_part(head));
      rotate(plan_.rotary, chunk.use_long, chunk.first_position + t, query);
      std::copy(query.begin(), query.end(), chunk.query.row(t).begin() + head * dim);
    }
    for (int64_t head = 0; head < plan_.kv_heads; ++head) {
      std::vector<float> key = head_at(plan_.key_part(head));
      rotate(plan_.rotary, chunk.use_long, chunk.first_position + t, key);
      for (const float value : key) keys.push_back(round_kv(value));
      for (const float value : head_at(plan_.value_part(head))) values.push_back(round_kv(value));
    }
  }
}

void Interpreter::run_linear(const Phase& phase, Chunk& chunk) const {
  const Rows& input = phase.input == PhaseInput::residual    ? chunk.residual
                      : phase.input == PhaseInput::attention ? chunk.attention
                                                             : chunk.activation;
  const Rows in = normalized(phase.norm, input);
  Rows out(in.count, 0);
  for (const Linear& part : phase.linears) {  // side by side, in order
    const Rows columns = linear(part, in);
    Rows joined(in.count, out.width + columns.width);
    for (int64_t t = 0; t < in.count; ++t) {
      std::copy(out.row(t).begin(), out.row(t).end(), joined.row(t).begin());
      std::copy(columns.row(t).begin(), columns.row(t).end(), joined.row(t).begin() + out.width);
    }
    out = std::move(joined);
  }
  if (phase.epilogue == Epilogue::rotary_kv) return store_qkv(phase, out, chunk);
  if (phase.epilogue == Epilogue::add_residual) {
    for (size_t i = 0; i < out.values.size(); ++i) chunk.residual.values[i] += out.values[i];
    return;
  }
  const bool halves = phase.epilogue == Epilogue::silu_gate || phase.epilogue == Epilogue::gegelu;
  const auto width = static_cast<size_t>(halves ? out.width / 2 : out.width);
  chunk.activation = Rows(out.count, static_cast<int64_t>(width));
  for (int64_t t = 0; t < out.count; ++t) {
    const auto y = std::as_const(out).row(t);
    for (size_t i = 0; i < width; ++i) {
      float& value = chunk.activation.row(t)[i];
      if (phase.epilogue == Epilogue::silu_gate) value = silu(y[i]) * y[width + i];
      if (phase.epilogue == Epilogue::gegelu) value = gegelu(y[2 * i], y[2 * i + 1], phase.scale);
      if (phase.epilogue == Epilogue::gelu_tanh) value = gelu_tanh(y[i]);
    }
  }
}

// Positions that a query head sees, ascending.
std::vector<int64_t> Interpreter::visible_keys(int layer, int64_t head, int64_t position) const {
  const BlockSparse& sparse = plan_.block_sparse;
  std::vector<int64_t> visible;
  for (int64_t key = plan_.window > 0 ? std::max<int64_t>(0, position - plan_.window + 1) : 0; key <= position; ++key)
    if (!sparse.is_sparse_layer(layer) || sparse.is_visible(head, position / sparse.block, key / sparse.block)) visible.push_back(key);
  return visible;
}

void Interpreter::run_attention(const Phase& phase, Chunk& chunk) const {
  const int64_t dim = plan_.head_dim, queries_per_kv = plan_.heads / plan_.kv_heads;
  const auto layer = static_cast<size_t>(phase.layer - plan_.first_layer);
  chunk.attention = Rows(chunk.query.count, chunk.query.width);
  for (int64_t t = 0; t < chunk.query.count; ++t) {
    const int64_t position = chunk.first_position + t;
    for (int64_t head = 0; head < plan_.heads; ++head) {
      const HeadCache cache{chunk.cache.keys[layer].data(), chunk.cache.values[layer].data(), plan_.kv_heads * dim, head / queries_per_kv * dim};
      const auto columns = [&](auto row) { return row.subspan(static_cast<size_t>(head * dim), static_cast<size_t>(dim)); };
      attend(columns(std::as_const(chunk.query).row(t)), cache, visible_keys(phase.layer, head, position), plan_.attention_scale,
             columns(chunk.attention.row(t)));
    }
  }
}

void Interpreter::run_moe(const Phase& phase, Chunk& chunk) const {
  const Rows in = normalized(phase.norm, chunk.residual);
  const Rows router = linear(Linear{phase.router, -1}, in);
  for (int64_t t = 0; t < in.count; ++t) {
    const ChosenExperts chosen = sparse_mixer(router.row(t), phase.router_jitter);
    Rows token(1, in.width);
    std::copy(in.row(t).begin(), in.row(t).end(), token.values.begin());
    for (const auto& [expert, share] : {std::pair{chosen.first, chosen.first_weight}, {chosen.second, chosen.second_weight}}) {
      const auto index = static_cast<size_t>(expert);
      Rows gate = linear(phase.expert_gate[index], token);
      const Rows up = linear(phase.expert_up[index], token);
      for (size_t i = 0; i < gate.values.size(); ++i) gate.values[i] = silu(gate.values[i]) * up.values[i];
      const Rows down = linear(phase.expert_down[index], gate);
      for (size_t i = 0; i < down.values.size(); ++i) chunk.residual.row(t)[i] += static_cast<float>(share * static_cast<double>(down.values[i]));
    }
  }
}

Rows Interpreter::forward(std::span<const int32_t> ids, bool use_long, KvCache& cache, const LayerCallback& on_layer) const {
  Chunk chunk{cache.length, use_long, cache, Rows(static_cast<int64_t>(ids.size()), plan_.hidden), {}, {}, {}};
  return run(ids, chunk, on_layer);
}

Rows Interpreter::forward_states(Rows residual, bool use_long, KvCache& cache) const {
  Chunk chunk{cache.length, use_long, cache, std::move(residual), {}, {}, {}};
  return run({}, chunk, {});
}

Rows Interpreter::run(std::span<const int32_t> ids, Chunk& chunk, const LayerCallback& on_layer) const {
  int layer = -1;
  for (const Phase& phase : plan_.phases) {
    if (phase.layer != layer && on_layer) on_layer(layer, chunk.residual);
    layer = phase.layer;
    switch (phase.kind) {
      case PhaseKind::embedding:
        for (size_t t = 0; t < ids.size(); ++t) {
          dequantize_row(weight(plan_.embedding), ids[t], chunk.residual.row(static_cast<int64_t>(t)).data());
          for (float& value : chunk.residual.row(static_cast<int64_t>(t))) value *= phase.scale;
        }
        break;
      case PhaseKind::linear: run_linear(phase, chunk); break;
      case PhaseKind::attention: run_attention(phase, chunk); break;
      case PhaseKind::moe: run_moe(phase, chunk); break;
      case PhaseKind::head: break;  // logits() does it, for the rows that are asked for
    }
  }
  chunk.cache.length += chunk.residual.count;
  return normalized(plan_.final_norm, chunk.residual);
}

Rows Interpreter::head(Rows hidden, const WeightView& matrix, ActivationMode activation) const {
  if (activation == ActivationMode::int8 && matrix.encoding.is_integer()) round_to_int8(hidden);
  Rows logits(hidden.count, matrix.rows);
  multiply(matrix, bias(plan_.head_bias), hidden, logits, 0);
  const float scale = plan_.phases.back().scale;
  for (float& logit : logits.values) logit *= scale;
  for (const int id : plan_.masked_ids)
    for (int64_t t = 0; t < logits.count; ++t) logits.row(t)[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
  return logits;
}

}  // namespace phiscope::reference
