#pragma once
// How the tensors and sizes of a plan are called in GGUF files: one table for reading and for writing. Source: llama.cpp's gguf-py/constants.py,
// conversion of Phi models, and src/llama-model.cpp.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/format/gguf.h"
#include "core/model/model.h"

namespace phiscope {

/// An architecture of ModelConfig and general.architecture of its files ("phi" is "phi2" there); both directions. Empty when there is none.
std::string_view gguf_architecture(std::string_view architecture);
std::string_view architecture_of_gguf(std::string_view gguf_architecture);

/// A tensor of a file and, for stacks of experts [experts, out, in], which of its matrices.
struct GgufTensorName {
  std::string name;
  int64_t expert = -1;  // -1: the whole tensor
  bool operator==(const GgufTensorName&) const = default;
};

/// "model.layers.3.block_sparse_moe.experts.5.w1.weight" of phimoe -> {"blk.3.ffn_gate_exps.weight", 5}; weights and biases, norms too. nullopt for
/// names that GGUF does not have. Rows of fused matrices are in the plan's order (q, k, v; gate, up); nothing is permuted.
std::optional<GgufTensorName> gguf_name(std::string_view architecture, std::string_view plan_name);
/// The inverse; `expert` names one matrix of a stack.
std::optional<std::string> plan_name(std::string_view architecture, const GgufTensorName& name);

/// Beside the layers; f32 [rotary dimensions / 2]. Both or none.
inline constexpr std::string_view kGgufFactorsLong = "rope_factors_long.weight", kGgufFactorsShort = "rope_factors_short.weight";

enum class GgufNeed : uint8_t {
  required,  // llama.cpp refuses files without it
  written,   // converters write it; readers have a default
  absent,    // the architecture does not have it
};

/// One number of the config. The key is "<general.architecture>.<suffix>".
struct GgufKey {
  std::string_view suffix;
  GgufType type;                              // as converters write it: u32 or f32
  int64_t ModelConfig::*whole = nullptr;      // one of the two is set, or none: the row is computed (rotary dimensions, mscale)
  double ModelConfig::*number = nullptr;
  GgufNeed phi2 = GgufNeed::required, phi3 = GgufNeed::required, phimoe = GgufNeed::required;
  int64_t low = 1, high = 0;                  // of whole numbers

  GgufNeed need(std::string_view gguf_architecture) const;
};
/// In the order in which converters write them.
std::span<const GgufKey> gguf_keys();
/// The whole key of a row.
std::string gguf_key(std::string_view gguf_architecture, std::string_view suffix);

// Rows of gguf_keys() that are computed: rotary_dims(), and the factor of cos and sin with longrope.
inline constexpr std::string_view kGgufRotaryDims = "rope.dimension_count", kGgufAttentionFactor = "rope.scaling.attn_factor";

// Own keys, which other readers ignore: what config.json can say and the format cannot. f32.
inline constexpr std::string_view kGgufShortMscale = "phiscope.rope.short_mscale", kGgufLongMscale = "phiscope.rope.long_mscale";

}  // namespace phiscope
