#include "core/convert/gguf_types.h"

#include <algorithm>
#include <array>

namespace phiscope {
namespace {

constexpr WeightEncoding floating(DType type) { return {.float_type = type}; }
constexpr WeightEncoding blocks(BlockType type) { return {.block = type}; }

// In the order shown to users. To add one: a row, its encoder in core/quant, a row in the interop test.
constexpr std::array kMixtures{
    GgufMixture{"F32", 0, floating(DType::f32), {}, {}, "32-bit floats"},
    GgufMixture{"F16", 1, floating(DType::f16), {}, {}, "16-bit floats"},
    GgufMixture{"BF16", 32, floating(DType::bf16), {}, {}, "bfloat16"},
    GgufMixture{"Q8_0", 7, blocks(BlockType::q8_0), {}, {}, "8.5 bits per weight"},
    GgufMixture{"Q4_0", 2, blocks(BlockType::q4_0), BlockType::q6_k, {}, "4.5 bits, head Q6_K"},
    GgufMixture{"Q4_1", 3, blocks(BlockType::q4_1), BlockType::q6_k, {}, "5 bits with a minimum, head Q6_K"},
    GgufMixture{"Q4_K_M", 15, blocks(BlockType::q4_k), BlockType::q6_k, BlockType::q6_k, "Q4_K; head, half of attn_v and ffn_down Q6_K"},
    GgufMixture{"Q5_K_M", 17, blocks(BlockType::q5_k), BlockType::q6_k, BlockType::q6_k, "Q5_K; head, half of attn_v and ffn_down Q6_K"},
    GgufMixture{"Q6_K", 18, blocks(BlockType::q6_k), {}, {}, "6.56 bits per weight"},
};

struct Fallback {
  BlockType wanted, narrow;
};
constexpr Fallback kFallbacks[] = {{BlockType::q4_k, BlockType::q5_0}, {BlockType::q5_k, BlockType::q5_1}, {BlockType::q6_k, BlockType::q8_0}};

bool fits(BlockType type, int64_t columns) { return columns % block_layout(type).values == 0; }

WeightEncoding with_fallback(BlockType type, int64_t columns) {
  if (fits(type, columns)) return blocks(type);
  for (const Fallback& row : kFallbacks)
    if (row.wanted == type && fits(row.narrow, columns)) return blocks(row.narrow);
  return floating(DType::f16);
}

// use_more_bits() of llama-quant.cpp: the first and last eighth of the layers and every third between.
bool has_more_bits(int64_t layer, int64_t layers) { return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2; }

// "blk.3.attn_v.weight" is part "attn_v".
bool is_part(std::string_view name, std::string_view part) {
  const size_t at = name.find(part);
  return at != std::string_view::npos && at > 0 && name[at - 1] == '.' && name.substr(at + part.size(), 1) == ".";
}

bool is_sensitive(std::string_view name) {
  constexpr std::array<std::string_view, 4> kParts{"attn_qkv", "attn_v", "ffn_down", "ffn_down_exps"};
  return std::ranges::any_of(kParts, [&](std::string_view part) { return is_part(name, part); });
}

}  // namespace

std::span<const GgufMixture> gguf_mixtures() { return kMixtures; }

WeightEncoding gguf_encoding(const GgufMixture& mixture, const GgufPlace& place) {
  if (is_part(place.name, "ffn_gate_inp")) return floating(DType::f32);
  if (!mixture.matrices.is_blocks()) return mixture.matrices;
  BlockType type = mixture.matrices.block;
  if (place.is_head && mixture.head != BlockType::none) type = mixture.head;
  if (!place.is_head && mixture.more_bits != BlockType::none && is_sensitive(place.name) && has_more_bits(place.layer, place.layers)) type = mixture.more_bits;
  return with_fallback(type, place.columns);
}

uint32_t gguf_file_type(const WeightEncoding& encoding) {
  for (const GgufMixture& mixture : kMixtures)
    if (mixture.matrices == encoding) return mixture.file_type;
  return 0;
}

}  // namespace phiscope
