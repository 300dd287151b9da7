#include "backends/cpu/session.h"

#include <algorithm>

#include "core/base/clock.h"

namespace phiscope::cpu {
namespace {

Executor::Parts executor_parts(const CpuSession::Parts& parts) {
  return {.plan = *parts.plan,
          .weights = *parts.weights,
          .embedding = parts.embedding,
          .kernels = *parts.kernels->table,
          .activation = parts.options.activation};
}

}  // namespace

int64_t context_of(const Plan& plan, const OpenOptions& options) {
  return options.context > 0 ? options.context : std::min(plan.context, kDefaultContext);
}

uint64_t workspace_forecast(const Plan& plan, const OpenOptions& options, int threads) {
  const int64_t query = plan.heads * plan.head_dim, qkv = query + 2 * plan.kv_heads * plan.head_dim;
  const int64_t widest = std::max({plan.hidden, plan.ffn, query});
  const bool has_experts = std::any_of(plan.phases.begin(), plan.phases.end(), [](const Phase& phase) { return phase.kind == PhaseKind::moe; });
  // Residual, normed, query, attention, activation, product, rows as a kernel wants them; rows of one expert, in and out.
  const int64_t row = 2 * plan.hidden + 2 * query + plan.ffn + std::max({qkv, 2 * plan.ffn, plan.hidden}) + widest + (has_experts ? 2 * plan.hidden : 0);
  const int64_t per_thread = attention_scratch_floats(plan.head_dim + kKeyLanes) + kGemmScratchFloats;
  return static_cast<uint64_t>(std::min(kMicroBatch, context_of(plan, options)) * row + threads * per_thread + plan.vocab) * sizeof(float);
}

CpuSession::CpuSession(Parts parts)
    : parts_(std::move(parts)),
      plan_(*parts_.plan),
      context_(context_of(plan_, parts_.options)),
      cache_(plan_, parts_.options.kv, context_, *parts_.kernels->table),
      executor_(executor_parts(parts_), *parts_.pool, cache_) {}

Status CpuSession::truncate(int64_t length) {
  if (length < 0) return fail(ErrorCode::invalid_argument, "a sequence cannot be cut to {} positions", length);
  if (length < this->length()) ids_.resize(static_cast<size_t>(length));
  cached_ = std::min(cached_, this->length());
  return {};
}

Status CpuSession::check(std::span<const int32_t> ids, int64_t before) const {
  if (const auto total = before + static_cast<int64_t>(ids.size()); total > context_) {
    return fail(ErrorCode::invalid_argument, "a sequence of {} tokens does not fit into the context of {}", total, context_);
  }
  for (const int32_t id : ids) {
    if (id < 0 || id >= plan_.vocab) {
      return fail(ErrorCode::invalid_argument, "token id {} is outside the vocabulary of {} entries", id, plan_.vocab);
    }
  }
  return {};
}

Status CpuSession::append(std::span<const int32_t> ids, std::span<float> hidden_out) {
  PHISCOPE_TRY(check(ids, length()));
  if (!hidden_out.empty() && hidden_out.size() != ids.size() * static_cast<size_t>(plan_.hidden)) {
    return fail(ErrorCode::invalid_argument, "{} hidden states of {} values need {} floats of space, {} were given", ids.size(), plan_.hidden,
                static_cast<int64_t>(ids.size()) * plan_.hidden, hidden_out.size());
  }
  if (ids.empty()) return {};
  const int64_t first_new = length();
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  // One list for all positions: where the choice changes, cached keys are wrong and everything is computed again.
  const bool use_long = needs_long(length());
  if (use_long != cache_is_long_) cached_ = 0;
  cache_is_long_ = use_long;
  compute(first_new, hidden_out);
  return {};
}

Status CpuSession::append_states(std::span<const float> residual, std::span<float> hidden_out) {
  const auto rows = static_cast<int64_t>(residual.size()) / plan_.hidden;
  if (rows * plan_.hidden != static_cast<int64_t>(residual.size()) || hidden_out.size() != residual.size()) {
    return fail(ErrorCode::invalid_argument, "{} values in and {} out are not the same rows of {}", residual.size(), hidden_out.size(), plan_.hidden);
  }
  if (length() != 0) return fail(ErrorCode::invalid_argument, "states begin a sequence of their own, this one holds {} positions", length());
  if (rows > context_) return fail(ErrorCode::invalid_argument, "a sequence of {} tokens does not fit into the context of {}", rows, context_);
  ids_.assign(static_cast<size_t>(rows), 0);
  cache_is_long_ = needs_long(rows);
  for (cached_ = 0; cached_ < rows;) {
    const int64_t count = std::min(kMicroBatch, rows - cached_);
    const auto part = residual.subspan(static_cast<size_t>(cached_ * plan_.hidden), static_cast<size_t>(count * plan_.hidden));
    const std::span<const float> out = executor_.forward_states(part, cached_, cache_is_long_);
    std::copy(out.begin(), out.end(), hidden_out.begin() + cached_ * plan_.hidden);
    cached_ += count;
  }
  return {};
}

// Positions cached_ .. length(); hidden_out receives those from first_new on, or the last one's logits are kept.
void CpuSession::compute(int64_t first_new, std::span<float> hidden_out) {
  while (cached_ < length()) {
    const int64_t first = cached_, count = std::min(kMicroBatch, length() - first);
    const auto ids = std::span(ids_).subspan(static_cast<size_t>(first), static_cast<size_t>(count));
    const std::span<const float> hidden = executor_.forward(ids, first, cache_is_long_);
    cached_ = first + count;
    if (!hidden_out.empty()) {
      const int64_t skip = std::max<int64_t>(first_new - first, 0);
      if (skip < count) std::copy(hidden.begin() + skip * plan_.hidden, hidden.end(), hidden_out.begin() + (first + skip - first_new) * plan_.hidden);
    } else if (cached_ == length()) {
      last_logits_.resize(static_cast<size_t>(plan_.vocab));
      executor_.head(parts_.weights->matrix(plan_.head), parts_.options.activation,
                     hidden.last(static_cast<size_t>(plan_.hidden)), last_logits_);
    }
  }
}

Status CpuSession::decode(int64_t count, const Sampler& sampler, const TokenCallback& on_token) {
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

// An own head with the same content (the run of the reference's artifact itself) is used as it is.
Status CpuSession::load_reference_head() {
  if (has_reference_head_) return {};
  const WeightSource* reference = parts_.options.reference_weights;
  if (reference == nullptr) return fail(ErrorCode::invalid_argument, "the session was opened without the reference's weights");
  const bool is_own = reference == parts_.source.get() || (!reference->hash().empty() && reference->hash() == parts_.source->hash());
  if (!is_own) {
    PHISCOPE_ASSIGN(reference_head_, PackedModel::load_tensor(plan_, *reference, plan_.head, *parts_.pool));
  }
  has_reference_head_ = true;
  return {};
}

Status CpuSession::logits(std::span<const float> hidden, Head head, std::span<float> logits_out) {
  const auto rows = static_cast<int64_t>(hidden.size()) / plan_.hidden;
  if (rows * plan_.hidden != static_cast<int64_t>(hidden.size()) || rows * plan_.vocab != static_cast<int64_t>(logits_out.size())) {
    return fail(ErrorCode::invalid_argument, "{} hidden values and {} logits are not rows of {} and {}", hidden.size(), logits_out.size(),
                plan_.hidden, plan_.vocab);
  }
  if (head == Head::reference) PHISCOPE_TRY(load_reference_head());
  const PackedModel& model = head == Head::reference && reference_head_ != nullptr ? *reference_head_ : *parts_.weights;
  // The reference's activations stay wide whatever this session's recipe does to its own.
  executor_.head(model.matrix(plan_.head), head == Head::own ? parts_.options.activation : ActivationMode::wide, hidden, logits_out);
  return {};
}

Result<std::vector<float>> CpuSession::trace(std::span<const int32_t> ids) {
  PHISCOPE_TRY(check(ids, 0));
  PHISCOPE_TRY(truncate(0));
  const auto rows = static_cast<int64_t>(ids.size());
  std::vector<float> states(static_cast<size_t>((plan_.layers + 1) * rows * plan_.hidden));
  const bool use_long = needs_long(rows);
  for (int64_t first = 0; first < rows; first += kMicroBatch) {
    const auto part = ids.subspan(static_cast<size_t>(first), static_cast<size_t>(std::min(kMicroBatch, rows - first)));
    executor_.forward(part, first, use_long, [&](int layer, std::span<const float> residual) {
      std::copy(residual.begin(), residual.end(), states.begin() + ((layer + 1) * rows + first) * plan_.hidden);
    });
  }
  return states;
}

MemoryReport CpuSession::memory() const {
  MemoryReport report;
  report.weights_private = parts_.weights->private_bytes() + (reference_head_ == nullptr ? 0 : reference_head_->private_bytes());
  const WeightView& table = parts_.embedding.view;
  // A tied table of blocks is packed as the head; its rows are read from the file one at a time.
  const bool has_table = table.codes != nullptr && plan_.embedding != plan_.head;
  report.weights_mapped = parts_.weights->mapped_bytes() + (has_table ? table.encoding.bytes(table.rows, table.columns) : 0);
  report.kv_allocated = cache_.allocated_bytes();
  report.kv_per_token = KvCache::bytes_per_token(plan_, parts_.options.kv);
  report.workspace = executor_.workspace_bytes() + last_logits_.size() * sizeof(float);
  const std::vector<bool> used = multiplied_tensors(plan_);
  uint64_t experts = 0;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    const uint64_t bytes = packed_bytes(parts_.weights->matrix(static_cast<int>(i)));
    (plan_.tensors[i].tensor_class == TensorClass::experts ? experts : report.bytes_per_decode_token) += bytes;
  }
  for (const Phase& phase : plan_.phases) {
    if (phase.kind != PhaseKind::moe) continue;
    report.bytes_per_decode_token += 2 * experts / phase.expert_gate.size();  // two experts of each layer
    break;
  }
  if (table.codes != nullptr) report.bytes_per_decode_token += table.encoding.bytes(1, table.columns);
  return report;
}

// "int4 g32 f16-scale; embedding, lm_head: int8 row f16-scale": the most common encoding first, then the classes that differ.
std::string CpuSession::weight_names() const {
  std::vector<std::string> names;
  std::vector<std::string> classes;
  const std::vector<bool> used = multiplied_tensors(plan_);
  for (size_t i = 0; i < plan_.tensors.size(); ++i) {
    if (!used[i] && static_cast<int>(i) != plan_.embedding) continue;
    const std::string name = parts_.source->encoding(static_cast<int>(i)).name();
    const std::string where(tensor_class_name(plan_.tensors[i].tensor_class));
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      names.push_back(name);
      classes.push_back(where);
    } else if (std::string& list = classes[static_cast<size_t>(found - names.begin())]; (", " + list + ",").find(", " + where + ",") == std::string::npos) {
      list += ", " + where;
    }
  }
  if (names.size() == 1) return names.front();
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) text += fmt::format("{}{}: {}", i == 0 ? "" : "; ", classes[i], names[i]);
  return text;
}

