#include "app/session/llama_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <map>

#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/base/ulid.h"
#include "core/bench/catalogue.h"
#include "core/bench/suite.h"

namespace phiscope::session {
namespace {

// What varies between the tests of one configuration (llama-bench's test::get_fields, and samples_* of its JSON).
constexpr std::array<std::string_view, 10> kTestFields{"n_prompt", "n_gen",  "n_depth",   "test_time",  "avg_ns",
                                                       "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts"};
constexpr int64_t kMaxTokens = int64_t{1} << 32;

bool is_test_field(std::string_view key) { return std::find(kTestFields.begin(), kTestFields.end(), key) != kTestFields.end(); }

/// One line of CSV as RFC 4180 has it; llama-bench quotes every value.
Result<std::vector<std::string>> csv_values(std::string_view line, std::string_view where) {
  std::vector<std::string> values(1);
  bool is_quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && is_quoted && i + 1 < line.size() && line[i + 1] == '"') {
      values.back() += '"';
      ++i;
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      values.emplace_back();
    } else {
      values.back() += c;
    }
  }
  if (is_quoted) return fail(ErrorCode::invalid_file, "{}: a quoted value has no end", where);
  return values;
}

/// A number where the text is one, so that CSV rows look like JSON rows.
Json typed(const std::string& text) {
  int64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error == std::errc() && end == text.data() + text.size()) return whole;
  double number = 0;
  const auto [number_end, number_error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (number_error == std::errc() && number_end == text.data() + text.size()) return number;
  return text;
}

Result<std::vector<Json>> csv_rows(std::string_view text, std::string_view where) {
  std::vector<Json> rows;
  std::vector<std::string> header;
  size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    const std::string place = fmt::format("{} line {}", where, number);
    PHISCOPE_ASSIGN(const std::vector<std::string> values, csv_values(trim(line), place));
    if (header.empty()) {
      header = values;
      continue;
    }
    if (values.size() != header.size())
      return fail(ErrorCode::invalid_file, "{}: has {} values, the header names {} fields", place, values.size(), header.size());
    Json row = Json::object();
    for (size_t i = 0; i < header.size(); ++i) row[header[i]] = typed(values[i]);
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<Json>> json_rows(std::string_view text, std::string_view where) {
  std::vector<Json> rows;
  if (text.starts_with('[')) {
    PHISCOPE_ASSIGN(const Json document, parse_json(text, where));
    for (const Json& row : document) rows.push_back(row);
    return rows;
  }
  size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    PHISCOPE_ASSIGN(Json row, parse_json(line, fmt::format("{} line {}", where, number)));
    rows.push_back(std::move(row));
  }
  return rows;
}

/// "2025-04-24T11:57:09Z" as milliseconds since 1970.
Result<int64_t> time_of(const std::string& text, std::string_view where) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  // NOLINTNEXTLINE(cert-err34-c): the count of fields is what is checked
  const bool is_read = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &month, &day, &hour, &minute, &second) == 6;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)), std::chrono::day(static_cast<unsigned>(day))};
  if (!is_read || !date.ok() || year < 1970) return fail(ErrorCode::invalid_file, "{}: '{}' is no time; 2025-04-24T11:57:09Z is one", where, text);
  const auto time = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string value_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "phi3 3B Q4_K - Medium" -> "gguf:Q4_K_M"; "phi2 3B all F32" -> "gguf:F32".
std::string recipe_of(const std::string& model_type) {
  std::vector<std::string> words = split(model_type, ' ');
  std::erase(words, "");
  if (words.size() > 2) words.erase(words.begin(), words.begin() + 2);
  std::string name;
  for (const std::string& word : words) {
    if (word == "all" || word == "-" || word == "(guessed)") continue;
    const bool is_size = word == "Small" || word == "Medium" || word == "Large";
    name += (name.empty() ? "" : "_") + (is_size ? word.substr(0, 1) : word);
  }
  return "gguf:" + name;
}

/// The metric of a test; empty when it has no counterpart here.
std::string metric_of(int64_t prompt, int64_t generate, int64_t depth) {
  if (prompt > 0 && generate == 0) return bench::shaped_metric("prefill_tokens_per_s", prompt, depth);
  if (prompt == 0 && generate > 0) return bench::shaped_metric("decode_tokens_per_s", generate, depth);
  return {};
}

