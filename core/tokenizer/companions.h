#pragma once
// The files beside tokenizer.json: tokenizer_config.json, chat_template.jinja, config.json, generation_config.json.

#include <filesystem>

#include "core/base/result.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/definition.h"

namespace phiscope {

/// Settings of the folder for a tokenizer that is `definition`; absent files say nothing. `hash` is left empty.
/// Errors: invalid_file naming file and key.
Result<TokenizerSettings> read_companions(const std::filesystem::path& folder, const TokenizerDefinition& definition);

/// For vocabularies that do not hold their added tokens (tokenizer.model, .tiktoken): those of tokenizer_config.json. Errors: unsupported when only
/// added_tokens.json has them, without flags.
Status add_configured_tokens(const std::filesystem::path& folder, TokenizerDefinition& definition);

/// "phi3small"; empty when config.json does not say.
Result<std::string> read_model_type(const std::filesystem::path& folder);

}  // namespace phiscope
