#pragma once
// The interface that backends implement. A backend declines with a reason; it never falls back silently.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend/plan.h"
#include "core/base/result.h"
#include "core/quant/recipe.h"
#include "core/quant/weight.h"

namespace phiscope {

/// Yes, or no with a reason that the user is shown.
struct Support {
  bool ok = true;
  std::string reason;
};

struct OpenOptions {
  int64_t context = 0;              // positions that the KV cache holds; 0 = the plan's, at most 4096
  int threads = 0;                  // 0 = physical cores allowed
  KvType kv = KvType::f16;
  ActivationMode activation = ActivationMode::wide;
  std::string instruction_set;      // forced kernel set ("avx2"); empty = the best
  std::filesystem::path packed_cache;  // folder for packed weights; empty = pack in memory only
  const WeightSource* reference_weights = nullptr;  // the reference's tensors of the same plan (for the reference's head); may be null
  std::function<bool(double fraction)> on_progress; // called while loading; returning false cancels; may be empty
};

/// What really ran, stored beside what was asked for.
struct Effective {
  std::string instruction_set;            // "avx2", "portable", "scalar"
  std::string weights;                    // "int4 g32 f16-scale; embedding int8 ..."
  std::string activations;                // type that multiplied: "f32", "bf16", "int8 per 128"
  std::string accumulate;                 // "f32", "i32 then f32", "f64"
  std::string kv;                         // "f16"
  int threads = 1;
  std::vector<std::string> notes;         // conversions and exceptions, a sentence each
};

struct MemoryReport {                     // bytes
  uint64_t weights_private = 0;           // packed copies in private memory
  uint64_t weights_mapped = 0;            // weights read from a mapped file
  uint64_t kv_allocated = 0;
  uint64_t kv_per_token = 0;
  uint64_t workspace = 0;                 // scratch at its largest
  uint64_t bytes_per_decode_token = 0;    // weights streamed for one token at depth 0 (roofline)
};

/// Receives each generated token when its id exists on the host; false stops.
using TokenCallback = std::function<bool(int32_t id, int64_t time_ns)>;

/// Picks the next id from logits [vocab]; may change them.
using Sampler = std::function<int32_t(std::span<float> logits)>;
/// Index of the largest value, the lowest one on ties.
int32_t greedy_sampler(std::span<float> logits);

enum class Head : uint8_t { own, reference };

/// One model ready to run, with one sequence. Not thread-safe; uses its own threads inside. Results do not depend on the number of threads.
///
/// Longrope: when a sequence grows beyond the switch length, the session drops the cache and computes all positions again with the long list,
/// as the publisher's code does; it keeps the ids for that.
class Session {
 public:
  virtual ~Session() = default;

  /// Forgets positions >= `length` (0 = all). Where the model has to switch back from the long list, it computes again.
  virtual Status truncate(int64_t length) = 0;
  virtual int64_t length() const = 0;

  /// Appends ids to the sequence. `hidden_out`, when not empty, receives the final-norm hidden states [ids, hidden] of the appended positions.
  /// When it is empty the logits of the last position are computed for last_logits() and decode(). Errors: invalid_argument for ids outside
  /// the vocabulary or a sequence longer than the context (naming both numbers); cancelled.
  virtual Status append(std::span<const int32_t> ids, std::span<float> hidden_out = {}) = 0;

  /// For a stage of a plan (walk.h), which has no embedding: residual rows [rows, hidden] come in instead of ids, and what append() would give as
  /// hidden states goes out; both may be the same memory. The sequence must be empty. Default: unsupported.
  virtual Status append_states(std::span<const float> residual, std::span<float> hidden_out);

  /// Logits [vocab] after the last append() without hidden_out, or after decode().
  virtual std::span<const float> last_logits() const = 0;

  /// Generates up to `count` tokens: picks from last_logits(), reports the id, appends it. The last id is appended too.
  virtual Status decode(int64_t count, const Sampler& sampler, const TokenCallback& on_token) = 0;

  /// logits_out [rows, vocab] from final-norm hidden states [rows, hidden], with the own head or the reference's (OpenOptions). The
  /// reference's head multiplies wide activations, whatever this session does to its own.
  virtual Status logits(std::span<const float> hidden, Head head, std::span<float> logits_out) = 0;

  /// Hidden states after the embedding and after every layer for a fresh window, [layers + 1, ids, hidden]; for checks. Default: unsupported.
  virtual Result<std::vector<float>> trace(std::span<const int32_t> ids);

  virtual MemoryReport memory() const = 0;
  virtual Effective effective() const = 0;
};

struct MemoryPlan {                       // forecast before anything is allocated, bytes
  uint64_t weights = 0, kv = 0, workspace = 0;
  uint64_t total() const { return weights + kv + workspace; }
};

/// What a backend measured of the device: read bandwidth and arithmetic rates.
struct ProbeValue {
  std::string id;       // "read_gb_s@1t", "fp32_gflop_s@2t", "int8_gop_s@2t"
  double value = 0;
  std::string unit;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view description() const = 0;
  /// Can it run on this machine at all.
  virtual Support available() const = 0;
  /// Can it run this plan with these encodings (index = tensor) and options.
  virtual Support supports(const Plan& plan, std::span<const WeightEncoding> encodings, const OpenOptions& options) const = 0;
  virtual MemoryPlan memory_plan(const Plan& plan, std::span<const WeightEncoding> encodings, const OpenOptions& options) const = 0;
  /// `plan` and `weights` are kept alive by the session. Errors: unsupported, out_of_memory with the numbers, invalid_file.
  virtual Result<std::unique_ptr<Session>> open(std::shared_ptr<const Plan> plan, std::shared_ptr<const WeightSource> weights,
                                                const OpenOptions& options) const = 0;
  virtual Result<std::vector<ProbeValue>> probe(int threads) const = 0;
};

/// All backends that were built in, best first. The table is generated from backends/CMakeLists.txt; only programs that link the backends
/// have it.
std::span<const Backend* const> backends();
/// Errors: invalid_argument with the names that exist; unsupported with the backend's reason.
Result<const Backend*> find_backend(std::string_view name);

}  // namespace phiscope
