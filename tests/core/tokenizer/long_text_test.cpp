// Lengths at which a quadratic step would take hours.

#include <algorithm>

#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

constexpr size_t kMegabyte = 1'000'000;

TEST(LongText, EncodesAWordOfAMegabyte) {
  const auto tokenizer = *test::load_text(test::small_tokenizer().dump());
  std::string text;
  while (text.size() < kMegabyte) text += "abcab";
  const std::vector<int32_t> ids = tokenizer->encode(text);
  ASSERT_EQ(ids.size(), text.size() / 5 * 2);
  for (size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(ids[i], i % 2 == 0 ? 257 : 256);
  EXPECT_EQ(tokenizer->decode(ids), text);
}

TEST(LongText, GivesALongWordTheIdsOfItsShortForm) {
  // Around 48 symbols the algorithm changes from scanning to a heap.
  const auto tokenizer = *test::load_text(test::small_tokenizer().dump());
  for (size_t length = 40; length < 60; ++length) {
    const std::vector<int32_t> ids = tokenizer->encode(std::string(length, 'b') + "abcab");
    ASSERT_EQ(ids.size(), length + 2);
    EXPECT_EQ(ids[length], 257);
    EXPECT_EQ(ids[length + 1], 256);
  }
}

TEST(LongText, EncodesMegabytesWithoutSpacesInEveryFamily) {
  for (const char* name : {"phi-3-mini", "phi-4-mini"}) {
    PHISCOPE_FIXTURE(folder, std::string("tokenizers/") + name);
    const auto tokenizer = *Tokenizer::load(folder);
    for (const std::string& unit : {std::string("a"), std::string(" "), std::string("\xe4\xb8\xad"), std::string("\xf0\x9f\x91\x8d")}) {
      std::string text;
      while (text.size() < kMegabyte / 4) text += unit;
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << name;
    }
  }
}

TEST(LongText, RepeatsOfAWordHaveTheIdsOfTheFirst) {
  const auto tokenizer = *test::load_text(test::small_tokenizer().dump());
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += " ab" + std::to_string(i % 7919);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  const std::vector<int32_t> once = tokenizer->encode(" ab");
  const std::vector<int32_t> many = tokenizer->encode(text);
  EXPECT_TRUE(std::equal(once.begin(), once.end(), many.begin()));
}

}  // namespace
}  // namespace phiscope
