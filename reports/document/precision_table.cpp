#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

struct Column {
  std::string header;
  std::string metric;           // id; empty = not a metric
  Direction direction = Direction::none;
  bool is_against_reference = false;  // the reference's own value is trivial and wins nothing
};

struct FamilyColumn {
  std::string_view family;
  std::string_view header;      // {} = shape
  bool is_against_reference;
};
// To add a column: a row, in the order shown. Tasks follow, one column each.
constexpr std::array kFamilies{
    FamilyColumn{"bits_per_weight", "Bits/weight", false},  FamilyColumn{"file_bytes", "File", false},
    FamilyColumn{"peak_rss_bytes", "Peak memory", false},   FamilyColumn{"prefill_tokens_per_s", "Prefill{} tok/s", false},
    FamilyColumn{"decode_tokens_per_s", "Decode{} tok/s", false}, FamilyColumn{"ttft_model_ms", "TTFT{} ms", false},
    FamilyColumn{"perplexity", "Perplexity", false},        FamilyColumn{"kld_mean", "KLD mean", true},
    FamilyColumn{"kld_p99", "KLD p99", true},               FamilyColumn{"same_top1", "Same top 1", true},
};

std::vector<Column> columns_of(const std::vector<Labelled>& runs) {
  std::vector<Column> columns;
  const auto add = [&](const std::string& id, const std::string& header, bool is_against_reference) {
    const MetricInfo* info = find_info(runs, id);
    columns.push_back({header, id, info != nullptr ? info->direction : Direction::none, is_against_reference});
  };
  for (const FamilyColumn& row : kFamilies) {
    const std::string id = main_metric_id(runs, row.family);
    if (id.empty()) continue;
    std::string header(row.header);
    const size_t place = header.find("{}");
    if (place != std::string::npos) header.replace(place, 2, id.substr(std::min(id.find('@'), id.size())));
    add(id, header, row.is_against_reference);
  }
  for (const std::string& id : metric_ids(runs, "task_accuracy")) add(id, id.substr(id.find(':') + 1), false);
  return columns;
}

// A candidate's number carries its verdict; a missing one its reason.
Cell cell_of(const Labelled& row, const Column& column) {
  Cell cell = metric_cell(*row.run, column.metric);
  if (!cell.value || row.comparison == nullptr) return cell;
  const MetricComparison* metric = row.comparison->find(column.metric);
  if (metric != nullptr) cell.note = verdict_note(*metric);
  return cell;
}

void mark_best(const std::vector<Labelled>& runs, const std::vector<Column>& columns, Table& table) {
  for (size_t c = 0; c < columns.size(); ++c) {
    const Column& column = columns[c];
    if (column.direction == Direction::none) continue;
    std::vector<Cell*> cells;
    for (size_t r = 0; r < runs.size(); ++r) {
      Cell& cell = table.rows[r][c + 1];
      const bool is_trivial = column.is_against_reference && runs[r].comparison == nullptr;
      if (cell.value && !is_trivial) cells.push_back(&cell);
    }
    if (cells.size() < 2) continue;
    double best = *cells.front()->value;
    for (const Cell* cell : cells) best = column.direction == Direction::higher ? std::max(best, *cell->value) : std::min(best, *cell->value);
    for (Cell* cell : cells) cell->best = *cell->value == best;
  }
}

std::string effective_text(const Run& run) {
  if (run.status == RunStatus::done) return run.effective;
  return fmt::format("{}: {}", run_status_name(run.status), run.reason);
}

std::string recipe_note(const Labelled& row) {
  if (row.run->status != RunStatus::done) return std::string(run_status_name(row.run->status));
  return row.comparison == nullptr ? "reference" : "";
}

}  // namespace

Table build_precision_table(const Comparison& comparison) {
  const std::vector<Labelled> runs = label_runs(comparison);
  const std::vector<Column> columns = columns_of(runs);
  Table table{.id = "precisions", .title = "Precisions side by side"};
  table.caption = fmt::format("Reference: {}. Best value of a column marked; each other value carries its verdict against the reference.",
                              runs.front().label);
  table.columns.push_back("Recipe");
  for (const Column& column : columns) table.columns.push_back(column.header);
  for (const Labelled& row : runs) {
    std::vector<Cell>& cells = table.rows.emplace_back();
    cells.push_back({.text = row.label, .note = recipe_note(row)});
    for (const Column& column : columns) cells.push_back(cell_of(row, column));
  }
  mark_best(runs, columns, table);
  return table;
}

Table build_effective_table(const Comparison& comparison) {
  Table table{.id = "effective", .title = "What ran"};
  table.columns = {"Recipe", "Effective precision"};
  for (const Labelled& row : label_runs(comparison)) table.rows.push_back({{.text = row.label}, {.text = effective_text(*row.run)}});
  return table;
}

}  // namespace phiscope::reports
