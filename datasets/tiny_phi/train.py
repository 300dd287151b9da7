#!/usr/bin/env python3
"""Train the tiny Phi on CPU cores, in FP32.

  python train.py --work DIR                   # starts, or goes on from DIR/checkpoint.pt
  python train.py --work DIR --export model    # writes the checkpoint as FP16 Hugging Face weights

Every batch is half text and half generated tasks. What a step sees depends on the seed and the
step's number alone, so a resumed run is the same run. The learning rate goes straight from knot
to knot of --schedule (STEP:FACTOR, ...), whose last step is the last of the training; the rows
are 256 tokens long, and 512 from step --long-from on.
"""
import argparse, json, math, os, pathlib, random, time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import numpy as np
import torch
from tokenizers import Tokenizer

import model as phi
import tasks

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20240613
TOKENS = 1536                          # text tokens a step, and as many task tokens
SCHEDULE = "0:0.025,39:1,260:1,360:0.6154,500:0,510:0.6,760:0"
LONG_FROM = 400
LATE_FROM = 320  # the task items' second mix
MUON_LR, MUON_DECAY, MOMENTUM = 4e-3, 0.05, 0.95
ADAM_LR, EMBED_LR, BETAS = 3e-3, 6e-3, (0.9, 0.95)
ANSWER_WEIGHT, PROMPT_WEIGHT = 2.0, 0.2  # loss weight of task answers and task prompts; text has 1


