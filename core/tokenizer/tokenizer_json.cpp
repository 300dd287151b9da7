#include "core/tokenizer/tokenizer_json.h"

#include <algorithm>

#include "core/tokenizer/added_token_json.h"
#include "core/tokenizer/component_json.h"
#include "core/tokenizer/piece_map.h"
#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {
namespace {

// Puts a piece in its row, growing the table; an id has one piece.
Status place(std::vector<std::string>& pieces, std::vector<bool>& taken, int32_t id, const std::string& piece, std::string_view where,
             std::string_view key) {
  const auto row = static_cast<size_t>(id);
  if (row >= pieces.size()) {
    pieces.resize(row + 1);
    taken.resize(row + 1);
  }
  if (taken[row] && pieces[row] != piece) {
    return fail(ErrorCode::invalid_file, "{}: {}: id {} is both {} and {}", where, key, id, shown(pieces[row]), shown(piece));
  }
  taken[row] = true;
  pieces[row] = piece;
  return {};
}

class Reader {
 public:
  Reader(TokenizerDocument document, std::string_view where) : document_(std::move(document)), where_(where) {}

  Result<TokenizerDefinition> run() {
    PHISCOPE_TRY(model());
    PHISCOPE_TRY(vocab());
    PHISCOPE_TRY(merges());
    PHISCOPE_TRY(added_tokens());
    PHISCOPE_TRY(read_components(document_.root, where_, out_));
    return std::move(out_);
  }

 private:
  Status model() {
    const auto model = document_.root.find("model");
    if (model == document_.root.end() || !model->is_object()) {
      return fail(ErrorCode::invalid_file, "{}: key 'model' must be an object", where_);
    }
    const std::string place_name = fmt::format("{}: model", where_);
    const std::string type = json_string_or(*model, "type", "BPE");
    if (type != "BPE") return fail(ErrorCode::unsupported, "{}: model {} is not supported; BPE is", where_, shown(type));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix", "dropout"}) {
      const auto value = model->find(key);
      if (value == model->end() || value->is_null() || *value == "" || (value->is_number() && *value == 0)) continue;
      return fail(ErrorCode::unsupported, "{}: {} is not supported; it must be null", place_name, key);
    }
    PHISCOPE_ASSIGN(out_.byte_fallback, json_bool_or(*model, "byte_fallback", false, place_name));
    PHISCOPE_ASSIGN(out_.fuse_unk, json_bool_or(*model, "fuse_unk", false, place_name));
    PHISCOPE_ASSIGN(out_.ignore_merges, json_bool_or(*model, "ignore_merges", false, place_name));
    for (const char* key : {"vocab", "merges"}) {
      const auto value = model->find(key);
      if (value == model->end()) return fail(ErrorCode::invalid_file, "{}: key '{}' is missing", place_name, key);
      if (!value->is_null()) return fail(ErrorCode::invalid_file, "{}: key '{}' has the wrong type or is there twice", place_name, key);
    }
    const auto unk = model->find("unk_token");
    if (unk == model->end() || unk->is_null()) return {};
    PHISCOPE_ASSIGN(unk_, json_string(*model, "unk_token", place_name));
    has_unk_ = true;
    return {};
  }

  Status vocab() {
    if (document_.vocab.empty()) return fail(ErrorCode::invalid_file, "{}: model.vocab has no entries", where_);
    const size_t entries = document_.vocab.size();
    const int64_t highest = std::min<int64_t>(kMaxTokenId, static_cast<int64_t>(entries));
    for (const auto& [piece, id] : document_.vocab) {
      if (id < 0 || id > highest) PHISCOPE_TRY(check_id(id, entries, fmt::format("{}: model.vocab: the id of {}", where_, shown(piece))));
      if (static_cast<size_t>(id) < taken_.size() && taken_[static_cast<size_t>(id)] && out_.pieces[static_cast<size_t>(id)] == piece) {
        return fail(ErrorCode::invalid_file, "{}: model.vocab has {} twice", where_, shown(piece));
      }
      PHISCOPE_TRY(place(out_.pieces, taken_, static_cast<int32_t>(id), piece, where_, "model.vocab"));
    }
    map_ = PieceMap(out_.pieces, out_.pieces.size());
    for (size_t id = 0; id < out_.pieces.size(); ++id) {
      if (taken_[id] && map_.insert(static_cast<int32_t>(id)) >= 0) {
        return fail(ErrorCode::invalid_file, "{}: model.vocab has {} twice", where_, shown(out_.pieces[id]));
      }
    }
    if (has_unk_ && (out_.unk = map_.find(unk_)) < 0) {
      return fail(ErrorCode::invalid_file, "{}: model.unk_token {} is not in model.vocab", where_, shown(unk_));
    }
    return {};
  }

