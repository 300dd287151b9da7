// Files from strangers: an error that names file and key, no crash, no long wait.

#include <gmock/gmock.h>

#include "core/base/files.h"
#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

using testing::AllOf;
using testing::HasSubstr;

void expect_error(const std::string& tokenizer_json, ErrorCode code, const std::string& naming) {
  const auto loaded = test::load_text(tokenizer_json);
  ASSERT_FALSE(loaded.has_value()) << naming;
  EXPECT_EQ(loaded.error().code, code) << loaded.error().message;
  EXPECT_THAT(loaded.error().message, AllOf(HasSubstr("tokenizer.json"), HasSubstr(naming)));
}

TEST(HostileTokenizer, TheUnalteredFileLoads) {
  const auto loaded = test::load_text(test::small_tokenizer().dump());
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ((*loaded)->encode("abc<|x|>ab c"), (std::vector<int32_t>{257, 258, 256, ' ', 'c'}));
}

TEST(HostileTokenizer, RefusesIdsThatCannotBeTableRows) {
  for (const Json& id : {Json(-1), Json(1 << 30), Json(9223372036854775807LL), Json(18446744073709551615ULL), Json(INT64_MIN)}) {
    Json file = test::small_tokenizer();
    file["model"]["vocab"]["ab"] = id;
    expect_error(file.dump(), ErrorCode::invalid_file, "model.vocab: the id of \"ab\"");
    file = test::small_tokenizer();
    file["added_tokens"][0]["id"] = id;
    expect_error(file.dump(), ErrorCode::invalid_file, "added_tokens[0]");
  }
}

TEST(HostileTokenizer, RefusesTwoTokensWithOneId) {
  Json file = test::small_tokenizer();
  file["model"]["vocab"]["ab"] = 65;
  expect_error(file.dump(), ErrorCode::invalid_file, "id 65 is both \"A\" and \"ab\"");
  file = test::small_tokenizer();
  file["added_tokens"][0]["id"] = 65;
  expect_error(file.dump(), ErrorCode::invalid_file, "added_tokens[0]: id 65");
  file = test::small_tokenizer();
  file["added_tokens"].push_back(file["added_tokens"][0]);
  expect_error(file.dump(), ErrorCode::invalid_file, "added_tokens[1]: id 258 is there twice");
}

TEST(HostileTokenizer, RefusesOneTokenWithTwoIds) {
  Json file = test::small_tokenizer();
  file["added_tokens"][0]["content"] = "ab";
  expect_error(file.dump(), ErrorCode::invalid_file, "\"ab\" has id 258 here and 256 in model.vocab");
  file = test::small_tokenizer();
  file["added_tokens"].push_back(file["added_tokens"][0]);
  file["added_tokens"][1]["id"] = 300;
  expect_error(file.dump(), ErrorCode::invalid_file, "has the ids 258 and 300");
  std::string text = test::small_tokenizer().dump();
  text.replace(text.find("\"abc\":257"), 9, "\"abc\":257,\"abc\":259");
  expect_error(text, ErrorCode::invalid_file, "model.vocab has \"abc\" twice");
}

TEST(HostileTokenizer, RefusesMergesOfPiecesThatAreNotInTheVocabulary) {
  for (const Json& merge : {Json("xy z"), Json("a xy"), Json("a c"), Json(Json::array({"a", "c"}))}) {
    Json file = test::small_tokenizer();
    file["model"]["merges"][1] = merge;
    expect_error(file.dump(), ErrorCode::invalid_file, "model.merges[1]");
  }
}

TEST(HostileTokenizer, RefusesWrongTypesNamingTheKey) {
  const std::vector<Json> values{Json(1.5), Json("text"), Json(true), Json::array({Json::array()}), Json{{"a", 1}}};
  struct Row {
    std::string pointer, naming;
    std::vector<int> allowed;  // indices of values that have a meaning there
  };
  const std::vector<Row> rows{{"/model", "model", {}},
                              {"/model/vocab", "vocab", {}},
                              {"/model/vocab/ab", "model.vocab", {}},
                              {"/model/merges", "merges", {}},
                              {"/model/merges/0", "model.merges[0]", {}},
                              {"/model/byte_fallback", "byte_fallback", {2}},
                              {"/model/unk_token", "unk_token", {}},
                              {"/added_tokens", "added_tokens", {}},
                              {"/added_tokens/0", "added_tokens[0]", {}},
                              {"/added_tokens/0/id", "added_tokens[0]", {}},
                              {"/added_tokens/0/content", "added_tokens[0]", {1}},
                              {"/added_tokens/0/special", "added_tokens[0]", {2}},
                              {"/normalizer", "normalizer", {}},
                              {"/pre_tokenizer", "pre_tokenizer", {}},
                              {"/pre_tokenizer/type", "pre_tokenizer", {}},
                              {"/pre_tokenizer/use_regex", "pre_tokenizer", {2}},
                              {"/post_processor", "post_processor", {}},
                              {"/decoder", "decoder", {}}};
  for (const Row& row : rows) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::find(row.allowed.begin(), row.allowed.end(), static_cast<int>(i)) != row.allowed.end()) continue;
      Json file = test::small_tokenizer();
      file[Json::json_pointer(row.pointer)] = values[i];
      const auto loaded = test::load_text(file.dump());
      ASSERT_FALSE(loaded.has_value()) << row.pointer << " = " << values[i];
      EXPECT_THAT(loaded.error().message, AllOf(HasSubstr("tokenizer.json"), HasSubstr(row.naming))) << values[i];
    }
  }
}

