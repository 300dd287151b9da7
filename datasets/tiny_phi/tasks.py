#!/usr/bin/env python3
"""Generated tasks: training items for train.py, and the test items of datasets/tasks/.

  python3 tasks.py --write             # rewrites datasets/tasks/*.jsonl and manifest.json
Standard library only. An item belongs to training or to the test by the hash of its key
(split_rules.item_part), so no test item can occur in training. Every item is
(key, prompt, answer); the answer starts with a space, and a line break ends it.
"""
import argparse, hashlib, json, pathlib, random, re

import split_rules as rules

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "tasks"
ITEMS = 1000

NAMES = ["Tom", "Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Ruth", "Peter", "Mary"]
THINGS = ["apples", "books", "coins", "stones", "cups", "lamps", "eggs", "pens", "fish", "sheep", "keys", "cakes"]
PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def addition(rng):
    n = rng.choice([2, 3, 3, 4, 4, 4])
    a, b = (rng.randrange(10 ** (n - 1), 10 ** n) for _ in range(2))
    return f"add:{min(a, b)}+{max(a, b)}", f"{a} + {b} =", f" {a + b}"


def word_problem(rng, steps=None, most=30):
    steps = steps or rng.choice([1, 2, 2, 2])
    a = rng.randrange(10, 100)
    signs = rng.choice([(1, -1), (-1, 1)]) if steps == 2 else (rng.choice([1, -1]),)
    value, changes = a, []
    for sign in signs:
        change = rng.randrange(2, most + 1 if sign > 0 else max(3, min(most + 1, value)))
        value += sign * change
        changes.append(sign * change)
    said = " and ".join(f"{'buys' if c > 0 else 'sells'} {abs(c)}" for c in changes)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    prompt = f"{name} has {a} {thing}, {said}. How many now?"
    return f"word:{a}" + "".join(f"{c:+d}" for c in sorted(changes)), prompt, f" {value}"


def largest(rng):
    numbers = rng.sample(range(100, 1000), 4)
    if rng.random() < 0.5:  # the first digit alone does not decide
        first = rng.randrange(1, 10) * 100
        numbers = rng.sample(range(first, first + 100), 4)
    key = "max:" + ",".join(map(str, sorted(numbers)))
    return key, "Numbers: " + ", ".join(map(str, numbers)) + ". Largest:", f" {max(numbers)}"


def sequence(rng):
    a, d = rng.randrange(1, 400), rng.randrange(3, 60)
    return f"seq:{a},{d}", "Next: " + ", ".join(str(a + i * d) for i in range(3)) + ",", f" {a + 3 * d}"


def brackets(rng, depth=None):
    depth = depth or rng.randrange(1, 7)
    text, stack = [], []
    while len(stack) < depth:
        kind = rng.choice("([{<")
        text.append(kind)
        if rng.random() < 0.3:
            text.append(PAIRS[kind])
        else:
            stack.append(kind)
    if rng.random() < 0.3:
        kind = rng.choice("([{<")
        text += [kind, PAIRS[kind]]
    return "close:" + "".join(text), "Close: " + " ".join(text) + " :", " " + " ".join(PAIRS[k] for k in reversed(stack))


def short_problem(rng):
    return word_problem(rng, steps=1, most=40)


def short_addition(rng):
    a, b = rng.randrange(10, 200), rng.randrange(2, 61)
    first, second = rng.sample([a, b], 2)
    return f"add:{min(a, b)}+{max(a, b)}", f"{first} + {second} =", f" {a + b}"


# Kind and share of the training items. The late mix, of the training's second part, has the easier
# kinds that a short training can learn; the test has those.
EARLY = [(word_problem, 45), (addition, 22), (sequence, 10), (brackets, 13), (largest, 10)]
LATE = [(short_problem, 40), (short_addition, 25), (brackets, 20), (largest, 15)]


def training_item(rng, mix, part="train"):
    """One item as (text pieces, ...): a piece is (text, is it the answer)."""
    make = rng.choices([m for m, _ in mix], [w for _, w in mix])[0]
    while True:
        key, prompt, answer = make(rng)
        if rules.item_part(key) == part:
            break
    if rng.random() < 0.08:
        return [("<|user|>\n" + prompt + "<|end|>\n<|assistant|>\n", False), (answer.strip() + "<|end|>\n", True)]
    return [(prompt, False), (answer, True), ("\n", True)]  # apart, as the scorer sees the answer without its end


def training_text(seed, items):
    rng = random.Random(seed)
    return "".join(re.sub(r"<\|\w+\|>", "", piece) for _ in range(items) for piece, _ in training_item(rng, EARLY))


# ---- test items -------------------------------------------------------------------------------

def near(rng, prompt, answer):
    """Three wrong numbers around the right one. Neither size tells anything (the right one's rank is
    as often each of four) nor the distance to the prompt's first number (the same)."""
    value, first = int(answer), int(re.search(r"\d+", prompt).group())
    aim = rng.randrange(4)
    for _ in range(200):
        wrong = [value + s * rng.choice([-1, 1]) for s in rng.sample([1, 2, 3, 5, 9, 10, 11, 20], 3)]
        place = sum(abs(w - first) < abs(value - first) for w in wrong)
        tie = any(abs(w - first) == abs(value - first) for w in wrong)
        if min(wrong) >= 0 and place == aim and not tie:
            return [f" {w}" for w in wrong]
    return None


