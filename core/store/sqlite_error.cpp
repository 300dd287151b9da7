#include "core/store/sqlite_error.h"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <cerrno>
#include <system_error>

namespace phiscope::store {
namespace {

// The operating system's words where SQLite still has its error number.
std::string system_reason(sqlite3* database, const std::string& otherwise) {
  const int reason = database != nullptr ? sqlite3_system_errno(database) : 0;
  return reason != 0 ? std::generic_category().message(reason) : otherwise;
}

}  // namespace

Error sqlite_error(const SQLite::Exception& exception, sqlite3* database, const std::filesystem::path& path, std::string_view doing) {
  const std::string where = path.string();
  switch (exception.getErrorCode() & 0xff) {
    case SQLITE_FULL:
      return {ErrorCode::io, fmt::format("{}: the disk is full while {}; free some space or choose another place with --db", where, doing)};
    case SQLITE_READONLY:
      return {ErrorCode::io, fmt::format("{}: the database cannot be written while {}; make the file and its folder writable or choose "
                                         "another place with --db", where, doing)};
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return {ErrorCode::io, fmt::format("{}: the database cannot be opened while {} ({}); make the file and its folder writable or choose "
                                         "another place with --db", where, doing, system_reason(database, std::generic_category().message(EACCES)))};
    case SQLITE_IOERR:
      return {ErrorCode::io, fmt::format("{}: reading or writing failed while {} ({}); free some space or choose another place with --db",
                                         where, doing, system_reason(database, exception.getErrorStr()))};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::busy, fmt::format("{}: another process has held the database for more than {} s while {}; try again when it is done",
                                           where, kBusyTimeoutMs / 1000, doing)};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::invalid_file, fmt::format("{}: the database is damaged ({}) while {}; move it away, or recover it with "
                                                   "`sqlite3 FILE .recover`", where, exception.getErrorStr(), doing)};
    case SQLITE_NOMEM:
      return {ErrorCode::out_of_memory, fmt::format("{}: not enough memory while {}", where, doing)};
    default:
      return {ErrorCode::internal, fmt::format("{}: {} while {}", where, exception.what(), doing)};
  }
}

}  // namespace phiscope::store
