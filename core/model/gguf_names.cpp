#include "core/model/gguf_names.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace phiscope {
namespace {

struct ArchitectureName {
  std::string_view architecture, gguf;
};
constexpr ArchitectureName kArchitectures[] = {{"phi", "phi2"}, {"phi3", "phi3"}, {"phimoe", "phimoe"}};

// Names without ".weight" and ".bias"; the first {} is the layer, the second, in the plan's name, the expert. An empty architecture is all.
// To add a tensor: a row.
struct NameRow {
  std::string_view architecture, plan, gguf;
};
constexpr NameRow kNames[] = {
    {"", "model.embed_tokens", "token_embd"},
    {"", "model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"", "model.layers.{}.self_attn.qkv_proj", "blk.{}.attn_qkv"},
    {"", "model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
    {"", "model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
    {"", "model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    {"", "lm_head", "output"},

    {"phi", "model.layers.{}.self_attn.dense", "blk.{}.attn_output"},
    {"phi", "model.layers.{}.mlp.fc1", "blk.{}.ffn_up"},
    {"phi", "model.layers.{}.mlp.fc2", "blk.{}.ffn_down"},
    {"phi", "model.final_layernorm", "output_norm"},

    {"phi3", "model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"phi3", "model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    {"phi3", "model.layers.{}.mlp.gate_up_proj", "blk.{}.ffn_up"},
    {"phi3", "model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
    {"phi3", "model.norm", "output_norm"},

    {"phimoe", "model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"phimoe", "model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    {"phimoe", "model.layers.{}.block_sparse_moe.gate", "blk.{}.ffn_gate_inp"},
    {"phimoe", "model.layers.{}.block_sparse_moe.experts.{}.w1", "blk.{}.ffn_gate_exps"},
    {"phimoe", "model.layers.{}.block_sparse_moe.experts.{}.w3", "blk.{}.ffn_up_exps"},
    {"phimoe", "model.layers.{}.block_sparse_moe.experts.{}.w2", "blk.{}.ffn_down_exps"},
    {"phimoe", "model.norm", "output_norm"},
};

constexpr auto kRequired = GgufNeed::required, kWritten = GgufNeed::written, kAbsent = GgufNeed::absent;
constexpr int64_t kMostPositions = 1 << 24;

// Upper limits as for config.json: every product of two sizes stays far from 64 bits.
constexpr GgufKey kKeys[] = {
    {"context_length", GgufType::u32, &ModelConfig::max_positions, nullptr, kRequired, kRequired, kRequired, 1, kMostPositions},
    {"embedding_length", GgufType::u32, &ModelConfig::hidden_size, nullptr, kRequired, kRequired, kRequired, 1, 1 << 17},
    {"feed_forward_length", GgufType::u32, &ModelConfig::intermediate_size, nullptr, kRequired, kRequired, kRequired, 1, 1 << 20},
    {"block_count", GgufType::u32, &ModelConfig::layers, nullptr, kRequired, kRequired, kRequired, 1, 1 << 10},
    {"attention.head_count", GgufType::u32, &ModelConfig::heads, nullptr, kRequired, kRequired, kRequired, 1, 1 << 10},
    {"attention.head_count_kv", GgufType::u32, &ModelConfig::kv_heads, nullptr, kWritten, kWritten, kWritten, 1, 1 << 10},
    {"attention.key_length", GgufType::u32, &ModelConfig::head_dim, nullptr, kWritten, kWritten, kWritten, 2, 1024},
    {"attention.value_length", GgufType::u32, &ModelConfig::head_dim, nullptr, kWritten, kWritten, kWritten, 2, 1024},
    {"attention.layer_norm_epsilon", GgufType::f32, nullptr, &ModelConfig::norm_epsilon, kRequired, kAbsent, kAbsent},
    {"attention.layer_norm_rms_epsilon", GgufType::f32, nullptr, &ModelConfig::norm_epsilon, kAbsent, kRequired, kRequired},
    {kGgufRotaryDims, GgufType::u32, nullptr, nullptr, kWritten, kWritten, kWritten, 2, 1024},
    {"rope.freq_base", GgufType::f32, nullptr, &ModelConfig::rope_theta, kWritten, kWritten, kWritten},
    {"rope.scaling.original_context_length", GgufType::u32, &ModelConfig::original_max_positions, nullptr, kAbsent, kWritten, kWritten, 2, kMostPositions},
    {kGgufAttentionFactor, GgufType::f32, nullptr, nullptr, kAbsent, kWritten, kWritten},
    {"attention.sliding_window", GgufType::u32, &ModelConfig::sliding_window, nullptr, kAbsent, kWritten, kWritten, 0, int64_t{1} << 31},
    {"expert_count", GgufType::u32, &ModelConfig::experts, nullptr, kAbsent, kAbsent, kRequired, 2, 4096},
    {"expert_used_count", GgufType::u32, &ModelConfig::experts_per_token, nullptr, kAbsent, kAbsent, kRequired, 1, 4096},
};

constexpr std::string_view kHole = "{}";

// Reads `name` by `pattern`; the numbers that stand for {} come out in order. False when it does not fit.
bool match(std::string_view pattern, std::string_view name, std::array<int64_t, 2>& numbers) {
  for (size_t hole = 0;; ++hole) {
    const size_t literal = pattern.find(kHole);
    if (literal == std::string_view::npos) return pattern == name;
    if (hole >= numbers.size() || name.substr(0, literal) != pattern.substr(0, literal)) return false;
    pattern.remove_prefix(literal + kHole.size());
    name.remove_prefix(literal);
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), numbers[hole]);
    const auto digits = static_cast<size_t>(end - name.data());
    if (error != std::errc() || numbers[hole] < 0 || (digits > 1 && name.front() == '0')) return false;
    name.remove_prefix(digits);
  }
}

std::string fill(std::string_view pattern, const std::array<int64_t, 2>& numbers) {
  std::string text;
  for (size_t hole = 0; hole <= numbers.size(); ++hole) {
    const size_t at = pattern.find(kHole);
    if (at == std::string_view::npos) break;
    text.append(pattern.substr(0, at)).append(std::to_string(numbers[hole]));
    pattern.remove_prefix(at + kHole.size());
  }
  return text.append(pattern);
}

bool is_stack(const NameRow& row) { return row.plan.find(kHole) != row.plan.rfind(kHole); }

/// ".weight" or ".bias", taken off; empty when the name ends in neither.
std::string_view take_suffix(std::string_view& name) {
  for (const std::string_view suffix : {".weight", ".bias"}) {
    if (!name.ends_with(suffix)) continue;
    name.remove_suffix(suffix.size());
    return suffix;
  }
  return {};
}

}  // namespace

std::string_view gguf_architecture(std::string_view architecture) {
  for (const ArchitectureName& row : kArchitectures)
    if (row.architecture == architecture) return row.gguf;
  return {};
}

std::string_view architecture_of_gguf(std::string_view gguf_architecture) {
  for (const ArchitectureName& row : kArchitectures)
    if (row.gguf == gguf_architecture) return row.architecture;
  return {};
}

std::optional<GgufTensorName> gguf_name(std::string_view architecture, std::string_view plan_name) {
  const std::string_view suffix = take_suffix(plan_name);
  if (suffix.empty()) return std::nullopt;
  for (const NameRow& row : kNames) {
    std::array<int64_t, 2> numbers{};
    if ((!row.architecture.empty() && row.architecture != architecture) || !match(row.plan, plan_name, numbers)) continue;
    return GgufTensorName{fill(row.gguf, numbers).append(suffix), is_stack(row) ? numbers[1] : -1};
  }
  return std::nullopt;
}

std::optional<std::string> plan_name(std::string_view architecture, const GgufTensorName& name) {
  std::string_view base = name.name;
  const std::string_view suffix = take_suffix(base);
  if (suffix.empty()) return std::nullopt;
  for (const NameRow& row : kNames) {
    std::array<int64_t, 2> numbers{};
    if ((!row.architecture.empty() && row.architecture != architecture) || is_stack(row) != (name.expert >= 0) || !match(row.gguf, base, numbers)) continue;
    numbers[1] = name.expert;
    return fill(row.plan, numbers).append(suffix);
  }
  return std::nullopt;
}

GgufNeed GgufKey::need(std::string_view gguf_architecture) const {
  if (gguf_architecture == "phi2") return phi2;
  return gguf_architecture == "phi3" ? phi3 : phimoe;
}

std::span<const GgufKey> gguf_keys() { return kKeys; }

std::string gguf_key(std::string_view gguf_architecture, std::string_view suffix) { return fmt::format("{}.{}", gguf_architecture, suffix); }

}  // namespace phiscope
