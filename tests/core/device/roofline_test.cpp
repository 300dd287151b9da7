#include "core/device/roofline.h"

#include <gtest/gtest.h>

#include "core/model/model.h"
#include "tests/core/device/shapes.h"

namespace phiscope::device {
namespace {

using test::format_of;
using test::published_shape;

TEST(ModelShape, CountsOfPublishedModelsAreThoseOfTheirShapes) {
  EXPECT_EQ(published_shape("phi-3.5-mini").parameters, 3821079552);
  EXPECT_EQ(published_shape("phi-4").parameters, 14659507200);
  EXPECT_EQ(published_shape("phi-4-mini").embedding_parameters, 0);  // tied
  EXPECT_EQ(published_shape("phi-4-mini").head_parameters, 200064 * 3072);
  EXPECT_EQ(published_shape("phi-3.5-mini").kv_bytes_per_token(16), 393216);
  EXPECT_EQ(published_shape("phi-4-mini").kv_bytes_per_token(16), 131072);
}

TEST(ModelShape, OfAMixtureOnlyTheChosenExpertsAreRead) {
  const ModelShape shape = published_shape("phi-3.5-moe");
  const auto active = static_cast<double>(shape.active_parameters + shape.head_parameters + shape.embedding_parameters);
  EXPECT_NEAR(active, 6.64e9, 0.01 * 6.64e9);  // the publisher's "6.6 B active"
  EXPECT_GT(shape.body_parameters, 6 * shape.active_parameters);
}

// The worked example of the roofline: batch 1 at 4.8 TB/s.
TEST(Roofline, LimitsOfDecodeAtFourPointEightTerabytes) {
  const double bandwidth = 4.8e12;
  EXPECT_NEAR(bytes_per_token(published_shape("phi-4-mini"), format_of("vllm:bf16"), 0), 7.67e9, 0.01e9);
  EXPECT_NEAR(bandwidth / bytes_per_token(published_shape("phi-4-mini"), format_of("vllm:bf16"), 0), 626, 2);
  EXPECT_NEAR(bandwidth / bytes_per_token(published_shape("phi-4"), format_of("vllm:bf16"), 0), 170, 1);
  DeployFormat mixed = format_of("vllm:int4");  // INT4 g128 body with a zero point, FP16 tied head
  mixed.body_bits = 4.25;
  EXPECT_NEAR(bytes_per_token(published_shape("phi-4-mini"), mixed, 0), 2.94e9, 0.01e9);
  EXPECT_NEAR(bandwidth / bytes_per_token(published_shape("phi-4-mini"), mixed, 0), 1630, 6);
}

TEST(Roofline, TheCacheIsReadWithEveryToken) {
  const ModelShape shape = published_shape("phi-3.5-mini");
  const DeployFormat format = format_of("gguf:Q4_0");
  EXPECT_DOUBLE_EQ(bytes_per_token(shape, format, 1000) - bytes_per_token(shape, format, 0), 1000.0 * 393216);
}

TEST(Roofline, PrefillIsTwoOperationsAWeightAndAttention) {
  const ModelShape shape = published_shape("phi-3.5-mini");
  const double body = 2.0 * 100 * static_cast<double>(shape.body_parameters);
  const double attention = 2.0 * 100 * 100 * 32 * 96 * 32;
  EXPECT_DOUBLE_EQ(prefill_operations(shape, 100), body + attention + 2.0 * 32064 * 3072);
}

}  // namespace
}  // namespace phiscope::device