Run run_of_configuration(const Json& row) {
  Run run;
  const std::string file = json_string_or(row, "model_filename", "");
  run.model = file.substr(file.find_last_of("/\\") + 1);
  run.recipe = run.requested = recipe_of(json_string_or(row, "model_type", ""));
  run.backend = "llama.cpp";
  run.suite = "llama-bench";
  run.suite_hash = hash_text("llama-bench");
  run.threads = static_cast<int>(json_int_or(row, "n_threads", 0, "", 0, 65536).value_or(0));
  const std::string backends = json_string_or(row, "backends", "CPU");
  const bool is_cpu = backends == "CPU" || backends == "BLAS" || json_string_or(row, "gpu_info", "").empty();
  run.device = std::string(trim(json_string_or(row, is_cpu ? "cpu_info" : "gpu_info", "")));
  run.app_version = fmt::format("llama.cpp {} ({})", row.contains("build_number") ? value_text(row["build_number"]) : "?",
                                json_string_or(row, "build_commit", "unknown"));
  run.effective = fmt::format("{}; KV {}/{}; {}", json_string_or(row, "model_type", "unknown"), json_string_or(row, "type_k", "?"),
                              json_string_or(row, "type_v", "?"), backends);
  run.environment["protocol"] = "llama-bench";
  run.environment["cpu"] = json_string_or(row, "cpu_info", "");
  for (const auto& [key, value] : row.items())
    if (!is_test_field(key)) run.environment["llama_bench." + key] = value_text(value);
  const double bytes = json_number_or(row, "model_size", 0, "").value_or(0), parameters = json_number_or(row, "model_n_params", 0, "").value_or(0);
  if (bytes > 0 && parameters > 0) run.samples.push_back({"bits_per_weight", 0, 0, 8 * bytes / parameters});
  run.warnings.push_back({"foreign", "measured by llama-bench: one warm-up, repetitions one after the other, and its decode rate counts the first token too",
                          "compare with own runs only where that does not matter (phiscope compare --across protocol,suite,model)"});
  return run;
}

Status add_test(Run& run, const Json& row, std::string_view where, std::vector<std::string>& notices) {
  PHISCOPE_ASSIGN(const int64_t prompt, json_int(row, "n_prompt", where, 0, kMaxTokens));
  PHISCOPE_ASSIGN(const int64_t generate, json_int(row, "n_gen", where, 0, kMaxTokens));
  PHISCOPE_ASSIGN(const int64_t depth, json_int_or(row, "n_depth", 0, where, 0, kMaxTokens));
  const std::string metric = metric_of(prompt, generate, depth);
  if (metric.empty()) {
    notices.push_back(fmt::format("{}: prompt {} with {} generated tokens has one rate for both, which nothing here can be compared with; left out", where,
                                  prompt, generate));
    return {};
  }
  const auto item = std::count_if(run.samples.begin(), run.samples.end(), [&](const Sample& s) { return s.metric == metric && s.repetition == 0; });
  std::vector<double> rates;
  if (row.contains("samples_ts") && row["samples_ts"].is_array()) {
    for (const Json& rate : row["samples_ts"]) {
      if (!rate.is_number() || !(rate.get<double>() > 0)) return fail(ErrorCode::invalid_file, "{}: 'samples_ts' must hold rates above 0", where);
      rates.push_back(rate.get<double>());
    }
  }
  if (rates.empty()) {
    PHISCOPE_ASSIGN(const double mean, json_number(row, "avg_ts", where));
    if (!(mean > 0)) return fail(ErrorCode::invalid_file, "{}: 'avg_ts' must be a rate above 0", where);
    rates.push_back(mean);
    run.environment["llama_bench.stddev_ts." + metric] = row.contains("stddev_ts") ? value_text(row["stddev_ts"]) : "";
  }
  for (size_t i = 0; i < rates.size(); ++i) run.samples.push_back({metric, item, static_cast<int64_t>(i), rates[i]});
  return {};
}

struct Configuration {
  Run run;
  int64_t time_ms = INT64_MAX;
  std::string content;  // its rows, for the id
};

}  // namespace

bool is_llama_bench(std::string_view text) {
  return trim(text.substr(0, 64)).find("build_commit") != std::string_view::npos;
}

Result<LlamaBenchImport> read_llama_bench(std::string_view text, std::string_view where) {
  text = trim(text);
  const bool is_json = text.starts_with('[') || text.starts_with('{');
  PHISCOPE_ASSIGN(const std::vector<Json> rows, is_json ? json_rows(text, where) : csv_rows(text, where));
  LlamaBenchImport result;
  std::vector<std::string> order;
  std::map<std::string, Configuration> found;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string place = fmt::format("{} row {}", where, i + 1);
    if (!rows[i].is_object()) return fail(ErrorCode::invalid_file, "{}: is no object", place);
    Json fixed = rows[i];
    for (const std::string_view key : kTestFields) fixed.erase(std::string(key));
    const std::string key = fixed.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!found.contains(key)) {
      order.push_back(key);
      found[key].run = run_of_configuration(rows[i]);
    }
    Configuration& one = found[key];
    PHISCOPE_ASSIGN(const std::string time, json_string(rows[i], "test_time", place));
    PHISCOPE_ASSIGN(const int64_t time_ms, time_of(time, place));
    if (time_ms < one.time_ms) {
      one.time_ms = time_ms;
      one.run.started_at = time;
    }
    one.content += rows[i].dump(-1, ' ', false, Json::error_handler_t::replace);
    PHISCOPE_TRY(add_test(one.run, rows[i], place, result.notices));
  }
  for (const std::string& key : order) {
    Configuration& one = found[key];
    one.run.run_id = ulid_of(one.time_ms, one.content);
    bench::compute_metrics(one.run);
    result.runs.push_back(std::move(one.run));
  }
  return result;
}

}  // namespace phiscope::session
