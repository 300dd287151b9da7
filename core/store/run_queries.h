#pragma once
// Rows of one run, in and out. These functions throw SQLite::Exception; the Store catches it.

#include <SQLiteCpp/Database.h>

#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"
#include "core/store/series_codec.h"

namespace phiscope::store {

/// Deletes a run with the same id, then inserts. `series` belongs to run.series, one each. Inside the caller's transaction.
void insert_run(SQLite::Database& database, const Run& run, const std::vector<EncodedSeries>& series);
void insert_metrics(SQLite::Database& database, int64_t row, const std::vector<Metric>& metrics, const std::vector<MetricInfo>& infos);
void delete_metrics(SQLite::Database& database, int64_t row);

/// All but samples and series.
Run read_run(SQLite::Database& database, int64_t row);
void read_samples(SQLite::Database& database, int64_t row, Run& run);
/// A damaged series is left out and named in a warning "damaged_series".
void read_series(SQLite::Database& database, int64_t row, Run& run);

}  // namespace phiscope::store
