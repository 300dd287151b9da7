#!/usr/bin/env python3
"""Perplexity, fidelity and task accuracy of the tiny Phi, with precision loss simulated on its weights.

  python evaluate.py                   # FP32: writes golden.json
  python evaluate.py --table           # also INT8 and INT4 (round to nearest), as a Markdown table
Perplexity as llama.cpp counts it: the text tokenized once without special tokens, windows of 512,
the predictions made at positions 256 to 510 scored; a last part shorter than a window is left out.
Multiple choice: the choice with the largest sum of log-likelihoods, prompt and choice tokenized
apart. Exact match: greedy text up to the stop string, stripped, equals the answer.
"""
import argparse, json, math, os, pathlib

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import model as phi
import tasks

HERE = pathlib.Path(__file__).resolve().parent
CONTEXT = 512


def quantize(w, bits, group):
    """Round to nearest, symmetric, one FP16 scale a group of columns (0: a row)."""
    top = 2 ** (bits - 1) - 1
    x = w.reshape(-1, group or w.shape[1])
    scale = (x.abs().amax(1, keepdim=True) / top).half().float().clamp_min(1e-12)
    return ((x / scale).round().clamp(-top - 1, top) * scale).reshape(w.shape)


def quantized(model, recipe):
    """recipe: bits and group of the layers' matrices; embedding and lm_head get 8 bits a row."""
    for name, p in model.named_parameters():
        if p.ndim == 2:
            layer = name.startswith("layers.")
            p.data = quantize(p.data, recipe[0] if layer else 8, recipe[1] if layer else 0)
    return model


