#include <algorithm>

#include "backends/reference/interpreter.h"
#include "core/backend/backend.h"
#include "core/base/clock.h"

namespace phiscope {
namespace {

using reference::Interpreter;
using reference::KvCache;
using reference::Rows;

// Tokens that go through the plan together: each dequantized row serves all of them, and buffers stay small whatever the prompt's length.
constexpr int64_t kChunk = 64;
constexpr int64_t kDefaultContext = 4096;

int64_t context_of(const Plan& plan, const OpenOptions& options) { return options.context > 0 ? options.context : std::min(plan.context, kDefaultContext); }

uint64_t kv_bytes_per_token(const Plan& plan) { return static_cast<uint64_t>(plan.layers * 2 * plan.kv_heads * plan.head_dim) * sizeof(float); }

uint64_t workspace_bytes(const Plan& plan) {
  const int64_t widest = std::max({plan.hidden, 2 * plan.ffn, (plan.heads + 2 * plan.kv_heads) * plan.head_dim});
  return static_cast<uint64_t>(kChunk * widest * 6 + plan.vocab) * sizeof(float);
}

uint64_t encoded_bytes(const Plan& plan, std::span<const WeightEncoding> encodings) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i) bytes += encodings[i].bytes(plan.tensors[i].rows, plan.tensors[i].columns);
  return bytes;
}

class ReferenceSession : public Session {
 public:
  struct Parts {
    std::shared_ptr<const Plan> plan;
    std::shared_ptr<const WeightSource> source;
    std::vector<Weight> weights;       // by tensor; keeps their memory alive
    std::optional<Weight> other_head;  // Head::reference
    OpenOptions options;
  };

  explicit ReferenceSession(Parts parts)
      : parts_(std::move(parts)), plan_(*parts_.plan), context_(context_of(plan_, parts_.options)),
        interpreter_(plan_, views(parts_.weights), parts_.options.kv, parts_.options.activation), cache_(plan_.layers) {}

  Status truncate(int64_t length) override {
    if (length < 0) return fail(ErrorCode::invalid_argument, "a sequence cannot be cut to {} positions", length);
    if (length < static_cast<int64_t>(ids_.size())) ids_.resize(static_cast<size_t>(length));
    cache_.truncate(length, plan_.kv_heads * plan_.head_dim);
    return {};
  }
  int64_t length() const override { return static_cast<int64_t>(ids_.size()); }

  Status append(std::span<const int32_t> ids, std::span<float> hidden_out) override {
    PHISCOPE_TRY(check(ids, length()));
    if (!hidden_out.empty() && hidden_out.size() != ids.size() * static_cast<size_t>(plan_.hidden))
      return fail(ErrorCode::invalid_argument, "{} hidden states of {} values need {} floats of space, {} were given", ids.size(), plan_.hidden,
                  static_cast<int64_t>(ids.size()) * plan_.hidden, hidden_out.size());
    if (ids.empty()) return {};
    const auto first_new = static_cast<int64_t>(ids_.size());
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    // One list for all positions: where the choice changes, cached keys are wrong and everything is computed again.
    const bool use_long = needs_long(length());
    if (use_long != cache_is_long_) cache_.truncate(0, plan_.kv_heads * plan_.head_dim);
    cache_is_long_ = use_long;
    return compute(first_new, hidden_out);
  }

  Status append_states(std::span<const float> residual, std::span<float> hidden_out) override {
    const auto rows = static_cast<int64_t>(residual.size()) / plan_.hidden;
    if (rows * plan_.hidden != static_cast<int64_t>(residual.size()) || hidden_out.size() != residual.size())
      return fail(ErrorCode::invalid_argument, "{} values in and {} out are not the same rows of {}", residual.size(), hidden_out.size(), plan_.hidden);
    if (length() != 0) return fail(ErrorCode::invalid_argument, "states begin a sequence of their own, this one holds {} positions", length());
    if (rows > context_) return fail(ErrorCode::invalid_argument, "a sequence of {} tokens does not fit into the context of {}", rows, context_);
    ids_.assign(static_cast<size_t>(rows), 0);
    cache_is_long_ = needs_long(rows);
    for (int64_t first = 0; first < rows; first += kChunk) {
      const int64_t count = std::min(kChunk, rows - first);
      Rows part(count, plan_.hidden);
      std::copy_n(residual.begin() + first * plan_.hidden, count * plan_.hidden, part.values.begin());
      const Rows out = interpreter_.forward_states(std::move(part), cache_is_long_, cache_);
      std::copy(out.values.begin(), out.values.end(), hidden_out.begin() + first * plan_.hidden);
    }
    return {};
  }

