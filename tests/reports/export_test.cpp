#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>

#include "core/base/json.h"
#include "core/base/text.h"
#include "reports/export/exporter.h"
#include "reports/export/formats.h"
#include "reports/export/palette.h"
#include "tests/support/example_runs.h"

namespace phiscope::reports {
namespace {

std::string write(std::string_view format, const Document& document) {
  const auto exporter = find_exporter(format);
  EXPECT_TRUE(exporter.has_value());
  auto text = (*exporter)->write(document);
  EXPECT_TRUE(text.has_value());
  return text.value_or("");
}

Document example_document() {
  static const Comparison comparison = [] {
    const auto runs = test::example_runs();
    return compare_runs(runs[0], {runs.begin() + 1, runs.end()});
  }();
  return build_document(comparison);
}

size_t count_of(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(FindExporter, NamesTheFormatsThatExist) {
  const auto unknown = find_exporter("docx");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(unknown.error().message, "'docx' is not a report format; choose one of html, md, csv, json, or pdf");
  EXPECT_EQ(find_exporter("csv").value()->extension, ".csv");
}

TEST(Formats, SayTheSameNumbers) {
  const auto runs = test::example_runs();
  const Document document = example_document();
  const std::string html = write("html", document), md = write("md", document), csv = write("csv", document);
  const Json json = Json::parse(write("json", document));
  EXPECT_EQ(json["schema"], "phiscope/report/1");
  const auto is_precisions = [](const Json& block) { return block.value("id", "") == "precisions"; };
  const auto found = std::find_if(json["blocks"].begin(), json["blocks"].end(), is_precisions);
  ASSERT_NE(found, json["blocks"].end());
  const Json& table = *found;
  ASSERT_EQ(table["rows"].size(), runs.size());
  size_t numbers = 0;
  for (size_t r = 0; r < table["rows"].size(); ++r) {
    const Json& row = table["rows"][r];
    for (size_t c = 1; c < row.size(); ++c) {
      if (row[c]["value"].is_null()) continue;
      ++numbers;
      const double value = row[c]["value"].get<double>();
      const std::string exact = exact_text(value);
      const std::string text = row[c]["text"].get<std::string>();
      // The number is one of the run's, and every format holds it exactly beside the same text.
      EXPECT_TRUE(std::any_of(runs[r].metrics.begin(), runs[r].metrics.end(), [&](const Metric& metric) { return metric.value == value; }));
      EXPECT_NE(csv.find(fmt::format("table,precisions,{},{},{},,{},", row[0]["text"].get<std::string>(),
                                     table["columns"][c].get<std::string>(), text, exact)),
                std::string::npos) << exact;
      EXPECT_NE(html.find(fmt::format("data-value=\"{}\"><span>{}<", exact, text)), std::string::npos) << exact;
      EXPECT_NE(md.find(text), std::string::npos) << text;
    }
  }
  EXPECT_EQ(numbers, 5U * 12U);
  const Json& answer = json["blocks"][0];
  ASSERT_EQ(answer["kind"], "answer");
  for (const std::string& text : {answer["headline"].get<std::string>(), answer["options"].at(0)["saves"].get<std::string>(), answer["options"].at(0)["costs"].get<std::string>()}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
    EXPECT_NE(md.find(text), std::string::npos) << text;
  }
  EXPECT_NE(csv.find(answer["options"].at(0)["saves"].get<std::string>()), std::string::npos);
  for (size_t r = 0; r < runs.size(); ++r)
    for (const Json& metric : json["runs"][r]["metrics"])
      if (!metric["value"].is_null()) {
        EXPECT_EQ(metric["value"].get<double>(), *runs[r].find_metric(metric["id"].get<std::string>())->value);
      }
}

TEST(Csv, HasElevenColumnsInEveryLineAndEverySample) {
  const std::string csv = write("csv", example_document());
  size_t samples = 0;
  for (const std::string& line : split(csv, '\n')) {
    if (line.empty()) continue;
    bool quoted = false;
    int commas = 0;
    for (char character : line) {
      quoted = quoted != (character == '"');
      commas += !quoted && character == ',' ? 1 : 0;
    }
    EXPECT_EQ(commas, 10) << line;
    samples += line.starts_with("sample,") ? 1U : 0U;
  }
  size_t expected = 0;
  for (const auto& run : test::example_runs()) expected += run.samples.size();
  EXPECT_EQ(samples, expected);
}

// Texts as a hostile model or user would choose them.
constexpr const char* kHostile[] = {"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</script><script>alert(2)//",
                                    "a | b `c` *d* [e](http://f)", "=HYPERLINK(\"http://x\")", "@SUM(1)", "line\nbreak\r\n# heading",
                                    "<!-- <script> ]]> '", "broken \xff\xfe utf-8", "'; DROP TABLE run; --",
                                    "</details>", "\n\n</details>\n\n<details><summary>", "a</summary>\n<details><summary>b</summary>\n</details>"};

Document hostile_document(const std::string& text) {
  auto runs = test::example_runs();
  for (auto* run : {&runs[0], &runs[1], &runs[5]}) {
    run->recipe += text;
    run->model = run->device = run->effective = run->reason = run->backend = text;
    run->environment["command"] = text;
    run->environment[text] = text;
    run->warnings.push_back({text, text, text});
    for (MetricInfo& info : run->metric_infos) info.definition = info.label = text;
    for (Metric& metric : run->metrics)
      if (metric.id == "task_accuracy:addition") metric.id = "task_accuracy:" + text;
    run->metrics.push_back({.id = "absent" + text, .reason = text});
  }
  for (auto& run : runs) run.series.clear();  // texts are what matters here
  return build_document(compare_runs(runs[0], {runs[1], runs[5]}));
}

size_t folded_blocks(const Document& document) {
  return static_cast<size_t>(std::count_if(document.blocks.begin(), document.blocks.end(), [](const Block& block) {
    const Table* table = std::get_if<Table>(&block);
    return std::holds_alternative<Chart>(block) || (table != nullptr && table->is_detail);
  }));
}

// Takes the tags that fold a table away from a line that is nothing but them and a title; `open` counts the folds that are open.
std::string without_folding(std::string line, int& open) {
  constexpr std::string_view kBegin = "<details><summary>", kBeginEnd = "</summary>", kEnd = "</details>";
  if (line == kEnd) {
    --open;
    return {};
  }
  if (!line.starts_with(kBegin) || !line.ends_with(kBeginEnd)) return line;
  ++open;
  return line.substr(kBegin.size(), line.size() - kBegin.size() - kBeginEnd.size());
}

TEST(Escaping, NoTextOfAUserBecomesMarkup) {
  const size_t scripts = count_of(write("html", example_document()), "<script");
  for (const char* text : kHostile) {
    const Document document = hostile_document(text);
    const std::string html = write("html", document);
    EXPECT_EQ(count_of(html, "<script"), scripts) << text;
    EXPECT_EQ(count_of(html, "</script"), scripts) << text;
    EXPECT_EQ(html.find("<img"), std::string::npos) << text;
    EXPECT_EQ(html.find("<!-- <script"), std::string::npos) << text;
    EXPECT_TRUE(is_valid_utf8(html)) << text;
    const size_t folds = folded_blocks(document);
    ASSERT_GT(folds, 0U);
    for (const char* tag : {"<details", "</details>", "<summary", "</summary>"}) EXPECT_EQ(count_of(html, tag), folds + 1) << tag << text;  // and the raw samples
    const std::string md = write("md", document);
    EXPECT_TRUE(is_valid_utf8(md));
    size_t folds_begun = 0;
    int open = 0;
    for (const std::string& whole_line : split(md, '\n')) {
      if (whole_line.starts_with("    ")) continue;  // indented code shows what it holds
      const int before = open;
      const std::string line = without_folding(whole_line, open);
      EXPECT_TRUE(open == 0 || open == 1) << whole_line;  // every fold of ours ends before the next
      folds_begun += open > before ? 1U : 0U;
      EXPECT_EQ(line.find('<'), std::string::npos) << line;
      EXPECT_EQ(line.find("[e]("), std::string::npos) << line;
      EXPECT_FALSE(line.starts_with("# heading"));
    }
    EXPECT_EQ(folds_begun, folds) << text;  // none that a text has brought
    EXPECT_EQ(open, 0) << text;
    const std::string csv = write("csv", document);
    for (const std::string& line : split(csv, '\n')) {
      EXPECT_EQ(line.find(",="), std::string::npos) << line;
      EXPECT_EQ(line.find(",@"), std::string::npos) << line;
    }
    EXPECT_NO_THROW(Json::parse(write("json", document)).size());
  }
}

TEST(Html, IsOneFileThatAsksForNothing) {
  std::string html = write("html", example_document());
  const size_t from = html.find("/*!\n * Chart.js v3");
  ASSERT_NE(from, std::string::npos);
  EXPECT_NE(html.find("Chart.js Contributors\n * Released under the MIT License", from), std::string::npos);
  html.erase(from, html.find("</script>", from) - from);
  for (const char* request : {"http:", "https:", " src=", "@import", "url(", "<link", "fetch(", "XMLHttpRequest", "import("})
    EXPECT_EQ(html.find(request), std::string::npos) << request;
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
}

TEST(Html, HoldsTheDataOfEveryChart) {
  const std::string html = write("html", example_document());
  for (const char* id : {"kld_by_size", "decode_by_kld", "tasks", "prefill_by_length", "decode_by_depth", "memory", "token_gaps"}) {
    EXPECT_EQ(count_of(html, fmt::format("<canvas id=\"chart-{}\"", id)), 1U);
    EXPECT_EQ(count_of(html, fmt::format("download=\"{}.csv\"", id)), 1U);
  }
}

TEST(Json, TurnsWhatIsNotFiniteIntoNull) {
  auto run = test::example_run({});
  run.samples.push_back({"extra", 0, 0, std::numeric_limits<double>::infinity()});
  const Json json = Json::parse(write("json", build_document(compare_runs(run, {}))));
  EXPECT_TRUE(json["runs"][0]["samples"].back()["value"].is_null());
}

TEST(Palette, GivesEveryRecipeItsOwnPairOfColourAndMarker) {
  Chart chart;
  for (const char* recipe : {"fp32", "source", "fp16", "bf16", "int8", "int8-dyn", "int8-static", "int4", "int4-asym", "int4-dyn", "int4-a4", "fp8",
                             "int4:g64", "int4:g128", "mine"})
    chart.series.push_back({.name = recipe, .recipe = recipe});
  const auto styles = assign_styles({&chart, &chart});
  std::set<std::pair<std::string_view, std::string_view>> pairs;
  for (const auto& [name, style] : styles) pairs.insert({style.light, style.marker});
  EXPECT_EQ(pairs.size(), chart.series.size());
  // The colour follows the recipe, whatever else is in the report.
  Chart alone;
  alone.series.push_back({.name = "int4", .recipe = "int4"});
  EXPECT_EQ(assign_styles({&alone}).at("int4").light, styles.at("int4").light);
}

TEST(ExactText, GivesBackTheSameDouble) {
  for (double value : {0.1, 1.0 / 3, 5e-324, 1e300, -0.0, 123456789.0}) EXPECT_EQ(std::strtod(exact_text(value).c_str(), nullptr), value);
  EXPECT_EQ(exact_text(std::nullopt), "");
}

}  // namespace
}  // namespace phiscope::reports
