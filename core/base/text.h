#pragma once
// Small text helpers that no package gives in this form.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phiscope {

/// "1.23 GB", "512 B": decimal units, three significant digits.
std::string format_bytes(uint64_t bytes);
/// "3.1 s", "2 min 5 s".
std::string format_seconds(double seconds);
/// Locale-independent, `digits` significant digits, no exponent between 1e-4 and 1e9.
std::string format_number(double value, int digits = 4);
/// The candidate with the smallest edit distance, empty when none is near (distance > max(2, length / 3)).
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
/// True for well-formed UTF-8 (no surrogates, no overlong forms).
bool is_valid_utf8(std::string_view text);
/// Replaces every ill-formed sequence by U+FFFD, one per maximal subpart, as Unicode recommends.
std::string sanitize_utf8(std::string_view text);

}  // namespace phiscope
