#include "core/base/ulid.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/base/clock.h"

namespace phiscope {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

TEST(Ulid, BeginsWithTheTimeInMilliseconds) {
  const int64_t before = unix_ms();
  const std::string id = make_ulid();
  const int64_t after = unix_ms();
  ASSERT_EQ(id.size(), 26u);
  int64_t time = 0;
  for (size_t i = 0; i < 10; ++i) time = time * 32 + static_cast<int64_t>(kDigits.find(id[i]));
  EXPECT_GE(time, before);
  EXPECT_LE(time, after);
  EXPECT_EQ(id.find_first_not_of(kDigits), std::string::npos);
}

TEST(Ulid, IncreasesWithinAMillisecond) {
  std::string last = make_ulid();
  for (int i = 0; i < 5000; ++i) {
    std::string next = make_ulid();
    ASSERT_LT(last, next);
    last = std::move(next);
  }
}

TEST(Ulid, IsUniqueAmongThreads) {
  std::mutex mutex;
  std::set<std::string> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        std::string id = make_ulid();
        const std::scoped_lock lock(mutex);
        all.insert(std::move(id));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(all.size(), 2000u);
}

}  // namespace
}  // namespace phiscope
