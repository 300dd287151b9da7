#include <cmath>

#include "core/model/model.h"
#include "core/model/rope.h"

namespace phiscope {
namespace {

// Adds tensors, vectors and phases; keeps the indices right.
class PlanBuilder {
 public:
  PlanBuilder(const ModelConfig& config, Plan& plan) : config_(config), plan_(plan) {}

  Linear linear(const std::string& base, TensorClass tensor_class, int64_t rows, int64_t columns, bool has_bias = false) {
    Linear linear;
    linear.tensor = tensor(base + ".weight", tensor_class, rows, columns);
    if (has_bias) linear.bias = vector(base + ".bias", rows, 0);
    return linear;
  }
  int tensor(std::string name, TensorClass tensor_class, int64_t rows, int64_t columns) {
    plan_.tensors.push_back({std::move(name), tensor_class, rows, columns, false});
    return static_cast<int>(plan_.tensors.size()) - 1;
  }
  int vector(std::string name, int64_t size, float value) {
    plan_.vectors.push_back({std::move(name), std::vector<float>(static_cast<size_t>(size), value)});
    return static_cast<int>(plan_.vectors.size()) - 1;
  }
  Norm norm(const std::string& base, NormKind kind) {
    Norm norm{kind, static_cast<float>(config_.norm_epsilon), vector(base + ".weight", config_.hidden_size, 1), -1};
    if (kind == NormKind::layer) norm.bias = vector(base + ".bias", config_.hidden_size, 0);
    return norm;
  }
  void phase(PhaseKind kind, int layer, PhaseInput input, const Norm& norm, std::vector<Linear> linears, Epilogue epilogue) {
    Phase phase;
    phase.kind = kind;
    phase.layer = layer;
    phase.input = input;
    phase.norm = norm;
    phase.linears = std::move(linears);
    phase.epilogue = epilogue;
    plan_.phases.push_back(std::move(phase));
  }
  Plan& plan() { return plan_; }

