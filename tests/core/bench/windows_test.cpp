#include "core/bench/windows.h"

#include <gtest/gtest.h>

#include <numeric>

namespace phiscope::bench {
namespace {

std::vector<int32_t> counting(int64_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

TEST(Windows, FollowLlamaCppAndScoreTheSecondHalfOfContiguousChunks) {
  const auto windows = cut_windows(counting(1300), 512, 0, 0, std::nullopt);
  ASSERT_TRUE(windows.has_value()) << windows.error().message;
  ASSERT_EQ(windows->size(), 2u);
  EXPECT_EQ((*windows)[1].ids.front(), 512);
  EXPECT_EQ((*windows)[1].ids.size(), 512u);
  EXPECT_EQ((*windows)[0].first, 256);
  EXPECT_EQ((*windows)[0].last, 510);
  EXPECT_EQ((*windows)[0].positions(), 255);
}

TEST(Windows, ReplaceTheFirstIdOfEveryChunkByBos) {
  const auto windows = cut_windows(counting(64), 16, 0, 0, 999);
  ASSERT_TRUE(windows.has_value());
  for (const TextWindow& window : *windows) EXPECT_EQ(window.ids[0], 999);
  EXPECT_EQ((*windows)[1].ids[1], 17);
}

TEST(Windows, StridedOnesScoreEveryTokenButTheFirstExactlyOnce) {
  const auto text = counting(101);
  const auto windows = cut_windows(text, 32, 8, 0, std::nullopt);
  ASSERT_TRUE(windows.has_value());
  std::vector<int> scored(text.size(), 0);
  for (const TextWindow& window : *windows) {
    ASSERT_LE(window.ids.size(), 32u);
    for (int64_t i = window.first; i <= window.last; ++i) ++scored[static_cast<size_t>(window.ids[static_cast<size_t>(i + 1)])];
  }
  EXPECT_EQ(scored[0], 0);
  for (size_t i = 1; i < scored.size(); ++i) EXPECT_EQ(scored[i], 1) << "token " << i;
  EXPECT_EQ((*windows)[1].first, 32 - 8 - 1);
}

TEST(Windows, StrideOfAWholeChunkGivesNoTokenToScoreWithoutContext) {
  const auto windows = cut_windows(counting(64), 32, 32, 0, std::nullopt);
  ASSERT_TRUE(windows.has_value());
  ASSERT_EQ(windows->size(), 2u);
  EXPECT_EQ((*windows)[1].first, 0);
  EXPECT_EQ((*windows)[1].positions(), 31);
}

TEST(Windows, AreLimitedToTheFirstChunks) {
  const auto windows = cut_windows(counting(4096), 512, 0, 3, std::nullopt);
  ASSERT_TRUE(windows.has_value());
  EXPECT_EQ(windows->size(), 3u);
}

TEST(Windows, RefuseATextThatHoldsLessThanTwoChunksNamingBothNumbers) {
  const auto windows = cut_windows(counting(1023), 512, 0, 0, std::nullopt);
  ASSERT_FALSE(windows.has_value());
  EXPECT_EQ(windows.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(windows.error().message, "the text has 1023 tokens, two chunks of 512 need 1024; use a longer text or smaller chunks");
}

TEST(Windows, RefuseAStrideLongerThanTheChunk) {
  const auto windows = cut_windows(counting(100), 16, 17, 0, std::nullopt);
  ASSERT_FALSE(windows.has_value());
  EXPECT_NE(windows.error().message.find("stride of 17"), std::string::npos);
}

}  // namespace
}  // namespace phiscope::bench
