#include "core/quant/blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/files.h"
#include "core/quant/quantize.h"
#include "core/quant/weight.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

// The few lines of safetensors that a golden file needs; core/format is not for core/quant.
struct Golden {
  std::string bytes;
  nlohmann::json header;
  size_t data = 0;

  static Golden open(const std::string& file = "blocks.safetensors") {
    Golden golden;
    golden.bytes = *read_file(test::source_path("tests/golden/quant/" + file));
    uint64_t length = 0;
    std::memcpy(&length, golden.bytes.data(), 8);
    golden.header = nlohmann::json::parse(golden.bytes.substr(8, length));
    golden.data = 8 + length;
    return golden;
  }
  template <class T>
  std::vector<T> values(const std::string& name) const {
    const auto begin = header.at(name).at("data_offsets")[0].get<size_t>(), end = header.at(name).at("data_offsets")[1].get<size_t>();
    std::vector<T> values((end - begin) / sizeof(T));
    std::memcpy(values.data(), bytes.data() + data + begin, end - begin);
    return values;
  }
};

TEST(Blocks, ValuesEqualTheGgufPackageBitForBit) {
  const Golden golden = Golden::open();
  for (const BlockLayout& layout : block_layouts()) {
    const std::string name(layout.name);
    const auto blocks = golden.values<std::byte>(name + ".blocks");
    const auto expected = golden.values<float>(name + ".values");
    constexpr int64_t kColumns = 512;
    const uint64_t row_bytes = block_row_bytes(layout.type, kColumns);
    ASSERT_EQ(blocks.size(), 2 * row_bytes) << name;
    std::vector<float> row(kColumns);
    for (size_t r = 0; r < 2; ++r) {
      dequantize_blocks(layout.type, blocks.data() + r * row_bytes, kColumns, row.data());
      EXPECT_EQ(std::memcmp(row.data(), expected.data() + r * kColumns, kColumns * sizeof(float)), 0) << name << " row " << r;
    }
  }
}

TEST(Blocks, AreAWeightEncodingWithRowsOfTheFilesOwnBytes) {
  const Golden golden = Golden::open();
  const auto blocks = golden.values<std::byte>("Q4_K.blocks");
  const auto expected = golden.values<float>("Q4_K.values");
  const WeightView weight{.encoding = {.block = BlockType::q4_k}, .rows = 2, .columns = 512, .codes = blocks.data()};
  EXPECT_EQ(weight.encoding.name(), "Q4_K");
  EXPECT_FALSE(weight.encoding.is_integer());
  EXPECT_FALSE(weight.encoding.is_floating());
  EXPECT_EQ(weight.encoding.groups(512), 0);
  EXPECT_EQ(weight.encoding.bytes(2, 512), 2u * 2 * 144) << "4.5 bits per weight";
  std::vector<float> row(512);
  dequantize_row(weight, 1, row.data());
  EXPECT_EQ(row, std::vector<float>(expected.begin() + 512, expected.end()));
}

constexpr int64_t kRows = 4, kColumns = 512;
const std::vector<std::string> kSources{"normal", "bf16", "f16", "outliers", "edge", "grid", "laplace"};

TEST(EncodedBlocks, EqualTheGgufPackageByteForByte) {
  const Golden golden = Golden::open("encoded.safetensors");
  for (const std::string& source : kSources) {
    const auto rows = golden.values<float>(source + ".source");
    for (const BlockType type : {BlockType::q4_0, BlockType::q4_1, BlockType::q5_0, BlockType::q5_1, BlockType::q8_0}) {
      const auto expected = golden.values<std::byte>(fmt::format("{}.{}.blocks", source, block_layout(type).name));
      const uint64_t row_bytes = block_row_bytes(type, kColumns);
      ASSERT_EQ(expected.size(), kRows * row_bytes);
      std::vector<std::byte> blocks(row_bytes);
      for (int64_t row = 0; row < kRows; ++row) {
        ASSERT_EQ(encode_blocks(type, rows.data() + row * kColumns, kColumns, blocks.data()), -1);
        EXPECT_EQ(std::memcmp(blocks.data(), expected.data() + static_cast<uint64_t>(row) * row_bytes, row_bytes), 0)
            << source << " as " << block_layout(type).name << ", row " << row;
      }
    }
  }
}

