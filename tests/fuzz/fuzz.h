#pragma once
// What every fuzz target checks beside the absence of crashes.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace phiscope::fuzz {

/// Private memory that reading a file may take beside the file's own size.
inline constexpr size_t kMemoryBeside = size_t{64} << 20;

/// While it lives, more private C++ memory than `bytes` + kMemoryBeside ends the program, at the allocation that asks for it. One at a time.
class MemoryLimit {
 public:
  explicit MemoryLimit(size_t bytes);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  /// The most that was taken so far.
  static size_t peak();
};

/// Writes the input to a file of this name that only this process uses; overwritten by the next call.
std::filesystem::path as_file(const uint8_t* data, size_t size, const std::string& name);

/// Ends the program unless the error names `file`, blames it and not the program, and quotes only a piece of it.
void check_error(const Error& error, std::string_view file);

}  // namespace phiscope::fuzz

/// libFuzzer's entry, one per target.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
