#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/files.h"
#include "core/bench/hidden_file.h"
#include "core/bench/series_file.h"
#include "tests/support/fixtures.h"

namespace phiscope::bench {
namespace {

TEST(SeriesFile, KeepsValuesBitForBit) {
  const test::TemporaryFolder folder;
  const double tiny = 4.9e-324, infinite = std::numeric_limits<double>::infinity();
  const std::vector<Series> series = {{"position_scores", "perplexity", 3, 1, {"id", "nll"}, {{1, 2, 3}, {tiny, infinite, -0.0}}},
                                      {"task_items", "", 0, 0, {"item"}, {{}}}};
  ASSERT_TRUE(write_series_file(folder / "s", series).has_value());
  const auto back = read_series_file(folder / "s");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].rows, series[0].rows);
  EXPECT_TRUE(std::signbit((*back)[0].rows[1][2]));
  EXPECT_EQ((*back)[0].item, 3);
  EXPECT_EQ((*back)[1].columns, series[1].columns);
}

TEST(SeriesFile, RefusesATruncatedFileNamingTheColumn) {
  const test::TemporaryFolder folder;
  const std::vector<Series> series = {{"k", "m", 0, 0, {"a", "b"}, {{1, 2}, {3, 4}}}};
  ASSERT_TRUE(write_series_file(folder / "s", series).has_value());
  const std::string content = *read_file(folder / "s");
  ASSERT_TRUE(write_file(folder / "s", content.substr(0, content.size() - 1)).has_value());
  const auto back = read_series_file(folder / "s");
  ASSERT_FALSE(back.has_value());
  EXPECT_EQ(back.error().code, ErrorCode::invalid_file);
  EXPECT_NE(back.error().message.find("column 'b'"), std::string::npos) << back.error().message;
}

TEST(HiddenFile, GivesBackTheRowsThatWereWritten) {
  const test::TemporaryFolder folder;
  const auto writer = HiddenWriter::create(folder / "h", 2, 3);
  ASSERT_TRUE(writer.has_value());
  const std::vector<float> first = {1, 2, 3}, second = {4, 5, 6};
  ASSERT_TRUE((*writer)->write(first).has_value());
  ASSERT_TRUE((*writer)->write(second).has_value());
  ASSERT_TRUE((*writer)->commit().has_value());
  const auto states = map_hidden(folder / "h", 2, 3);
  ASSERT_TRUE(states.has_value()) << states.error().message;
  EXPECT_EQ(std::vector<float>(states->values.begin(), states->values.end()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(HiddenFile, RefusesOtherSizesAndOtherFiles) {
  const test::TemporaryFolder folder;
  const auto writer = HiddenWriter::create(folder / "h", 1, 3);
  ASSERT_TRUE(writer.has_value());
  const std::vector<float> row = {1, 2, 3};
  ASSERT_TRUE((*writer)->write(row).has_value());
  ASSERT_TRUE((*writer)->commit().has_value());
  const auto states = map_hidden(folder / "h", 2, 3);
  ASSERT_FALSE(states.has_value());
  EXPECT_NE(states.error().message.find("holds 1 positions of width 3"), std::string::npos) << states.error().message;
  ASSERT_TRUE(write_file(folder / "other", std::string(76, 'x')).has_value());
  EXPECT_FALSE(map_hidden(folder / "other", 1, 3).has_value());
}

TEST(HiddenFile, IsAbsentUntilItIsComplete) {
  const test::TemporaryFolder folder;
  {
    const auto writer = HiddenWriter::create(folder / "h", 1, 3);
    ASSERT_TRUE(writer.has_value());
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "h"));
}

}  // namespace
}  // namespace phiscope::bench
