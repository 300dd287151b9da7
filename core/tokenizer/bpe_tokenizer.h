#pragma once
// A tokenizer from its definition: added tokens, normalizer, pre-tokenizer, BPE, decoder.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/tokenizer/added_token_matcher.h"
#include "core/tokenizer/bpe_model.h"
#include "core/tokenizer/definition.h"
#include "core/tokenizer/splitter.h"
#include "core/tokenizer/token_decoder.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope {

/// What the files beside the vocabulary say.
struct TokenizerSettings {
  std::optional<int32_t> bos, eos;
  bool add_bos = false;
  std::vector<int32_t> stop_ids;  // sorted, unique
  std::string chat_template;
  std::string hash;
};

class BpeTokenizer final : public Tokenizer {
 public:
  /// Errors of the patterns, naming `where`.
  static Result<std::shared_ptr<const BpeTokenizer>> create(TokenizerDefinition definition, TokenizerSettings settings,
                                                            std::string_view where);

  std::vector<int32_t> encode(std::string_view text, Specials specials) const override;
  std::string decode(std::span<const int32_t> ids, bool skip_special) const override;
  std::string piece(int32_t id) const override;
  std::string token_bytes(int32_t id) const override { return std::string(decoder_.bytes(id)); }
  std::unique_ptr<TokenStream> stream(bool skip_special) const override;

  std::string kind() const override { return byte_level_ ? "byte-level BPE" : "SentencePiece BPE"; }
  int32_t vocab_size() const override { return static_cast<int32_t>(pieces_.size()); }
  std::optional<int32_t> bos() const override { return settings_.bos; }
  std::optional<int32_t> eos() const override { return settings_.eos; }
  bool add_bos() const override { return settings_.add_bos; }
  std::vector<int32_t> stop_ids() const override { return settings_.stop_ids; }
  const std::vector<AddedToken>& added_tokens() const override { return added_; }
  std::string chat_template() const override { return settings_.chat_template; }
  std::string hash() const override { return settings_.hash; }

 private:
  struct Encoding;  // one encode call

  BpeTokenizer(TokenizerDefinition definition, TokenizerSettings settings, AddedTokenMatcher raw, AddedTokenMatcher normalized,
               std::vector<Splitter> splitters);
  void encode_segment(std::string_view text, Encoding& encoding) const;
  void encode_words(std::string_view text, size_t splitter, Encoding& encoding) const;

  BpeModel model_;
  TokenDecoder decoder_;
  TokenizerSettings settings_;
  bool byte_level_, add_prefix_space_;
  std::vector<std::string> pieces_;
  std::vector<AddedToken> added_;
  std::vector<NormalizerStep> normalizer_;
  AddedTokenMatcher raw_, normalized_;  // searched before, and after, the normalizer
  std::vector<Splitter> splitters_;
};

}  // namespace phiscope
