#pragma once
// Piece to id by open addressing: a third of the memory and of the load time of std::unordered_map for 200,000 pieces.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace phiscope {

/// Fast 64-bit hash of a short text (XXH3).
uint64_t piece_hash(std::string_view text);

/// Refers to `pieces`, which must outlive the map and stay where it is. Thread-safe to read.
class PieceMap {
 public:
  PieceMap() = default;
  /// Room for `count` insertions.
  PieceMap(const std::vector<std::string>& pieces, size_t count);
  /// Adds pieces[id]; returns the id that already has the same text, or -1 when it is new.
  int32_t insert(int32_t id);
  /// -1 when absent.
  int32_t find(std::string_view text) const;

 private:
  size_t slot_of(std::string_view text) const;

  const std::vector<std::string>* pieces_ = nullptr;
  std::vector<int32_t> slots_;  // id or -1; a power of two, at most half full
};

}  // namespace phiscope
