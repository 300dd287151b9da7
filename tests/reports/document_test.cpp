#include "reports/document/document.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/example_runs.h"

namespace phiscope::reports {
namespace {

using phiscope::test::example_runs;

const Comparison& example_comparison() {
  static const Comparison comparison = [] {
    const auto runs = example_runs();
    return compare_runs(runs[0], {runs.begin() + 1, runs.end()});
  }();
  return comparison;
}

const Cell& cell(const Table& table, std::string_view row, std::string_view column) {
  static const Cell kMissing{.text = "missing"};
  const auto at = std::find(table.columns.begin(), table.columns.end(), column);
  for (const auto& cells : table.rows)
    if (cells[0].text == row && at != table.columns.end()) return cells[static_cast<size_t>(at - table.columns.begin())];
  return kMissing;
}

TEST(PrecisionTable, HasOneRowARunAndTheColumnsInOrder) {
  const Table table = build_precision_table(example_comparison());
  EXPECT_EQ(table.columns, (std::vector<std::string>{"Recipe", "Bits/weight", "File", "Peak memory", "Prefill@512 tok/s", "Decode@64 tok/s",
                                                     "TTFT@512 ms", "Perplexity", "KLD mean", "KLD p99", "Same top 1", "addition", "completion"}));
  ASSERT_EQ(table.rows.size(), 6U);
  for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
  EXPECT_EQ(table.rows[0][0].note, "reference");
}

TEST(PrecisionTable, ShowsTheNumbersOfTheRuns) {
  const auto runs = example_runs();
  const Table table = build_precision_table(example_comparison());
  for (const auto& run : runs) {
    if (run.status != RunStatus::done) continue;
    EXPECT_EQ(cell(table, run.recipe, "Decode@64 tok/s").value, run.find_metric("decode_tokens_per_s@64")->value);
    EXPECT_EQ(cell(table, run.recipe, "File").value, run.find_metric("file_bytes")->value);
    EXPECT_EQ(cell(table, run.recipe, "completion").value, run.find_metric("task_accuracy:completion")->value);
    EXPECT_EQ(cell(table, run.recipe, "KLD p99").value, run.find_metric("kld_p99")->value);
  }
  EXPECT_EQ(cell(table, "fp32", "KLD mean").text, "0");
  EXPECT_EQ(cell(table, "fp32", "Same top 1").text, "100 %");
  EXPECT_EQ(cell(table, "int4", "File").text, "4.26 MB");
}

TEST(PrecisionTable, MarksTheBestOfAColumnAndNeverTheReferenceAgainstItself) {
  const Table table = build_precision_table(example_comparison());
  EXPECT_TRUE(cell(table, "int4", "Decode@64 tok/s").best);
  EXPECT_TRUE(cell(table, "int4", "TTFT@512 ms").best);
  EXPECT_TRUE(cell(table, "int4", "File").best);
  EXPECT_FALSE(cell(table, "fp32", "KLD mean").best);
  EXPECT_TRUE(cell(table, "fp16", "KLD mean").best);
  EXPECT_TRUE(cell(table, "fp16", "Same top 1").best);
  EXPECT_TRUE(cell(table, "fp32", "addition").best);
  EXPECT_TRUE(cell(table, "fp16", "addition").best);  // a tie marks both
}

TEST(PrecisionTable, CarriesTheVerdicts) {
  const Table table = build_precision_table(example_comparison());
  EXPECT_EQ(cell(table, "int8", "Decode@64 tok/s").note, "better");
  EXPECT_EQ(cell(table, "fp16", "KLD mean").note, "same");
  EXPECT_EQ(cell(table, "int4", "KLD mean").note, "worse");
  EXPECT_EQ(cell(table, "int8", "addition").note.substr(0, 7), "unclear");
}

TEST(PrecisionTable, ShowsARunThatWasRefusedWithItsReason) {
  const Table table = build_precision_table(example_comparison());
  EXPECT_EQ(cell(table, "fp8", "Recipe").note, "refused");
  EXPECT_EQ(cell(build_effective_table(example_comparison()), "fp8", "Effective precision").text,
            "refused: cpu: fp8 needs a CUDA device with FP8 arithmetic; int8 runs here");
  EXPECT_EQ(cell(table, "fp8", "Perplexity").text, "-");
  EXPECT_FALSE(cell(table, "fp8", "Perplexity").value.has_value());
}

TEST(PrecisionTable, TellsRunsOfOneRecipeApart) {
  auto runs = example_runs();
  runs[1].recipe = "fp32";
  runs[1].backend = "reference";
  const Table by_backend = build_precision_table(compare_runs(runs[0], {runs[1]}));
  EXPECT_EQ(by_backend.rows[0][0].text, "fp32 cpu");
  EXPECT_EQ(by_backend.rows[1][0].text, "fp32 reference");
  runs[1].backend = "cpu";
  const Table by_id = build_precision_table(compare_runs(runs[0], {runs[1]}));
  EXPECT_EQ(by_id.rows[1][0].text, "fp32 " + runs[1].run_id);
}

TEST(PrecisionTable, OfOneRunAloneHasNoBestAndNoVerdict) {
  const Table table = build_precision_table(compare_runs(example_runs()[0], {}));
  ASSERT_EQ(table.rows.size(), 1U);
  for (const Cell& each : table.rows[0]) EXPECT_FALSE(each.best);
}

TEST(PrecisionTable, OfRunsWithoutMetricsStillShowsThem) {
  const auto runs = example_runs();
  const Table table = build_precision_table(compare_runs(runs.back(), {}));
  EXPECT_EQ(table.columns, (std::vector<std::string>{"Recipe"}));
  EXPECT_FALSE(build_document(compare_runs(runs.back(), {})).blocks.empty());
}

template <class Part>
std::vector<const Part*> parts(const Document& document) {
  std::vector<const Part*> found;
  for (const Block& block : document.blocks)
    if (const Part* part = std::get_if<Part>(&block)) found.push_back(part);
  return found;
}

TEST(Document, BeginsWithTheTableAndTheVerdicts) {
  const Document document = build_document(example_comparison());
  EXPECT_EQ(document.title, "What does each bit of bundled:tiny-phi cost, and what does it buy, on Example CPU 3000?");
  ASSERT_GE(document.blocks.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Table>(document.blocks[0]));
  const auto lists = parts<List>(document);
  ASSERT_FALSE(lists.empty());
  ASSERT_EQ(lists[0]->items.size(), 5U);  // a sentence for every candidate, the refused one too
  EXPECT_EQ(lists[0]->items[3].key, "int4 against fp32");
  EXPECT_NE(lists[0]->items[3].text.find("decode ×3.35 (better)"), std::string::npos) << lists[0]->items[3].text;
  EXPECT_NE(lists[0]->items[4].text.find("refused"), std::string::npos);
}

TEST(Document, HasEveryChartWithFiniteNumbers) {
  const Document document = build_document(example_comparison());
  std::vector<std::string> ids;
  for (const Chart* chart : parts<Chart>(document)) {
    ids.push_back(chart->id);
    for (const ChartSeries& series : chart->series)
      for (const Point& point : series.points) EXPECT_TRUE(std::isfinite(point.x) && std::isfinite(point.y)) << chart->id;
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"kld_by_size", "decode_by_kld", "tasks", "prefill_by_length", "decode_by_depth", "memory", "token_gaps"}));
}

