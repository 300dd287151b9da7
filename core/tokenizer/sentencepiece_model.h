#pragma once
// tokenizer.model: SentencePiece's ModelProto, read by its wire format as far as BPE needs it.

#include <string_view>

#include "core/base/result.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

/// `bytes` of the file `where`. Errors: invalid_file naming field and offset; unsupported naming the model type (Unigram, word, char) or the
/// normalization that is not BPE's of Llama.
Result<TokenizerDefinition> read_sentencepiece_model(std::string_view bytes, std::string_view where);

}  // namespace phiscope
