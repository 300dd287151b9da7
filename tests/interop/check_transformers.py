#!/usr/bin/env python3
"""Hugging Face folders that Phiscope writes, in transformers: the same logits as from the folders that they were made from.

    pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0        (not for the test suite: torch has gigabytes)
    python3 check_transformers.py PHISCOPE FOLDER...                          (of the bundled model, of the fixtures)

docs/interop.md has the figures.
"""
import pathlib
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM

IDS = [9, 11, 200, 77, 8, 300, 42, 10]


def logits(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


def main(program, *folders):
    torch.set_num_threads(1)
    for folder in folders:
        with tempfile.TemporaryDirectory() as work:
            copy = pathlib.Path(work) / "copy"
            subprocess.run([program, "quantize", folder, "--format", "hf", "--out", copy, "--quiet"], check=True, stdout=subprocess.DEVNULL)
            print(f"{pathlib.Path(folder).name}: largest difference of a logit {(logits(folder) - logits(copy)).abs().max().item():.2g}")


main(*sys.argv[1:])
