#include "core/model/config_keys.h"

#include <algorithm>
#include <limits>

namespace phiscope {
namespace {

// To add another spelling of a key: a row.
struct KeyName {
  std::string_view model_type;
  const char* theirs;
  const char* usual;
};
constexpr KeyName kKeyNames[] = {
    {"phi3small", "ff_intermediate_size", "intermediate_size"},
    {"phi3small", "layer_norm_epsilon", "layer_norm_eps"},
    {"phi3small", "rope_embedding_base", "rope_theta"},
    {"phi-msft", "n_embd", "hidden_size"},
    {"phi-msft", "n_layer", "num_hidden_layers"},
    {"phi-msft", "n_head", "num_attention_heads"},
    {"phi-msft", "n_head_kv", "num_key_value_heads"},
    {"phi-msft", "n_inner", "intermediate_size"},
    {"phi-msft", "n_positions", "max_position_embeddings"},
    {"phi-msft", "layer_norm_epsilon", "layer_norm_eps"},
    {"phi-msft", "activation_function", "hidden_act"},
};

bool has_value(const Json& config, const char* key) { return config.contains(key) && !config[key].is_null(); }

// What phi-msft says by other means: no n_inner is 4 * n_embd, and the rotary dimensions are a number.
void add_legacy_defaults(Json& config) {
  const auto number = [&](const char* key) { return has_value(config, key) && config[key].is_number() ? config[key].get<double>() : 0.0; };
  if (!has_value(config, "intermediate_size") && config.contains("hidden_size") && config["hidden_size"].is_number_integer() &&
      number("hidden_size") < 1e6)
    config["intermediate_size"] = 4 * config["hidden_size"].get<int64_t>();
  const double heads = number("num_attention_heads"), hidden = number("hidden_size"), dims = number("rotary_dim");
  // A quarter of a dimension keeps rounding from losing one when the fraction is multiplied out again.
  if (heads >= 1 && hidden >= heads && dims >= 1) config["partial_rotary_factor"] = std::min(1.0, (dims + 0.25) * heads / hidden);
}

// Ids of the cl100k ranks and dummies that Phi-3-small never generates (config.json of the release).
std::vector<int> published_masked_ids() {
  std::vector<int> ids{100256, 100258, 100259, 100260, 100264, 100265};
  for (int id = 100267; id <= 100351; ++id) ids.push_back(id);
  return ids;
}
constexpr int64_t kPublishedVocabulary = 100352;

Status parse_masked_ids(const Json& config, std::string_view where, ModelConfig& out) {
  constexpr const char* kKey = "dummy_token_indices";
  if (!has_value(config, kKey)) {
    if (out.vocab_size == kPublishedVocabulary) out.masked_ids = published_masked_ids();
    return {};
  }
  const Json& list = config[kKey];
  if (!list.is_array() || static_cast<int64_t>(list.size()) >= out.vocab_size)
    return fail(ErrorCode::invalid_file, "{}: {} must be a list of fewer ids than the vocabulary's {}", where, kKey, out.vocab_size);
  for (const Json& id : list) {
    if (!id.is_number_integer() || id < 0 || id >= out.vocab_size)
      return fail(ErrorCode::invalid_file, "{}: {} holds {}, ids are from 0 to {}", where, kKey, dump_line(id), out.vocab_size - 1);
    out.masked_ids.push_back(id.get<int>());
  }
  return {};
}

// A positive number; null and, where the publisher's code says so, numbers that are not positive mean `none`.
Result<double> multiplier(const Json& config, const char* key, double fallback, double none, std::string_view where) {
  if (config.contains(key) && config[key].is_null()) return none;
  PHISCOPE_ASSIGN(const double value, json_number_or(config, key, fallback, where));
  if (value > 0 && value < 1e9) return value;
  return fail(ErrorCode::invalid_file, "{}: {} is {}, expected a number above 0", where, key, value);
}

Status parse_block_sparse(const Json& config, std::string_view where, ModelConfig& out) {
  BlockSparse& sparse = out.block_sparse;
  sparse.enabled = true;
  PHISCOPE_ASSIGN(sparse.block, optional_int(config, "blocksparse_block_size", 64, where, 1, 1 << 20));
  PHISCOPE_ASSIGN(sparse.local_blocks, optional_int(config, "blocksparse_num_local_blocks", 16, where, 1, 1 << 20));
  PHISCOPE_ASSIGN(sparse.vertical_stride, optional_int(config, "blocksparse_vert_stride", 8, where, 1, 1 << 20));
  const bool is_every_layer_sparse = config.contains("dense_attention_every_n_layers") && config["dense_attention_every_n_layers"].is_null();
  PHISCOPE_ASSIGN(const int64_t dense_every, optional_int(config, "dense_attention_every_n_layers", 2, where, 1, 1 << 10));
  sparse.dense_every = is_every_layer_sparse ? 0 : static_cast<int>(dense_every);
  PHISCOPE_ASSIGN(const bool same_for_all_heads, json_bool_or(config, "blocksparse_homo_head_pattern", false, where));
  sparse.head_step = same_for_all_heads ? 0 : std::max<int64_t>(1, sparse.vertical_stride / out.heads);
  return {};
}

}  // namespace

Result<int64_t> optional_int(const Json& config, const char* key, int64_t fallback, std::string_view where, int64_t low, int64_t high) {
  if (config.contains(key) && config[key].is_null()) return fallback;
  return json_int_or(config, key, fallback, where, low, high);
}

Json with_usual_keys(const Json& config, std::string_view model_type) {
  Json usual = config;
  for (const KeyName& row : kKeyNames)
    if (row.model_type == model_type && has_value(config, row.theirs)) usual[row.usual] = config[row.theirs];
  if (model_type == "phi-msft") add_legacy_defaults(usual);
  return usual;
}

Status parse_phi3_small(const Json& config, std::string_view where, ModelConfig& out) {
  PHISCOPE_TRY(parse_block_sparse(config, where, out));
  PHISCOPE_ASSIGN(out.gegelu_limit, multiplier(config, "gegelu_limit", 20, std::numeric_limits<double>::infinity(), where));
  PHISCOPE_ASSIGN(out.embedding_scale, multiplier(config, "mup_embedding_multiplier", 10, 1, where));
  PHISCOPE_ASSIGN(const double width, multiplier(config, "mup_width_multiplier", 8, 1, where));
  out.logit_scale = 1 / width;
  PHISCOPE_ASSIGN(const double attention, multiplier(config, "mup_attn_multiplier", 1, 1, where));
  PHISCOPE_ASSIGN(const bool scales_attention, json_bool_or(config, "mup_use_scaling", true, where));
  if (scales_attention) out.attention_scale = attention / static_cast<double>(out.head_dim);
  PHISCOPE_ASSIGN(const double position_scale, multiplier(config, "rope_position_scale", 1, 1, where));
  if (position_scale < 1 || position_scale > 1)
    return fail(ErrorCode::unsupported, "{}: rope_position_scale is {}, only models with 1 are supported", where, position_scale);
  return parse_masked_ids(config, where, out);
}

}  // namespace phiscope
