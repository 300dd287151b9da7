#include <algorithm>

#include "core/backend/backend.h"

namespace phiscope {

int32_t greedy_sampler(std::span<float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Result<std::vector<float>> Session::trace(std::span<const int32_t> /*ids*/) {
  return fail(ErrorCode::unsupported, "this backend does not give hidden states layer by layer; the reference backend does");
}

Status Session::append_states(std::span<const float> /*residual*/, std::span<float> /*hidden_out*/) {
  return fail(ErrorCode::unsupported, "this backend cannot run a model layer by layer; reference and cpu can");
}

}  // namespace phiscope
