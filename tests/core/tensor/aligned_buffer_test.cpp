#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "core/tensor/dtype.h"

namespace phiscope {
namespace {

TEST(AlignedBuffer, StartsOnACacheLineAndLargeOnesOnAHugePage) {
  AlignedBuffer small(100);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(small.data()) % 64, 0u);
  EXPECT_EQ(small.size(), 100u);
  EXPECT_EQ(small.as<float>().size(), 25u);
  AlignedBuffer large(size_t{2} << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large.data()) % (size_t{2} << 20), 0u);
}

TEST(AlignedBuffer, IsZeroOnRequest) {
  const AlignedBuffer buffer = AlignedBuffer::zeroed(1000);
  for (const std::byte value : buffer.as<std::byte>()) EXPECT_EQ(value, std::byte{0});
}

TEST(AlignedBuffer, IsEmptyAfterAMove) {
  AlignedBuffer first(64);
  std::byte* memory = first.data();
  AlignedBuffer second(std::move(first));
  EXPECT_EQ(second.data(), memory);
  EXPECT_EQ(first.size(), 0u);  // NOLINT(bugprone-use-after-move): the promise under test
  EXPECT_EQ(AlignedBuffer(0).data(), nullptr);
}

TEST(AlignedBuffer, RefusesSizesThatOverflow) {
  EXPECT_THROW(AlignedBuffer(std::numeric_limits<size_t>::max() - 10), std::bad_alloc);
}

}  // namespace
}  // namespace phiscope
