#include "core/tokenizer/companions.h"

#include <algorithm>
#include <set>

#include "core/base/files.h"
#include "core/tokenizer/added_token_json.h"
#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 26;

Result<Json> read_optional(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return Json::object();
  PHISCOPE_ASSIGN(const std::string text, read_file(path, kMaxConfigBytes));
  return parse_config(text, path.string());
}

// A whole number, a list of them, or null.
Result<std::vector<int32_t>> read_ids(const Json& object, std::string_view key, std::string_view where) {
  std::vector<int32_t> ids;
  const auto value = object.find(key);
  if (value == object.end() || value->is_null()) return ids;
  const bool is_list = value->is_array();
  for (size_t i = 0; i < (is_list ? value->size() : 1); ++i) {
    const Json& id = is_list ? (*value)[i] : *value;
    if (!id.is_number_integer() || id < 0 || id > kMaxTokenId) {
      return fail(ErrorCode::invalid_file, "{}: key '{}' must be a token id or a list of ids between 0 and {}", where, key, kMaxTokenId);
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Result<std::optional<int32_t>> read_token(const Json& config, std::string_view key, const std::string& where,
                                          const TokenizerDefinition& definition) {
  const auto value = config.find(key);
  if (value == config.end() || value->is_null()) return std::nullopt;
  const std::string place = fmt::format("{}: {}", where, key);
  std::string content;
  if (value->is_object()) {
    PHISCOPE_ASSIGN(content, json_string(*value, "content", place));
  } else {
    PHISCOPE_ASSIGN(content, json_string(config, key, where));
  }
  const auto added = std::find_if(definition.added.begin(), definition.added.end(), [&](const AddedToken& t) { return t.content == content; });
  if (added != definition.added.end()) return added->id;
  const auto piece = std::find(definition.pieces.begin(), definition.pieces.end(), content);
  if (content.empty() || piece == definition.pieces.end()) {
    return fail(ErrorCode::invalid_file, "{} {} is not a token of the vocabulary", place, shown(content));
  }
  return static_cast<int32_t>(piece - definition.pieces.begin());
}

// A template, or a list of named ones of which "default" is the chat's.
Result<std::string> read_template(const Json& config, const std::string& where) {
  const auto value = config.find("chat_template");
  if (value == config.end() || value->is_null()) return std::string();
  if (!value->is_array()) return json_string(config, "chat_template", where);
  for (const Json& named : *value) {
    if (named.is_object() && json_string_or(named, "name", "") == "default") return json_string(named, "template", where + ": chat_template");
  }
  return fail(ErrorCode::invalid_file, "{}: chat_template is a list without an entry named \"default\"", where);
}

}  // namespace

Result<TokenizerSettings> read_companions(const std::filesystem::path& folder, const TokenizerDefinition& definition) {
  TokenizerSettings settings;
  std::set<int32_t> stops;
  const std::string where = (folder / "tokenizer_config.json").string();
  PHISCOPE_ASSIGN(const Json config, read_optional(where));
  PHISCOPE_ASSIGN(settings.bos, read_token(config, "bos_token", where, definition));
  PHISCOPE_ASSIGN(settings.eos, read_token(config, "eos_token", where, definition));
  if (settings.eos) stops.insert(*settings.eos);
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::string place = (folder / name).string();
    PHISCOPE_ASSIGN(const Json model_config, read_optional(place));
    PHISCOPE_ASSIGN(const auto bos_ids, read_ids(model_config, "bos_token_id", place));
    PHISCOPE_ASSIGN(const auto eos_ids, read_ids(model_config, "eos_token_id", place));
    if (!settings.bos && !bos_ids.empty()) settings.bos = bos_ids.front();
    if (!settings.eos && !eos_ids.empty()) settings.eos = eos_ids.front();
    stops.insert(eos_ids.begin(), eos_ids.end());
  }
  settings.stop_ids.assign(stops.begin(), stops.end());

  const auto flag = config.find("add_bos_token");
  if (flag != config.end() && !flag->is_null()) {
    PHISCOPE_ASSIGN(settings.add_bos, json_bool_or(config, "add_bos_token", false, where));
  } else {
    settings.add_bos = !definition.prefix_special.empty() && settings.bos &&
                       static_cast<size_t>(*settings.bos) < definition.pieces.size() &&
                       definition.pieces[static_cast<size_t>(*settings.bos)] == definition.prefix_special;
  }

  const std::filesystem::path jinja = folder / "chat_template.jinja";
  std::error_code ignored;
  if (std::filesystem::exists(jinja, ignored)) {
    PHISCOPE_ASSIGN(settings.chat_template, read_file(jinja, kMaxConfigBytes));
  } else {
    PHISCOPE_ASSIGN(settings.chat_template, read_template(config, where));
  }
  return settings;
}

Status add_configured_tokens(const std::filesystem::path& folder, TokenizerDefinition& definition) {
  const std::string where = (folder / "tokenizer_config.json").string();
  PHISCOPE_ASSIGN(const Json config, read_optional(where));
  PHISCOPE_ASSIGN(std::vector<AddedToken> tokens, read_added_tokens_decoder(config, where));
  std::error_code ignored;
  if (tokens.empty() && std::filesystem::exists(folder / "added_tokens.json", ignored)) {
    return fail(ErrorCode::unsupported, "{}: key 'added_tokens_decoder' is missing, which has the flags of the tokens of added_tokens.json; put the model's tokenizer.json beside it",
                where);
  }
  return add_tokens(std::move(tokens), where, definition);
}

Result<std::string> read_model_type(const std::filesystem::path& folder) {
  const std::string where = (folder / "config.json").string();
  PHISCOPE_ASSIGN(const Json config, read_optional(where));
  return json_string_or(config, "model_type", "");
}

}  // namespace phiscope
