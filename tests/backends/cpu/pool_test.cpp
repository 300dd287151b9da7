#include "backends/cpu/pool.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>

namespace phiscope::cpu {
namespace {

TEST(Pool, DoesEveryPieceOnce) {
  for (const int threads : {1, 2, 5}) {
    Pool pool(threads);
    for (const int64_t count : {1, 7, 64, 1000}) {
      for (const int64_t grain : {1, 3, 2000}) {
        std::vector<std::atomic<int>> done(static_cast<size_t>(count));
        pool.run(count, grain, [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i) done[static_cast<size_t>(i)].fetch_add(1, std::memory_order_relaxed);
        });
        for (const auto& times : done) EXPECT_EQ(times.load(), 1) << threads << " threads, " << count << " by " << grain;
      }
    }
  }
}

TEST(Pool, PiecesDoNotDependOnWhoRunsThem) {
  const auto pieces = [](Pool& pool) {
    std::set<std::pair<int64_t, int64_t>> seen;
    std::mutex mutex;
    pool.run(103, 10, [&](int64_t begin, int64_t end, int) {
      const std::scoped_lock lock(mutex);
      seen.emplace(begin, end);
    });
    return seen;
  };
  Pool one(1), four(4);
  EXPECT_EQ(pieces(one), pieces(four));
}

TEST(Pool, ThreadsHaveTheirOwnNumbers) {
  Pool pool(4);
  std::vector<std::atomic<int>> users(4);
  std::atomic<bool> is_shared{false};
  pool.run(2000, 1, [&](int64_t, int64_t, int thread) {
    if (users[static_cast<size_t>(thread)].fetch_add(1) != 0) is_shared = true;
    users[static_cast<size_t>(thread)].fetch_sub(1);
  });
  EXPECT_FALSE(is_shared);
}

TEST(Pool, ResultsOfOneLoopAreSeenByTheNext) {
  Pool pool(3);
  std::vector<int64_t> values(500, 0);
  for (int round = 1; round <= 300; ++round) {
    pool.run(500, 7, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(499 - i)] += 1;
    });
    ASSERT_EQ(values[0], round);
    ASSERT_EQ(values[499], round);
  }
}

// More threads than processors: loops end although most threads do not run when they are called.
TEST(Pool, FinishesWithManyMoreThreadsThanProcessors) {
  Pool pool(24);
  int64_t total = 0;
  for (int round = 0; round < 200; ++round) {
    std::atomic<int64_t> sum{0};
    pool.run(96, 1, [&](int64_t begin, int64_t end, int) { sum += end - begin; });
    total += sum;
  }
  EXPECT_EQ(total, 200 * 96);
}

TEST(Pool, StopsWhileThreadsSpin) {
  for (int i = 0; i < 50; ++i) Pool pool(3);
}

}  // namespace
}  // namespace phiscope::cpu
