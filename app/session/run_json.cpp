#include "app/session/run_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/session/llama_bench.h"

namespace phiscope::session {
namespace {

const MetricInfo* info_of(const Run& run, std::string_view metric_id) {
  const auto found = std::find_if(run.metric_infos.begin(), run.metric_infos.end(),
                                  [&](const MetricInfo& info) { return info.id == metric_family(metric_id); });
  return found == run.metric_infos.end() ? nullptr : &*found;
}

Json metric_to_json(const Run& run, const Metric& metric) {
  const MetricInfo* info = info_of(run, metric.id);
  Json json = {{"id", metric.id},
               {"value", number_or_null(metric.value)},
               {"unit", info != nullptr ? info->unit : ""},
               {"direction", direction_name(info != nullptr ? info->direction : Direction::none)},
               {"n", metric.n},
               {"low", number_or_null(metric.low)},
               {"high", number_or_null(metric.high)},
               {"version", metric.version}};
  if (!metric.value) json["reason"] = metric.reason;
  return json;
}

Json info_to_json(const MetricInfo& info) {
  return {{"id", info.id},
          {"version", info.version},
          {"label", info.label},
          {"unit", info.unit},
          {"direction", direction_name(info.direction)},
          {"group", info.group},
          {"definition", info.definition},
          {"relevant_difference", info.relevant_difference},
          {"relevant_is_relative", info.relevant_is_relative}};
}

Json exact_number(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return std::isnan(value) ? Json(nullptr) : Json(value);
}

Json series_to_json(const Series& series) {
  Json rows = Json::array();
  for (const std::vector<double>& column : series.rows) {
    Json values = Json::array();
    for (const double value : column) values.push_back(exact_number(value));
    rows.push_back(std::move(values));
  }
  return {{"kind", series.kind}, {"metric", series.metric}, {"item", series.item}, {"repetition", series.repetition},
          {"columns", series.columns}, {"rows", std::move(rows)}};
}

std::optional<double> optional_number(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_number() ? std::optional<double>(json[key].get<double>()) : std::nullopt;
}

Metric metric_from_json(const Json& json) {
  Metric metric;
  metric.id = json.at("id").get<std::string>();
  metric.value = optional_number(json, "value");
  metric.low = optional_number(json, "low");
  metric.high = optional_number(json, "high");
  metric.n = json.at("n").get<int64_t>();
  metric.version = json.at("version").get<int>();
  metric.reason = json_string_or(json, "reason", "");
  return metric;
}

MetricInfo info_from_json(const Json& json) {
  MetricInfo info;
  info.id = json.at("id").get<std::string>();
  info.version = json.at("version").get<int>();
  info.label = json.at("label").get<std::string>();
  info.unit = json.at("unit").get<std::string>();
  info.direction = direction_from_name(json.at("direction").get<std::string>());
  info.group = json.at("group").get<std::string>();
  info.definition = json.at("definition").get<std::string>();
  info.relevant_difference = json.at("relevant_difference").get<double>();
  info.relevant_is_relative = json.at("relevant_is_relative").get<bool>();
  return info;
}

/// JSON holds no infinity and no NaN: "inf", "-inf" and null stand for them.
double number_or_nan(const Json& json) {
  if (json.is_string()) return json == "inf" ? HUGE_VAL : json == "-inf" ? -HUGE_VAL : std::nan("");
  return json.is_number() ? json.get<double>() : std::nan("");
}

Series series_from_json(const Json& json) {
  Series series;
  series.kind = json.at("kind").get<std::string>();
  series.metric = json.at("metric").get<std::string>();
  series.item = json.at("item").get<int64_t>();
  series.repetition = json.at("repetition").get<int64_t>();
  series.columns = json.at("columns").get<std::vector<std::string>>();
  for (const Json& column : json.at("rows")) {
    std::vector<double> values;
    for (const Json& value : column) values.push_back(number_or_nan(value));
    series.rows.push_back(std::move(values));
  }
  return series;
}

Run run_from_json(const Json& json) {
  Run run;
  run.run_id = json.at("run_id").get<std::string>();
  run.started_at = json.at("started_at").get<std::string>();
  run.seconds = json.at("seconds").get<double>();
  run.status = run_status_from_name(json.at("status").get<std::string>());
  run.threads = json.at("threads").get<int>();
  const std::pair<const char*, std::string Run::*> texts[] = {
      {"model", &Run::model},         {"model_hash", &Run::model_hash}, {"artifact_hash", &Run::artifact_hash}, {"tokenizer_hash", &Run::tokenizer_hash},
      {"recipe", &Run::recipe},       {"backend", &Run::backend},       {"suite", &Run::suite},                 {"suite_hash", &Run::suite_hash},
      {"reason", &Run::reason},       {"device", &Run::device},         {"requested", &Run::requested},         {"effective", &Run::effective},
      {"app_version", &Run::app_version}};
  for (const auto& [key, member] : texts) run.*member = json.at(key).get<std::string>();
  for (const auto& [key, value] : json.at("environment").items()) run.environment[key] = value.get<std::string>();
  for (const Json& metric : json.at("metrics")) run.metrics.push_back(metric_from_json(metric));
  for (const Json& info : json.at("metric_infos")) run.metric_infos.push_back(info_from_json(info));
  for (const Json& sample : json.at("samples"))
    run.samples.push_back({sample.at("metric").get<std::string>(), sample.at("item").get<int64_t>(), sample.at("repetition").get<int64_t>(),
                           number_or_nan(sample.at("value")), json_string_or(sample, "mark", "")});
  for (const Json& series : json.at("series")) run.series.push_back(series_from_json(series));
  for (const Json& warning : json.at("warnings"))
    run.warnings.push_back({warning.at("id").get<std::string>(), warning.at("sentence").get<std::string>(), warning.at("remedy").get<std::string>()});
  return run;
}

std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string csv_number(const std::optional<double>& value) { return value && std::isfinite(*value) ? fmt::format("{}", *value) : ""; }

}  // namespace

Json number_or_null(const std::optional<double>& value) { return value && std::isfinite(*value) ? Json(*value) : Json(nullptr); }

Json run_to_json(const Run& run) {
  Json json = {{"run_id", run.run_id},
               {"started_at", run.started_at},
               {"seconds", run.seconds},
               {"model", run.model},
               {"model_hash", run.model_hash},
               {"artifact_hash", run.artifact_hash},
               {"tokenizer_hash", run.tokenizer_hash},
               {"recipe", run.recipe},
               {"backend", run.backend},
               {"suite", run.suite},
               {"suite_hash", run.suite_hash},
               {"status", run_status_name(run.status)},
               {"reason", run.reason},
               {"threads", run.threads},
               {"device", run.device},
               {"requested", run.requested},
               {"effective", run.effective},
               {"app_version", run.app_version}};
  json["environment"] = Json::object();
  for (const auto& [key, value] : run.environment) json["environment"][key] = value;
  json["metrics"] = Json::array();
  for (const Metric& metric : run.metrics) json["metrics"].push_back(metric_to_json(run, metric));
  json["warnings"] = Json::array();
  for (const Warning& warning : run.warnings)
    json["warnings"].push_back({{"id", warning.id}, {"sentence", warning.sentence}, {"remedy", warning.remedy}});
  return json;
}

Json runs_to_json(const std::vector<Run>& runs) {
  Json list = Json::array();
  for (const Run& run : runs) list.push_back(run_to_json(run));
  return list;
}

Json export_runs(const std::vector<Run>& runs) {
  Json document = {{"schema", "phiscope/runs/1"}, {"runs", Json::array()}};
  for (const Run& run : runs) {
    Json json = run_to_json(run);
    json["metric_infos"] = Json::array();
    for (const MetricInfo& info : run.metric_infos) json["metric_infos"].push_back(info_to_json(info));
    json["samples"] = Json::array();
    for (const Sample& sample : run.samples)
      json["samples"].push_back({{"metric", sample.metric}, {"item", sample.item}, {"repetition", sample.repetition}, {"value", exact_number(sample.value)}, {"mark", sample.mark}});
    json["series"] = Json::array();
    for (const Series& series : run.series) json["series"].push_back(series_to_json(series));
    document["runs"].push_back(std::move(json));
  }
  return document;
}

Result<std::vector<Run>> import_runs(const Json& document, std::string_view where) {
  if (json_string_or(document, "schema", "") != "phiscope/runs/1" || !document.contains("runs") || !document["runs"].is_array())
    return fail(ErrorCode::invalid_file, "{}: is not an export of Phiscope runs; make one with: phiscope runs export --out FILE", where);
  std::vector<Run> runs;
  try {
    for (const Json& run : document["runs"]) runs.push_back(run_from_json(run));
  } catch (const Json::exception& error) {
    return fail(ErrorCode::invalid_file, "{}: run {} is damaged ({})", where, runs.size() + 1, error.what());
  }
  return runs;
}

Result<ImportedRuns> read_runs(std::string_view text, std::string_view where) {
  if (is_llama_bench(text)) {
    PHISCOPE_ASSIGN(LlamaBenchImport found, read_llama_bench(text, where));
    return ImportedRuns{std::move(found.runs), std::move(found.notices)};
  }
  PHISCOPE_ASSIGN(const Json document, parse_json(text, where));
  ImportedRuns imported;
  PHISCOPE_ASSIGN(imported.runs, import_runs(document, where));
  return imported;
}

std::string export_csv(const std::vector<Run>& runs) {
  std::string text = "run_id,model,recipe,backend,kind,metric,item,repetition,value,unit,low,high\n";
  for (const Run& run : runs) {
    const std::string head = fmt::format("{},{},{},{}", run.run_id, csv_text(run.model), csv_text(run.recipe), csv_text(run.backend));
    const auto unit = [&](std::string_view id) { return info_of(run, id) != nullptr ? info_of(run, id)->unit : std::string(); };
    for (const Metric& metric : run.metrics)
      text += fmt::format("{},metric,{},,,{},{},{},{}\n", head, csv_text(metric.id), csv_number(metric.value), csv_text(unit(metric.id)),
                          csv_number(metric.low), csv_number(metric.high));
    for (const Sample& sample : run.samples)
      text += fmt::format("{},sample,{},{},{},{},{},,\n", head, csv_text(sample.metric), sample.item, sample.repetition, csv_number(sample.value),
                          csv_text(unit(sample.metric)));
  }
  return text;
}

}  // namespace phiscope::session
