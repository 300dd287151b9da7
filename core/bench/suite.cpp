#define TOML_EXCEPTIONS 0
#include "core/bench/suite.h"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>

#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace phiscope::bench {
namespace {

/// A table of the file that remembers which keys were read, so that a misspelt one is found.
class Table {
 public:
  Table(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

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
    Table inner(table, number == 0 ? fmt::format("{} [{}]", where_, key) : fmt::format("{} [[{}]] {}", where_, key, number));
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

constexpr int64_t kMaxTokens = int64_t{1} << 24;

Status read_repetitions(Table& table, Suite& suite) {
  PHISCOPE_TRY(table.integer("min", suite.min_repetitions, 1, 10000));
  PHISCOPE_TRY(table.integer("max", suite.max_repetitions, suite.min_repetitions, 10000));
  PHISCOPE_TRY(table.integer("warmups", suite.max_warmups, 0, 100));
  PHISCOPE_TRY(table.number("seconds_per_shape", suite.max_seconds_per_shape));
  return table.number("stop_relative_sd", suite.stop_relative_sd);
}

Status read_speed(Table& table, Suite& suite) {
  SpeedShape shape;
  PHISCOPE_TRY(table.integer("prompt", shape.prompt, 0, kMaxTokens));
  PHISCOPE_TRY(table.integer("generate", shape.generate, 0, kMaxTokens));
  PHISCOPE_TRY(table.integer("depth", shape.depth, 0, kMaxTokens));
  PHISCOPE_TRY(table.finish());
  if (shape.prompt == 0 && shape.generate == 0)
    return fail(ErrorCode::invalid_file, "{}: give 'prompt' or 'generate' a number of tokens", table.where());
  if (shape.prompt == 0 && shape.generate < 2)
    return fail(ErrorCode::invalid_file, "{}: 'generate' must be at least 2, a rate needs two tokens", table.where());
  suite.speed.push_back(shape);
  return {};
}

Status read_request(Table& table, Suite& suite) {
  RequestPart part;
  PHISCOPE_TRY(table.text("text", part.text));
  PHISCOPE_TRY(table.integer("bytes", part.bytes, 1, int64_t{1} << 24));
  suite.requests.push_back(part);
  return {};
}

Status read_check(Table& table, Suite& suite) {
  PHISCOPE_TRY(table.texts("prompts", suite.check.prompts));
  return table.integer("tokens", suite.check.tokens, 1, 4096);
}

Status read_sustained(Table& table, Suite& suite) {
  PHISCOPE_TRY(table.number("seconds", suite.sustained.seconds));
  return table.integer("generate", suite.sustained.generate, 2, kMaxTokens);
}

Status read_fidelity(Table& table, Suite& suite) {
  FidelityPart part;
  PHISCOPE_TRY(table.text("name", part.name));
  PHISCOPE_TRY(table.text("text", part.text));
  PHISCOPE_TRY(table.integer("chunk", part.chunk, 4, kMaxTokens));
  PHISCOPE_TRY(table.integer("stride", part.stride, 0, part.chunk));
  PHISCOPE_TRY(table.integer("chunks", part.max_chunks, 0, kMaxTokens));
  for (const FidelityPart& other : suite.fidelity)
    if (other.name == part.name) return fail(ErrorCode::invalid_file, "{}: a second text needs a 'name' of its own", table.where());
  suite.fidelity.push_back(part);
  return {};
}

Status read_task(Table& table, Suite& suite) {
  TaskPart part;
  PHISCOPE_TRY(table.text("name", part.name));
  PHISCOPE_TRY(table.text("file", part.file));
  PHISCOPE_TRY(table.text("kind", part.kind));
  PHISCOPE_TRY(table.integer("items", part.items, 0, kMaxTokens));
  PHISCOPE_TRY(table.integer("max_new_tokens", part.max_new_tokens, 1, 4096));
  PHISCOPE_TRY(table.text("stop", part.stop));
  PHISCOPE_TRY(table.finish());
  if (part.name.empty()) return fail(ErrorCode::invalid_file, "{}: key 'name' is missing", table.where());
  if (part.kind != "multiple_choice" && part.kind != "exact_match")
    return fail(ErrorCode::invalid_file, "{}: key 'kind' must be multiple_choice or exact_match", table.where());
  suite.tasks.push_back(part);
  return {};
}

/// Every task of a manifest: {"tasks": [{name, kind, file, max_new_tokens, stop}]}, files beside it.
Status read_manifest(Table& table, Suite& suite) {
  std::string manifest;
  int64_t items = 0;
  PHISCOPE_TRY(table.text("manifest", manifest));
  PHISCOPE_TRY(table.integer("items", items, 0, kMaxTokens));
  PHISCOPE_TRY(table.finish());
  PHISCOPE_ASSIGN(const Json json, read_json_file(suite.datasets / manifest));
  const auto tasks = json.find("tasks");
  if (tasks == json.end() || !tasks->is_array()) return fail(ErrorCode::invalid_file, "{}: key 'tasks' must be a list", manifest);
  for (const Json& row : *tasks) {
    TaskPart part;
    PHISCOPE_ASSIGN(part.name, json_string(row, "name", manifest));
    PHISCOPE_ASSIGN(part.kind, json_string(row, "kind", manifest));
    PHISCOPE_ASSIGN(const std::string file, json_string(row, "file", manifest));
    PHISCOPE_ASSIGN(part.max_new_tokens, json_int_or(row, "max_new_tokens", part.max_new_tokens, manifest, 1, 4096));
    part.file = (std::filesystem::path(manifest).parent_path() / file).string();
    part.stop = json_string_or(row, "stop", "");
    part.items = items;
    suite.tasks.push_back(std::move(part));
  }
  return {};
}

Status read_suite(Table& table, Suite& suite) {
  int64_t version = 1;
  PHISCOPE_TRY(table.text("name", suite.name));
  PHISCOPE_TRY(table.integer("version", version, 1, 1000000));
  suite.version = static_cast<int>(version);
  PHISCOPE_TRY(table.flag("probe", suite.probe));
  PHISCOPE_TRY(table.flag("cold_start", suite.cold_start));
  PHISCOPE_TRY(table.each("repetitions", [&](Table& t) { return read_repetitions(t, suite); }));
  PHISCOPE_TRY(table.each("speed", [&](Table& t) { return read_speed(t, suite); }));
  PHISCOPE_TRY(table.each("request", [&](Table& t) { return read_request(t, suite); }));
  PHISCOPE_TRY(table.each("fidelity", [&](Table& t) { return read_fidelity(t, suite); }));
  PHISCOPE_TRY(table.each("task", [&](Table& t) { return read_task(t, suite); }));
  PHISCOPE_TRY(table.each("tasks", [&](Table& t) { return read_manifest(t, suite); }));
  PHISCOPE_TRY(table.each("sustained", [&](Table& t) { return read_sustained(t, suite); }));
  PHISCOPE_TRY(table.each("output_check", [&](Table& t) { return read_check(t, suite); }));
  return table.finish();
}

Status hash_data(const Suite& suite, std::string_view settings, std::string& hash) {
  Hasher hasher;
  hasher.update(settings);
  std::vector<std::pair<std::string, std::string>> files;  // part, file
  for (const RequestPart& part : suite.requests) files.emplace_back("request", part.text);
  for (const FidelityPart& part : suite.fidelity) files.emplace_back("fidelity", part.text);
  for (const TaskPart& part : suite.tasks) files.emplace_back("task '" + part.name + "'", part.file);
  for (const auto& [part, file] : files) {
    auto content = read_file(suite.datasets / file);
    if (!content) return fail(content.error().with_context(fmt::format("suite {}, {}", suite.name, part)));
    hasher.update(file);
    hasher.update(*content);
  }
  hash = hasher.hex();
  return {};
}

std::vector<std::string> suite_names(const std::filesystem::path& datasets) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(datasets / "suites", ignored))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string shaped_metric(std::string_view family, int64_t length, int64_t depth) {
  return depth > 0 ? fmt::format("{}@{}d{}", family, length, depth) : fmt::format("{}@{}", family, length);
}

Result<Suite> load_suite(std::string_view name_or_path, const std::filesystem::path& datasets) {
  const std::string name(name_or_path);
  const bool is_file = name.ends_with(".toml") || name.find('/') != std::string::npos;
  const std::filesystem::path path = is_file ? std::filesystem::path(name) : datasets / "suites" / (name + ".toml");
  if (!std::filesystem::exists(path)) {
    const std::vector<std::string> names = suite_names(datasets);
    if (is_file) return fail(ErrorCode::not_found, "{}: there is no such suite file", name);
    if (names.empty())
      return fail(ErrorCode::not_found, "no suites in {}; set PHISCOPE_DATASETS to the folder that holds 'suites'", datasets.string());
    return fail(ErrorCode::not_found, "there is no suite '{}'; {} exist, or name a .toml file", name, fmt::join(names, ", "));
  }
  PHISCOPE_ASSIGN(const std::string content, read_file(path, uint64_t{1} << 20));
  const std::string where = path.filename().string();
  const toml::parse_result parsed = toml::parse(content, where);
  if (!parsed)
    return fail(ErrorCode::invalid_file, "{} line {}: {}", where, parsed.error().source().begin.line, parsed.error().description());
  Suite suite;
  suite.name = path.stem().string();
  suite.datasets = datasets;
  Table table(parsed.table(), where);
  PHISCOPE_TRY(read_suite(table, suite));
  PHISCOPE_TRY(hash_data(suite, content, suite.hash));
  return suite;
}

}  // namespace phiscope::bench
