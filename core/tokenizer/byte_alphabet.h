#pragma once
// GPT-2's printable spelling of bytes: every byte is one character, so that vocabularies can be stored as text ("Ġthe" is " the").

#include <optional>
#include <string>
#include <string_view>

namespace phiscope {

/// Reads one character at `position` of well-formed UTF-8 and advances.
char32_t next_codepoint(std::string_view text, size_t& position);

/// The bytes that a spelled piece stands for; nullopt when a character is outside the alphabet.
std::optional<std::string> bytes_of_spelling(std::string_view piece);

/// The spelling of any bytes.
std::string spelling_of_bytes(std::string_view bytes);

/// "<0x0A>", the spelling of one byte in SentencePiece vocabularies.
std::optional<char> fallback_byte(std::string_view piece);

}  // namespace phiscope
