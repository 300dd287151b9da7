#include "core/tokenizer/bpe_tokenizer.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace phiscope {
namespace {

std::string normalize(std::string text, const std::vector<NormalizerStep>& steps) {
  for (const NormalizerStep& step : steps) {
    if (text.empty()) break;
    if (step.kind == NormalizerStep::Kind::prepend) {
      text.insert(0, step.content);
      continue;
    }
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    size_t done = 0;
    for (size_t at = text.find(step.pattern); at != std::string::npos; at = text.find(step.pattern, done)) {
      out.append(text, done, at - done).append(step.content);
      done = at + step.pattern.size();
    }
    text = std::move(out.append(text, done));
  }
  return text;
}

}  // namespace

struct BpeTokenizer::Encoding {
  BpeModel::Scratch scratch;
  std::vector<RegexScratch> regexes;
  Specials specials;
  std::vector<int32_t> ids;
};

Result<std::shared_ptr<const BpeTokenizer>> BpeTokenizer::create(TokenizerDefinition definition, TokenizerSettings settings,
                                                                 std::string_view where) {
  std::vector<AddedToken> raw, normalized;
  for (AddedToken token : definition.added) {
    if (token.normalized) token.content = normalize(std::move(token.content), definition.normalizer);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  PHISCOPE_ASSIGN(AddedTokenMatcher raw_matcher, AddedTokenMatcher::create(std::move(raw)));
  PHISCOPE_ASSIGN(AddedTokenMatcher normalized_matcher, AddedTokenMatcher::create(std::move(normalized)));
  std::vector<Splitter> splitters;
  for (const SplitStep& step : definition.splits) {
    PHISCOPE_ASSIGN(Splitter splitter, Splitter::create(step, fmt::format("{}: pre_tokenizer", where)));
    splitters.push_back(std::move(splitter));
  }
  return std::shared_ptr<const BpeTokenizer>(new BpeTokenizer(std::move(definition), std::move(settings), std::move(raw_matcher),
                                                              std::move(normalized_matcher), std::move(splitters)));
}

BpeTokenizer::BpeTokenizer(TokenizerDefinition definition, TokenizerSettings settings, AddedTokenMatcher raw, AddedTokenMatcher normalized,
                           std::vector<Splitter> splitters)
    : model_(definition),
      decoder_(definition),
      settings_(std::move(settings)),
      byte_level_(definition.byte_level),
      add_prefix_space_(definition.add_prefix_space),
      pieces_(std::move(definition.pieces)),
      added_(std::move(definition.added)),
      normalizer_(std::move(definition.normalizer)),
      raw_(std::move(raw)),
      normalized_(std::move(normalized)),
      splitters_(std::move(splitters)) {}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text, Specials specials) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = sanitize_utf8(text);
  Encoding encoding{BpeModel::Scratch(text.size()), {}, specials, {}};
  encoding.ids.reserve(text.size() / 4 + 1);
  for (const Splitter& splitter : splitters_) encoding.regexes.push_back(splitter.scratch());
  for (const auto& segment : raw_.cut(text, specials)) {
    if (segment.id >= 0) {
      encoding.ids.push_back(segment.id);
    } else {
      encode_segment(segment.text, encoding);
    }
  }
  return std::move(encoding.ids);
}

void BpeTokenizer::encode_segment(std::string_view text, Encoding& encoding) const {
  std::string normal;
  if (!normalizer_.empty()) text = normal = normalize(std::string(text), normalizer_);
  for (const auto& segment : normalized_.cut(text, encoding.specials)) {
    if (segment.id >= 0) {
      encoding.ids.push_back(segment.id);
    } else if (add_prefix_space_ && !segment.text.starts_with(' ')) {
      encode_words(std::string(" ").append(segment.text), 0, encoding);
    } else {
      encode_words(segment.text, 0, encoding);
    }
  }
}

void BpeTokenizer::encode_words(std::string_view text, size_t splitter, Encoding& encoding) const {
  if (splitter == splitters_.size()) {
    if (splitters_.empty()) return model_.encode_unsplit(text, encoding.scratch, encoding.ids);
    return model_.encode_word(text, encoding.scratch, encoding.ids);
  }
  splitters_[splitter].split(text, encoding.regexes[splitter],
                             [&](std::string_view piece) { encode_words(piece, splitter + 1, encoding); });
}

std::string BpeTokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  DecodingStream stream(decoder_, skip_special);
  std::string text;
  for (const int32_t id : ids) stream.push(id, text);
  stream.finish(text);
  return text;
}

std::string BpeTokenizer::piece(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < pieces_.size() ? pieces_[static_cast<size_t>(id)] : std::string();
}

std::unique_ptr<TokenStream> BpeTokenizer::stream(bool skip_special) const {
  return std::make_unique<DecodingStream>(decoder_, skip_special);
}

}  // namespace phiscope
