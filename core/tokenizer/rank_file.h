#pragma once
// .tiktoken: one line a piece, "<base64 of its bytes> <rank>". The file holds neither the split pattern nor special tokens: both are known for
// the two published files that Phi models use.

#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

/// Pieces of the file `where` by rank, spelled in the byte alphabet. Errors: invalid_file naming line and byte.
Result<std::vector<std::string>> read_ranks(std::string_view text, std::string_view where);

/// Byte-level BPE of these pieces; every byte must be one of them.
Result<TokenizerDefinition> define_ranked(std::vector<std::string> pieces, std::string_view pattern, std::string_view where);

/// Both, with the pattern of the published file that has this content. Errors: also unsupported for other content.
Result<TokenizerDefinition> read_rank_file(std::string_view text, std::string_view where);

/// What Phi-3-small adds to cl100k (its own code holds it, no file does).
std::vector<AddedToken> phi3_small_tokens();

}  // namespace phiscope
