#!/usr/bin/env python3
"""Writes the first inputs of every fuzz target into corpus/: small files that each reader accepts, together using every part of its format.

Usage: make_corpus.py        (regression_* files are left alone)
"""
import base64
import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def write(name, content):
    path = CORPUS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(header, data):
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def make_safetensors():
    entries = {"__metadata__": {"format": "pt"}}
    offset = 0
    for dtype, width in {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "I64": 8, "BOOL": 1}.items():
        entries[f"t.{dtype}"] = {"dtype": dtype, "shape": [2, 1], "data_offsets": [offset, offset + 2 * width]}
        offset += 2 * width
    write("safetensors/types", safetensors(entries, bytes(offset)))
    write("safetensors/small", safetensors({"w": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
                                            "b": {"dtype": "F32", "shape": [2], "data_offsets": [12, 20]}}, bytes(20)))
    write("safetensors/empty", safetensors({"e": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}, b""))


def gguf_string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def gguf_pair(key, kind, value):
    return gguf_string(key) + struct.pack("<I", kind) + value


def gguf_array(key, kind, count, values):
    return gguf_pair(key, 9, struct.pack("<IQ", kind, count) + values)


def gguf(version, pairs, tensors, data):
    content = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs)
    for name, dims, kind, offset in tensors:
        content += gguf_string(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, offset)
    return content + bytes(-len(content) % 32) + data


def make_gguf():
    scalars = [(0, "B", 200), (1, "b", -3), (2, "H", 9), (3, "h", -7), (4, "I", 1), (5, "i", -1), (6, "f", 0.5), (7, "?", True), (10, "Q", 9), (11, "q", -9), (12, "d", 2.5)]
    pairs = [gguf_pair("general.architecture", 8, gguf_string("phi3")), gguf_pair("general.alignment", 4, struct.pack("<I", 32))]
    pairs += [gguf_pair(f"a.{code}", kind, struct.pack("<" + code, value)) for kind, code, value in scalars]
    pairs += [gguf_array("a.texts", 8, 2, gguf_string("one") + gguf_string("")), gguf_array("a.floats", 6, 2, struct.pack("<2f", 1.5, -2)),
              gguf_array("a.ints", 5, 3, struct.pack("<3i", 1, -2, 3))]
    tensors = [("w.f16", [3, 2], 1, 0), ("w.q8", [64, 1], 8, 32), ("w.f32", [2], 0, 128)]
    write("gguf/v3", gguf(3, pairs, tensors, bytes(160)))
    write("gguf/v2", gguf(2, pairs[:3], tensors[:1], bytes(32)))
    write("gguf/blocks", gguf(3, pairs[:1], [("q4", [32, 1], 2, 0), ("q6k", [256, 1], 14, 32)], bytes(32 + 224)))


def byte_alphabet():
    itself = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    extra = iter(range(0x100, 0x200))
    return [chr(byte) if byte in itself else chr(next(extra)) for byte in range(256)]


def make_tokenizer_json():
    vocab = {letter: byte for byte, letter in enumerate(byte_alphabet())}
    vocab.update({"ab": 256, "abc": 257})
    added = [{"id": 258, "content": "<|x|>", "special": True, "normalized": False, "rstrip": True, "lstrip": False, "single_word": False},
             {"id": 259, "content": "<u>", "special": False, "normalized": True}]
    split = {"type": "Split", "pattern": {"Regex": "[^\\s\\p{L}]+|\\p{L}+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    gpt = {"version": "1.0", "added_tokens": added, "normalizer": None, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
           "post_processor": None, "decoder": level, "model": {"type": "BPE", "vocab": vocab, "merges": ["a b", ["ab", "c"]], "ignore_merges": True}}
    write("tokenizer_json/byte_level", json.dumps(gpt, ensure_ascii=False, separators=(",", ":")))
    pieces = {"<unk>": 0, "<s>": 1, "\u2581": 2, "a": 3, "b": 4, "\u2581a": 5, "ab": 6}
    pieces.update({f"<0x{byte:02X}>": 7 + byte for byte in range(256)})
    llama = {"added_tokens": [{"id": 0, "content": "<unk>", "special": True}, {"id": 1, "content": "<s>", "special": True}],
             "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
             "pre_tokenizer": None, "post_processor": None,
             "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                                                          {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
             "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": pieces, "merges": ["\u2581 a", "a b"]}}
    write("tokenizer_json/llama", json.dumps(llama, ensure_ascii=False, separators=(",", ":")))


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def number_field(field, value):
    return varint(field << 3) + varint(value)


