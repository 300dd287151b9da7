#pragma once
// Ids to text, one id at a time; decode() of a whole list is the same stream, so the two cannot differ.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer/definition.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope {

/// What every token stands for. Immutable; thread-safe.
class TokenDecoder {
 public:
  explicit TokenDecoder(const TokenizerDefinition& definition);

  /// Bytes that the token adds in the middle of a text; empty for unknown ids.
  std::string_view bytes(int32_t id) const { return known(id) ? bytes_[static_cast<size_t>(id)] : std::string_view(); }
  bool is_special(int32_t id) const { return known(id) && special_[static_cast<size_t>(id)]; }
  bool is_fallback_byte(int32_t id) const { return known(id) && fallback_byte_[static_cast<size_t>(id)]; }
  bool byte_level() const { return byte_level_; }
  char strip() const { return strip_; }
  int strip_start() const { return strip_start_; }

 private:
  bool known(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < bytes_.size(); }

  bool byte_level_;
  char strip_;
  int strip_start_;
  std::vector<std::string> bytes_;
  std::vector<bool> special_, fallback_byte_;
};

/// Appends to a caller's text, so that decode() copies nothing.
class DecodingStream : public TokenStream {
 public:
  /// The decoder must outlive the stream.
  DecodingStream(const TokenDecoder& decoder, bool skip_special);
  std::string push(int32_t id) override;
  std::string finish() override;
  void push(int32_t id, std::string& out);
  void finish(std::string& out);

 private:
  void flush_fallback_bytes(std::string& out);
  void emit(std::string_view text, std::string& out);

  const TokenDecoder& decoder_;
  bool skip_special_;
  int strip_left_;     // characters that the start of the text may still lose
  std::string held_;  // byte-level: the start of a character; else a run of fallback bytes
};

}  // namespace phiscope
