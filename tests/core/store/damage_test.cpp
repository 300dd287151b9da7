#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/core/store/store_test_support.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

TEST(Damage, OfOneSeriesCostsThatSeriesOnlyAndIsSaid) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  const phiscope::Run run = example_run({});
  ASSERT_TRUE(open_store(path)->save(run).has_value());
  {
    SQLite::Database database(path.string(), SQLite::OPEN_READWRITE);
    SQLite::Statement statement(database, "UPDATE series SET data = substr(data, 1, length(data) - 20) || zeroblob(20) WHERE position = 3");
    ASSERT_EQ(statement.exec(), 1);
  }
  const auto store = open_store(path);
  const auto back = store->load("last");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->series.size(), run.series.size() - 1);
  EXPECT_EQ(back->samples.size(), run.samples.size());
  ASSERT_EQ(back->warnings.size(), 1U);
  EXPECT_EQ(back->warnings[0].id, "damaged_series");
  EXPECT_EQ(back->warnings[0].sentence.find("The series 'token_timeline' of 'decode_tokens_per_s@64' (item 0, repetition 3) was left out: "), 0U)
      << back->warnings[0].sentence;
}

TEST(Damage, InTheMiddleOfTheFileIsAnErrorAndNoCrash) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  ASSERT_TRUE(open_store(path)->save(example_run({})).has_value());
  const std::string whole = bytes_of(path);
  int errors = 0;
  for (size_t page = 1; page < whole.size() / 4096; ++page) {
    std::string damaged = whole;
    damaged.replace(page * 4096, 4096, std::string(4096, '\xA5'));
    const auto copy = folder / "damaged.db";
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(copy.string() + suffix);
    std::ofstream(copy, std::ios::binary) << damaged;
    const auto store = Store::open(copy);
    const auto run = store ? (*store)->load("last") : Result<phiscope::Run>(fail(store.error()));
    if (!run) {
      ++errors;
      EXPECT_TRUE(run.error().code == ErrorCode::invalid_file || run.error().code == ErrorCode::not_found) << run.error().message;
    }
  }
  EXPECT_GT(errors, 3);
}

}  // namespace
}  // namespace phiscope::test
