// Shapes of published models, from the checkpoints' own config.json files.

#include <cmath>

#include "core/model/config_keys.h"
#include "core/model/model.h"

namespace phiscope {
namespace {

constexpr std::string_view kGoldens = "transformers, on seeded models";
constexpr std::string_view kOracle = "double precision, on seeded models";
constexpr std::string_view kTowers = "a seeded phi3 with towers and adapters around it";

struct Shape {
  std::string_view name, title, model_type, checked;
  int64_t hidden, ffn, layers, heads, kv_heads, head_dim, vocab, context, original, window;
  double theta, partial_rotary;
  bool longrope, tied;
  DType dtype;
};
// To add one: a row here, its parameters in tests/core/model/synthetic_test.cpp, and the README's table made again.
constexpr Shape kShapes[] = {
    {"phi-1", "Phi-1", "phi", kGoldens, 2048, 8192, 24, 32, 32, 64, 51200, 2048, 2048, 0, 1e4, 0.5, false, false, DType::f32},
    {"phi-1.5", "Phi-1.5", "phi", kGoldens, 2048, 8192, 24, 32, 32, 64, 51200, 2048, 2048, 0, 1e4, 0.5, false, false, DType::f16},
    {"phi-2", "Phi-2", "phi", kGoldens, 2560, 10240, 32, 32, 32, 80, 51200, 2048, 2048, 0, 1e4, 0.4, false, false, DType::f16},
    {"phi-3-mini-4k", "Phi-3-mini-4k", "phi3", kGoldens, 3072, 8192, 32, 32, 32, 96, 32064, 4096, 4096, 2047, 1e4, 1, false, false, DType::bf16},
    {"phi-3-mini-128k", "Phi-3-mini-128k", "phi3", kGoldens, 3072, 8192, 32, 32, 32, 96, 32064, 131072, 4096, 262144, 1e4, 1, true, false, DType::bf16},
    {"phi-3-small-8k", "Phi-3-small-8k", "phi3small", kOracle, 4096, 14336, 32, 32, 8, 128, 100352, 8192, 8192, 0, 1e6, 1, false, true, DType::bf16},
    {"phi-3-small-128k", "Phi-3-small-128k", "phi3small", kOracle, 4096, 14336, 32, 32, 8, 128, 100352, 131072, 8192, 0, 1e6, 1, true, true, DType::bf16},
    {"phi-3-medium-4k", "Phi-3-medium-4k", "phi3", kGoldens, 5120, 17920, 40, 40, 10, 128, 32064, 4096, 4096, 2047, 1e4, 1, false, false, DType::bf16},
    {"phi-3-medium-128k", "Phi-3-medium-128k", "phi3", kGoldens, 5120, 17920, 40, 40, 10, 128, 32064, 131072, 4096, 131072, 1e4, 1, true, false, DType::bf16},
    {"phi-3-vision", "Phi-3-vision (text)", "phi3", kTowers, 3072, 8192, 32, 32, 32, 96, 32064, 131072, 4096, 131072, 1e4, 1, true, false, DType::bf16},
    {"phi-3.5-mini", "Phi-3.5-mini", "phi3", kGoldens, 3072, 8192, 32, 32, 32, 96, 32064, 131072, 4096, 262144, 1e4, 1, true, false, DType::bf16},
    {"phi-3.5-vision", "Phi-3.5-vision (text)", "phi3", kTowers, 3072, 8192, 32, 32, 32, 96, 32064, 131072, 4096, 262144, 1e4, 1, true, false, DType::bf16},
    {"phi-3.5-moe", "Phi-3.5-MoE", "phimoe", kGoldens, 4096, 6400, 32, 32, 8, 128, 32064, 131072, 4096, 131072, 1e4, 1, true, false, DType::bf16},
    {"phi-mini-moe", "Phi-mini-MoE", "phimoe", kGoldens, 4096, 960, 32, 32, 8, 128, 32064, 4096, 4096, 2047, 1e4, 1, false, false, DType::bf16},
    {"phi-tiny-moe", "Phi-tiny-MoE", "phimoe", kGoldens, 4096, 448, 32, 16, 4, 128, 32064, 4096, 4096, 2047, 1e4, 1, false, false, DType::bf16},
    {"phi-4", "Phi-4", "phi3", kGoldens, 5120, 17920, 40, 40, 10, 128, 100352, 16384, 16384, 0, 2.5e5, 1, false, false, DType::bf16},
    {"phi-4-reasoning", "Phi-4-reasoning", "phi3", kGoldens, 5120, 17920, 40, 40, 10, 128, 100352, 32768, 32768, 0, 5e5, 1, false, false, DType::bf16},
    {"phi-4-reasoning-plus", "Phi-4-reasoning-plus", "phi3", kGoldens, 5120, 17920, 40, 40, 10, 128, 100352, 32768, 32768, 0, 5e5, 1, false, false, DType::bf16},
    {"phi-4-reasoning-vision", "Phi-4-reasoning-vision (text)", "phi3", kTowers, 5120, 17920, 40, 40, 10, 128, 100352, 32768, 32768, 0, 5e5, 1, false, false, DType::bf16},
    {"phi-4-mini", "Phi-4-mini-instruct", "phi3", kGoldens, 3072, 8192, 32, 24, 8, 128, 200064, 131072, 4096, 262144, 1e4, 0.75, true, true, DType::bf16},
    {"phi-4-mini-reasoning", "Phi-4-mini-reasoning", "phi3", kGoldens, 3072, 8192, 32, 24, 8, 128, 200064, 131072, 4096, 262144, 1e4, 0.75, true, true, DType::bf16},
    {"phi-4-multimodal", "Phi-4-multimodal (text)", "phi3", kTowers, 3072, 8192, 32, 24, 8, 128, 200064, 131072, 4096, 262144, 1e4, 0.75, true, true, DType::bf16},
};
constexpr int64_t kExperts = 16;  // of every published phimoe

// Stand-ins that grow evenly to max / original: the published lists change no speed and no size.
void add_longrope_lists(const Shape& shape, ModelConfig& config) {
  const auto entries = static_cast<int64_t>(static_cast<double>(shape.head_dim) * shape.partial_rotary) / 2;
  const double growth = static_cast<double>(shape.context) / static_cast<double>(shape.original);
  for (int64_t i = 0; i < entries; ++i) {
    config.short_factor.push_back(1);
    config.long_factor.push_back(static_cast<float>(std::pow(growth, static_cast<double>(i) / static_cast<double>(entries))));
  }
}

ModelConfig config_of(const Shape& shape) {
  ModelConfig config;
  config.architecture = shape.model_type;
  config.name = shape.name;
  config.hidden_size = shape.hidden;
  config.intermediate_size = shape.ffn;
  config.layers = shape.layers;
  config.heads = shape.heads;
  config.kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  config.vocab_size = shape.vocab;
  config.max_positions = shape.context;
  config.original_max_positions = shape.original;
  config.sliding_window = shape.window;
  config.rope_theta = shape.theta;
  config.partial_rotary = shape.partial_rotary;
  config.longrope = shape.longrope;
  config.tied_embeddings = shape.tied;
  config.attention_bias = shape.model_type != "phi3";
  config.head_bias = config.attention_bias && shape.model_type != "phi3small";
  if (shape.model_type == "phimoe") {
    config.experts = kExperts;
    config.experts_per_token = 2;
    config.router_jitter = 0.01;
  }
  // The published values are the defaults of the keys, so an empty config has them.
  if (shape.model_type == "phi3small") (void)parse_phi3_small(Json::object(), shape.name, config);
  config.dtype = shape.dtype;
  if (shape.longrope) add_longrope_lists(shape, config);
  return config;
}

}  // namespace

const std::vector<SyntheticModel>& synthetic_models() {
  static const std::vector<SyntheticModel> models = [] {
    std::vector<SyntheticModel> list;
    for (const Shape& shape : kShapes)
      list.push_back({std::string(shape.name), std::string(shape.title), std::string(shape.checked), config_of(shape)});
    return list;
  }();
  return models;
}

}  // namespace phiscope
