// See intrinsics.h: the same unit with SIMDe's intrinsics, under another name.
#include "backends/cpu/kernels/avx512/avx512_bf16.cpp"
