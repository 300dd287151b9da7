#!/usr/bin/env python3
"""Golden answers of lm-evaluation-harness and transformers in FP32, item by item: golden.json beside this file.

  python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.23.0 lm-eval==0.4.13 accelerate==1.15.0
  venv/bin/python make_golden.py --phiscope ../../../build/release/bin/phiscope

Each task is lm-eval's own definition (its YAML: doc_to_text, doc_to_choice, filters, metrics) over the invented items of data/, which have the exact
published form; worked examples are the first of the examples file. --phiscope makes the INT4 artifact whose divergence from FP32 is computed here from
its codes and scales.
"""
import argparse, json, math, pathlib, subprocess, tempfile

import lm_eval, numpy, torch, yaml
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DATA = HERE / "data"
BUNDLED = ROOT / "datasets" / "tiny_phi" / "model"
MODELS = {"tiny-phi": BUNDLED, "phi-3-mini-tiny": HERE.parent / "models" / "phi-3-mini-tiny"}
DEFINITIONS = pathlib.Path(lm_eval.__file__).parent / "tasks"
OWN_ITEMS = 25  # of each bundled task

# name: lm-eval's definition, published file, examples file and their number, overrides
TASKS = {
    "hellaswag": ("hellaswag/hellaswag.yaml", "hellaswag_val.jsonl", None, 0, {}),
    "arc": ("arc/arc_easy.yaml", "arc.jsonl", None, 0, {}),
    "winogrande": ("winogrande/default.yaml", "winogrande_dev.jsonl", None, 0, {}),
    # lm-eval's six fixed questions in front are left out, as in our format file.
    "truthfulqa_mc1": ("truthfulqa/truthfulqa_mc1.yaml", "truthfulqa.jsonl", None, 0, {"doc_to_text": "Q: {{question}}\nA:"}),
    "mmlu": ("mmlu/default/mmlu_anatomy.yaml", "mmlu_test.jsonl", "mmlu_dev.jsonl", 3, {}),
    "lambada": ("lambada/lambada_openai.yaml", "lambada.jsonl", None, 0, {}),
    "gsm8k": ("gsm8k/gsm8k.yaml", "gsm8k.jsonl", "gsm8k_train.jsonl", 2, {"generation_kwargs": {
        "until": ["Question:", "</s>", "<|im_end|>"], "do_sample": False, "max_gen_toks": 48}}),
}


