#pragma once
// Runs as JSON: short for `bench`, `runs show`; whole for moving runs between machines.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.h"
#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope::session {

/// Null for absent and non-finite numbers.
Json number_or_null(const std::optional<double>& value);

/// Without samples: run_id, model, recipe, backend, suite, status, reason, requested, effective, environment, metrics, warnings.
Json run_to_json(const Run& run);
Json runs_to_json(const std::vector<Run>& runs);

/// Everything, "schema": "phiscope/runs/1"; import_runs(export_runs(r)) == r.
Json export_runs(const std::vector<Run>& runs);
/// Errors: invalid_file naming the run and the key.
Result<std::vector<Run>> import_runs(const Json& document, std::string_view where);

struct ImportedRuns {
  std::vector<Run> runs;
  std::vector<std::string> notices;
};
/// What `phiscope runs export` or llama-bench wrote, told apart by its beginning. Errors: invalid_file.
Result<ImportedRuns> read_runs(std::string_view text, std::string_view where);
/// One line a scalar: run_id,model,recipe,backend,kind,metric,item,repetition,value,unit,low,high; kind is sample or metric.
std::string export_csv(const std::vector<Run>& runs);

}  // namespace phiscope::session
