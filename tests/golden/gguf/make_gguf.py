#!/usr/bin/env python3
"""Small GGUF files from the seeded fixture models, written by the `gguf` package of llama.cpp: its tensor name map, its writer, its quantizers.

    pip install gguf numpy          (made with gguf 0.19.0)
    ./make_gguf.py FIXTURES/models  (writes beside itself)

Names come from gguf.get_tensor_name_map, so these files do not depend on the table that Phiscope reads by.
"""
import json
import struct
import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

ARCHITECTURES = {"phi": gguf.MODEL_ARCH.PHI2, "phi3": gguf.MODEL_ARCH.PHI3, "phimoe": gguf.MODEL_ARCH.PHIMOE}
# Each matrix of one layer in another type; one file holds them all.
MIXED = [T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1]


def read_safetensors(path):
    blob = path.read_bytes()
    (size,) = struct.unpack_from("<Q", blob)
    for name, info in json.loads(blob[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = info["data_offsets"]
        raw = blob[8 + size + begin : 8 + size + end]
        if info["dtype"] == "BF16":
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"F16": np.float16, "F32": np.float32}[info["dtype"]]).astype(np.float32)
        yield name, (values.reshape(info["shape"]), getattr(T, info["dtype"]))


def add_config(writer, config, family):
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    head_dim = config.get("head_dim") or hidden // heads
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_rope_dimension_count(int(config.get("partial_rotary_factor", 1.0) * head_dim))
    if family == "phi":
        writer.add_layer_norm_eps(config["layer_norm_eps"])
        return
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_sliding_window(config.get("sliding_window") or 0)
    scaling = config.get("rope_scaling")
    original = config.get("original_max_position_embeddings") or (scaling or {}).get("original_max_position_embeddings")
    writer.add_rope_scaling_orig_ctx_len(original or config["max_position_embeddings"])
    if scaling:
        scale = config["max_position_embeddings"] / original
        if "short_mscale" in scaling:  # two factors, which the format itself cannot say
            writer.add_float32("phiscope.rope.short_mscale", scaling["short_mscale"])
            writer.add_float32("phiscope.rope.long_mscale", scaling["long_mscale"])
        writer.add_rope_scaling_attn_factors(scaling.get("short_mscale") or (1 + np.log(scale) / np.log(original)) ** 0.5)
        writer.add_tensor(gguf.TENSOR_NAMES[gguf.MODEL_TENSOR.ROPE_FACTORS_LONG] + ".weight", np.array(scaling["long_factor"], np.float32))
        writer.add_tensor(gguf.TENSOR_NAMES[gguf.MODEL_TENSOR.ROPE_FACTORS_SHORT] + ".weight", np.array(scaling["short_factor"], np.float32))
    if family == "phimoe":
        writer.add_expert_count(config["num_local_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])


def add_tokenizer(writer, folder, rows):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    added = {token["id"]: token for token in tokenizer["added_tokens"]}
    by_id = {i: text for text, i in tokenizer["model"]["vocab"].items()}
    tokens, types = [], []
    for i in range(rows):
        if i in added:
            tokens.append(added[i]["content"])
            types.append(gguf.TokenType.CONTROL if added[i]["special"] else gguf.TokenType.USER_DEFINED)
        elif i in by_id:
            tokens.append(by_id[i])
            types.append(gguf.TokenType.NORMAL)
        else:
            tokens.append(f"[PAD{i}]")
            types.append(gguf.TokenType.UNUSED)
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("phi-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)


def fuse_qkv(tensors):
    """As the converter of 2023 wrote phi-2."""
    for name in [n for n in tensors if ".q_proj." in n]:
        parts = [tensors.pop(name.replace("q_proj", part)) for part in ("q_proj", "k_proj", "v_proj")]
        tensors[name.replace("self_attn.q_proj", "self_attn.qkv_proj")] = np.concatenate(parts)


def stack_experts(tensors):
    stacks = {}
    for name in [n for n in tensors if ".experts." in n]:
        layer, rest = name.split(".block_sparse_moe.experts.")
        expert, part, _ = rest.split(".")
        stacks.setdefault(f"{layer}.block_sparse_moe.experts.{part}.weight", {})[int(expert)] = tensors.pop(name)
    for name, parts in stacks.items():
        tensors[name] = np.stack([parts[i] for i in range(len(parts))])


def convert(folder, out, mixed=False, split_qkv=False):
    config = json.loads((folder / "config.json").read_text())
    family = config["model_type"]
    read = dict(read_safetensors(folder / "model.safetensors"))
    tensors = {name: values for name, (values, _) in read.items()}
    (stored,) = {kind for _, kind in read.values()}  # matrices keep their type
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[ARCHITECTURES[family]])
    writer.add_name(folder.name)
    add_config(writer, config, family)
    add_tokenizer(writer, folder, config["vocab_size"])
    if family == "phi":
        fuse_qkv(tensors)
    stack_experts(tensors)
    if split_qkv:
        width = config["hidden_size"] // config["num_attention_heads"]
        sizes = [config["num_attention_heads"] * width, config["num_key_value_heads"] * width, config["num_key_value_heads"] * width]
        for name in [n for n in tensors if "qkv_proj" in n]:
            for part, rows in zip("qkv", np.split(tensors.pop(name), np.cumsum(sizes)[:-1])):
                tensors[name.replace("qkv_proj", part + "_proj")] = rows
    names = gguf.get_tensor_name_map(ARCHITECTURES[family], config["num_hidden_layers"])
    number = 0
    for name, values in tensors.items():
        mapped = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert mapped, name
        kind = T.F32 if values.ndim == 1 or "ffn_gate_inp" in mapped else stored
        if mixed and kind != T.F32:
            kind = MIXED[number % len(MIXED)]
            number += 1
        data = values if kind == T.F32 else gguf.quants.quantize(values, kind)
        writer.add_tensor(mapped, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    models, here = Path(sys.argv[1]), Path(__file__).parent
    convert(models / "phi-2-tiny", here / "phi-2-tiny.gguf")
    convert(models / "phi-4-mini-tiny", here / "phi-4-mini-tiny.gguf")
    convert(models / "phi-3.5-moe-tiny", here / "phi-3.5-moe-tiny.gguf")
    convert(models / "phi-3-mini-tiny", here / "phi-3-mini-tiny-mixed.gguf", mixed=True, split_qkv=True)


if __name__ == "__main__":
    main()
