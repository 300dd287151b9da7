// The encoders of blocks of 32 once more, without their AVX2 versions, under other names.

#define PHISCOPE_BASELINE_ONLY
#define encode_q4_0 encode_q4_0_baseline
#define encode_q4_1 encode_q4_1_baseline
#define encode_q5_0 encode_q5_0_baseline
#define encode_q5_1 encode_q5_1_baseline
#define encode_q8_0 encode_q8_0_baseline
#include "core/quant/block_encoders.cpp"
