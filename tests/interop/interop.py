#!/usr/bin/env python3
"""GGUF files that Phiscope writes, in llama.cpp: loaded, tokenized, generated from, compared in log-probabilities.

    interop.py MODEL --program PHISCOPE --bundled FOLDER [--fixtures FOLDER]

MODEL is tiny-phi (every format, against our own FP32), the name of a fixture (F32, against the golden of transformers) or tokenizer:NAME (a
published tokenizer, against the golden ids of its publisher's library). Exit status 77: the fixtures are not there. What llama.cpp is known to compute differently is a row of FIXTURES, and the test fails when that is no longer so.
"""
import argparse
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unicodedata

from llama import Llama

TEXTS = ["the quick brown fox", " leading and  double spaces", "12345 and 6.78, it's 9 o'clock", "<|user|>Hello<|end|><|assistant|>", "caf\u00e9 \U0001f999 \u4e2d\u6587",
         "one\ntwo\n\n\tthree", "A" * 40]

# Mean divergence KL(our FP32 || llama.cpp) over the prompts, in nats, that a format of the bundled model may have: three times what was measured
# (docs/interop.md). llama.cpp rounds activations to 8 bits (to half with F16), so even Q8_0 is not the weights' loss alone; its softmax is summed
# in f32, which is what F32 shows.
FORMATS = {"F32": 5e-6, "F16": 5e-6, "BF16": 2e-5, "Q8_0": 3e-4, "Q4_0": 0.022, "Q4_1": 0.014, "Q4_K_M": 0.013, "Q5_K_M": 0.0033, "Q6_K": 0.0023}

# name: how far a log-probability may be from transformers', golden to compare with by prompt length, and whether it may match at all.
#   same       as transformers
#   differs    llama.cpp computes something else there
EXACT = 1e-4   # f32 sums in another order
GELU = 5e-3    # llama.cpp looks GELU up in a table of half-precision values
FIXTURES = {
    "phi-1_5-tiny": (GELU, {7: "same", 33: "same"}, ""),
    "phi-2-tiny": (GELU, {7: "same", 33: "same"}, ""),
    "phi-2-h80": (GELU, {7: "same", 33: "same"}, ""),
    "phi-3-mini-tiny": (EXACT, {7: "same", 33: "differs"}, "ignores the sliding window of 24"),
    "phi-3-medium-tiny": (EXACT, {7: "same", 33: "differs"}, "ignores the sliding window of 31"),
    "phi-3-h80": (EXACT, {7: "same", 33: "same"}, ""),
    "phi-4-tiny": (EXACT, {7: "same", 33: "same"}, ""),
    "phi-3.5-mini-tiny": (EXACT, {33: "alt.p33.long_list.logits", 100: "same"}, "takes the long rope list at every length: its context is at least 256"),
    "phi-4-mini-tiny": (EXACT, {33: "alt.p33.long_list.logits", 100: "same"}, "takes the long rope list at every length: its context is at least 256"),
    "phi-3.5-moe-tiny": (EXACT, {7: "differs", 33: "differs"}, "normalizes and routes in another way"),
    "phi-tiny-moe-tiny": (EXACT, {}, "does not load heads that do not divide the width"),
}


def has_marks(text):
    return any(unicodedata.category(letter).startswith("M") for letter in text)


# name: rows of the published model, which texts llama.cpp may cut otherwise, and why.
TOKENIZERS = {
    "phi-2": (51200, lambda text: False, ""),
    "phi-3-mini": (32064, lambda text: False, ""),
    "phi-4": (100352, lambda text: "|> " in text, "keeps the whitespace beside special tokens"),
    "phi-4-mini": (200064, lambda text: "|>" in text or has_marks(text), "keeps the whitespace beside special tokens, and takes combining marks for no letters"),
}


def read_tensors(path):
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    letters = {"F32": "f", "I32": "i"}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in letters:
            continue
        begin, end = entry["data_offsets"]
        values = struct.unpack(f"<{(end - begin) // 4}{letters[entry['dtype']]}", data[8 + length + begin:8 + length + end])
        tensors[name] = (entry["shape"], values)
    return tensors


def log_softmax(logits):
    top = max(logits)
    total = top + math.log(math.fsum(math.exp(x - top) for x in logits))
    return [x - total for x in logits]


def last_row(tensor):
    shape, values = tensor
    return values[-shape[-1]:]


class Test:
    def __init__(self, arguments, work):
        self.program, self.work, self.failures = arguments.program, pathlib.Path(work), []
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(self.work / "cache"), "XDG_DATA_HOME": str(self.work / "data")}

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"phiscope {' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def check(self, holds, sentence):
        print(("ok      " if holds else "FAILED  ") + sentence)
        if not holds:
            self.failures.append(sentence)

    def write(self, model, name):
        path = self.work / f"{name}.gguf"
        self.run("quantize", model, "--format", f"gguf:{name}", "--out", path, "--quiet")
        return path

    def check_tokens(self, llama, model):
        for text in TEXTS:
            ours = json.loads(self.run("tokenize", model, "--text", text, "--json"))["ids"]
            theirs = llama.tokenize(text)
            self.check(ours == theirs, f"ids of {text!r}" + ("" if ours == theirs else f": {ours}, llama.cpp {theirs}"))

    def check_greedy(self, llama, ids, expected, vocabulary):
        found = list(ids)
        for _ in expected:
            found.append(max(llama.log_probabilities(found, vocabulary).items(), key=lambda row: row[1])[0])
        self.check(found[len(ids):] == list(expected), f"{len(expected)} greedy ids after {len(ids)} tokens")


