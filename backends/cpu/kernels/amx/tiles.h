#pragma once
// Tile instructions (AMX), or their twins in plain code for tests on machines without them (PHISCOPE_SIMDE). Included only by amx.cpp.
// Source of the semantics: Intel SDM volume 2, LDTILECFG, TDPBF16PS, TDPBSSD, TDPBSUD.

#include <cstddef>
#include <cstdint>

namespace phiscope::cpu {
namespace {

/// The memory operand of ldtilecfg.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

}  // namespace
}  // namespace phiscope::cpu

#if defined(PHISCOPE_SIMDE)

namespace phiscope::cpu {
namespace {

struct TileTwins {
  TileConfig config;
  alignas(64) std::byte data[8][1024];
};
thread_local TileTwins tile_twins;

inline void load_tile(int t, const void* from, int64_t stride) {
  for (int row = 0; row < tile_twins.config.rows[t]; ++row) {
    __builtin_memcpy(tile_twins.data[t] + 64 * row, static_cast<const std::byte*>(from) + row * stride, tile_twins.config.row_bytes[t]);
  }
}
inline void store_tile(int t, void* to, int64_t stride) {
  for (int row = 0; row < tile_twins.config.rows[t]; ++row) {
    __builtin_memcpy(static_cast<std::byte*>(to) + row * stride, tile_twins.data[t] + 64 * row, tile_twins.config.row_bytes[t]);
  }
}
inline void clear_tile(int t) { __builtin_memset(tile_twins.data[t], 0, 1024); }

/// c[m][n] += sum of a[m][4 k + i] * b[k][4 n + i].
template <class B>
void dot_tiles(int c, int a, int b) {
  for (int m = 0; m < tile_twins.config.rows[c]; ++m) {
    for (int n = 0; n < tile_twins.config.row_bytes[c] / 4; ++n) {
      int32_t sum;
      __builtin_memcpy(&sum, tile_twins.data[c] + 64 * m + 4 * n, 4);
      for (int k = 0; k < tile_twins.config.row_bytes[a]; ++k) {
        sum += static_cast<int8_t>(tile_twins.data[a][64 * m + k]) * static_cast<B>(tile_twins.data[b][64 * (k / 4) + 4 * n + k % 4]);
      }
      __builtin_memcpy(tile_twins.data[c] + 64 * m + 4 * n, &sum, 4);
    }
  }
}

inline float half_at(const std::byte* p) {
  uint16_t bits;
  __builtin_memcpy(&bits, p, 2);
  return bf16_to_f32(bits);
}
inline void dot_half_tiles(int c, int a, int b) {
  for (int m = 0; m < tile_twins.config.rows[c]; ++m) {
    for (int n = 0; n < tile_twins.config.row_bytes[c] / 4; ++n) {
      float sum;
      __builtin_memcpy(&sum, tile_twins.data[c] + 64 * m + 4 * n, 4);
      for (int k = 0; k < tile_twins.config.row_bytes[a] / 2; ++k) {
        sum += half_at(tile_twins.data[a] + 64 * m + 2 * k) * half_at(tile_twins.data[b] + 64 * (k / 2) + 4 * n + 2 * (k % 2));
      }
      __builtin_memcpy(tile_twins.data[c] + 64 * m + 4 * n, &sum, 4);
    }
  }
}

}  // namespace
}  // namespace phiscope::cpu

#define PHISCOPE_TILE_CONFIGURE(wanted) (tile_twins.config = (wanted))
#define PHISCOPE_TILE_RELEASE() (void)0
#define PHISCOPE_TILE_LOAD(t, p, stride) load_tile(t, p, stride)
#define PHISCOPE_TILE_STORE(t, p, stride) store_tile(t, p, stride)
#define PHISCOPE_TILE_CLEAR(t) clear_tile(t)
#define PHISCOPE_TILE_DOT_S8S8(c, a, b) dot_tiles<int8_t>(c, a, b)
#define PHISCOPE_TILE_DOT_S8U8(c, a, b) dot_tiles<uint8_t>(c, a, b)
#define PHISCOPE_TILE_DOT_BF16(c, a, b) dot_half_tiles(c, a, b)

#else

#define PHISCOPE_TILE_CONFIGURE(wanted) _tile_loadconfig(&(wanted))
#define PHISCOPE_TILE_RELEASE() _tile_release()
#define PHISCOPE_TILE_LOAD(t, p, stride) _tile_loadd(t, p, stride)
#define PHISCOPE_TILE_STORE(t, p, stride) _tile_stored(t, p, stride)
#define PHISCOPE_TILE_CLEAR(t) _tile_zero(t)
#define PHISCOPE_TILE_DOT_S8S8(c, a, b) _tile_dpbssd(c, a, b)
#define PHISCOPE_TILE_DOT_S8U8(c, a, b) _tile_dpbsud(c, a, b)
#define PHISCOPE_TILE_DOT_BF16(c, a, b) _tile_dpbf16ps(c, a, b)

#endif
