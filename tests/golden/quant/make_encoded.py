#!/usr/bin/env python3
"""Rows of floats, the blocks that the gguf package makes of them, and the error of ggml's own encoders of k-quants.

    pip install gguf==0.19.0 safetensors==0.8.0 xllamacpp==2026.10.11549
    python3 make_encoded.py encoded.safetensors

"NAME.source" f32 [rows, 512]; for Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 "NAME.T.blocks" u8 [rows, bytes of a row]; for Q4_K, Q5_K, Q6_K "NAME.T.mse"
f64 [1], mean squared error of ggml_quantize_chunk() without importance matrix (called inside the prebuilt llama.cpp of xllamacpp).
"""
import ctypes
import sys

import numpy as np
import xllamacpp
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from safetensors.numpy import save_file

ROWS, COLUMNS = 4, 512
ROUNDED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
SEARCHED = ["Q4_K", "Q5_K", "Q6_K"]


def sources(random):
    shape = (ROWS, COLUMNS)
    normal = (random.standard_normal(shape) * 0.02).astype(np.float32)
    bf16 = (normal.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    outliers = normal.copy()
    outliers[:, ::97] *= 40
    edge = normal.copy()
    edge[0, :64] = 0                                             # blocks of zeros
    edge[1, :32] = 0.25                                          # equal values
    edge[1, 32:64] = -0.25
    edge[2, :32] = np.where(np.arange(32) % 2, 0.5, -0.5)        # the farthest value of both signs: the first one decides
    edge[2, 32:64] = np.where(np.arange(32) % 2, -0.5, 0.5)
    edge[3, :256] = np.abs(edge[3, :256]) + 0.01                 # positive only
    edge[3, 256:] = -np.abs(edge[3, 256:]) - 0.01                # negative only
    grid = (random.integers(-127, 128, shape) / 127.0 * 0.5).astype(np.float32)  # ties of Q8_0
    return {"normal": normal, "bf16": bf16, "f16": normal.astype(np.float16).astype(np.float32), "outliers": outliers, "edge": edge, "grid": grid,
            "laplace": random.laplace(size=shape).astype(np.float32) * np.float32(0.01)}


def ggml_encode(rows, kind):
    library = ctypes.CDLL(xllamacpp.xllamacpp.__file__)
    encode = library.ggml_quantize_chunk
    encode.restype = ctypes.c_size_t
    encode.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    values, size = GGML_QUANT_SIZES[Type[kind]]
    out = np.zeros((rows.shape[0], rows.shape[1] // values * size), np.uint8)
    assert encode(int(Type[kind]), rows.ctypes.data, out.ctypes.data, 0, rows.shape[0], rows.shape[1], None) == out.nbytes
    return out


def main(out):
    tensors = {}
    for name, rows in sources(np.random.default_rng(21)).items():
        tensors[f"{name}.source"] = rows
        for kind in ROUNDED:
            tensors[f"{name}.{kind}.blocks"] = quants.quantize(rows, Type[kind])
        for kind in SEARCHED:
            stored = quants.dequantize(ggml_encode(rows, kind), Type[kind]).astype(np.float64)
            tensors[f"{name}.{kind}.mse"] = np.array([np.mean((stored - rows) ** 2)])
    save_file(tensors, out)


main(sys.argv[1])
