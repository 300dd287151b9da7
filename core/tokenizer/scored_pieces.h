#pragma once
// A SentencePiece BPE vocabulary (pieces with scores) as a definition; `tokenizer.model` and the metadata of a GGUF both hold one.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

/// Numbers as in tokenizer.model and in tokenizer.ggml.token_type.
enum class PieceType : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct ScoredPiece {
  std::string text;  // "▁Hello", "<0x0A>"
  float score = 0;   // the higher, the earlier it is merged
  PieceType type = PieceType::normal;
};

struct ScoredVocabulary {
  std::vector<ScoredPiece> pieces;   // by id
  bool add_space_prefix = true;      // a space before every non-empty segment, taken off again when decoding
  bool escapes_spaces = true;        // a space is "▁" in pieces
};

/// Control and unknown pieces become special added tokens, user-defined ones added tokens; unused ones match nothing. Errors: invalid_file
/// naming `where` and the piece: one that is empty, repeated, not UTF-8, a byte piece of another spelling, some bytes only, a score that is NaN.
Result<TokenizerDefinition> define_scored(ScoredVocabulary vocabulary, std::string_view where);

}  // namespace phiscope
