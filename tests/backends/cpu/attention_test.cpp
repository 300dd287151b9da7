// Attention and element-wise kernels against f64.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "backends/cpu/kv_cache.h"
#include "core/tensor/dtype.h"
#include "tests/backends/cpu/kernel_tables.h"

namespace phiscope::cpu {
namespace {

std::vector<float> random_floats(int64_t count, uint32_t seed, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

struct AttentionCase {
  int64_t head_dim, queries_per_kv, window, first, tokens, sparse_block;
};

class AttentionKernels : public KernelTest {
 protected:
  void check(const AttentionCase& c, KvType type, float tolerance) {
    Plan plan;
    plan.layers = 1;
    plan.kv_heads = 2;
    plan.head_dim = c.head_dim;
    const int64_t length = c.first + c.tokens, dim = c.head_dim, stride = 2 * c.queries_per_kv * dim;
    KvCache cache(plan, type, length, kernels());
    const std::vector<float> keys = random_floats(2 * length * dim, 4, 1), values = random_floats(2 * length * dim, 5, 1);
    for (int64_t head = 0; head < 2; ++head) {
      for (int64_t p = 0; p < length; ++p) cache.store(0, head, p, &keys[static_cast<size_t>((head * length + p) * dim)], &values[static_cast<size_t>((head * length + p) * dim)]);
    }
    const std::vector<float> query = random_floats(c.tokens * stride, 6, 1);
    std::vector<float> out(query.size(), NAN), scratch(static_cast<size_t>(attention_scratch_floats(cache.value_width())), NAN);
    const AttentionShape shape{.head_dim = dim, .value_width = cache.value_width(), .queries_per_kv = c.queries_per_kv, .window = c.window,
                               .scale = 0.25f, .sparse_block = c.sparse_block, .sparse_local = 1, .sparse_stride = 3, .sparse_head_step = 1};
    for (int64_t head = 0; head < 2; ++head) {
      const int64_t offset = head * c.queries_per_kv * dim;
      kernels().attention(shape, cache.view(0, head),
                          {.query = query.data() + offset, .output = out.data() + offset, .query_stride = stride, .output_stride = stride,
                           .tokens = c.tokens, .first_position = c.first, .first_head = head * c.queries_per_kv}, scratch.data());
    }
    for (int64_t t = 0; t < c.tokens; ++t) {
      for (int64_t h = 0; h < 2 * c.queries_per_kv; ++h) {
        const std::vector<double> expected = oracle(c, &query[static_cast<size_t>(t * stride + h * dim)], keys, values, h, c.first + t, length);
        for (int64_t d = 0; d < dim; ++d) {
          ASSERT_NEAR(out[static_cast<size_t>(t * stride + h * dim + d)], expected[static_cast<size_t>(d)], tolerance)
              << kv_type_name(type) << " dim " << dim << " token " << t << " head " << h << " of window " << c.window;
        }
      }
    }
  }

  static std::vector<double> oracle(const AttentionCase& c, const float* query, const std::vector<float>& keys, const std::vector<float>& values,
                                    int64_t head, int64_t position, int64_t length) {
    const int64_t dim = c.head_dim, base = head / c.queries_per_kv * length;
    std::vector<double> out(static_cast<size_t>(dim));
    double total = 0;
    for (int64_t p = 0; p <= position; ++p) {
      if (c.window > 0 && position - p >= c.window) continue;
      if (c.sparse_block > 0 && position / c.sparse_block - p / c.sparse_block >= 1 && (p / c.sparse_block + head + 1) % 3 != 0) continue;
      double score = 0;
      for (int64_t d = 0; d < dim; ++d) score += static_cast<double>(query[d]) * static_cast<double>(keys[static_cast<size_t>((base + p) * dim + d)]);
      const double weight = std::exp(score * 0.25);
      total += weight;
      for (int64_t d = 0; d < dim; ++d) out[static_cast<size_t>(d)] += weight * static_cast<double>(values[static_cast<size_t>((base + p) * dim + d)]);
    }
    for (double& value : out) value /= total;
    return out;
  }
};

TEST_P(AttentionKernels, AgreesWithTheOracleForEveryShape) {
  const AttentionCase cases[] = {
      {96, 1, 0, 0, 1, 0},  {96, 1, 0, 200, 1, 0},  {128, 3, 0, 130, 5, 0}, {16, 4, 24, 90, 7, 0},  {20, 1, 0, 5, 48, 0},
      {8, 4, 31, 0, 12, 0}, {80, 1, 300, 511, 1, 0}, {64, 2, 16, 63, 24, 0}, {16, 2, 0, 100, 3, 16}, {128, 1, 17, 129, 1, 0},
      {16, 4, 0, 700, 1, 64}, {32, 1, 0, 650, 48, 64}, {128, 4, 0, 300, 1, 16}, {16, 3, 0, 400, 5, 128},
  };
  for (const AttentionCase& c : cases) {
    check(c, KvType::f32, 5e-6f);    // values of the order of 1
    check(c, KvType::f16, 4e-3f);    // keys and values rounded to 11 bits
    check(c, KvType::int8, 6e-2f);   // to 8 bits
    if (HasFatalFailure()) return;
  }
}

// A kernel that reads masked keys and multiplies them by zero would give NaN here.
TEST_P(AttentionKernels, SkipsBlocksThatNoRowSees) {
  constexpr int64_t kDim = 32, kBlock = 64, kBlocks = 12, kLength = kBlock * kBlocks;
  Plan plan;
  plan.layers = 1;
  plan.kv_heads = 1;
  plan.head_dim = kDim;
  for (const KvType type : {KvType::f32, KvType::f16}) {
    for (const int64_t tokens : {int64_t{1}, int64_t{40}}) {
      KvCache cache(plan, type, kLength, kernels());
      const AttentionShape shape{.head_dim = kDim, .value_width = cache.value_width(), .queries_per_kv = 1, .window = 0, .scale = 0.25f,
                                 .sparse_block = kBlock, .sparse_local = 2, .sparse_stride = 4, .sparse_head_step = 1};
      const std::vector<float> good(kDim, 0.5f), poison(kDim, NAN), query(static_cast<size_t>(tokens * kDim), 1.0f);
      for (int64_t p = 0; p < kLength; ++p) {
        const int64_t block = p / kBlock;
        const bool is_seen = kBlocks - 1 - block < 2 || (block + 5 + 1) % 4 == 0;  // head 5
        cache.store(0, 0, p, is_seen ? good.data() : poison.data(), is_seen ? good.data() : poison.data());
      }
      std::vector<float> out(query.size(), NAN), scratch(static_cast<size_t>(attention_scratch_floats(cache.value_width())), NAN);
      kernels().attention(shape, cache.view(0, 0), {.query = query.data(), .output = out.data(), .query_stride = kDim, .output_stride = kDim,
                                                    .tokens = tokens, .first_position = kLength - tokens, .first_head = 5}, scratch.data());
      for (const float value : out) ASSERT_NEAR(value, 0.5f, 1e-5f) << kv_type_name(type) << " " << tokens << " tokens";
    }
  }
}

PHISCOPE_EVERY_TABLE(AttentionKernels);

class ElementKernels : public KernelTest {};

TEST_P(ElementKernels, ExponentialIsWithinThreeTenMillionths) {
  std::vector<float> x, y;
  for (float v = -87.0f; v < 88.0f; v += 0.0137f) x.push_back(v);
  y.resize(x.size());
  kernels().exp(x.data(), static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = std::exp(static_cast<double>(x[i]));
    ASSERT_NEAR(static_cast<double>(y[i]) / expected, 1.0, 3e-7) << x[i];
  }
}

TEST_P(ElementKernels, GatesAgreeWithDoublePrecision) {
  const std::vector<float> gate = random_floats(1003, 7, 4), up = random_floats(1003, 8, 1);
  std::vector<float> silu(1003), gelu(1003);
  kernels().silu_gate(gate.data(), up.data(), 1003, silu.data());
  kernels().gelu_tanh(gate.data(), 1003, gelu.data());
  for (size_t i = 0; i < 1003; ++i) {
    const double g = static_cast<double>(gate[i]);
    const double s = g / (1 + std::exp(-g)) * static_cast<double>(up[i]);
    ASSERT_NEAR(silu[i], s, 1e-6 * std::fabs(s) + 1e-9) << gate[i];
    const double t = 0.5 * g * (1 + std::tanh(0.79788456080286535588 * (g + 0.044715 * g * g * g)));
    ASSERT_NEAR(gelu[i], t, 2e-6 * std::fabs(g)) << gate[i];
  }
}

TEST_P(ElementKernels, GegeluAgreesWithDoublePrecisionAndKeepsInfinities) {
  constexpr int64_t kCount = 1003;
  std::vector<float> x = random_floats(2 * kCount, 13, 4);
  x[0] = INFINITY;
  x[3] = -INFINITY;
  x[2] = 1;
  for (const float limit : {2.0f, INFINITY}) {
    std::vector<float> out(kCount);
    kernels().gegelu(x.data(), limit, kCount, out.data());
    EXPECT_TRUE(std::isinf(out[0]));
    EXPECT_EQ(out[1], -INFINITY);
    for (size_t i = 2; i < kCount; ++i) {
      const double g = std::min(static_cast<double>(x[2 * i]), static_cast<double>(limit));
      const double l = std::clamp(static_cast<double>(x[2 * i + 1]), -static_cast<double>(limit), static_cast<double>(limit));
      const double expected = g / (1 + std::exp(-1.702 * g)) * (l + 1);
      ASSERT_NEAR(out[i], expected, 2e-6 * std::fabs(expected) + 1e-6) << x[2 * i] << " " << x[2 * i + 1];
    }
  }
}

TEST_P(ElementKernels, NormsAgreeWithDoublePrecision) {
  for (const int64_t n : {1, 16, 80, 3072}) {
    const std::vector<float> x = random_floats(n, 9, 3), weight = random_floats(n, 10, 1), bias = random_floats(n, 11, 1);
    std::vector<float> rms(x.size()), layer(x.size());
    kernels().rms_norm(x.data(), weight.data(), 1e-5f, n, rms.data());
    kernels().layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, n, layer.data());
    double squares = 0, mean = 0, variance = 0;
    for (const float v : x) squares += static_cast<double>(v) * static_cast<double>(v) / static_cast<double>(n);
    for (const float v : x) mean += static_cast<double>(v) / static_cast<double>(n);
    for (const float v : x) variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean) / static_cast<double>(n);
    for (size_t i = 0; i < x.size(); ++i) {
      const double v = static_cast<double>(x[i]), w = static_cast<double>(weight[i]);
      ASSERT_NEAR(rms[i], v / std::sqrt(squares + 1e-5) * w, 1e-5);
      ASSERT_NEAR(layer[i], (v - mean) / std::sqrt(variance + 1e-5) * w + static_cast<double>(bias[i]), 1e-5);
    }
  }
}

TEST_P(ElementKernels, HalvesAreRoundedAsTheTensorLibraryDoes) {
  std::vector<float> x = {0.0f, -0.0f, 1.0f, 65504.0f, 65519.9f, 65520.0f, 1e10f, -1e10f, 6e-8f, 3e-8f, 2.9e-8f, 6.1e-5f, -5.9e-6f, 1.0009765f, 1.00048828f};
  for (const float v : random_floats(500, 12, 1e-4f)) x.push_back(v);
  std::vector<uint16_t> halves(x.size());
  kernels().to_f16(x.data(), static_cast<int64_t>(x.size()), halves.data());
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(halves[i], f32_to_f16(x[i])) << x[i];
}

PHISCOPE_EVERY_TABLE(ElementKernels);

}  // namespace
}  // namespace phiscope::cpu