class Data:
    def __init__(self, work):
        self.tokenizer = Tokenizer.from_file(str(HERE / "model" / "tokenizer.json"))
        self.end = self.tokenizer.token_to_id("<|endoftext|>")
        self.documents, self.validation = (
            [self.encode(json.loads(line)["text"] + "\n") + [self.end] for line in open(work / f"{p}.jsonl", encoding="utf-8")]
            for p in ("train", "validation"))
        self.epochs = {}
        self.size = sum(map(len, self.documents))

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def epoch(self, n):
        if n not in self.epochs:
            order = list(range(len(self.documents)))
            random.Random(f"{SEED} text {n}").shuffle(order)
            self.epochs = {k: v for k, v in self.epochs.items() if k >= n - 1}
            self.epochs[n] = np.concatenate([self.documents[i] for i in order])
        return self.epochs[n]

    def text(self, step, length):
        """TOKENS tokens of the endless stream of shuffled documents, in rows of `length` (+ 1 to predict)."""
        at = step * TOKENS
        stream = np.concatenate([self.epoch(at // self.size), self.epoch(at // self.size + 1)[:TOKENS + 1]])
        stream = stream[at % self.size:][:TOKENS + 1]
        return np.stack([stream[i:i + length + 1] for i in range(0, TOKENS, length)])

    def tasks(self, step, length, mix):
        """Rows of task items; each row begins with an item."""
        ids, weights = [], []
        for row in range(TOKENS // length):
            rng = random.Random(f"{SEED} task {step} {row}")
            i, w = [], []
            while len(i) <= length:
                for piece, answer in tasks.training_item(rng, mix):
                    new = self.encode(piece)
                    i += new
                    w += [ANSWER_WEIGHT if answer else PROMPT_WEIGHT] * len(new)
                if rng.random() < 0.5:
                    i.append(self.end)
                    w.append(PROMPT_WEIGHT)
            ids.append(i[:length + 1])
            weights.append(w[:length + 1])
        return np.array(ids), np.array(weights, dtype=np.float32)

    def batch(self, step, length, mix):
        text = self.text(step, length)
        ids, weights = self.tasks(step, length, mix)
        weights = np.concatenate([np.ones_like(text, dtype=np.float32), weights])
        return torch.from_numpy(np.concatenate([text, ids])).long(), torch.from_numpy(weights)


def orthogonal(x):
    """Newton-Schulz iteration (Muon); x is [n, rows, columns] with rows <= columns."""
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x


class Muon:
    """Nesterov momentum, made orthogonal; fused matrices are taken apart first, equal shapes done together."""

    def __init__(self, matrices):
        self.matrices = matrices                     # (parameter, row sizes of its parts)
        self.momentum = [torch.zeros_like(p) for p, _ in matrices]

    @torch.no_grad()
    def step(self, lr):
        groups = {}
        for (p, parts), m in zip(self.matrices, self.momentum):
            m.lerp_(p.grad, 1 - MOMENTUM)
            update = p.grad.lerp(m, MOMENTUM)
            for weight, u in zip(p.split(parts), update.split(parts)):
                tall = u.shape[0] > u.shape[1]
                u = u.T if tall else u
                groups.setdefault(u.shape, []).append((weight, u, tall))
        for shape, members in groups.items():
            updates = orthogonal(torch.stack([u for _, u, _ in members]))
            for (weight, _, tall), u in zip(members, updates):
                weight.mul_(1 - lr * MUON_DECAY).add_(u.T if tall else u, alpha=-lr * 0.2 * math.sqrt(max(shape)))


def rate(step, knots):
    """The learning rate's factor, on straight lines between the knots (step, factor)."""
    for (s0, r0), (s1, r1) in zip(knots, knots[1:]):
        if step < s1:
            return r0 + (r1 - r0) * (step - s0) / (s1 - s0)
    return knots[-1][1]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--work", required=True, type=pathlib.Path, help="folder as filled by prepare.py")
    args.add_argument("--schedule", default=SCHEDULE, help="knots of the learning rate (default: %(default)s)")
    args.add_argument("--long-from", type=int, default=LONG_FROM)
    args.add_argument("--stop", type=int, help="stop after this step, with a checkpoint")
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--export", type=pathlib.Path, help="write the checkpoint's weights into this folder and stop")
    args = args.parse_args()
    knots = [(int(k), float(r)) for k, r in (knot.split(":") for knot in args.schedule.split(","))]
    steps = knots[-1][0]
    torch.manual_seed(SEED)
    torch.set_num_threads(args.threads)
    config = json.loads((HERE / "model" / "config.json").read_text())
    model = phi.Phi3(config)
    for name, p in model.named_parameters():
        if p.ndim == 2:
            torch.nn.init.normal_(p, std={"embed_tokens": 0.1, "lm_head": 0.02}.get(name.split(".")[0], p.shape[1] ** -0.5))
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.zeros_(p)
    hd = config["hidden_size"] // config["num_attention_heads"]
    parts = {"qkv_proj": [config["hidden_size"], *[config["num_key_value_heads"] * hd] * 2],
             "gate_up_proj": [config["intermediate_size"]] * 2}
    matrices = [(p, parts.get(n.split(".")[-2], [p.shape[0]])) for n, p in model.named_parameters()
                if n.startswith("layers") and p.ndim == 2]
    muon = Muon(matrices)
    taken = {id(p) for p, _ in matrices}
    adam = torch.optim.AdamW([{"params": [p for p in model.parameters() if id(p) not in taken
                                          and p is not model.embed_tokens.weight], "full_lr": ADAM_LR},
                              {"params": [model.embed_tokens.weight], "full_lr": EMBED_LR}],
                             lr=ADAM_LR, betas=BETAS, weight_decay=0.0, fused=True)
    start, seconds = 0, 0.0
    saved = args.work / "checkpoint.pt"
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        muon.momentum = state["muon"]
        start, seconds = state["step"], state["seconds"]
    if args.export:
        phi.save(model, args.export)
        print(f"exported step {start}, {seconds / 60:.1f} minutes of training")
        return

    def checkpoint(step):
        state = {"model": model.state_dict(), "adam": adam.state_dict(), "muon": muon.momentum,
                 "step": step, "seconds": seconds}
        torch.save(state, saved.with_suffix(".new"))
        saved.with_suffix(".new").replace(saved)

    data = Data(args.work)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {data.size:,} tokens of text, from step {start}", flush=True)
    loss_of = torch.compile(model.loss, dynamic=False) if os.environ.get("COMPILE", "1") == "1" else model.loss
    validation = np.concatenate(data.validation)
    stop = min(args.stop or steps, steps)
    mark, shown = time.time(), start
    for step in range(start, stop):
        length = 256 if step < args.long_from else 512
        ids, weights = data.batch(step, length, tasks.EARLY if step < LATE_FROM else tasks.LATE)
        loss, nll = loss_of(ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scale = rate(step, knots)
        for group in adam.param_groups:
            group["lr"] = group["full_lr"] * scale
        adam.step()
        muon.step(MUON_LR * scale)
        model.zero_grad(set_to_none=True)
        done = step + 1
        if done % 20 == 0 or done == stop:
            now = time.time()
            seconds += now - mark
            nll = nll.detach()
            half = nll.shape[0] // 2
            answer = nll[half:][weights[half:, 1:] == ANSWER_WEIGHT].mean()
            print(f"step {done} lr {scale:.3f} text {nll[:half].mean():.3f} answers {answer:.3f} "
                  f"{(done - shown) * 2 * TOKENS / (now - mark):.0f} tokens/s {seconds / 60:.1f} min", flush=True)
            mark, shown = now, done
        if done % 20 == 0 or done == stop:
            checkpoint(done)
        if done % 100 == 0 or done == stop:
            rows = torch.from_numpy(np.stack([validation[i:i + 257] for i in range(0, 32 * 256, 256)])).long()
            with torch.no_grad():
                print(f"step {done} validation {model.loss(rows, torch.ones(rows.shape))[0]:.4f}", flush=True)


if __name__ == "__main__":
    main()
