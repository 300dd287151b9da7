#pragma once
// A report before its format: headings, paragraphs, tables, charts. Built once from runs and their comparison; exporters only spell it.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/record/record.h"
#include "reports/compare/compare.h"

namespace phiscope::reports {

struct Cell {
  std::string text;               // as shown
  std::optional<double> value;    // for sorting, CSV and JSON
  bool best = false;
  std::string note;               // verdict or reason, shown as a chip or footnote
};
struct Table {
  std::string id, title, caption;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
};
struct Point {
  double x = 0, y = 0;
  std::optional<double> low, high;  // error bar of y
  std::string label;
};
struct ChartSeries {
  std::string name;               // recipe: colour and marker follow from it everywhere
  std::vector<Point> points;
};
struct Chart {
  enum class Kind { scatter, bar, line } kind = Kind::scatter;
  std::string id, title, caption, x_label, y_label;
  bool log_x = false, log_y = false;
  std::vector<ChartSeries> series;
};
struct Paragraph {
  std::string text;
};
struct Heading {
  int level = 2;
  std::string text;
};
using Block = std::variant<Heading, Paragraph, Table, Chart>;
struct Document {
  std::string title;
  std::string subtitle;
  std::vector<Block> blocks;
  std::vector<Run> runs;          // raw data appendix
};

/// The first run is the reference unless `reference_id` names another.
Document build_document(const Comparison& comparison);

/// The side-by-side table of precisions alone: the same rows, columns and texts on the command line and in every report.
Table build_precision_table(const Comparison& comparison);

}  // namespace phiscope::reports
