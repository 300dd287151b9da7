#pragma once
// The schema, step by step: migrations/NNN_<what>.sql, compiled in. Schema version N is what the first N steps make.

#include <span>
#include <string_view>

namespace phiscope::store {

struct Migration {
  std::string_view name;  // "001_runs.sql"
  std::string_view sql;
};
std::span<const Migration> migrations();
int current_schema_version();

}  // namespace phiscope::store
