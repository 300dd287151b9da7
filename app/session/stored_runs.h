#pragma once
// Questions about stored runs, the same for the command line and the desktop application.

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"
#include "core/store/store.h"
#include "reports/compare/compare.h"

namespace phiscope::session {

/// `db` empty = the default database.
Result<std::unique_ptr<Store>> open_store(const std::filesystem::path& db);

/// Loads runs by id, prefix, last, last~N; without any, the runs of the newest bench (equal environment["bench.id"]).
/// Errors: not_found with the command that makes runs when there are none.
Result<std::vector<Run>> load_runs(Store& store, const std::vector<std::string>& ids);

/// The reference is `reference` (as in load_runs), else the first fp32 run that is done, else the first run.
Result<reports::Comparison> compare_stored_runs(const std::filesystem::path& db, const std::vector<std::string>& ids,
                                                const std::string& reference, const reports::CompareOptions& options = {});
reports::Comparison compare_with_default_reference(const std::vector<Run>& runs, const reports::CompareOptions& options = {});

}  // namespace phiscope::session
