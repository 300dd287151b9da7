#pragma once
// The types of GGUF files: which mixtures are written, and what each makes of a tensor. Internal to core/convert.

#include <cstdint>
#include <span>
#include <string_view>

#include "core/quant/weight.h"

namespace phiscope {

/// A type of llama-quantize: what "gguf:NAME" means.
struct GgufMixture {
  std::string_view name;          // "Q4_K_M"
  uint32_t file_type = 0;         // general.file_type
  WeightEncoding matrices;        // most of them
  BlockType head = BlockType::none;       // output, or the embedding of a tied model; none = as the others
  BlockType more_bits = BlockType::none;  // attn_qkv or attn_v and ffn_down of half of the layers; none = as the others
  std::string_view description;
};
std::span<const GgufMixture> gguf_mixtures();

/// Where a matrix stands, in GGUF's words.
struct GgufPlace {
  std::string_view name;     // "blk.3.attn_qkv.weight"
  int64_t layer = -1, layers = 0;
  int64_t columns = 0;
  bool is_head = false;      // output, or the embedding of a tied model
};
/// As llama-quantize chooses (src/llama-quant.cpp, without importance matrix); rows that are no whole number of blocks get its fallback: Q4_K ->
/// Q5_0, Q5_K -> Q5_1, Q6_K -> Q8_0, else F16. Routers stay f32.
WeightEncoding gguf_encoding(const GgufMixture& mixture, const GgufPlace& place);

/// general.file_type of a file whose matrices are mostly `encoding`; 0 (F32) for types without a number of their own.
uint32_t gguf_file_type(const WeightEncoding& encoding);

}  // namespace phiscope
