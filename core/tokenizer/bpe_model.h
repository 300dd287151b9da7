#pragma once
// The BPE core: a word (one piece of the pre-tokenizer) to ids by merging the adjacent pair of lowest rank, leftmost on ties. The rank is that
// of the pair of ids (a list of merges) or of the joined text (rank files, SentencePiece scores).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer/definition.h"
#include "core/tokenizer/joined_merges.h"
#include "core/tokenizer/piece_map.h"

namespace phiscope {

/// Immutable; thread-safe.
class BpeModel {
 public:
  explicit BpeModel(const TokenizerDefinition& definition);
  BpeModel(const BpeModel&) = delete;
  BpeModel& operator=(const BpeModel&) = delete;

  /// Buffers and remembered words of one encode call.
  class Scratch {
   public:
    explicit Scratch(size_t text_bytes);

   private:
    friend class BpeModel;
    struct Entry {
      uint32_t hash = 0;
      uint32_t text = 0, text_size = 0;  // in texts; text_size 0 = free
      uint32_t ids = 0, ids_size = 0;    // in ids
    };
    std::vector<Entry> entries;  // open addressing, at most half full
    size_t used = 0;
    std::string texts;
    std::vector<int32_t> ids;
    std::vector<int32_t> symbols, next, previous;
    std::vector<uint32_t> ranks;
    std::vector<uint64_t> heap;
    JoinedMerges::Scratch joined;
  };

  /// Appends the ids of one word.
  void encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const;
  /// Appends the ids of a long text without pre-tokenizer. Where no merge can join a character to a following "▁" the text is cut there,
  /// which gives the same ids and lets repeated words be remembered.
  void encode_unsplit(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const;

 private:
  struct Pair {
    uint64_t key = kFree;
    uint32_t rank = 0;
    int32_t result = 0;
  };
  static constexpr uint64_t kFree = ~uint64_t{0};

  const Pair* find_pair(int32_t left, int32_t right) const;
  uint32_t rank_of(int32_t left, int32_t right) const;
  void add_pieces();
  void add_merges(const TokenizerDefinition& definition);
  bool cuts_joins_at_space_mark() const;
  void compute(std::string_view word, Scratch& scratch) const;
  void compute_joined(std::string_view word, Scratch& scratch) const;
  void start_bytes(std::string_view word, Scratch& scratch) const;
  void start_characters(std::string_view word, Scratch& scratch) const;
  bool add_fallback_bytes(std::string_view character, std::vector<int32_t>& symbols) const;
  void merge_short(Scratch& scratch) const;
  void merge_long(Scratch& scratch) const;

  bool byte_level_, fuse_unk_, ignore_merges_, by_joined_text_;
  bool cuts_at_space_mark_ = false;
  int32_t unk_;
  std::array<int32_t, 256> byte_ids_{};      // byte-level: the first symbols; else ASCII characters
  std::array<int32_t, 256> fallback_ids_{};  // "<0x0A>"; -1 where there is none
  std::vector<std::string> surfaces_;        // what a token matches in the text; "" where it matches nothing
  PieceMap by_surface_;
  std::vector<Pair> pairs_;  // open addressing, a power of two, at most half full
  std::vector<uint32_t> piece_ranks_;
  std::optional<JoinedMerges> joined_;
};

}  // namespace phiscope
