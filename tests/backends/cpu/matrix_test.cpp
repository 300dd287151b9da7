// Matrix kernels against a scalar oracle: dequantized weights, f64 sums.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "backends/cpu/multiply.h"
#include "backends/cpu/packed_model.h"
#include "backends/cpu/packed_weights.h"
#include "core/backend/activation_quant.h"
#include "core/quant/quantize.h"
#include "tests/backends/cpu/kernel_tables.h"

namespace phiscope::cpu {
namespace {

WeightEncoding floating(DType type) { return {.float_type = type}; }
WeightEncoding integer(int bits, int group, OffsetClass offset = OffsetClass::symmetric, DType scale = DType::f16) {
  return {.bits = bits, .group = group, .offset = offset, .scale_type = scale};
}

const WeightEncoding kEncodings[] = {
    floating(DType::f32),
    floating(DType::f16),
    floating(DType::bf16),
    integer(8, 0),
    integer(8, 0, OffsetClass::zero_point),
    integer(8, 128),
    integer(8, 32, OffsetClass::symmetric, DType::f32),
    integer(8, 20),  // not whole lines
    integer(4, 32),
    integer(4, 32, OffsetClass::zero_point),
    integer(4, 64),
    integer(4, 128, OffsetClass::symmetric, DType::f32),
    integer(4, 256),
    integer(4, 0),
    integer(4, 20, OffsetClass::zero_point),
    integer(4, 36),  // does not divide the activation groups
};

struct Shape {
  int64_t rows, n, k;
};
// One row and several; full blocks and tails in every dimension; more columns than a panel; one column.
const Shape kShapes[] = {{1, 32, 256},  {1, 70, 384}, {1, 33, 90},  {2, 96, 640}, {7, 33, 384},  {13, 31, 100},
                         {25, 64, 544}, {1, 1, 1},    {3, 5, 3},    {5, 40, 130}, {12, 130, 264}};

// Block types of GGUF, and where their halves (scale, min) are in a block; all other bytes are random.
struct BlockRow {
  BlockType type;
  std::vector<int> halves;
};
const BlockRow kBlockHalves[] = {
    {BlockType::q4_0, {0}},     {BlockType::q4_1, {0, 2}}, {BlockType::q5_0, {0}},     {BlockType::q5_1, {0, 2}}, {BlockType::q8_0, {0}},   {BlockType::q2_k, {80, 82}},
    {BlockType::q3_k, {108}},   {BlockType::q4_k, {0, 2}}, {BlockType::q5_k, {0, 2}},  {BlockType::q6_k, {208}},  {BlockType::iq4_nl, {0}}, {BlockType::iq4_xs, {0}}};
// Columns in blocks of 256 values, of 32 values; one row of activations and several, tails in rows.
const Shape kBlockShapes[] = {{1, 32, 1}, {1, 70, 3}, {1, 5, 4}, {2, 33, 2}, {7, 64, 5}, {13, 31, 1}, {25, 40, 3}};

struct Case {
  EncodedMatrix encoded;
  AlignedBuffer packed;
  PackedMatrix matrix;
  std::vector<float> x;                  // [rows, k]
  std::vector<std::vector<float>> w;     // dequantized rows
};

std::vector<float> random_floats(int64_t count, uint32_t seed, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// Random codes, scales and zero points: every group size, also those that the quantizer does not offer.
void fill_integers(const Shape& shape, EncodedMatrix& out) {
  std::mt19937 random(1);
  const WeightEncoding& encoding = out.encoding;
  const auto groups = static_cast<size_t>(shape.n * encoding.groups(shape.k));
  for (uint64_t i = 0; i < static_cast<uint64_t>(shape.n) * encoding.code_bytes_per_row(shape.k); ++i) out.codes.push_back(static_cast<std::byte>(random()));
  for (size_t i = 0; i < groups; ++i) {
    const float scale = 0.001f + 1e-6f * static_cast<float>(random() % 10000);
    const uint32_t bits = encoding.scale_type == DType::f16 ? f32_to_f16(scale) : std::bit_cast<uint32_t>(scale);
    for (size_t b = 0; b < dtype_bytes(encoding.scale_type); ++b) out.scales.push_back(static_cast<std::byte>(bits >> (8 * b)));
    if (encoding.offset == OffsetClass::zero_point) out.zero_points.push_back(static_cast<uint8_t>(random() % (1u << encoding.bits)));
  }
}

void fill_blocks(const Shape& shape, EncodedMatrix& out) {
  std::mt19937 random(1);
  const BlockType type = out.encoding.block;
  const BlockLayout& layout = block_layout(type);
  const auto blocks = static_cast<size_t>(shape.n * (shape.k / layout.values));
  out.codes.resize(blocks * static_cast<size_t>(layout.bytes));
  for (std::byte& byte : out.codes) byte = static_cast<std::byte>(random());
  for (const BlockRow& row : kBlockHalves) {
    if (row.type != type) continue;
    for (size_t block = 0; block < blocks; ++block) {
      for (const int at : row.halves) {
        const uint16_t bits = f32_to_f16((random() % 2 == 0 ? 1.0f : -1.0f) * (0.001f + 1e-6f * static_cast<float>(random() % 10000)));
        std::memcpy(out.codes.data() + block * static_cast<size_t>(layout.bytes) + static_cast<size_t>(at), &bits, 2);
      }
    }
  }
}

void make_case(const WeightEncoding& encoding, const Shape& shape, Case& c) {
  c.encoded = {.encoding = encoding, .rows = shape.n, .columns = shape.k, .codes = {}, .scales = {}, .zero_points = {}};
  if (encoding.is_blocks()) {
    fill_blocks(shape, c.encoded);
  } else if (encoding.is_integer()) {
    fill_integers(shape, c.encoded);
  } else {
    for (const float value : random_floats(shape.n * shape.k, 1, 0.05f)) {
      const uint32_t bits = encoding.float_type == DType::f32   ? std::bit_cast<uint32_t>(value)
                            : encoding.float_type == DType::f16 ? f32_to_f16(value)
                                                                : f32_to_bf16(value);
      for (size_t i = 0; i < dtype_bytes(encoding.float_type); ++i) c.encoded.codes.push_back(static_cast<std::byte>(bits >> (8 * i)));
    }
  }
  const auto packed = packed_shape(encoding, shape.n, shape.k);
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  c.matrix = *packed;
  c.packed = AlignedBuffer(packed_bytes(c.matrix));
  c.matrix.data = c.packed.data();
  pack_blocks(c.encoded.view(), c.matrix, 0, c.matrix.blocks, c.packed.data());
  c.x = random_floats(shape.rows * shape.k, 2, 1.0f);
  for (int64_t n = 0; n < shape.n; ++n) {
    std::vector<float> row(static_cast<size_t>(shape.k));
    dequantize_row(c.encoded.view(), n, row.data());
    c.w.push_back(std::move(row));
  }
}

// What the kernels multiply: the code (unsigned, up to 255 or 15) and the zero point's share are summed apart, so rounding errors grow with
// the largest code times the scale.
double magnitude(const Case& c, int64_t n, int64_t k) {
  const WeightEncoding& encoding = c.encoded.encoding;
  if (encoding.is_blocks()) {
    // Codes 0..2^b-1 and an offset are summed apart: at most three times the largest value of the 32 columns that a scale has.
    const std::vector<float>& row = c.w[static_cast<size_t>(n)];
    double largest = 0;
    for (int64_t i = k / 32 * 32; i < k / 32 * 32 + 32; ++i) largest = std::max(largest, std::fabs(static_cast<double>(row[static_cast<size_t>(i)])));
    return 3 * largest;
  }
  if (!encoding.is_integer()) return std::fabs(static_cast<double>(c.w[static_cast<size_t>(n)][static_cast<size_t>(k)]));
  const int64_t group = encoding.group == 0 ? 0 : k / encoding.group;
  return std::fabs(static_cast<double>(c.encoded.view().scale(n, group))) * ((1 << encoding.bits) - 1);
}

// |y - oracle| <= 2 sqrt(K + 16) eps sum |w| |x|: rounding errors of a sum of K products add up like a random walk. Weights that are rounded
// themselves add `weight_error` of each product's size.
void expect_near_oracle(const Case& c, const Shape& shape, const std::vector<float>& x, const std::vector<float>& y, const std::string& what,
                        double weight_error = 0) {
  constexpr double kEpsilon = 0x1p-24;
  double worst = 0;
  for (int64_t m = 0; m < shape.rows; ++m) {
    for (int64_t n = 0; n < shape.n; ++n) {
      double sum = 0, bound = 1e-30, products = 0;
      for (int64_t k = 0; k < shape.k; ++k) {
        const double a = static_cast<double>(x[static_cast<size_t>(m * shape.k + k)]);
        sum += a * static_cast<double>(c.w[static_cast<size_t>(n)][static_cast<size_t>(k)]);
        bound += std::fabs(a) * magnitude(c, n, k);
        products += std::fabs(a * static_cast<double>(c.w[static_cast<size_t>(n)][static_cast<size_t>(k)]));
      }
      const double error = std::fabs(sum - static_cast<double>(y[static_cast<size_t>(m * shape.n + n)]));
      const double ratio = error / (bound * kEpsilon * 2 * std::sqrt(static_cast<double>(shape.k) + 16) + weight_error * products);
      worst = ratio <= worst ? worst : ratio;  // NaN too
      ASSERT_LE(ratio, 1.0) << what << " row " << m << " output " << n << " is " << y[static_cast<size_t>(m * shape.n + n)] << ", expected " << sum;
    }
  }
}

std::string describe(const WeightEncoding& encoding, const Shape& shape) {
  return fmt::format("{} M {} N {} K {}", encoding.name(), shape.rows, shape.n, shape.k);
}

class MatrixKernels : public KernelTest {};

TEST_P(MatrixKernels, WideActivationsAgreeWithTheOracle) {
  Pool pool(2);
  Multiplier multiplier(kernels(), pool);
  for (const WeightEncoding& encoding : kEncodings) {
    for (const Shape& shape : kShapes) {
      Case c;
      make_case(encoding, shape, c);
      std::vector<float> y(static_cast<size_t>(shape.rows * shape.n), NAN);
      multiplier.multiply(c.matrix, c.x.data(), shape.k, shape.rows, Arithmetic::f32, y.data(), shape.n);
      expect_near_oracle(c, shape, c.x, y, describe(encoding, shape));
      if (HasFatalFailure()) return;
    }
  }
}

// Activations as bf16; weights too, where a group's scale is multiplied before (half.inc), else exactly.
TEST_P(MatrixKernels, HalfActivationsAgreeWithTheOracle) {
  Pool pool(2);
  Multiplier multiplier(kernels(), pool);
  const Shape shapes[] = {{8, 33, 90}, {13, 31, 100}, {25, 64, 544}, {70, 40, 1100}, {9, 1, 1}, {33, 70, 264}};
  for (const WeightEncoding& encoding : kEncodings) {
    if (!encoding.is_integer() && encoding.float_type == DType::f32) continue;
    for (const Shape& shape : shapes) {
      Case c;
      make_case(encoding, shape, c);
      std::vector<float> rounded = c.x;
      for (float& value : rounded) value = bf16_to_f32(f32_to_bf16(value));
      std::vector<float> y(static_cast<size_t>(shape.rows * shape.n), NAN);
      if (kernels().gemm_half == nullptr) rounded = c.x;  // sets without bf16 stay with f32
      multiplier.multiply(c.matrix, c.x.data(), shape.k, shape.rows, Arithmetic::half, y.data(), shape.n);
      // Rounding a weight to bf16 moves it by 2^-9 at most; the sums' own noise as in f32.
      const bool is_rounded = encoding.is_integer() && c.matrix.groups > 1;
      expect_near_oracle(c, shape, rounded, y, "bf16, " + describe(encoding, shape), is_rounded ? 0x1p-9 : 0);
      if (HasFatalFailure()) return;
    }
  }
}

// Nothing is rounded a second time: the bound is that of f32 sums of the values that the format defines.
TEST_P(MatrixKernels, BlocksOfFilesAgreeWithTheOracle) {
  Pool pool(2);
  Multiplier multiplier(kernels(), pool);
  for (const BlockLayout& layout : block_layouts()) {
    for (Shape shape : kBlockShapes) {
      shape.k *= layout.values;
      Case c;
      const WeightEncoding encoding{.block = layout.type};
      make_case(encoding, shape, c);
      EXPECT_EQ(packed_bytes(c.matrix), encoding.bytes((shape.n + 31) / 32 * 32, shape.k)) << "a packed matrix is as large as the file's";
      for (const Arithmetic arithmetic : {Arithmetic::f32, Arithmetic::half, Arithmetic::int8}) {  // activations stay wide whatever the recipe says
        std::vector<float> y(static_cast<size_t>(shape.rows * shape.n), NAN);
        multiplier.multiply(c.matrix, c.x.data(), shape.k, shape.rows, arithmetic, y.data(), shape.n);
        expect_near_oracle(c, shape, c.x, y, describe(encoding, shape));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(MatrixKernels, ByteActivationsAgreeWithTheirDefinition) {
  Pool pool(2);
  Multiplier multiplier(kernels(), pool);
  for (const WeightEncoding& encoding : kEncodings) {
    if (!encoding.is_integer()) continue;
    for (const Shape& shape : kShapes) {
      Case c;
      make_case(encoding, shape, c);
      std::vector<float> rounded = c.x;
      for (int64_t m = 0; m < shape.rows; ++m) {
        for (int64_t k = 0; k < shape.k; k += phiscope::kActivationGroup) {
          const auto count = static_cast<size_t>(std::min(phiscope::kActivationGroup, shape.k - k));
          int8_t codes[phiscope::kActivationGroup];
          float* group = rounded.data() + m * shape.k + k;
          const float scale = quantize_activation_group({group, count}, codes);
          for (size_t i = 0; i < count; ++i) group[i] = scale * static_cast<float>(codes[i]);
        }
      }
      std::vector<float> y(static_cast<size_t>(shape.rows * shape.n), NAN);
      multiplier.multiply(c.matrix, c.x.data(), shape.k, shape.rows, Arithmetic::int8, y.data(), shape.n);
      expect_near_oracle(c, shape, rounded, y, "8-bit activations, " + describe(encoding, shape));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(MatrixKernels, ExtremeCodesDoNotSaturate) {
  Pool pool(1);
  Multiplier multiplier(kernels(), pool);
  constexpr int64_t kColumns = 256;
  for (const int bits : {4, 8}) {
    for (const std::byte code : {std::byte{0}, std::byte{0xff}}) {
      EncodedMatrix encoded{.encoding = integer(bits, 0, OffsetClass::zero_point, DType::f32), .rows = 32, .columns = kColumns, .codes = {}, .scales = {}, .zero_points = {}};
      encoded.codes.assign(static_cast<size_t>(32 * kColumns * bits / 8), code);
      const float one = 1;
      for (int i = 0; i < 32; ++i) {
        encoded.scales.insert(encoded.scales.end(), reinterpret_cast<const std::byte*>(&one), reinterpret_cast<const std::byte*>(&one) + 4);
        encoded.zero_points.push_back(code == std::byte{0} ? 3 : 0);
      }
      auto shape = *packed_shape(encoded.encoding, 32, kColumns);
      AlignedBuffer packed(packed_bytes(shape));
      shape.data = packed.data();
      pack_blocks(encoded.view(), shape, 0, 1, packed.data());
      // Every activation is the largest of its group: code 127 or -127.
      std::vector<float> x(kColumns * 6, 127.0f);
      for (size_t i = kColumns; i < 2 * kColumns; ++i) x[i] = -127.0f;
      for (const int64_t rows : {1, 6}) {
        std::vector<float> y(static_cast<size_t>(rows * 32));
        multiplier.multiply(shape, x.data(), kColumns, rows, Arithmetic::int8, y.data(), 32);
        const float value = code == std::byte{0} ? -3.0f : bits == 4 ? 15.0f : 255.0f;
        for (int64_t m = 0; m < rows; ++m) {
          const float expected = value * (m == 1 ? -127.0f : 127.0f) * kColumns;
          for (int64_t n = 0; n < 32; ++n) EXPECT_EQ(y[static_cast<size_t>(m * 32 + n)], expected) << bits << " bits, row " << m;
        }
      }
    }
  }
}

// FP32 against itself must have a divergence of exactly 0, also when the reference's head is stored in 16 bits.
TEST_P(MatrixKernels, FloatsOfEqualValueGiveEqualBits) {
  Pool pool(1);
  Multiplier multiplier(kernels(), pool);
  for (const int64_t rows : {1, 9}) {
    const Shape shape{rows, 64, 390};
    std::vector<std::vector<float>> results;
    for (const DType type : {DType::bf16, DType::f16, DType::f32}) {
      Case c;
      make_case(floating(DType::bf16), shape, c);
      EncodedMatrix other{.encoding = floating(type), .rows = shape.n, .columns = shape.k, .codes = {}, .scales = {}, .zero_points = {}};
      for (const auto& row : c.w) {
        for (float value : row) {
          value = static_cast<float>(static_cast<int>(value * 1024)) / 1024;  // exact in all three
          const uint32_t bits = type == DType::f32 ? std::bit_cast<uint32_t>(value) : type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
          for (size_t i = 0; i < dtype_bytes(type); ++i) other.codes.push_back(static_cast<std::byte>(bits >> (8 * i)));
        }
      }
      PackedMatrix matrix = *packed_shape(other.encoding, shape.n, shape.k);
      AlignedBuffer packed(packed_bytes(matrix));
      matrix.data = packed.data();
      pack_blocks(other.view(), matrix, 0, matrix.blocks, packed.data());
      std::vector<float> y(static_cast<size_t>(rows * shape.n));
      multiplier.multiply(matrix, c.x.data(), shape.k, rows, Arithmetic::f32, y.data(), shape.n);
      results.push_back(y);
    }
    EXPECT_EQ(results[0], results[2]);
    EXPECT_EQ(results[1], results[2]);
  }
}

TEST_P(MatrixKernels, QuantizedRowsAreThoseOfTheDefinition) {
  std::vector<float> x = random_floats(300, 3, 2.0f);
  x[5] = 0.5f * x[6];
  std::fill(x.begin() + 128, x.begin() + 256, 0.0f);
  for (const float special : {0.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    if (special != 0) x[270] = special;
    std::vector<int8_t> codes(300), expected(300);
    std::vector<float> scales(3);
    kernels().quantize_row(x.data(), 300, codes.data(), scales.data());
    for (size_t g = 0; g < 3; ++g) {
      const size_t count = std::min<size_t>(128, 300 - 128 * g);
      const float scale = quantize_activation_group({x.data() + 128 * g, count}, expected.data() + 128 * g);
      EXPECT_TRUE(scale == scales[g] || (std::isnan(scale) && std::isnan(scales[g]))) << g;
    }
    EXPECT_EQ(codes, expected);
  }
}

PHISCOPE_EVERY_TABLE(MatrixKernels);

TEST(PackedWeights, RowsReadBackAreTheDequantizedRows) {
  for (const WeightEncoding& encoding : kEncodings) {
    for (const Shape& shape : {Shape{1, 70, 384}, Shape{1, 33, 90}}) {
      Case c;
      make_case(encoding, shape, c);
      std::vector<float> row(static_cast<size_t>(shape.k));
      for (int64_t n = 0; n < shape.n; ++n) {
        read_packed_row(c.matrix, n, row.data());
        EXPECT_EQ(row, c.w[static_cast<size_t>(n)]) << describe(encoding, shape) << " row " << n;
      }
    }
  }
}

TEST(PackedWeights, RefusesEncodingsWithoutKernels) {
  EXPECT_FALSE(packed_shape(floating(DType::f64), 4, 4).has_value());
  EXPECT_FALSE(packed_shape(integer(5, 32), 4, 4).has_value());
}

TEST(KernelRows, ForcedSetsThatCannotRunAreErrorsThatNameWhatCan) {
  const auto unknown = pick_kernels("avx1024", 0);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("portable"), std::string::npos);
  const auto missing = pick_kernels("avx2", 0);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::unsupported);
  EXPECT_NE(missing.error().message.find("portable"), std::string::npos);
  const auto forced = pick_kernels("portable", ~0u);
  ASSERT_TRUE(forced.has_value());
  EXPECT_STREQ((*forced)->name, "portable");
}

}  // namespace
}  // namespace phiscope::cpu
