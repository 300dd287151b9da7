#pragma once
// A tokenizer as the metadata of a GGUF file. Internal to core/convert.

#include <cstdint>
#include <string>
#include <vector>

#include "core/format/gguf_writer.h"
#include "core/tokenizer/tokenizer_files.h"

namespace phiscope {

/// Adds the tokenizer.* keys; `rows` is the model's vocabulary, whose rows beyond the tokenizer become "[PADn]". `pad_id` -1 = none.
/// Sentences about what llama.cpp will do differently go to `notices`. Errors: unsupported naming the part that GGUF cannot hold (a split
/// pattern without a name in llama.cpp, a byte-level vocabulary without merges).
Status add_tokenizer(const TokenizerParts& tokenizer, int64_t rows, int64_t pad_id, GgufMetadata& metadata, std::vector<std::string>& notices);

/// llama.cpp takes whitespace after special tokens away when the name holds "phi-3" or "phi3", and then needs the tokens of Phi-3-mini: gives
/// `name` that part, or takes it out.
std::string gguf_model_name(const std::string& name, const TokenizerDefinition& tokenizer);

}  // namespace phiscope
