// What users may rely on: names, columns and their order (interface.md section 6).
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <gtest/gtest.h>

#include "tests/core/store/store_test_support.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

std::string columns_of(SQLite::Database& database, const std::string& view) {
  SQLite::Statement statement(database, "SELECT * FROM " + view);
  std::string names;
  for (int i = 0; i < statement.getColumnCount(); ++i) names += std::string(i > 0 ? ", " : "") + statement.getColumnName(i);
  return names;
}

TEST(Views, HaveTheColumnsOfTheInterface) {
  const TemporaryFolder folder;
  open_store(folder / "a.db");
  SQLite::Database database((folder / "a.db").string());
  EXPECT_EQ(columns_of(database, "runs"),
            "run_id, started_at, model, model_hash, recipe, backend, suite, status, reason, threads, device, requested, effective, app_version");
  EXPECT_EQ(columns_of(database, "metrics"), "run_id, metric, value, unit, direction, n, low, high");
  EXPECT_EQ(columns_of(database, "samples"), "run_id, metric, item, repetition, value");
  EXPECT_EQ(columns_of(database, "environments"), "run_id, key, value");
  EXPECT_EQ(columns_of(database, "disturbed_samples"), "run_id, metric, item, repetition, value, mark, is_replaced");
}

TEST(Views, ShowTheNumbersOfTheRun) {
  const TemporaryFolder folder;
  const phiscope::Run run = example_run({});
  ASSERT_TRUE(open_store(folder / "a.db")->save(run).has_value());
  SQLite::Database database((folder / "a.db").string());
  SQLite::Statement metric(database, "SELECT value, unit, direction, n FROM metrics WHERE run_id = ? AND metric = 'decode_tokens_per_s@64d512'");
  metric.bind(1, run.run_id);
  ASSERT_TRUE(metric.executeStep());
  EXPECT_EQ(metric.getColumn(0).getDouble(), *run.find_metric("decode_tokens_per_s@64d512")->value);
  EXPECT_EQ(metric.getColumn(1).getString(), "tok/s");
  EXPECT_EQ(metric.getColumn(2).getString(), "higher");
  EXPECT_EQ(metric.getColumn(3).getInt(), 10);
  EXPECT_EQ(database.execAndGet("SELECT count(*) FROM samples").getInt(), static_cast<int>(run.samples.size()));
  EXPECT_EQ(database.execAndGet("SELECT value FROM environments WHERE key = 'convention.chunk'").getString(), "512");
  EXPECT_EQ(database.execAndGet("SELECT status FROM runs").getString(), "done");
}

TEST(Views, LeaveOutWhatWasMeasuredAgainAndShowItAsDisturbed) {
  const TemporaryFolder folder;
  phiscope::Run run;
  run.run_id = test_run_id(1);
  run.samples = {{"decode_tokens_per_s@64", 0, 0, 100}, {"decode_tokens_per_s@64", 0, 1, 50, "waited 40 %"}, {"decode_tokens_per_s@64", 0, 1, 101},
                 {"decode_tokens_per_s@64", 0, 2, 60, "steal 9 %"}};
  const auto store = open_store(folder / "a.db");
  ASSERT_TRUE(store->save(run).has_value());
  expect_equal_runs(run, store->load("last").value());
  SQLite::Database database((folder / "a.db").string());
  EXPECT_EQ(database.execAndGet("SELECT group_concat(value, ' ') FROM samples").getString(), "100.0 101.0 60.0");
  EXPECT_EQ(database.execAndGet("SELECT group_concat(mark || ' ' || is_replaced, ', ') FROM disturbed_samples").getString(),
            "waited 40 % 1, steal 9 % 0");
}

TEST(Views, KeepTheDatabaseConsistentWhenARunIsRemoved) {
  const TemporaryFolder folder;
  const auto store = open_store(folder / "a.db");
  ASSERT_TRUE(store->save(example_run({})).has_value());
  ASSERT_TRUE(store->remove("last").has_value());
  SQLite::Database database((folder / "a.db").string());
  for (const char* table : {"run", "metric", "metric_info", "sample", "series", "warning", "environment"})
    EXPECT_EQ(database.execAndGet(std::string("SELECT count(*) FROM ") + table).getInt(), 0) << table;
}

TEST(Database, UsesWriteAheadLoggingAndNamesItsApplication) {
  const TemporaryFolder folder;
  const auto store = open_store(folder / "a.db");
  EXPECT_EQ(store->schema_version(), 2);
  SQLite::Database database((folder / "a.db").string());
  EXPECT_EQ(database.execAndGet("PRAGMA journal_mode").getString(), "wal");
  EXPECT_EQ(database.execAndGet("PRAGMA application_id").getInt(), 0x50686973);
  EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), 2);
}

}  // namespace
}  // namespace phiscope::test
