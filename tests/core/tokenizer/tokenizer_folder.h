#pragma once
// Folders to load tokenizers from: of the fixtures, and with altered files.

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {

struct GoldenRow {
  std::string name;       // of the test
  std::string golden;     // fixture, or file of the source tree when it starts with "tests/"
  std::string tokenizer;  // folder of `file`; a fixture, or of the source tree when it starts with "datasets/"
  std::string settings;   // folder of tokenizer_config.json
  std::string chat;       // folder of chat_template.jinja, or empty
  std::string file = "tokenizer.json";
  std::string key{};      // in the golden file; empty = name
};
inline std::ostream& operator<<(std::ostream& out, const GoldenRow& row) { return out << row.name; }
/// To add a tokenizer: a row in the .cpp.
const std::vector<GoldenRow>& golden_rows();

/// A path of the source tree (datasets/, tests/) or of the fixtures; empty when absent.
std::filesystem::path golden_path(const std::string& relative);

/// The row's files in one temporary folder, and what was loaded from it.
struct LoadedRow {
  Json golden;
  std::shared_ptr<const Tokenizer> tokenizer;
};
/// nullopt-like empty tokenizer when a file of the row is missing.
LoadedRow load_row(const GoldenRow& row);

/// Loads `tokenizer_json` with optional companions ({file name, content}).
Result<std::shared_ptr<const Tokenizer>> load_text(const std::string& tokenizer_json,
                                                   const std::vector<std::pair<std::string, std::string>>& companions = {});

/// A small byte-level tokenizer.json: the 256 bytes, then "ab" (256), "abc" (257), "<|x|>" (258, special).
Json small_tokenizer();

std::vector<int32_t> ids_of(const Json& list);

}  // namespace phiscope::test
