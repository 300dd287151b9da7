"""The rules that keep training and evaluation apart; standard library only.

A document's part follows from a hash of its name; a task item's part from a hash of its key
(its operands). Nothing else decides, so the same rules prove the split afterwards.
"""
import hashlib, re

RULE = "document: sha256('phiscope-doc:' + name) mod 1000; item: sha256('phiscope-item:' + key) mod 16"
# How many of 1000 documents of a source are held out for the test; 10 more are for validation.
TEST_SHARE = {"kjv": 26, "sqlite": 50, "jargon": 65, "devil": 170}
WORDS = 12     # words in a shingle
SAMPLE = 16    # one shingle of so many is kept as evidence


def _number(text):
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")


def document_part(name):
    place = _number("phiscope-doc:" + name) % 1000
    share = TEST_SHARE[name.split("/")[0]]
    return "test" if place < share else "validation" if place < share + 10 else "train"


def item_part(key):
    """0 of 16: test, 1: validation, the rest: training."""
    place = _number("phiscope-item:" + key) % 16
    return "test" if place == 0 else "validation" if place == 1 else "train"


def shingles(text):
    """40-bit hashes of all runs of WORDS words, of letters and digits only, lower case."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    for i in range(len(words) - WORDS + 1):
        yield int.from_bytes(hashlib.blake2b(" ".join(words[i:i + WORDS]).encode(), digest_size=5).digest(), "big")


def interleave(documents):
    """Documents in an order in which every prefix holds all sources in proportion."""
    sources = {}
    for name, text in sorted(documents, key=lambda d: _number("phiscope-order:" + d[0])):
        sources.setdefault(name.split("/")[0], []).append((name, text))
    total = {s: sum(len(t) for _, t in d) for s, d in sources.items()}
    done, out = {s: 0 for s in sources}, []
    while any(sources.values()):
        s = min((s for s in sources if sources[s]), key=lambda s: (done[s] / total[s], s))
        name, text = sources[s].pop(0)
        done[s] += len(text)
        out.append((name, text))
    return out
