#include "core/bench/catalogue.h"

#include <array>
#include <vector>

namespace phiscope::bench {
namespace {

constexpr Direction kHigher = Direction::higher, kLower = Direction::lower, kNone = Direction::none;
constexpr const char* kSpeed = "speed";
constexpr const char* kFidelity = "fidelity";
constexpr const char* kTasks = "tasks";
constexpr const char* kMemory = "memory";
constexpr const char* kEnergy = "energy";
constexpr const char* kSize = "size";

// To add a metric: a row here (order = order shown) and its computation in compute_metrics.cpp.
// Smallest effects that matter: times and rates 2 %, memory 1 %, ln perplexity ratio 0.005, agreement 0.5 points, tasks 1 point, KLD 10 %.
const std::vector<MetricInfo>& rows() {
  static const std::vector<MetricInfo> all = {
      // id, version, label, unit, direction, group, definition, relevant difference, relative
      {"prefill_tokens_per_s", 1, "Prefill", "tok/s", kHigher, kSpeed,
       "N / (time from ids handed over to the logits of the last position); random ids; median and quartiles", 0.02, true},
      {"decode_tokens_per_s", 1, "Decode", "tok/s", kHigher, kSpeed,
       "(n-1) / (t_n - t_1) of n generated tokens, first token excluded; median and quartiles", 0.02, true},
      {"bandwidth_pct", 1, "Share of memory bandwidth", "%", kHigher, kSpeed,
       "100 * weight bytes streamed per token * decode_tokens_per_s / read bandwidth measured on this device", 0.02, true},
      {"ttft_model_ms", 1, "First token, model", "ms", kLower, kSpeed,
       "t_1 - time the ids were handed over: prefill and first token, no tokenization; median and quartiles", 0.02, true},
      {"ttft_request_ms", 1, "First token, request", "ms", kLower, kSpeed,
       "t_1 - time the text was received: tokenization, prefill and first token; median and quartiles", 0.02, true},
      {"tpot_ms", 1, "Time per output token", "ms", kLower, kSpeed, "(t_n - t_1) / (n-1); median and quartiles", 0.02, true},
      {"ttst_ms", 1, "Second token", "ms", kLower, kSpeed, "t_2 - t_1: start-up of decode; median and quartiles", 0.02, true},
      {"itl_p50_ms", 1, "Token gap, median", "ms", kLower, kSpeed, "median of the gaps t_(i+1) - t_i of all decode shapes at depth 0", 0.02, true},
      {"itl_p95_ms", 1, "Token gap, p95", "ms", kLower, kSpeed,
       "95th percentile of the gaps t_(i+1) - t_i of all decode shapes at depth 0; needs 100 gaps", 0.02, true},
      {"itl_p99_ms", 1, "Token gap, p99", "ms", kLower, kSpeed,
       "99th percentile of the gaps t_(i+1) - t_i of all decode shapes at depth 0; needs 500 gaps", 0.02, true},
      {"decode_low1_tokens_per_s", 1, "Decode, 1 % low", "tok/s", kHigher, kSpeed, "1 / 99th percentile of the token gaps; needs 500 gaps", 0.02,
       true},
      {"load_s", 1, "Load", "s", kLower, kSpeed, "time to open the artifact on the backend: map, pack, allocate; load_s:open = headers and hashes before, load_s:first_token = first request after",
       0.05, true},
      {"cold_start_s", 1, "Cold start", "s", kLower, kSpeed,
       "load_s:open + load_s + load_s:first_token: from nothing to the first token of the first request; what the page cache held is in the environment",
       0.05, true},
      {"sustained_ratio", 1, "Sustained speed", "1", kHigher, kSpeed,
       "median decode rate of the last quarter of a long run / that of its first quarter; 1 = nothing slows down with heat", 0.02, true},
      {"quantize_s", 1, "Quantize", "s", kLower, kSpeed, "time to make the artifact from the model", 0.05, true},

      {"perplexity", 1, "Perplexity", "1", kLower, kFidelity, "exp(mean of -ln p(next id)) over the scored positions; 95 % interval by bootstrap over windows", 0.005,
       true},
      {"nll_mean", 1, "Mean NLL", "nat", kLower, kFidelity, "mean of -ln p(next id); 95 % interval by bootstrap over windows", 0.005, false},
      {"ln_ppl_ratio", 1, "ln perplexity ratio", "nat", kLower, kFidelity,
       "mean of nll - nll of the reference, position by position; 95 % interval by bootstrap over windows", 0.005, false},
      {"bits_per_byte", 1, "Bits per byte", "bit", kLower, kFidelity, "sum of nll / (ln 2 * UTF-8 bytes of the scored tokens); 95 % interval by bootstrap over windows", 0.005, true},
      {"kld_mean", 1, "KLD, mean", "nat", kLower, kFidelity,
       "mean over positions of sum p0 (ln p0 - ln p), full vocabulary, p0 = reference; 95 % interval by bootstrap over windows", 0.10, true},
      {"kld_median", 1, "KLD, median", "nat", kLower, kFidelity, "median over positions of KLD(reference || candidate); 95 % interval by bootstrap over windows", 0.10, true},
      {"kld_p90", 1, "KLD, p90", "nat", kLower, kFidelity, "90th percentile of KLD over positions; 95 % interval by bootstrap over windows", 0.10, true},
      {"kld_p95", 1, "KLD, p95", "nat", kLower, kFidelity, "95th percentile of KLD over positions; 95 % interval by bootstrap over windows", 0.10, true},
      {"kld_p99", 1, "KLD, p99", "nat", kLower, kFidelity, "99th percentile of KLD over positions; 95 % interval by bootstrap over windows", 0.10, true},
      {"kld_p999", 1, "KLD, p99.9", "nat", kLower, kFidelity, "99.9th percentile of KLD over positions; 95 % interval by bootstrap over windows", 0.10, true},
      {"kld_max", 1, "KLD, largest", "nat", kLower, kFidelity, "largest KLD of any position", 0.10, true},
      {"kld_floor", 1, "KLD, noise floor", "nat", kNone, kFidelity,
       "mean KLD of the reference from itself when its residual is rounded to BF16 after every layer: smaller divergences are rounding", 0.10, true},
      {"kld_x_floor", 1, "KLD over the floor", "1", kLower, kFidelity, "kld_mean / kld_floor; 95 % interval of kld_mean", 0.10, true},
      {"kld_bucket", 1, "KLD, mean by confidence", "nat", kLower, kFidelity,
       "kld_mean of the positions whose largest reference probability lies in the named range; 95 % interval by bootstrap over windows", 0.10, true},
      {"same_top1", 1, "Same top 1", "share", kHigher, kFidelity,
       "share of positions whose most probable id is the reference's (lowest id on ties); 95 % interval by bootstrap over windows", 0.005, false},
      {"top5_overlap", 1, "Top 5 overlap", "share", kHigher, kFidelity,
       "mean share of ids common to both top 5; 95 % interval by bootstrap over windows", 0.005, false},
      {"top10_overlap", 1, "Top 10 overlap", "share", kHigher, kFidelity,
       "mean share of ids common to both top 10; 95 % interval by bootstrap over windows", 0.005, false},
      {"dp_mean", 1, "Mean change of p", "% points", kNone, kFidelity,
       "100 * mean of p(next id) - p of the reference; 95 % interval by bootstrap over windows", 0.1, false},
      {"dp_rms", 1, "RMS change of p", "% points", kLower, kFidelity,
       "100 * sqrt(mean (p - p of the reference)^2); 95 % interval by bootstrap over windows", 0.1, false},
      {"dp_p01", 1, "Change of p, p1", "% points", kHigher, kFidelity,
       "1st percentile of 100 * (p(next id) - p of the reference): a heavy lower tail is loss, tails alike are noise; bootstrap over windows", 0.1, false},
      {"dp_p99", 1, "Change of p, p99", "% points", kNone, kFidelity,
       "99th percentile of 100 * (p(next id) - p of the reference); 95 % interval by bootstrap over windows", 0.1, false},

      {"task_accuracy", 1, "Accuracy", "share", kHigher, kTasks,
       "share of items answered right: largest sum of log-likelihoods, all tokens greedy (cloze), or equal text; Wilson 95 % interval", 0.01, false},
      {"task_accuracy_norm", 2, "Accuracy, length-normalised", "share", kHigher, kTasks,
       "share of items whose right choice has the largest log-likelihood per character, as lm-eval's acc_norm; Wilson 95 % interval", 0.01, false},

      {"file_bytes", 1, "File", "bytes", kLower, kSize, "what the weights take on disk, source tensors included", 0.01, true},
      {"bits_per_weight", 1, "Bits per weight", "bit", kLower, kSize, "8 * bytes of all matrices / their elements, scales included", 0.01, true},
      {"weights_bytes", 1, "Weights in memory", "bytes", kLower, kMemory, "packed copies and mapped weights, counted once", 0.01, true},
      {"kv_bytes", 1, "KV cache", "bytes", kLower, kMemory, "KV cache for N positions, scales included", 0.01, true},
      {"kv_allocated_bytes", 1, "KV cache, allocated", "bytes", kLower, kMemory, "KV cache as allocated for the opened context", 0.01, true},
      {"workspace_bytes", 1, "Workspace", "bytes", kLower, kMemory, "scratch memory at its largest", 0.01, true},
      {"peak_rss_bytes", 1, "Process peak", "bytes", kLower, kMemory,
       "largest resident memory of the worker from loading to the end of the speed shapes, mapped pages included", 0.01, true},
      {"other_bytes", 1, "Rest of the peak", "bytes", kLower, kMemory,
       "process peak - weights - KV cache of the longest sequence run - workspace: program, libraries, tokenizer", 0.01, true},
      {"pss_bytes", 1, "Proportional at", "bytes", kLower, kMemory,
       "resident memory at a checkpoint, pages that several processes share divided among them (PSS)", 0.01, true},
      {"rss_bytes", 1, "Resident at", "bytes", kLower, kMemory, "resident memory of the worker at a checkpoint", 0.01, true},
      {"decode_bytes", 1, "Bytes per token", "bytes", kLower, kMemory, "weight bytes streamed for one decoded token at depth 0", 0.01, true},
      {"energy_j_per_token", 1, "Energy per token", "J", kLower, kEnergy,
       "joules over the generated tokens / their number, prompt and loading excluded; informative, on-device counters; median and quartiles", 0.02, true},
      {"energy_j_per_token_net", 1, "Energy per token, net", "J", kLower, kEnergy,
       "energy_j_per_token without what the machine draws at rest, measured before loading", 0.02, true},
      {"energy_j_per_prompt_token", 1, "Energy per prompt token", "J", kLower, kEnergy, "joules over a prefill / its tokens; median and quartiles",
       0.02, true},
      {"tokens_per_s_per_w", 1, "Tokens per joule", "tok/s/W", kHigher, kEnergy, "decode rate / mean power = generated tokens / joules", 0.02, true},
      {"power_w", 1, "Mean power", "W", kNone, kEnergy, "joules / seconds of a decode repetition; median and quartiles over repetitions", 0.02, true},
      {"output_finite", 1, "Output is finite", "share", kHigher, kTasks, "1 when all logits of the output check were finite", 0, false},
  };
  return all;
}

}  // namespace

std::span<const MetricInfo> metric_catalogue() { return rows(); }

const MetricInfo* find_metric_info(std::string_view metric_id) {
  const std::string_view family = metric_family(metric_id);
  for (const MetricInfo& row : rows())
    if (row.id == family) return &row;
  return nullptr;
}

}  // namespace phiscope::bench
