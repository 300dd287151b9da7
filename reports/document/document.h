#pragma once
// A report before its format: headings, paragraphs, tables, charts. Built once from runs and their comparison; exporters only spell it.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/record/record.h"
#include "reports/compare/compare.h"

namespace phiscope::reports {

struct Cell {
  std::string text{};                   // as shown
  std::optional<double> value{};        // for sorting, CSV and JSON
  bool best = false;
  std::string note{};                   // verdict or reason, shown as a chip or footnote: "better", "unclear: about 40 pairs ..."
  std::optional<double> low{}, high{};  // interval of the value
};
struct Table {
  std::string id{}, title{}, caption{};
  std::vector<std::string> columns{};
  std::vector<std::vector<Cell>> rows{};
  bool is_detail = false;               // shown folded where the format can
};
struct Point {
  double x = 0, y = 0;
  std::optional<double> low{}, high{};  // error bar of y
  std::string label{};                  // category of a bar; name of a single point
};
struct ChartSeries {
  std::string name{};                   // label of a run: colour and marker follow from its recipe everywhere
  std::string recipe{};                 // empty: not a run (a part of memory)
  std::vector<Point> points{};
  bool is_guide = false;                // a dashed line, no markers: the reference where it has no point of its own
};
struct Chart {
  enum class Kind { scatter, bar, line } kind = Kind::scatter;
  std::string id{}, title{}, caption{}, x_label{}, y_label{};
  bool log_x = false, log_y = false;
  bool is_stacked = false;              // bars on top of each other
  std::vector<ChartSeries> series{};
};
struct Paragraph {
  std::string text{};
};
struct Heading {
  int level = 2;
  std::string text{};
};
struct List {
  struct Item {
    std::string key{};                  // what the sentence is about; may be empty
    std::string text{};
  };
  std::vector<Item> items{};
};
/// Something to type.
struct Code {
  std::string text{};
};
/// The first screen: what to take, and why.
struct Answer {
  struct Option {
    std::string heading{};              // "Take", "Rather not"
    std::string label{}, recipe{};      // of the run
    std::string saves{}, costs{}, sure{};
  };
  std::string headline{};               // one sentence
  std::vector<Option> options{};        // the first is the advice
  std::string rule{};                   // how it was decided
};
using Block = std::variant<Answer, Heading, Paragraph, List, Code, Table, Chart>;
struct Document {
  std::string title{};
  std::string subtitle{};
  std::vector<Block> blocks{};
  std::vector<Run> runs{};              // raw data appendix; the first is the reference
};

/// The text of token ids, for the places where a precision hurts; may be empty where the tokenizer is not at hand.
using TokenText = std::function<std::string(std::span<const int32_t> ids)>;

/// The comparison's reference comes first, its candidates follow in their order.
Document build_document(const Comparison& comparison, const TokenText& token_text = {});

/// The side-by-side table of precisions alone: the same rows, columns and texts on the command line and in every report.
Table build_precision_table(const Comparison& comparison);
/// What each run really computed with, or why it did not run: one row a run, in the same order.
Table build_effective_table(const Comparison& comparison);

}  // namespace phiscope::reports
