#include "core/store/store.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <new>
#include <thread>

#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/store/migrations.h"
#include "core/store/run_queries.h"
#include "core/store/sqlite_error.h"

namespace phiscope {
namespace {

using store::kBusyTimeoutMs;

constexpr uint32_t kApplicationId = 0x50686973;  // "Phis", at offset 68 of the file
constexpr size_t kHeaderBytes = 100;             // of every SQLite file
constexpr size_t kMinPrefix = 4;

/// Runs a function that may throw; what it throws becomes an error value.
template <class Function>
auto guarded(sqlite3* database, const std::filesystem::path& path, std::string_view doing, Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const SQLite::Exception& exception) {
    return fail(store::sqlite_error(exception, database, path, doing));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "{}: not enough memory while {}", path.string(), doing);
  }
}

struct FileState {
  bool is_new = true;         // absent or empty
  int version = 0;
};

uint32_t big_endian(const std::array<unsigned char, kHeaderBytes>& bytes, size_t at) {
  return (uint32_t{bytes[at]} << 24U) | (uint32_t{bytes[at + 1]} << 16U) | (uint32_t{bytes[at + 2]} << 8U) | uint32_t{bytes[at + 3]};
}

tl::unexpected<Error> newer_version(const std::filesystem::path& path, int version) {
  return fail(ErrorCode::unsupported,
              "{}: the database has schema version {}, this program knows versions up to {}; use a newer Phiscope or another place with --db",
              path.string(), version, store::current_schema_version());
}

// Looks at the file without SQLite, so that what is not ours, or newer than us, stays as it is to the last byte.
Result<FileState> inspect_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return FileState{};
  if (status.type() == std::filesystem::file_type::directory)
    return fail(ErrorCode::invalid_argument, "{}: is a folder, a database file was expected", path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::io, "{}: the database cannot be read; check its permissions or choose another place with --db", path.string());
  std::array<unsigned char, kHeaderBytes> header{};
  file.read(reinterpret_cast<char*>(header.data()), header.size());
  if (file.gcount() == 0) return FileState{};
  static constexpr std::string_view kMagic("SQLite format 3\0", 16);
  if (static_cast<size_t>(file.gcount()) < kHeaderBytes || !std::equal(kMagic.begin(), kMagic.end(), header.begin()))
    return fail(ErrorCode::invalid_file, "{}: is not a SQLite database; it was left as it is, choose another place with --db", path.string());
  if (big_endian(header, 68) != kApplicationId)
    return fail(ErrorCode::invalid_file, "{}: is a SQLite database of another program; it was left as it is, choose another place with --db",
                path.string());
  const auto version = static_cast<int>(big_endian(header, 60));
  if (version > store::current_schema_version()) return newer_version(path, version);
  return FileState{false, version};
}

int user_version(SQLite::Database& database) { return database.execAndGet("PRAGMA user_version").getInt(); }

void migrate(SQLite::Database& database) {
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  const auto steps = store::migrations();
  for (auto version = static_cast<size_t>(user_version(database)); version < steps.size(); ++version)
    database.exec(std::string(steps[version].sql));
  database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  database.exec(fmt::format("PRAGMA user_version = {}", steps.size()));
  transaction.commit();
}

