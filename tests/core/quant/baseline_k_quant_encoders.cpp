// The encoders of k-quants once more, without their AVX2 versions, under other names.

#define PHISCOPE_BASELINE_ONLY
#define encode_q4_k encode_q4_k_baseline
#define encode_q5_k encode_q5_k_baseline
#define encode_q6_k encode_q6_k_baseline
#include "core/quant/k_quant_encoders.cpp"