TEST(Document, PutsNothingThatIsNotPositiveOnALogarithmicAxis) {
  const Document document = build_document(example_comparison());
  for (const Chart* chart : parts<Chart>(document)) {
    for (const ChartSeries& series : chart->series) {
      for (const Point& point : series.points) {
        EXPECT_TRUE(!chart->log_x || point.x > 0) << chart->id;
        EXPECT_TRUE(!chart->log_y || point.y > 0) << chart->id;
      }
    }
  }
}

TEST(Document, StacksTheMemoryUpToTheProcessPeak) {
  const auto runs = example_runs();
  const Document document = build_document(example_comparison());
  for (const Chart* chart : parts<Chart>(document)) {
    if (chart->id != "memory") continue;
    double sum = 0;
    for (const ChartSeries& series : chart->series) sum += series.points.at(0).y;
    EXPECT_NEAR(sum, *runs[0].find_metric("peak_rss_bytes")->value / 1e6, 1e-9);
  }
}

TEST(Document, TellsWhatDiffersBetweenTheRunsAndHowToRepeatThem) {
  const Document document = build_document(example_comparison());
  bool has_command = false;
  for (const Code* code : parts<Code>(document)) has_command = has_command || code->text.find("phiscope bench bundled:tiny-phi") == 0;
  EXPECT_TRUE(has_command);
  for (const Table* table : parts<Table>(document)) {
    if (table->id == "environment") {
      EXPECT_EQ(cell(*table, "cpu", "Value").text, "Example CPU 3000");
    }
    if (table->id == "environment_differences") {
      EXPECT_EQ(cell(*table, "recipe", "int8").text, "int8");
    }
    if (table->id == "warnings") {
      EXPECT_EQ(table->rows.at(0).at(0).text, "int8-dyn");
    }
  }
}

}  // namespace
}  // namespace phiscope::reports
