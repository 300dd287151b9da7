#include "core/tokenizer/scored_pieces.h"

#include <algorithm>
#include <cmath>

#include "core/base/text.h"
#include "core/tokenizer/byte_alphabet.h"
#include "core/tokenizer/piece_map.h"
#include "core/tokenizer/tokenizer_document.h"

namespace phiscope {
namespace {

constexpr const char* kSpaceMark = "\xe2\x96\x81";  // U+2581

Status check_piece(const ScoredPiece& piece, size_t id, std::string_view where) {
  if (piece.text.empty()) return fail(ErrorCode::invalid_file, "{}: piece {} is empty", where, id);
  if (!is_valid_utf8(piece.text)) return fail(ErrorCode::invalid_file, "{}: piece {} {} is not UTF-8", where, id, shown(piece.text));
  if (std::isnan(piece.score)) return fail(ErrorCode::invalid_file, "{}: piece {} {} has a score that is no number", where, id, shown(piece.text));
  if (piece.type == PieceType::byte && !fallback_byte(piece.text)) {
    return fail(ErrorCode::invalid_file, "{}: piece {} {} is a byte, but is not spelled <0xNN>", where, id, shown(piece.text));
  }
  const bool is_added = piece.type == PieceType::unknown || piece.type == PieceType::control || piece.type == PieceType::user_defined;
  if (is_added && piece.text.size() > kMaxAddedTokenBytes) {
    return fail(ErrorCode::unsupported, "{}: piece {} has {} bytes; {} are supported for a token of its kind", where, id, piece.text.size(),
                kMaxAddedTokenBytes);
  }
  return {};
}

// Equal scores have equal ranks, so that the leftmost is merged first.
std::vector<uint32_t> ranks_of(const std::vector<ScoredPiece>& pieces) {
  std::vector<float> scores;
  for (const ScoredPiece& piece : pieces) {
    if (piece.type == PieceType::normal) scores.push_back(piece.score);
  }
  std::sort(scores.begin(), scores.end(), std::greater<>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  std::vector<uint32_t> ranks(pieces.size(), kNoRank);
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type != PieceType::normal) continue;
    const auto row = std::lower_bound(scores.begin(), scores.end(), pieces[id].score, std::greater<>());
    ranks[id] = static_cast<uint32_t>(row - scores.begin());
  }
  return ranks;
}

// How many byte pieces there are, and which piece is the unknown one.
Status read_types(const std::vector<ScoredPiece>& pieces, std::string_view where, TokenizerDefinition& out) {
  std::vector<bool> bytes(256);
  for (size_t id = 0; id < pieces.size(); ++id) {
    PHISCOPE_TRY(check_piece(pieces[id], id, where));
    if (pieces[id].type == PieceType::byte) bytes[static_cast<unsigned char>(*fallback_byte(pieces[id].text))] = true;
    if (pieces[id].type != PieceType::unknown) continue;
    if (out.unk >= 0) return fail(ErrorCode::invalid_file, "{}: pieces {} and {} are both the unknown piece", where, out.unk, id);
    out.unk = static_cast<int32_t>(id);
  }
  const auto count = std::count(bytes.begin(), bytes.end(), true);
  if (count != 0 && count != 256) return fail(ErrorCode::invalid_file, "{}: {} of the 256 byte pieces are there; all or none must be", where, count);
  out.byte_fallback = count == 256;
  if (!out.byte_fallback && out.unk < 0) return fail(ErrorCode::invalid_file, "{}: there is neither an unknown piece nor byte pieces", where);
  return {};
}

Status check_unique(const std::vector<std::string>& pieces, std::string_view where) {
  PieceMap map(pieces, pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    const int32_t first = map.insert(static_cast<int32_t>(id));
    if (first >= 0) return fail(ErrorCode::invalid_file, "{}: pieces {} and {} are both {}", where, first, id, shown(pieces[id]));
  }
  return {};
}

}  // namespace

Result<TokenizerDefinition> define_scored(ScoredVocabulary vocabulary, std::string_view where) {
  TokenizerDefinition out;
  std::vector<ScoredPiece>& pieces = vocabulary.pieces;
  if (pieces.empty()) return fail(ErrorCode::invalid_file, "{}: there are no pieces", where);
  if (pieces.size() > static_cast<size_t>(kMaxTokenId) + 1) {
    return fail(ErrorCode::unsupported, "{}: there are {} pieces; {} are supported", where, pieces.size(), kMaxTokenId + 1);
  }
  PHISCOPE_TRY(read_types(pieces, where, out));
  out.fuse_unk = true;
  out.piece_ranks = ranks_of(pieces);
  for (size_t id = 0; id < pieces.size(); ++id) {
    const PieceType type = pieces[id].type;
    if (type == PieceType::unknown || type == PieceType::control || type == PieceType::user_defined) {
      out.added.push_back({.id = static_cast<int32_t>(id), .content = pieces[id].text, .special = type != PieceType::user_defined});
    }
    out.pieces.push_back(std::move(pieces[id].text));
  }
  PHISCOPE_TRY(check_unique(out.pieces, where));

  const std::string space = vocabulary.escapes_spaces ? kSpaceMark : " ";
  if (vocabulary.add_space_prefix) out.normalizer.push_back({NormalizerStep::Kind::prepend, "", space});
  if (vocabulary.escapes_spaces) {
    out.normalizer.push_back({NormalizerStep::Kind::replace, " ", space});
    out.decoder.replaces.emplace_back(space, " ");
  }
  out.decoder.byte_fallback = out.byte_fallback;
  out.decoder.strip_start = vocabulary.add_space_prefix ? 1 : 0;
  return out;
}

}  // namespace phiscope
