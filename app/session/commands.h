#pragma once
// What users can ask for apart from a benchmark: one function a command. Each starts a worker, asks, and ends it; nothing here prints.
// Every function may return the worker's error (crashed, hung, out_of_memory with the numbers, cancelled) and sentences ready for the user.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/session/worker_client.h"
#include "core/backend/backend.h"
#include "core/base/json.h"
#include "core/base/result.h"
#include "core/model/sampling.h"
#include "core/quant/quantize.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope::session {

/// Which model, in which precision, where. Empty strings and zeros mean the defaults of the interface.
struct Target {
  std::string model;            // MODEL argument
  std::string recipe;           // one recipe; empty = "source"
  std::string backend;          // empty = best available
  int threads = 0;              // 0 = usable cores
  int64_t context = 0;          // 0 = as long as the request needs
  std::string instruction_set;  // forced kernel set
};

/// What ran, for `--verbose` and JSON.
struct TargetReport {
  std::string backend, recipe, model_hash, artifact_hash;
  Effective effective;
  std::vector<std::string> notices;
};

// Inspecting a model needs no worker: app/session/model_report.h.

struct GenerateRequest {
  Target target;
  std::string prompt;
  bool chat = false;            // render with the model's chat template as one user message
  std::vector<ChatMessage> messages;  // before the prompt, which may then be empty; chat only
  std::vector<int32_t> ids;     // instead of a prompt
  int64_t max_new_tokens = 128;
  SamplingOptions sampling;     // core/model/sampling.h
  bool ignore_stop = false;     // go on after an end-of-text token
};
struct GenerateResult {
  std::vector<int32_t> ids;     // generated ones
  std::string text;
  std::string stop_reason;      // "eos", "length", "cancelled"
  int64_t prompt_tokens = 0;
  double load_s = 0, prefill_s = 0, decode_s = 0;
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;  // 0 where it has no meaning (one token)
  TargetReport report;
};
/// `on_text` receives text as it comes, never half a character. After a cancel the result holds what was generated so far.
Result<GenerateResult> generate(const GenerateRequest& request, const std::function<void(std::string_view text)>& on_text,
                                const CallOptions& options);

struct LogitsRequest {
  Target target;
  std::vector<int32_t> ids;
  std::filesystem::path out;    // .safetensors: "logits" f32 [positions, vocab]; complete or absent
};
struct LogitsResult {
  int64_t positions = 0, vocab = 0;
  TargetReport report;
};
Result<LogitsResult> write_logits(const LogitsRequest& request, const CallOptions& options);

struct PerplexityRequest {
  Target target;
  std::filesystem::path file;
  int64_t chunk = 512, max_chunks = 0, stride = 0;
  bool layer_by_layer = false;  // one layer in memory at a time; happens by itself where the model does not fit
};
struct PerplexityResult {
  double perplexity = 0, nll_mean = 0, nll_standard_error = 0;
  int64_t scored_tokens = 0, chunks = 0;
  int64_t chunk = 0, stride = 0, scored_from = 0;  // convention
  bool bos = false;
  std::vector<double> chunk_nll;                   // mean of each chunk
  TargetReport report;
};
Result<PerplexityResult> perplexity(const PerplexityRequest& request, const CallOptions& options);

struct QuantizeRequest {
  std::string model;
  std::string recipe;           // empty = "source", which an artifact does not take
  std::filesystem::path out;
  std::string format;           // of core/convert/exporter.h; empty = "phiscope"
  int threads = 0;
};
struct QuantizedTensor {
  std::string name, format;
  QuantError error;             // sqnr_db is infinity when exact: null in JSON
  bool from_source = false;
  uint64_t bytes = 0;
};
struct QuantizeResult {
  std::filesystem::path path;
  uint64_t bytes = 0;
  std::string hash, recipe;
  double seconds = 0, bits_per_weight = 0;
  std::vector<QuantizedTensor> tensors;
  std::vector<std::string> notices;
};
Result<QuantizeResult> quantize(const QuantizeRequest& request, const CallOptions& options);

struct BackendDescription {
  std::string name, description;
  Support available;
};
/// The backends of the worker, best first, with the reason where one cannot run here.
Result<std::vector<BackendDescription>> list_backends(const CallOptions& options);

struct ProbeResult {
  std::string backend;
  std::vector<ProbeValue> values;
};
/// Measures this machine with every backend that is available (or only `backend`).
Result<std::vector<ProbeResult>> probe_device(const std::string& backend, int threads, const CallOptions& options);

/// Starts a worker and says hello: for `phiscope doctor`. The worker's path and version, or what is wrong.
Result<std::string> check_worker(const CallOptions& options);

}  // namespace phiscope::session
