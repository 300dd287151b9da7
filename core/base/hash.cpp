#include "core/base/hash.h"

#include <xxhash.h>

#include <array>
#include <new>

namespace phiscope {
namespace {

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

/// Canonical (big-endian) order, so that the digits equal those of `xxhsum -H2`.
std::string to_hex(XXH128_hash_t hash) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  std::string hex;
  hex.reserve(32);
  for (const unsigned char byte : canonical.digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

struct StateDeleter {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

std::string hash_bytes(std::span<const std::byte> bytes) { return to_hex(XXH3_128bits(bytes.data(), bytes.size())); }
std::string hash_text(std::string_view text) { return hash_bytes(as_bytes(text)); }

struct Hasher::State {
  std::unique_ptr<XXH3_state_t, StateDeleter> xxh{XXH3_createState()};
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  if (state_->xxh == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh.get());
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_128bits_update(state_->xxh.get(), bytes.data(), bytes.size());
}
void Hasher::update(std::string_view text) { update(as_bytes(text)); }
std::string Hasher::hex() const { return to_hex(XXH3_128bits_digest(state_->xxh.get())); }

}  // namespace phiscope
