#include "reports/document/document.h"

#include <fmt/format.h>
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

TEST(Document, BeginsWithTheAnswerTheTableAndTheVerdicts) {
  const Document document = build_document(example_comparison());
  EXPECT_EQ(document.title, "What does each bit of bundled:tiny-phi cost, and what does it buy, on Example CPU 3000?");
  ASSERT_GE(document.blocks.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Answer>(document.blocks[0]));
  EXPECT_TRUE(std::holds_alternative<Table>(document.blocks[1]));
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
  EXPECT_EQ(ids, (std::vector<std::string>{"decode_by_kld", "kld_by_memory", "kld_by_size", "kld_tail", "tasks", "prefill_by_length", "decode_by_depth",
                                            "token_gaps", "memory"}));
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

const Chart* find_chart(const Document& document, std::string_view id) {
  for (const Chart* chart : parts<Chart>(document))
    if (chart->id == id) return chart;
  return nullptr;
}

/// One candidate against fp32 with the given fidelity, speed and size.
Comparison comparison_of(double same_top1, double ln_ppl_ratio, double decode) {
  Run reference{.run_id = "01JD0000000000000000000001", .model = "m", .recipe = "fp32", .backend = "cpu", .suite = "quick", .device = "d"};
  reference.metric_infos = {{"decode_tokens_per_s", 1, "Decode", "tok/s", Direction::higher, "speed", "", 0.02, true},
                            {"same_top1", 1, "Same top 1", "share", Direction::higher, "fidelity", "", 0.005, false},
                            {"ln_ppl_ratio", 1, "ln ratio", "nat", Direction::lower, "fidelity", "", 0.005, false},
                            {"file_bytes", 1, "File", "bytes", Direction::lower, "size", "", 0.01, true}};
  Run candidate = reference;
  candidate.run_id = "01JD0000000000000000000002";
  candidate.recipe = "int8";
  reference.metrics = {{.id = "decode_tokens_per_s@64", .value = 100}, {.id = "same_top1", .value = 1}, {.id = "ln_ppl_ratio", .value = 0}, {.id = "file_bytes", .value = 4e6}};
  candidate.metrics = {{.id = "decode_tokens_per_s@64", .value = decode}, {.id = "same_top1", .value = same_top1, .n = 2040},
                       {.id = "ln_ppl_ratio", .value = ln_ppl_ratio}, {.id = "file_bytes", .value = 1e6}};
  return compare_runs(reference, {candidate});
}

Answer answer_of(const Comparison& comparison) {
  for (const Block& block : build_document(comparison).blocks)
    if (const Answer* answer = std::get_if<Answer>(&block)) return *answer;
  ADD_FAILURE() << "no answer";
  return {};
}

TEST(Answer, TakesTheFastestThatKeepsTheQuality) {
  const Answer answer = answer_of(comparison_of(0.995, 0.001, 240));
  EXPECT_EQ(answer.headline.substr(0, 42), "Take int8: it keeps the quality of fp32 an");
  ASSERT_EQ(answer.options.size(), 1U);
  EXPECT_EQ(answer.options[0].heading, "Take");
  EXPECT_NE(answer.options[0].saves.find("2.4×"), std::string::npos) << answer.options[0].saves;
  EXPECT_NE(answer.options[0].saves.find("75 % less"), std::string::npos) << answer.options[0].saves;
  EXPECT_NE(answer.options[0].costs.find("another first choice at 0.5 % of the tokens"), std::string::npos) << answer.options[0].costs;
}

TEST(Answer, DoesNotTakeWhatGivesUpQualityWithoutSayingSo) {
  const Answer reduced = answer_of(comparison_of(0.97, 0.03, 240));
  EXPECT_EQ(reduced.headline.substr(0, 22), "No precision keeps the");
  EXPECT_NE(reduced.headline.find("perplexity +3 %"), std::string::npos) << reduced.headline;
  const Answer damaged = answer_of(comparison_of(0.90, 0.2, 240));
  EXPECT_EQ(damaged.headline.substr(0, 14), "Stay with fp32");
  ASSERT_EQ(damaged.options.size(), 1U);
  EXPECT_EQ(damaged.options[0].heading, "Rather not");
}

TEST(Answer, StaysWithTheReferenceWhereNothingIsGained) {
  Comparison comparison = comparison_of(1, 0, 100);
  comparison.candidates[0].run.metrics[3].value = 4e6;
  EXPECT_EQ(answer_of(compare_runs(comparison.reference, {comparison.candidates[0].run})).headline.substr(0, 14), "Stay with fp32");
}

TEST(Charts, TheParetoFrontLeavesOutWhatIsBeaten) {
  const Document document = build_document(example_comparison());
  const Chart* chart = find_chart(document, "kld_by_size");
  ASSERT_NE(chart, nullptr);
  const auto front = std::find_if(chart->series.begin(), chart->series.end(), [](const ChartSeries& series) { return series.name == "Pareto front"; });
  ASSERT_NE(front, chart->series.end());
  // int8-dyn is as large as int8 and diverges more; fp16, int8 and int4 are each the best of their size.
  ASSERT_EQ(front->points.size(), 3U);
  EXPECT_TRUE(std::is_sorted(front->points.begin(), front->points.end(), [](const Point& a, const Point& b) { return a.x < b.x; }));
  EXPECT_TRUE(std::is_sorted(front->points.begin(), front->points.end(), [](const Point& a, const Point& b) { return a.y > b.y; }));
}

TEST(Charts, TheTailFallsAndEndsWhereNoTokenDivergesMore) {
  const Document document = build_document(example_comparison());
  const Chart* chart = find_chart(document, "kld_tail");
  ASSERT_NE(chart, nullptr);
  EXPECT_EQ(chart->series.size(), 4U);  // all but the reference
  for (const ChartSeries& series : chart->series) {
    for (size_t i = 1; i < series.points.size(); ++i) EXPECT_LE(series.points[i].y, series.points[i - 1].y);
    EXPECT_EQ(series.points.back().y, 0) << series.name;
  }
}

TEST(Charts, AMemoryTimelineKeepsItsPeak) {
  auto runs = example_runs();
  Series series{.kind = "memory_timeline", .metric = "peak_rss_bytes", .columns = {"time_ns", "resident_bytes"}, .rows = {{}, {}}};
  for (int i = 0; i < 5000; ++i) {
    series.rows[0].push_back(i * 1e7);
    series.rows[1].push_back(i == 3333 ? 9e8 : 1e8);
  }
  runs[1].series.push_back(series);
  const Document document = build_document(compare_runs(runs[0], {runs[1]}));
  const Chart* chart = find_chart(document, "memory_timeline");
  ASSERT_NE(chart, nullptr);
  ASSERT_EQ(chart->series.size(), 1U);
  EXPECT_LE(chart->series[0].points.size(), 200U);
  EXPECT_TRUE(std::any_of(chart->series[0].points.begin(), chart->series[0].points.end(), [](const Point& p) { return p.y == 900 && p.x == 33.33; }));
}

TEST(WorstTokens, AreShownInTheirTextWorstFirst) {
  const TokenText text = [](std::span<const int32_t> ids) {
    std::string result;
    for (const int32_t id : ids) result += fmt::format("<{}>", id);
    return result;
  };
  const auto runs = example_runs();
  const Document document = build_document(compare_runs(runs[0], {runs[4]}), text);
  const Table* worst = nullptr;
  for (const Table* table : parts<Table>(document))
    if (table->id.starts_with("worst:")) worst = table;
  ASSERT_NE(worst, nullptr);
  ASSERT_EQ(worst->rows.size(), 8U);
  double largest = 0;
  for (const Series& series : runs[4].series)
    if (series.kind == "position_scores") largest = std::max(largest, *std::max_element(series.rows[3].begin(), series.rows[3].end()));
  EXPECT_EQ(worst->rows[0].back().value, largest);
  for (size_t i = 1; i < worst->rows.size(); ++i) EXPECT_LE(*worst->rows[i].back().value, *worst->rows[i - 1].back().value);
  EXPECT_EQ(worst->rows[0][1].text.find("“<"), 0U);
}

TEST(WorstTokens, SayWhyThereAreNone) {
  const auto said = [](const Document& document, std::string_view sentence) {
    const auto paragraphs = parts<Paragraph>(document);
    return std::any_of(paragraphs.begin(), paragraphs.end(), [&](const Paragraph* p) { return p->text.find(sentence) != std::string::npos; });
  };
  auto runs = example_runs();
  EXPECT_TRUE(said(build_document(example_comparison()), "tokenizer of these runs is not at hand"));
  for (auto& run : runs) run.series.clear();
  EXPECT_TRUE(said(build_document(compare_runs(runs[0], {runs[1]})), "scored no text"));
}

}  // namespace
}  // namespace phiscope::reports
