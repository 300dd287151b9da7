#pragma once

namespace phiscope {

/// Of the program, as stored with every run and artifact.
inline constexpr const char* kVersion = "0.1.0";

}  // namespace phiscope
