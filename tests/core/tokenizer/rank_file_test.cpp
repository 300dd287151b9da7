#include "core/tokenizer/rank_file.h"

#include <gmock/gmock.h>

#include "core/base/files.h"
#include "core/base/text.h"
#include "core/tokenizer/added_token_json.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Ids = std::vector<int32_t>;

void expect_error(const std::string& text, const std::string& naming, ErrorCode code = ErrorCode::invalid_file) {
  const auto pieces = read_ranks(text, "x.tiktoken");
  ASSERT_FALSE(pieces.has_value()) << naming;
  EXPECT_EQ(pieces.error().code, code) << pieces.error().message;
  EXPECT_THAT(pieces.error().message, AllOf(HasSubstr("x.tiktoken: "), HasSubstr(naming)));
}

// The 256 bytes, then "ab" and "abc".
std::vector<std::string> small_ranks() {
  std::vector<std::string> pieces(258);
  const Json file = test::small_tokenizer();
  for (const auto& [piece, id] : file["model"]["vocab"].items()) pieces[id.get<size_t>()] = piece;
  return pieces;
}

TEST(RankFile, ReadsLinesOfBase64AndRank) {
  const std::vector<std::string> pieces = *read_ranks("YQ== 2\r\nYWI= 0\n\nIGFi 1\n", "x.tiktoken");
  EXPECT_EQ(pieces, (std::vector<std::string>{"ab", "\xc4\xa0" "ab", "a"}));
}

TEST(RankFile, ErrorsNameLineAndByte) {
  expect_error("YQ== 0\nYQ= 1\n", "line 2 at byte 7: \"YQ= 1\" is not \"<base64> <rank>\"");
  expect_error("YQ==\n", "line 1 at byte 0");
  expect_error("Y$== 0\n", "line 1 at byte 0");
  expect_error("Y=== 0\n", "line 1 at byte 0");
  expect_error(" 0\n", "line 1 at byte 0");
  expect_error("YQ== x\n", "the rank \"x\" is no number");
  expect_error("YQ== -1\n", "the rank \"-1\" is no number");
  expect_error("YQ== 99999999999\n", "is no number");
  expect_error("YQ== 300000\n", "the rank 300000 is far beyond the 2 lines");
  expect_error("YQ== 0\nYg== 0\n", "line 2 at byte 7: the rank 0 is there twice");
  expect_error("", "there is no line");
  expect_error(std::string(4000, 'Y') + " 0", "the piece has 3000 bytes", ErrorCode::unsupported);
}

TEST(RankFile, MergesTheLowestRankFirst) {
  auto definition = define_ranked(small_ranks(), "\\s+|\\S+", "x.tiktoken");
  ASSERT_TRUE(definition.has_value()) << definition.error().message;
  const std::shared_ptr<const Tokenizer> tokenizer = *BpeTokenizer::create(*std::move(definition), {}, "x.tiktoken");
  EXPECT_EQ(tokenizer->encode("abc"), (Ids{257}));
  EXPECT_EQ(tokenizer->encode("cab abcab"), (Ids{'c', 256, ' ', 257, 256}));
  EXPECT_EQ(tokenizer->piece(' '), "\xc4\xa0");
  std::string text;
  for (int i = 0; i < 200; ++i) text += "abcab";  // beyond the length where scanning becomes a heap
  const Ids ids = tokenizer->encode(text);
  ASSERT_EQ(ids.size(), 400U);
  for (size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(ids[i], i % 2 == 0 ? 257 : 256);
}

TEST(RankFile, NeedsEveryByteAndEveryPieceOnce) {
  std::vector<std::string> pieces = small_ranks();
  pieces['a'] = "";
  EXPECT_THAT(define_ranked(pieces, "a", "x.tiktoken").error().message, HasSubstr("the byte 0x61 has no rank"));
  pieces = small_ranks();
  pieces.push_back("ab");
  EXPECT_THAT(define_ranked(pieces, "a", "x.tiktoken").error().message, HasSubstr("\"ab\" has the ranks 256 and 258"));
}

TEST(RankFile, RefusesContentWhosePatternIsNotKnown) {
  const auto definition = read_rank_file("YQ== 0\n", "x.tiktoken");
  ASSERT_FALSE(definition.has_value());
  EXPECT_EQ(definition.error().code, ErrorCode::unsupported);
  EXPECT_THAT(definition.error().message, HasSubstr("x.tiktoken: its split pattern is not known"));
}

TEST(RankFile, Phi3SmallsTokensAreThoseOfItsSettings) {
  PHISCOPE_FIXTURE(settings, "tokenizers/phi-3-small/tokenizer_config.json");
  const std::vector<AddedToken> published = *read_added_tokens_decoder(*read_json_file(settings), "tokenizer_config.json");
  const std::vector<AddedToken> known = phi3_small_tokens();
  ASSERT_EQ(known.size(), published.size());
  for (size_t i = 0; i < known.size(); ++i) {
    EXPECT_EQ(known[i].id, published[i].id);
    EXPECT_EQ(known[i].content, published[i].content);
    EXPECT_EQ(known[i].special, published[i].special);
  }
}

TEST(RankFile, TakesPhi3SmallsTokensOnlyForThatModel) {
  PHISCOPE_FIXTURE(ranks, "tokenizers/phi-3-small/cl100k_base.tiktoken");
  const test::TemporaryFolder folder;
  std::filesystem::create_symlink(ranks, folder / "cl100k_base.tiktoken");
  EXPECT_THAT(Tokenizer::load(folder.path()).error().message, HasSubstr("its special tokens are not known"));
  ASSERT_TRUE(write_file(folder / "config.json", R"({"model_type": "phi3small"})").has_value());
  const auto tokenizer = Tokenizer::load(folder.path());
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->encode("This is a test.<|end|>"), (Ids{2028, 374, 264, 1296, 13, 100266}));
  EXPECT_EQ((*tokenizer)->vocab_size(), 100352);
}

