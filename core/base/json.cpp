#include "core/base/json.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "core/base/files.h"

namespace phiscope {
namespace {

constexpr size_t kMaximumDepth = 64;

/// Builds the document from parse events. nlohmann's own builder looks every new key up by linear search, which is quadratic on a
/// vocabulary of 200,000 entries; here keys are appended and checked for duplicates once, when their object closes.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return refuse("binary values are not JSON"); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool key(string_t& value) override {
    open_.back()->get_ref<Json::object_t&>().emplace_back(std::move(value), nullptr);
    return true;
  }
  bool end_object() override {
    if (const std::string* twice = duplicate_key(open_.back()->get_ref<const Json::object_t&>()))
      return refuse(fmt::format("key '{}' appears twice in one object", *twice));
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    return refuse(fmt::format("byte {}: {}", position, without_prefix(error.what())));
  }

  std::string reason;
  Json root;

 private:
  /// The place for the next value: the root, the end of an array, or the value of the key that was just read.
  Json& place() {
    if (open_.empty()) return root;
    Json& parent = *open_.back();
    if (parent.is_object()) return parent.get_ref<Json::object_t&>().back().second;
    return parent.get_ref<Json::array_t&>().emplace_back();
  }
  bool add(Json value) {
    place() = std::move(value);
    return true;
  }
  bool open(Json empty) {
    if (open_.size() == kMaximumDepth) return refuse(fmt::format("is nested deeper than {} levels", kMaximumDepth));
    Json& container = place();
    container = std::move(empty);
    open_.push_back(&container);  // stays valid: a parent does not grow while its last child is open
    return true;
  }
  bool refuse(std::string why) {
    if (reason.empty()) reason = std::move(why);
    return false;
  }

  static const std::string* duplicate_key(const Json::object_t& object) {
    std::vector<const std::string*> keys;
    keys.reserve(object.size());
    for (const auto& entry : object) keys.push_back(&entry.first);
    std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a < *b; });
    const auto twice = std::adjacent_find(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a == *b; });
    return twice == keys.end() ? nullptr : *twice;
  }

  /// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> "syntax error ..."
  static std::string_view without_prefix(std::string_view what) {
    for (const std::string_view mark : {std::string_view("] "), std::string_view(": ")}) {
      const size_t at = what.find(mark);
      if (at != std::string_view::npos) what.remove_prefix(at + mark.size());
    }
    return what;
  }

  std::vector<Json*> open_;
};

std::string_view described(const Json& value) {
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "true or false";
  if (value.is_number_float()) return "a fraction";
  if (value.is_number()) return "a number";
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return "null";
}

Result<const Json*> find_key(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object())
    return fail(ErrorCode::invalid_file, "{}: an object with key '{}' was expected, it is {}", where, key, described(object));
  const auto found = object.find(std::string(key));
  if (found == object.end()) return fail(ErrorCode::invalid_file, "{}: key '{}' is missing", where, key);
  return &*found;
}

/// A key that is absent or null takes its default.
const Json* find_optional(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

/// Whole numbers in any spelling ("4096", "4096.0", "4.096e3") as long as a double holds them exactly.
std::optional<int64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    return number <= static_cast<uint64_t>(INT64_MAX) ? std::optional(static_cast<int64_t>(number)) : std::nullopt;
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  const double number = value.get<double>();
  if (std::fabs(number) <= 9007199254740992.0 && std::trunc(number) == number) return static_cast<int64_t>(number);
  return std::nullopt;
}

Result<int64_t> to_int(const Json& value, std::string_view key, std::string_view where, int64_t low, int64_t high) {
  if (!value.is_number()) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a whole number, it is {}", where, key, described(value));
  const std::optional<int64_t> number = whole_number(value);
  const double approximate = value.get<double>();
  if (!number && std::isfinite(approximate) && std::trunc(approximate) != approximate)
    return fail(ErrorCode::invalid_file, "{}: key '{}' must be a whole number, it is {}", where, key, value.dump());
  if (!number || *number < low || *number > high)
    return fail(ErrorCode::invalid_file, "{}: key '{}' is {}, it must be from {} to {}", where, key, value.dump(), low, high);
  return *number;
}

Result<double> to_number(const Json& value, std::string_view key, std::string_view where) {
  if (!value.is_number()) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a number, it is {}", where, key, described(value));
  const double number = value.get<double>();
  if (!std::isfinite(number)) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a finite number", where, key);
  return number;
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where) {
  Builder builder;
  try {
    if (Json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "{}: not enough memory for a JSON text of {} bytes", where, text.size());
  } catch (const std::exception& error) {
    return fail(ErrorCode::invalid_file, "{}: {}", where, error.what());
  }
  return fail(ErrorCode::invalid_file, "{}: is not valid JSON: {}", where, builder.reason);
}

Result<Json> read_json_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  PHISCOPE_ASSIGN(const std::string text, read_file(path, limit_bytes));
  return parse_json(text, path.string());
}

Result<int64_t> json_int(const Json& object, std::string_view key, std::string_view where, int64_t low, int64_t high) {
  PHISCOPE_ASSIGN(const Json* value, find_key(object, key, where));
  return to_int(*value, key, where, low, high);
}

Result<int64_t> json_int_or(const Json& object, std::string_view key, int64_t fallback, std::string_view where, int64_t low,
                            int64_t high) {
  const Json* value = find_optional(object, key);
  if (value == nullptr) return fallback;
  return to_int(*value, key, where, low, high);
}

Result<double> json_number(const Json& object, std::string_view key, std::string_view where) {
  PHISCOPE_ASSIGN(const Json* value, find_key(object, key, where));
  return to_number(*value, key, where);
}

Result<double> json_number_or(const Json& object, std::string_view key, double fallback, std::string_view where) {
  const Json* value = find_optional(object, key);
  if (value == nullptr) return fallback;
  return to_number(*value, key, where);
}

Result<std::string> json_string(const Json& object, std::string_view key, std::string_view where) {
  PHISCOPE_ASSIGN(const Json* value, find_key(object, key, where));
  if (!value->is_string()) return fail(ErrorCode::invalid_file, "{}: key '{}' must be a string, it is {}", where, key, described(*value));
  return value->get<std::string>();
}

std::string json_string_or(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* value = find_optional(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string(fallback);
}

Result<bool> json_bool_or(const Json& object, std::string_view key, bool fallback, std::string_view where) {
  const Json* value = find_optional(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return fail(ErrorCode::invalid_file, "{}: key '{}' must be true or false, it is {}", where, key, described(*value));
  return value->get<bool>();
}

std::string dump_line(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace phiscope
