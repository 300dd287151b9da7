#pragma once
// A small generator with a fixed sequence on every platform, for resampling. Not for secrets.

#include <cstdint>

namespace phiscope::stats {

/// PCG32 (pcg-random.org, XSH RR 64/32), seeded through SplitMix64. Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed);
  uint32_t next();
  /// Uniform in [0, bound), bound > 0; Lemire's multiplication with rejection, so without bias.
  uint32_t below(uint32_t bound);

 private:
  uint64_t state_ = 0;
  uint64_t increment_ = 0;
};

}  // namespace phiscope::stats
