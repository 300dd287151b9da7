#include "core/base/ulid.h"

#include <mutex>
#include <random>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/hash.h"

namespace phiscope {
namespace {

__extension__ using Uint128 = unsigned __int128;

constexpr int kRandomBits = 80;

Uint128 random_bits(int bits) {
  static std::random_device device;  // guarded by the caller's lock
  Uint128 value = 0;
  for (int have = 0; have < 128; have += 32) value = value << 32 | device();
  return value >> (128 - bits);
}

/// 26 Crockford base-32 digits, most significant first.
std::string encode(Uint128 value) {
  static constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string text(26, '0');
  for (size_t i = text.size(); i-- > 0; value >>= 5) text[i] = kDigits[static_cast<size_t>(value & 31)];
  return text;
}

}  // namespace

std::string make_ulid() {
  static std::mutex mutex;
  static Uint128 last = 0;
  const std::scoped_lock lock(mutex);
  const Uint128 fresh = Uint128(static_cast<uint64_t>(unix_ms())) << kRandomBits | random_bits(kRandomBits);
  // Within a millisecond, or when the wall clock was set back: a random step from the last one keeps the order and stays unguessable.
  last = fresh > last ? fresh : last + 1 + random_bits(32);
  return encode(last);
}

std::string ulid_of(int64_t unix_milliseconds, std::string_view content) {
  Uint128 value = 0;
  for (const char digit : hash_text(content)) value = value << 4 | static_cast<Uint128>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  return encode(Uint128(static_cast<uint64_t>(unix_milliseconds)) << kRandomBits | value >> (128 - kRandomBits));
}

}  // namespace phiscope
