#pragma once
// What a tokenizer file says, in the words of no file format: every loader fills a TokenizerDefinition, BpeTokenizer runs it.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/tokenizer/tokenizer.h"

namespace phiscope {

/// Ids above this are refused: about 130 bytes are kept for every id, and the largest published vocabulary has 262,144.
constexpr int32_t kMaxTokenId = (1 << 19) - 1;
/// Ids without a token; more of them make large tables from a small file. Published files have a few hundred.
constexpr size_t kMaxIdGap = 1 << 16;
/// Published files have up to 281,000.
constexpr size_t kMaxMerges = 3 << 17;
/// Published added tokens have up to 31 bytes; the bound keeps the search at one position short.
constexpr size_t kMaxAddedTokenBytes = 1024;
/// Of a piece that no merge makes.
constexpr uint32_t kNoRank = ~uint32_t{0};

struct BpeMerge {
  int32_t left = 0, right = 0, result = 0;  // ids; the rank is the position in the list
};

/// One step of the normalizer. Prepend: `content` before every non-empty segment. Replace: every `pattern` becomes `content`.
struct NormalizerStep {
  enum class Kind : uint8_t { prepend, replace };
  Kind kind = Kind::replace;
  std::string pattern;
  std::string content;
};

/// What becomes of the text that a split's pattern matches (names of tokenizer.json).
enum class SplitBehavior : uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct SplitStep {
  std::string regex;  // Oniguruma syntax, as in tokenizer.json
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;
};

struct DecoderRules {
  bool byte_level = false;                                     // pieces are spelled in the byte alphabet
  std::vector<std::pair<std::string, std::string>> replaces;  // in every piece
  bool byte_fallback = false;                                  // "<0x0A>" is a byte
  char strip = ' ';                                            // the first `strip_start` of these are taken off the text
  int strip_start = 0;
};

struct TokenizerDefinition {
  std::vector<std::string> pieces;  // by id, added tokens included; "" where the id has no token
  std::vector<BpeMerge> merges;     // every id is a row of `pieces`
  std::vector<uint32_t> piece_ranks;  // instead of merges, by id: two adjacent parts merge when their joined text is a piece, the lowest rank first;
                                      // a piece of kNoRank matches no text. For rank files and SentencePiece scores.
  std::vector<AddedToken> added;    // unique ids and contents
  std::vector<NormalizerStep> normalizer;
  std::vector<SplitStep> splits;
  bool byte_level = false;        // text is cut into bytes, else into characters
  bool add_prefix_space = false;  // byte-level only
  bool byte_fallback = false, fuse_unk = false, ignore_merges = false;
  int32_t unk = -1;
  DecoderRules decoder;
  std::string prefix_special;  // the special token that the file's own template puts before every text; usually empty
};

}  // namespace phiscope
