#include <random>

#include "core/base/text.h"
#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

std::string streamed(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  StreamDecoder stream(tokenizer, skip_special);
  std::string joined;
  for (const int32_t id : ids) {
    const std::string piece = stream.push(id);
    EXPECT_TRUE(is_valid_utf8(piece));
    joined += piece;
  }
  return joined + stream.finish();
}

TEST(StreamDecoder, HoldsBackHalfACharacter) {
  const auto tokenizer = *test::load_text(test::small_tokenizer().dump());
  StreamDecoder stream(tokenizer);
  EXPECT_EQ(stream.push(0xf0), "");
  EXPECT_EQ(stream.push(0x9f), "");
  EXPECT_EQ(stream.push(0x91), "");
  EXPECT_EQ(stream.push(0x8d), "\xf0\x9f\x91\x8d");
  EXPECT_EQ(stream.push(0xe4), "");
  EXPECT_EQ(stream.push('a'), "\xef\xbf\xbd" "a");
  EXPECT_EQ(stream.push(0xe0), "");
  EXPECT_EQ(stream.push(0x80), "\xef\xbf\xbd\xef\xbf\xbd");  // E0 80 can never become a character
  EXPECT_EQ(stream.push(0xc3), "");
  EXPECT_EQ(stream.finish(), "\xef\xbf\xbd");
  EXPECT_EQ(stream.push('b'), "b");
}

TEST(StreamDecoder, LeavesOutIdsOutsideTheVocabulary) {
  const auto tokenizer = *test::load_text(test::small_tokenizer().dump());
  const std::vector<int32_t> ids{'a', -1, 259, 2147483647, -2147483647, 'b'};
  EXPECT_EQ(tokenizer->decode(ids), "ab");
  EXPECT_EQ(streamed(tokenizer, ids, false), "ab");
  EXPECT_EQ(tokenizer->piece(259), "");
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
}

TEST(StreamDecoder, JoinsToTheDecodedTextForAnyIds) {
  for (const auto& row : test::golden_rows()) {
    const auto tokenizer = test::load_row(row).tokenizer;
    if (tokenizer == nullptr) continue;
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
      std::vector<int32_t> ids(1 + random() % 12);
      // Low ids are bytes and specials in most vocabularies: half characters and broken runs.
      for (int32_t& id : ids) id = static_cast<int32_t>(random() % (round % 2 == 0 ? 300U : static_cast<uint32_t>(tokenizer->vocab_size()) + 5));
      for (const bool skip_special : {false, true}) {
        EXPECT_EQ(streamed(tokenizer, ids, skip_special), tokenizer->decode(ids, skip_special)) << row.name;
      }
    }
  }
}

TEST(StreamDecoder, TakesOneLeadingSpaceOffASentencePieceText) {
  PHISCOPE_FIXTURE(folder, "tokenizers/phi-3-mini");
  const auto tokenizer = *Tokenizer::load(folder);
  StreamDecoder stream(tokenizer);
  EXPECT_EQ(stream.push(15043), "Hello");
  EXPECT_EQ(stream.push(3186), " world");
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(stream.push(15043), "Hello");
  // A run of byte tokens is text as a whole or not at all, so it waits for what follows.
  EXPECT_EQ(stream.push(13), "");
  EXPECT_EQ(stream.push(3186), "\n world");
}

}  // namespace
}  // namespace phiscope
