#pragma once
// Definition of 8-bit activations (ActivationMode::int8). Backends may fuse and vectorize it, the integers and scales must be these.
//
// It applies to the input of every matrix with an integer encoding (experts and the own head included); a matrix with a floating encoding and
// the reference's head multiply wide activations. Groups of 128 start at column 0 of each row; the last one may be shorter. x ~ scale * q.

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace phiscope {

inline constexpr int64_t kActivationGroup = 128;
/// Groups whose largest magnitude is below this are zero: 127 / amax must stay finite.
inline constexpr float kSmallestActivation = 1e-30f;

/// q = round half to even (x * (127 / amax)), -127..127; scale = amax / 127, all in f32. `values` and `codes` are one group, equally long.
/// Returns the scale; NaN (with codes 0) when a value is not finite, so that it stays visible.
inline float quantize_activation_group(std::span<const float> values, int8_t* codes) {
  float largest = 0;
  bool finite = true;
  for (const float value : values) {
    largest = std::fmax(largest, std::fabs(value));
    finite = finite && std::isfinite(value);
  }
  const float inverse = finite && largest >= kSmallestActivation ? 127.0f / largest : 0.0f;
  for (size_t i = 0; i < values.size(); ++i) codes[i] = inverse == 0 ? int8_t{0} : static_cast<int8_t>(std::nearbyint(values[i] * inverse));
  if (!finite) return std::numeric_limits<float>::quiet_NaN();
  return inverse == 0 ? 0.0f : largest / 127.0f;
}

}  // namespace phiscope
