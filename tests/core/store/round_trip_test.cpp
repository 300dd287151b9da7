#include <gtest/gtest.h>

#include <limits>

#include "tests/core/store/store_test_support.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

TEST(StoreRoundTrip, GivesBackEveryFieldOfEveryExampleRun) {
  const TemporaryFolder folder;
  const std::vector<phiscope::Run> runs = example_runs();
  {
    const auto store = open_store(folder / "a.db");
    for (const auto& run : runs) ASSERT_TRUE(store->save(run).has_value());
  }
  const auto store = open_store(folder / "a.db");
  for (const auto& run : runs) {
    const auto back = store->load(run.run_id);
    ASSERT_TRUE(back.has_value()) << back.error().message;
    expect_equal_runs(run, *back);
  }
}

TEST(StoreRoundTrip, KeepsTheBitsOfAwkwardNumbersAndTexts) {
  using Limits = std::numeric_limits<double>;
  const TemporaryFolder folder;
  phiscope::Run run;
  run.run_id = test_run_id(1);
  run.reason = "quote ' semicolon ; newline \n \xF0\x9F\x98\x80 and no end";
  run.seconds = 0.1 + 0.2;
  for (double value : {0.1, 0.0, 1.0, -7.0, 5e-324, Limits::max(), Limits::infinity(), -Limits::infinity(), 9007199254740993.0, Limits::quiet_NaN()})
    run.samples.push_back({"m@1", 3, 4, value});
  run.samples.push_back({"m@1", 3, 4, 1.5});  // the same key twice is two samples
  run.metrics.push_back({.id = "m@1", .value = 1 / 3.0, .n = 10, .low = 1e-300, .high = Limits::infinity(), .version = 2});
  run.metrics.push_back({.id = "absent", .reason = "no counter on this machine"});
  run.environment["key'\n"] = "";
  const auto store = open_store(folder / "a.db");
  ASSERT_TRUE(store->save(run).has_value());
  const auto back = store->load("last");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  expect_equal_runs(run, *back);
}

TEST(StoreRoundTrip, TurnsAMetricThatIsNotANumberIntoOneWithoutAValue) {
  const TemporaryFolder folder;
  phiscope::Run run;
  run.run_id = test_run_id(1);
  run.metrics.push_back({.id = "perplexity", .value = std::numeric_limits<double>::quiet_NaN(), .n = 5});
  const auto store = open_store(folder / "a.db");
  ASSERT_TRUE(store->save(run).has_value());
  const auto back = store->load("last");
  ASSERT_TRUE(back.has_value());
  EXPECT_FALSE(back->metrics.at(0).value.has_value());
  EXPECT_EQ(back->metrics.at(0).reason, "the result is not a number");
}

TEST(StoreRoundTrip, ReplacesARunThatWasSavedBefore) {
  const TemporaryFolder folder;
  const auto store = open_store(folder / "a.db");
  phiscope::Run run = example_run({});
  run.status = RunStatus::failed;
  ASSERT_TRUE(store->save(run).has_value());
  run.status = RunStatus::done;
  run.samples.resize(3);
  run.series.clear();
  ASSERT_TRUE(store->save(run).has_value());
  const auto all = store->list({});
  ASSERT_TRUE(all.has_value());
  ASSERT_EQ(all->size(), 1U);
  const auto back = store->load(run.run_id);
  ASSERT_TRUE(back.has_value());
  expect_equal_runs(run, *back);
}

TEST(StoreRoundTrip, SavesNothingOfARunWithABrokenSeries) {
  const TemporaryFolder folder;
  const auto store = open_store(folder / "a.db");
  phiscope::Run run = example_run({});
  run.series.push_back({.kind = "broken", .metric = "m", .columns = {"a"}, .rows = {}});
  EXPECT_EQ(store->save(run).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(store->list({})->empty());
}

TEST(ReplaceMetrics, ChangesTheDerivedNumbersAndLeavesTheSamples) {
  const TemporaryFolder folder;
  const auto store = open_store(folder / "a.db");
  phiscope::Run run = example_run({});
  ASSERT_TRUE(store->save(run).has_value());
  run.metrics = {{.id = "perplexity", .value = 12.5, .n = 7, .version = 2}};
  run.metric_infos = {{.id = "perplexity", .version = 2, .label = "Perplexity"}};
  ASSERT_TRUE(store->replace_metrics(run.run_id, run.metrics, run.metric_infos).has_value());
  const auto back = store->load(run.run_id);
  ASSERT_TRUE(back.has_value());
  expect_equal_runs(run, *back);
  EXPECT_EQ(store->replace_metrics("01ZZ", {}, {}).error().code, ErrorCode::not_found);
}

TEST(Import, AddsWhatIsMissingAndLeavesTheRestAlone) {
  const TemporaryFolder folder;
  const auto store = open_store(folder / "a.db");
  phiscope::Run known = example_run({.run_id = test_run_id(1)});
  ASSERT_TRUE(store->save(known).has_value());
  phiscope::Run changed = known;
  changed.model = "another";
  const phiscope::Run fresh = example_run({.run_id = test_run_id(2)});
  EXPECT_EQ(store->add_missing({changed, fresh}).value(), 1);
  expect_equal_runs(known, store->load(test_run_id(1)).value());
  expect_equal_runs(fresh, store->load(test_run_id(2)).value());
  EXPECT_EQ(store->add_missing({changed, fresh}).value(), 0);
}

TEST(Import, IsAllOrNothing) {
  const TemporaryFolder folder;
  const auto store = open_store(folder / "a.db");
  phiscope::Run bad = example_run({.run_id = test_run_id(2)});
  bad.series.push_back({"token_timeline", "x", 0, 0, {"a", "b"}, {{1}}});  // a name without its column
  EXPECT_FALSE(store->add_missing({example_run({.run_id = test_run_id(1)}), bad}).has_value());
  EXPECT_TRUE(store->list({})->empty());
  bad = example_run({.run_id = test_run_id(2)});
  bad.status = static_cast<RunStatus>(77);  // stays "failed" in the file
  EXPECT_EQ(store->add_missing({example_run({.run_id = test_run_id(1)}), bad, example_run({.run_id = test_run_id(2)})}).value(), 2);  // once
}

TEST(OldDatabase, OfSchemaVersionOneStillOpensWithAllItsRuns) {
  const TemporaryFolder folder;
  const auto copy = folder / "version_1.db";
  std::filesystem::copy_file(source_path("tests/golden/store/version_1.db"), copy);
  std::filesystem::permissions(copy, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  const auto store = open_store(copy);
  ASSERT_NE(store, nullptr);
  const auto run = store->load("last");
  ASSERT_TRUE(run.has_value()) << run.error().message;
  EXPECT_EQ(run->recipe, "int4");
  EXPECT_EQ(run->series.size(), 20U);
  ASSERT_NE(run->find_metric("decode_tokens_per_s@64"), nullptr);
  EXPECT_EQ(run->find_metric("decode_tokens_per_s@64")->n, 10);
  EXPECT_TRUE(run->find_metric("decode_tokens_per_s@64")->value.has_value());
  EXPECT_EQ(store->list({})->size(), 2U);
  EXPECT_TRUE(store->save(example_run({.run_id = test_run_id(99)})).has_value());
}

}  // namespace
}  // namespace phiscope::test
