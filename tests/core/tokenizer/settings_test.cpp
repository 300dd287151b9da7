// The files beside tokenizer.json.

#include <gmock/gmock.h>

#include <array>

#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

using Companions = std::vector<std::pair<std::string, std::string>>;

std::shared_ptr<const Tokenizer> load(const Companions& companions) {
  const auto loaded = test::load_text(test::small_tokenizer().dump(), companions);
  EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
  return loaded.value_or(nullptr);
}

TEST(TokenizerSettings, StopIdsAreTheUnionOfThreeFiles) {
  EXPECT_EQ(load({{"config.json", R"({"eos_token_id": 5})"},
                  {"generation_config.json", R"({"eos_token_id": [7, 5, 3]})"},
                  {"tokenizer_config.json", R"({"eos_token": "<|x|>"})"}})
                ->stop_ids(),
            (std::vector<int32_t>{3, 5, 7, 258}));
  EXPECT_EQ(load({{"config.json", R"({"eos_token_id": null})"}})->stop_ids(), std::vector<int32_t>());
  EXPECT_EQ(load({})->stop_ids(), std::vector<int32_t>());
}

TEST(TokenizerSettings, TokensMayBeObjectsOrIds) {
  EXPECT_EQ(load({{"tokenizer_config.json", R"({"eos_token": {"content": "<|x|>"}, "bos_token": null})"}})->eos(), 258);
  EXPECT_EQ(load({{"generation_config.json", R"({"bos_token_id": 9, "eos_token_id": [8, 7]})"}})->eos(), 8);
  EXPECT_EQ(load({{"generation_config.json", R"({"bos_token_id": 9})"}})->bos(), 9);
  EXPECT_EQ(load({})->bos(), std::nullopt);
}

TEST(TokenizerSettings, AddBosFollowsTheFlagThenTheFilesOwnTemplate) {
  Json file = test::small_tokenizer();
  file["post_processor"] = Json::parse(
      R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|x|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]})");
  const Companions without{{"tokenizer_config.json", R"({"bos_token": "<|x|>"})"}};
  const Companions refused{{"tokenizer_config.json", R"({"bos_token": "<|x|>", "add_bos_token": false})"}};
  EXPECT_TRUE((*test::load_text(file.dump(), without))->add_bos());
  EXPECT_FALSE((*test::load_text(file.dump(), refused))->add_bos());
  EXPECT_FALSE(load(without)->add_bos());
}

TEST(TokenizerSettings, TheDefaultOfNamedTemplatesIsTaken) {
  EXPECT_EQ(load({{"tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]})"}})
                ->chat_template(),
            "d");
  EXPECT_EQ(load({{"tokenizer_config.json", R"({"chat_template": "c"})"}, {"chat_template.jinja", "j"}})->chat_template(), "j");
}

TEST(TokenizerSettings, ErrorsNameFileAndKey) {
  const std::vector<std::array<std::string, 3>> rows{
      {"config.json", R"({"eos_token_id": "x"})", "eos_token_id"},
      {"config.json", R"({"eos_token_id": -1})", "eos_token_id"},
      {"generation_config.json", R"({"eos_token_id": [1, 99999999999]})", "eos_token_id"},
      {"generation_config.json", R"({"bos_token_id": {}})", "bos_token_id"},
      {"tokenizer_config.json", R"({"eos_token": "<|y|>"})", "eos_token"},
      {"tokenizer_config.json", R"({"bos_token": 5})", "bos_token"},
      {"tokenizer_config.json", R"({"add_bos_token": "yes"})", "add_bos_token"},
      {"tokenizer_config.json", R"({"chat_template": 5})", "chat_template"},
      {"tokenizer_config.json", R"([1])", "object"},
      {"config.json", "{", "JSON"},
  };
  for (const auto& [file, content, key] : rows) {
    const auto loaded = test::load_text(test::small_tokenizer().dump(), {{file, content}});
    ASSERT_FALSE(loaded.has_value()) << content;
    EXPECT_EQ(loaded.error().code, ErrorCode::invalid_file);
    EXPECT_THAT(loaded.error().message, testing::AllOf(testing::HasSubstr(file), testing::HasSubstr(key)));
  }
}

TEST(TokenizerSettings, TheHashChangesWithTheTemplateButNotWithGenerationDefaults) {
  const std::string plain = load({})->hash();
  EXPECT_EQ(plain.size(), 32U);
  EXPECT_EQ(load({{"generation_config.json", R"({"eos_token_id": 1})"}})->hash(), plain);
  EXPECT_NE(load({{"chat_template.jinja", "x"}})->hash(), plain);
}

TEST(TokenizerSettings, TextThatIsNotUtf8IsRepairedFirst) {
  const auto tokenizer = load({});
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\xff" "b")), "a\xef\xbf\xbd" "b");
}

}  // namespace
}  // namespace phiscope
