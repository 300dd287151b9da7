#!/usr/bin/env python3
"""Train the byte-level BPE of 4,096 tokens on the training part and write the tokenizer files.

  python make_tokenizer.py --work DIR       # DIR as filled by prepare.py
Digits are single tokens, so that arithmetic can be learned.
"""
import argparse, json, pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
VOCAB = 4096
SPECIAL = ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]
# The pattern of cl100k with single digits (the same as Qwen2's, which GGUF names "qwen2").
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
           r"\s+(?!\S)|\s+")
CHAT = """{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'user' %}{{'<|user|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>
' + message['content'] + '<|end|>
'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %}"""  # Phi-3.5-mini's


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--work", required=True, type=pathlib.Path)
    work = args.parse_args().work
    texts = [json.loads(line)["text"] for line in open(work / "train.jsonl", encoding="utf-8")]
    import tasks
    texts += [tasks.training_text(seed, 40) for seed in range(100)]  # names and words of the tasks
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB - len(SPECIAL), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    assert tokenizer.get_vocab_size() == VOCAB
    out = HERE / "model"
    out.mkdir(exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))

    def write(name, value):
        (out / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    ids = {t: tokenizer.token_to_id(t) for t in SPECIAL}
    write("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "add_eos_token": False,
        "added_tokens_decoder": {str(i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                          "single_word": False, "special": True} for t, i in ids.items()},
        "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False, "model_max_length": 512, "chat_template": CHAT})
    write("special_tokens_map.json", {k: "<|endoftext|>" for k in ("bos_token", "eos_token", "pad_token")})
    write("generation_config.json", {
        "_from_model_config": True, "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": [ids["<|endoftext|>"], ids["<|end|>"]], "pad_token_id": ids["<|endoftext|>"]})
    write("config.json", {
        "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "vocab_size": VOCAB, "hidden_size": 256,
        "intermediate_size": 512, "num_hidden_layers": 5, "num_attention_heads": 8, "num_key_value_heads": 4,
        "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
        "partial_rotary_factor": 1.0, "max_position_embeddings": 512, "original_max_position_embeddings": 512,
        "sliding_window": None, "tie_word_embeddings": False, "attention_dropout": 0.0, "resid_pdrop": 0.0,
        "embd_pdrop": 0.0, "initializer_range": 0.02, "use_cache": True, "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|endoftext|>"], "pad_token_id": ids["<|endoftext|>"], "torch_dtype": "float16"})


if __name__ == "__main__":
    main()
