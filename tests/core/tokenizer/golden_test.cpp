// Equal to the publisher's library on every line of the goldens.

#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

class Golden : public testing::TestWithParam<test::GoldenRow> {
 protected:
  void SetUp() override {
    for (const std::string& needed : {GetParam().golden, GetParam().tokenizer, GetParam().settings}) {
      if (!test::golden_path(needed).empty()) continue;
      if (test::fixtures_required()) FAIL() << needed << " is missing; set PHISCOPE_FIXTURES";
      GTEST_SKIP() << needed << " is missing; set PHISCOPE_FIXTURES";
    }
    row_ = test::load_row(GetParam());
    ASSERT_NE(row_.tokenizer, nullptr);
  }

  test::LoadedRow row_;
};

TEST_P(Golden, EncodesEveryStringToThePublishersIds) {
  ASSERT_GE(row_.golden["strings"].size(), 80U);
  for (const Json& line : row_.golden["strings"]) {
    EXPECT_EQ(row_.tokenizer->encode(line["text"].get<std::string>()), test::ids_of(line["ids"])) << line["text"].dump();
  }
}

TEST_P(Golden, DecodesEveryIdListToThePublishersText) {
  for (const Json& line : row_.golden["strings"]) {
    const std::vector<int32_t> ids = test::ids_of(line["ids"]);
    EXPECT_EQ(row_.tokenizer->decode(ids), line["decoded"].get<std::string>()) << line["text"].dump();
    EXPECT_EQ(row_.tokenizer->decode(ids, true), line["decoded_skip"].get<std::string>()) << line["text"].dump();
  }
}

TEST_P(Golden, StreamsPiecesThatJoinToTheDecodedText) {
  for (const Json& line : row_.golden["strings"]) {
    for (const bool skip_special : {false, true}) {
      const std::vector<int32_t> ids = test::ids_of(line["ids"]);
      StreamDecoder stream(row_.tokenizer, skip_special);
      std::string joined;
      for (const int32_t id : ids) joined += stream.push(id);
      joined += stream.finish();
      EXPECT_EQ(joined, row_.tokenizer->decode(ids, skip_special)) << line["text"].dump();
    }
  }
}

TEST_P(Golden, RendersEveryChatAsThePublishersTemplateDoes) {
  for (const Json& chat : row_.golden["chat"]) {
    std::vector<ChatMessage> messages;
    for (const Json& message : chat["messages"]) {
      messages.push_back({message["role"], message["content"]});
      if (message.contains("tools")) messages.back().tools = message["tools"].get<std::string>();
    }
    const auto rendered = render_chat(*row_.tokenizer, messages, chat["add_generation_prompt"].get<bool>());
    ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
    EXPECT_EQ(*rendered, chat["rendered"].get<std::string>());
    EXPECT_EQ(row_.tokenizer->encode(*rendered), test::ids_of(chat["ids"])) << *rendered;
  }
}

TEST_P(Golden, KnowsTheSpecialTokensOfTheSettings) {
  EXPECT_EQ(row_.tokenizer->add_bos(), row_.golden["add_bos_token"].get<bool>());
  ASSERT_TRUE(row_.tokenizer->bos().has_value());
  ASSERT_TRUE(row_.tokenizer->eos().has_value());
  EXPECT_EQ(row_.tokenizer->piece(*row_.tokenizer->bos()), row_.golden["bos"].get<std::string>());
  EXPECT_EQ(row_.tokenizer->piece(*row_.tokenizer->eos()), row_.golden["eos"].get<std::string>());
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, Golden, testing::ValuesIn(test::golden_rows()), [](const auto& row) {
  std::string name = row.param.name;
  for (char& c : name) c = c == '-' || c == '.' || c == ' ' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace phiscope