// The switch needs the file for a moment alone and, unlike other statements, does not wait for it by itself.
void switch_to_wal(SQLite::Database& database) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBusyTimeoutMs);
  while (true) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (const SQLite::Exception& exception) {
      if ((exception.getErrorCode() & 0xff) != SQLITE_BUSY || std::chrono::steady_clock::now() > deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& character : result)
    if (character >= 'a' && character <= 'z') character = static_cast<char>(character - 'a' + 'A');
  return result;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(const std::filesystem::path& path, const std::string& name, int flags)
      : path_(path), database_(name, flags, kBusyTimeoutMs) {}

  sqlite3* handle() { return database_.getHandle(); }

  Status prepare_for_writing() {
    return guarded(handle(), path_, "opening it", [&]() -> Status {
      if (sqlite3_db_readonly(handle(), "main") == 1)
        return fail(ErrorCode::io, "{}: the database is read-only; make the file and its folder writable or choose another place with --db",
                    path_.string());
      PHISCOPE_TRY(check_version());
      database_.exec("PRAGMA foreign_keys = ON");
      if (user_version(database_) < store::current_schema_version()) migrate(database_);
      if (database_.execAndGet("PRAGMA journal_mode").getString() != "wal") switch_to_wal(database_);
      return {};
    });
  }

  Status prepare_for_reading() {
    return guarded(handle(), path_, "opening it", [&]() -> Status {
      PHISCOPE_TRY(check_version());
      const int version = user_version(database_);
      if (version < store::current_schema_version())
        return fail(ErrorCode::unsupported, "{}: the database has schema version {}, version {} is needed; open it once with write access",
                    path_.string(), version, store::current_schema_version());
      return {};
    });
  }

  Status save(const Run& run) override {
    PHISCOPE_ASSIGN(const std::vector<store::EncodedSeries> encoded, encode(run));
    return write("saving a run", [&]() -> Status {
      store::insert_run(database_, run, encoded);
      return {};
    });
  }

  Result<int64_t> add_missing(const std::vector<Run>& runs) override {
    std::vector<std::vector<store::EncodedSeries>> encoded;
    for (const Run& run : runs) {
      PHISCOPE_ASSIGN(encoded.emplace_back(), encode(run));
    }
    int64_t added = 0;
    PHISCOPE_TRY(write("importing runs", [&]() -> Status {
      for (size_t i = 0; i < runs.size(); ++i) {
        SQLite::Statement known(database_, "SELECT 1 FROM run WHERE run_id = ?");
        known.bind(1, runs[i].run_id);
        if (known.executeStep()) continue;
        store::insert_run(database_, runs[i], encoded[i]);
        ++added;
      }
      return {};
    }));
    return added;
  }

  Result<Run> load(std::string_view id) override {
    return guarded(handle(), path_, "reading a run", [&]() -> Result<Run> {
      SQLite::Transaction snapshot(database_);
      PHISCOPE_ASSIGN(const int64_t row, find_row(id));
      Run run = store::read_run(database_, row);
      store::read_samples(database_, row, run);
      store::read_series(database_, row, run);
      return run;
    });
  }

  Result<std::vector<Run>> list(const RunFilter& filter) override {
    return guarded(handle(), path_, "listing runs", [&]() -> Result<std::vector<Run>> {
      SQLite::Transaction snapshot(database_);
      SQLite::Statement rows(
          database_,
          "SELECT id FROM run WHERE (?1 = '' OR model = ?1) AND (?2 = '' OR recipe = ?2) AND (?3 = '' OR backend = ?3) "
          "AND (?4 = '' OR status = ?4) AND (?5 = '' OR instr(lower(run_id), lower(?5)) > 0 OR instr(lower(model), lower(?5)) > 0 "
          "OR instr(lower(recipe), lower(?5)) > 0 OR EXISTS (SELECT 1 FROM environment WHERE environment.run = run.id "
          "AND environment.key = 'tags' AND instr(lower(environment.value), lower(?5)) > 0)) "
          "ORDER BY started_at DESC, run_id DESC LIMIT ?6");
      rows.bind(1, filter.model);
      rows.bind(2, filter.recipe);
      rows.bind(3, filter.backend);
      rows.bind(4, filter.status);
      rows.bind(5, filter.text);
      rows.bind(6, filter.limit > 0 ? filter.limit : -1);
      std::vector<Run> runs;
      while (rows.executeStep()) runs.push_back(store::read_run(database_, rows.getColumn(0).getInt64()));
      return runs;
    });
  }

  Status remove(std::string_view id) override {
    return write("deleting a run", [&]() -> Status {
      PHISCOPE_ASSIGN(const int64_t row, find_row(id));
      SQLite::Statement statement(database_, "DELETE FROM run WHERE id = ?");
      statement.bind(1, row);
      statement.exec();
      return {};
    });
  }

  Status replace_metrics(std::string_view id, const std::vector<Metric>& metrics, const std::vector<MetricInfo>& infos) override {
    return write("replacing metrics", [&]() -> Status {
      PHISCOPE_ASSIGN(const int64_t row, find_row(id));
      store::delete_metrics(database_, row);
      store::insert_metrics(database_, row, metrics, infos);
      return {};
    });
  }

  int schema_version() override {
    const Result<int> version = guarded(handle(), path_, "reading its version", [&]() -> Result<int> { return user_version(database_); });
    return version.value_or(0);
  }

 private:
  Result<std::vector<store::EncodedSeries>> encode(const Run& run) const {
    if (run.run_id.empty()) return fail(ErrorCode::invalid_argument, "{}: a run without an id cannot be saved", path_.string());
    std::vector<store::EncodedSeries> encoded;
    encoded.reserve(run.series.size());
    for (const Series& series : run.series) {
      PHISCOPE_ASSIGN(encoded.emplace_back(), store::encode_series(series));
    }
    return encoded;
  }

  template <class Function>
  Status write(std::string_view doing, Function function) {
    return guarded(handle(), path_, doing, [&]() -> Status {
      SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
      PHISCOPE_TRY(function());
      transaction.commit();
      return {};
    });
  }

  // The header was checked before; a log beside the file may hold a newer one.
  Status check_version() {
    const int version = user_version(database_);
    if (version <= store::current_schema_version()) return {};
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return newer_version(path_, version);
  }

  Result<int64_t> find_newest(std::string_view id) {
    int back = 0;
    if (id != "last") {
      const std::string_view digits = id.substr(5);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), back);
      if (error != std::errc() || end != digits.data() + digits.size() || back < 0)
        return fail(ErrorCode::invalid_argument, "'{}' is not a run; write last~N with a whole number N", id);
    }
    SQLite::Statement row(database_, "SELECT id FROM run ORDER BY started_at DESC, run_id DESC LIMIT 1 OFFSET ?");
    row.bind(1, back);
    if (row.executeStep()) return row.getColumn(0).getInt64();
    const int count = database_.execAndGet("SELECT count(*) FROM run").getInt();
    return fail(ErrorCode::not_found, "{}: there is no run '{}', the database holds {} runs", path_.string(), id, count);
  }

  Result<int64_t> find_row(std::string_view id) {
    if (id == "last" || id.substr(0, 5) == "last~") return find_newest(id);
    if (id.size() < kMinPrefix)
      return fail(ErrorCode::invalid_argument, "'{}' is too short for a run id; write at least {} characters, or last", id, kMinPrefix);
    const std::string wanted = upper(id);
    SQLite::Statement rows(database_, "SELECT id, run_id FROM run WHERE upper(substr(run_id, 1, length(?1))) = ?1 ORDER BY run_id DESC");
    rows.bind(1, wanted);
    std::vector<std::pair<int64_t, std::string>> found;
    while (rows.executeStep()) {
      found.emplace_back(rows.getColumn(0).getInt64(), rows.getColumn(1).getString());
      if (upper(found.back().second) == wanted) return found.back().first;
    }
    if (found.empty()) return fail(ErrorCode::not_found, "{}: there is no run '{}'; `phiscope runs list` shows those that exist", path_.string(), id);
    if (found.size() > 1)
      return fail(ErrorCode::invalid_argument, "'{}' is the beginning of {} runs, {} and {} among them; write more of it", id, found.size(),
                  found[0].second, found[1].second);
    return found.front().first;
  }

  std::filesystem::path path_;
  SQLite::Database database_;
};