TEST(HostileTokenizer, NamesTheComponentThatIsNotKnown) {
  const std::vector<std::pair<std::string, std::string>> rows{{"normalizer", "NFKC"},
                                                              {"pre_tokenizer", "Metaspace"},
                                                              {"post_processor", "RobertaProcessing"},
                                                              {"decoder", "WordPiece"}};
  for (const auto& [key, type] : rows) {
    Json file = test::small_tokenizer();
    file[key] = Json{{"type", type}};
    expect_error(file.dump(), ErrorCode::unsupported, key + ": component \"" + type + "\"");
  }
  Json file = test::small_tokenizer();
  file["model"]["type"] = "Unigram";
  expect_error(file.dump(), ErrorCode::unsupported, "\"Unigram\"");
  file = test::small_tokenizer();
  file["decoder"] = nullptr;
  expect_error(file.dump(), ErrorCode::unsupported, "decoder");
}

TEST(HostileTokenizer, LoadsManyAddedTokensInReasonableTime) {
  std::string text = test::small_tokenizer().dump(), tokens;
  for (int i = 0; i < 80'000; ++i) tokens += fmt::format(R"({{"id":{},"content":"<{}>","special":true}},)", 1000 + i, i);
  text.insert(text.find("{\"id\":258"), tokens);
  const auto loaded = test::load_text(text);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ((*loaded)->encode("<79999><7>"), (std::vector<int32_t>{1000 + 79999, 1007}));
  EXPECT_EQ((*loaded)->vocab_size(), 81'000);
}

TEST(HostileTokenizer, RefusesAnAddedTokenAsLongAsABook) {
  Json file = test::small_tokenizer();
  file["added_tokens"][0]["content"] = std::string(100'000, 'a');
  expect_error(file.dump(), ErrorCode::unsupported, "added_tokens[0]: content has 100000 bytes");
}

TEST(HostileTokenizer, ReadsAnObjectOfManyKeysWithoutComparingThemAll) {
  std::string text = test::small_tokenizer().dump();
  std::string keys = "{\"extra\":{";
  for (int i = 0; i < 300'000; ++i) keys += "\"" + std::to_string(i) + "\":0,";
  text.replace(0, 1, keys + "\"end\":0},");
  EXPECT_TRUE(test::load_text(text).has_value());
  EXPECT_TRUE(test::load_text(test::small_tokenizer().dump(), {{"tokenizer_config.json", keys + "\"end\":0}}"}}).has_value());
}

TEST(HostileTokenizer, RefusesInvalidUtf8) {
  std::string text = test::small_tokenizer().dump();
  text.replace(text.find("\"abc\""), 5, "\"a\xff\xfe\"");
  expect_error(text, ErrorCode::invalid_file, "not well-formed JSON at byte");
}

TEST(HostileTokenizer, RefusesDeepNesting) {
  std::string text = test::small_tokenizer().dump();
  text.replace(0, 1, "{\"deep\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + ",");
  expect_error(text, ErrorCode::invalid_file, "nested deeper than 64 levels");
}

TEST(HostileTokenizer, RefusesFilesThatEndEarly) {
  const std::string text = test::small_tokenizer().dump();
  for (size_t size = 0; size < text.size(); size += 97) EXPECT_FALSE(test::load_text(text.substr(0, size)).has_value()) << size;
  expect_error("[]", ErrorCode::invalid_file, "must be a JSON object");
  expect_error("{}", ErrorCode::invalid_file, "model");
}

TEST(HostileTokenizer, RefusesMoreThanATableCanHold) {
  Json file = test::small_tokenizer();
  file["added_tokens"][0]["id"] = 100'000;  // one row for each of the ids between would be made from a small file
  expect_error(file.dump(), ErrorCode::invalid_file, "added_tokens[0]: the id is 100000, far beyond the 259 entries");
  std::string text = test::small_tokenizer().dump(), values;
  for (int i = 0; i < 600'000; ++i) values += "[],";
  text.replace(0, 1, "{\"many\":[" + values + "0],");
  expect_error(text, ErrorCode::invalid_file, "more than 524288 values outside model.vocab and model.merges");
  text = test::small_tokenizer().dump();
  std::string merges;
  for (int i = 0; i < 400'000; ++i) merges += "\"a b\",";
  text.insert(text.find("\"a b\""), merges);
  expect_error(text, ErrorCode::invalid_file, "model.merges has more than 393216 entries");
}

TEST(HostileTokenizer, SaysWhatAFolderLacks) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(Tokenizer::load(folder.path()).error().code, ErrorCode::not_found);
  EXPECT_THAT(Tokenizer::load(folder.path()).error().message, HasSubstr("tokenizer.json is missing, and so are tokenizer.model"));
  EXPECT_EQ(Tokenizer::load(folder / "absent").error().code, ErrorCode::not_found);
  EXPECT_FALSE(Tokenizer::is_in(folder.path()));
}

}  // namespace
}  // namespace phiscope
