#!/usr/bin/env python3
"""A seeded phi3 model whose rows are whole blocks of 256, as a Hugging Face folder.

    pip install numpy==2.4.6 safetensors==0.8.0
    python3 make_model.py ../models/phi-3-mini-tiny FOLDER

Tokenizer and settings are those of the tiny model that is named first; running it again gives the same bytes.
"""
import json
import pathlib
import shutil
import sys

import numpy as np
from safetensors.numpy import save_file

HIDDEN, FFN, HEADS, KV_HEADS, VOCAB = 256, 256, 4, 1, 320


def main(tiny, out):
    tiny, out = pathlib.Path(tiny), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]:
        shutil.copyfile(tiny / name, out / name)
    config = json.loads((tiny / "config.json").read_text())
    config.update(hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=1, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS,
                  sliding_window=None, tie_word_embeddings=True, torch_dtype="float16")
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    random = np.random.default_rng(256)

    def matrix(rows, columns, scale=0.08):
        return (random.standard_normal((rows, columns)) * scale).astype(np.float16)

    def norm():
        return (1 + 0.1 * random.standard_normal(HIDDEN)).astype(np.float16)

    width = HIDDEN // HEADS
    layer = "model.layers.0."
    save_file({
        "model.embed_tokens.weight": matrix(VOCAB, HIDDEN, 0.5),
        layer + "input_layernorm.weight": norm(),
        layer + "self_attn.qkv_proj.weight": matrix((HEADS + 2 * KV_HEADS) * width, HIDDEN),
        layer + "self_attn.o_proj.weight": matrix(HIDDEN, HIDDEN),
        layer + "post_attention_layernorm.weight": norm(),
        layer + "mlp.gate_up_proj.weight": matrix(2 * FFN, HIDDEN),
        layer + "mlp.down_proj.weight": matrix(HIDDEN, FFN),
        "model.norm.weight": norm(),
    }, out / "model.safetensors", metadata={"format": "pt"})


main(*sys.argv[1:])