  Status merges() {
    out_.merges.reserve(document_.merges.size());
    std::string joined;
    for (size_t rank = 0; rank < document_.merges.size(); ++rank) {
      const auto& [left, right] = document_.merges[rank];
      joined.assign(left).append(right);
      const BpeMerge merge{map_.find(left), map_.find(right), map_.find(joined)};
      if (merge.left < 0 || merge.right < 0 || merge.result < 0) {
        const std::string_view missing = merge.left < 0 ? left : merge.right < 0 ? right : joined;
        return fail(ErrorCode::invalid_file, "{}: model.merges[{}]: {} is not in model.vocab", where_, rank, shown(missing));
      }
      out_.merges.push_back(merge);
    }
    return {};
  }

  Status added_tokens() {
    const auto list = document_.root.find("added_tokens");
    if (list == document_.root.end() || list->is_null()) return {};
    if (!list->is_array()) return fail(ErrorCode::invalid_file, "{}: key 'added_tokens' must be a list", where_);
    const size_t entries = out_.pieces.size() + list->size();
    std::vector<bool> added_ids;
    for (size_t i = 0; i < list->size(); ++i) {
      const std::string key = fmt::format("added_tokens[{}]", i);
      PHISCOPE_ASSIGN(AddedToken token, added_token((*list)[i], fmt::format("{}: {}", where_, key)));
      PHISCOPE_TRY(check_id(token.id, entries, fmt::format("{}: {}: the id", where_, key)));
      if (const int32_t id = map_.find(token.content); id >= 0 && id != token.id) {
        return fail(ErrorCode::invalid_file, "{}: {}: {} has id {} here and {} in model.vocab", where_, key, shown(token.content), token.id, id);
      }
      if (static_cast<size_t>(token.id) >= added_ids.size()) added_ids.resize(static_cast<size_t>(token.id) + 1);
      if (added_ids[static_cast<size_t>(token.id)]) {
        return fail(ErrorCode::invalid_file, "{}: {}: id {} is there twice", where_, key, token.id);
      }
      added_ids[static_cast<size_t>(token.id)] = true;
      PHISCOPE_TRY(place(out_.pieces, taken_, token.id, token.content, where_, key));
      out_.added.push_back(std::move(token));
    }
    return unique_contents();
  }

  static Result<AddedToken> added_token(const Json& entry, const std::string& place_name) {
    if (!entry.is_object()) return fail(ErrorCode::invalid_file, "{} must be an object", place_name);
    PHISCOPE_ASSIGN(const int64_t id, json_int(entry, "id", place_name, 0, kMaxTokenId));
    return read_added_token(entry, static_cast<int32_t>(id), place_name);
  }

  Status unique_contents() const {
    std::vector<std::pair<std::string_view, int32_t>> contents;
    for (const AddedToken& token : out_.added) contents.emplace_back(token.content, token.id);
    std::sort(contents.begin(), contents.end());
    for (size_t i = 1; i < contents.size(); ++i) {
      if (contents[i].first != contents[i - 1].first) continue;
      return fail(ErrorCode::invalid_file, "{}: added_tokens: {} has the ids {} and {}", where_, shown(contents[i].first),
                  contents[i - 1].second, contents[i].second);
    }
    return {};
  }

  TokenizerDocument document_;
  std::string_view where_;
  TokenizerDefinition out_;
  std::vector<bool> taken_;
  PieceMap map_;  // of model.vocab
  std::string unk_;
  bool has_unk_ = false;
};

}  // namespace

Result<TokenizerDefinition> read_tokenizer_json(std::string_view text, std::string_view where) {
  PHISCOPE_ASSIGN(TokenizerDocument document, parse_tokenizer_document(text, where));
  return Reader(std::move(document), where).run();
}

}  // namespace phiscope
