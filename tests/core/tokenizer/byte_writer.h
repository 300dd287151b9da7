#pragma once
// SentencePiece models byte by byte, for tests that alter one field.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace phiscope::test {

inline std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}
inline std::string number_field(uint32_t field, uint64_t value) { return varint(field << 3) + varint(value); }
inline std::string bytes_field(uint32_t field, std::string_view bytes) { return varint(field << 3 | 2) + varint(bytes.size()) + std::string(bytes); }
inline std::string float_field(uint32_t field, float value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return varint(field << 3 | 5) + bytes;
}

/// One entry of `pieces`.
inline std::string piece_field(std::string_view text, float score, int type) {
  return bytes_field(1, bytes_field(1, text) + float_field(2, score) + number_field(3, static_cast<uint64_t>(type)));
}

struct SentencePieceParts {
  std::string pieces = piece_field("<unk>", 0, 2) + piece_field("<s>", 0, 3) + piece_field("\xe2\x96\x81", -3, 1) + piece_field("a", -4, 1) +
                       piece_field("b", -5, 1) + piece_field("ab", -1, 1) + piece_field("\xe2\x96\x81" "ab", -2, 1) + piece_field("bb", -1, 1) +
                       piece_field("<u>", 0, 4);
  std::string trainer = number_field(3, 2) + number_field(41, 1);  // BPE; bos_id 1
  std::string normalizer = bytes_field(1, "identity") + number_field(3, 1) + number_field(4, 0);
  std::string model() const { return pieces + bytes_field(2, trainer) + bytes_field(3, normalizer); }
};

}  // namespace phiscope::test
