#include <gmock/gmock.h>

#include "core/format/tensor_file.h"
#include "tests/core/format/raw_file.h"

namespace phiscope {
namespace {

using test::raw_safetensors;
using test::write_raw;
using testing::HasSubstr;

std::string one_tensor(const std::string& name) {
  return raw_safetensors("{\"" + name + R"(":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abcd");
}

class TensorFolder : public testing::Test {
 protected:
  void expect_refused(ErrorCode code, const std::vector<std::string>& parts) {
    const auto files = TensorFiles::open_folder(folder_.path());
    ASSERT_FALSE(files.has_value());
    EXPECT_EQ(files.error().code, code) << files.error().message;
    for (const std::string& part : parts) EXPECT_THAT(files.error().message, HasSubstr(part));
  }
  void write_index(const std::string& weight_map) { write_raw(folder_ / "model.safetensors.index.json", R"({"weight_map":)" + weight_map + "}"); }
  test::TemporaryFolder folder_;
};

TEST_F(TensorFolder, OpensOneFileOrItsShards) {
  write_raw(folder_ / "model-1.safetensors", one_tensor("a"));
  write_raw(folder_ / "model-2.safetensors", one_tensor("b"));
  write_index(R"({"a":"model-1.safetensors","b":"model-2.safetensors"})");
  const auto sharded = TensorFiles::open_folder(folder_.path());
  ASSERT_TRUE(sharded.has_value()) << sharded.error().message;
  EXPECT_EQ((*sharded)->files().size(), 2u);
  EXPECT_EQ((*sharded)->find("b")->file, 1);
  write_raw(folder_ / "model.safetensors", one_tensor("single"));
  const auto single = TensorFiles::open_folder(folder_.path());
  ASSERT_TRUE(single.has_value()) << single.error().message;
  EXPECT_NE((*single)->find("single"), nullptr);
}

TEST_F(TensorFolder, AMissingShardIsNamed) {
  write_raw(folder_ / "model-1.safetensors", one_tensor("a"));
  write_index(R"({"a":"model-1.safetensors","b":"model-2.safetensors"})");
  expect_refused(ErrorCode::not_found, {"model-2.safetensors", "missing"});
}

TEST_F(TensorFolder, ANameInTwoShardsIsRefused) {
  write_raw(folder_ / "model-1.safetensors", one_tensor("a"));
  write_raw(folder_ / "model-2.safetensors", one_tensor("a"));
  write_index(R"({"a":"model-1.safetensors","b":"model-2.safetensors"})");
  expect_refused(ErrorCode::invalid_file, {"tensor 'a' is also in model-1.safetensors"});
}

TEST_F(TensorFolder, ATensorThatIsNotWhereTheIndexSaysIsNamed) {
  write_raw(folder_ / "model-1.safetensors", one_tensor("a"));
  write_index(R"({"a":"model-1.safetensors","b":"model-1.safetensors"})");
  expect_refused(ErrorCode::invalid_file, {"'b'", "model-1.safetensors"});
}

TEST_F(TensorFolder, AnIndexMustNotReachOutsideItsFolder) {
  for (const char* file : {"\"../x.safetensors\"", "\"/etc/x.safetensors\"", "\"..\"", "\"\"", "\"a\\\\b.safetensors\"", "\"passwd\"", "7"}) {
    write_index(std::string(R"({"a":)") + file + "}");
    expect_refused(ErrorCode::invalid_file, {"plain", "'a'"});
  }
  write_index("[]");
  expect_refused(ErrorCode::invalid_file, {"weight_map"});
}

TEST_F(TensorFolder, OtherContainersAreRefusedByNameWithTheCommandThatConverts) {
  for (const char* name : {"pytorch_model.bin", "model.pt", "tf_model.h5", "model.tflite", "model.onnx"}) {
    const test::TemporaryFolder other;
    write_raw(other / name, "x");
    const auto files = TensorFiles::open_folder(other.path());
    ASSERT_FALSE(files.has_value());
    EXPECT_EQ(files.error().code, ErrorCode::unsupported);
    EXPECT_THAT(files.error().message, HasSubstr(std::string("'") + name + "'"));
    EXPECT_THAT(files.error().message, HasSubstr("python3 -c"));
    EXPECT_THAT(files.error().message, HasSubstr(other.path().string() + "-safetensors"));
  }
}

TEST_F(TensorFolder, AnEmptyOrAbsentFolderSaysWhatShouldBeThere) {
  expect_refused(ErrorCode::not_found, {"model.safetensors", folder_.path().string()});
  const auto files = TensorFiles::open_folder(folder_ / "nowhere");
  ASSERT_FALSE(files.has_value());
  EXPECT_EQ(files.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace phiscope
