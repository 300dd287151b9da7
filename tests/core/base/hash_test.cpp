#include "core/base/hash.h"

#include <gtest/gtest.h>

namespace phiscope {
namespace {

// The specification's value of XXH3_128bits for empty input, seed 0; `printf '' | xxhsum -H2` prints the same digits.
TEST(Hash, OfNothingIsThePublishedValue) { EXPECT_EQ(hash_text(""), "99aa06d3014798d86001c324468d497f"); }

TEST(Hash, DiffersByOneBit) { EXPECT_NE(hash_text("phi-3"), hash_text("phi-2")); }

TEST(Hasher, EqualsTheOneShotFormWhateverThePieces) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 31 % 251);
  const std::string expected = hash_text(text);
  for (const size_t piece : {1u, 7u, 240u, 1024u, 4999u}) {
    Hasher hasher;
    for (size_t at = 0; at < text.size(); at += piece) hasher.update(std::string_view(text).substr(at, piece));
    EXPECT_EQ(hasher.hex(), expected) << piece;
  }
}

TEST(Hasher, CanContinueAfterHexAndBeMoved) {
  Hasher hasher;
  hasher.update("abc");
  EXPECT_EQ(hasher.hex(), hash_text("abc"));
  Hasher moved = std::move(hasher);
  moved.update("def");
  EXPECT_EQ(moved.hex(), hash_text("abcdef"));
}

}  // namespace
}  // namespace phiscope