def bytes_field(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def piece(text, score, kind):
    return bytes_field(1, bytes_field(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + number_field(3, kind))


def make_sentencepiece():
    pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("\u2581", -3, 1), ("a", -4, 1), ("b", -5, 1), ("ab", -1, 1), ("\u2581ab", -2, 1), ("<u>", 0, 4)]
    trainer = bytes_field(2, number_field(3, 2) + number_field(41, 1))
    normalizer = bytes_field(3, bytes_field(1, b"identity") + number_field(3, 1) + number_field(4, 0))
    write("sentencepiece/small", b"".join(piece(*row) for row in pieces) + trainer + normalizer)
    fallback = [piece(f"<0x{byte:02X}>", 0, 6) for byte in range(256)]
    write("sentencepiece/bytes", b"".join(piece(*row) for row in pieces) + b"".join(fallback) + bytes_field(2, number_field(3, 2) + number_field(35, 1)) + normalizer)


def make_ranks():
    lines = [bytes([byte]) for byte in range(256)] + [b"ab", b"abc", b" a"]
    write("ranks/bytes", "".join(f"{base64.b64encode(text).decode()} {rank}\n" for rank, text in enumerate(lines)))
    write("ranks/short", "YQ== 2\r\nYWI= 0\n\nIGFi 1\n")


def make_config():
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 320,
             "max_position_embeddings": 512, "torch_dtype": "bfloat16"}
    longrope = {"type": "longrope", "original_max_position_embeddings": 64, "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}
    rows = {
        "phi3": {"model_type": "phi3", "rms_norm_eps": 1e-5, "sliding_window": 24, "rope_theta": 1e4, "rope_scaling": longrope, "tie_word_embeddings": True},
        "phi4": {"model_type": "phi3", "rope_parameters": {"rope_type": "default", "rope_theta": 250000.0, "partial_rotary_factor": 0.75}, "head_dim": 32},
        "phi": {"model_type": "phi", "layer_norm_eps": 1e-5, "hidden_act": "gelu_new", "partial_rotary_factor": 0.5, "qk_layernorm": False},
        "phimoe": {"architectures": ["PhiMoEForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 2, "router_jitter_noise": 0.01, "lm_head_bias": True,
                   "attention_bias": True, "rope_scaling": dict(longrope, short_mscale=1.2, long_mscale=1.3)},
        "phi3small": {"model_type": "phi3small", "ff_intermediate_size": 96, "blocksparse_block_size": 4, "blocksparse_num_local_blocks": 2, "blocksparse_vert_stride": 3,
                      "dense_attention_every_n_layers": 2, "gegelu_limit": 20.0, "mup_embedding_multiplier": 10.0, "dummy_token_indices": [300, 301]},
    }
    for name, keys in rows.items():
        write(f"config/{name}", json.dumps({**sizes, **keys}))
    write("config/phi_msft", json.dumps({"model_type": "phi-msft", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": None, "n_positions": 512, "rotary_dim": 6, "vocab_size": 320}))


def make_recipe():
    write("recipe/small", 'base = "int4"\ngroup = 64\nmethod = "rtn"\nkv = "int8"\ndescription = "mine"\n\n[class]\nlm_head = "int8"\nembedding = "source"\n\n'
                          '[[rule]]\npattern = "model.layers.0.*"\nweights = "fp16"\n')
    write("recipe/row", 'base = "int8"\ngroup = "row"\n')


if __name__ == "__main__":
    for make in (make_safetensors, make_gguf, make_tokenizer_json, make_sentencepiece, make_ranks, make_config, make_recipe):
        make()