def wrong_closings(rng, answer):
    """Other orders of the same closing brackets behind the same first one, so that counting them
    or knowing the first alone tells nothing."""
    right = answer.split()
    orders = set()
    for _ in range(200):
        order = right[1:]
        if rng.random() < 0.5:
            i = rng.randrange(len(order) - 1)
            order[i], order[i + 1] = order[i + 1], order[i]
        else:
            rng.shuffle(order)
        if order != right[1:]:
            orders.add(" " + " ".join(right[:1] + order))
    orders = sorted(orders)
    return rng.sample(orders, 3) if len(orders) >= 3 else None


def test_items(make, seed, wrong=None, variants=1):
    """ITEMS items; a key occurs in up to `variants` of them, with other names and things."""
    rng, seen, out, texts = random.Random(seed), {}, [], set()
    while len(out) < ITEMS:
        key, prompt, answer = make(rng)
        if rules.item_part(key) != "test" or seen.get(key, 0) == variants or prompt in texts:
            continue
        item = {"id": key if key not in seen else f"{key}#{seen[key]}", "prompt": prompt, "answer": answer.strip()}
        if wrong:
            others = wrong(rng, prompt, answer)
            if not others:
                continue
            choices = [answer] + others
            rng.shuffle(choices)
            item.update(choices=choices, answer=choices.index(answer))
        seen[key] = seen.get(key, 0) + 1
        texts.add(prompt)
        out.append(item)
    return out


def shared(a, b):
    return len(set(re.findall(r"\w+", a.lower())) & set(re.findall(r"\w+", b.lower())))


def continuation(seed):
    """The right second half of a held-out sentence among four of the same length, of any source."""
    rng = random.Random(seed)
    evidence = json.loads((HERE / "split.json").read_text(encoding="utf-8"))
    data = (HERE / "heldout.txt").read_bytes()
    halves, at = {}, 0
    for name, _, size in evidence["test"]:
        text, at = data[at:at + size].decode("utf-8"), at + size + 2
        for sentence in re.findall(r"[A-Z][^.!?\n|{}#]{60,220}[.!?](?=\s)", text + "\n"):
            words = sentence.split(" ")
            cut = len(words) // 2
            first, second = " ".join(words[:cut]), " " + " ".join(words[cut:])
            if len(words) >= 12 and "" not in words and re.search(r"[A-Za-z,;]$", first) and re.match(r" [A-Za-z]", second):
                halves.setdefault(name.split("/")[0], []).append((name, first, second))
    items, pool = [], [h for _, of_source in sorted(halves.items()) for h in of_source]
    for i, (name, first, second) in enumerate(pool):
        others = sorted({s for n, _, s in pool if n != name and abs(len(s) - len(second)) <= 2})
        # Those that share as many words with the first half, so that this alone tells nothing.
        rng.shuffle(others)
        others.sort(key=lambda s: abs(shared(first, s) - shared(first, second) - 0.3))
        if len(others) < 3 or sum(shared(first, s) >= shared(first, second) for s in others[:3]) < 2:
            continue
        choices = [second] + others[:3]
        rng.shuffle(choices)
        items.append({"id": f"{name}#{i}", "prompt": first, "choices": choices, "answer": choices.index(second)})
    rng.shuffle(items)
    return items[:ITEMS]


def all_tests():
    return [
        ("word_problem_choice", "multiple_choice", test_items(short_problem, 1, near, variants=4)),
        ("word_problem", "exact_match", test_items(short_problem, 2, variants=4)),
        ("largest", "multiple_choice", test_items(
            largest, 5, lambda r, p, a: [f" {n}" for n in re.findall(r"\d+", p) if n != a.strip()])),
        ("brackets_choice", "multiple_choice", test_items(
            lambda r: brackets(r, r.randrange(5, 7)), 6, lambda r, p, a: wrong_closings(r, a))),
        ("brackets", "exact_match", test_items(lambda r: brackets(r, r.randrange(3, 6)), 4)),
        ("continuation", "multiple_choice", continuation(7)),
    ]


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--write", action="store_true", help="write the files (otherwise only print a sample)")
    write = args.parse_args().write
    manifest = []
    for name, kind, items in all_tests():
        data = "".join(json.dumps(i, ensure_ascii=False) + "\n" for i in items).encode("utf-8")
        entry = {"name": name, "kind": kind, "file": name + ".jsonl", "items": len(items),
                 "chance": 0.25 if kind == "multiple_choice" else 0.0}
        if kind == "exact_match":
            entry.update(max_new_tokens=12, stop="\n")
        entry["sha256"] = hashlib.sha256(data).hexdigest()
        manifest.append(entry)
        print(name, len(items), items[0])
        if write:
            OUT.mkdir(exist_ok=True)
            (OUT / (name + ".jsonl")).write_bytes(data)
    if write:
        (OUT / "manifest.json").write_text(json.dumps({"tasks": manifest}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
