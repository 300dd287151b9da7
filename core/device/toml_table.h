#pragma once
// A table of a TOML file that remembers which keys were read, so that a misspelt one is found. Private to this folder.

#include <toml++/toml.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace phiscope::device {

class TomlTable {
 public:
  TomlTable(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  /// Each leaves `value` alone when the key is absent. Errors: invalid_file naming place and key.
  Status text(const char* key, std::string& value);
  Status number(const char* key, double& value);  // at least 0
  Status texts(const char* key, std::vector<std::string>& values);
  /// Error when the key was absent or empty.
  Status required_text(const char* key, std::string& value);
  /// The table under a key; null when absent.
  const toml::table* table(const char* key);
  /// The tables of [[key]].
  Result<std::vector<const toml::table*>> tables(const char* key);
  /// Keys that nobody asked for yet.
  std::vector<std::string> unread() const;
  /// Error for them.
  Status finish() const;
  const std::string& where() const { return where_; }
  bool has(const char* key) const { return table_.contains(key); }

 private:
  const toml::node* take(const char* key);

  const toml::table& table_;
  std::string where_;
  std::vector<std::string> taken_;
};

/// Errors: not_found; invalid_file with the line.
Result<toml::table> read_toml(const std::filesystem::path& path);

}  // namespace phiscope::device
