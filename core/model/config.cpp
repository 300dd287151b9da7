#include <array>
#include <cmath>

#include "core/format/gguf.h"
#include "core/model/config_keys.h"
#include "core/model/gguf_config.h"
#include "core/model/model.h"
#include "core/model/rope.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope {
namespace {

// One row per `model_type`. `architecture` is what ModelConfig calls it; empty = refused with `note`. To add one: a row.
struct Architecture {
  std::string_view model_type;
  std::string_view class_name;
  std::string_view architecture;
  std::string_view activation;    // the only hidden_act that the plan computes
  std::string_view epsilon_key;
  double partial_rotary;          // the next three: when the config does not say
  double rope_theta;
  bool tied;
  std::string_view note;
};
constexpr Architecture kArchitectures[] = {
    {"phi3", "Phi3ForCausalLM", "phi3", "silu", "rms_norm_eps", 1.0, 1e4, false, ""},
    // The text part of models with towers; their configs have the keys of phi3 at the top.
    {"phi3_v", "Phi3VForCausalLM", "phi3", "silu", "rms_norm_eps", 1.0, 1e4, false, ""},
    {"phi4mm", "Phi4MMForCausalLM", "phi3", "silu", "rms_norm_eps", 1.0, 1e4, false, ""},
    {"phi4_multimodal", "Phi4MultimodalForCausalLM", "phi3", "silu", "rms_norm_eps", 1.0, 1e4, false, ""},
    {"phi4-siglip", "Phi-4-reasoning-vision", "phi3", "silu", "rms_norm_eps", 1.0, 1e4, false, ""},
    {"phi", "PhiForCausalLM", "phi", "gelu_new", "layer_norm_eps", 0.5, 1e4, false, ""},
    {"phi-msft", "PhiForCausalLM of 2023", "phi", "gelu_new", "layer_norm_eps", 0.5, 1e4, false, ""},
    {"phimoe", "PhiMoEForCausalLM", "phimoe", "silu", "rms_norm_eps", 1.0, 1e6, false, ""},
    {"phi3small", "Phi3SmallForCausalLM", "phi3small", "gegelu", "layer_norm_eps", 1.0, 1e6, true, ""},
    {"mixformer-sequential", "MixFormerSequentialForCausalLM", "", "", "", 1.0, 1e4, false,
     "uploads of 2023 number their tensors without names; take the current revision of the same model (model_type phi), whose weights are equal"},
    {"phi4flash", "Phi4FlashForCausalLM", "", "", "", 1.0, 1e4, false,
     "its state-space layers, gated memory units and differential attention are not transformer phases that a plan can hold"},
};

std::string supported_list() {
  std::string list;
  for (const Architecture& row : kArchitectures)
    if (!row.architecture.empty()) list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", row.model_type, row.class_name);
  return list;
}

Result<const Architecture*> find_architecture(const Json& config, std::string_view where) {
  const std::string type = json_string_or(config, "model_type", "");
  std::string class_name;
  if (config.contains("architectures") && config["architectures"].is_array() && !config["architectures"].empty() &&
      config["architectures"][0].is_string())
    class_name = config["architectures"][0].get<std::string>();
  for (const Architecture& row : kArchitectures) {
    if (type.empty() ? row.class_name != class_name : row.model_type != type) continue;
    if (row.architecture.empty())
      return fail(ErrorCode::unsupported, "{}: {} models are not supported: {}; supported are {}", where, row.model_type, row.note, supported_list());
    return &row;
  }
  if (type.empty() && class_name.empty())
    return fail(ErrorCode::invalid_file, "{}: neither model_type nor architectures says what the model is; supported are {}", where, supported_list());
  return fail(ErrorCode::unsupported, "{}: architecture '{}' is not supported; supported are {}", where, type.empty() ? class_name : type, supported_list());
}

// Sizes that every architecture has. Upper limits keep every product of two sizes far from 64 bits.
struct SizeRow {
  const char* key;
  int64_t ModelConfig::*member;
  int64_t high;
};
constexpr SizeRow kSizes[] = {
    {"hidden_size", &ModelConfig::hidden_size, 1 << 17},       {"num_hidden_layers", &ModelConfig::layers, 1 << 10},
    {"num_attention_heads", &ModelConfig::heads, 1 << 10},     {"intermediate_size", &ModelConfig::intermediate_size, 1 << 20},
    {"vocab_size", &ModelConfig::vocab_size, 1 << 22},         {"max_position_embeddings", &ModelConfig::max_positions, 1 << 24},
};

Status parse_heads(const Json& config, std::string_view where, ModelConfig& out) {
  PHISCOPE_ASSIGN(out.kv_heads, optional_int(config, "num_key_value_heads", out.heads, where, 1, out.heads));
  if (out.heads % out.kv_heads != 0)
    return fail(ErrorCode::invalid_file, "{}: num_key_value_heads is {}, but num_attention_heads {} is not a multiple of it", where, out.kv_heads, out.heads);
  PHISCOPE_ASSIGN(out.head_dim, optional_int(config, "head_dim", 0, where, 2, 1024));
  if (out.head_dim != 0) return {};
  if (out.hidden_size % out.heads != 0)
    return fail(ErrorCode::invalid_file, "{}: hidden_size is {}, which num_attention_heads {} does not divide; head_dim must say the size", where,
                out.hidden_size, out.heads);
  out.head_dim = out.hidden_size / out.heads;
  return {};
}

Status parse_experts(const Json& config, std::string_view where, ModelConfig& out) {
  PHISCOPE_ASSIGN(out.experts, json_int(config, "num_local_experts", where, 2, 4096));
  PHISCOPE_ASSIGN(out.experts_per_token, optional_int(config, "num_experts_per_tok", 2, where, 1, out.experts));
  if (out.experts_per_token != 2)
    return fail(ErrorCode::unsupported, "{}: num_experts_per_tok is {}, the sparse mixer of phimoe chooses 2", where, out.experts_per_token);
  PHISCOPE_ASSIGN(out.router_jitter, json_number_or(config, "router_jitter_noise", 0.01, where));
  if (!(out.router_jitter >= 0 && out.router_jitter < 1))
    return fail(ErrorCode::invalid_file, "{}: router_jitter_noise is {}, expected a number from 0 and below 1", where, out.router_jitter);
  return {};
}

Status parse_switches(const Json& config, const Architecture& row, std::string_view where, ModelConfig& out) {
  PHISCOPE_ASSIGN(out.tied_embeddings, json_bool_or(config, "tie_word_embeddings", row.tied, where));
  PHISCOPE_ASSIGN(out.qk_layernorm, json_bool_or(config, "qk_layernorm", false, where));
  if (out.qk_layernorm) return fail(ErrorCode::unsupported, "{}: qk_layernorm is true, only models without it are supported", where);
  PHISCOPE_ASSIGN(out.attention_bias, json_bool_or(config, "attention_bias", false, where));
  PHISCOPE_ASSIGN(out.separate_qkv, json_bool_or(config, "separate_qkv", false, where));
  PHISCOPE_ASSIGN(out.head_bias, json_bool_or(config, "lm_head_bias", false, where));
  // These families have no such switch in their code, whatever the file says.
  if (row.architecture == "phi") out.attention_bias = out.head_bias = true;
  if (row.architecture == "phi3") out.attention_bias = out.head_bias = false;
  if (row.architecture == "phi3small") out.attention_bias = !(out.head_bias = false);
  const std::string activation = json_string_or(config, "hidden_act", row.activation);
  if (activation != row.activation)
    return fail(ErrorCode::unsupported, "{}: hidden_act is '{}', {} models compute '{}'", where, activation, row.model_type, row.activation);
  return {};
}

// A plan keeps its vectors and the names of its tensors in memory: a config of a hundred bytes must not make one of gigabytes. The largest
// published Phi has 3 million values and 1,700 tensors.
constexpr int64_t kMaxVectorValues = 8'000'000, kMaxTensors = 50'000;

Status check_plan_size(const ModelConfig& config, std::string_view where) {
  const int64_t attention = (config.heads + 2 * config.kv_heads) * config.head_dim;
  const int64_t values = config.layers * (6 * config.hidden_size + attention + 2 * config.intermediate_size) + config.vocab_size;
  const int64_t tensors = config.layers * (6 + 3 * config.experts);
  if (values <= kMaxVectorValues && tensors <= kMaxTensors) return {};
  return fail(ErrorCode::invalid_file,
              "{}: num_hidden_layers {} of hidden_size {} with {} experts need {} norm weights and biases and {} matrices; at most {} and {} are read", where,
              config.layers, config.hidden_size, config.experts, values, tensors, kMaxVectorValues, kMaxTensors);
}

Result<DType> parse_dtype(const Json& config, std::string_view where) {
  const std::string name = json_string_or(config, config.contains("dtype") ? "dtype" : "torch_dtype", "float32");
  if (name == "float32") return DType::f32;
  if (name == "float16") return DType::f16;
  if (name == "bfloat16") return DType::bf16;
  return fail(ErrorCode::invalid_file, "{}: torch_dtype is '{}', expected float32, float16 or bfloat16", where, name);
}

}  // namespace

