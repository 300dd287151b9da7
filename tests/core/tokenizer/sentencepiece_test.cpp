#include <gmock/gmock.h>

#include <random>

#include "core/base/files.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/scored_pieces.h"
#include "core/tokenizer/sentencepiece_model.h"
#include "tests/core/tokenizer/byte_writer.h"
#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using test::SentencePieceParts;
using Ids = std::vector<int32_t>;

std::shared_ptr<const Tokenizer> made(const SentencePieceParts& parts) {
  auto definition = read_sentencepiece_model(parts.model(), "tokenizer.model");
  EXPECT_TRUE(definition.has_value()) << definition.error().message;
  if (!definition) return nullptr;
  return *BpeTokenizer::create(*std::move(definition), {}, "tokenizer.model");
}

void expect_error(const std::string& model, ErrorCode code, const std::string& naming) {
  const auto definition = read_sentencepiece_model(model, "tokenizer.model");
  ASSERT_FALSE(definition.has_value()) << naming;
  EXPECT_EQ(definition.error().code, code) << definition.error().message;
  EXPECT_THAT(definition.error().message, AllOf(HasSubstr("tokenizer.model: "), HasSubstr(naming)));
}

TEST(SentencePiece, MergesTheHighestScoreFirstAndTheLeftmostOfEqualOnes) {
  const auto tokenizer = made({});
  EXPECT_EQ(tokenizer->encode("ab"), (Ids{6}));
  EXPECT_EQ(tokenizer->encode("abb"), (Ids{6, 4}));     // "ab" and "bb" have one score
  EXPECT_EQ(tokenizer->encode("bbb"), (Ids{2, 7, 4}));
  EXPECT_EQ(tokenizer->encode("b ab"), (Ids{2, 4, 6}));
  EXPECT_EQ(tokenizer->decode(Ids{2, 4, 6}), "b ab");
  EXPECT_EQ(tokenizer->kind(), "SentencePiece BPE");
}

TEST(SentencePiece, ControlPiecesAreSpecialAndUserDefinedOnesAreTokens) {
  const auto tokenizer = made({});
  EXPECT_EQ(tokenizer->encode("<s>ab<u>"), (Ids{1, 6, 8}));
  EXPECT_EQ(tokenizer->encode("<s><u>", Specials::as_text), (Ids{2, 0, 8}));  // "<s>" is unknown text
  EXPECT_EQ(tokenizer->decode(Ids{1, 6, 8}, true), "ab<u>");
}

TEST(SentencePiece, UnknownCharactersAreOneUnknownTokenOrTheirBytes) {
  EXPECT_EQ(made({})->encode("a\xc3\xa9\xc3\xa8" "a"), (Ids{2, 3, 0, 3}));
  SentencePieceParts parts;
  for (int byte = 0; byte < 256; ++byte) parts.pieces += test::piece_field(fmt::format("<0x{:02X}>", byte), 0, 6);
  parts.trainer += test::number_field(35, 1);
  const auto tokenizer = made(parts);
  EXPECT_EQ(tokenizer->encode("\xc3\xa9"), (Ids{2, 9 + 0xc3, 9 + 0xa9}));
  EXPECT_EQ(tokenizer->decode(Ids{2, 9 + 0xc3, 9 + 0xa9}), "\xc3\xa9");
  EXPECT_EQ(tokenizer->encode("<0x41>", Specials::as_text).size(), 7U);  // the text, not the byte
}

TEST(SentencePiece, FollowsTheFlagsOfItsNormalizer) {
  SentencePieceParts parts;
  parts.normalizer = test::number_field(3, 0) + test::number_field(4, 0);
  EXPECT_EQ(made(parts)->encode("ab ab"), (Ids{5, 6}));
  EXPECT_EQ(made(parts)->decode(Ids{6}), " ab");
  parts.normalizer = test::number_field(3, 0) + test::number_field(4, 0) + test::number_field(5, 0);
  EXPECT_EQ(made(parts)->encode("ab ab"), (Ids{5, 0, 5}));
}

