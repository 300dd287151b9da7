#include "core/tokenizer/tokenizer_document.h"

#include <optional>

#include "core/tokenizer/definition.h"

namespace phiscope {
namespace {

constexpr size_t kMaxDepth = 64;  // published files have 6
// A value takes up to 100 bytes however short it is in the file; published files have up to 50,000 outside the two tables.
constexpr size_t kMaxValues = 1 << 19;

// Builds a Json without looking up keys (a repeated key stays, the first one is found), and turns the two tables of `model` aside.
class DocumentReader : public nlohmann::json_sax<Json> {
 public:
  DocumentReader(TokenizerDocument& document, std::string_view where, bool has_tables)
      : document_(document), where_(where), has_tables_(has_tables) {}

  std::optional<Error> error;

  bool null() override { return value(nullptr); }
  bool boolean(bool flag) override { return value(flag); }
  bool number_integer(number_integer_t number) override { return table_ == Table::vocab ? vocab_id(number) : value(number); }
  bool number_unsigned(number_unsigned_t number) override {
    constexpr auto kLargest = static_cast<number_unsigned_t>(INT64_MAX);
    return table_ == Table::vocab ? vocab_id(static_cast<int64_t>(std::min(number, kLargest))) : value(number);
  }
  bool number_float(number_float_t number, const string_t&) override { return value(number); }
  bool string(string_t& text) override { return table_ == Table::merges ? merge_text(std::move(text)) : value(std::move(text)); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool key(string_t& name) override {
    key_ = std::move(name);
    return true;
  }

  bool start_object(std::size_t) override {
    if (table_ != Table::none) return wrong_type();
    if (starts_table("vocab")) {
      table_ = Table::vocab;
      return add(nullptr) != nullptr;
    }
    return open(Json::object());
  }
  bool end_object() override {
    if (table_ == Table::vocab) {
      table_ = Table::none;
      return true;
    }
    return close();
  }
  bool start_array(std::size_t) override {
    if (table_ == Table::merges && !in_merge_) {
      in_merge_ = true;
      merge_parts_.clear();
      return true;
    }
    if (table_ != Table::none) return wrong_type();
    if (starts_table("merges")) {
      table_ = Table::merges;
      return add(nullptr) != nullptr;
    }
    return open(Json::array());
  }
  bool end_array() override {
    if (in_merge_) return end_merge();
    if (table_ == Table::merges) {
      table_ = Table::none;
      return true;
    }
    return close();
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error = Error{ErrorCode::invalid_file, fmt::format("{}: not well-formed JSON at byte {}; fetch the file again", where_, position)};
    return false;
  }

 private:
  enum class Table : uint8_t { none, vocab, merges };
  struct Level {
    Json* value;
    bool is_model;
  };

  bool refuse(std::string_view what) {
    error = Error{ErrorCode::invalid_file, fmt::format("{}: {}", where_, what)};
    return false;
  }
  bool wrong_type() {
    if (table_ == Table::vocab) return refuse(fmt::format("model.vocab: the id of {} must be a whole number", shown(key_)));
    return refuse(fmt::format("model.merges[{}] must be \"left right\" or [\"left\", \"right\"]", document_.merges.size()));
  }
  // A second table of the same name would mix with the first.
  bool starts_table(std::string_view name) {
    if (!has_tables_ || levels_.size() != 2 || !levels_.back().is_model || key_ != name) return false;
    return name == "vocab" ? !std::exchange(seen_vocab_, true) : !std::exchange(seen_merges_, true);
  }

  bool vocab_id(int64_t id) {
    if (document_.vocab.size() > static_cast<size_t>(kMaxTokenId)) return refuse(fmt::format("model.vocab has more than {} entries", kMaxTokenId + 1));
    document_.vocab.emplace_back(std::move(key_), id);
    return true;
  }
  bool merge_text(std::string text) {
    if (document_.merges.size() == kMaxMerges) return refuse(fmt::format("model.merges has more than {} entries", kMaxMerges));
    if (in_merge_) {
      merge_parts_.push_back(std::move(text));
      return merge_parts_.size() <= 2 || wrong_type();
    }
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return wrong_type();
    document_.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    return true;
  }
  bool end_merge() {
    in_merge_ = false;
    if (merge_parts_.size() != 2) return wrong_type();
    document_.merges.emplace_back(std::move(merge_parts_[0]), std::move(merge_parts_[1]));
    return true;
  }

  template <class T>
  bool value(T&& content) {
    return table_ == Table::none ? add(std::forward<T>(content)) != nullptr : wrong_type();
  }
  // Null when there are too many.
  Json* add(Json content) {
    if (++values_ > kMaxValues) {
      refuse(fmt::format("more than {} values outside model.vocab and model.merges", kMaxValues));
      return nullptr;
    }
    if (levels_.empty()) {
      document_.root = std::move(content);
      return &document_.root;
    }
    Json& parent = *levels_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(content));
      return &parent.back();
    }
    // ordered_map is a vector of pairs; its own emplace() compares with every key before.
    using Pairs = Json::object_t::Container;
    return &static_cast<Pairs&>(parent.get_ref<Json::object_t&>()).emplace_back(key_, std::move(content)).second;
  }
  bool open(Json content) {
    if (levels_.size() == kMaxDepth) return refuse(fmt::format("nested deeper than {} levels", kMaxDepth));
    const bool is_model = levels_.size() == 1 && content.is_object() && levels_.back().value->is_object() && key_ == "model";
    Json* value = add(std::move(content));
    if (value == nullptr) return false;
    levels_.push_back({value, is_model});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  TokenizerDocument& document_;
  std::string_view where_;
  bool has_tables_;
  std::vector<Level> levels_;
  std::string key_;
  Table table_ = Table::none;
  bool in_merge_ = false, seen_vocab_ = false, seen_merges_ = false;
  std::vector<std::string> merge_parts_;
  size_t values_ = 0;
};

Status parse(std::string_view text, std::string_view where, bool has_tables, TokenizerDocument& document) {
  DocumentReader reader(document, where, has_tables);
  if (!Json::sax_parse(text, &reader)) {
    return fail(reader.error.value_or(Error{ErrorCode::invalid_file, fmt::format("{}: not well-formed JSON", where)}));
  }
  if (!document.root.is_object()) return fail(ErrorCode::invalid_file, "{}: must be a JSON object", where);
  return {};
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr size_t kShownBytes = 60;
  const std::string quoted = Json(text.substr(0, kShownBytes)).dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() > kShownBytes ? quoted + "..." : quoted;
}

Result<TokenizerDocument> parse_tokenizer_document(std::string_view text, std::string_view where) {
  TokenizerDocument document;
  PHISCOPE_TRY(parse(text, where, true, document));
  return document;
}

Result<Json> parse_config(std::string_view text, std::string_view where) {
  TokenizerDocument document;
  PHISCOPE_TRY(parse(text, where, false, document));
  return std::move(document.root);
}

}  // namespace phiscope
