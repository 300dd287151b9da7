#pragma once
// JSON by nlohmann-json, with errors as values. Include only from .cpp files and from headers that exchange documents.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace phiscope {

using Json = nlohmann::ordered_json;

/// Parses one document; nesting deeper than 64 levels is refused. Errors: invalid_file naming `where` and the byte offset.
Result<Json> parse_json(std::string_view text, std::string_view where);
Result<Json> read_json_file(const std::filesystem::path& path, uint64_t limit_bytes = uint64_t{1} << 30);

/// Typed look-ups. Errors: invalid_file "<where>: key 'x' is missing" / "... must be a whole number, it is a string".
/// Integers are refused outside [low, high]; numbers must be finite.
Result<int64_t> json_int(const Json& object, std::string_view key, std::string_view where, int64_t low, int64_t high);
Result<int64_t> json_int_or(const Json& object, std::string_view key, int64_t fallback, std::string_view where, int64_t low,
                            int64_t high);
Result<double> json_number(const Json& object, std::string_view key, std::string_view where);
Result<double> json_number_or(const Json& object, std::string_view key, double fallback, std::string_view where);
Result<std::string> json_string(const Json& object, std::string_view key, std::string_view where);
std::string json_string_or(const Json& object, std::string_view key, std::string_view fallback);
Result<bool> json_bool_or(const Json& object, std::string_view key, bool fallback, std::string_view where);

/// One line without newlines, invalid UTF-8 replaced: safe for JSON-lines protocols.
std::string dump_line(const Json& value);

}  // namespace phiscope
