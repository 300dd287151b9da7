#!/usr/bin/env python3
"""Golden values of the committed weights from transformers in FP32: golden.safetensors.

  python make_golden.py
Also checks that this folder's own model.py computes the same logits. Tensors:
  ids.64, ids.512              I32: the first 64 and 512 tokens of heldout.txt
  logits.64                    F32 [16, 4096]: logits at positions.64
  positions.64                 I32 [16]
  logits.512, positions.512    the same at 8 positions of the long window, the last included
  nll.64, nll.512              F32 [1]: mean negative log-likelihood of tokens 1.. of the window
  prompt.N, greedy.N           I32: a prompt and the 32 tokens that follow greedily, N = 0..2
"""
import json, pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

import model as phi

HERE = pathlib.Path(__file__).resolve().parent
PROMPTS = ["In the beginning God created", "Tom has 37 apples, buys 25 and sells 14. How many now?",
           "<|user|>\nThe SQLite library is<|end|>\n<|assistant|>\n"]


def main():
    torch.set_num_threads(2)
    reference = AutoModelForCausalLM.from_pretrained(HERE / "model", dtype=torch.float32, attn_implementation="eager").eval()
    assert type(reference).__name__ == "Phi3ForCausalLM"
    own = phi.load(HERE / "model")
    tokenizer = Tokenizer.from_file(str(HERE / "model" / "tokenizer.json"))
    slow = AutoTokenizer.from_pretrained(HERE / "model")
    text = (HERE / "heldout.txt").read_text(encoding="utf-8")
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert slow(text[:20000], add_special_tokens=False)["input_ids"][:4000] == ids[:4000]
    assert tokenizer.decode(ids) == text
    out, worst = {}, 0.0
    with torch.inference_mode():
        for size, count in ((64, 16), (512, 8)):
            window = torch.tensor(ids[:size])[None]
            logits = reference(window).logits[0]
            worst = max(worst, (logits - own(window)[0]).abs().max().item())
            places = torch.linspace(0, size - 1, count).round().int()
            out[f"ids.{size}"], out[f"positions.{size}"] = window[0].int(), places
            out[f"logits.{size}"] = logits[places.long()].contiguous()
            out[f"nll.{size}"] = torch.nn.functional.cross_entropy(logits[:-1], window[0, 1:])[None]
        for n, prompt in enumerate(PROMPTS):
            tokens = torch.tensor(tokenizer.encode(prompt, add_special_tokens=False).ids)[None]
            out[f"prompt.{n}"], gap = tokens[0].int(), float("inf")
            for _ in range(32):  # plain greedy choice, end tokens do not stop it
                logits = reference(tokens).logits[0, -1]
                top = logits.topk(2)
                gap = min(gap, (top.values[0] - top.values[1]).item())
                tokens = torch.cat([tokens, top.indices[:1][None]], 1)
            out[f"greedy.{n}"] = tokens[0, -32:].int().contiguous()
            print(f"smallest gap to the second choice {gap:.4f}:", repr(tokenizer.decode(tokens[0].tolist(), skip_special_tokens=False)))
    print(f"largest difference to model.py: {worst:.2e}")
    assert worst < 2e-4
    path = HERE / "golden.safetensors"
    save_file({k: v.contiguous() for k, v in out.items()}, str(path),
              metadata={"prompts": json.dumps(PROMPTS), "made_with": "transformers, FP32, eager attention"})
    path.chmod(0o644)


if __name__ == "__main__":
    main()