#include <gtest/gtest.h>

#include "core/model/model.h"

namespace phiscope {
namespace {

Plan plan_of(std::string_view name) {
  for (const SyntheticModel& model : synthetic_models())
    if (model.name == name) return *lower(model.config);
  ADD_FAILURE() << name;
  return {};
}

const PlanTensor& tensor(const Plan& plan, int index) { return plan.tensors.at(static_cast<size_t>(index)); }

TEST(Lower, Phi3FusesQkvAndGateUp) {
  const Plan plan = plan_of("phi-4");
  ASSERT_EQ(plan.phases.size(), 2u + 40 * 5);
  const Phase& qkv = plan.phases[1];
  EXPECT_EQ(qkv.epilogue, Epilogue::rotary_kv);
  EXPECT_EQ(tensor(plan, qkv.linears.at(0).tensor).rows, 7680);
  EXPECT_EQ(tensor(plan, qkv.linears.at(0).tensor).name, "model.layers.0.self_attn.qkv_proj.weight");
  EXPECT_EQ(tensor(plan, plan.phases[4].linears.at(0).tensor).rows, 2 * 17920);
  EXPECT_EQ(plan.phases.back().kind, PhaseKind::head);
  EXPECT_EQ(plan.window, 0);
}

TEST(Lower, ATiedHeadIsTheEmbeddingTable) {
  const Plan plan = plan_of("phi-4-mini");
  EXPECT_EQ(plan.head, plan.embedding);
  EXPECT_TRUE(tensor(plan, plan.head).is_embedding_too);
  EXPECT_EQ(tensor(plan, plan.head).tensor_class, TensorClass::lm_head);
  EXPECT_EQ(plan.rotary.rotary_dims, 96);
  EXPECT_EQ(plan.rotary.switch_length, 4096);
  EXPECT_FLOAT_EQ(plan.attention_scale, 0.08838834764f);  // 1 / sqrt(128), whatever part is rotated
}

TEST(Lower, PhiReadsTheResidualForItsMlpBeforeAttentionAddsToIt) {
  const Plan plan = plan_of("phi-2");
  const Phase& fc1 = plan.phases[3];
  const Phase& dense = plan.phases[4];
  EXPECT_EQ(fc1.input, PhaseInput::residual);
  EXPECT_EQ(fc1.epilogue, Epilogue::gelu_tanh);
  EXPECT_EQ(fc1.norm.weight, plan.phases[1].norm.weight) << "one norm for both branches";
  EXPECT_EQ(dense.input, PhaseInput::attention);
  EXPECT_EQ(dense.epilogue, Epilogue::add_residual);
  EXPECT_GE(plan.head_bias, 0);
}

TEST(Lower, AWindowAsLongAsTheContextIsNoWindow) {
  EXPECT_EQ(plan_of("phi-3-mini-4k").window, 2047);
  EXPECT_EQ(plan_of("phi-3.5-mini").window, 0);
}

TEST(Lower, PhimoeHasARouterAndThreeMatricesAnExpert) {
  const Plan plan = plan_of("phi-tiny-moe");
  const Phase& moe = plan.phases[4];
  EXPECT_EQ(moe.kind, PhaseKind::moe);
  EXPECT_EQ(moe.expert_down.size(), 16u);
  EXPECT_EQ(tensor(plan, moe.router).tensor_class, TensorClass::other);
  EXPECT_EQ(tensor(plan, moe.expert_down[15].tensor).name, "model.layers.0.block_sparse_moe.experts.15.w2.weight");
  EXPECT_EQ(tensor(plan, plan.phases[1].linears.at(0).tensor).rows, 16 * 128);  // explicit head_dim: not hidden
}

}  // namespace
}  // namespace phiscope
