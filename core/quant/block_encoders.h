#pragma once
// Rows of floats to the blocks of a GGUF file: the encoders behind encode_blocks(). Internal to core/quant.
// row [columns], finite, columns a multiple of the block's values; out = whole blocks, no alignment needed. Each returns the first block
// whose scale does not fit f16, or -1. Same bits on every instruction set. Thread-safe.

#include <cstdint>

namespace phiscope {

// block_encoders.cpp: round to nearest, as ggml and gguf-py do
int64_t encode_q4_0(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q4_1(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q5_0(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q5_1(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q8_0(const float* row, int64_t columns, uint8_t* out);

// k_quant_encoders.cpp: search for the least squared error
int64_t encode_q4_k(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q5_k(const float* row, int64_t columns, uint8_t* out);
int64_t encode_q6_k(const float* row, int64_t columns, uint8_t* out);

}  // namespace phiscope
