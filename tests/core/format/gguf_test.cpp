#include "core/format/gguf.h"

#include <gmock/gmock.h>

#include "tests/core/format/gguf_bytes.h"
#include "tests/core/format/raw_file.h"

namespace phiscope {
namespace {

using test::gguf_array;
using test::gguf_pair;
using test::gguf_string;
using test::gguf_tensor;
using test::GgufBytes;
using test::raw;
using testing::HasSubstr;

class Gguf : public testing::Test {
 protected:
  Result<std::shared_ptr<const GgufFile>> open(const std::string& bytes) {
    const auto path = folder_ / "phi.gguf";
    test::write_raw(path, bytes);
    return GgufFile::open(path);
  }
  void expect_refused(const std::string& bytes, const std::string& part, ErrorCode code = ErrorCode::invalid_file) {
    const auto file = open(bytes);
    ASSERT_FALSE(file.has_value()) << part;
    EXPECT_EQ(file.error().code, code) << file.error().message;
    EXPECT_THAT(file.error().message, HasSubstr("phi.gguf"));
    EXPECT_THAT(file.error().message, HasSubstr(part));
    EXPECT_EQ(file.error().message.find('\n'), std::string::npos);
  }
  /// The small file with these pairs instead of its own, or this tensor instead of its last.
  static std::string with_pairs(std::vector<std::string> pairs) {
    GgufBytes file = test::small_gguf();
    file.pairs = std::move(pairs);
    return file.bytes();
  }
  static std::string with_last_tensor(const std::string& tensor) {
    GgufBytes file = test::small_gguf();
    file.tensors.back() = tensor;
    return file.bytes();
  }
  test::TemporaryFolder folder_;
};

TEST_F(Gguf, ReadsValuesOfEveryKind) {
  const auto file = open(test::small_gguf().bytes());
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const GgufFile& gguf = **file;
  EXPECT_EQ(gguf.version(), 3u);
  EXPECT_EQ(gguf.pairs().size(), 9u);
  EXPECT_EQ(**gguf.text("general.architecture"), "phi3");
  EXPECT_EQ(**gguf.boolean("a.bool"), true);
  EXPECT_EQ(**gguf.integer("a.u8", 0, 255), 200);
  EXPECT_EQ(**gguf.integer("a.i16", -100, 100), -7);
  EXPECT_EQ(**gguf.integer("a.u64", 0, 100), 9);
  EXPECT_EQ(**gguf.number("a.f32"), 0.5);
  EXPECT_EQ(**gguf.number("a.i16"), -7.0) << "whole numbers are numbers too";
  EXPECT_EQ(*gguf.texts("a.texts", 10), (std::vector<std::string_view>{"one", ""}));
  EXPECT_EQ(*gguf.floats("a.floats", 10), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(*gguf.integers("a.i32s", 10), (std::vector<int64_t>{1, -2, 3}));
}

TEST_F(Gguf, AbsentKeysAreNoErrorAndWrongTypesAre) {
  const auto file = open(test::small_gguf().bytes());
  ASSERT_TRUE(file.has_value());
  const GgufFile& gguf = **file;
  EXPECT_FALSE(gguf.integer("b", 0, 1)->has_value());
  EXPECT_FALSE(gguf.text("b")->has_value());
  EXPECT_TRUE(gguf.texts("b", 1)->empty());
  for (const Error& error :
       {gguf.integer("a.u8", 0, 100).error(), gguf.integer("a.f32", 0, 1).error(), gguf.number("general.architecture").error(), gguf.boolean("a.u8").error(),
        gguf.text("a.texts").error(), gguf.texts("a.floats", 9).error(), gguf.floats("a.i32s", 9).error(), gguf.integers("a.texts", 9).error()}) {
    EXPECT_EQ(error.code, ErrorCode::invalid_file);
    EXPECT_THAT(error.message, HasSubstr("phi.gguf: key '"));
    EXPECT_THAT(error.message, HasSubstr("offset"));
  }
  EXPECT_EQ(gguf.texts("a.texts", 1).error().code, ErrorCode::unsupported) << "more than the caller has room for";
}

TEST_F(Gguf, TensorsHaveShapesSlowestFirstAndPointIntoTheFile) {
  GgufBytes bytes = test::small_gguf();
  bytes.data.replace(0, 3, "abc");
  const auto file = open(bytes.bytes());
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const TensorFiles& tensors = *(*file)->tensors();
  ASSERT_EQ(tensors.tensors().size(), 3u);
  const TensorEntry* half = tensors.find("w.f16");
  ASSERT_NE(half, nullptr);
  EXPECT_EQ(half->view.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(half->view.type_name(), "f16");
  EXPECT_EQ(half->view.bytes(), 12u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(half->view.data), 3), "abc");
  const TensorEntry* blocks = tensors.find("w.q8");
  ASSERT_NE(blocks, nullptr);
  EXPECT_EQ(blocks->view.block, BlockType::q8_0);
  EXPECT_EQ(blocks->view.type_name(), "Q8_0");
  EXPECT_EQ(blocks->view.bytes(), 68u);
  EXPECT_EQ(blocks->offset - half->offset, 32u);
}

TEST_F(Gguf, Version2AndOtherAlignmentsAreRead) {
  GgufBytes bytes = test::small_gguf();
  bytes.version = 2;
  EXPECT_TRUE(open(bytes.bytes()).has_value());
  bytes.alignment = 8;
  bytes.pairs.push_back(gguf_pair("general.alignment", GgufType::u32, raw<uint32_t>(8)));
  bytes.tensors = {gguf_tensor("w.f16", {3, 2}, 1, 0), gguf_tensor("w.f32", {2}, 0, 16)};
  const auto file = open(bytes.bytes());
  ASSERT_TRUE(file.has_value()) << file.error().message;
}

TEST_F(Gguf, AVocabularyWithoutTensorsIsRead) {
  GgufBytes bytes = test::small_gguf();
  bytes.tensors.clear();
  bytes.data.clear();
  bytes.alignment = 1;
  const auto file = open(bytes.bytes());
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_TRUE((*file)->tensors()->tensors().empty());
}

TEST_F(Gguf, OtherContainersVersionsAndByteOrdersAreRefused) {
  GgufBytes bytes = test::small_gguf();
  expect_refused("", "GGUF");
  bytes.magic = "GGML";
  expect_refused(bytes.bytes(), "no GGUF file");
  bytes = test::small_gguf();
  bytes.version = 1;
  expect_refused(bytes.bytes(), "version at offset 4 is 1", ErrorCode::unsupported);
  bytes.version = 4;
  expect_refused(bytes.bytes(), "version at offset 4 is 4", ErrorCode::unsupported);
  bytes.version = 3u << 24;
  expect_refused(bytes.bytes(), "big-endian", ErrorCode::unsupported);
  expect_refused(with_pairs({gguf_pair("split.count", GgufType::u16, raw<uint16_t>(3))}), "one of 3 parts", ErrorCode::unsupported);
}

TEST_F(Gguf, CountsBeyondTheFileAreRefusedBeforeAnythingIsAllocated) {
  const std::string head = "GGUF" + raw<uint32_t>(3);
  expect_refused(head + raw<uint64_t>(UINT64_MAX) + raw<uint64_t>(0), "tensors are claimed at offset 8");
  expect_refused(head + raw<uint64_t>(0) + raw<uint64_t>(UINT64_MAX), "pairs are claimed at offset 16");
  expect_refused(head + raw<uint64_t>(2) + raw<uint64_t>(0) + std::string(60, '\1'), "2 tensors");
  expect_refused(with_pairs({gguf_array("k", GgufType::u8, UINT64_MAX, "")}), "an array of 18446744073709551615 u8");
  expect_refused(with_pairs({gguf_array("k", GgufType::string, uint64_t{1} << 40, "")}), "key 'k'");
  expect_refused(with_pairs({gguf_pair("k", GgufType::string, raw<uint64_t>(UINT64_MAX))}), "claims 18446744073709551615 bytes");
  expect_refused(with_pairs({raw<uint64_t>(uint64_t{1} << 62)}), "key 0");
}

TEST_F(Gguf, BadKeysAndValuesAreRefused) {
  const std::string good = gguf_pair("k", GgufType::u8, "a");
  expect_refused(with_pairs({good, good}), "key 'k' is there twice");
  expect_refused(with_pairs({gguf_pair("", GgufType::u8, "a")}), "offset 24 has 0 bytes");
  expect_refused(with_pairs({gguf_pair("k\xff", GgufType::u8, "a")}), "UTF-8");
  expect_refused(with_pairs({gguf_string("k") + raw<uint32_t>(13) + "a"}), "type 13");
  expect_refused(with_pairs({gguf_array("k", GgufType::array, 1, "a")}), "arrays of arrays", ErrorCode::unsupported);
  expect_refused(with_pairs({gguf_pair("k", GgufType::boolean, "\2")}), "expected 0 or 1");
  for (const uint32_t alignment : {0u, 3u, 48u})
    expect_refused(with_pairs({gguf_pair("general.alignment", GgufType::u32, raw(alignment))}), "power of two");
  expect_refused(with_pairs({gguf_pair("general.alignment", GgufType::u64, raw<uint64_t>(32))}), "expected u32");
}

TEST_F(Gguf, BadTensorsAreRefusedNamingThem) {
  struct Row {
    std::string tensor, part;
    ErrorCode code = ErrorCode::invalid_file;
  };
  const Row rows[] = {
      {gguf_tensor("", {2}, 0, 128), "has 0 bytes"},
      {gguf_tensor(std::string(64, 'n'), {2}, 0, 128), "has 64 bytes"},
      {gguf_tensor("n\xff", {2}, 0, 128), "UTF-8"},
      {gguf_tensor("w.q8", {2}, 0, 128), "tensor 'w.q8' is there twice"},
      {gguf_tensor("w", {}, 0, 128), "0 dimensions"},
      {gguf_tensor("w", {1, 1, 1, 1, 1}, 0, 128), "5 dimensions"},
      {gguf_tensor("w", {0}, 0, 128), "dimension 0 is 0"},
      {gguf_tensor("w", {uint64_t{1} << 40, uint64_t{1} << 40}, 0, 128), "dimension 1"},
      {gguf_tensor("w", {UINT64_MAX}, 0, 128), "dimension 0"},
      {gguf_tensor("w", {2}, 99, 128), "type 99 is unknown"},
      {gguf_tensor("w", {256}, 16, 128), "IQ2_XXS is not read", ErrorCode::unsupported},
      {gguf_tensor("w", {33}, 2, 128), "whole number of Q4_0 blocks of 32"},
      {gguf_tensor("w", {2}, 0, 96), "overlap"},
      {gguf_tensor("w", {2}, 0, 160), "gap"},
      {gguf_tensor("w", {9}, 0, 128), "end at data byte 164, the file has 160"},
      {gguf_tensor("w", {uint64_t{1} << 58}, 0, 128), "end at data byte"},
  };
  for (const Row& row : rows) expect_refused(with_last_tensor(row.tensor), row.part, row.code);
}

TEST_F(Gguf, TheContentHashCoversTypesAndBytes) {
  GgufBytes bytes = test::small_gguf();
  const std::string first = (*open(bytes.bytes()))->tensors()->content_hash();
  bytes.data[40] = 'y';
  EXPECT_NE((*open(bytes.bytes()))->tensors()->content_hash(), first);
  bytes = test::small_gguf();
  bytes.tensors[0] = gguf_tensor("w.f16", {3, 2}, 30, 0);
  EXPECT_NE((*open(bytes.bytes()))->tensors()->content_hash(), first);
}

// Reads all that a file holds through the typed getters.
bool opens(const std::filesystem::path& path, const std::string& bytes) {
  test::write_raw(path, bytes);
  const auto file = GgufFile::open(path);
  if (!file) {
    EXPECT_FALSE(file.error().message.empty());
    return false;
  }
  unsigned sum = 0;
  for (const GgufPair& pair : (*file)->pairs()) {
    if (const auto text = (*file)->text(pair.key); text && *text) sum += static_cast<unsigned>((*text)->size());
    if (const auto texts = (*file)->texts(pair.key, 1000)) sum += static_cast<unsigned>(texts->size());
    if (const auto values = (*file)->integers(pair.key, 1000)) sum += static_cast<unsigned>(values->size());
    if (const auto values = (*file)->floats(pair.key, 1000)) sum += static_cast<unsigned>(values->size());
  }
  for (const TensorEntry& tensor : (*file)->tensors()->tensors())
    for (uint64_t i = 0; i < tensor.view.bytes(); ++i) sum += static_cast<unsigned>(tensor.view.data[i]);
  EXPECT_LT(sum, 1u << 20);
  return true;
}

TEST(MutatedGguf, TruncatedAtEveryByteIsRefused) {
  const test::TemporaryFolder folder;
  const std::string whole = test::small_gguf().bytes();
  EXPECT_TRUE(opens(folder / "t.gguf", whole));
  const size_t used = whole.size() - 24;  // the last tensor's padding may be absent
  EXPECT_TRUE(opens(folder / "t.gguf", whole.substr(0, used)));
  for (size_t length = 0; length < used; ++length) EXPECT_FALSE(opens(folder / "t.gguf", whole.substr(0, length))) << length;
}

TEST(MutatedGguf, EveryHeaderByteFlippedIsRefusedOrParses) {
  const test::TemporaryFolder folder;
  const std::string whole = test::small_gguf().bytes();
  int refused = 0;
  for (size_t at = 0; at + 160 < whole.size(); ++at)
    for (const int mask : {0x01, 0x80, 0xff, 0x20}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      refused += !opens(folder / "t.gguf", damaged);
    }
  EXPECT_GT(refused, 700);  // a letter of a name or a value may change without harm; structure may not
}

TEST(GgufFixture, TheVocabularyOfPhi3IsRead) {
  PHISCOPE_FIXTURE(path, "tokenizers/ggml-vocab/ggml-vocab-phi-3.gguf");
  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ((*file)->pairs().size(), 26u);
  EXPECT_TRUE((*file)->tensors()->tensors().empty());
  EXPECT_EQ(**(*file)->text("general.name"), "Phi3");
  EXPECT_EQ((*file)->texts("tokenizer.ggml.tokens", 100000)->size(), 32064u);
  EXPECT_EQ((*file)->floats("tokenizer.ggml.scores", 100000)->size(), 32064u);
}

}  // namespace
}  // namespace phiscope
