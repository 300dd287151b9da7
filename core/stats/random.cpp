#include "core/stats/random.h"

namespace phiscope::stats {
namespace {

// Steele, Lea, Flood 2014: constants of SplitMix64.
uint64_t splitmix64(uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

constexpr uint64_t kMultiplier = 6364136223846793005U;  // of PCG's 64-bit LCG

}  // namespace

Random::Random(uint64_t seed) {
  state_ = splitmix64(seed);
  increment_ = splitmix64(seed) | 1U;
}

uint32_t Random::next() {
  const uint64_t old = state_;
  state_ = old * kMultiplier + increment_;
  const auto shifted = static_cast<uint32_t>(((old >> 18U) ^ old) >> 27U);
  const auto turn = static_cast<uint32_t>(old >> 59U);
  return (shifted >> turn) | (shifted << ((32U - turn) & 31U));
}

uint32_t Random::below(uint32_t bound) {
  uint64_t product = uint64_t{next()} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = (0U - bound) % bound;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * bound;
  }
  return static_cast<uint32_t>(product >> 32U);
}

}  // namespace phiscope::stats
