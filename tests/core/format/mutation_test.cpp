// Damaged files: an error or a valid parse, never a crash. Run under the address sanitizer too.
#include "core/format/tensor_file.h"
#include "tests/core/format/raw_file.h"

namespace phiscope {
namespace {

std::string tiny_file() {
  return test::raw_safetensors(R"({"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
                               R"("b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}})",
                               "0123456789abcdefghij");
}

// Opens the bytes and, when they parse, reads every byte of every tensor.
bool opens(const std::filesystem::path& path, const std::string& bytes) {
  test::write_raw(path, bytes);
  const auto files = TensorFiles::open_file(path);
  if (!files) {
    EXPECT_FALSE(files.error().message.empty());
    return false;
  }
  unsigned sum = 0;
  for (const TensorEntry& tensor : (*files)->tensors())
    for (uint64_t i = 0; i < tensor.view.bytes(); ++i) sum += static_cast<unsigned>(tensor.view.data[i]);
  EXPECT_LT(sum, 20u * 256);
  return true;
}

TEST(MutatedSafetensors, TruncatedAtEveryByteIsRefused) {
  const test::TemporaryFolder folder;
  const std::string whole = tiny_file();
  EXPECT_TRUE(opens(folder / "t.safetensors", whole));
  for (size_t length = 0; length < whole.size(); ++length) EXPECT_FALSE(opens(folder / "t.safetensors", whole.substr(0, length))) << length;
}

TEST(MutatedSafetensors, EveryHeaderByteFlippedIsRefusedOrParses) {
  const test::TemporaryFolder folder;
  const std::string whole = tiny_file();
  int refused = 0;
  for (size_t at = 0; at + 20 < whole.size(); ++at)
    for (const int mask : {0x01, 0x80, 0xff, 0x20}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      refused += !opens(folder / "t.safetensors", damaged);
    }
  EXPECT_GT(refused, 400);  // a letter of a name may change without harm; structure may not
}

}  // namespace
}  // namespace phiscope
