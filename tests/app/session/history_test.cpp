#include "app/session/history.h"

#include <gmock/gmock.h>

#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::session {
namespace {

using testing::HasSubstr;

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() : store_(Store::open(folder_ / "a.db").value()) {}

  void save(int number, const std::string& recipe, double speed, const std::string& version) {
    phiscope::Run run = test::example_run({.recipe = recipe, .run_id = fmt::format("01JD{:022}", number),
                                 .started_at = fmt::format("2026-03-{:02}T12:00:00.000Z", number), .speed = speed, .seed = static_cast<uint64_t>(number)});
    run.app_version = version;
    run.series.clear();
    EXPECT_TRUE(store_->save(run).has_value());
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(HistoryTest, EachRunIsComparedWithTheOneBeforeItOnTheSameLine) {
  save(1, "int4", 1.0, "0.1.0");
  save(2, "int8", 0.5, "0.1.0");
  save(3, "int4", 1.0, "0.2.0");
  save(4, "int4", 0.9, "0.3.0");
  const auto rows = metric_history(*store_, "decode_tokens_per_s@64", {});
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  ASSERT_EQ(rows->size(), 4u);
  EXPECT_FALSE((*rows)[0].change.has_value());
  EXPECT_FALSE((*rows)[1].change.has_value());  // another recipe: a line of its own
  EXPECT_EQ((*rows)[2].compared_with, (*rows)[0].run.run_id);
  EXPECT_EQ((*rows)[2].change->verdict, reports::Verdict::same);
  EXPECT_EQ((*rows)[3].run.app_version, "0.3.0");
  EXPECT_EQ((*rows)[3].change->verdict, reports::Verdict::worse);
  EXPECT_EQ((*rows)[3].info.unit, "tok/s");
}

TEST_F(HistoryTest, ALimitKeepsTheNewest) {
  for (int i = 1; i <= 4; ++i) save(i, "int4", 1.0, "0.1.0");
  const auto rows = metric_history(*store_, "decode_tokens_per_s@64", {.limit = 2});
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[1].run.started_at, "2026-03-04T12:00:00.000Z");
}

TEST_F(HistoryTest, AMetricThatNoRunHasIsRefusedWithTheNearest) {
  EXPECT_THAT(metric_history(*store_, "x", {}).error().message, HasSubstr("no stored run has metrics"));
  save(1, "int4", 1.0, "0.1.0");
  EXPECT_THAT(metric_history(*store_, "decode_tokens_per_s@65", {}).error().message, HasSubstr("did you mean 'decode_tokens_per_s@64'"));
}

}  // namespace
}  // namespace phiscope::session
