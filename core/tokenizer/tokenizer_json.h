#pragma once
// Loader of tokenizer.json (the format of the Hugging Face tokenizers library, version 1.0).

#include <string_view>

#include "core/base/result.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

/// Errors: invalid_file naming `where` and the key; unsupported naming the component that is not known.
Result<TokenizerDefinition> read_tokenizer_json(std::string_view text, std::string_view where);

}  // namespace phiscope
