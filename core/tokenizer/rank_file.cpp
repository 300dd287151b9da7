#include "core/tokenizer/rank_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/base/hash.h"
#include "core/tokenizer/byte_alphabet.h"
#include "core/tokenizer/piece_map.h"
#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {
namespace {

// The longest piece of both published files has 128 bytes.
constexpr size_t kMaxPieceBytes = 1024;

struct Published {
  std::string_view name, content_hash, pattern;
};
constexpr Published kPublished[] = {
    {"cl100k_base", "7cdb781bb5d59657aa5d7bf38900641a",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"o200k_base", "dee5d4ced09a2db672a095e82ca109d6",
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

constexpr std::array<int8_t, 256> make_sextets() {
  std::array<int8_t, 256> sextets{};
  for (auto& sextet : sextets) sextet = -1;
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kDigits.size(); ++i) sextets[static_cast<unsigned char>(kDigits[i])] = static_cast<int8_t>(i);
  return sextets;
}

// Standard base64 with its padding; nullopt when it is not.
std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr auto kSextets = make_sextets();
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t word = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_padding = i >= text.size() - padding;
    const int8_t sextet = is_padding ? int8_t{0} : kSextets[static_cast<unsigned char>(text[i])];
    if (sextet < 0) return std::nullopt;
    word = word << 6 | static_cast<uint32_t>(sextet);
    if (i % 4 != 3) continue;
    for (int shift = 16; shift >= 0; shift -= 8) bytes += static_cast<char>(word >> shift & 0xff);
    word = 0;
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

// One line; the rank and the spelled piece.
Result<std::pair<int32_t, std::string>> read_line(std::string_view line) {
  const size_t space = line.find(' ');
  const auto bytes = decode_base64(line.substr(0, space));
  if (space == std::string_view::npos || !bytes) {
    return fail(ErrorCode::invalid_file, "{} is not \"<base64> <rank>\"", shown(line));
  }
  if (bytes->size() > kMaxPieceBytes) {
    return fail(ErrorCode::unsupported, "the piece has {} bytes; {} are supported", bytes->size(), kMaxPieceBytes);
  }
  int32_t rank = -1;
  const auto [end, error] = std::from_chars(line.data() + space + 1, line.data() + line.size(), rank);
  if (error != std::errc() || end != line.data() + line.size() || rank < 0 || rank > kMaxTokenId) {
    return fail(ErrorCode::invalid_file, "the rank {} is no number between 0 and {}", shown(line.substr(space + 1)), kMaxTokenId);
  }
  return std::pair(rank, spelling_of_bytes(*bytes));
}

}  // namespace

Result<std::vector<std::string>> read_ranks(std::string_view text, std::string_view where) {
  std::vector<std::string> pieces;
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  pieces.reserve(std::min(lines, static_cast<size_t>(kMaxTokenId) + 1));
  size_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto place = [&] { return fmt::format("{}: line {} at byte {}", where, number, begin); };
    if (!line.empty()) {
      auto piece = read_line(line);
      if (!piece) return fail(piece.error().with_context(place()));
      const auto row = static_cast<size_t>(piece->first);
      if (row > lines + kMaxIdGap) return fail(ErrorCode::invalid_file, "{}: the rank {} is far beyond the {} lines of the file", place(), row, lines);
      if (row >= pieces.size()) pieces.resize(row + 1);
      if (!pieces[row].empty()) return fail(ErrorCode::invalid_file, "{}: the rank {} is there twice", place(), row);
      pieces[row] = std::move(piece->second);
    }
    begin = end + 1;
  }
  if (pieces.empty()) return fail(ErrorCode::invalid_file, "{}: there is no line", where);
  return pieces;
}

Result<TokenizerDefinition> define_ranked(std::vector<std::string> pieces, std::string_view pattern, std::string_view where) {
  TokenizerDefinition out;
  out.piece_ranks.assign(pieces.size(), kNoRank);
  PieceMap map(pieces, pieces.size());
  for (size_t rank = 0; rank < pieces.size(); ++rank) {
    if (pieces[rank].empty()) continue;
    const int32_t first = map.insert(static_cast<int32_t>(rank));
    if (first >= 0) return fail(ErrorCode::invalid_file, "{}: {} has the ranks {} and {}", where, shown(pieces[rank]), first, rank);
    out.piece_ranks[rank] = static_cast<uint32_t>(rank);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    if (map.find(spelling_of_bytes({&character, 1})) >= 0) continue;
    return fail(ErrorCode::invalid_file, "{}: the byte 0x{:02x} has no rank", where, byte);
  }
  out.pieces = std::move(pieces);
  out.splits.push_back({std::string(pattern), SplitBehavior::isolated, false});
  out.byte_level = out.decoder.byte_level = out.ignore_merges = true;
  return out;
}

Result<TokenizerDefinition> read_rank_file(std::string_view text, std::string_view where) {
  PHISCOPE_ASSIGN(std::vector<std::string> pieces, read_ranks(text, where));
  const std::string hash = hash_text(text);
  const auto known = std::find_if(std::begin(kPublished), std::end(kPublished), [&](const Published& row) { return row.content_hash == hash; });
  if (known == std::end(kPublished)) {
    return fail(ErrorCode::unsupported, "{}: its split pattern is not known, the content being neither cl100k_base nor o200k_base; put a tokenizer.json beside it",
                where);
  }
  return define_ranked(std::move(pieces), known->pattern, where);
}

std::vector<AddedToken> phi3_small_tokens() {
  constexpr int32_t kFirst = 100256, kLast = 100351;
  constexpr std::pair<int32_t, std::string_view> kNamed[] = {
      {100257, "<|endoftext|>"}, {100258, "<|fim_prefix|>"}, {100259, "<|fim_middle|>"}, {100260, "<|fim_suffix|>"}, {100261, "<|system|>"},
      {100262, "<|user|>"},      {100263, "<|assistant|>"},  {100264, "<|dummy_id_0|>"}, {100265, "<|dummy_id_1|>"}, {100256, "<|dummy_id_2|>"},
      {100266, "<|end|>"},       {100276, "<|endofprompt|>"}};
  std::vector<AddedToken> tokens;
  int dummy = 3;  // the others are numbered on from here
  for (int32_t id = kFirst; id <= kLast; ++id) {
    const auto named = std::find_if(std::begin(kNamed), std::end(kNamed), [&](const auto& row) { return row.first == id; });
    AddedToken token;
    token.id = id;
    token.content = named != std::end(kNamed) ? std::string(named->second) : fmt::format("<|dummy_id_{}|>", dummy++);
    token.special = true;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace phiscope
