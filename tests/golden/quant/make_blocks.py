#!/usr/bin/env python3
"""Random blocks of every GGUF type and the values that the gguf package computes for them.

    pip install gguf==0.19.0 safetensors==0.8.0
    python3 make_blocks.py blocks.safetensors

Per type T: "T.blocks" u8 [rows, bytes of a row] and "T.values" f32 [rows, columns]. Codes are random bytes, so every code and every
combination of scale bits occurs; the half-precision factors are random normal numbers of both signs, with zero and subnormal ones among them.
"""
import sys

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from safetensors.numpy import save_file

ROWS, COLUMNS = 2, 512
# Offsets of the half-precision factors in a block.
FACTORS = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
           "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}


def main(out):
    random = np.random.default_rng(20)
    tensors = {}
    for name, offsets in FACTORS.items():
        values, size = GGML_QUANT_SIZES[Type[name]]
        blocks = random.integers(0, 256, (ROWS, COLUMNS // values, size), dtype=np.uint8)
        for offset in offsets:
            factors = (random.standard_normal(blocks.shape[:2]) * 0.02).astype(np.float16)
            factors[0, 0] = np.float16(3e-7)  # subnormal
            factors[1, 0] = 0
            blocks[:, :, offset:offset + 2] = factors[..., None].view(np.uint8)
        blocks = np.ascontiguousarray(blocks.reshape(ROWS, -1))
        tensors[f"{name}.blocks"] = blocks
        tensors[f"{name}.values"] = np.ascontiguousarray(quants.dequantize(blocks, Type[name]).astype(np.float32))
        assert tensors[f"{name}.values"].shape == (ROWS, COLUMNS), name
    save_file(tensors, out)


main(sys.argv[1])
