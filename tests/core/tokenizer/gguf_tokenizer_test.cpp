// Tokenizers from GGUF metadata: llama.cpp's own vocabularies with their expected ids, and the goldens of the published tokenizers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "core/base/files.h"
#include "core/base/json.h"
#include "core/format/gguf.h"
#include "core/tokenizer/gguf_tokenizer.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/core/format/gguf_bytes.h"
#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using test::gguf_array;
using test::gguf_pair;
using test::gguf_string;
using test::raw;

class GgmlVocabulary : public testing::TestWithParam<const char*> {};

// .inp holds 46 texts, .out their ids without BOS, special tokens being text.
TEST_P(GgmlVocabulary, GivesTheIdsOfLlamaCpp) {
  const std::string base = std::string("tokenizers/ggml-vocab/ggml-vocab-") + GetParam() + ".gguf";
  PHISCOPE_FIXTURE(path, base);
  PHISCOPE_FIXTURE(input, base + ".inp");
  PHISCOPE_FIXTURE(output, base + ".out");
  const auto tokenizer = Tokenizer::load(path);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  std::string texts = *read_file(input);
  std::istringstream lines(*read_file(output));
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const size_t end = texts.find(kSeparator);
    const std::string text = texts.substr(0, end);
    texts = end == std::string::npos ? "" : texts.substr(end + kSeparator.size());
    std::vector<int32_t> expected;
    std::istringstream numbers(line);
    for (int32_t id = 0; numbers >> id;) expected.push_back(id);
    EXPECT_EQ((*tokenizer)->encode(text, Specials::as_text), expected) << "text " << count << ": " << text;
  }
  EXPECT_EQ(count, 46);
}
INSTANTIATE_TEST_SUITE_P(Gguf, GgmlVocabulary, testing::Values("phi-3", "gpt-2"), [](const auto& one) { return std::string(one.param) == "phi-3" ? "phi3" : "gpt2"; });

