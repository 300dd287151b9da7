#include "core/model/gguf_names.h"

#include <gtest/gtest.h>

#include <set>

namespace phiscope {
namespace {

std::vector<std::string> names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlanTensor& tensor : plan.tensors) names.push_back(tensor.name);
  for (const PlanVector& vector : plan.vectors) names.push_back(vector.name);
  return names;
}

const ModelConfig& config_of(std::string_view name) {
  for (const SyntheticModel& model : synthetic_models())
    if (model.name == name) return model.config;
  throw std::runtime_error("no such model");
}

// Counts of the published files (Phi-3.5-mini 197 with its two factor lists, Phi-4-mini 196).
TEST(GgufNames, EveryTensorOfAPlanHasANameAndTheWayBack) {
  for (const auto& [model, tensors] : {std::pair{"phi-3.5-mini", 195}, {"phi-4-mini", 194}, {"phi-2", 453}, {"phi-3.5-moe", 517}}) {
    SCOPED_TRACE(model);
    const ModelConfig& config = config_of(model);
    const auto plan = lower(config);
    ASSERT_TRUE(plan) << plan.error().message;
    std::set<std::string> files;
    std::set<std::pair<std::string, int64_t>> places;
    for (const std::string& name : names_of(*plan)) {
      const auto found = gguf_name(config.architecture, name);
      ASSERT_TRUE(found) << name;
      EXPECT_TRUE(places.emplace(found->name, found->expert).second) << name;
      EXPECT_EQ(plan_name(config.architecture, *found), name);
      files.insert(found->name);
    }
    EXPECT_EQ(files.size(), static_cast<size_t>(tensors));
  }
}

TEST(GgufNames, AreThoseOfLlamaCpp) {
  EXPECT_EQ(gguf_name("phi3", "model.layers.11.mlp.gate_up_proj.weight"), (GgufTensorName{"blk.11.ffn_up.weight", -1}));
  EXPECT_EQ(gguf_name("phi", "model.layers.3.self_attn.q_proj.bias"), (GgufTensorName{"blk.3.attn_q.bias", -1}));
  EXPECT_EQ(gguf_name("phimoe", "model.layers.3.block_sparse_moe.experts.15.w3.weight"), (GgufTensorName{"blk.3.ffn_up_exps.weight", 15}));
  EXPECT_EQ(plan_name("phimoe", {"blk.3.ffn_down_exps.weight", 2}), "model.layers.3.block_sparse_moe.experts.2.w2.weight");
  EXPECT_EQ(plan_name("phi3", {"blk.3.ffn_down.weight"}), "model.layers.3.mlp.down_proj.weight");
  EXPECT_EQ(plan_name("phi", {"blk.3.ffn_down.weight"}), "model.layers.3.mlp.fc2.weight");
}

TEST(GgufNames, OfOthersAreNone) {
  EXPECT_FALSE(gguf_name("phi3", "model.layers.3.mlp.fc1.weight"));
  EXPECT_FALSE(gguf_name("phi3", "model.layers.x.mlp.down_proj.weight"));
  EXPECT_FALSE(gguf_name("phi3", "model.layers.03.mlp.down_proj.weight"));
  EXPECT_FALSE(gguf_name("phi3", "model.norm"));
  EXPECT_FALSE(plan_name("phi3", {"blk.3.attn_rot_embd.weight"}));
  EXPECT_FALSE(plan_name("phimoe", {"blk.3.ffn_down_exps.weight", -1}));
  EXPECT_EQ(gguf_architecture("phi"), "phi2");
  EXPECT_EQ(architecture_of_gguf("phi2"), "phi");
  EXPECT_EQ(architecture_of_gguf("llama"), "");
}

}  // namespace
}  // namespace phiscope
