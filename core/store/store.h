#pragma once
// SQLite: every run with its samples. One writer connection per Store; two processes may write at once (WAL, busy timeout).

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope {

struct RunFilter {
  std::string model{}, recipe{}, backend{}, status{}, text{};  // empty = any; text matches anywhere in id, model, recipe, tags
  int limit = 0;                                     // 0 = all; newest first
};

/// Not thread-safe: one object per thread.
class Store {
 public:
  /// Opens or creates; runs missing migrations in one transaction. Errors: unsupported for a database of a newer version (left untouched, the
  /// sentence names both versions); io with the reason (read-only, full disk); invalid_file when it is not a Phiscope database; busy.
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& path);
  static Result<std::unique_ptr<Store>> open_read_only(const std::filesystem::path& path);
  /// $PHISCOPE_DB or phiscope.db in the user data folder.
  static std::filesystem::path default_path();
  virtual ~Store() = default;

  /// One transaction: all of the run or nothing. Replaces a run with the same id (a running one that became done).
  virtual Status save(const Run& run) = 0;
  /// Adds the runs whose ids are not there yet, all in one transaction; those that are there stay as they are. Returns how many were added.
  virtual Result<int64_t> add_missing(const std::vector<Run>& runs) = 0;
  /// Everything of one run. `id` may be an unambiguous prefix of at least 4 characters, "last", or "last~N". Errors: not_found, invalid_argument
  /// (ambiguous).
  virtual Result<Run> load(std::string_view id) = 0;
  /// Without samples and series.
  virtual Result<std::vector<Run>> list(const RunFilter& filter) = 0;
  virtual Status remove(std::string_view id) = 0;
  /// Replaces the derived metrics of one run.
  virtual Status replace_metrics(std::string_view id, const std::vector<Metric>& metrics, const std::vector<MetricInfo>& infos) = 0;
  virtual int schema_version() = 0;
};

}  // namespace phiscope
