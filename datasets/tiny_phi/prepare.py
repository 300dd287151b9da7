#!/usr/bin/env python3
"""Fetch, clean and split the text that the tiny Phi is trained and measured on.

Standard library only; needs apt-get and dpkg (a Debian machine).
  python3 prepare.py --work DIR        # DIR gets train.jsonl, validation.jsonl, test.jsonl
Writes next to this script: heldout.txt, calibration.txt, split.json, train_shingles.bin
"""
import argparse, gzip, hashlib, html, html.parser, json, pathlib, re, subprocess, zlib

import split_rules as rules

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["jargon-text", "bible-kjv-text", "bible-kjv", "sqlite3-doc", "dict-devil"]
# Pages of the SQLite documentation that only repeat other pages.
REPEATING = re.compile(r"(capi3ref|requirements|.*_crossref|keyword_index|fileformat2|syntaxdiagrams|changes|"
                       r"sitemap|shortnames|hlr\d+|oldnews|news|chronology|toc|docs|doclist|funclist|constlist|objlist|"
                       r"intro|mingw.*|lang_.*_syntax)\.html$")


def fetch(work):
    debs, tree = work / "debs", work / "tree"
    debs.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not list(debs.glob(package + "_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=debs, check=True)
        if not (tree / package).exists():
            (tree / package).mkdir(parents=True)
            subprocess.run(["dpkg", "-x", str(next(debs.glob(package + "_*.deb"))), str(tree / package)], check=True)
    return tree


def unwrap(block):
    return re.sub(r"\s+", " ", block).strip()


def jargon(tree):
    """One document an entry of the lexicon, one a chapter before and after it."""
    text = gzip.decompress((tree / "jargon-text/usr/share/doc/jargon-text/jargon.txt.gz").read_bytes()).decode("utf-8")
    name, lines = "front", []

    def document():
        out = []
        for block in re.split(r"\n\s*\n", "\n".join(lines)):
            head = block.lstrip().startswith(":")
            if re.search("[│├└┌─]", block) or not head and re.fullmatch(r"[^.!?:]{0,60}", unwrap(block)):
                continue  # tables, lines of the index
            keep = len(re.findall(r"\S {4,}\S", block)) > 2  # drawings keep their lines
            out.append(block.rstrip() if keep else unwrap(block))
        return out

    for line in text.splitlines():
        entry = re.match(r"   (:[^ :][^:]*:)(.*)", line)
        chapter = re.match(r"\s{10,}(Chapter\s\d+|Part\s[IVX]+|Appendix\s[A-Z])\..*", line)
        if entry or chapter:
            yield "jargon/" + name, document()
            name = entry.group(1).strip(":") if entry else unwrap(line)
            lines = []
        lines.append(line)
    yield "jargon/" + name, document()


def devil(tree):
    """One document an entry of The Devil's Dictionary; verse keeps its lines."""
    raw = (tree / "dict-devil/usr/share/dictd/devil.dict.dz").read_bytes()
    text = zlib.decompressobj(31).decompress(raw).decode("latin-1")
    text = text[text.index("ABASEMENT, n.") if "ABASEMENT, n." in text else 0:]
    name, blocks, count = "front", [], 0
    for block in re.split(r"\n\s*\n", text):
        head = re.match(r"([A-Z][A-Z'\- ]+(?:, [A-Z][A-Z'\- ]+)*),", block)
        if head and len(blocks) > 0:
            yield f"devil/{count:04d} {name}", blocks
            blocks, count = [], count + 1
        if head:
            name = head.group(1)
        verse = block.startswith("  ")
        lines = [re.sub(r"\s+", " ", l).strip() for l in block.splitlines() if l.strip()]
        if lines:
            blocks.append("\n".join(lines) if verse else " ".join(lines))
    yield f"devil/{count:04d} {name}", blocks


def kjv(tree):
    """One document a chapter; a verse a paragraph."""
    out = subprocess.run([str(tree / "bible-kjv/usr/bin/bible"), "-f", "-p", str(tree / "bible-kjv-text/usr/lib"),
                          "gen1:1-rev22:21"], stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    chapter, verses = None, []
    for line in out.decode("latin-1").splitlines():
        place, verse = line.split(" ", 1)
        here = place.split(":")[0]
        if here != chapter and verses:
            yield "kjv/" + chapter, verses
            verses = []
        chapter = here
        verses.append(verse.strip())
    yield "kjv/" + chapter, verses


class Page(html.parser.HTMLParser):
    """Paragraphs of a page of the SQLite documentation."""
    SKIP = {"script", "style", "svg", "title", "head"}
    BLOCK = {"p", "div", "h1", "h2", "h3", "h4", "li", "ul", "ol", "table", "tr", "dl", "dt", "dd", "blockquote", "hr", "center"}

    def __init__(self):
        super().__init__()
        self.out, self.text, self.skip, self.pre = [], "", 0, 0

    def flush(self):
        text = self.text.strip("\n") if self.pre else unwrap(self.text)
        text = "\n".join(l.rstrip() for l in text.splitlines())
        if text.strip():
            self.out.append(text)
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag in self.SKIP and tag != "head":
            self.skip += 1
        if tag in self.BLOCK or tag == "pre":
            self.flush()
        if tag in ("td", "th") and self.text:
            self.text += " | "
        if tag == "br":
            self.text += "\n" if self.pre else " "
        self.pre += tag == "pre"

    def handle_endtag(self, tag):
        if tag in self.SKIP and tag != "head":
            self.skip = max(0, self.skip - 1)
        if tag in self.BLOCK or tag == "pre":
            self.flush()
        if tag == "pre":
            self.pre = max(0, self.pre - 1)

    def handle_data(self, data):
        if not self.skip:
            self.text += data


def sqlite(tree):
    """One document a page; a paragraph seen before on another page is dropped."""
    top = tree / "sqlite3-doc/usr/share/doc/sqlite3"
    seen = set()
    for path in sorted(top.rglob("*.html")):
        place = path.relative_to(top).as_posix()
        if REPEATING.match(place) or place.startswith("syntax/"):
            continue
        source = path.read_text("utf-8", "replace")
        start = source.find("antiRobotDefense();\n</script>")
        if start < 0:
            start = source.find("</script>")
        source = re.sub(r"(?s)<svg.*?</svg>", "", source[max(start, 0):])
        page = Page()
        page.feed(source[source.find(">") + 1:] if start >= 0 else source)
        page.flush()
        out = []
        for block in page.out:
            key = unwrap(block).lower()
            if len(key) < 25 or key.startswith("this page last modified"):
                continue
            if key in seen:
                continue
            seen.add(key)
            out.append(block)
        yield "sqlite/" + place, out


PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "—": " - ", "–": "-", "…": "...", "\u00a0": " ", "\t": "    "})


def clean(blocks):
    out = []
    for block in blocks:
        block = html.unescape(block).translate(PLAIN)
        block = "".join(c for c in block if c == "\n" or (c.isprintable() and (ord(c) < 0x2500 or ord(c) > 0x259f)))
        if block.strip():
            out.append(block.strip("\n"))
    return out


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--work", required=True, type=pathlib.Path, help="folder for downloads and the three parts")
    work = args.parse_args().work.resolve()
    tree = fetch(work)
    parts = {"train": [], "validation": [], "test": []}
    used = set()
    for read in (jargon, devil, kjv, sqlite):
        for name, blocks in read(tree):
            while name in used:
                name += "'"
            used.add(name)
            blocks = clean(blocks)
            if sum(map(len, blocks)) < 40:
                continue
            parts[rules.document_part(name)].append([name, blocks])

    # Held-out documents that are mostly copied from elsewhere would say little: the training
    # text loses every paragraph that shares a run of words with validation or test.
    held = set()
    for part in ("validation", "test"):
        for _, blocks in parts[part]:
            for block in blocks:
                held.update(rules.shingles(block))
    dropped = 0
    for document in parts["train"]:
        keep = [b for b in document[1] if held.isdisjoint(rules.shingles(b))]
        dropped += len(document[1]) - len(keep)
        document[1] = keep
    parts["train"] = [d for d in parts["train"] if d[1]]
    print("training paragraphs dropped because they share words with held-out text:", dropped)

    for part, documents in parts.items():
        with open(work / f"{part}.jsonl", "w", encoding="utf-8") as f:
            for name, blocks in documents:
                f.write(json.dumps({"name": name, "text": "\n".join(blocks)}, ensure_ascii=False) + "\n")
        sizes = {}
        for name, blocks in documents:
            source = name.split("/")[0]
            sizes[source] = sizes.get(source, 0) + len("\n".join(blocks).encode())
        print(part, len(documents), "documents", sizes, sum(sizes.values()))

    # The held-out text: whole test documents, the sources taking turns so that any prefix is a mix.
    heldout = rules.interleave([(n, "\n".join(b)) for n, b in parts["test"]])
    text = "\n\n".join(t for _, t in heldout) + "\n"
    (HERE / "heldout.txt").write_text(text, encoding="utf-8")
    calibration, size = [], 0
    for name, body in rules.interleave([(n, "\n".join(b)) for n, b in parts["train"] if len("\n".join(b)) < 6000]):
        if size > 100_000:
            break
        calibration.append((name, body))
        size += len(body.encode())
    (HERE / "calibration.txt").write_text("\n\n".join(t for _, t in calibration) + "\n", encoding="utf-8")

    sampled = set()
    for _, blocks in parts["train"]:
        for block in blocks:
            sampled.update(h for h in rules.shingles(block) if h % rules.SAMPLE == 0)
    with open(HERE / "train_shingles.bin", "wb") as f:
        for h in sorted(sampled):
            f.write(h.to_bytes(5, "big"))
    evidence = {"rule": rules.RULE,
                "train": [n for n, _ in parts["train"]],
                "validation": [n for n, _ in parts["validation"]],
                "test": [[n, hashlib.sha256(t.encode()).hexdigest()[:16], len(t.encode())] for n, t in heldout],
                "calibration": [[n, hashlib.sha256(t.encode()).hexdigest()[:16], len(t.encode())] for n, t in calibration],
                "heldout_sha256": hashlib.sha256(text.encode()).hexdigest(),
                "train_shingles": len(sampled)}
    (HERE / "split.json").write_text(json.dumps(evidence, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
