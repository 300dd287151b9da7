#include "core/tokenizer/regex.h"

#include "core/tokenizer/splitter.h"
#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

using Pieces = std::vector<std::string>;

Pieces split(const std::string& regex, SplitBehavior behavior, bool invert, const std::string& text) {
  const auto splitter = Splitter::create({regex, behavior, invert}, "test");
  EXPECT_TRUE(splitter.has_value()) << splitter.error().message;
  Pieces pieces;
  RegexScratch scratch = splitter->scratch();
  splitter->split(text, scratch, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

// The example of the publisher's documentation of SplitDelimiterBehavior.
TEST(Splitter, FollowsTheFiveBehaviors) {
  const std::string text = "the-final--countdown";
  EXPECT_EQ(split("-", SplitBehavior::removed, false, text), (Pieces{"the", "final", "countdown"}));
  EXPECT_EQ(split("-", SplitBehavior::isolated, false, text), (Pieces{"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(split("-", SplitBehavior::merged_with_previous, false, text), (Pieces{"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(split("-", SplitBehavior::merged_with_next, false, text), (Pieces{"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(split("-", SplitBehavior::contiguous, false, text), (Pieces{"the", "-", "final", "--", "countdown"}));
  EXPECT_EQ(split("-", SplitBehavior::removed, true, text), (Pieces{"-", "-", "-"}));
}

TEST(Splitter, CutsAtEmptyMatches) { EXPECT_EQ(split("x*", SplitBehavior::isolated, false, "a\xe4\xb8\xad"), (Pieces{"a", "\xe4\xb8\xad"})); }

TEST(Splitter, SplitsSingleDigits) {
  EXPECT_EQ(split(R"(\p{N}| ?[^\s\p{N}]+|\s+)", SplitBehavior::isolated, false, "ab 123 c"), (Pieces{"ab", " ", "1", "2", "3", " c"}));
}

TEST(Regex, ReadsWhiteSpaceAsUnicodeDefinesIt) {
  EXPECT_EQ(split(R"(\s)", SplitBehavior::removed, false, "a\xc2\x85" "b\xe3\x80\x80" "c"), (Pieces{"a", "b", "c"}));
  EXPECT_EQ(split(R"(\s)", SplitBehavior::removed, false, "a\xe1\xa0\x8e" "b"), (Pieces{"a\xe1\xa0\x8e" "b"}));  // U+180E is none
  EXPECT_EQ(split(R"([^\s]+)", SplitBehavior::removed, true, "a b"), (Pieces{"a", "b"}));
}

TEST(Regex, RefusesSyntaxThatIsReadDifferently) {
  for (const char* pattern : {R"(\h)", R"(\R)", R"(\K)", R"(\b)", R"((a)\1)", "[a&&b]", "[[:alpha:]]", "a{1,3}+", "(?<n>a)", "(?R)", "(*FAIL)",
                              R"([\S])", "a\\", R"(\pL)", R"(\x41)"}) {
    const auto compiled = Regex::compile(pattern, "pre_tokenizer");
    ASSERT_FALSE(compiled.has_value()) << pattern;
    EXPECT_EQ(compiled.error().code, ErrorCode::unsupported) << pattern;
    EXPECT_NE(compiled.error().message.find("pre_tokenizer"), std::string::npos);
  }
}

TEST(Regex, RefusesPatternsWithoutMeaning) {
  for (const char* pattern : {"(", "a)", "[a", "*", R"(\p{Nonsense})", "a{2,1}"}) {
    const auto compiled = Regex::compile(pattern, "pre_tokenizer");
    ASSERT_FALSE(compiled.has_value()) << pattern;
    EXPECT_EQ(compiled.error().code, ErrorCode::invalid_file) << pattern;
  }
}

TEST(Regex, AnExponentialPatternEnds) {
  EXPECT_EQ(split("(?:a+)+b", SplitBehavior::isolated, false, std::string(40, 'a')), (Pieces{std::string(40, 'a')}));
}

}  // namespace
}  // namespace phiscope
