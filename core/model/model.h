#pragma once
// Phi checkpoints: config, tensor names and the lowering to a Plan.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend/plan.h"
#include "core/base/json.h"
#include "core/base/result.h"
#include "core/format/tensor_file.h"
#include "core/quant/weight.h"

namespace phiscope {

/// config.json, read and checked; the names are Hugging Face's. Both spellings of transformers 4 and 5 are accepted.
struct ModelConfig {
  std::string architecture;  // "phi3", "phi", "phimoe", "phi3small": which lowering
  std::string name;          // folder name or _name_or_path
  int64_t hidden_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate_size = 0, vocab_size = 0;
  int64_t max_positions = 0, original_max_positions = 0, sliding_window = 0;
  double rope_theta = 10000, partial_rotary = 1.0, norm_epsilon = 1e-5;
  bool longrope = false;
  std::vector<float> short_factor, long_factor;
  double short_mscale = 0, long_mscale = 0;  // 0 = sqrt(1 + ln(max / original) / ln(original))
  bool tied_embeddings = false, qk_layernorm = false, attention_bias = false, head_bias = false;
  bool separate_qkv = false;  // phi3 whose file holds q, k and v as three matrices (some GGUF files)
  int64_t experts = 0, experts_per_token = 0;
  double router_jitter = 0;
  BlockSparse block_sparse;                // phi-3-small, as the rest of these
  double gegelu_limit = 0;                 // infinity = none
  double embedding_scale = 1, logit_scale = 1, attention_scale = 0;  // attention_scale 0 = 1/sqrt(head_dim)
  std::vector<int> masked_ids;             // never generated: their logits are -infinity
  bool legacy_names = false;               // phi-msft: tensors are "transformer.h.0.mixer.Wqkv", ...
  DType dtype = DType::f32;  // of the shipped weights, as the config says
};

/// Errors: invalid_file naming key and value; unsupported naming the architecture and those that are supported (phi4flash with its reason).
Result<ModelConfig> parse_config(const Json& config, std::string_view where);
/// As config.json: parse_config gives the same config back, but for the name.
Json to_json(const ModelConfig& config);
/// Of a Hugging Face folder's config.json or a .gguf file's metadata.
Result<ModelConfig> load_config(const std::filesystem::path& path);

class Tokenizer;
/// Error invalid_file when the tokenizer can give ids that the model has no row for. (More rows than ids is padding and normal.)
Status check_tokenizer(const ModelConfig& config, const Tokenizer& tokenizer);

/// The plan with neutral vectors (norm weights 1, biases 0): for forecasts and synthetic models; load_model fills in the values.
Result<Plan> lower(const ModelConfig& config);

/// A model as its publisher ships it: plan with vectors filled, and its tensors.
struct Model {
  std::string name;
  std::filesystem::path folder;            // or the .gguf file; empty for synthetic models
  ModelConfig config;
  std::shared_ptr<const Plan> plan;
  std::shared_ptr<const WeightSource> weights;   // in the file's own types
  std::shared_ptr<const TensorFiles> files;      // null for synthetic models
  std::vector<std::string> notices;        // "skipped 12 vision tensors"
  std::string hash;                        // config + tensors
};
/// Errors: invalid_file naming tensor, expected and found shape; not_found naming the tensor; NaN and infinite norm weights or biases.
/// The block types that the model's file holds, the most common first ("Q4_K, Q6_K"); empty when it is not quantized.
std::string stored_blocks(const Model& model);
/// `path` is a Hugging Face folder or a .gguf file.
Result<Model> load_model(const std::filesystem::path& path);

/// "phi-3.5-mini", "phi-4", ... : real shapes of published models for speed and memory.
struct SyntheticModel {
  std::string name;      // "phi-3.5-mini"
  std::string title;     // "Phi-3.5-mini", as its publisher calls it
  std::string checked;   // what this architecture's arithmetic was compared with
  ModelConfig config;
};
const std::vector<SyntheticModel>& synthetic_models();
/// Random weights made straight into the encodings that `recipe` asks for, one tensor at a time, same bits for equal arguments.
Result<Model> make_synthetic(std::string_view name, const Recipe& recipe, uint64_t seed = 1);

}  // namespace phiscope
