// A config as config.json: what an artifact of a GGUF file keeps, and what other programs read.

#include <cmath>

#include "core/model/model.h"

namespace phiscope {
namespace {

struct ClassName {
  std::string_view architecture, model_type, class_name, epsilon_key, activation;
};
constexpr ClassName kClasses[] = {{"phi3", "phi3", "Phi3ForCausalLM", "rms_norm_eps", "silu"},
                                  {"phi", "phi", "PhiForCausalLM", "layer_norm_eps", "gelu_new"},
                                  {"phimoe", "phimoe", "PhiMoEForCausalLM", "rms_norm_eps", "silu"},
                                  {"phi3small", "phi3small", "Phi3SmallForCausalLM", "layer_norm_epsilon", "gegelu"}};

std::string_view torch_name(DType type) {
  if (type == DType::f16) return "float16";
  return type == DType::bf16 ? "bfloat16" : "float32";
}

Json rope_scaling(const ModelConfig& config) {
  if (!config.longrope) return nullptr;
  Json block{{"type", "longrope"}, {"short_factor", config.short_factor}, {"long_factor", config.long_factor}};
  const bool is_moe = config.architecture == "phimoe" || config.architecture == "phi3small";  // the mscales and the length stand in the block
  if (is_moe) block["original_max_position_embeddings"] = config.original_max_positions;
  if (is_moe && config.short_mscale > 0) block["short_mscale"] = config.short_mscale;
  if (is_moe && config.long_mscale > 0) block["long_mscale"] = config.long_mscale;
  if (!is_moe && config.short_mscale > 0) block["attention_factor"] = config.short_mscale;
  return block;
}

// The inverse of parse_phi3_small.
void add_phi3_small(const ModelConfig& config, Json& json) {
  const BlockSparse& sparse = config.block_sparse;
  json["blocksparse_block_size"] = sparse.block;
  json["blocksparse_num_local_blocks"] = sparse.local_blocks;
  json["blocksparse_vert_stride"] = sparse.vertical_stride;
  json["dense_attention_every_n_layers"] = sparse.dense_every == 0 ? Json() : Json(sparse.dense_every);
  json["blocksparse_homo_head_pattern"] = sparse.head_step == 0;
  json["gegelu_limit"] = std::isfinite(config.gegelu_limit) ? Json(config.gegelu_limit) : Json();
  json["mup_embedding_multiplier"] = config.embedding_scale;
  json["mup_width_multiplier"] = 1 / config.logit_scale;
  json["mup_use_scaling"] = config.attention_scale != 0;
  if (config.attention_scale != 0) json["mup_attn_multiplier"] = config.attention_scale * static_cast<double>(config.head_dim);
  json["dummy_token_indices"] = config.masked_ids;
}

}  // namespace

Json to_json(const ModelConfig& config) {
  Json json;
  for (const ClassName& row : kClasses) {
    if (row.architecture != config.architecture) continue;
    json = {{"architectures", {row.class_name}},
            {"model_type", row.model_type},
            {row.epsilon_key, config.norm_epsilon},
            {"hidden_act", row.activation}};
  }
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.layers;
  json["num_attention_heads"] = config.heads;
  json["num_key_value_heads"] = config.kv_heads;
  json["head_dim"] = config.head_dim;
  json["vocab_size"] = config.vocab_size;
  json["max_position_embeddings"] = config.max_positions;
  if (config.architecture == "phi3") json["original_max_position_embeddings"] = config.original_max_positions;
  json["sliding_window"] = config.sliding_window == 0 ? Json() : Json(config.sliding_window);
  json["rope_theta"] = config.rope_theta;
  json["partial_rotary_factor"] = config.partial_rotary;
  json["rope_scaling"] = rope_scaling(config);
  json["tie_word_embeddings"] = config.tied_embeddings;
  json["attention_bias"] = config.attention_bias;
  json["lm_head_bias"] = config.head_bias;
  if (config.separate_qkv) json["separate_qkv"] = true;
  if (config.experts != 0) {
    json["num_local_experts"] = config.experts;
    json["num_experts_per_tok"] = config.experts_per_token;
    json["router_jitter_noise"] = config.router_jitter;
  }
  if (config.architecture == "phi3small") add_phi3_small(config, json);
  json["torch_dtype"] = torch_name(config.dtype);
  return json;
}

}  // namespace phiscope
