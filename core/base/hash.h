#pragma once
// Content hashes: XXH3 128 bits, 32 lower-case hex digits. For identity and caches, not for security.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace phiscope {

std::string hash_bytes(std::span<const std::byte> bytes);
std::string hash_text(std::string_view text);

/// Incremental form. Not thread-safe.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace phiscope
