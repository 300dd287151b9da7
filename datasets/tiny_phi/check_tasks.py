#!/usr/bin/env python3
"""Checks the multiple-choice tasks against shortcuts, and how their texts meet the tokenizer.

  python3 check_tasks.py               # shortcuts (standard library only)
  python check_tasks.py --tokens       # also: prompt and choice tokenized apart = tokenized together
Exit status 1 if a shortcut beats chance by more than 8 points.
"""
import argparse, collections, json, re, sys

import tasks

LIMIT = 0.33


def numbers(texts):
    return [int(t) for t in texts]


def shortcuts(name):
    """Ways to answer without doing the task: (what, function(item) -> index of the choice)."""
    def extreme(best, key=lambda c: int(c)):
        return lambda i: best(range(4), key=lambda k: key(i["choices"][k]))

    common = [("longest choice", extreme(max, len)), ("shortest choice", extreme(min, len))]
    if name in ("word_problem_choice", "largest"):
        def middle(i):
            values = numbers(i["choices"])
            return min(range(4), key=lambda k: abs(values[k] - sum(values) / 4))
        common += [("choice nearest to the choices' mean", middle)]
    if name == "word_problem_choice":
        def context(i):
            said = re.findall(r"\d+", i["prompt"])
            return next((k for k in range(4) if i["choices"][k].strip() in said), 0)
        common += [("largest choice", extreme(max)), ("smallest choice", extreme(min)), ("a number of the prompt", context),
                   ("nearest to the first number", lambda i: min(range(4), key=lambda k: abs(
                       int(i["choices"][k]) - int(re.search(r"\d+", i["prompt"]).group()))))]
    if name == "largest":  # the task itself is 'largest choice'
        common += [("last number of the prompt", lambda i: [c.strip() for c in i["choices"]].index(re.findall(r"\d+", i["prompt"])[-1])),
                   ("first number of the prompt", lambda i: [c.strip() for c in i["choices"]].index(re.findall(r"\d+", i["prompt"])[0])),
                   ("largest last digit", extreme(max, lambda c: c[-1]))]
    if name == "brackets_choice":
        def forward(i):  # closing in the order of opening, or by the last bracket seen
            opened = [tasks.PAIRS[c] for c in i["prompt"] if c in tasks.PAIRS]
            return max(range(4), key=lambda k: sum(a == b for a, b in zip(i["choices"][k].split(), opened)))
        def last(i):
            opened = [tasks.PAIRS[c] for c in i["prompt"] if c in tasks.PAIRS]
            hits = [k for k in range(4) if i["choices"][k].split()[0] == opened[-1]]
            return hits[0] if hits else 0
        common += [("closed in the order of opening", forward), ("first closes the last bracket seen", last)]
    if name == "continuation":
        def overlap(i):
            said = set(re.findall(r"\w+", i["prompt"].lower()))
            return max(range(4), key=lambda k: len(said & set(re.findall(r"\w+", i["choices"][k].lower()))))
        common += [("most words of the prompt", overlap)]
    return common


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--tokens", action="store_true")
    args = args.parse_args()
    bad = []
    encode = None
    if args.tokens:
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(str(tasks.HERE / "model" / "tokenizer.json"))
        def encode(text):
            return tokenizer.encode(text, add_special_tokens=False).ids
    for task in json.loads((tasks.OUT / "manifest.json").read_text())["tasks"]:
        items = [json.loads(line) for line in open(tasks.OUT / task["file"], encoding="utf-8")]
        if encode:
            longest = 0
            for i in items:
                for answer in i.get("choices") or [" " + i["answer"]]:
                    longest = max(longest, len(encode(i["prompt"] + answer)))
                    if encode(i["prompt"]) + encode(answer) != encode(i["prompt"] + answer):
                        bad.append(f"{task['name']} {i['id']}: tokens of prompt and answer are not those of the whole")
            print(f"{task['name']}: longest item {longest} tokens")
        if task["kind"] == "exact_match":
            common = collections.Counter(i["answer"] for i in items).most_common(1)[0]
            rows = [("most frequent answer", common[1] / len(items))]
            rows.append(("a number of the prompt", sum(i["answer"] in re.findall(r"\d+", i["prompt"]) for i in items) / len(items)))
        else:
            places = collections.Counter(i["answer"] for i in items).most_common(1)[0][1]
            rows = [("most frequent place", places / len(items))]
            answers = collections.Counter(i["choices"][i["answer"]] for i in items)
            rows.append(("most frequent answer text", answers.most_common(1)[0][1] / len(items)))
            for what, guess in shortcuts(task["name"]):
                rows.append((what, sum(guess(i) == i["answer"] for i in items) / len(items)))
        for what, share in rows:
            print(f"{task['name']:20} {what:40} {100 * share:5.1f} %")
            if share > (LIMIT if task["kind"] == "multiple_choice" else 0.08):
                bad.append(f"{task['name']}: '{what}' alone is right in {100 * share:.1f} %")
    for message in bad[:20]:
        print("check_tasks:", message, file=sys.stderr)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
