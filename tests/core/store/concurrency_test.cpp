#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include "core/stats/random.h"
#include "tests/core/store/store_test_support.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

std::unique_ptr<Child> start_writer(const std::filesystem::path& path, int first, int count) {
  return std::make_unique<Child>([=](int descriptor) {
    auto store = Store::open(path);
    if (!store) return 1;
    for (int number = first; number < first + count; ++number) {
      if (!(*store)->save(example_run({.run_id = test_run_id(number), .repetitions = 3, .items = 20}))) return 2;
      if (::write(descriptor, "s", 1) != 1) return 3;
    }
    return 0;
  });
}

TEST(TwoProcesses, ThatCreateAndWriteAtOnceLoseNothing) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  constexpr int kRuns = 25;
  const auto a = start_writer(path, 0, kRuns);
  const auto b = start_writer(path, kRuns, kRuns);
  EXPECT_EQ(a->wait(), 0);
  EXPECT_EQ(b->wait(), 0);
  const auto store = open_store(path);
  EXPECT_EQ(store->list({})->size(), 2U * kRuns);
  for (int number = 0; number < 2 * kRuns; ++number) {
    const auto run = store->load(test_run_id(number));
    ASSERT_TRUE(run.has_value()) << run.error().message;
    expect_equal_runs(example_run({.run_id = test_run_id(number), .repetitions = 3, .items = 20}), *run);
  }
}

TEST(FourProcesses, ThatOpenAnAbsentDatabaseAtOnceAllSucceed) {
  for (int round = 0; round < 10; ++round) {
    const TemporaryFolder folder;
    const auto path = folder / "a.db";
    std::vector<std::unique_ptr<Child>> children;
    for (int child = 0; child < 4; ++child) children.push_back(start_writer(path, child, 1));
    for (const auto& child : children) EXPECT_EQ(child->wait(), 0);
    EXPECT_EQ(open_store(path)->list({})->size(), 4U);
  }
}

TEST(Kill, InTheMiddleOfAWriteLeavesADatabaseThatOpensWithEveryFinishedRun) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  stats::Random random(2026);
  size_t finished = 0;
  int first = 0;
  for (int round = 0; round < 15; ++round) {
    const auto writer = start_writer(path, first, 1000);
    // Round 0 is killed while it makes the database; later ones after one to three whole runs and then somewhere inside the next.
    const size_t whole = round == 0 ? 0 : 1 + random.below(3);
    size_t saved = writer->read(whole).size();
    const timespec pause{0, static_cast<long>(random.below(6000)) * 1000};
    ::nanosleep(&pause, nullptr);  // the time of the kill is what is tested
    writer->kill();
    EXPECT_EQ(writer->wait(), -9);
    saved += writer->read_all().size();
    const auto store = open_store(path);
    ASSERT_NE(store, nullptr);
    for (size_t number = 0; number < saved; ++number)
      EXPECT_TRUE(store->load(test_run_id(first + static_cast<int>(number))).has_value()) << number;
    // Every run that is there is there as a whole, said or not.
    const auto all = store->list({}).value();
    for (const auto& listed : all) {
      if (listed.run_id < test_run_id(first)) continue;
      const auto run = store->load(listed.run_id);
      ASSERT_TRUE(run.has_value()) << run.error().message;
      expect_equal_runs(example_run({.run_id = listed.run_id, .repetitions = 3, .items = 20}), *run);
    }
    finished += saved;
    first += 1000;
    EXPECT_GE(store->list({})->size(), finished);
    SQLite::Database database(path.string());
    EXPECT_EQ(database.execAndGet("PRAGMA integrity_check").getString(), "ok");
    finished = store->list({})->size();  // a run may be whole though its writer died before it could say so
  }
  EXPECT_GT(finished, 15U);
}

TEST(Busy, ARunningWriterDoesNotBlockReaders) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  ASSERT_TRUE(open_store(path)->save(example_run({})).has_value());
  SQLite::Database writer(path.string(), SQLite::OPEN_READWRITE);
  writer.exec("BEGIN IMMEDIATE; DELETE FROM run");
  const auto store = open_store(path);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->list({})->size(), 1U);
  writer.exec("ROLLBACK");
}

}  // namespace
}  // namespace phiscope::test