def own_task(row):
    """A bundled task as an lm-eval task: choices carry their own space, so there is no delimiter."""
    return {"dataset_path": "json", "output_type": "multiple_choice", "doc_to_text": "{{prompt}}", "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{answer}}", "target_delimiter": "", "test_split": "test", "num_fewshot": 0,
            "dataset_kwargs": {"data_files": {"test": str(ROOT / "datasets" / "tasks" / row["file"])}},
            "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]}


def definitions(folder):
    """One YAML a task in `folder`; returns name -> (file of the items, number of items)."""
    names = {}
    for name, (definition, file, examples, shots, overrides) in TASKS.items():
        files = {"test": str(DATA / file)}
        config = {"include": str(DEFINITIONS / definition), "task": "golden_" + name, "dataset_path": "json", "dataset_name": None, "training_split": None,
                  "validation_split": None, "test_split": "test", "num_fewshot": shots, "dataset_kwargs": {"data_files": files}, "tag": [],
                  "fewshot_split": None}
        if examples:
            files["dev"] = str(DATA / examples)
            config |= {"fewshot_split": "dev", "fewshot_config": {"sampler": "first_n"}}
        config |= overrides
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
        names["golden_" + name] = None
    for row in json.loads((ROOT / "datasets" / "tasks" / "manifest.json").read_text())["tasks"]:
        if row["kind"] != "multiple_choice":
            continue
        (folder / f"own_{row['name']}.yaml").write_text(yaml.safe_dump(own_task(row) | {"task": "own_" + row["name"]}))
        names["own_" + row["name"]] = OWN_ITEMS
    return names


def item_of(sample):
    requests = [sample["arguments"][key] for key in sorted(sample["arguments"])] if isinstance(sample["arguments"], dict) else sample["arguments"]
    pairs = [(r["arg_0"], r["arg_1"]) if isinstance(r, dict) else tuple(r) for r in requests]
    item = {"prompts": [p for p, _ in pairs]}
    if len(set(item["prompts"])) == 1:
        item["prompts"] = item["prompts"][:1]
    if isinstance(pairs[0][1], dict):  # generation
        item |= {"filter": sample["filter"], "extracted": sample["filtered_resps"][0], "exact_match": int(sample["exact_match"])}
        return item
    item["continuations"] = [c for _, c in pairs]
    item["log_likelihoods"] = [float(r[0][0]) for r in sample["resps"]]
    item |= {key: int(sample[key]) for key in ("acc", "acc_norm") if key in sample}
    return item


def tasks_of(folder, names, manager):
    model = HFLM(pretrained=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval(),
                 tokenizer=AutoTokenizer.from_pretrained(folder), backend="causal", batch_size=1, device="cpu")
    found = {}
    for name, limit in names.items():
        if name.startswith("own_") and folder != BUNDLED:
            continue
        samples = lm_eval.simple_evaluate(model=model, tasks=[name], task_manager=manager, limit=limit, log_samples=True, bootstrap_iters=0)["samples"][name]
        samples.sort(key=lambda s: (s["doc_id"], s["filter"]))
        items = [item_of(s) for s in samples]
        if name.startswith("own_"):  # their prompts are in the task file
            for item in items:
                del item["prompts"], item["continuations"]
        found[name.removeprefix("golden_")] = items
    return found


def dequantized(folder):
    """The matrices of a Phiscope artifact in F32: scale * (code - 8 or 128), two 4-bit codes a byte, low nibble first."""
    manifest, tensors = json.loads((folder / "manifest.json").read_text()), load_file(folder / "weights.safetensors")
    out = {}
    for name in [key.removesuffix(".codes") for key in tensors if key.endswith(".codes")]:
        codes, scales = tensors[name + ".codes"], tensors[name + ".scales"].float()
        columns = next(t["shape"][1] for t in manifest["tensors"] if t["name"] == name) if "shape" in manifest["tensors"][0] else None
        columns = columns or next(t["columns"] for t in manifest["tensors"] if t["name"] == name)
        middle = 128
        if codes.shape[1] * 2 == columns:
            codes, middle = torch.stack([codes & 15, codes >> 4], -1).reshape(codes.shape[0], columns), 8
        group = columns // scales.shape[1]
        out[name] = (codes.float() - middle) * scales.repeat_interleave(group, 1)
    return out


def chunks_of(ids, chunk, count):
    return [ids[i * chunk:(i + 1) * chunk] for i in range(count)]


def log_probabilities(model, window):
    with torch.inference_mode():
        return torch.log_softmax(model(torch.tensor(window)[None]).logits[0].double(), -1)


def fidelity(program):
    """FP32 against INT4 over the first 8 chunks of 512, second halves scored: llama.cpp's rule, full vocabulary, FP64."""
    reference = AutoModelForCausalLM.from_pretrained(BUNDLED, dtype=torch.float32, attn_implementation="eager").eval()
    candidate = AutoModelForCausalLM.from_pretrained(BUNDLED, dtype=torch.float32, attn_implementation="eager").eval()
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "int4"
        subprocess.run([program, "quantize", str(BUNDLED), "--recipe", "int4", "--out", str(target), "--quiet"], check=True)
        state = candidate.state_dict()
        for name, value in dequantized(target).items():
            state[name].copy_(value)
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    ids = tokenizer((ROOT / "datasets" / "tiny_phi" / "heldout.txt").read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"]
    rows = {key: [] for key in ("nll", "nll_reference", "kld", "delta_p", "same_top1", "top5", "top10", "confidence")}
    for window in chunks_of(ids, 512, 8):
        p0, p = log_probabilities(reference, window)[256:511], log_probabilities(candidate, window)[256:511]
        targets = torch.tensor(window[257:512])[:, None]
        l0, l = -p0.gather(1, targets)[:, 0], -p.gather(1, targets)[:, 0]
        rows["nll"].append(l), rows["nll_reference"].append(l0)
        rows["kld"].append((p0.exp() * (p0 - p)).sum(-1))
        rows["delta_p"].append((-l).exp() - (-l0).exp())
        rows["same_top1"].append((p0.argmax(-1) == p.argmax(-1)).double())
        for k in (5, 10):
            both = (p0.topk(k).indices[:, :, None] == p.topk(k).indices[:, None, :]).any(-1).double().mean(-1)
            rows[f"top{k}"].append(both)
        rows["confidence"].append(p0.max(-1).values.exp())
    v = {key: torch.cat(parts).numpy() for key, parts in rows.items()}
    out = {"positions": len(v["kld"]), "perplexity": math.exp(v["nll"].mean()), "perplexity_reference": math.exp(v["nll_reference"].mean()),
           "ln_ppl_ratio": (v["nll"] - v["nll_reference"]).mean(), "kld_mean": v["kld"].mean(), "kld_max": v["kld"].max(),
           "dp_mean": 100 * v["delta_p"].mean(), "dp_rms": 100 * math.sqrt((v["delta_p"] ** 2).mean()), "same_top1": v["same_top1"].mean(),
           "top5_overlap": v["top5"].mean(), "top10_overlap": v["top10"].mean()}
    for name, p in (("median", .5), ("p90", .9), ("p95", .95), ("p99", .99)):
        out["kld_" + name] = numpy.quantile(v["kld"], p)
    for p in (1, 99):
        out[f"dp_p{p:02}"] = 100 * numpy.quantile(v["delta_p"], p / 100)
    for low, high in ((0, .25), (.25, .5), (.5, .75), (.75, .95), (.95, 1.0001)):
        inside = (v["confidence"] >= low) & (v["confidence"] < high)
        if inside.sum() >= 100:
            out[f"kld_bucket:{low:g}-{min(high, 1):g}"] = v["kld"][inside].mean()
    return {key: float(value) for key, value in out.items()}


def strided(chunk=256, stride=128, windows=12):
    """Hugging Face's sliding windows: a window begins every `stride` tokens and scores what no earlier one scored."""
    model = AutoModelForCausalLM.from_pretrained(BUNDLED, dtype=torch.float32, attn_implementation="eager").eval()
    ids = AutoTokenizer.from_pretrained(BUNDLED)((ROOT / "datasets" / "tiny_phi" / "heldout.txt").read_text(encoding="utf-8"),
                                                 add_special_tokens=False)["input_ids"]
    losses, scored = [], 0
    for w in range(windows):
        begin, end = w * stride, w * stride + chunk
        p = log_probabilities(model, ids[begin:end])
        for position in range(max(scored, begin + 1), end):
            losses.append(-p[position - begin - 1, ids[position]].item())
        scored = end
    return {"chunk": chunk, "stride": stride, "windows": windows, "positions": len(losses), "perplexity": math.exp(sum(losses) / len(losses))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--phiscope", required=True)
    program = parser.parse_args().phiscope
    torch.set_num_threads(1)
    golden = {"made_with": {"lm-eval": lm_eval.__version__, "torch": torch.__version__}, "fidelity": fidelity(program), "strided": strided(), "tasks": {}}
    with tempfile.TemporaryDirectory() as folder:
        names = definitions(pathlib.Path(folder))
        manager = TaskManager(include_path=folder, include_defaults=False)
        for model, path in MODELS.items():
            golden["tasks"][model] = tasks_of(path, names, manager)
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
