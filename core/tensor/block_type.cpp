#include "core/tensor/block_type.h"

#include <array>

namespace phiscope {
namespace {

// Sizes as ggml's block structures have them.
constexpr std::array kLayouts{
    BlockLayout{BlockType::q4_0, "Q4_0", 32, 18},   BlockLayout{BlockType::q4_1, "Q4_1", 32, 20},
    BlockLayout{BlockType::q5_0, "Q5_0", 32, 22},   BlockLayout{BlockType::q5_1, "Q5_1", 32, 24},
    BlockLayout{BlockType::q8_0, "Q8_0", 32, 34},   BlockLayout{BlockType::q2_k, "Q2_K", 256, 84},
    BlockLayout{BlockType::q3_k, "Q3_K", 256, 110}, BlockLayout{BlockType::q4_k, "Q4_K", 256, 144},
    BlockLayout{BlockType::q5_k, "Q5_K", 256, 176}, BlockLayout{BlockType::q6_k, "Q6_K", 256, 210},
    BlockLayout{BlockType::iq4_nl, "IQ4_NL", 32, 18}, BlockLayout{BlockType::iq4_xs, "IQ4_XS", 256, 136},
};

constexpr bool rows_match_enumerators() {
  for (size_t i = 0; i < kLayouts.size(); ++i)
    if (static_cast<size_t>(kLayouts[i].type) != i + 1) return false;
  return true;
}
static_assert(rows_match_enumerators());

}  // namespace

std::span<const BlockLayout> block_layouts() { return kLayouts; }

const BlockLayout& block_layout(BlockType type) { return kLayouts[static_cast<size_t>(type) - 1]; }

BlockType block_type_from_name(std::string_view name) {
  for (const BlockLayout& layout : kLayouts)
    if (layout.name == name) return layout.type;
  return BlockType::none;
}

}  // namespace phiscope
