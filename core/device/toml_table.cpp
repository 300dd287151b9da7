#include "core/device/toml_table.h"

#include <algorithm>
#include <optional>

#include "core/base/files.h"
#include "core/base/text.h"

namespace phiscope::device {

const toml::node* TomlTable::take(const char* key) {
  taken_.emplace_back(key);
  return table_.get(key);
}

Status TomlTable::text(const char* key, std::string& value) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const std::optional<std::string> found = node->value_exact<std::string>();
  if (!found) return fail(ErrorCode::invalid_file, "{}: '{}' must be a text in quotes", where_, key);
  value = *found;
  return {};
}

Status TomlTable::required_text(const char* key, std::string& value) {
  PHISCOPE_TRY(text(key, value));
  if (value.empty()) return fail(ErrorCode::invalid_file, "{}: '{}' is missing", where_, key);
  return {};
}

Status TomlTable::number(const char* key, double& value) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const std::optional<double> found = node->value<double>();
  if (!found || !(*found >= 0)) return fail(ErrorCode::invalid_file, "{}: '{}' must be a number of at least 0", where_, key);
  value = *found;
  return {};
}

Status TomlTable::texts(const char* key, std::vector<std::string>& values) {
  const toml::node* node = take(key);
  if (node == nullptr) return {};
  const toml::array* array = node->as_array();
  if (array == nullptr) return fail(ErrorCode::invalid_file, "{}: '{}' must be a list of texts", where_, key);
  for (const toml::node& element : *array) {
    const std::optional<std::string> found = element.value_exact<std::string>();
    if (!found) return fail(ErrorCode::invalid_file, "{}: '{}' must be a list of texts", where_, key);
    values.push_back(*found);
  }
  return {};
}

const toml::table* TomlTable::table(const char* key) {
  const toml::node* node = take(key);
  return node == nullptr ? nullptr : node->as_table();
}

Result<std::vector<const toml::table*>> TomlTable::tables(const char* key) {
  std::vector<const toml::table*> result;
  const toml::node* node = take(key);
  if (node == nullptr) return result;
  const toml::array* array = node->as_array();
  if (array == nullptr) return fail(ErrorCode::invalid_file, "{}: '{}' must be written [[{}]]", where_, key, key);
  for (const toml::node& element : *array) {
    if (element.as_table() == nullptr) return fail(ErrorCode::invalid_file, "{}: '{}' must hold tables", where_, key);
    result.push_back(element.as_table());
  }
  return result;
}

std::vector<std::string> TomlTable::unread() const {
  std::vector<std::string> names;
  for (const auto& [key, node] : table_)
    if (std::find(taken_.begin(), taken_.end(), key.str()) == taken_.end()) names.emplace_back(key.str());
  return names;
}

Status TomlTable::finish() const {
  const std::vector<std::string> names = unread();
  if (names.empty()) return {};
  const std::string near = nearest_name(names.front(), taken_);
  return fail(ErrorCode::invalid_file, "{}: '{}' is unknown{}", where_, names.front(), near.empty() ? "" : fmt::format("; did you mean '{}'", near));
}

Result<toml::table> read_toml(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const std::string content, read_file(path, uint64_t{1} << 20));
  try {
    return toml::parse(content);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::invalid_file, "{}:{}: {}", path.string(), error.source().begin.line, error.description());
  }
}

}  // namespace phiscope::device
