#pragma once
// A tokenizer from the metadata of a GGUF file: SentencePiece pieces with scores ("llama"), or byte-level BPE with merges ("gpt2"). Flags that
// the format cannot say (what a special token strips) come from a table of the published Phi families.

#include <memory>

#include "core/format/gguf.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

struct GgufTokenizer {
  TokenizerDefinition definition;
  TokenizerSettings settings;
};

/// A vocabulary-only file will do. Errors: not_found when the file has no tokenizer; invalid_file naming file, key and offset or piece;
/// unsupported naming a model or a pre-tokenizer that is not known.
Result<GgufTokenizer> read_gguf_tokenizer(const GgufFile& file);

/// The file's metadata without its tensors, itself a GGUF file: what an artifact keeps as its tokenizer.
std::string gguf_vocabulary(const GgufFile& file);
/// Its name in a folder.
inline constexpr std::string_view kGgufVocabularyName = "tokenizer.gguf";

}  // namespace phiscope
