#pragma once
// TOML files of suites and task formats, with errors that name file, table and key. Include only from .cpp files.

#ifndef TOML_EXCEPTIONS
#define TOML_EXCEPTIONS 0
#endif
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/text.h"

namespace phiscope::bench {

/// A table of the file that remembers which keys were read, so that a misspelt one is found. Lives as long as the parsed file. Not thread-safe.
class TomlTable {
 public:
  TomlTable(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  Status integer(const char* key, int64_t& value, int64_t low, int64_t high) {
    const toml::node* node = take(key);
    if (node == nullptr) return {};
    const std::optional<int64_t> found = node->value_exact<int64_t>();
    if (!found || *found < low || *found > high)
      return fail(ErrorCode::invalid_file, "{}: key '{}' must be a whole number from {} to {}", where_, key, low, high);
    value = *found;
    return {};
  }
  Status number(const char* key, double& value) {
    const toml::node* node = take(key);
    if (node == nullptr) return {};
    const std::optional<double> found = node->value<double>();
    if (!found || !(*found > 0)) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a number above 0", where_, key);
    value = *found;
    return {};
  }
  Status text(const char* key, std::string& value) {
    const toml::node* node = take(key);
    if (node == nullptr) return {};
    const std::optional<std::string> found = node->value_exact<std::string>();
    if (!found) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a text", where_, key);
    value = *found;
    return {};
  }
  Status flag(const char* key, bool& value) {
    const toml::node* node = take(key);
    if (node == nullptr) return {};
    const std::optional<bool> found = node->value_exact<bool>();
    if (!found) return fail(ErrorCode::invalid_file, "{}: key '{}' must be true or false", where_, key);
    value = *found;
    return {};
  }
  Status texts(const char* key, std::vector<std::string>& values) {
    const toml::node* node = take(key);
    if (node == nullptr) return {};
    const toml::array* array = node->as_array();
    if (array == nullptr) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a list of texts", where_, key);
    for (const toml::node& element : *array) {
      const std::optional<std::string> found = element.value_exact<std::string>();
      if (!found) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a list of texts", where_, key);
      values.push_back(*found);
    }
    return {};
  }
  /// Calls `read` with every [[key]] or with [key]; absent is fine.
  template <class Read>
  Status each(const char* key, Read read) {
    const toml::node* node = take(key);
    if (node == nullptr) return {};
    if (const toml::table* one = node->as_table()) return read_one(*one, key, 0, read);
    const toml::array* array = node->as_array();
    if (array == nullptr) return fail(ErrorCode::invalid_file, "{}: '{}' must be a table", where_, key);
    size_t number = 0;
    for (const toml::node& element : *array) {
      const toml::table* table = element.as_table();
      if (table == nullptr) return fail(ErrorCode::invalid_file, "{}: '{}' must hold tables", where_, key);
      PHISCOPE_TRY(read_one(*table, key, ++number, read));
    }
    return {};
  }
  /// Error for keys that nobody asked for.
  Status finish() const {
    for (const auto& [key, node] : table_) {
      const std::string name(key.str());
      if (std::find(taken_.begin(), taken_.end(), name) != taken_.end()) continue;
      const std::string near = nearest_name(name, taken_);
      return fail(ErrorCode::invalid_file, "{}: key '{}' is unknown{}", where_, name, near.empty() ? "" : fmt::format("; did you mean '{}'", near));
    }
    return {};
  }
  const std::string& where() const { return where_; }

 private:
  template <class Read>
  Status read_one(const toml::table& table, const char* key, size_t number, Read read) {
    TomlTable inner(table, number == 0 ? fmt::format("{} [{}]", where_, key) : fmt::format("{} [[{}]] {}", where_, key, number));
    PHISCOPE_TRY(read(inner));
    return inner.finish();
  }
  const toml::node* take(const char* key) {
    taken_.emplace_back(key);
    return table_.get(key);
  }

  const toml::table& table_;
  std::string where_;
  std::vector<std::string> taken_;
};

}  // namespace phiscope::bench
