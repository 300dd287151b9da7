#include "core/tokenizer/token_decoder.h"

#include <optional>

#include "core/base/text.h"
#include "core/tokenizer/byte_alphabet.h"

namespace phiscope {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

std::string replace_all(const std::string& text, const std::string& pattern, const std::string& content) {
  std::string out;
  size_t done = 0;
  for (size_t at = text.find(pattern); at != std::string::npos; at = text.find(pattern, done)) {
    out.append(text, done, at - done).append(content);
    done = at + pattern.size();
  }
  return out.append(text, done);
}

// Bytes at the end that are the proper start of a well-formed character (Unicode table 3-7).
size_t unfinished_bytes(std::string_view text) {
  const auto byte = [&](size_t back) { return static_cast<unsigned char>(text[text.size() - back]); };
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const unsigned char lead = byte(back);
    if ((lead & 0xc0) == 0x80) continue;
    const size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
    if (back >= length) return 0;
    if (back == 1) return 1;
    const unsigned char second = byte(back - 1);
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high ? back : 0;
  }
  return 0;
}

}  // namespace

TokenDecoder::TokenDecoder(const TokenizerDefinition& definition)
    : byte_level_(definition.decoder.byte_level),
      strip_(definition.decoder.strip),
      strip_start_(definition.decoder.strip_start),
      bytes_(definition.pieces),
      special_(definition.pieces.size()),
      fallback_byte_(definition.pieces.size()) {
  for (size_t id = 0; id < bytes_.size(); ++id) {
    std::string& bytes = bytes_[id];
    if (byte_level_) {
      // A piece with any character outside the alphabet stands for itself (added tokens of spaces, for example).
      if (auto spelled = bytes_of_spelling(bytes)) bytes = *std::move(spelled);
      continue;
    }
    for (const auto& [pattern, content] : definition.decoder.replaces) {
      if (bytes.find(pattern) != std::string::npos) bytes = replace_all(bytes, pattern, content);
    }
    if (!definition.decoder.byte_fallback) continue;
    if (const auto byte = fallback_byte(bytes)) {
      bytes = *byte;
      fallback_byte_[id] = true;
    }
  }
  for (const AddedToken& token : definition.added) special_[static_cast<size_t>(token.id)] = token.special;
}

DecodingStream::DecodingStream(const TokenDecoder& decoder, bool skip_special)
    : decoder_(decoder), skip_special_(skip_special), strip_left_(decoder.strip_start()) {}

std::string DecodingStream::push(int32_t id) {
  std::string out;
  push(id, out);
  return out;
}

std::string DecodingStream::finish() {
  std::string out;
  finish(out);
  return out;
}

void DecodingStream::push(int32_t id, std::string& out) {
  if (skip_special_ && decoder_.is_special(id)) return;
  const std::string_view bytes = decoder_.bytes(id);
  if (bytes.empty()) return;
  if (decoder_.byte_level()) {
    held_ += bytes;
    const size_t keep = unfinished_bytes(held_);
    emit(std::string_view(held_).substr(0, held_.size() - keep), out);
    held_.erase(0, held_.size() - keep);
    return;
  }
  if (decoder_.is_fallback_byte(id)) {
    held_ += bytes;
    return;
  }
  flush_fallback_bytes(out);
  emit(bytes, out);
}

void DecodingStream::finish(std::string& out) {
  if (decoder_.byte_level()) {
    emit(held_, out);
    held_.clear();
  } else {
    flush_fallback_bytes(out);
  }
  strip_left_ = decoder_.strip_start();
}

// The publisher's ByteFallback: a run of byte tokens is text as a whole, or every byte of it becomes U+FFFD. A newline of a SentencePiece
// model is such a byte, which is why it comes with the token after it.
void DecodingStream::flush_fallback_bytes(std::string& out) {
  if (held_.empty()) return;
  if (is_valid_utf8(held_)) {
    emit(held_, out);
  } else {
    for (size_t i = 0; i < held_.size(); ++i) emit(kReplacement, out);
  }
  held_.clear();
}

void DecodingStream::emit(std::string_view text, std::string& out) {
  while (strip_left_ > 0 && !text.empty()) {
    if (text.front() != decoder_.strip()) {
      strip_left_ = 0;
      break;
    }
    text.remove_prefix(1);
    --strip_left_;
  }
  if (is_valid_utf8(text)) {
    out += text;
  } else {
    out += sanitize_utf8(text);
  }
}

}  // namespace phiscope