// A published tokenizer.json as the metadata that llama.cpp's converter makes of it.
// nlohmann::json, because the ordered Json looks through all keys for each of 200,000.
std::string metadata_of(const nlohmann::json& tokenizer, const std::string& pre, size_t rows, const nlohmann::json& config) {
  std::vector<std::string> texts(rows);
  std::vector<int32_t> types(rows, 5);
  for (size_t id = 0; id < rows; ++id) texts[id] = "[PAD" + std::to_string(id) + "]";
  for (const auto& [text, id] : tokenizer["model"]["vocab"].items()) {
    texts[id.get<size_t>()] = text;
    types[id.get<size_t>()] = 1;
  }
  std::map<std::string, int32_t> added;
  for (const nlohmann::json& token : tokenizer["added_tokens"]) {
    const auto id = token["id"].get<size_t>();
    texts[id] = token["content"].get<std::string>();
    types[id] = token["special"].get<bool>() ? 3 : 4;
    added[texts[id]] = static_cast<int32_t>(id);
  }
  std::string tokens, kinds, merges;
  for (const std::string& text : texts) tokens += gguf_string(text);
  for (const int32_t type : types) kinds += raw(type);
  for (const nlohmann::json& merge : tokenizer["model"]["merges"])
    merges += gguf_string(merge.is_string() ? merge.get<std::string>() : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  test::GgufBytes file;
  file.pairs = {gguf_pair("general.architecture", GgufType::string, gguf_string("phi3")),
                gguf_pair("tokenizer.ggml.model", GgufType::string, gguf_string("gpt2")),
                gguf_pair("tokenizer.ggml.pre", GgufType::string, gguf_string(pre)),
                gguf_array("tokenizer.ggml.tokens", GgufType::string, rows, tokens),
                gguf_array("tokenizer.ggml.token_type", GgufType::i32, rows, kinds),
                gguf_array("tokenizer.ggml.merges", GgufType::string, tokenizer["model"]["merges"].size(), merges)};
  const auto eos = config.find("eos_token");
  if (eos != config.end() && eos->is_string())
    file.pairs.push_back(gguf_pair("tokenizer.ggml.eos_token_id", GgufType::u32, raw(static_cast<uint32_t>(added[eos->get<std::string>()]))));
  return file.bytes();
}

struct Published {
  const char* name;
  const char* pre;
  size_t rows;
};
class PublishedAsGguf : public testing::TestWithParam<Published> {};

TEST_P(PublishedAsGguf, GivesTheGoldenIdsAndTexts) {
  const Published& row = GetParam();
  PHISCOPE_FIXTURE(golden_path, "tokenizers/golden.json");
  PHISCOPE_FIXTURE(file, std::string("tokenizers/") + row.name + "/tokenizer.json");
  PHISCOPE_FIXTURE(config, std::string("tokenizers/") + row.name + "/tokenizer_config.json");
  const auto tokenizer = nlohmann::json::parse(*read_file(file)), settings = nlohmann::json::parse(*read_file(config));
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "vocabulary.gguf";
  ASSERT_TRUE(write_file(path, metadata_of(tokenizer, row.pre, row.rows, settings)).has_value());
  const auto found = Tokenizer::load(path);
  const auto expected = Tokenizer::load(file.parent_path());
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  EXPECT_EQ((*found)->vocab_size(), (*expected)->vocab_size());
  const Json golden = (*read_json_file(golden_path, uint64_t{1} << 26))[row.name];
  ASSERT_FALSE(golden["strings"].empty());
  for (const Json& one : golden["strings"]) {
    const auto text = one["text"].get<std::string>();
    const std::vector<int32_t> ids = test::ids_of(one["ids"]);
    EXPECT_EQ((*found)->encode(text), ids) << text;
    EXPECT_EQ((*found)->encode(text, Specials::as_text), (*expected)->encode(text, Specials::as_text)) << text;
    EXPECT_EQ((*found)->decode(ids), (*expected)->decode(ids)) << text;
    EXPECT_EQ((*found)->decode(ids, true), (*expected)->decode(ids, true)) << text;
  }
  for (const AddedToken& token : (*expected)->added_tokens()) {
    const std::string around = "a \n" + token.content + " \n b";
    EXPECT_EQ((*found)->encode(around), (*expected)->encode(around)) << token.content;
  }
}
INSTANTIATE_TEST_SUITE_P(Gguf, PublishedAsGguf,
                         testing::Values(Published{"phi-2", "phi-2", 51200}, Published{"phi-4", "dbrx", 100352}, Published{"phi-4-mini", "gpt-4o", 200064}),
                         [](const auto& one) {
                           std::string name = one.param.name;
                           std::erase(name, '-');
                           return name;
                         });

// Phi-3's vocabulary with the flags of the later files: without add_bos, specials swallow what follows them.
TEST(GgufTokenizer, StripsAfterSpecialsAsThePublishersFilesDo) {
  PHISCOPE_FIXTURE(path, "tokenizers/ggml-vocab/ggml-vocab-phi-3.gguf");
  PHISCOPE_FIXTURE(april, "tokenizers/phi-3");
  PHISCOPE_FIXTURE(july, "tokenizers/phi-3-mini");
  const std::string bytes = *read_file(path);
  std::string later = bytes;
  const std::string key = "tokenizer.ggml.add_bos_token";
  const size_t at = later.find(key);
  ASSERT_NE(at, std::string::npos);
  later[at + key.size() + 4] = '\0';  // the value, after the type
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "later.gguf", later).has_value());
  const std::string chat = "<|user|>\nHello there<|end|>\n<|assistant|>\n";
  for (const auto& [file, publisher] : {std::pair{path, april}, {folder / "later.gguf", july}}) {
    const auto found = Tokenizer::load(file), expected = Tokenizer::load(publisher);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_TRUE(expected.has_value()) << expected.error().message;
    EXPECT_EQ((*found)->encode(chat), (*expected)->encode(chat));
    EXPECT_EQ((*found)->decode((*found)->encode(chat), true), (*expected)->decode((*expected)->encode(chat), true));
    EXPECT_EQ((*found)->add_bos(), (*expected)->add_bos());
    EXPECT_EQ((*found)->bos(), (*expected)->bos());
    EXPECT_EQ((*found)->eos(), (*expected)->eos());
    EXPECT_EQ((*found)->vocab_size(), 32011);
    EXPECT_THAT((*found)->stop_ids(), testing::ElementsAre(32000, 32001, 32007));
    EXPECT_EQ((*found)->decode(std::vector<int32_t>{32050}), "");
  }
  EXPECT_EQ((*Tokenizer::load(folder / "later.gguf"))->encode(chat), (std::vector<int32_t>{32010, 15043, 727, 32007, 32001}));
}

std::string small_file(const std::vector<std::string>& pairs) {
  test::GgufBytes file;
  file.pairs = pairs;
  return file.bytes();
}

