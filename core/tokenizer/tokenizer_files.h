#pragma once
// A folder's or a GGUF file's tokenizer as data: what Tokenizer::load runs, and what exporters write into other formats.

#include <filesystem>
#include <string>

#include "core/base/result.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

struct TokenizerParts {
  TokenizerDefinition definition;
  TokenizerSettings settings;
  std::string where;  // the file, for messages
};

/// The same files and errors as Tokenizer::load.
Result<TokenizerParts> read_tokenizer_files(const std::filesystem::path& path);

}  // namespace phiscope
