// Lengths at which a quadratic step would take hours.

#include <time.h>

#include <algorithm>

#include "core/base/files.h"
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

// CPU time of this thread: other programs on the same cores do not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double quickest(const Tokenizer& tokenizer, std::string_view text) {
  double best = 1e9;
  for (int repeat = 0; repeat < 2; ++repeat) {
    const double begin = cpu_seconds();
    EXPECT_FALSE(tokenizer.encode(text, Specials::as_text).empty());
    best = std::min(best, cpu_seconds() - begin);
  }
  return best;
}

// Four times the text costs four times as much, and a logarithm; a quadratic step would cost sixteen times as much.
TEST(LongText, CostGrowsWithTheLength) {
  constexpr size_t kLong = 160'000;
  PHISCOPE_FIXTURE(corpus, "corpora/wikitext-2-test.txt");
  const std::string book = *read_file(corpus);
  std::string dense;
  for (const char letter : book)
    if (letter != ' ' && letter != '\n') dense += letter;
  std::string letters(kLong, 'a'), spaces(kLong, ' '), alternating;
  while (alternating.size() < kLong) alternating += "a1";
  for (const char* name : {"phi-2", "phi-3-mini", "phi-3-small", "phi-4", "phi-4-mini"}) {
    PHISCOPE_FIXTURE(folder, std::string("tokenizers/") + name);
    const auto tokenizer = *Tokenizer::load(folder);
    for (const auto& [what, text] : {std::pair<const char*, const std::string*>{"text", &book}, {"text without spaces", &dense}, {"one letter", &letters},
                                     {"spaces", &spaces}, {"letters and digits", &alternating}}) {
      const double small = quickest(*tokenizer, std::string_view(*text).substr(0, kLong / 4));
      const double large = quickest(*tokenizer, std::string_view(*text).substr(0, kLong));
      EXPECT_LT(large, 10 * small + 0.01) << name << ", " << what << ": " << small << " s for 40 kB, " << large << " s for 160 kB";
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
