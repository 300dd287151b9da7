#pragma once
// One elementwise loop, compiled for the baseline and for AVX2, chosen at run time. Own wrappers instead of target_clones: its resolvers
// run before the sanitizers are ready. AVX2 without FMA: results have the same bits as the baseline's.
//
//   PHISCOPE_LOOP void scale_loop(float* x, int64_t n, float s) { for (...) x[i] *= s; }
//   PHISCOPE_MULTIVERSION(scale, scale_loop, (float* x, int64_t n, float s), (x, n, s))   // defines void scale(float*, int64_t, float)

/// Marks the loop itself; it is inlined into each version.
#define PHISCOPE_LOOP static inline __attribute__((always_inline))

// PHISCOPE_BASELINE_ONLY leaves the AVX2 version out, for tests that compare the two.
#if defined(__x86_64__) && !defined(PHISCOPE_BASELINE_ONLY)
#define PHISCOPE_MULTIVERSION_RETURNING(type, name, loop, parameters, arguments)                 \
  __attribute__((target("avx2"))) static type name##_avx2 parameters { return loop arguments; } \
  static type name##_baseline parameters { return loop arguments; }                             \
  static type name parameters {                                                                 \
    static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;                           \
    return has_avx2 ? name##_avx2 arguments : name##_baseline arguments;                        \
  }                                                                                             \
  static_assert(true)
#else
#define PHISCOPE_MULTIVERSION_RETURNING(type, name, loop, parameters, arguments) \
  static type name parameters { return loop arguments; }                         \
  static_assert(true)
#endif
#define PHISCOPE_MULTIVERSION(name, loop, parameters, arguments) PHISCOPE_MULTIVERSION_RETURNING(void, name, loop, parameters, arguments)
