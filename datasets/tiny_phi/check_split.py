#!/usr/bin/env python3
"""Proves from committed evidence that training and evaluation share no document and no item.

  python3 check_split.py               # exit status 0: nothing shared; else a message and 1
Standard library only. What it checks:
  1. every document's part is the one that the hash rule gives, and the parts' names are disjoint;
  2. heldout.txt is exactly the test documents, byte by byte (sizes and hashes in split.json), and
     calibration.txt exactly documents of the training part;
  3. no run of 12 words of the held-out text is among the training text's runs (one of 16 runs is
     kept in train_shingles.bin; a copied paragraph of 100 words would be noticed with 99 %);
     the calibration text, which is training text, is there in full, so the file is the right one;
  4. every task item is in the test bucket: its key is recomputed from its prompt, not trusted,
     and items drawn as training draws them never fall on a test item;
  5. the tasks' files have the hashes of the manifest, and their answers are right.
"""
import hashlib, json, pathlib, random, re, sys

import split_rules as rules
import tasks

HERE = pathlib.Path(__file__).resolve().parent
CLOSER = dict(zip("([{<", ")]}>"))


def require(true, message):
    if not true:
        sys.exit("check_split: " + message)


def documents(evidence, file, part):
    """Checks that a text file is exactly its documents; returns {name: text}."""
    data, at, out = (HERE / file).read_bytes(), 0, {}
    for name, digest, size in evidence:
        body = data[at:at + size]
        require(hashlib.sha256(body).hexdigest()[:16] == digest, f"{file}: document '{name}' is not the one of split.json")
        require(rules.document_part(name) == part, f"{file}: document '{name}' belongs to {rules.document_part(name)}, not {part}")
        require(data[at + size:at + size + 2] in (b"\n\n", b"\n"), f"{file}: no gap after '{name}'")
        out[name], at = body.decode("utf-8"), at + size + 2
    require(at == len(data) + 1, f"{file}: text beyond the last document")
    return out


def check_documents():
    evidence = json.loads((HERE / "split.json").read_text(encoding="utf-8"))
    require(evidence["rule"] == rules.RULE, "split.json was made by another rule")
    test = [name for name, _, _ in evidence["test"]]
    parts = {"train": evidence["train"], "validation": evidence["validation"], "test": test}
    owner = {}
    for part, names in parts.items():
        require(names, f"no document in {part}")
        for name in names:
            require(name not in owner, f"document '{name}' is in {owner.get(name)} and in {part}")
            require(rules.document_part(name) == part, f"document '{name}' is in {part}, the rule says {rules.document_part(name)}")
            owner[name] = part
    require(hashlib.sha256((HERE / "heldout.txt").read_bytes()).hexdigest() == evidence["heldout_sha256"], "heldout.txt was changed")
    heldout = documents(evidence["test"], "heldout.txt", "test")
    calibration = documents(evidence["calibration"], "calibration.txt", "train")

    raw = (HERE / "train_shingles.bin").read_bytes()
    known = {int.from_bytes(raw[i:i + 5], "big") for i in range(0, len(raw), 5)}
    require(len(known) == evidence["train_shingles"] > 10000, "train_shingles.bin does not fit split.json")

    def sampled(text):
        return [h for line in text.split("\n") for h in rules.shingles(line) if h % rules.SAMPLE == 0]

    looked = 0
    for name, text in heldout.items():
        mine = sampled(text)
        looked += len(mine)
        require(known.isdisjoint(mine), f"held-out document '{name}' shares a run of {rules.WORDS} words with training text")
    require(looked > 1000, "too few runs of words in the held-out text to tell anything")
    for name, text in calibration.items():
        require(known.issuperset(sampled(text)), f"calibration document '{name}' is not in train_shingles.bin")
    print(f"documents: {', '.join(f'{len(n)} {p}' for p, n in parts.items())}; "
          f"{looked} runs of words of the held-out text, none among {len(known)} of training")
    return heldout


