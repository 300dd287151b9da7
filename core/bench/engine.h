#pragma once
// What the bench drives: a session of one of our backends, or later a foreign program behind the same protocol. Blocks in, samples out.
// All times are CLOCK_MONOTONIC nanoseconds of this machine, so parent and worker agree.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/base/result.h"
#include "core/model/sampling.h"
#include "core/record/record.h"

namespace phiscope::bench {

/// (fraction of the current block, what is being done)
using Progress = std::function<void(double fraction, std::string_view what)>;

struct OpenBlock {
  std::string model;      // MODEL argument
  std::string recipe;     // canonical recipe text
  std::string backend;    // "cpu"
  int threads = 0;
  int64_t context = 0;
  std::string instruction_set;
  bool with_reference_head = true;  // needed by score(); refused for synthetic models
  bool layer_by_layer = false;      // one layer in memory at a time even if all fit; then only hidden() and score() work
};
struct OpenReply {
  std::string model_name, model_hash, artifact_hash, tokenizer_hash, artifact_path;
  int64_t vocab = 0, hidden = 0, layers = 0, context = 0, parameters = 0;
  uint64_t file_bytes = 0;
  double bits_per_weight = 0;
  bool synthetic = false;          // accuracy metrics have no value
  bool layer_by_layer = false;     // asked for, or the model does not fit into memory
  bool artifact_made = false;      // quantized now, not from the cache
  double quantize_s = 0, open_s = 0, load_s = 0;  // open_s: reading headers and checking hashes; load_s: mapping or packing on the backend
  double page_cache_share = -1;    // of the weight files, in memory before they were opened; -1 = unknown
  std::string energy_source;       // what counts joules, "rapl package-0"; empty = nothing does
  std::string energy_reason;       // why nothing does
  double idle_w = -1;              // of the machine at rest, before loading; -1 = not measured
  std::string backend, recipe;     // as resolved
  bool reference_head = false;     // score() can compare with the reference
  std::string reference_head_reason;  // why not
  Effective effective;
  MemoryReport memory;
  std::vector<std::string> notices;
};

/// Processes `tokens` random ids after `depth` tokens of filler (not timed).
struct PrefillBlock {
  int64_t tokens = 512, depth = 0;
  uint64_t seed = 1;
};
struct PrefillReply {
  int64_t start_ns = 0, end_ns = 0;  // ids handed over; logits of the last position there
  double energy_j = -1;              // over exactly that time; -1 = not measured
};

/// Generates after a prompt; fixed length ignores end-of-text.
struct GenerateBlock {
  std::vector<int32_t> prompt;   // empty: `random_prompt` random ids
  int64_t random_prompt = 0;
  std::string text_prompt;       // instead of ids: tokenized inside, for time to first token of a request
  bool chat = false;             // text_prompt is one user message, rendered with the model's chat template
  std::vector<std::string> chat_roles, chat_contents;  // messages before text_prompt, of equal number; then text_prompt may be empty
  int64_t depth = 0;             // tokens of filler before the prompt, not timed
  int64_t max_new_tokens = 128;
  bool fixed_length = true;
  uint64_t seed = 1;             // of the random prompt
  SamplingOptions sampling;      // greedy by default
};
struct GenerateReply {
  int64_t request_ns = 0;        // t0: request received, before tokenization
  int64_t handed_ns = 0;         // tk0: ids handed to the engine
  std::vector<int64_t> token_ns; // t1..tn
  std::vector<int32_t> ids;
  int64_t prompt_tokens = 0;
  std::string finish;            // "length", "eos"
  double energy_j = -1;          // of the tokens alone, without the prompt; -1 = not measured
  double idle_w = -1;            // as OpenReply says
  bool finite = true;            // logits were finite
};

/// Windows over a text, tokenized once without special-token parsing.
struct Windows {
  std::filesystem::path text;
  int64_t chunk = 512;
  int64_t stride = 0;            // 0 = llama.cpp's rule (contiguous chunks, second half scored); else Hugging Face's sliding windows
  int64_t max_chunks = 0;        // 0 = all
  bool bf16_noise = false;       // rounds the residual rows to BF16 after every layer: what such rounding costs is the noise floor
};
/// Final-norm hidden states of all scored positions, written as f32 to `out` for score(); done by the reference engine.
struct HiddenReply {
  int64_t chunks = 0, positions = 0, text_tokens = 0;
  bool bos = false;
};
struct ScoreReply {
  int64_t chunks = 0, positions = 0, text_tokens = 0;
  int64_t scored_bytes = 0;      // UTF-8 bytes of the scored tokens
  int64_t scored_from = 0;       // first scored position of a chunk (the second chunk's when strided)
  bool bos = false;
  /// One series per chunk, kind "position_scores", item = chunk; columns id, nll, nll_reference, kld, delta_p, top1, top1_reference,
  /// p_top1_reference, top5_overlap (the reference's only when there was one).
  std::vector<Series> windows;
};

struct ItemsBlock {
  std::filesystem::path task;    // the questions
  std::filesystem::path format;  // task_format.h; empty = Phiscope's own form, said by the fields below
  std::filesystem::path shots_file;  // worked examples; empty = none
  int64_t shots = -1;            // so many of them; -1 = the format's number
  std::string kind;              // "multiple_choice", "cloze", "exact_match"
  int64_t max_items = 0;         // 0 = all
  int64_t max_new_tokens = 16;   // exact match
  std::string stop;              // exact match: generation ends before this text
};
struct ItemsReply {
  /// Kind "task_items": columns item, correct, correct_normalized, choice, choice_normalized, answer, log_likelihood (of the right answer),
  /// prompt_hash (48 bits). choice and answer are -1 where nothing is chosen.
  Series items;
  /// Kind "task_choices": columns item, choice, log_likelihood, characters; a row for each text whose likelihood was taken.
  Series choices;
};

struct MemoryReply {
  MemoryReport report;
  uint64_t resident = 0, anonymous = 0, file_backed = 0, peak_resident = 0, proportional = 0;
};

/// One opened model. Calls come from one thread; cancel() from any.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Result<OpenReply> open(const OpenBlock& block, const Progress& progress) = 0;
  virtual Result<PrefillReply> prefill(const PrefillBlock& block) = 0;
  virtual Result<GenerateReply> generate(const GenerateBlock& block) = 0;
  virtual Result<HiddenReply> hidden(const Windows& windows, const std::filesystem::path& out, const Progress& progress) = 0;
  /// `reference_hidden` empty: perplexity only.
  virtual Result<ScoreReply> score(const Windows& windows, const std::filesystem::path& reference_hidden, const Progress& progress) = 0;
  virtual Result<ItemsReply> items(const ItemsBlock& block, const Progress& progress) = 0;
  virtual Result<MemoryReply> memory() = 0;
  virtual Status close() = 0;
  virtual void cancel() = 0;
};

}  // namespace phiscope::bench
