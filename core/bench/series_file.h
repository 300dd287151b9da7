#pragma once
// Series in a file, for the way from worker to parent: per series one JSON line (kind, metric, item, repetition, columns, rows), then the
// columns as little-endian f64. Values are kept bit for bit, infinities and NaN included.

#include <filesystem>
#include <span>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope::bench {

Status write_series_file(const std::filesystem::path& path, std::span<const Series> series);
/// Errors: not_found, invalid_file naming the offset.
Result<std::vector<Series>> read_series_file(const std::filesystem::path& path);

}  // namespace phiscope::bench
