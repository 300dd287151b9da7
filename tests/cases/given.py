"""What cases start from: damaged models, full disks, foreign databases. Each function gets the case's folder and may return variables."""
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
TINY = SOURCE / "tests/golden/models/phi-3-mini-tiny"


class Skip(Exception):
    pass


def limits_for(variables):
    """For subprocess: a limit on the size of files that stands in for a full disk."""
    limit = variables.get("file_size_limit")
    if limit is None:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))


def clean_up(tmp):
    for path in tmp.iterdir():
        if path.is_mount():
            subprocess.run(["umount", str(path)], check=False)
        if path.is_dir() and not path.is_symlink():
            os.chmod(path, 0o700)


def copy(tmp, name="model"):
    target = tmp / name
    shutil.copytree(TINY, target)
    for path in target.iterdir():
        os.chmod(path, 0o644)
    return target


def read_tensors(path):
    """(header, data) of a safetensors file."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + length]), raw[8 + length:]


def write_tensors(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def change_config(tmp, key, value):
    folder = copy(tmp)
    config = json.loads((folder / "config.json").read_text())
    config[key] = json.loads(value)
    (folder / "config.json").write_text(json.dumps(config))
    return {"model": str(folder)}


def foreign_architecture(tmp):
    folder = copy(tmp)
    config = json.loads((folder / "config.json").read_text())
    config.update(architectures=["LlamaForCausalLM"], model_type="llama")
    (folder / "config.json").write_text(json.dumps(config))
    return {"model": str(folder)}


def only_config(tmp):
    """A folder that holds config.json and nothing else."""
    folder = copy(tmp)
    for path in folder.iterdir():
        if path.name != "config.json":
            path.unlink()
    return {"model": str(folder)}


def conversation(tmp):
    """A list of messages, and one whose second message has no role."""
    messages = [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"}]
    good, broken = tmp / "messages.json", tmp / "broken.json"
    good.write_text(json.dumps(messages))
    broken.write_text(json.dumps([messages[0], {"content": "three"}]))
    return {"messages": str(good), "broken": str(broken)}


def gguf_of_another_architecture(tmp):
    raw = (SOURCE / "tests/golden/gguf/phi-4-mini-tiny.gguf").read_bytes()
    path = tmp / "model.gguf"
    path.write_bytes(raw.replace(b"phi3", b"llam", 1))
    return {"model": str(path)}


def model_copy(tmp):
    return {"model": str(copy(tmp))}


def truncated(tmp):
    folder = copy(tmp)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    return {"model": str(folder)}


def overlapping(tmp):
    folder = copy(tmp)
    path = folder / "model.safetensors"
    header, data = read_tensors(path)
    names = [name for name in header if name != "__metadata__"]
    begin, end = header[names[1]]["data_offsets"]
    header[names[1]]["data_offsets"] = [begin - 2, end - 2]
    write_tensors(path, header, data)
    return {"model": str(folder)}


def huge_header(tmp):
    folder = copy(tmp)
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    path.write_bytes(struct.pack("<Q", 1 << 63) + raw[8:])
    return {"model": str(folder)}


def nan_weights(tmp):
    folder = copy(tmp)
    path = folder / "model.safetensors"
    header, data = read_tensors(path)
    begin = header["model.layers.1.mlp.down_proj.weight"]["data_offsets"][0]
    data = data[:begin + 4] + b"\xc0\x7f" + data[begin + 6:]  # a BF16 NaN in row 0, column 2
    write_tensors(path, header, data)
    return {"model": str(folder)}


def missing_shard(tmp):
    folder = copy(tmp)
    header, _ = read_tensors(folder / "model.safetensors")
    names = [name for name in header if name != "__metadata__"]
    index = {"metadata": {"total_size": 1}, "weight_map": {name: "model-00001-of-00002.safetensors" for name in names}}
    index["weight_map"][names[-1]] = "model-00002-of-00002.safetensors"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return {"model": str(folder)}


def wrong_shape(tmp):
    folder = copy(tmp)
    path = folder / "model.safetensors"
    header, data = read_tensors(path)
    entry = header["model.layers.0.mlp.down_proj.weight"]
    entry["shape"] = entry["shape"][::-1]
    write_tensors(path, header, data)
    return {"model": str(folder)}


def foreign_tokenizer(tmp):
    """A tokenizer with an id that the model has no row for."""
    folder = copy(tmp)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["added_tokens"].append({"id": 4000, "content": "<|far|>", "single_word": False, "lstrip": False, "rstrip": False,
                                      "normalized": False, "special": True})
    path.write_text(json.dumps(tokenizer))
    return {"model": str(folder)}


def only_file(tmp, name):
    """A folder with config.json and one file of a format that Phiscope does not read."""
    folder = copy(tmp)
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"\x80\x02}q\x00.")
    return {"model": str(folder), "file": str(folder / name)}


def read_only_folder(tmp):
    """A folder that nobody may write to, root included."""
    folder = tmp / "readonly"
    folder.mkdir()
    if os.geteuid() != 0:
        os.chmod(folder, 0o500)
    elif subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)], capture_output=True, check=False).returncode != 0:
        raise Skip("root may write everywhere and no file system can be mounted here")
    return {"readonly": str(folder)}


def full_disk(tmp):
    """Files may not grow beyond 64 KiB."""
    return {"file_size_limit": "65536"}


def newer_database(tmp):
    import sqlite3
    path = tmp / "phiscope.db"
    connection = sqlite3.connect(path)
    connection.execute("create table run (run_id text)")
    connection.execute("pragma application_id = 1349020019")  # "Phis", as Phiscope marks its databases
    connection.execute("pragma user_version = 9999")
    connection.commit()
    connection.close()
    return {"database": str(path)}


def foreign_database(tmp):
    import sqlite3
    path = tmp / "foreign.db"
    connection = sqlite3.connect(path)
    connection.execute("create table people (name text)")
    connection.commit()
    connection.close()
    return {"database": str(path)}


def text_file(tmp):
    """A text of some thousand toy tokens."""
    path = tmp / "text.txt"
    path.write_text("the quick brown fox jumps over the lazy dog and runs away into the dark wood. " * 60)
    return {"text": str(path)}


def own_tasks(tmp):
    """A suite with questions beside it, in a form and a format of its own."""
    folder = tmp / "mine"
    folder.mkdir()
    (folder / "riddles.jsonl").write_text("".join(json.dumps({"ask": f"What is {i}?", "options": ["one", "two", "three"], "gold": i % 3}) + "\n" for i in range(4)))
    (folder / "riddle.toml").write_text('importer = "jsonl"\nkind = "multiple_choice"\nprompt = "{ask}"\nchoices_key = "options"\nanswer_key = "gold"\n')
    (folder / "suite.toml").write_text('name = "mine"\n[[task]]\nname = "riddles"\nfile = "riddles.jsonl"\nformat = "riddle.toml"\n'
                                       '[output_check]\nprompts = ["the"]\ntokens = 2\n')
    return {"suite": str(folder / "suite.toml")}
