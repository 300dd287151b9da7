#include <gmock/gmock.h>

#include "core/format/tensor_file.h"
#include "tests/core/format/raw_file.h"

namespace phiscope {
namespace {

using test::raw_safetensors;
using testing::HasSubstr;

class Safetensors : public testing::Test {
 protected:
  Result<std::shared_ptr<const TensorFiles>> open(const std::string& bytes) {
    const auto path = folder_ / "model.safetensors";
    test::write_raw(path, bytes);
    return TensorFiles::open_file(path);
  }
  void expect_refused(const std::string& bytes, const std::string& part) {
    const auto files = open(bytes);
    ASSERT_FALSE(files.has_value()) << part;
    EXPECT_EQ(files.error().code, ErrorCode::invalid_file);
    EXPECT_THAT(files.error().message, HasSubstr("model.safetensors"));
    EXPECT_THAT(files.error().message, HasSubstr(part));
  }
  test::TemporaryFolder folder_;
};

TEST_F(Safetensors, ReadsNamesTypesShapesAndBytesInFileOrder) {
  const auto files = open(raw_safetensors(R"({"b":{"dtype":"F16","shape":[2],"data_offsets":[4,8],"extra":1},"__metadata__":{"format":"pt"},)"
                                          R"("a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]},"scalar":{"dtype":"F32","shape":[],"data_offsets":[8,12]},)"
                                          R"("empty":{"dtype":"F32","shape":[0,7],"data_offsets":[12,12]}}  )",
                                          "abcdefghijkl"));
  ASSERT_TRUE(files.has_value()) << files.error().message;
  ASSERT_EQ((*files)->tensors().size(), 4u);
  EXPECT_EQ((*files)->tensors()[0].name, "a");
  EXPECT_EQ((*files)->tensors()[1].name, "b");
  const TensorEntry* b = (*files)->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->view.dtype, DType::f16);
  EXPECT_EQ(b->view.shape, (std::vector<int64_t>{2}));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(b->view.data), 4), "efgh");
  EXPECT_EQ((*files)->find("c"), nullptr);
  EXPECT_EQ((*files)->metadata().at("format"), "pt");
}

TEST_F(Safetensors, RefusesWhatTheReferenceParserRefuses) {
  const std::string one = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  struct Row {
    std::string bytes, part;
  };
  const Row rows[] = {
      {"", ""},
      {"1234567", "7 bytes"},
      {std::string("\0\0\0\0\0\0\0\x80", 8), "9223372036854775808"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8), "18446744073709551615"},
      {std::string("\x01\xe1\xf5\x05\0\0\0\0", 8), "100000001"},
      {raw_safetensors(one, "abcd").substr(0, 20), "complete"},
      {raw_safetensors(one, "abc"), "ends at byte 4"},
      {raw_safetensors(one, "abcde"), "cover 4 bytes of data, the file has 5"},
      {raw_safetensors(one + std::string(1, '\0'), "abcd"), "NUL"},
      {raw_safetensors(R"({"a":)", ""), "JSON"},
      {raw_safetensors("[1]", ""), "object"},
      {raw_safetensors("", ""), "JSON"},
      {raw_safetensors("{\"a\xff\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "abcd"), "JSON"},
      {raw_safetensors(R"({"a":7})", ""), "'a'"},
      {raw_safetensors(R"({"a":{"shape":[4],"data_offsets":[0,4]}})", "abcd"), "dtype"},
      {raw_safetensors(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,4]}})", "abcd"), "F4"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})", "abcd"), "-4"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}})", "abcd"), "4.0"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}})", "abcd"), "shape"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}})", "abcd"), "takes 3 bytes"},
      {raw_safetensors(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", "abcd"), "64 bits"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,4]}})", "abcd"), "18446744073709551615"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", "abcd"), "begins at byte 4"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0]}})", "abcd"), "data_offsets"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,-4]}})", "abcd"), "data_offsets"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", "abcd"), "gap"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})", "abcd"), "gap"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})", "abcd"), "overlap"},
      {raw_safetensors(R"({"__metadata__":{"n":1},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abcd"), "'n'"},
      {raw_safetensors(R"({"__metadata__":"x","a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abcd"), "__metadata__"},
      {raw_safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abcd"), "twice"},
      {raw_safetensors(R"({"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}})", "abcd"), "'dtype' appears twice"},
  };
  for (const Row& row : rows) expect_refused(row.bytes, row.part);
}

TEST_F(Safetensors, DeepNestingIsRefusedOrReadWithoutHarm) {
  std::string header = R"({"a":)" + std::string(200000, '[') + std::string(200000, ']') + "}";
  EXPECT_FALSE(open(raw_safetensors(header, "")).has_value());
}

TEST_F(Safetensors, WhatIsWrittenIsReadBack) {
  const auto path = folder_ / "written.safetensors";
  auto writer = SafetensorsWriter::create(path, {{"codes", DType::u8, {3}}, {"scales", DType::f16, {2, 1}}}, {{"made by", "a \"test\""}});
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  const std::string data = "abcWXYZ";
  ASSERT_TRUE((*writer)->write(std::as_bytes(std::span(data).first(5))).has_value());
  EXPECT_FALSE((*writer)->commit().has_value()) << "bytes are missing";
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE((*writer)->write(std::as_bytes(std::span(data))).has_value()) << "more than declared";
  ASSERT_TRUE((*writer)->write(std::as_bytes(std::span(data).subspan(5))).has_value());
  ASSERT_TRUE((*writer)->commit().has_value());

  const auto files = TensorFiles::open_file(path);
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_EQ((*files)->metadata().at("made by"), "a \"test\"");
  const TensorEntry* scales = (*files)->find("scales");
  ASSERT_NE(scales, nullptr);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(scales->view.data), 4), "WXYZ");
  EXPECT_EQ((scales->offset - 3) % 8, 0u) << "the data begin at a multiple of 8";
}

TEST_F(Safetensors, AWriterRefusesTwoTensorsOfOneName) {
  EXPECT_FALSE(SafetensorsWriter::create(folder_ / "x.safetensors", {{"a", DType::u8, {1}}, {"a", DType::u8, {1}}}).has_value());
}

}  // namespace
}  // namespace phiscope
