#include "core/format/tensor_file.h"
#include "tests/core/format/raw_file.h"

namespace phiscope {
namespace {

std::string hash_of(const std::filesystem::path& path, const std::string& header, const std::string& data) {
  test::write_raw(path, test::raw_safetensors(header, data));
  const auto files = TensorFiles::open_file(path);
  EXPECT_TRUE(files.has_value()) << files.error().message;
  return (*files)->content_hash();
}

TEST(ContentHash, DependsOnNamesTypesShapesAndBytesButNotOnTheFile) {
  const test::TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  const std::string hash = hash_of(folder / "x.safetensors", header, "abcd");
  EXPECT_EQ(hash.size(), 32u);
  EXPECT_EQ(hash_of(folder / "y.safetensors", header + "   ", "abcd"), hash);
  EXPECT_NE(hash_of(folder / "x.safetensors", header, "abce"), hash);
  EXPECT_NE(hash_of(folder / "x.safetensors", R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abcd"), hash);
  EXPECT_NE(hash_of(folder / "x.safetensors", R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})", "abcd"), hash);
  EXPECT_NE(hash_of(folder / "x.safetensors", R"({"a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]}})", "abcd"), hash);
}

}  // namespace
}  // namespace phiscope