  std::span<const float> last_logits() const override { return last_logits_; }

  Status decode(int64_t count, const Sampler& sampler, const TokenCallback& on_token) override {
    if (last_logits_.empty()) return fail(ErrorCode::invalid_argument, "nothing was appended to generate after");
    for (int64_t i = 0; i < count; ++i) {
      std::vector<float> logits = last_logits_;
      const int32_t id = sampler(logits);
      const bool go_on = on_token(id, monotonic_ns());
      PHISCOPE_TRY(append(std::span(&id, 1), {}));
      if (!go_on) break;
    }
    return {};
  }

  Status logits(std::span<const float> hidden, Head head, std::span<float> logits_out) override {
    const auto rows = static_cast<int64_t>(hidden.size()) / plan_.hidden;
    if (rows * plan_.hidden != static_cast<int64_t>(hidden.size()) || rows * plan_.vocab != static_cast<int64_t>(logits_out.size()))
      return fail(ErrorCode::invalid_argument, "{} hidden values and {} logits are not rows of {} and {}", hidden.size(), logits_out.size(), plan_.hidden,
                  plan_.vocab);
    if (head == Head::reference && !parts_.other_head) return fail(ErrorCode::invalid_argument, "the session was opened without the reference's weights");
    Rows in(rows, plan_.hidden);
    std::copy(hidden.begin(), hidden.end(), in.values.begin());
    const Rows out = head == Head::own ? interpreter_.head(std::move(in), interpreter_.weight(plan_.head), parts_.options.activation)
                                       : interpreter_.head(std::move(in), parts_.other_head->view, ActivationMode::wide);
    std::copy(out.values.begin(), out.values.end(), logits_out.begin());
    return {};
  }

  Result<std::vector<float>> trace(std::span<const int32_t> ids) override {
    PHISCOPE_TRY(check(ids, 0));
    std::vector<float> states(static_cast<size_t>((plan_.layers + 1) * plan_.hidden) * ids.size());
    KvCache cache(plan_.layers);
    const auto keep = [&](int layer, const Rows& residual) {
      std::copy(residual.values.begin(), residual.values.end(), states.begin() + (layer + 1) * static_cast<int64_t>(residual.values.size()));
    };
    interpreter_.forward(ids, needs_long(static_cast<int64_t>(ids.size())), cache, keep);
    return states;
  }

  MemoryReport memory() const override {
    MemoryReport report;
    report.weights_mapped = weight_bytes();
    report.kv_per_token = kv_bytes_per_token(plan_);
    report.kv_allocated = report.kv_per_token * static_cast<uint64_t>(length());
    report.workspace = workspace_bytes(plan_);
    report.bytes_per_decode_token = weight_bytes();
    return report;
  }

  Effective effective() const override {
    Effective effective;
    effective.instruction_set = "scalar";
    effective.weights = weight_names();
    effective.activations = parts_.options.activation == ActivationMode::int8 ? "int8 per 128" : "f32";
    effective.accumulate = "f64";
    effective.kv = kv_type_name(parts_.options.kv);
    if (parts_.options.kv == KvType::f16) effective.notes.push_back("KV values are rounded to f16 and kept in f32");
    return effective;
  }

 private:
  static std::vector<WeightView> views(const std::vector<Weight>& weights) {
    std::vector<WeightView> result;
    for (const Weight& weight : weights) result.push_back(weight.view);
    return result;
  }

  bool needs_long(int64_t length) const { return plan_.rotary.switch_length > 0 && length > plan_.rotary.switch_length; }

  Status check(std::span<const int32_t> ids, int64_t before) const {
    if (const auto total = before + static_cast<int64_t>(ids.size()); total > context_)
      return fail(ErrorCode::invalid_argument, "a sequence of {} tokens does not fit into the context of {}", total, context_);
    for (const int32_t id : ids)
      if (id < 0 || id >= plan_.vocab) return fail(ErrorCode::invalid_argument, "token id {} is outside the vocabulary of {} entries", id, plan_.vocab);
    return {};
  }

