#pragma once
// The grid of precisions and backends that a person ticks: what each cell would need, and why one cannot run. No ImGui.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/session/snapshot.h"

namespace phiscope::gui {

struct PlanCell {
  bool can_run = true;
  std::string reason;                     // why not
  uint64_t memory_bytes = 0;              // weights and KV cache at the suite's context; 0 = not known
  std::optional<double> seconds;          // median of earlier runs of the same kind; empty = never measured
};
struct PlanRow {
  std::string recipe, description;
  double bits_per_weight = 0;
  std::vector<PlanCell> cells;            // one per backend
};
struct PlanGrid {
  std::vector<std::string> backends;
  std::vector<PlanRow> rows;
};

/// `model` may be null (nothing chosen). `available_bytes` is the machine's free memory; `context` the tokens that a suite keeps.
PlanGrid make_plan_grid(const session::Snapshot& snapshot, const session::ShelfModel* model, const std::string& suite, uint64_t available_bytes,
                        int64_t context);

/// "about 2 min" over the chosen cells; empty when one of them was never measured.
std::string estimated_time(const std::vector<const PlanCell*>& cells);

}  // namespace phiscope::gui
