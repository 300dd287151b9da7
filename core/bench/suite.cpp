#include "core/bench/suite.h"

#include <algorithm>

#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/bench/task_format.h"
#include "core/bench/toml_table.h"

namespace phiscope::bench {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 24;

Status read_repetitions(TomlTable& table, Suite& suite) {
  PHISCOPE_TRY(table.integer("min", suite.min_repetitions, 1, 10000));
  PHISCOPE_TRY(table.integer("max", suite.max_repetitions, suite.min_repetitions, 10000));
  PHISCOPE_TRY(table.integer("warmups", suite.max_warmups, 0, 100));
  PHISCOPE_TRY(table.number("seconds_per_shape", suite.max_seconds_per_shape));
  return table.number("stop_relative_sd", suite.stop_relative_sd);
}

Status read_speed(TomlTable& table, Suite& suite) {
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

Status read_request(TomlTable& table, Suite& suite) {
  RequestPart part;
  PHISCOPE_TRY(table.text("text", part.text));
  PHISCOPE_TRY(table.integer("bytes", part.bytes, 1, int64_t{1} << 24));
  suite.requests.push_back(part);
  return {};
}

Status read_check(TomlTable& table, Suite& suite) {
  PHISCOPE_TRY(table.texts("prompts", suite.check.prompts));
  return table.integer("tokens", suite.check.tokens, 1, 4096);
}

Status read_sustained(TomlTable& table, Suite& suite) {
  PHISCOPE_TRY(table.number("seconds", suite.sustained.seconds));
  return table.integer("generate", suite.sustained.generate, 2, kMaxTokens);
}

Status read_fidelity(TomlTable& table, Suite& suite) {
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

Status read_task(TomlTable& table, Suite& suite) {
  TaskPart part;
  PHISCOPE_TRY(table.text("name", part.name));
  PHISCOPE_TRY(table.text("file", part.file));
  PHISCOPE_TRY(table.text("format", part.format));
  PHISCOPE_TRY(table.text("shots_file", part.shots_file));
  PHISCOPE_TRY(table.integer("shots", part.shots, 0, 1000));
  PHISCOPE_TRY(table.text("kind", part.kind));
  PHISCOPE_TRY(table.integer("items", part.items, 0, kMaxTokens));
  PHISCOPE_TRY(table.integer("max_new_tokens", part.max_new_tokens, 1, 4096));
  PHISCOPE_TRY(table.text("stop", part.stop));
  PHISCOPE_TRY(table.finish());
  if (part.name.empty()) return fail(ErrorCode::invalid_file, "{}: key 'name' is missing", table.where());
  if (part.format.empty() && !is_task_kind(part.kind))
    return fail(ErrorCode::invalid_file, "{}: key 'kind' must be {}; or give a 'format'", table.where(), kTaskKinds);
  if (part.format.empty() && !part.shots_file.empty())
    return fail(ErrorCode::invalid_file, "{}: 'shots_file' needs a 'format'", table.where());
  return add_task(suite, std::move(part), suite.folder);
}

/// Every task of a manifest: {"tasks": [{name, kind, file, max_new_tokens, stop}]}, files beside it.
Status read_manifest(TomlTable& table, Suite& suite) {
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

Status read_suite(TomlTable& table, Suite& suite) {
  int64_t version = 1;
  PHISCOPE_TRY(table.text("name", suite.name));
  PHISCOPE_TRY(table.integer("version", version, 1, 1000000));
  suite.version = static_cast<int>(version);
  PHISCOPE_TRY(table.flag("probe", suite.probe));
  PHISCOPE_TRY(table.flag("cold_start", suite.cold_start));
  PHISCOPE_TRY(table.each("repetitions", [&](TomlTable& t) { return read_repetitions(t, suite); }));
  PHISCOPE_TRY(table.each("speed", [&](TomlTable& t) { return read_speed(t, suite); }));
  PHISCOPE_TRY(table.each("request", [&](TomlTable& t) { return read_request(t, suite); }));
  PHISCOPE_TRY(table.each("fidelity", [&](TomlTable& t) { return read_fidelity(t, suite); }));
  PHISCOPE_TRY(table.each("task", [&](TomlTable& t) { return read_task(t, suite); }));
  PHISCOPE_TRY(table.each("tasks", [&](TomlTable& t) { return read_manifest(t, suite); }));
  PHISCOPE_TRY(table.each("sustained", [&](TomlTable& t) { return read_sustained(t, suite); }));
  PHISCOPE_TRY(table.each("output_check", [&](TomlTable& t) { return read_check(t, suite); }));
  return table.finish();
}

Status hash_data(const Suite& suite, std::string_view settings, std::string& hash) {
  Hasher hasher;
  hasher.update(settings);
  std::vector<std::pair<std::string, std::string>> files;  // part, file
  for (const RequestPart& part : suite.requests) files.emplace_back("request", part.text);
  for (const FidelityPart& part : suite.fidelity) files.emplace_back("fidelity", part.text);
  for (const TaskPart& part : suite.tasks)
    for (const std::string& file : {part.file, part.format, part.shots_file})
      if (!file.empty()) files.emplace_back("task '" + part.name + "'", file);
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

Status add_task(Suite& suite, TaskPart part, const std::filesystem::path& folder) {
  // A user's suite names files beside itself; the built-in ones name files of the data sets.
  const auto place = [&](std::string& file) {
    std::error_code ignored;
    const std::filesystem::path beside = std::filesystem::absolute(folder / file);
    if (!file.empty() && std::filesystem::is_regular_file(beside, ignored)) file = beside.string();
  };
  if (!part.format.empty()) {
    PHISCOPE_ASSIGN(const std::filesystem::path path, find_task_format(part.format, suite.datasets, folder));
    PHISCOPE_ASSIGN(const TaskFormat format, read_task_format(path));
    part.format = path.string();
    part.kind = format.kind;
  }
  place(part.file);
  place(part.shots_file);
  for (const TaskPart& other : suite.tasks)
    if (other.name == part.name) return fail(ErrorCode::invalid_argument, "suite {}: there are two tasks called '{}'; give one another name", suite.name, part.name);
  suite.tasks.push_back(std::move(part));
  return {};
}

Status add_task_argument(Suite& suite, std::string_view argument) {
  const std::vector<std::string> parts = split(argument, ':');
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty())
    return fail(ErrorCode::invalid_argument, "--task '{}': write FILE:FORMAT or FILE:FORMAT:SHOTS_FILE, for example test.jsonl:arc", argument);
  TaskPart part;
  part.name = std::filesystem::path(parts[0]).stem().string();
  part.file = parts[0];
  part.format = parts[1];
  if (parts.size() == 3) part.shots_file = parts[2];
  PHISCOPE_TRY(add_task(suite, std::move(part), std::filesystem::current_path()));
  Hasher hasher;
  hasher.update(suite.hash);
  for (const std::string& file : {suite.tasks.back().file, suite.tasks.back().format, suite.tasks.back().shots_file}) {
    if (file.empty()) continue;
    PHISCOPE_ASSIGN(const std::string content, read_file(suite.datasets / file));
    hasher.update(content);
  }
  suite.hash = hasher.hex();
  return {};
}

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
  suite.folder = path.parent_path();
  suite.datasets = datasets;
  TomlTable table(parsed.table(), where);
  PHISCOPE_TRY(read_suite(table, suite));
  PHISCOPE_TRY(hash_data(suite, content, suite.hash));
  return suite;
}

}  // namespace phiscope::bench
