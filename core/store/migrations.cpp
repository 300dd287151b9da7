#include "core/store/migrations.h"

namespace phiscope::store {
namespace {

constexpr Migration kMigrations[] = {
#include "migrations.inc"  // generated from migrations/*.sql
};

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }
int current_schema_version() { return static_cast<int>(std::size(kMigrations)); }

}  // namespace phiscope::store