def test_fixture(test, name, folder):
    bound, prompts, difference = FIXTURES[name]
    golden = read_tensors(folder / "golden.safetensors")
    path = test.write(folder, "F32")
    if not prompts:
        try:
            Llama(path, 128)
            test.check(False, f"llama.cpp {difference}, but it loaded the model")
        except RuntimeError:
            test.check(True, f"llama.cpp {difference}")
        return
    llama = Llama(path, 128)
    test.check_tokens(llama, folder)
    for length, kind in prompts.items():
        ids = list(golden[f"p{length}.input_ids"][1])
        expected = log_softmax(last_row(golden[f"p{length}.logits" if kind in ("same", "differs") else kind]))
        found = llama.log_probabilities(ids, len(expected))
        distance = max(abs(found[i] - expected[i]) for i in range(len(expected)))
        what = f"{length} tokens: log-probabilities {distance:.2g} from transformers'"
        if kind == "differs":
            test.check(distance > 1000 * bound, f"{what}: llama.cpp {difference}")
            continue
        test.check(distance < bound, f"{what}, bound {bound:g}" + (f" (with {kind}: llama.cpp {difference})" if kind != "same" else ""))
        if kind == "same" and not difference:
            test.check_greedy(llama, ids, golden[f"p{length}.greedy"][1], len(expected))


PROMPTS = ["The old man looked at the sea and", "She had never been so", "It was the best of times, it was the", "Question: what is 12 and 30? Answer:"]


def test_bundled(test, folder):
    prompts = [json.loads(test.run("tokenize", folder, "--text", text, "--json"))["ids"] for text in PROMPTS]
    reference = []
    for ids in prompts:
        out = test.work / "logits.safetensors"
        test.run("logits", folder, "--recipe", "fp32", "--ids", ",".join(map(str, ids)), "--out", out)
        reference.append(log_softmax(last_row(read_tensors(out)["logits"])))
    for name, bound in FORMATS.items():
        llama = Llama(test.write(folder, name), 256)
        if name == "F32":
            test.check_tokens(llama, folder)
        losses = []
        for text, ids, ours in zip(PROMPTS, prompts, reference):
            theirs = llama.log_probabilities(ids, len(ours))
            losses.append(math.fsum(math.exp(ours[i]) * (ours[i] - theirs[i]) for i in range(len(ours))))
            if name == "F32":
                generated = json.loads(test.run("generate", folder, "--recipe", "fp32", "--prompt", text, "--greedy", "--max-new-tokens", 8, "--json"))
                test.check_greedy(llama, ids, generated["ids"], len(ours))
        mean = math.fsum(losses) / len(losses)
        test.check(abs(mean) < bound, f"{name}: KL(our FP32 || llama.cpp) {mean:.3g} nat over {len(losses)} prompts, bound {bound:g}")


def write_blank_model(folder, tokenizer, rows):
    """A model of zeros, as narrow as a file can be, with a published tokenizer."""
    for path in tokenizer.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    width = 32
    config = {"model_type": "phi3", "vocab_size": rows, "hidden_size": width, "intermediate_size": width, "num_hidden_layers": 1,
              "num_attention_heads": 1, "max_position_embeddings": 512, "tie_word_embeddings": True, "torch_dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config))
    layer = "model.layers.0."
    shapes = {"model.embed_tokens.weight": [rows, width], "model.norm.weight": [width], layer + "input_layernorm.weight": [width],
              layer + "post_attention_layernorm.weight": [width], layer + "self_attn.qkv_proj.weight": [3 * width, width],
              layer + "self_attn.o_proj.weight": [width, width], layer + "mlp.gate_up_proj.weight": [2 * width, width],
              layer + "mlp.down_proj.weight": [width, width]}
    header, end = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + 2 * math.prod(shape)]}
        end += 2 * math.prod(shape)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))


def test_tokenizer(test, name, fixtures):
    rows, allowed, difference = TOKENIZERS[name]
    golden = json.loads((fixtures / "golden.json").read_text())[name]["strings"]
    folder = test.work / name
    folder.mkdir()
    write_blank_model(folder, fixtures / name, rows)
    llama = Llama(test.write(folder, "Q8_0"), 512)
    wrong = [row["text"] for row in golden if llama.tokenize(row["text"]) != row["ids"]]
    explained = [text for text in wrong if allowed(text)]
    for text in wrong:
        if not allowed(text):
            print(f"        {text!r}")
    test.check(len(wrong) == len(explained) and (len(wrong) > 0) == (difference != ""), f"{len(golden)} texts have the publisher's ids" +
               (f", but for {len(explained)}: llama.cpp {difference}" if explained else ""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--program", required=True)
    parser.add_argument("--bundled", required=True, type=pathlib.Path)
    parser.add_argument("--fixtures", type=pathlib.Path)
    arguments = parser.parse_args()
    if "PHISCOPE_FIXTURES" in os.environ:
        arguments.fixtures = pathlib.Path(os.environ["PHISCOPE_FIXTURES"])
    with tempfile.TemporaryDirectory() as work:
        test = Test(arguments, work)
        if arguments.model == "tiny-phi":
            test_bundled(test, arguments.bundled)
        elif arguments.fixtures is None or not (arguments.fixtures / "models").is_dir():
            print("skipped: the fixtures are not there")
            sys.exit(1 if os.environ.get("PHISCOPE_REQUIRE_FIXTURES") == "1" else 77)
        elif arguments.model.startswith("tokenizer:"):
            test_tokenizer(test, arguments.model.removeprefix("tokenizer:"), arguments.fixtures / "tokenizers")
        else:
            test_fixture(test, arguments.model, arguments.fixtures / "models" / arguments.model)
    if test.failures:
        sys.exit(f"{len(test.failures)} of the checks failed")


main()
