#include "core/device/model_shape.h"

namespace phiscope::device {
namespace {

constexpr double kChosenExperts = 2;  // every Phi mixture chooses two (phimoe's sparse mixer)

double expert_share(const Plan& plan) {
  for (const Phase& phase : plan.phases)
    if (phase.kind == PhaseKind::moe && !phase.expert_up.empty()) return kChosenExperts / static_cast<double>(phase.expert_up.size());
  return 1;
}

}  // namespace

bool ModelShape::has_same_size(const ModelShape& other) const {
  return architecture == other.architecture && layers == other.layers && hidden == other.hidden && ffn == other.ffn && vocab == other.vocab &&
         kv_heads == other.kv_heads && head_dim == other.head_dim && parameters == other.parameters;
}

ModelShape shape_of(const Plan& plan, std::string name) {
  ModelShape shape{.name = std::move(name), .architecture = plan.architecture, .layers = plan.layers, .hidden = plan.hidden, .heads = plan.heads,
                   .kv_heads = plan.kv_heads, .head_dim = plan.head_dim, .ffn = plan.ffn, .vocab = plan.vocab, .context = plan.context};
  shape.parameters = plan.parameters();
  const double share = expert_share(plan);
  double active = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlanTensor& tensor = plan.tensors[i];
    const int64_t count = tensor.rows * tensor.columns;
    const int index = static_cast<int>(i);
    if (index == plan.head) {
      shape.head_parameters = count;
    } else if (index == plan.embedding) {
      shape.embedding_parameters = count;
    } else {
      shape.body_parameters += count;
      active += static_cast<double>(count) * (tensor.tensor_class == TensorClass::experts ? share : 1);
    }
  }
  shape.active_parameters = static_cast<int64_t>(active);
  return shape;
}

}  // namespace phiscope::device
