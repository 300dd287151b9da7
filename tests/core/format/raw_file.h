#pragma once
// Safetensors files written byte by byte, damaged ones included.

#include <cstring>
#include <fstream>
#include <string>

#include "tests/support/fixtures.h"

namespace phiscope::test {

/// Length prefix + header + data.
inline std::string raw_safetensors(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

inline void write_raw(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace phiscope::test
