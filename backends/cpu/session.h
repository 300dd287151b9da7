#pragma once
// One sequence on the CPU.

#include <memory>
#include <vector>

#include "backends/cpu/executor.h"
#include "core/backend/backend.h"

namespace phiscope::cpu {

inline constexpr int64_t kDefaultContext = 4096;
int64_t context_of(const Plan& plan, const OpenOptions& options);
/// Scratch memory of a session whose longest prefill fills the context.
uint64_t workspace_forecast(const Plan& plan, const OpenOptions& options, int threads);

class CpuSession : public Session {
 public:
  struct Parts {
    std::shared_ptr<const Plan> plan;
    std::shared_ptr<const WeightSource> source;
    OpenOptions options;
    const KernelRow* kernels = nullptr;
    std::unique_ptr<Pool> pool;
    std::unique_ptr<PackedModel> weights;
    Weight embedding;  // empty when the head's matrix serves
  };
  explicit CpuSession(Parts parts);

  Status truncate(int64_t length) override;
  int64_t length() const override { return static_cast<int64_t>(ids_.size()); }
  Status append(std::span<const int32_t> ids, std::span<float> hidden_out) override;
  Status append_states(std::span<const float> residual, std::span<float> hidden_out) override;
  std::span<const float> last_logits() const override { return last_logits_; }
  Status decode(int64_t count, const Sampler& sampler, const TokenCallback& on_token) override;
  Status logits(std::span<const float> hidden, Head head, std::span<float> logits_out) override;
  Result<std::vector<float>> trace(std::span<const int32_t> ids) override;
  MemoryReport memory() const override;
  Effective effective() const override;

 private:
  Status check(std::span<const int32_t> ids, int64_t before) const;
  bool needs_long(int64_t length) const { return plan_.rotary.switch_length > 0 && length > plan_.rotary.switch_length; }
  void compute(int64_t first_new, std::span<float> hidden_out);
  Status load_reference_head();
  std::string weight_names() const;

  Parts parts_;
  const Plan& plan_;
  const int64_t context_;
  KvCache cache_;
  Executor executor_;
  std::unique_ptr<PackedModel> reference_head_;  // made when first asked for; null while the own head serves
  bool has_reference_head_ = false;
  std::vector<int32_t> ids_;
  int64_t cached_ = 0;          // positions whose keys and values are valid
  bool cache_is_long_ = false;  // which list they were made with
  std::vector<float> last_logits_;
};

}  // namespace phiscope::cpu