  // Computes positions cache_.length .. length(); hidden_out receives those from first_new on, or the last one's logits are kept.
  Status compute(int64_t first_new, std::span<float> hidden_out) {
    while (cache_.length < length()) {
      const int64_t first = cache_.length, count = std::min(kChunk, length() - first);
      const Rows hidden = interpreter_.forward(std::span(ids_).subspan(static_cast<size_t>(first), static_cast<size_t>(count)), cache_is_long_, cache_);
      for (int64_t t = std::max<int64_t>(first_new - first, 0); t < count && !hidden_out.empty(); ++t)
        std::copy(hidden.row(t).begin(), hidden.row(t).end(), hidden_out.begin() + (first + t - first_new) * plan_.hidden);
      if (!hidden_out.empty() || cache_.length < length()) continue;
      last_logits_.resize(static_cast<size_t>(plan_.vocab));
      PHISCOPE_TRY(logits(hidden.row(count - 1), Head::own, last_logits_));
    }
    return {};
  }

  uint64_t weight_bytes() const {
    uint64_t bytes = 0;
    for (const Weight& weight : parts_.weights) bytes += weight.view.encoding.bytes(weight.view.rows, weight.view.columns);
    return bytes;
  }

  std::string weight_names() const {
    std::vector<std::string> names;
    for (const Weight& weight : parts_.weights)
      if (const std::string name = weight.view.encoding.name(); std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    return fmt::format("{}", fmt::join(names, "; "));
  }

  const Parts parts_;
  const Plan& plan_;
  const int64_t context_;
  const Interpreter interpreter_;
  std::vector<int32_t> ids_;
  KvCache cache_;
  bool cache_is_long_ = false;
  std::vector<float> last_logits_;
};

class ReferenceBackend : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  std::string_view description() const override { return "scalar interpreter, f32 with f64 sums: the definition that others are checked against"; }
  Support available() const override { return {}; }

  Support supports(const Plan& /*plan*/, std::span<const WeightEncoding> encodings, const OpenOptions& options) const override {
    if (!options.instruction_set.empty() && options.instruction_set != "scalar")
      return {false, fmt::format("the reference backend has no '{}' kernels, only 'scalar'", options.instruction_set)};
    if (options.kv != KvType::f32 && options.kv != KvType::f16)
      return {false, fmt::format("reference: a KV cache in {} is not implemented; f32 and f16 are", kv_type_name(options.kv))};
    for (const WeightEncoding& encoding : encodings)
      if (encoding.is_integer() && encoding.bits != 4 && encoding.bits != 8)
        return {false, fmt::format("reference: weights in {} are not implemented; 4 and 8 bits are", encoding.name())};
    return {};
  }

  MemoryPlan memory_plan(const Plan& plan, std::span<const WeightEncoding> encodings, const OpenOptions& options) const override {
    return {encoded_bytes(plan, encodings), kv_bytes_per_token(plan) * static_cast<uint64_t>(context_of(plan, options)), workspace_bytes(plan)};
  }

  Result<std::unique_ptr<Session>> open(std::shared_ptr<const Plan> plan, std::shared_ptr<const WeightSource> weights,
                                        const OpenOptions& options) const override {
    std::vector<WeightEncoding> encodings;
    const auto count = static_cast<int>(plan->tensors.size());
    for (int i = 0; i < count; ++i) encodings.push_back(weights->encoding(i));
    if (const Support support = supports(*plan, encodings, options); !support.ok) return fail(ErrorCode::unsupported, "{}", support.reason);

    ReferenceSession::Parts parts{plan, weights, {}, {}, options};
    for (int i = 0; i < count; ++i) {
      PHISCOPE_ASSIGN(Weight weight, weights->tensor(i));
      parts.weights.push_back(std::move(weight));
      if (options.on_progress && !options.on_progress(static_cast<double>(i + 1) / count))
        return fail(ErrorCode::cancelled, "loading was stopped at tensor {} of {}", i + 1, count);
    }
    if (options.reference_weights != nullptr) {
      PHISCOPE_ASSIGN(parts.other_head, options.reference_weights->tensor(plan->head));
    }
    return std::make_unique<ReferenceSession>(std::move(parts));
  }

  /// A definition has no speed.
  Result<std::vector<ProbeValue>> probe(int /*threads*/) const override { return std::vector<ProbeValue>{}; }
};

}  // namespace

const Backend& reference_backend();
const Backend& reference_backend() {
  static const ReferenceBackend backend;
  return backend;
}

}  // namespace phiscope
