// See intrinsics.h and tiles.h: the same unit with SIMDe's intrinsics and tiles in plain code, under another name.
#include "backends/cpu/kernels/amx/amx.cpp"