// The metadata alone is again a GGUF file with the same tokenizer.
TEST(GgufTokenizer, AVocabularyOfAModelIsItsTokenizer) {
  const auto file = GgufFile::open(test::source_path("tests/golden/gguf/phi-2-tiny.gguf"));
  ASSERT_TRUE(file.has_value());
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / std::string(kGgufVocabularyName), gguf_vocabulary(**file)).has_value());
  const auto whole = Tokenizer::load((*file)->path()), alone = Tokenizer::load(folder.path());
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  ASSERT_TRUE(alone.has_value()) << alone.error().message;
  EXPECT_TRUE(Tokenizer::is_in(folder.path()));
  EXPECT_EQ((*whole)->hash(), (*alone)->hash());
  EXPECT_EQ((*whole)->encode("Phi reads a file."), (*alone)->encode("Phi reads a file."));
  PHISCOPE_FIXTURE(publisher, "models/phi-2-tiny");
  EXPECT_EQ((*whole)->encode("Phi reads a file."), (*Tokenizer::load(publisher))->encode("Phi reads a file."));
}

TEST(GgufTokenizer, WhatDoesNotFitIsNamedWithItsPlace) {
  const std::string model = gguf_pair("tokenizer.ggml.model", GgufType::string, gguf_string("gpt2"));
  const std::string llama = gguf_pair("tokenizer.ggml.model", GgufType::string, gguf_string("llama"));
  const std::string pre = gguf_pair("tokenizer.ggml.pre", GgufType::string, gguf_string("phi-2"));
  const std::string tokens = gguf_array("tokenizer.ggml.tokens", GgufType::string, 3, gguf_string("a") + gguf_string("b") + gguf_string("ab"));
  const std::string twice = gguf_array("tokenizer.ggml.tokens", GgufType::string, 2, gguf_string("a") + gguf_string("a"));
  const auto merges = [](const std::string& one) { return gguf_array("tokenizer.ggml.merges", GgufType::string, 1, gguf_string(one)); };
  struct Row {
    std::vector<std::string> pairs, sentence;
  };
  const Row rows[] = {
      {{tokens}, {"tokenizer.ggml.model", "missing"}},
      {{gguf_pair("tokenizer.ggml.model", GgufType::string, gguf_string("bert")), tokens}, {"tokenizer.ggml.model", "offset", "\"bert\""}},
      {{model, pre}, {"tokenizer.ggml.tokens", "missing"}},
      {{model, pre, tokens}, {"tokenizer.ggml.merges", "missing"}},
      {{model, pre, tokens, merges("a c")}, {"tokenizer.ggml.merges", "offset", "merge 0", "\"a c\""}},
      {{model, pre, tokens, merges("ab")}, {"tokenizer.ggml.merges", "merge 0"}},
      {{model, pre, twice, merges("a b")}, {"tokenizer.ggml.tokens", "\"a\" has the ids 0 and 1"}},
      {{model, gguf_pair("tokenizer.ggml.pre", GgufType::string, gguf_string("tekken")), tokens, merges("a b")}, {"tokenizer.ggml.pre", "offset", "\"tekken\"", "phi-2"}},
      {{model, pre, tokens, merges("a b"), gguf_array("tokenizer.ggml.token_type", GgufType::i32, 2, raw(1) + raw(1))}, {"token_type", "2 elements", "3 tokens"}},
      {{model, pre, tokens, merges("a b"), gguf_array("tokenizer.ggml.token_type", GgufType::i32, 3, raw(1) + raw(1) + raw(9))}, {"token_type", "token 2 is 9"}},
      {{model, pre, tokens, merges("a b"), gguf_pair("tokenizer.ggml.eos_token_id", GgufType::u32, raw<uint32_t>(3))}, {"tokenizer.ggml.eos_token_id", "offset", "0 to 2"}},
      {{llama, tokens}, {"tokenizer.ggml.scores", "missing"}},
  };
  const test::TemporaryFolder folder;
  for (const Row& row : rows) {
    ASSERT_TRUE(write_file(folder / "bad.gguf", small_file(row.pairs)).has_value());
    const auto tokenizer = Tokenizer::load(folder / "bad.gguf");
    ASSERT_FALSE(tokenizer.has_value()) << row.sentence.back();
    EXPECT_THAT(tokenizer.error().message, HasSubstr("bad.gguf"));
    for (const std::string& part : row.sentence) EXPECT_THAT(tokenizer.error().message, HasSubstr(part));
  }
}

}  // namespace
}  // namespace phiscope
