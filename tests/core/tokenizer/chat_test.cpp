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

// Phi-4-reasoning: its own system text stands before the first tag; it has braces, and system messages of the user are left out.
TEST(Chat, PrintsTheFixedTextOfAReasoningTemplate) {
  const std::string tail =
      "{% for message in messages %}{% if (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}"
      "{% elif (message['role'] == 'assistant') %}{{'<|im_start|>assistant<|im_sep|>'}}{% generation %}{{message['content'] + '<|im_end|>'}}"
      "{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}";
  const std::string head = "<|im_start|>system<|im_sep|>You are Phi. Use <think> {Thought section} </think> {Solution section}.<|im_end|>";
  const std::vector<ChatMessage> messages{{"system", "no"}, {"user", "Q"}, {"assistant", "A"}, {"user", "R"}};
  const std::string turns = "<|im_start|>user<|im_sep|>Q<|im_end|><|im_start|>assistant<|im_sep|>A<|im_end|><|im_start|>user<|im_sep|>R<|im_end|>";
  for (const std::string& fixed : {head, std::string(), std::string("two\nlines ")}) {
    const auto rendered = render_chat(*with_template(fixed + tail), messages, true);
    ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
    EXPECT_EQ(*rendered, fixed + turns + "<|im_start|>assistant<|im_sep|>");
    EXPECT_EQ(*render_chat(*with_template(fixed + tail + "\n"), messages, false), fixed + turns);
  }
  EXPECT_FALSE(render_chat(*with_template("{{ 'head' }}" + tail), messages, true).has_value());
}

// Fixture folders hold another template for it by mistake; this is the one of the release.
TEST(Chat, OpensPhi3SmallWithItsBos) {
  const std::string text =
      "{{ bos_token }}{% for message in messages %}{{'<|' + message['role'] + '|>' + '\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}";
  const auto tokenizer = *test::load_text(test::small_tokenizer().dump(), {{"chat_template.jinja", text}, {"tokenizer_config.json", R"({"bos_token":"<|x|>","eos_token":"<|x|>"})"}});
  const std::vector<ChatMessage> messages{{"system", "S"}, {"user", "U"}};
  EXPECT_EQ(*render_chat(*tokenizer, messages, true), "<|x|><|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\n");
  EXPECT_EQ(*render_chat(*tokenizer, messages, false), "<|x|><|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|x|>");
}

TEST(Chat, PhiVisionGoesOnWithAnAnswerThatHasBegun) {
  const std::string text =
      "{% for message in messages %}{{'<|' + message['role'] + '|>' + '\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
      "{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}{{- '<|assistant|>\\n' -}}{% endif %}";
  std::vector<ChatMessage> messages{{"user", "U"}};
  EXPECT_EQ(*render_chat(*with_template(text), messages, true), "<|user|>\nU<|end|>\n<|assistant|>\n");
  EXPECT_EQ(*render_chat(*with_template(text), messages, false), "<|user|>\nU<|end|>\n");
  messages.push_back({"assistant", "A"});
  EXPECT_EQ(*render_chat(*with_template(text), messages, true), "<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n");
}

// Several and empty system messages, as the templates of each family have it.
TEST(Chat, SystemMessagesKeepTheirPlacesOrJoinTheHead) {
  struct Row {
    std::string name, several, empty;
  };
  const std::vector<Row> rows{
      {"phi-3-mini", "<|system|>\nA<|end|>\n<|user|>\nQ<|end|>\n<|system|>\nB<|end|>\n<|assistant|>\n", "<|system|>\n<|end|>\n<|assistant|>\n"},
      {"phi-3.5-mini", "<|system|>\nA<|end|>\n<|user|>\nQ<|end|>\n<|system|>\nB<|end|>\n<|assistant|>\n", "<|assistant|>\n"},
      {"phi-3-medium", "<|user|>\nQ<|end|>\n<|assistant|>\n", ""},
      {"phi-tiny-moe", "<|system|>\nA<|end|>\n<|user|>\nQ<|end|>\n<|system|>\nB<|end|>\n<|assistant|>\n", "<|system|>\n<|end|>\n<|assistant|>\n"},
      {"phi-4", "<|im_start|>system<|im_sep|>A<|im_end|><|im_start|>user<|im_sep|>Q<|im_end|><|im_start|>system<|im_sep|>B<|im_end|><|im_start|>assistant<|im_sep|>",
       "<|im_start|>system<|im_sep|><|im_end|><|im_start|>assistant<|im_sep|>"},
      {"phi-4-mini", "<|system|>A<|end|><|user|>Q<|end|><|system|>B<|end|><|assistant|>", "<|system|><|end|><|assistant|>"},
      {"phi-4-mini-reasoning", "<|system|>Your name is Phi, an AI math expert developed by Microsoft. A B<|end|><|user|>Q<|end|><|assistant|>",
       "<|system|>Your name is Phi, an AI math expert developed by Microsoft. <|end|><|assistant|>"}};
  const std::vector<ChatMessage> several{{"system", "A"}, {"user", "Q"}, {"system", "B"}}, empty{{"system", ""}};
  for (const Row& row : rows) {
    const auto& all = test::golden_rows();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == row.name; });
    const auto tokenizer = test::load_row(*found).tokenizer;
    if (tokenizer == nullptr) GTEST_SKIP() << row.name << " is missing";
    EXPECT_EQ(*render_chat(*tokenizer, several, true), row.several) << row.name;
    EXPECT_EQ(*render_chat(*tokenizer, empty, true), row.empty) << row.name;
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
