#include <cstdlib>
#include <cstring>
#include <new>

#include "core/base/platform/platform.h"
#include "core/tensor/dtype.h"

namespace phiscope {
namespace {

constexpr size_t kLine = 64;                       // cache line and the widest vector register
constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  const size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
  if (bytes > SIZE_MAX - alignment) throw std::bad_alloc();
  const size_t padded = (bytes + kLine - 1) / kLine * kLine;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, padded) != 0) throw std::bad_alloc();
  if (alignment == kHugePage) platform::prefer_huge_pages(memory, padded);
  data_.reset(static_cast<std::byte*>(memory));
}

AlignedBuffer AlignedBuffer::zeroed(size_t bytes) {
  AlignedBuffer buffer(bytes);
  if (bytes != 0) std::memset(buffer.data(), 0, bytes);
  return buffer;
}

void AlignedBuffer::Free::operator()(std::byte* memory) const { std::free(memory); }

}  // namespace phiscope
