#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace phiscope {

/// A new ULID (github.com/ulid/spec): 26 characters, sorted by time, random within a millisecond and increasing within this process.
/// Thread-safe.
std::string make_ulid();
/// The same content at the same time gives the same ULID: for what is imported twice. Thread-safe.
std::string ulid_of(int64_t unix_milliseconds, std::string_view content);

}  // namespace phiscope
