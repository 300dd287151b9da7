"""llama.cpp in this process (xllamacpp): one model at a time, asked over its own HTTP interface on the loopback address."""
import json
import urllib.request

import xllamacpp


class Llama:
    def __init__(self, path, context):
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.warmup = False
        params.fit_params = False
        params.verbosity = -1
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.server = xllamacpp.Server(params)

    def ask(self, path, **fields):
        request = urllib.request.Request(self.server.listening_address + path, json.dumps(fields).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def tokenize(self, text):
        return self.ask("/tokenize", content=text, add_special=False, parse_special=True)["tokens"]

    def greedy(self, ids, count):
        answer = self.ask("/completion", prompt=ids, n_predict=count, temperature=0, samplers=["temperature"], ignore_eos=True, return_tokens=True,
                          cache_prompt=False)
        return answer["tokens"]

    def log_probabilities(self, ids, vocabulary):
        """Of the token after `ids`, by id, before any sampling. The sampled token is forced to be a letter: with half a character there is no answer."""
        letter = self.tokenize("a")[-1]
        answer = self.server.handle_completions({"prompt": ids, "max_tokens": 1, "n_probs": vocabulary, "temperature": 0, "logit_bias": [[letter, 1000]],
                                                 "cache_prompt": False})
        return {row["id"]: row["logprob"] for row in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}