Result<std::unique_ptr<SqliteStore>> connect(const std::filesystem::path& path, const std::string& name, int flags) {
  return guarded(nullptr, path, "opening it",
                 [&]() -> Result<std::unique_ptr<SqliteStore>> { return std::make_unique<SqliteStore>(path, name, flags); });
}

// A read-only folder cannot hold the log and its index; without a log the file alone is complete and nobody can change it.
std::string immutable_uri(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (unsigned char character : std::filesystem::absolute(path).string()) {
    if (character == '%' || character == '?' || character == '#')
      uri += fmt::format("%{:02X}", character);
    else
      uri += static_cast<char>(character);
  }
  return uri + "?immutable=1";
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& path) {
  PHISCOPE_TRY(inspect_file(path));
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error)
    return fail(ErrorCode::io, "{}: the folder cannot be created ({}); choose another place with --db", path.parent_path().string(),
                error.message());
  PHISCOPE_ASSIGN(auto result, connect(path, path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE));
  PHISCOPE_TRY(result->prepare_for_writing());
  return result;
}

Result<std::unique_ptr<Store>> Store::open_read_only(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const FileState state, inspect_file(path));
  if (state.is_new) return fail(ErrorCode::not_found, "{}: there is no database yet; `phiscope bench` makes one", path.string());
  PHISCOPE_ASSIGN(auto result, connect(path, path.string(), SQLite::OPEN_READONLY));
  const Status status = result->prepare_for_reading();
  if (status) return result;
  std::error_code ignored;
  const auto log_bytes = std::filesystem::file_size(path.string() + "-wal", ignored);
  const bool has_log = !ignored && log_bytes > 0;
  if (status.error().code != ErrorCode::io || has_log) return fail(status.error());
  PHISCOPE_ASSIGN(result, connect(path, immutable_uri(path), SQLite::OPEN_READONLY | SQLite::OPEN_URI));
  PHISCOPE_TRY(result->prepare_for_reading());
  return result;
}

std::filesystem::path Store::default_path() {
  const char* chosen = std::getenv("PHISCOPE_DB");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  return platform::user_data_folder() / "phiscope.db";
}

}  // namespace phiscope
