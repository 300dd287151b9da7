#pragma once
// Finds added tokens in a text: leftmost, then longest, never overlapping; the flags as in the publisher's library.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/tokenizer/regex.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope {

/// Immutable; thread-safe. Memory is proportional to the contents, and a look-up at one position to the longest content.
class AddedTokenMatcher {
 public:
  struct Segment {
    std::string_view text;
    int32_t id = -1;  // of the added token; -1 = ordinary text
  };

  /// `tokens` with the contents to look for; empty contents match nothing.
  static Result<AddedTokenMatcher> create(std::vector<AddedToken> tokens);

  /// Cuts `text`; no segment of ordinary text is empty. With as_text special tokens are ordinary text.
  std::vector<Segment> cut(std::string_view text, Specials specials) const;
  bool empty() const { return tokens_.empty(); }

 private:
  const AddedToken* longest_at(std::string_view text, size_t position) const;
  bool stands_alone(std::string_view text, size_t begin, size_t end) const;

  std::vector<AddedToken> tokens_;          // sorted by content, so that a prefix is a range
  std::array<size_t, 257> first_byte_{};    // tokens whose content starts with byte b: [first_byte_[b], first_byte_[b + 1])
  std::vector<Regex> word_;                 // one: matches a word character; none when no token asks for it
};

/// Bytes of white space (Unicode White_Space) at the start, and at the end, of well-formed UTF-8.
size_t leading_space_bytes(std::string_view text);
size_t trailing_space_bytes(std::string_view text);

}  // namespace phiscope
