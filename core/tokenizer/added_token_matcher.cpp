#include "core/tokenizer/added_token_matcher.h"

#include <algorithm>

#include "core/tokenizer/byte_alphabet.h"

namespace phiscope {
namespace {

bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

// Start of the last character before `end`.
size_t last_character(std::string_view text, size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80);
  return end;
}

unsigned char byte_at(const AddedToken& token, size_t depth) { return static_cast<unsigned char>(token.content[depth]); }

}  // namespace

size_t leading_space_bytes(std::string_view text) {
  size_t end = 0;
  for (size_t position = 0; position < text.size(); end = position) {
    if (!is_white_space(next_codepoint(text, position))) break;
  }
  return end;
}

size_t trailing_space_bytes(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    const size_t character = last_character(text, begin);
    size_t position = character;
    if (!is_white_space(next_codepoint(text, position))) break;
    begin = character;
  }
  return text.size() - begin;
}

Result<AddedTokenMatcher> AddedTokenMatcher::create(std::vector<AddedToken> tokens) {
  AddedTokenMatcher matcher;
  std::erase_if(tokens, [](const AddedToken& token) { return token.content.empty(); });
  std::sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  // A normalizer can make two contents equal; the publisher's library then finds the one that was added first.
  tokens.erase(std::unique(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) { return a.content == b.content; }),
               tokens.end());
  for (const AddedToken& token : tokens) ++matcher.first_byte_[byte_at(token, 0) + 1U];
  for (size_t byte = 0; byte < 256; ++byte) matcher.first_byte_[byte + 1] += matcher.first_byte_[byte];
  if (std::any_of(tokens.begin(), tokens.end(), [](const AddedToken& token) { return token.single_word; })) {
    PHISCOPE_ASSIGN(Regex word, Regex::compile("\\w", "added_tokens"));
    matcher.word_.push_back(std::move(word));
  }
  matcher.tokens_ = std::move(tokens);
  return matcher;
}

const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, size_t position) const {
  const auto first = static_cast<unsigned char>(text[position]);
  size_t low = first_byte_[first], high = first_byte_[first + 1U];
  const AddedToken* best = nullptr;
  for (size_t depth = 1; low < high; ++depth) {
    if (tokens_[low].content.size() == depth) best = &tokens_[low++];
    if (low == high || position + depth == text.size()) break;
    const auto byte = static_cast<unsigned char>(text[position + depth]);
    const auto begin = tokens_.begin() + static_cast<ptrdiff_t>(low), end = tokens_.begin() + static_cast<ptrdiff_t>(high);
    const auto from = std::partition_point(begin, end, [&](const AddedToken& token) { return byte_at(token, depth) < byte; });
    const auto to = std::partition_point(from, end, [&](const AddedToken& token) { return byte_at(token, depth) == byte; });
    low = static_cast<size_t>(from - tokens_.begin());
    high = static_cast<size_t>(to - tokens_.begin());
  }
  return best;
}

bool AddedTokenMatcher::stands_alone(std::string_view text, size_t begin, size_t end) const {
  const auto is_word = [&](size_t from) {
    size_t to = from;
    next_codepoint(text, to);
    RegexScratch scratch(word_[0]);
    return word_[0].next(text.substr(from, to - from), 0, scratch).has_value();
  };
  return (begin == 0 || !is_word(last_character(text, begin))) && (end == text.size() || !is_word(end));
}

std::vector<AddedTokenMatcher::Segment> AddedTokenMatcher::cut(std::string_view text, Specials specials) const {
  std::vector<Segment> segments;
  size_t done = 0;  // everything before is in a segment
  for (size_t position = 0; position < text.size();) {
    const AddedToken* token = longest_at(text, position);
    if (token == nullptr) {
      ++position;
      continue;
    }
    size_t begin = position, end = position + token->content.size();
    position = end;
    if (token->special && specials == Specials::as_text) continue;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->lstrip && begin > done) begin -= trailing_space_bytes(text.substr(done, begin - done));
    if (token->rstrip) end += leading_space_bytes(text.substr(end));
    if (done < begin) segments.push_back({text.substr(done, begin - done), -1});
    segments.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done), -1});
  return segments;
}

}  // namespace phiscope
