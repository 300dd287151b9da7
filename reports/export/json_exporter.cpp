#include "core/base/json.h"
#include "reports/export/formats.h"

namespace phiscope::reports {
namespace {

Json to_json(const Answer& answer) {
  Json options = Json::array();
  for (const Answer::Option& option : answer.options)
    options.push_back({{"heading", option.heading}, {"label", option.label}, {"recipe", option.recipe}, {"saves", option.saves}, {"costs", option.costs}, {"sure", option.sure}});
  return {{"kind", "answer"}, {"headline", answer.headline}, {"options", std::move(options)}, {"rule", answer.rule}};
}
Json to_json(const Heading& heading) { return {{"kind", "heading"}, {"level", heading.level}, {"text", heading.text}}; }
Json to_json(const Paragraph& paragraph) { return {{"kind", "paragraph"}, {"text", paragraph.text}}; }
Json to_json(const List& list) {
  Json items = Json::array();
  for (const List::Item& item : list.items) items.push_back({{"key", item.key}, {"text", item.text}});
  return {{"kind", "list"}, {"items", std::move(items)}};
}
Json to_json(const Code& code) { return {{"kind", "code"}, {"text", code.text}}; }

Json to_json(const Cell& cell) {
  Json json{{"text", cell.text}, {"value", json_number(cell.value)}};
  if (cell.low) json["low"] = json_number(cell.low);
  if (cell.high) json["high"] = json_number(cell.high);
  if (cell.best) json["best"] = true;
  if (!cell.note.empty()) json["note"] = cell.note;
  return json;
}

Json to_json(const Table& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json cells = Json::array();
    for (const Cell& cell : row) cells.push_back(to_json(cell));
    rows.push_back(std::move(cells));
  }
  return {{"kind", "table"}, {"id", table.id}, {"title", table.title}, {"caption", table.caption}, {"columns", table.columns}, {"rows", std::move(rows)}};
}

Json to_json(const Chart& chart) {
  static constexpr const char* kKinds[] = {"scatter", "bar", "line"};
  Json all = Json::array();
  for (const ChartSeries& series : chart.series) {
    if (series.is_guide) continue;
    Json points = Json::array();
    for (const Point& point : series.points) {
      Json json{{"x", json_number(point.x)}, {"y", json_number(point.y)}};
      if (point.low) json["low"] = json_number(point.low);
      if (point.high) json["high"] = json_number(point.high);
      if (!point.label.empty()) json["label"] = point.label;
      points.push_back(std::move(json));
    }
    all.push_back({{"name", series.name}, {"points", std::move(points)}});
  }
  return {{"kind", "chart"}, {"id", chart.id}, {"title", chart.title}, {"caption", chart.caption}, {"form", kKinds[static_cast<size_t>(chart.kind)]},
          {"x_label", chart.x_label}, {"y_label", chart.y_label}, {"series", std::move(all)}};
}

Json metrics_of(const Run& run) {
  Json metrics = Json::array();
  for (const Metric& metric : run.metrics) {
    const MetricInfo* info = run.find_info(metric.id);
    Json json{{"id", metric.id}, {"value", json_number(metric.value)}, {"unit", info != nullptr ? info->unit : ""},
              {"direction", direction_name(info != nullptr ? info->direction : Direction::none)}, {"n", metric.n},
              {"low", json_number(metric.low)}, {"high", json_number(metric.high)}};
    if (!metric.reason.empty()) json["reason"] = metric.reason;
    metrics.push_back(std::move(json));
  }
  return metrics;
}

Json to_json(const Run& run) {
  Json samples = Json::array();
  for (const Sample& sample : run.samples)
    samples.push_back({{"metric", sample.metric}, {"item", sample.item}, {"repetition", sample.repetition}, {"value", json_number(sample.value)}});
  Json warnings = Json::array();
  for (const Warning& warning : run.warnings) warnings.push_back({{"id", warning.id}, {"sentence", warning.sentence}, {"remedy", warning.remedy}});
  return {{"run_id", run.run_id}, {"started_at", run.started_at}, {"seconds", json_number(run.seconds)}, {"model", run.model},
          {"model_hash", run.model_hash}, {"artifact_hash", run.artifact_hash}, {"tokenizer_hash", run.tokenizer_hash}, {"recipe", run.recipe},
          {"backend", run.backend}, {"suite", run.suite}, {"suite_hash", run.suite_hash}, {"status", run_status_name(run.status)},
          {"reason", run.reason}, {"threads", run.threads}, {"device", run.device}, {"requested", run.requested}, {"effective", run.effective},
          {"app_version", run.app_version}, {"environment", run.environment}, {"metrics", metrics_of(run)}, {"samples", std::move(samples)},
          {"warnings", std::move(warnings)}};
}

}  // namespace

Result<std::string> write_json(const Document& document) {
  Json json{{"schema", "phiscope/report/1"}, {"title", document.title}, {"subtitle", document.subtitle}};
  json["reference"] = document.runs.empty() ? "" : document.runs.front().run_id;
  json["blocks"] = Json::array();
  for (const Block& block : document.blocks) json["blocks"].push_back(std::visit([](const auto& part) { return to_json(part); }, block));
  json["runs"] = Json::array();
  for (const Run& run : document.runs) json["runs"].push_back(to_json(run));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace phiscope::reports
