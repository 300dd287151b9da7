#pragma once
// Element types whose values come in blocks along a row, scales and codes side by side: what GGUF files hold. The arithmetic is in
// core/quant/blocks.h.

#include <cstdint>
#include <span>
#include <string_view>

namespace phiscope {

enum class BlockType : uint8_t { none, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs };

struct BlockLayout {
  BlockType type;
  std::string_view name;  // as in files: "Q4_K"
  int values, bytes;      // of one block; values is a multiple of 32
};

/// All types but none, in the order of the enumerators.
std::span<const BlockLayout> block_layouts();
/// `none` is the caller's mistake.
const BlockLayout& block_layout(BlockType type);
/// none when no type has the name.
BlockType block_type_from_name(std::string_view name);

}  // namespace phiscope
