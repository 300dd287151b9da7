#include "core/quant/blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/files.h"
#include "core/quant/weight.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

// The few lines of safetensors that a golden file needs; core/format is not for core/quant.
struct Golden {
  std::string bytes;
  nlohmann::json header;
  size_t data = 0;

  static Golden open() {
    Golden golden;
    golden.bytes = *read_file(test::source_path("tests/golden/quant/blocks.safetensors"));
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

TEST(BlockLayout, NamesAreThoseOfFiles) {
  EXPECT_EQ(block_type_from_name("Q6_K"), BlockType::q6_k);
  EXPECT_EQ(block_type_from_name("IQ4_XS"), BlockType::iq4_xs);
  EXPECT_EQ(block_type_from_name("Q4_K_M"), BlockType::none) << "a mixture is no type";
  EXPECT_EQ(block_layout(BlockType::q3_k).bytes, 110);
}

}  // namespace
}  // namespace phiscope
