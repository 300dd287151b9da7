#include "core/tokenizer/added_token_json.h"

#include <algorithm>
#include <charconv>

#include "core/tokenizer/piece_map.h"
#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {

Result<AddedToken> read_added_token(const Json& entry, int32_t id, const std::string& place) {
  if (!entry.is_object()) return fail(ErrorCode::invalid_file, "{} must be an object", place);
  AddedToken token;
  token.id = id;
  PHISCOPE_ASSIGN(token.content, json_string(entry, "content", place));
  PHISCOPE_ASSIGN(token.special, json_bool_or(entry, "special", false, place));
  PHISCOPE_ASSIGN(token.lstrip, json_bool_or(entry, "lstrip", false, place));
  PHISCOPE_ASSIGN(token.rstrip, json_bool_or(entry, "rstrip", false, place));
  // The library's default: only ordinary words are normalized.
  PHISCOPE_ASSIGN(token.normalized, json_bool_or(entry, "normalized", !token.special, place));
  PHISCOPE_ASSIGN(token.single_word, json_bool_or(entry, "single_word", false, place));
  if (token.content.size() > kMaxAddedTokenBytes) {
    return fail(ErrorCode::unsupported, "{}: content has {} bytes; {} are supported", place, token.content.size(), kMaxAddedTokenBytes);
  }
  return token;
}

Result<std::vector<AddedToken>> read_added_tokens_decoder(const Json& config, const std::string& where) {
  std::vector<AddedToken> tokens;
  const auto list = config.find("added_tokens_decoder");
  if (list == config.end() || list->is_null()) return tokens;
  if (!list->is_object()) return fail(ErrorCode::invalid_file, "{}: key 'added_tokens_decoder' must be an object", where);
  for (const auto& [key, entry] : list->items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0 || id > kMaxTokenId) {
      return fail(ErrorCode::invalid_file, "{}: added_tokens_decoder: {} is no id between 0 and {}", where, shown(key), kMaxTokenId);
    }
    PHISCOPE_ASSIGN(AddedToken token, read_added_token(entry, id, fmt::format("{}: added_tokens_decoder[{}]", where, id)));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Status check_id(int64_t id, size_t entries, std::string_view what) {
  if (id < 0 || id > kMaxTokenId) return fail(ErrorCode::invalid_file, "{} is {}; it must be between 0 and {}", what, id, kMaxTokenId);
  if (static_cast<size_t>(id) < entries + kMaxIdGap) return {};
  return fail(ErrorCode::invalid_file, "{} is {}, far beyond the {} entries of the file", what, id, entries);
}

Status add_tokens(std::vector<AddedToken> tokens, std::string_view where, TokenizerDefinition& definition) {
  const size_t entries = definition.pieces.size() + tokens.size();
  for (const AddedToken& token : tokens) {
    const auto row = static_cast<size_t>(token.id);
    PHISCOPE_TRY(check_id(token.id, entries, fmt::format("{}: the id of {}", where, shown(token.content))));
    if (row >= definition.pieces.size()) definition.pieces.resize(row + 1);
    std::string& piece = definition.pieces[row];
    if (!piece.empty() && piece != token.content) {
      return fail(ErrorCode::invalid_file, "{}: id {} is {} here and {} in the vocabulary", where, token.id, shown(token.content), shown(piece));
    }
    piece = token.content;
  }
  if (!definition.piece_ranks.empty()) definition.piece_ranks.resize(definition.pieces.size(), kNoRank);
  PieceMap map(definition.pieces, definition.pieces.size());
  for (size_t id = 0; id < definition.pieces.size(); ++id) {
    const int32_t first = definition.pieces[id].empty() ? -1 : map.insert(static_cast<int32_t>(id));
    if (first >= 0) return fail(ErrorCode::invalid_file, "{}: {} has the ids {} and {}", where, shown(definition.pieces[id]), first, id);
  }
  // The later of two tokens of one id stays.
  std::vector<AddedToken>& added = definition.added;
  added.insert(added.end(), std::move_iterator(tokens.begin()), std::move_iterator(tokens.end()));
  std::reverse(added.begin(), added.end());
  std::stable_sort(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  added.erase(std::unique(added.begin(), added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id == b.id; }), added.end());
  return {};
}

}  // namespace phiscope
