#include "app/gui/view_models/plan_grid.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/quant/recipe.h"

namespace phiscope::gui {
namespace {

std::optional<double> median_seconds(const std::vector<Run>& runs, const std::string& model, const std::string& recipe, const std::string& backend,
                                     const std::string& suite) {
  std::vector<double> seconds;
  for (const Run& run : runs) {
    const bool is_same = run.model == model && run.recipe == recipe && run.backend == backend && run.suite == suite;
    if (is_same && run.status == RunStatus::done && run.seconds > 0) seconds.push_back(run.seconds);
  }
  if (seconds.empty()) return std::nullopt;
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

PlanCell make_cell(const session::BackendDescription& backend, const session::PrecisionSize* size, uint64_t available_bytes, int64_t context) {
  PlanCell cell;
  if (!backend.available.ok) return {false, backend.available.reason, 0, std::nullopt};
  if (size == nullptr) return cell;
  cell.memory_bytes = size->weight_bytes + size->kv_bytes_per_token * static_cast<uint64_t>(context);
  if (available_bytes > 0 && cell.memory_bytes > available_bytes) {
    cell.can_run = false;
    cell.reason = fmt::format("needs {}, {} are free on this machine", format_bytes(cell.memory_bytes), format_bytes(available_bytes));
  }
  return cell;
}

}  // namespace

PlanGrid make_plan_grid(const session::Snapshot& snapshot, const session::ShelfModel* model, const std::string& suite, uint64_t available_bytes,
                        int64_t context) {
  PlanGrid grid;
  for (const session::BackendDescription& backend : snapshot.backends) grid.backends.push_back(backend.name);
  for (const Recipe& recipe : builtin_recipes()) {
    PlanRow row;
    row.recipe = recipe.name;
    row.description = recipe.description;
    const session::PrecisionSize* size = nullptr;
    if (model != nullptr && model->report != nullptr)
      for (const session::PrecisionSize& one : model->report->sizes)
        if (one.recipe == recipe.name) size = &one;
    if (size != nullptr) row.bits_per_weight = size->bits_per_weight;
    for (const session::BackendDescription& backend : snapshot.backends) {
      PlanCell cell = make_cell(backend, size, available_bytes, context);
      if (model != nullptr) cell.seconds = median_seconds(*snapshot.runs, model->argument, recipe.name, backend.name, suite);
      row.cells.push_back(std::move(cell));
    }
    grid.rows.push_back(std::move(row));
  }
  return grid;
}

std::string estimated_time(const std::vector<const PlanCell*>& cells) {
  double seconds = 0;
  for (const PlanCell* cell : cells) {
    if (!cell->seconds) return "";
    seconds += *cell->seconds;
  }
  return cells.empty() ? "" : "about " + format_seconds(seconds);
}

}  // namespace phiscope::gui