def solve(name, prompt):
    """Key and right answer from the prompt alone, without the generator."""
    n = [int(x) for x in re.findall(r"\d+", prompt)]
    if name.startswith("word_problem"):
        changes = [(1 if verb == "buys" else -1) * int(x) for verb, x in re.findall(r"(buys|sells) (\d+)", prompt)]
        return f"word:{n[0]}" + "".join(f"{c:+d}" for c in sorted(changes)), str(n[0] + sum(changes))
    if name == "addition":
        return f"add:{min(n)}+{max(n)}", str(sum(n))
    if name == "sequence":
        return f"seq:{n[0]},{n[1] - n[0]}", str(n[2] + n[1] - n[0])
    if name == "largest":
        return "max:" + ",".join(map(str, sorted(n))), str(max(n))
    if name.startswith("brackets"):
        text, stack = re.sub(r"[^][(){}<>]", "", prompt), []
        for c in text:
            if c in CLOSER:
                stack.append(CLOSER[c])
            else:
                require(stack and stack.pop() == c, f"brackets do not match in '{prompt}'")
        return "close:" + text, " ".join(reversed(stack))
    sys.exit(f"check_split: no rule for task '{name}'")


def check_items(heldout):
    manifest = json.loads((tasks.OUT / "manifest.json").read_text(encoding="utf-8"))["tasks"]
    test_keys = set()
    for task in manifest:
        name, data = task["name"], (tasks.OUT / task["file"]).read_bytes()
        require(hashlib.sha256(data).hexdigest() == task["sha256"], f"{task['file']} is not the file of the manifest")
        items = [json.loads(line) for line in data.decode("utf-8").splitlines()]
        require(len(items) == task["items"] >= 500, f"{name}: {len(items)} items")
        require(len({i["id"] for i in items}) == len(items), f"{name}: an id occurs twice")
        for item in items:
            choices = item.get("choices")
            require(not choices or len(set(choices)) == len(choices) == 4, f"{name} {item['id']}: choices")
            answer = choices[item["answer"]].strip() if choices else item["answer"]
            if name == "continuation":
                document = item["id"].rsplit("#", 1)[0]
                require(item["prompt"] + " " + answer in heldout.get(document, ""), f"{item['id']}: not in that held-out document")
                for choice in choices:
                    require(any(choice in text for text in heldout.values()), f"{item['id']}: a choice is not held-out text")
                continue
            key, right = solve(name, item["prompt"])
            require(key == item["id"].split("#")[0], f"{name}: item '{item['id']}' has the prompt of '{key}'")
            require(rules.item_part(key) == "test", f"{name}: item '{key}' belongs to {rules.item_part(key)}")
            require(answer == right, f"{name}: item '{key}' says {answer}, right is {right}")
            test_keys.add(key)
    # The way training draws: the key that the generator returns decides, so recompute it too.
    drawn, rng = 0, random.Random(1)
    names = {"word": "word_problem", "add": "addition", "seq": "sequence", "close": "brackets", "max": "largest"}
    for n in range(20000):
        (prompt, _), *_ = tasks.training_item(rng, (tasks.EARLY, tasks.LATE)[n % 2])
        prompt = prompt.removeprefix("<|user|>\n").split("<|end|>")[0]
        kind = "word" if "How many" in prompt else "add" if " + " in prompt else "seq" if prompt.startswith("Next") else \
            "close" if prompt.startswith("Close") else "max"
        key, _ = solve(names[kind], prompt)
        require(rules.item_part(key) == "train" and key not in test_keys, f"training draws '{key}', which belongs to the test")
        drawn += 1
    print(f"items: {sum(t['items'] for t in manifest)} in {len(manifest)} tasks, all in the test bucket and right; "
          f"{drawn} training items drawn, none among them")


if __name__ == "__main__":
    check_items(check_documents())
    print("training and evaluation share no document and no item")
