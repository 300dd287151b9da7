#pragma once
// Added tokens as JSON spells them: added_tokens of tokenizer.json, added_tokens_decoder of tokenizer_config.json.

#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.h"
#include "core/base/result.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

/// Content and flags of one entry, whose id the caller knows. Errors name `place`.
Result<AddedToken> read_added_token(const Json& entry, int32_t id, const std::string& place);

/// added_tokens_decoder of a tokenizer_config.json ({"id": {...}}); empty when it is not there.
Result<std::vector<AddedToken>> read_added_tokens_decoder(const Json& config, const std::string& where);

/// A table of `entries` may leave out kMaxIdGap ids and no more. `what` names file and entry.
Status check_id(int64_t id, size_t entries, std::string_view what);

/// Puts tokens into a definition that has its vocabulary: a row of the same text gets the token's flags, a new id a new row. Errors: invalid_file
/// naming the token when its id has another text or its text another id.
Status add_tokens(std::vector<AddedToken> tokens, std::string_view where, TokenizerDefinition& definition);

}  // namespace phiscope