Effective CpuSession::effective() const {
  Effective effective;
  effective.instruction_set = parts_.kernels->name;
  effective.weights = weight_names();
  effective.kv = kv_type_name(parts_.options.kv);
  effective.threads = parts_.pool->threads();
  const KernelTable& kernels = *parts_.kernels->table;
  bool has_half = false, has_f32 = false, has_rounded_weights = false;
  bool has_integer = false, has_float = false, has_widened = false, has_nibbles = false;
  const std::vector<bool> used = multiplied_tensors(plan_);
  const auto is_router = [&](int tensor) {
    return std::any_of(plan_.phases.begin(), plan_.phases.end(), [&](const Phase& phase) { return phase.kind == PhaseKind::moe && phase.router == tensor; });
  };
  bool has_router = false;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    const PackedMatrix& matrix = parts_.weights->matrix(static_cast<int>(i));
    const bool router = is_router(static_cast<int>(i));
    has_router = has_router || router;
    const bool is_integer = !matrix.is_file_blocks && (matrix.kind == PackedKind::q8 || matrix.kind == PackedKind::q4);
    has_integer = has_integer || is_integer;
    has_float = has_float || !is_integer;
    has_nibbles = has_nibbles || runs_fixed_point(matrix);
    const bool is_half = kernels.gemm_half != nullptr && !router && arithmetic_of(matrix, parts_.options.activation) == Arithmetic::half;
    has_half = has_half || is_half;
    has_f32 = has_f32 || (!is_half && !router);
    has_rounded_weights = has_rounded_weights || (is_half && is_integer && matrix.groups > 1);
    has_widened = has_widened || (is_integer && !can_run_dynamic(matrix));
  }
  const bool int8 = parts_.options.activation == ActivationMode::int8 && has_integer;
  effective.activations = !int8 ? "f32" : has_float ? "int8 per 128 (f32 for floating weights and blocks of a file)" : "int8 per 128";
  if (has_half) {
    const char* kept = has_f32 && has_router ? ", for floating weights and for routers" : has_f32 ? " and for floating weights" : has_router ? " and for routers" : "";
    effective.activations = fmt::format("bf16 (f32 for fewer than {} rows{})", kHalfRows, kept);
    if (has_rounded_weights) effective.notes.push_back("where bf16 multiplies, the product of a weight's code and its group's scale is rounded to bf16");
  }
  effective.accumulate = int8 ? "i32 then f32" : "f32";
  if (int8 && has_widened) effective.notes.push_back("some weight groups do not align with the activation groups: their 8-bit activations were multiplied as f32");
  if (!int8 && has_nibbles && kernels.has_fixed_point) {
    effective.notes.push_back("single rows times weights of 2 to 6 bits use 24-bit fixed-point activations with a scale per 32 columns, as fine as f32");
  }
  if (!parts_.weights->note().empty()) effective.notes.push_back(parts_.weights->note());
  return effective;
}

}  // namespace phiscope::cpu
