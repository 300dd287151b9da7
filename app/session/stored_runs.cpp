#include "app/session/stored_runs.h"

#include <algorithm>

namespace phiscope::session {
namespace {

std::string bench_id(const Run& run) {
  const auto found = run.environment.find("bench.id");
  return found == run.environment.end() ? run.run_id : found->second;
}

/// The runs of the newest bench, oldest first.
Result<std::vector<Run>> newest_bench(Store& store) {
  PHISCOPE_ASSIGN(const auto rows, store.list({}));
  if (rows.empty())
    return fail(ErrorCode::not_found, "the database has no runs yet; make some with: phiscope bench bundled:tiny-phi --recipe fp32,int8,int4");
  const std::string newest = bench_id(rows.front());
  std::vector<Run> runs;
  for (const Run& row : rows) {
    if (bench_id(row) != newest) continue;
    PHISCOPE_ASSIGN(Run run, store.load(row.run_id));
    runs.insert(runs.begin(), std::move(run));
  }
  return runs;
}

reports::Comparison compare_against(const std::vector<Run>& runs, const Run& reference, const reports::CompareOptions& options) {
  std::vector<Run> candidates;
  for (const Run& run : runs)
    if (run.run_id != reference.run_id) candidates.push_back(run);
  return reports::compare_runs(reference, candidates, options);
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const std::filesystem::path& db) { return Store::open(db.empty() ? Store::default_path() : db); }

Result<std::vector<Run>> load_runs(Store& store, const std::vector<std::string>& ids) {
  if (ids.empty()) return newest_bench(store);
  std::vector<Run> runs;
  for (const std::string& id : ids) {
    PHISCOPE_ASSIGN(Run run, store.load(id));
    const bool known = std::any_of(runs.begin(), runs.end(), [&](const Run& other) { return other.run_id == run.run_id; });
    if (!known) runs.push_back(std::move(run));
  }
  return runs;
}

reports::Comparison compare_with_default_reference(const std::vector<Run>& runs, const reports::CompareOptions& options) {
  const auto fp32 = std::find_if(runs.begin(), runs.end(), [](const Run& run) { return run.recipe == "fp32" && run.status == RunStatus::done; });
  const auto done = std::find_if(runs.begin(), runs.end(), [](const Run& run) { return run.status == RunStatus::done; });
  return compare_against(runs, fp32 != runs.end() ? *fp32 : done != runs.end() ? *done : runs.front(), options);
}

Result<reports::Comparison> compare_stored_runs(const std::filesystem::path& db, const std::vector<std::string>& ids,
                                                const std::string& reference, const reports::CompareOptions& options) {
  PHISCOPE_TRY(reports::check_options(options));
  PHISCOPE_ASSIGN(const auto store, open_store(db));
  PHISCOPE_ASSIGN(const auto runs, load_runs(*store, ids));
  if (reference.empty()) return compare_with_default_reference(runs, options);
  PHISCOPE_ASSIGN(const Run chosen, store->load(reference));
  return compare_against(runs, chosen, options);
}

}  // namespace phiscope::session
