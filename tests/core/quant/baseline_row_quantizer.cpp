// The row quantizer once more, without its AVX2 version, under other names.

#define PHISCOPE_BASELINE_ONLY
#define quantize_row quantize_row_baseline
#define add_errors add_errors_baseline
#include "core/quant/row_quantizer.cpp"
