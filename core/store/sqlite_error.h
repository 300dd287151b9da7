#pragma once
// SQLite's codes as sentences.

#include <filesystem>
#include <string_view>

#include "core/base/result.h"

struct sqlite3;
namespace SQLite {
class Exception;
}

namespace phiscope::store {

inline constexpr int kBusyTimeoutMs = 10000;

/// `database` may be null (it could not be opened); `doing` completes "while ...": "saving a run".
Error sqlite_error(const SQLite::Exception& exception, sqlite3* database, const std::filesystem::path& path, std::string_view doing);

}  // namespace phiscope::store
