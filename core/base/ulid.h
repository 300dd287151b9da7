#pragma once
#include <cstdint>
#include <string>

namespace phiscope {

/// A new ULID (github.com/ulid/spec): 26 characters, sorted by time, random within a millisecond and increasing within this process.
/// Thread-safe.
std::string make_ulid();

}  // namespace phiscope
