#pragma once

namespace phiscope::stats {

inline constexpr double kNormal95 = 1.959963984540054;  // 97.5 % point of the standard normal distribution
inline constexpr double kPower80 = 2.8;                 // 1.96 + 0.84: two-sided 95 % test that finds an effect 80 times in 100

}  // namespace phiscope::stats
