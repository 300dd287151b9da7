#include "core/tokenizer/byte_alphabet.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace phiscope {
namespace {

// The table of GPT-2's bytes_to_unicode(): printable Latin-1 characters stand for themselves, the 68 others for U+0100 onwards, in order.
constexpr size_t kAlphabetEnd = 0x100 + 68;

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

constexpr std::array<int16_t, kAlphabetEnd> make_byte_of() {
  std::array<int16_t, kAlphabetEnd> byte_of{};
  for (auto& entry : byte_of) entry = -1;
  size_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    byte_of[stands_for_itself(byte) ? static_cast<size_t>(byte) : next++] = static_cast<int16_t>(byte);
  }
  return byte_of;
}

constexpr auto kByteOf = make_byte_of();

constexpr std::array<uint16_t, 256> make_character_of() {
  std::array<uint16_t, 256> character_of{};
  for (size_t code = 0; code < kAlphabetEnd; ++code) {
    if (kByteOf[code] >= 0) character_of[static_cast<size_t>(kByteOf[code])] = static_cast<uint16_t>(code);
  }
  return character_of;
}

constexpr auto kCharacterOf = make_character_of();

}  // namespace

char32_t next_codepoint(std::string_view text, size_t& position) {
  const auto byte = [&](size_t offset) { return static_cast<char32_t>(static_cast<unsigned char>(text[position + offset])); };
  const char32_t lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t code = length == 1 ? lead : lead & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3f);
  position += length;
  return code;
}

std::optional<std::string> bytes_of_spelling(std::string_view piece) {
  std::string bytes;
  bytes.reserve(piece.size());
  for (size_t position = 0; position < piece.size();) {
    const char32_t code = next_codepoint(piece, position);
    if (code >= kAlphabetEnd || kByteOf[code] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kByteOf[code]));
  }
  return bytes;
}

std::string spelling_of_bytes(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) {
    const uint16_t code = kCharacterOf[static_cast<unsigned char>(byte)];
    if (code < 0x80) {
      spelling += static_cast<char>(code);
    } else {
      spelling += static_cast<char>(0xc0 | code >> 6);
      spelling += static_cast<char>(0x80 | (code & 0x3f));
    }
  }
  return spelling;
}

std::optional<char> fallback_byte(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, value, 16);
  if (error != std::errc() || end != piece.data() + 5) return std::nullopt;
  return static_cast<char>(value);
}

}  // namespace phiscope
