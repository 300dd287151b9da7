// What the CPU backend declines, refuses and reports; its numbers are in golden_test.cpp and in the conformance tests of all backends.
#include <gtest/gtest.h>

#include "core/backend/backend.h"
#include "core/model/model.h"
#include "tests/support/fixtures.h"

namespace phiscope {
const Backend& cpu_backend();
namespace {

TEST(CpuBackend, DeclinesFourBitKvCachesAndUnknownSetsWithAReason) {
  Plan plan;
  plan.heads = plan.kv_heads = 4;
  plan.head_dim = 16;
  OpenOptions options;
  options.kv = KvType::int4;
  EXPECT_NE(cpu_backend().supports(plan, {}, options).reason.find("4-bit KV"), std::string::npos);
  options.kv = KvType::f16;
  EXPECT_TRUE(cpu_backend().supports(plan, {}, options).ok);
  options.instruction_set = "mmx";
  EXPECT_NE(cpu_backend().supports(plan, {}, options).reason.find("mmx"), std::string::npos);
}

TEST(CpuBackend, RefusesWhatDoesNotFitBeforeAllocating) {
  PHISCOPE_FIXTURE(folder, "models/phi-3-mini-tiny");
  const auto model = load_model(folder);
  ASSERT_TRUE(model.has_value());
  OpenOptions options;
  options.context = int64_t{1} << 36;
  const auto session = cpu_backend().open(model->plan, model->weights, options);
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, ErrorCode::out_of_memory);
  EXPECT_NE(session.error().message.find("KV cache"), std::string::npos);
}

TEST(CpuBackend, RefusesIdsAndLengthsThatDoNotFit) {
  PHISCOPE_FIXTURE(folder, "models/phi-3-mini-tiny");
  const auto model = load_model(folder);
  ASSERT_TRUE(model.has_value());
  OpenOptions options;
  options.context = 4;
  const auto session = cpu_backend().open(model->plan, model->weights, options);
  ASSERT_TRUE(session.has_value());
  const int32_t bad[] = {1, 999999};
  EXPECT_FALSE((*session)->append(bad).has_value());
  const int32_t many[] = {1, 2, 3, 4, 5};
  const Status too_long = (*session)->append(many);
  ASSERT_FALSE(too_long.has_value());
  EXPECT_NE(too_long.error().message.find("context of 4"), std::string::npos);
  EXPECT_EQ((*session)->length(), 0);
  EXPECT_FALSE((*session)->decode(1, greedy_sampler, [](int32_t, int64_t) { return true; }).has_value());
}

TEST(CpuBackend, UsesThePackedCacheOfAModelFolder) {
  PHISCOPE_FIXTURE(folder, "models/phi-3-mini-tiny");
  const auto model = load_model(folder);
  ASSERT_TRUE(model.has_value());
  const test::TemporaryFolder cache;
  OpenOptions options;
  options.packed_cache = cache.path();
  std::vector<std::vector<float>> logits;
  for (int i = 0; i < 2; ++i) {
    const auto session = cpu_backend().open(model->plan, model->weights, options);
    ASSERT_TRUE(session.has_value()) << session.error().message;
    EXPECT_EQ((*session)->memory().weights_private, 0u);
    EXPECT_GT((*session)->memory().weights_mapped, 0u);
    const int32_t ids[] = {11, 12, 13};
    ASSERT_TRUE((*session)->append(ids).has_value());
    logits.emplace_back((*session)->last_logits().begin(), (*session)->last_logits().end());
  }
  EXPECT_EQ(logits[0], logits[1]);
}

TEST(CpuBackend, ReportsWhatItHolds) {
  PHISCOPE_FIXTURE(folder, "models/phi-3-mini-tiny");
  const auto model = load_model(folder);
  ASSERT_TRUE(model.has_value());
  OpenOptions options;
  options.context = 64;
  const auto session = cpu_backend().open(model->plan, model->weights, options);
  ASSERT_TRUE(session.has_value());
  const MemoryReport memory = (*session)->memory();
  EXPECT_GT(memory.weights_private, 0u);
  EXPECT_EQ(memory.kv_per_token, 3u * 4 * 2 * 16 * 2);  // layers, heads, keys and values, head_dim, f16
  EXPECT_EQ(memory.kv_allocated, 64 * memory.kv_per_token);
  EXPECT_GE(memory.bytes_per_decode_token, memory.weights_private);
  const Effective effective = (*session)->effective();
  EXPECT_EQ(effective.weights, "bf16");
  EXPECT_EQ(effective.activations, "f32");
  EXPECT_EQ(effective.kv, kv_type_name(KvType::f16));
}

}  // namespace
}  // namespace phiscope
