#include "core/tokenizer/piece_map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>

namespace phiscope {

uint64_t piece_hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

PieceMap::PieceMap(const std::vector<std::string>& pieces, size_t count)
    : pieces_(&pieces), slots_(std::bit_ceil(std::max<size_t>(16, 2 * count + 2)), -1) {}

size_t PieceMap::slot_of(std::string_view text) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = piece_hash(text) & mask;
  while (slots_[slot] >= 0 && (*pieces_)[static_cast<size_t>(slots_[slot])] != text) slot = (slot + 1) & mask;
  return slot;
}

int32_t PieceMap::insert(int32_t id) {
  int32_t& slot = slots_[slot_of((*pieces_)[static_cast<size_t>(id)])];
  if (slot >= 0) return slot;
  slot = id;
  return -1;
}

int32_t PieceMap::find(std::string_view text) const { return slots_.empty() ? -1 : slots_[slot_of(text)]; }

}  // namespace phiscope