TEST(SentencePiece, AddsBosAsLlamaDoesUnlessTheSettingsSayOtherwise) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "tokenizer.model", SentencePieceParts().model()).has_value());
  ASSERT_TRUE(write_file(folder / "tokenizer_config.json", R"({"bos_token": "<s>"})").has_value());
  EXPECT_TRUE((*Tokenizer::load(folder.path()))->add_bos());
  ASSERT_TRUE(write_file(folder / "tokenizer_config.json", R"({"bos_token": "<s>", "add_bos_token": false})").has_value());
  EXPECT_FALSE((*Tokenizer::load(folder.path()))->add_bos());
}

TEST(SentencePiece, AddedTokensOfTheSettingsHaveTheirFlags) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "tokenizer.model", SentencePieceParts().model()).has_value());
  const auto load = [&](const std::string& decoder) {
    EXPECT_TRUE(write_file(folder / "tokenizer_config.json", "{\"added_tokens_decoder\": " + decoder + "}").has_value());
    return Tokenizer::load(folder.path());
  };
  const auto tokenizer = *load(R"({"1": {"content": "<s>", "special": false, "normalized": false}, "11": {"content": "<|x|>", "special": true, "rstrip": true}})");
  EXPECT_EQ(tokenizer->encode("<|x|>  ab<s>"), (Ids{11, 6, 1}));
  EXPECT_EQ(tokenizer->vocab_size(), 12);
  EXPECT_EQ(tokenizer->decode(Ids{11, 6, 1}, true), "ab<s>");
  for (const auto& [decoder, naming] : std::vector<std::pair<std::string, std::string>>{
           {R"({"1": {"content": "<t>"}})", "id 1 is \"<t>\" here and \"<s>\" in the vocabulary"},
           {R"({"11": {"content": "<s>"}})", "\"<s>\" has the ids 1 and 11"},
           {R"({"x": {"content": "<t>"}})", "\"x\" is no id"},
           {R"({"400000": {"content": "<t>"}})", "far beyond"},
           {R"({"11": {"content": 5}})", "added_tokens_decoder[11]"},
           {R"([])", "added_tokens_decoder"}}) {
    const auto refused = load(decoder);
    ASSERT_FALSE(refused.has_value()) << decoder;
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("tokenizer_config.json"), HasSubstr(naming)));
  }
  ASSERT_TRUE(write_file(folder / "added_tokens.json", "{}").has_value());
  EXPECT_EQ(load("{}").error().code, ErrorCode::unsupported);
}

TEST(SentencePiece, RefusesOtherModelsByName) {
  const std::vector<std::pair<int, std::string>> rows{{1, "Unigram"}, {3, "word"}, {4, "char"}, {9, "unknown type"}};
  for (const auto& [type, name] : rows) {
    SentencePieceParts parts;
    parts.trainer = test::number_field(3, static_cast<uint64_t>(type));
    expect_error(parts.model(), ErrorCode::unsupported, "the model is");
    expect_error(parts.model(), ErrorCode::unsupported, name);
  }
  SentencePieceParts parts;
  parts.trainer.clear();
  expect_error(parts.model(), ErrorCode::unsupported, "Unigram");
  parts = {};
  parts.trainer += test::number_field(24, 1);
  expect_error(parts.model(), ErrorCode::unsupported, "treat_whitespace_as_suffix");
  parts = {};
  parts.normalizer = test::bytes_field(1, "nmt_nfkc") + test::bytes_field(2, "map");
  expect_error(parts.model(), ErrorCode::unsupported, "the normalizer \"nmt_nfkc\" maps characters");
  parts.normalizer.clear();
  expect_error(parts.model(), ErrorCode::unsupported, "remove_extra_whitespaces");
  parts = {};
  parts.pieces += test::piece_field("x", 0, 5);
  expect_error(parts.model(), ErrorCode::unsupported, "pieces[9] \"x\" is unused");
}

