#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "core/base/files.h"
#include "core/base/platform/platform.h"
#include "tests/core/base/platform/child_program.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

constexpr uint64_t kBlock = uint64_t{32} << 20;

// A sanitizer's shadow makes resident memory grow by more than was asked for, so only lower bounds are checked.
TEST(ProcessMemory, SeesPrivateMemoryGrow) {
  const auto before = *platform::process_memory();
  std::vector<char> block(kBlock, 1);
  const auto after = *platform::process_memory();
  EXPECT_GE(after.anonymous, before.anonymous + kBlock * 9 / 10);
  EXPECT_GE(after.resident, after.anonymous);
  EXPECT_GE(after.peak_resident, after.resident);
  EXPECT_EQ(block[kBlock / 2], 1);
}

TEST(ProcessMemory, TellsMappedFilesFromPrivateMemory) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "f", std::string(kBlock, 'x')));
  const auto file = *MappedFile::open(folder / "f");
  const auto before = *platform::process_memory();
  size_t sum = 0;
  for (size_t i = 0; i < kBlock; i += 512) sum += static_cast<size_t>(file->bytes()[i]);
  const auto touched = *platform::process_memory();
  EXPECT_EQ(sum, kBlock / 512 * 'x');
  EXPECT_GE(touched.file_backed, before.file_backed + kBlock * 9 / 10);
  file->drop(0, kBlock);
  EXPECT_LE(platform::process_memory()->file_backed, touched.file_backed - kBlock * 9 / 10);
}

TEST(ProcessMemory, CountsProportionalMemoryOnlyWhenAsked) {
  EXPECT_EQ(platform::process_memory(0, false)->proportional, 0u);
  EXPECT_GT(platform::process_memory(0, true)->proportional, 0u);
}

TEST(ProcessMemory, ReadsOtherProcessesAndSaysWhenTheyAreGone) {
  const auto child = *test::start_child({"silent"});
  EXPECT_GT(platform::process_memory(child->process_id())->resident, 0u);
  const int id = child->process_id();
  child->wait(0);
  const auto gone = platform::process_memory(id);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::not_found);
}

// Straight from the kernel: a sanitizer's allocator keeps what was freed.
TEST(ResetPeakResident, ForgetsWhatWasFreed) {
  void* block = ::mmap(nullptr, kBlock * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(block, MAP_FAILED);
  std::memset(block, 1, kBlock * 4);
  ASSERT_GE(platform::process_memory()->peak_resident, kBlock * 4);
  ASSERT_EQ(::munmap(block, kBlock * 4), 0);
  const uint64_t peak = platform::process_memory()->peak_resident;
  if (const Status reset = platform::reset_peak_resident(); !reset) GTEST_SKIP() << reset.error().message;
  EXPECT_LT(platform::process_memory()->peak_resident, peak);
}

TEST(SystemMemory, HasLessAvailableThanInAll) {
  const auto memory = platform::system_memory();
  EXPECT_GT(memory.total, uint64_t{64} << 20);
  EXPECT_GT(memory.available, 0u);
  EXPECT_LE(memory.available, memory.total);
}

}  // namespace
}  // namespace phiscope
