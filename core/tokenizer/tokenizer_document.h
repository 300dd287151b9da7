#pragma once
// tokenizer.json as data. The two big tables are read straight into vectors: as JSON values 200,000 pieces and merges would take most of the
// load time, and a look-up per key would make a hostile file quadratic.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json.h"
#include "core/base/result.h"

namespace phiscope {

struct TokenizerDocument {
  Json root;  // everything else; model.vocab and model.merges are null here
  std::vector<std::pair<std::string, int64_t>> vocab;
  std::vector<std::pair<std::string, std::string>> merges;
};

/// Errors: invalid_file naming `where` and the byte or the key.
Result<TokenizerDocument> parse_tokenizer_document(std::string_view text, std::string_view where);
/// The same for companions without tables, whatever their number of keys.
Result<Json> parse_config(std::string_view text, std::string_view where);

/// A piece of text from a file for an error sentence: in quotes, ASCII, shortened.
std::string shown(std::string_view text);

}  // namespace phiscope