@torch.inference_mode()
def perplexity(model, ids, reference=None):
    """Per-window mean negative log-likelihoods; with the reference's logits also KLD and same top-1."""
    out, kept, kld, same = [], [], 0.0, 0
    windows = len(ids) // CONTEXT
    for n in range(windows):
        window = torch.tensor(ids[n * CONTEXT:(n + 1) * CONTEXT])[None]
        logp = F.log_softmax(model.lm_head(model.hidden(window)[0, CONTEXT // 2:-1]), -1)
        out.append(F.nll_loss(logp, window[0, CONTEXT // 2 + 1:]).item())
        if reference is None:
            kept.append(logp.half())
        else:
            q = reference[n].float()
            kld += (q.exp() * (q - logp)).sum().item()
            same += (q.argmax(-1) == logp.argmax(-1)).sum().item()
    scored = windows * (CONTEXT // 2 - 1)
    return out, kept, kld / scored, same / scored


@torch.inference_mode()
def multiple_choice(model, encode, items):
    """Prompt and choices of an item lie in one row; a choice sees the prompt and itself only."""
    rows = [(n, encode(i["prompt"]), [encode(c) for c in i["choices"]]) for n, i in enumerate(items)]
    rows.sort(key=lambda r: len(r[1]) + sum(map(len, r[2])))
    right = [0] * len(items)
    for at in range(0, len(rows), 50):
        part = rows[at:at + 50]
        width = max(len(p) + sum(map(len, c)) for _, p, c in part)
        ids, positions, owner = (torch.zeros(len(part), width, dtype=torch.long) for _ in range(3))
        owner += 9
        for row, (_, prompt, choices) in enumerate(part):
            end = len(prompt)
            ids[row, :end], positions[row, :end], owner[row, :end] = torch.tensor(prompt), torch.arange(end), 0
            for k, choice in enumerate(choices):
                place = slice(end, end + len(choice))
                ids[row, place], owner[row, place] = torch.tensor(choice), k + 1
                positions[row, place] = torch.arange(len(prompt), len(prompt) + len(choice))
                end += len(choice)
        seen = (owner[:, None, :] == 0) | (owner[:, None, :] == owner[:, :, None])
        hidden = model.hidden(ids, positions, (seen & torch.ones(width, width).tril().bool())[:, None])
        for row, (n, prompt, choices) in enumerate(part):
            scores, end = [], len(prompt)
            for choice in choices:
                before = [len(prompt) - 1, *range(end, end + len(choice) - 1)]
                logp = F.log_softmax(model.lm_head(hidden[row, before]), -1)
                scores.append(logp.gather(1, torch.tensor(choice)[:, None]).sum().item())
                end += len(choice)
            right[n] = int(max(range(len(choices)), key=scores.__getitem__) == items[n]["answer"])
    return right


@torch.inference_mode()
def exact_match(model, encode, decode, items, limit, stop):
    right, groups = [0] * len(items), {}
    for n, item in enumerate(items):
        prompt = encode(item["prompt"])
        groups.setdefault(len(prompt), []).append((n, prompt))
    for length, members in groups.items():
        for i in range(0, len(members), 128):
            numbers = [n for n, _ in members[i:i + 128]]
            ids = torch.tensor([p for _, p in members[i:i + 128]])
            for _ in range(limit):
                ids = torch.cat([ids, model.lm_head(model.hidden(ids)[:, -1]).argmax(-1, keepdim=True)], 1)
                texts = [decode(row[length:].tolist()) for row in ids]
                for n, text in zip(numbers, texts):
                    right[n] = int(text.split(stop)[0].strip() == items[n]["answer"])
                going = [k for k, text in enumerate(texts) if stop not in text]
                numbers, ids = [numbers[k] for k in going], ids[going]
                if not numbers:
                    break
    return right


def by_source():
    """The held-out text taken apart by source."""
    data, at, out = (HERE / "heldout.txt").read_bytes(), 0, {}
    for name, _, size in json.loads((HERE / "split.json").read_text(encoding="utf-8"))["test"]:
        source = name.split("/")[0]
        out[source] = out.get(source, "") + data[at:at + size].decode("utf-8") + "\n\n"
        at += size + 2
    return out


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", type=pathlib.Path, default=HERE / "model")
    args.add_argument("--table", action="store_true")
    args.add_argument("--items", type=int, help="only so many items a task, and write nothing")
    args.add_argument("--threads", type=int, default=2)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    ids = encode((HERE / "heldout.txt").read_text(encoding="utf-8"))
    recipes = {"FP32": None}
    if args.table:
        recipes |= {"INT8, a scale a row": (8, 0), "INT4, groups of 32": (4, 32), "INT4, groups of 128": (4, 128),
                    "INT4, a scale a row": (4, 0)}
    manifest = json.loads((tasks.OUT / "manifest.json").read_text())["tasks"]
    reference, table = None, []
    for label, recipe in recipes.items():
        model = phi.load(args.model)
        if recipe:
            quantized(model, recipe)
        windows, kept, kld, same = perplexity(model, ids, reference)
        mean = math.exp(sum(windows) / len(windows))
        row, golden_tasks = [label, f"{mean:.2f}", f"{kld:.4f}" if recipe else "-", f"{100 * same:.1f}" if recipe else "-"], {}
        for task in manifest:
            items = [json.loads(line) for line in open(tasks.OUT / task["file"], encoding="utf-8")][:args.items]
            if task["kind"] == "multiple_choice":
                right = multiple_choice(model, encode, items)
            else:
                right = exact_match(model, encode, tokenizer.decode, items, task["max_new_tokens"], task["stop"])
            golden_tasks[task["name"]] = {"accuracy": sum(right) / len(right), "right": "".join(map(str, right))}
            row.append(f"{100 * sum(right) / len(right):.1f}")
        if recipe is None:
            for source, text in by_source().items():
                nll = perplexity(model, encode(text))[0]
                print(f"{source}: perplexity {math.exp(sum(nll) / len(nll)):.1f} in {len(nll)} windows", flush=True)
        table.append(row)
        print("| " + " | ".join(row) + " |", flush=True)
        if recipe is None:
            reference = kept
            if not args.items:
                golden = {"note": "FP32 figures of the committed weights, written by evaluate.py",
                          "perplexity": {"context": CONTEXT, "tokens": len(ids), "windows": len(windows), "value": mean,
                                         "first_8_windows": math.exp(sum(windows[:8]) / 8), "window_mean_nll": windows},
                          "tasks": golden_tasks}
                (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    print("\n| weights | perplexity | mean KLD | same top-1, % | " + " | ".join(t["name"] + ", %" for t in manifest) + " |")
    print("|" + "---|" * (4 + len(manifest)))
    for row in table:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
