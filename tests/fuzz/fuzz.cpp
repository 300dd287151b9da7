#include "tests/fuzz/fuzz.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> taken{0}, most{0}, limit{SIZE_MAX};

[[noreturn]] void stop(const char* what, const std::string& detail) {
  std::fprintf(stderr, "fuzz: %s: %s\n", what, detail.c_str());
  std::abort();
}

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  const size_t now = taken += malloc_usable_size(memory);
  if (now > most) most = now;
  if (now > limit) {
    const size_t allowed = limit.exchange(SIZE_MAX);
    std::fprintf(stderr, "fuzz: more private memory than the file's size and 64 MB: above %zu bytes\n", allowed);
    std::abort();
  }
  return memory;
}

void release(void* memory) noexcept {
  if (memory == nullptr) return;
  taken -= malloc_usable_size(memory);
  std::free(memory);
}

void* aligned(size_t size, std::align_val_t alignment) {
  const auto step = static_cast<size_t>(alignment);
  return counted(std::aligned_alloc(step, (size + step - 1) / step * step));
}

}  // namespace

void* operator new(size_t size) { return counted(std::malloc(size == 0 ? 1 : size)); }
void* operator new[](size_t size) { return counted(std::malloc(size == 0 ? 1 : size)); }
void* operator new(size_t size, std::align_val_t alignment) { return aligned(size, alignment); }
void* operator new[](size_t size, std::align_val_t alignment) { return aligned(size, alignment); }
// std::stable_sort asks in this way.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return counted(std::malloc(size == 0 ? 1 : size)); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return counted(std::malloc(size == 0 ? 1 : size)); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { release(memory); }

namespace phiscope::fuzz {
namespace {

constexpr size_t kMaxSentence = 20000;  // a pattern of a tokenizer may be quoted whole

}  // namespace

MemoryLimit::MemoryLimit(size_t bytes) {
  most = taken.load();
  limit = taken + bytes + kMemoryBeside;
}

MemoryLimit::~MemoryLimit() { limit = SIZE_MAX; }

size_t MemoryLimit::peak() { return most; }

std::filesystem::path as_file(const uint8_t* data, size_t size, const std::string& name) {
  static const std::filesystem::path folder = [] {
    const char* memory = "/dev/shm";
    std::filesystem::path parent = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path().string();
    parent /= fmt::format("phiscope-fuzz-{}", ::getpid());
    std::filesystem::create_directories(parent);
    std::atexit([] { std::filesystem::remove_all(folder); });
    return parent;
  }();
  const std::filesystem::path path = folder / name;
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) stop("cannot write", path.string());
  return path;
}

void check_error(const Error& error, std::string_view file) {
  const std::string& message = error.message;
  if (error.code == ErrorCode::internal) stop("an error of the program, not of the file", message);
  if (message.find(file) == std::string::npos) stop("the error does not name the file", message);
  if (message.size() > kMaxSentence + file.size()) stop("the error quotes too much", message.substr(0, 200));
}

}  // namespace phiscope::fuzz
