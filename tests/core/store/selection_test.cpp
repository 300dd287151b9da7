#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/core/store/store_test_support.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

phiscope::Run small_run(const std::string& id, const std::string& started_at, const std::string& recipe = "int8") {
  phiscope::Run run;
  run.run_id = id;
  run.started_at = started_at;
  run.model = "bundled:tiny-phi";
  run.recipe = recipe;
  run.backend = "cpu";
  return run;
}

class Selection : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = open_store(folder_ / "a.db");
    ASSERT_TRUE(store_->save(small_run("01JDAAAAAAAAAAAAAAAAAAAAA1", "2026-03-01T10:00:00.000Z", "fp32")).has_value());
    ASSERT_TRUE(store_->save(small_run("01JDAAAAAAAAAAAAAAAAAAAAB2", "2026-03-01T12:00:00.000Z", "int8")).has_value());
    ASSERT_TRUE(store_->save(small_run("01JDBBBBBBBBBBBBBBBBBBBBB3", "2026-03-01T11:00:00.000Z", "int4:g64")).has_value());
  }
  std::string recipe_of(std::string_view id) {
    const auto run = store_->load(id);
    return run ? run->recipe : std::string(error_code_name(run.error().code));
  }
  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(Selection, LastIsTheNewestByItsStartAndTildeCountsBack) {
  EXPECT_EQ(recipe_of("last"), "int8");
  EXPECT_EQ(recipe_of("last~0"), "int8");
  EXPECT_EQ(recipe_of("last~1"), "int4:g64");
  EXPECT_EQ(recipe_of("last~2"), "fp32");
  EXPECT_EQ(recipe_of("last~3"), "not_found");
  EXPECT_EQ(recipe_of("last~"), "invalid_argument");
  EXPECT_EQ(recipe_of("last~x"), "invalid_argument");
  EXPECT_EQ(recipe_of("last~-1"), "invalid_argument");
  EXPECT_EQ(recipe_of("last~99999999999"), "invalid_argument");
}

TEST_F(Selection, APrefixOfFourCharactersIsEnoughWhenOnlyOneRunHasIt) {
  EXPECT_EQ(recipe_of("01JDB"), "int4:g64");
  EXPECT_EQ(recipe_of("01jdb"), "int4:g64");
  EXPECT_EQ(recipe_of("01JDAAAAAAAAAAAAAAAAAAAAA1"), "fp32");
  EXPECT_EQ(recipe_of("01J"), "invalid_argument");
  EXPECT_EQ(recipe_of(""), "invalid_argument");
  EXPECT_EQ(recipe_of("01ZZ"), "not_found");
  EXPECT_EQ(recipe_of("01J%"), "not_found");
  EXPECT_EQ(recipe_of("____"), "not_found");
}

TEST_F(Selection, AnAmbiguousPrefixNamesTheRuns) {
  const auto run = store_->load("01JDA");
  ASSERT_FALSE(run.has_value());
  EXPECT_EQ(run.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(run.error().message,
            "'01JDA' is the beginning of 2 runs, 01JDAAAAAAAAAAAAAAAAAAAAB2 and 01JDAAAAAAAAAAAAAAAAAAAAA1 among them; write more of it");
}

TEST_F(Selection, ListsNewestFirstAndFilters) {
  const auto recipes = [this](const RunFilter& filter) {
    std::string text;
    const auto runs = store_->list(filter).value();
    for (const auto& run : runs) text += run.recipe + " ";
    return text;
  };
  EXPECT_EQ(recipes({}), "int8 int4:g64 fp32 ");
  EXPECT_EQ(recipes({.limit = 2}), "int8 int4:g64 ");
  EXPECT_EQ(recipes({.recipe = "int8"}), "int8 ");
  EXPECT_EQ(recipes({.backend = "reference"}), "");
  EXPECT_EQ(recipes({.text = "INT"}), "int8 int4:g64 ");
  EXPECT_EQ(recipes({.text = "bbb3"}), "int4:g64 ");
  EXPECT_EQ(recipes({.text = "%"}), "");
  EXPECT_EQ(recipes({.status = "failed"}), "");
}

TEST_F(Selection, RemoveDeletesOneRunWithAllItsRows) {
  ASSERT_TRUE(store_->remove("01JDB").has_value());
  EXPECT_EQ(recipe_of("01JDB"), "not_found");
  EXPECT_EQ(store_->list({})->size(), 2U);
  EXPECT_EQ(store_->remove("01JDB").error().code, ErrorCode::not_found);
}

TEST(DefaultPath, FollowsTheVariable) {
  ::setenv("PHISCOPE_DB", "/somewhere/else.db", 1);
  EXPECT_EQ(Store::default_path(), "/somewhere/else.db");
  ::unsetenv("PHISCOPE_DB");
  EXPECT_EQ(Store::default_path().filename(), "phiscope.db");
}

}  // namespace
}  // namespace phiscope::test