 private:
  const ModelConfig& config_;
  Plan& plan_;
};

std::string layer_name(int layer, std::string_view part) { return fmt::format("model.layers.{}.{}", layer, part); }

void add_attention(PlanBuilder& build, int layer) { build.phase(PhaseKind::attention, layer, PhaseInput::residual, Norm{}, {}, Epilogue::none); }

// q, k, v as three matrices with one shape rule (phi, phimoe, some phi3 files).
std::vector<Linear> separate_qkv(const ModelConfig& config, PlanBuilder& build, int layer) {
  std::vector<Linear> linears;
  for (const auto& [part, heads] : {std::pair{"q", config.heads}, {"k", config.kv_heads}, {"v", config.kv_heads}})
    linears.push_back(build.linear(layer_name(layer, fmt::format("self_attn.{}_proj", part)), TensorClass::attention_in, heads * config.head_dim,
                                   config.hidden_size, config.attention_bias));
  return linears;
}

// h = x + o_proj(attention(rms(x))); y = h + down(silu(gate) * up), gate and up from rms(h).
void lower_phi3_layer(const ModelConfig& config, PlanBuilder& build, int layer) {
  const int64_t hidden = config.hidden_size, ffn = config.intermediate_size, width = config.heads * config.head_dim;
  const Norm attention_norm = build.norm(layer_name(layer, "input_layernorm"), NormKind::rms);
  const auto fused_qkv = [&] {
    return std::vector{build.linear(layer_name(layer, "self_attn.qkv_proj"), TensorClass::attention_in, width + 2 * config.kv_heads * config.head_dim, hidden)};
  };
  build.phase(PhaseKind::linear, layer, PhaseInput::residual, attention_norm, config.separate_qkv ? separate_qkv(config, build, layer) : fused_qkv(),
              Epilogue::rotary_kv);
  add_attention(build, layer);
  const Linear out = build.linear(layer_name(layer, "self_attn.o_proj"), TensorClass::attention_out, hidden, width);
  build.phase(PhaseKind::linear, layer, PhaseInput::attention, Norm{}, {out}, Epilogue::add_residual);
  const Norm mlp_norm = build.norm(layer_name(layer, "post_attention_layernorm"), NormKind::rms);
  const Linear gate_up = build.linear(layer_name(layer, "mlp.gate_up_proj"), TensorClass::mlp_in, 2 * ffn, hidden);
  build.phase(PhaseKind::linear, layer, PhaseInput::residual, mlp_norm, {gate_up}, Epilogue::silu_gate);
  const Linear down = build.linear(layer_name(layer, "mlp.down_proj"), TensorClass::mlp_out, hidden, ffn);
  build.phase(PhaseKind::linear, layer, PhaseInput::activation, Norm{}, {down}, Epilogue::add_residual);
}

// Parallel block: n = ln(x); x += dense(attention(n)) + fc2(gelu(fc1(n))). fc1 reads the residual before dense adds to it.
void lower_phi_layer(const ModelConfig& config, PlanBuilder& build, int layer) {
  const int64_t hidden = config.hidden_size, ffn = config.intermediate_size;
  const Norm norm = build.norm(layer_name(layer, "input_layernorm"), NormKind::layer);
  build.phase(PhaseKind::linear, layer, PhaseInput::residual, norm, separate_qkv(config, build, layer), Epilogue::rotary_kv);
  add_attention(build, layer);
  const Linear fc1 = build.linear(layer_name(layer, "mlp.fc1"), TensorClass::mlp_in, ffn, hidden, true);
  build.phase(PhaseKind::linear, layer, PhaseInput::residual, norm, {fc1}, Epilogue::gelu_tanh);
  const Linear dense = build.linear(layer_name(layer, "self_attn.dense"), TensorClass::attention_out, hidden, config.heads * config.head_dim, true);
  build.phase(PhaseKind::linear, layer, PhaseInput::attention, Norm{}, {dense}, Epilogue::add_residual);
  const Linear fc2 = build.linear(layer_name(layer, "mlp.fc2"), TensorClass::mlp_out, hidden, ffn, true);
  build.phase(PhaseKind::linear, layer, PhaseInput::activation, Norm{}, {fc2}, Epilogue::add_residual);
}

// As phi3 with layer norms, biases, and two experts per token in place of the MLP.
void lower_phimoe_layer(const ModelConfig& config, PlanBuilder& build, int layer) {
  const int64_t hidden = config.hidden_size, ffn = config.intermediate_size;
  const Norm attention_norm = build.norm(layer_name(layer, "input_layernorm"), NormKind::layer);
  build.phase(PhaseKind::linear, layer, PhaseInput::residual, attention_norm, separate_qkv(config, build, layer), Epilogue::rotary_kv);
  add_attention(build, layer);
  const Linear out = build.linear(layer_name(layer, "self_attn.o_proj"), TensorClass::attention_out, hidden, config.heads * config.head_dim, config.attention_bias);
  build.phase(PhaseKind::linear, layer, PhaseInput::attention, Norm{}, {out}, Epilogue::add_residual);
  const Norm moe_norm = build.norm(layer_name(layer, "post_attention_layernorm"), NormKind::layer);
  build.phase(PhaseKind::moe, layer, PhaseInput::residual, moe_norm, {}, Epilogue::add_residual);
  Phase& moe = build.plan().phases.back();
  moe.router = build.tensor(layer_name(layer, "block_sparse_moe.gate.weight"), TensorClass::other, config.experts, hidden);
  moe.router_jitter = static_cast<float>(config.router_jitter);
  for (int64_t expert = 0; expert < config.experts; ++expert) {
    const auto part = [&](std::string_view name) { return layer_name(layer, fmt::format("block_sparse_moe.experts.{}.{}", expert, name)); };
    moe.expert_gate.push_back(build.linear(part("w1"), TensorClass::experts, ffn, hidden));
    moe.expert_up.push_back(build.linear(part("w3"), TensorClass::experts, ffn, hidden));
    moe.expert_down.push_back(build.linear(part("w2"), TensorClass::experts, hidden, ffn));
  }
}

// As phi3 with layer norms and biases; q, k and v rows grouped by KV head, up rows interleaved, the limit of gegelu in the phase's scale.
void lower_phi3_small_layer(const ModelConfig& config, PlanBuilder& build, int layer) {
  const int64_t hidden = config.hidden_size, ffn = config.intermediate_size, width = config.heads * config.head_dim;
  const Norm attention_norm = build.norm(layer_name(layer, "input_layernorm"), NormKind::layer);
  const Linear qkv = build.linear(layer_name(layer, "self_attn.query_key_value"), TensorClass::attention_in, width + 2 * config.kv_heads * config.head_dim, hidden, true);
  build.phase(PhaseKind::linear, layer, PhaseInput::residual, attention_norm, {qkv}, Epilogue::rotary_kv);
  add_attention(build, layer);
  const Linear dense = build.linear(layer_name(layer, "self_attn.dense"), TensorClass::attention_out, hidden, width, true);
  build.phase(PhaseKind::linear, layer, PhaseInput::attention, Norm{}, {dense}, Epilogue::add_residual);
  const Norm mlp_norm = build.norm(layer_name(layer, "post_attention_layernorm"), NormKind::layer);
  const Linear up = build.linear(layer_name(layer, "mlp.up_proj"), TensorClass::mlp_in, 2 * ffn, hidden, true);
  build.phase(PhaseKind::linear, layer, PhaseInput::residual, mlp_norm, {up}, Epilogue::gegelu);
  build.plan().phases.back().scale = static_cast<float>(config.gegelu_limit);
  const Linear down = build.linear(layer_name(layer, "mlp.down_proj"), TensorClass::mlp_out, hidden, ffn, true);
  build.phase(PhaseKind::linear, layer, PhaseInput::activation, Norm{}, {down}, Epilogue::add_residual);
}

struct LayerLowering {
  std::string_view architecture;
  void (*lower_layer)(const ModelConfig&, PlanBuilder&, int layer);
  std::string_view final_norm;
  NormKind norm;
};
constexpr LayerLowering kLowerings[] = {
    {"phi3", lower_phi3_layer, "model.norm", NormKind::rms},
    {"phi", lower_phi_layer, "model.final_layernorm", NormKind::layer},
    {"phimoe", lower_phimoe_layer, "model.norm", NormKind::layer},
    {"phi3small", lower_phi3_small_layer, "model.final_layernorm", NormKind::layer},
};

void copy_sizes(const ModelConfig& config, Plan& plan) {
  plan.architecture = config.architecture;
  plan.name = config.name;
  plan.hidden = config.hidden_size;
  plan.layers = config.layers;
  plan.heads = config.heads;
  plan.kv_heads = config.kv_heads;
  plan.head_dim = config.head_dim;
  plan.ffn = config.intermediate_size;
  plan.vocab = config.vocab_size;
  plan.context = config.max_positions;
  plan.window = config.sliding_window < config.max_positions ? config.sliding_window : 0;
  plan.attention_scale = static_cast<float>(config.attention_scale > 0 ? config.attention_scale : 1.0 / std::sqrt(static_cast<double>(config.head_dim)));
  plan.block_sparse = config.block_sparse;
  plan.qkv_by_kv_head = config.architecture == "phi3small";
  plan.masked_ids = config.masked_ids;
  plan.rotary = make_rotary(config);
}

void add_head(const ModelConfig& config, const LayerLowering& lowering, PlanBuilder& build) {
  Plan& plan = build.plan();
  plan.final_norm = build.norm(std::string(lowering.final_norm), lowering.norm);
  if (config.tied_embeddings) {
    plan.head = plan.embedding;
    PlanTensor& table = plan.tensors[static_cast<size_t>(plan.embedding)];
    table.is_embedding_too = true;
    table.tensor_class = TensorClass::lm_head;
  } else {
    plan.head = build.tensor("lm_head.weight", TensorClass::lm_head, config.vocab_size, config.hidden_size);
  }
  if (config.head_bias) plan.head_bias = build.vector("lm_head.bias", config.vocab_size, 0);
  build.phase(PhaseKind::head, -1, PhaseInput::residual, plan.final_norm, {Linear{plan.head, plan.head_bias}}, Epilogue::none);
  plan.phases.back().scale = static_cast<float>(config.logit_scale);
}

}  // namespace

Result<Plan> lower(const ModelConfig& config) {
  for (const LayerLowering& lowering : kLowerings) {
    if (lowering.architecture != config.architecture) continue;
    Plan plan;
    copy_sizes(config, plan);
    PlanBuilder build(config, plan);
    plan.embedding = build.tensor("model.embed_tokens.weight", TensorClass::embedding, config.vocab_size, config.hidden_size);
    build.phase(PhaseKind::embedding, -1, PhaseInput::residual, Norm{}, {Linear{plan.embedding, -1}}, Epilogue::none);
    plan.phases.back().scale = static_cast<float>(config.embedding_scale);
    for (int layer = 0; layer < config.layers; ++layer) lowering.lower_layer(config, build, layer);
    add_head(config, lowering, build);
    return plan;
  }
  return fail(ErrorCode::unsupported, "architecture '{}' has no plan", config.architecture);
}

}  // namespace phiscope