Result<ModelConfig> parse_config(const Json& published, std::string_view where) {
  if (!published.is_object()) return fail(ErrorCode::invalid_file, "{}: a config is a JSON object", where);
  PHISCOPE_ASSIGN(const Architecture* row, find_architecture(published, where));
  const Json config = with_usual_keys(published, row->model_type);
  ModelConfig out;
  out.architecture = row->architecture;
  out.name = json_string_or(config, "_name_or_path", "");
  out.partial_rotary = row->partial_rotary;
  out.rope_theta = row->rope_theta;
  out.legacy_names = row->model_type == "phi-msft";
  for (const SizeRow& size : kSizes) {
    PHISCOPE_ASSIGN(out.*size.member, json_int(config, size.key, where, 1, size.high));
  }
  PHISCOPE_TRY(parse_heads(config, where, out));
  PHISCOPE_ASSIGN(out.sliding_window, optional_int(config, "sliding_window", 0, where, 1, int64_t{1} << 31));
  PHISCOPE_ASSIGN(out.norm_epsilon, json_number_or(config, row->epsilon_key, 1e-5, where));
  if (!(out.norm_epsilon > 0 && out.norm_epsilon < 1))
    return fail(ErrorCode::invalid_file, "{}: {} is {}, expected a number above 0 and below 1", where, row->epsilon_key, out.norm_epsilon);
  PHISCOPE_TRY(parse_switches(config, *row, where, out));
  if (out.architecture == "phimoe") PHISCOPE_TRY(parse_experts(config, where, out));
  if (out.architecture == "phi3small") PHISCOPE_TRY(parse_phi3_small(config, where, out));
  PHISCOPE_TRY(parse_rope(config, where, out));
  PHISCOPE_TRY(check_plan_size(out, where));
  PHISCOPE_ASSIGN(out.dtype, parse_dtype(config, where));
  return out;
}

Result<ModelConfig> load_config(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (is_gguf(folder)) {
    PHISCOPE_ASSIGN(const auto file, GgufFile::open(folder));
    PHISCOPE_ASSIGN(GgufConfig read, read_gguf_config(*file));
    return std::move(read.config);
  }
  const std::filesystem::path path = folder / "config.json";
  if (!std::filesystem::exists(path, ignored))
    return fail(ErrorCode::not_found, "{}: no config.json is there; a model is a Hugging Face folder with config.json and safetensors files", folder.string());
  PHISCOPE_ASSIGN(const Json json, read_json_file(path, uint64_t{16} << 20));
  PHISCOPE_ASSIGN(ModelConfig config, parse_config(json, path.string()));
  std::filesystem::path absolute = std::filesystem::absolute(folder, ignored).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  config.name = absolute.filename().string();
  return config;
}

Status check_tokenizer(const ModelConfig& config, const Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() <= config.vocab_size) return {};
  return fail(ErrorCode::invalid_file, "the tokenizer has ids up to {}, the model's vocabulary has {} rows; the tokenizer files belong to another model",
              tokenizer.vocab_size() - 1, config.vocab_size);
}

}  // namespace phiscope
