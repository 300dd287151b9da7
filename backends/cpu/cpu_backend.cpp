#include <new>

#include "backends/cpu/kernels/kernel_rows.h"
#include "backends/cpu/probe.h"
#include "backends/cpu/session.h"
#include "core/backend/backend.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope {
namespace {

using namespace cpu;

int threads_of(const OpenOptions& options) { return options.threads > 0 ? options.threads : std::max(1, platform::cpu_info().usable_cores); }

std::vector<WeightEncoding> encodings_of(const Plan& plan, const WeightSource& weights) {
  std::vector<WeightEncoding> encodings;
  for (int i = 0; i < static_cast<int>(plan.tensors.size()); ++i) encodings.push_back(weights.encoding(i));
  return encodings;
}

Support supports_plan(const Plan& plan, const OpenOptions& options) {
  if (options.kv == KvType::int4) return {false, "the CPU backend has no 4-bit KV cache; choose f32, f16 or int8"};
  if (plan.head_dim > kQuantGroup) return {false, fmt::format("the CPU backend has attention heads of at most {} values; this model has {}", kQuantGroup, plan.head_dim)};
  if (plan.kv_heads <= 0 || plan.heads % plan.kv_heads != 0 || plan.heads / plan.kv_heads > kAttentionRows) {
    return {false, fmt::format("the CPU backend cannot share {} KV heads among {} query heads", plan.kv_heads, plan.heads)};
  }
  for (const Phase& phase : plan.phases) {
    if (phase.kind == PhaseKind::moe && phase.expert_gate.size() < 2) return {false, "a mixture of fewer than two experts has no meaning"};
  }
  return {};
}

class CpuBackend : public Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string_view description() const override { return "own kernels for this processor's vector instructions, packed weights, all cores"; }
  Support available() const override { return {}; }

  Support supports(const Plan& plan, std::span<const WeightEncoding> encodings, const OpenOptions& options) const override {
    if (const auto kernels = pick_kernels(options.instruction_set, platform::cpu_info().features); !kernels) return {false, kernels.error().message};
    if (const Support support = supports_plan(plan, options); !support.ok) return support;
    for (size_t i = 0; i < encodings.size(); ++i) {
      if (const auto shape = packed_shape(encodings[i], plan.tensors[i].rows, plan.tensors[i].columns); !shape) {
        return {false, fmt::format("{}: {}", plan.tensors[i].name, shape.error().message)};
      }
    }
    return {};
  }

  MemoryPlan memory_plan(const Plan& plan, std::span<const WeightEncoding> encodings, const OpenOptions& options) const override {
    MemoryPlan forecast;
    const std::vector<bool> used = multiplied_tensors(plan);
    for (size_t i = 0; i < encodings.size(); ++i) {
      const PlanTensor& tensor = plan.tensors[i];
      const auto shape = packed_shape(encodings[i], tensor.rows, tensor.columns);
      if (used[i] && shape) forecast.weights += packed_bytes(*shape);
      if (!used[i]) forecast.weights += encodings[i].bytes(tensor.rows, tensor.columns);
    }
    forecast.kv = KvCache::bytes(plan, options.kv, context_of(plan, options));
    forecast.workspace = workspace_forecast(plan, options, threads_of(options));
    return forecast;
  }

  Result<std::unique_ptr<Session>> open(std::shared_ptr<const Plan> plan, std::shared_ptr<const WeightSource> weights,
                                        const OpenOptions& options) const override {
    PHISCOPE_ASSIGN(const KernelRow* kernels, pick_kernels(options.instruction_set, platform::cpu_info().features));
    const std::vector<WeightEncoding> encodings = encodings_of(*plan, *weights);
    if (const Support support = supports(*plan, encodings, options); !support.ok) return fail(ErrorCode::unsupported, "{}", support.reason);
    const MemoryPlan forecast = memory_plan(*plan, encodings, options);
    const uint64_t available = platform::system_memory().available;
    if (available > 0 && forecast.total() > available) {
      return fail(ErrorCode::out_of_memory, "{} needs {} (weights {}, KV cache {}, workspace {}), {} are available; choose fewer bits or a shorter context",
                  plan->name, format_bytes(forecast.total()), format_bytes(forecast.weights), format_bytes(forecast.kv),
                  format_bytes(forecast.workspace), format_bytes(available));
    }
    try {
      return open_session(std::move(plan), std::move(weights), options, kernels);
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::out_of_memory, "the system refused memory: {} are needed (weights {}, KV cache {})", format_bytes(forecast.total()),
                  format_bytes(forecast.weights), format_bytes(forecast.kv));
    }
  }

  Result<std::vector<ProbeValue>> probe(int threads) const override {
    PHISCOPE_ASSIGN(const KernelRow* kernels, pick_kernels("", platform::cpu_info().features));
    return probe_device(*kernels, threads > 0 ? threads : std::max(1, platform::cpu_info().usable_cores));
  }

 private:
  static Result<std::unique_ptr<Session>> open_session(std::shared_ptr<const Plan> plan, std::shared_ptr<const WeightSource> weights,
                                                       const OpenOptions& options, const KernelRow* kernels) {
    CpuSession::Parts parts;
    parts.plan = std::move(plan);
    parts.source = std::move(weights);
    parts.options = options;
    parts.kernels = kernels;
    parts.pool = std::make_unique<Pool>(threads_of(options));
    PHISCOPE_ASSIGN(parts.weights, PackedModel::load(*parts.plan, *parts.source, options, *parts.pool));
    const int embedding = parts.plan->embedding;
    if (embedding >= 0 && (embedding != parts.plan->head || parts.source->encoding(embedding).is_blocks())) {
      PHISCOPE_ASSIGN(parts.embedding, parts.source->tensor(parts.plan->embedding));
    }
    return std::make_unique<CpuSession>(std::move(parts));
  }
};

}  // namespace

const Backend& cpu_backend();
const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace phiscope
