#include <gmock/gmock.h>

#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

std::shared_ptr<const Tokenizer> with_template(const std::string& text) {
  return *test::load_text(test::small_tokenizer().dump(), {{"chat_template.jinja", text}});
}

TEST(Chat, ShowsATemplateThatIsNotKnown) {
  const std::vector<ChatMessage> messages{{"user", "Hi"}};
  const auto rendered = render_chat(*with_template("{{ messages[0].content | upper }}"), messages, true);
  ASSERT_FALSE(rendered.has_value());
  EXPECT_EQ(rendered.error().code, ErrorCode::unsupported);
  EXPECT_THAT(rendered.error().message, testing::HasSubstr("{{ messages[0].content | upper }}"));
}

TEST(Chat, RefusesAModelWithoutTemplate) {
  const auto tokenizer = *test::load_text(test::small_tokenizer().dump());
  const auto rendered = render_chat(*tokenizer, {}, true);
  ASSERT_FALSE(rendered.has_value());
  EXPECT_EQ(rendered.error().code, ErrorCode::invalid_argument);
}

TEST(Chat, KnowsATemplateInEverySpelling) {
  const std::string escaped =
      "{% for message in messages %}{{'<|' + message['role'] + '|>' + '\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}";
  std::string lines, dos;
  for (size_t i = 0; i < escaped.size(); ++i) {
    const bool newline = escaped.substr(i, 2) == "\\n";
    lines += newline ? "\n" : escaped.substr(i, 1);
    dos += newline ? "\r\n" : escaped.substr(i, 1);
    if (newline) ++i;
  }
  const std::vector<ChatMessage> messages{{"tool", "{role}"}};
  for (const std::string& spelling : {escaped, lines, lines + "\n", dos + "\r\n"}) {
    const auto rendered = render_chat(*with_template(spelling), messages, true);
    ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
    EXPECT_EQ(*rendered, "<|tool|>\n{role}<|end|>\n<|assistant|>\n");
  }
}

TEST(Chat, LeavesOutAnEmptySystemMessageOnlyWherePhi35Does) {
  const std::vector<ChatMessage> messages{{"system", ""}, {"user", "Q"}};
  for (const auto& row : test::golden_rows()) {
    if (row.name != "phi-3-mini" && row.name != "phi-3.5-mini") continue;
    const auto tokenizer = test::load_row(row).tokenizer;
    if (tokenizer == nullptr) GTEST_SKIP() << row.name << " is missing";
    const std::string expected = row.name == "phi-3-mini" ? "<|system|>\n<|end|>\n<|user|>\nQ<|end|>\n" : "<|user|>\nQ<|end|>\n";
    EXPECT_EQ(*render_chat(*tokenizer, messages, true), expected + "<|assistant|>\n");
  }
}

}  // namespace
}  // namespace phiscope