// The corpus in every kind of file that says the same: the ids are equal.
void expect_same_ids(const Tokenizer& a, const Tokenizer& b) {
  PHISCOPE_FIXTURE(corpus, "corpora/wikitext-2-test.txt");
  const std::string text = *read_file(corpus);
  EXPECT_EQ(a.encode(text, Specials::as_text), b.encode(text, Specials::as_text));
}

std::shared_ptr<const Tokenizer> loaded_row(const std::string& name) {
  for (const auto& row : test::golden_rows()) {
    if (row.name == name) return test::load_row(row).tokenizer;
  }
  return nullptr;
}

TEST(SameVocabulary, GivesTheSameIdsFromRanksAndFromMerges) {
  const auto ranks = loaded_row("phi-4 ranks"), merges = loaded_row("phi-4");
  if (ranks == nullptr || merges == nullptr) GTEST_SKIP() << "fixtures of phi-4 are missing";
  expect_same_ids(*ranks, *merges);
}

TEST(SameVocabulary, GivesTheSameIdsFromScoresAndFromMerges) {
  const auto scores = loaded_row("phi-3-mini sentencepiece"), merges = loaded_row("phi-3-mini");
  if (scores == nullptr || merges == nullptr) GTEST_SKIP() << "fixtures of phi-3-mini are missing";
  expect_same_ids(*scores, *merges);
  for (size_t spaces = 1; spaces < 70; ++spaces) {
    const std::string text = "x" + std::string(spaces, ' ') + "y";
    EXPECT_EQ(scores->encode(text), merges->encode(text)) << spaces;
  }
}

// o200k's ranks as the fixtures hold them: "! first_rank base64 base64 ...".
TEST(RankFile, KnowsO200kByItsContent) {
  PHISCOPE_FIXTURE(ranks, "tokenizers/ranks/o200k_base.json");
  const Json document = *read_json_file(ranks);
  std::string text;
  for (const std::string& line : split(document["bpe_ranks"].get<std::string>(), '\n')) {
    const std::vector<std::string> words = split(line, ' ');
    for (size_t i = 2; i < words.size(); ++i) text += fmt::format("{} {}\n", words[i], std::stoul(words[1]) + i - 2);
  }
  const auto definition = read_rank_file(text, "o200k_base.tiktoken");
  ASSERT_TRUE(definition.has_value()) << definition.error().message;
  EXPECT_EQ(definition->splits[0].regex, document["pat_str"].get<std::string>());
  const auto tokenizer = *BpeTokenizer::create(*definition, {}, "o200k_base.tiktoken");
  const auto merges = loaded_row("phi-4-mini");
  if (merges != nullptr) expect_same_ids(*tokenizer, *merges);
}

}  // namespace
}  // namespace phiscope
