#include "core/store/series_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/stats/random.h"

namespace phiscope::store {
namespace {

Series one_column(std::vector<double> values) { return {.kind = "k", .metric = "m", .columns = {"c"}, .rows = {std::move(values)}}; }

void expect_round_trip(const Series& series) {
  const auto encoded = encode_series(series);
  ASSERT_TRUE(encoded.has_value()) << encoded.error().message;
  Series back;
  const Status status = decode_series(*encoded, back);
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(back.columns, series.columns);
  ASSERT_EQ(back.rows.size(), series.rows.size());
  for (size_t column = 0; column < series.rows.size(); ++column) {
    ASSERT_EQ(back.rows[column].size(), series.rows[column].size());
    for (size_t row = 0; row < series.rows[column].size(); ++row)
      EXPECT_EQ(std::bit_cast<uint64_t>(back.rows[column][row]), std::bit_cast<uint64_t>(series.rows[column][row]));
  }
}

TEST(SeriesCodec, GivesBackTheSameBitsOfAwkwardNumbers) {
  using Limits = std::numeric_limits<double>;
  expect_round_trip(one_column({0.1, -0.0, 0.0, Limits::denorm_min(), Limits::max(), Limits::lowest(), Limits::infinity(), -Limits::infinity(),
                                Limits::quiet_NaN(), std::bit_cast<double>(uint64_t{0x7ff4000000000001}), 9007199254740992.0, 9007199254740993.0}));
  expect_round_trip(one_column({0, -1, 1, 9007199254740991.0, -9007199254740991.0, 63, 64, -64, -65}));
  expect_round_trip(one_column({-0.0, 1, 2}));
  expect_round_trip(one_column({0.5, 0.25, 1e-45, static_cast<double>(3.4028235e38F)}));
  expect_round_trip(one_column({}));
  expect_round_trip({.kind = "k", .metric = "m"});
}

TEST(SeriesCodec, GivesBackTheSameBitsOfRandomBits) {
  stats::Random random(5);
  for (int round = 0; round < 50; ++round) {
    Series series{.kind = "k", .metric = "m", .columns = {"a", "b", "c"}, .rows = {{}, {}, {}}};
    const uint32_t length = random.below(300);
    for (uint32_t row = 0; row < length; ++row) {
      series.rows[0].push_back(std::bit_cast<double>((uint64_t{random.next()} << 32U) | random.next()));
      series.rows[1].push_back(static_cast<double>(random.next()) - 2e9);
      series.rows[2].push_back(static_cast<double>(static_cast<float>(random.next()) / 3.0F));
    }
    expect_round_trip(series);
  }
}

TEST(SeriesCodec, KeepsATimelineOfNanosecondsSmall) {
  std::vector<double> times;
  stats::Random random(9);
  double now_ns = 812345678901234;
  for (int token = 0; token < 1000; ++token) times.push_back(now_ns += 4000000 + random.below(100000));
  const auto encoded = encode_series(one_column(times));
  ASSERT_TRUE(encoded.has_value());
  EXPECT_LT(encoded->data.size(), 4500U);  // 4 bytes a token instead of 8
}

TEST(SeriesCodec, RefusesColumnsThatDoNotMatch) {
  EXPECT_EQ(encode_series({.kind = "k", .metric = "m", .columns = {"a"}, .rows = {{1}, {2}}}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(encode_series({.kind = "k", .metric = "m", .columns = {"a", "b"}, .rows = {{1}, {2, 3}}}).error().code, ErrorCode::invalid_argument);
}

TEST(SeriesCodec, FindsEveryFlippedBit) {
  const auto encoded = encode_series(one_column({1, 2, 3, 4.5, 1e300}));
  ASSERT_TRUE(encoded.has_value());
  for (size_t at = 0; at < encoded->data.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      EncodedSeries damaged = *encoded;
      damaged.data[at] = static_cast<char>(damaged.data[at] ^ (1 << bit));
      Series back;
      const Status status = decode_series(damaged, back);
      // A bit that zstd does not use may leave the content whole; a changed content never passes.
      if (status) {
        EXPECT_EQ(back.rows[0], (std::vector<double>{1, 2, 3, 4.5, 1e300})) << at;
      }
    }
  }
}

TEST(SeriesCodec, RefusesEveryTruncationAndAWrongLength) {
  const auto encoded = encode_series(one_column({1, 2, 3, 4.5, 1e300}));
  ASSERT_TRUE(encoded.has_value());
  for (size_t length = 0; length < encoded->data.size(); ++length) {
    EncodedSeries damaged = *encoded;
    damaged.data.resize(length);
    Series back;
    EXPECT_FALSE(decode_series(damaged, back).has_value()) << length;
  }
  for (int64_t length : {int64_t{-1}, int64_t{0}, int64_t{4}, int64_t{6}, std::numeric_limits<int64_t>::max()}) {
    EncodedSeries damaged = *encoded;
    damaged.length = length;
    Series back;
    EXPECT_FALSE(decode_series(damaged, back).has_value()) << length;
  }
}

}  // namespace
}  // namespace phiscope::store