TEST(EncodedBlocks, KQuantsLoseNoMoreThanLlamaCppsOwn) {
  const Golden golden = Golden::open("encoded.safetensors");
  for (const std::string& source : kSources) {
    const auto rows = golden.values<float>(source + ".source");
    for (const BlockType type : {BlockType::q4_k, BlockType::q5_k, BlockType::q6_k}) {
      const double theirs = golden.values<double>(fmt::format("{}.{}.mse", source, block_layout(type).name))[0];
      const TensorView view{DType::f32, {kRows, kColumns}, reinterpret_cast<const std::byte*>(rows.data())};
      QuantError error;
      ASSERT_TRUE(quantize_matrix(view, {.block = type}, QuantMethod::rtn, 2, &error).has_value());
      EXPECT_LE(error.mse, theirs) << source << " as " << block_layout(type).name;
      EXPECT_GT(error.mse, 0.5 * theirs) << "far better than possible: is the error computed?";
    }
  }
}

TEST(EncodedBlocks, ZerosStayZerosAndTinyValuesVanish) {
  for (const BlockLayout& layout : block_layouts()) {
    if (!can_encode(layout.type)) continue;
    std::vector<float> row(256, 0.0f), stored(256);
    std::vector<std::byte> blocks(block_row_bytes(layout.type, 256));
    ASSERT_EQ(encode_blocks(layout.type, row.data(), 256, blocks.data()), -1);
    dequantize_blocks(layout.type, blocks.data(), 256, stored.data());
    EXPECT_EQ(stored, row) << layout.name;
    for (size_t i = 0; i < row.size(); ++i) row[i] = i % 2 == 0 ? 1e-41f : -1e-42f;  // subnormal: the inverse of the scale is infinite
    ASSERT_EQ(encode_blocks(layout.type, row.data(), 256, blocks.data()), -1);
    dequantize_blocks(layout.type, blocks.data(), 256, stored.data());
    EXPECT_EQ(stored, std::vector<float>(256, 0.0f)) << layout.name;
  }
}

TEST(EncodedBlocks, AScaleBeyondHalfPrecisionIsRefusedByBlock) {
  for (const BlockLayout& layout : block_layouts()) {
    if (!can_encode(layout.type)) continue;
    std::vector<float> row(512, 0.5f);
    row[300] = -3e38f;
    row[301] = 3e38f;
    std::vector<std::byte> blocks(block_row_bytes(layout.type, 512));
    EXPECT_EQ(encode_blocks(layout.type, row.data(), 512, blocks.data()), 300 / layout.values) << layout.name;
  }
}

TEST(EncodedBlocks, ArriveThroughTheQuantizerWithAnyNumberOfThreads) {
  const Golden golden = Golden::open("encoded.safetensors");
  const auto rows = golden.values<float>("normal.source");
  const TensorView view{DType::f32, {kRows, kColumns}, reinterpret_cast<const std::byte*>(rows.data())};
  const auto one = quantize_matrix(view, {.block = BlockType::q4_k}, QuantMethod::mse, 1);
  const auto three = quantize_matrix(view, {.block = BlockType::q4_k}, QuantMethod::mse, 3);
  EXPECT_EQ(one->codes, three->codes);
  EXPECT_TRUE(one->scales.empty());
  const auto refused = quantize_matrix(view, {.block = BlockType::q2_k}, QuantMethod::mse, 1);
  EXPECT_EQ(refused.error().message, "Q2_K blocks are read, not written");
  const TensorView narrow{DType::f32, {2, 80}, view.data};
  EXPECT_EQ(quantize_matrix(narrow, {.block = BlockType::q8_0}, QuantMethod::mse, 1).error().message,
            "rows of 80 values are no whole number of Q8_0 blocks of 32");
}

TEST(BlockLayout, NamesAreThoseOfFiles) {
  EXPECT_EQ(block_type_from_name("Q6_K"), BlockType::q6_k);
  EXPECT_EQ(block_type_from_name("IQ4_XS"), BlockType::iq4_xs);
  EXPECT_EQ(block_type_from_name("Q4_K_M"), BlockType::none) << "a mixture is no type";
  EXPECT_EQ(block_layout(BlockType::q3_k).bytes, 110);
}

}  // namespace
}  // namespace phiscope
