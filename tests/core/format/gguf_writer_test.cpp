#include "core/format/gguf_writer.h"

#include <gtest/gtest.h>

#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

TEST(GgufWriter, WhatItWritesIsReadBack) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "model.gguf";
  GgufMetadata metadata;
  metadata.add_text("general.architecture", "phi3");
  metadata.add_u32("phi3.block_count", 2);
  metadata.add_f32("phi3.rope.freq_base", 1e4f);
  metadata.add_bool("tokenizer.ggml.add_bos_token", true);
  metadata.add_texts("tokenizer.ggml.tokens", std::vector<std::string>{"a", "", "\xe2\x96\x81"});
  metadata.add_f32s("tokenizer.ggml.scores", std::vector<float>{-1, 0, 2.5f});
  metadata.add_i32s("tokenizer.ggml.token_type", std::vector<int32_t>{1, 3, 6});
  const std::vector<GgufTensor> tensors{{"norm", {3}, DType::f32, BlockType::none},
                                        {"experts", {2, 3, 32}, DType::u8, BlockType::q4_0},
                                        {"half", {2, 5}, DType::f16, BlockType::none}};
  auto writer = GgufWriter::create(path, metadata, tensors);
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  std::vector<std::byte> bytes(tensors[1].bytes(), std::byte{7});
  EXPECT_EQ(bytes.size(), 2u * 3 * 18);
  const std::vector<float> norm{1, 2, 3};
  ASSERT_TRUE((*writer)->write(std::as_bytes(std::span(norm))).has_value());
  ASSERT_TRUE((*writer)->write(std::span(bytes).first(50)).has_value()) << "in pieces";
  ASSERT_TRUE((*writer)->write(std::span(bytes).subspan(50)).has_value());
  EXPECT_EQ((*writer)->commit().error().code, ErrorCode::internal) << "the last tensor is missing";
  EXPECT_FALSE(std::filesystem::exists(path)) << "complete or absent";
  EXPECT_FALSE((*writer)->write(bytes).has_value()) << "more than a tensor";
  ASSERT_TRUE((*writer)->write(std::span(bytes).first(20)).has_value());
  ASSERT_TRUE((*writer)->commit().has_value());

  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(*(*file)->text("general.architecture"), "phi3");
  EXPECT_EQ(*(*file)->integer("phi3.block_count", 0, 9), 2);
  EXPECT_EQ(*(*file)->number("phi3.rope.freq_base"), 1e4);
  EXPECT_EQ(*(*file)->boolean("tokenizer.ggml.add_bos_token"), true);
  EXPECT_EQ((*(*file)->texts("tokenizer.ggml.tokens", 9)).at(2), "\xe2\x96\x81");
  EXPECT_EQ(*(*file)->floats("tokenizer.ggml.scores", 9), (std::vector<float>{-1, 0, 2.5f}));
  EXPECT_EQ(*(*file)->integers("tokenizer.ggml.token_type", 9), (std::vector<int64_t>{1, 3, 6}));
  const TensorEntry* experts = (*file)->tensors()->find("experts");
  ASSERT_NE(experts, nullptr);
  EXPECT_EQ(experts->view.shape, (std::vector<int64_t>{2, 3, 32}));
  EXPECT_EQ(experts->view.block, BlockType::q4_0);
  EXPECT_EQ(experts->view.data[107], std::byte{7});
  EXPECT_EQ((*file)->tensors()->find("half")->view.dtype, DType::f16);
}

TEST(GgufWriter, RefusesWhatReadersWouldRefuse) {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "model.gguf";
  const auto message = [&](const GgufMetadata& metadata, std::vector<GgufTensor> tensors) {
    return GgufWriter::create(path, metadata, std::move(tensors)).error().message;
  };
  GgufMetadata twice;
  twice.add_u32("a.key", 1);
  twice.add_u32("a.key", 2);
  EXPECT_NE(message(twice, {}).find("two keys 'a.key'"), std::string::npos);
  const GgufTensor narrow{"narrow", {2, 80}, DType::u8, BlockType::q8_0};
  EXPECT_NE(message({}, {narrow}).find("no whole number of Q8_0 blocks"), std::string::npos);
  const GgufTensor plain{"plain", {2}, DType::f32, BlockType::none};
  EXPECT_NE(message({}, {plain, plain}).find("two tensors 'plain'"), std::string::npos);
  EXPECT_NE(message({}, {{std::string(64, 'x'), {2}, DType::f32, BlockType::none}}).find("64 bytes"), std::string::npos);
  EXPECT_NE(message({}, {{"boolean", {2}, DType::boolean, BlockType::none}}).find("no type"), std::string::npos);
}

}  // namespace
}  // namespace phiscope
