#include "core/bench/tasks.h"

#include <gtest/gtest.h>

#include "core/base/files.h"
#include "tests/support/fixtures.h"

namespace phiscope::bench {
namespace {

class Pair : public testing::Test {
 protected:
  void SetUp() override {
    const auto tokenizer = Tokenizer::load(test::source_path("tests/golden/models/phi-3-mini-tiny"));
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    tokenizer_ = *tokenizer;
  }
  EncodedPair encode(std::string_view prompt, std::string_view continuation, int64_t positions = 512) {
    const auto pair = encode_pair(*tokenizer_, prompt, continuation, positions);
    EXPECT_TRUE(pair.has_value()) << pair.error().message;
    return pair.value_or(EncodedPair{});
  }
  std::string text(EncodedPair pair) {
    if (tokenizer_->add_bos()) pair.context.erase(pair.context.begin());
    pair.context.insert(pair.context.end(), pair.continuation.begin(), pair.continuation.end());
    return tokenizer_->decode(pair.context);
  }
  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_F(Pair, IsTheWholeText) {
  for (const std::string continuation : {" door", "s", " the house of"}) {
    const EncodedPair pair = encode("The window", continuation);
    EXPECT_FALSE(pair.continuation.empty());
    EXPECT_EQ(text(pair), "The window" + continuation);
  }
}

TEST_F(Pair, GivesTrailingSpaceOfThePromptToTheContinuation) {
  const EncodedPair moved = encode("The window ", "door"), plain = encode("The window", " door");
  EXPECT_EQ(moved.context, plain.context);
  EXPECT_EQ(moved.continuation, plain.continuation);
}

TEST_F(Pair, LosesTheBeginningOfAPromptThatIsTooLong) {
  const EncodedPair whole = encode("The window of the house is open and the wind blows", " in"), cut = encode("The window of the house is open and the wind blows", " in", 6);
  // 6 positions hold the context and all but the last id of the continuation.
  EXPECT_EQ(cut.continuation, whole.continuation);
  EXPECT_EQ(cut.context.size() + cut.continuation.size() - 1, 6u);
  EXPECT_TRUE(std::equal(cut.context.rbegin(), cut.context.rend(), whole.context.rbegin()));
  EXPECT_FALSE(encode_pair(*tokenizer_, "x", " a very long answer that does not fit at all", 3).has_value());
}

TEST(Format, OfAnUnknownKindIsRefused) {
  const auto format = format_of({.task = "t.jsonl", .format = {}, .shots_file = {}, .kind = "essay", .stop = {}});
  ASSERT_FALSE(format.has_value());
  EXPECT_NE(format.error().message.find("'essay'"), std::string::npos);
}

TEST(Format, OfPhiscopesOwnFilesStopsBehindTheAnswer) {
  const auto format = format_of({.task = "t.jsonl", .format = {}, .shots_file = {}, .kind = "exact_match", .stop = "\n"});
  ASSERT_TRUE(format.has_value()) << format.error().message;
  bool stopped = false;
  EXPECT_EQ(before_stop(*format, "\n 42", &stopped), "42");
  EXPECT_FALSE(stopped);
  EXPECT_EQ(before_stop(*format, "\n 42 \nmore", &stopped), "42 ");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(extract_answer(*format, "\n 42 \nmore"), "42");
}

}  // namespace
}  // namespace phiscope::bench
