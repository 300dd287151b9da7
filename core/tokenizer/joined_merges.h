#pragma once
// BPE by joined text, the rule of rank files and of SentencePiece: of all adjacent parts whose joined text is a piece, the two that make the
// piece of lowest rank become one part, leftmost on ties. No table of pairs is needed.

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/tokenizer/piece_map.h"

namespace phiscope {

/// Refers to map and ranks, which must outlive it. Immutable; thread-safe.
class JoinedMerges {
 public:
  struct Scratch {
    std::vector<uint32_t> begins;  // where the parts of the word begin, ascending from 0; in: the first parts, out: the merged ones
    std::vector<uint32_t> ranks;
    std::vector<int32_t> next, previous;
    std::vector<uint64_t> heap;
  };

  /// `ranks` by id, kNoRank for what no join makes; `pieces` holds the others.
  JoinedMerges(const PieceMap& pieces, const std::vector<uint32_t>& ranks, size_t longest_piece_bytes)
      : pieces_(&pieces), ranks_(&ranks), longest_(longest_piece_bytes) {}

  void merge(std::string_view word, Scratch& scratch) const;

 private:
  uint32_t rank_of(std::string_view joined) const;
  void merge_short(std::string_view word, Scratch& scratch) const;
  void merge_long(std::string_view word, Scratch& scratch) const;

  const PieceMap* pieces_;
  const std::vector<uint32_t>* ranks_;
  size_t longest_;
};

}  // namespace phiscope