TEST(SentencePiece, ErrorsNameFieldAndOffset) {
  const SentencePieceParts parts;
  const std::string at = fmt::format("byte {}: ", parts.pieces.size());
  const auto with = [&](const std::string& bytes) { return parts.pieces + bytes; };
  expect_error(with(test::varint(1 << 3 | 2) + test::varint(1000) + "x"), ErrorCode::invalid_file, at + "field 1 has 1000 bytes, 1 are left");
  expect_error(with(test::number_field(1, 5)), ErrorCode::invalid_file, at + "pieces must be a length and bytes");
  expect_error(with(test::number_field(2, 5)), ErrorCode::invalid_file, at + "trainer_spec must be");
  expect_error(with(std::string(11, '\xff')), ErrorCode::invalid_file, at + "the number there has no end");
  expect_error(with("\x80"), ErrorCode::invalid_file, at + "the number there has no end");
  expect_error(with(std::string(1, '\0')), ErrorCode::invalid_file, at + "0 is no field number");
  expect_error(with("\x0b"), ErrorCode::invalid_file, at + "field 1 has the wire type 3");
  expect_error(with("\x0d\x01"), ErrorCode::invalid_file, at + "field 1 has 4 bytes, 1 are left");
  const std::string inside = fmt::format("byte {}: ", parts.pieces.size() + 2);
  expect_error(with(test::bytes_field(1, test::number_field(2, 1))), ErrorCode::invalid_file, inside + "pieces[9].score must be 4 bytes");
  expect_error(with(test::bytes_field(1, test::number_field(3, 7))), ErrorCode::invalid_file, inside + "pieces[9].type is 7");
}

TEST(SentencePiece, RefusesVocabulariesThatContradictThemselves) {
  const auto with = [](const std::string& piece) {
    SentencePieceParts parts;
    parts.pieces += piece;
    return parts.model();
  };
  expect_error(with(test::piece_field("", 0, 1)), ErrorCode::invalid_file, "piece 9 is empty");
  expect_error(with(test::piece_field("ab", 0, 1)), ErrorCode::invalid_file, "pieces 5 and 9 are both \"ab\"");
  expect_error(with(test::piece_field("\xff", 0, 1)), ErrorCode::invalid_file, "piece 9");
  expect_error(with(test::piece_field("<0x41>", 0, 6)), ErrorCode::invalid_file, "1 of the 256 byte pieces");
  expect_error(with(test::piece_field("A", 0, 6)), ErrorCode::invalid_file, "is not spelled <0xNN>");
  expect_error(with(test::piece_field("x", std::nanf(""), 1)), ErrorCode::invalid_file, "a score that is no number");
  expect_error(with(test::piece_field("x", 0, 2)), ErrorCode::invalid_file, "both the unknown piece");
  SentencePieceParts parts;
  parts.pieces = test::piece_field("a", 0, 1);
  expect_error(parts.model(), ErrorCode::invalid_file, "neither an unknown piece nor byte pieces");
  parts.pieces.clear();
  expect_error(parts.model(), ErrorCode::invalid_file, "there are no pieces");
  parts = {};
  parts.trainer += test::number_field(35, 1);
  expect_error(parts.model(), ErrorCode::invalid_file, "byte_fallback");
  expect_error("", ErrorCode::unsupported, "Unigram");
}

TEST(SentencePiece, DamagedFilesLoadOrAreRefusedWithASentence) {
  const std::string model = SentencePieceParts().model();
  std::mt19937 random(11);
  int loaded = 0, refused = 0;
  const auto check = [&](const std::string& bytes) {
    auto definition = read_sentencepiece_model(bytes, "tokenizer.model");
    ++(definition ? loaded : refused);
    if (!definition) {
      EXPECT_THAT(definition.error().message, HasSubstr("tokenizer.model: "));
      return;
    }
    const auto tokenizer = *BpeTokenizer::create(*std::move(definition), {}, "tokenizer.model");
    for (const int32_t id : tokenizer->encode("abb <s> \xc3\xa9", Specials::parse)) ASSERT_TRUE(id >= 0 && id < tokenizer->vocab_size());
  };
  for (size_t size = 0; size < model.size(); ++size) check(model.substr(0, size));
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = model;
    for (size_t edits = 1 + random() % 3; edits > 0; --edits) bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    check(bytes);
  }
  EXPECT_GT(loaded, 300);
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace phiscope
