// The flags of added tokens, as in the publisher's library.

#include "core/tokenizer/added_token_matcher.h"

#include <gtest/gtest.h>

namespace phiscope {
namespace {

AddedToken token(int32_t id, const std::string& content) {
  AddedToken made;
  made.id = id;
  made.content = content;
  return made;
}

std::string cut(std::vector<AddedToken> tokens, std::string_view text, Specials specials = Specials::parse) {
  std::string shown;
  for (const auto& segment : AddedTokenMatcher::create(std::move(tokens))->cut(text, specials)) {
    shown += segment.id < 0 ? "[" + std::string(segment.text) + "]" : std::to_string(segment.id);
  }
  return shown;
}

TEST(AddedToken, IsFoundLeftmostThenLongest) {
  EXPECT_EQ(cut({token(1, "ab"), token(2, "abcd"), token(3, "bcde")}, "xabcde"), "[x]2[e]");
  EXPECT_EQ(cut({token(1, "ab"), token(2, "abcd"), token(3, "bcde")}, "xabce"), "[x]1[ce]");
  EXPECT_EQ(cut({token(1, "aa")}, "aaaaa"), "11[a]");
  EXPECT_EQ(cut({token(1, "")}, "a"), "[a]");
  EXPECT_EQ(cut({token(1, "ab")}, ""), "");
}

TEST(AddedToken, TakesTheWhiteSpaceBesideIt) {
  AddedToken left = token(1, "<l>"), right = token(2, "<r>");
  left.lstrip = true;
  right.rstrip = true;
  EXPECT_EQ(cut({left, right}, "a \n<l> b"), "[a]1[ b]");
  EXPECT_EQ(cut({left, right}, "a <r>\xe3\x80\x80 \nb"), "[a ]2[b]");
  EXPECT_EQ(cut({left, right}, "<r>  <l>"), "21");
}

TEST(AddedToken, StandsAloneWhenItMustBeAWord) {
  AddedToken word = token(1, "ab");
  word.single_word = true;
  EXPECT_EQ(cut({word}, "ab ab, xab abx ab"), "1[ ]1[, xab abx ]1");
  EXPECT_EQ(cut({word}, "\xc3\xa9" "ab"), "[\xc3\xa9" "ab]");
}

TEST(AddedToken, IsTextWhenSpecialsAreText) {
  AddedToken special = token(1, "<unk>");
  special.special = true;
  EXPECT_EQ(cut({special, token(2, "  ")}, "a<unk>  b", Specials::as_text), "[a<unk>]2[b]");
  EXPECT_EQ(cut({special, token(2, "  ")}, "a<unk>  b"), "[a]12[b]");
}

}  // namespace
}  // namespace phiscope
