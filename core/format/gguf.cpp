#include "core/format/gguf.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>

#include "core/format/gguf_reader.h"

namespace phiscope {
namespace {

template <class T>
T value_at(std::span<const std::byte> bytes, uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// The element at `offset` as a whole number; nullopt for types that are none, and for u64 beyond the signed range.
std::optional<int64_t> whole_number(std::span<const std::byte> bytes, GgufType type, uint64_t offset) {
  switch (type) {
    case GgufType::u8: return value_at<uint8_t>(bytes, offset);
    case GgufType::i8: return value_at<int8_t>(bytes, offset);
    case GgufType::u16: return value_at<uint16_t>(bytes, offset);
    case GgufType::i16: return value_at<int16_t>(bytes, offset);
    case GgufType::u32: return value_at<uint32_t>(bytes, offset);
    case GgufType::i32: return value_at<int32_t>(bytes, offset);
    case GgufType::i64: return value_at<int64_t>(bytes, offset);
    case GgufType::u64: {
      const auto value = value_at<uint64_t>(bytes, offset);
      if (value > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default: return std::nullopt;
  }
}

std::string described(const GgufPair& pair) {
  return pair.is_array ? fmt::format("an array of {} {}", pair.count, gguf_type_name(pair.type)) : std::string(gguf_type_name(pair.type));
}

}  // namespace

bool is_gguf(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  std::error_code ignored;
  return extension == ".gguf" && !std::filesystem::is_directory(path, ignored);
}

Result<std::shared_ptr<const GgufFile>> GgufFile::open(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(auto mapped, MappedFile::open(path));
  return GgufReader(std::move(mapped)).run();
}

const GgufPair* GgufFile::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &pairs_[found->second];
}

Result<std::optional<int64_t>> GgufFile::integer(std::string_view key, int64_t low, int64_t high) const {
  const GgufPair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  const std::string where = fmt::format("{}: key '{}' at offset {}", path().filename().string(), key, pair->offset);
  const auto value = pair->is_array ? std::nullopt : whole_number(mapped_->bytes(), pair->type, pair->offset);
  if (!value) return fail(ErrorCode::invalid_file, "{}: its value is {}, expected a whole number from {} to {}", where, described(*pair), low, high);
  if (*value < low || *value > high) return fail(ErrorCode::invalid_file, "{}: its value is {}, expected {} to {}", where, *value, low, high);
  return value;
}

Result<std::optional<double>> GgufFile::number(std::string_view key) const {
  const GgufPair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  std::optional<double> value;
  if (!pair->is_array && pair->type == GgufType::f32) value = static_cast<double>(value_at<float>(mapped_->bytes(), pair->offset));
  if (!pair->is_array && pair->type == GgufType::f64) value = value_at<double>(mapped_->bytes(), pair->offset);
  if (const auto whole = pair->is_array ? std::nullopt : whole_number(mapped_->bytes(), pair->type, pair->offset)) value = static_cast<double>(*whole);
  if (!value || !std::isfinite(*value))
    return fail(ErrorCode::invalid_file, "{}: key '{}' at offset {}: its value is {}, expected a finite number", path().filename().string(), key, pair->offset,
                value ? "not finite" : described(*pair));
  return value;
}

Result<std::optional<bool>> GgufFile::boolean(std::string_view key) const {
  const GgufPair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  if (pair->is_array || pair->type != GgufType::boolean)
    return fail(ErrorCode::invalid_file, "{}: key '{}' at offset {}: its value is {}, expected a bool", path().filename().string(), key, pair->offset,
                described(*pair));
  return value_at<uint8_t>(mapped_->bytes(), pair->offset) != 0;
}

Result<std::optional<std::string_view>> GgufFile::text(std::string_view key) const {
  const GgufPair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  if (pair->is_array || pair->type != GgufType::string)
    return fail(ErrorCode::invalid_file, "{}: key '{}' at offset {}: its value is {}, expected a string", path().filename().string(), key, pair->offset,
                described(*pair));
  const auto length = value_at<uint64_t>(mapped_->bytes(), pair->offset);
  return std::string_view(reinterpret_cast<const char*>(mapped_->bytes().data()) + pair->offset + 8, length);
}

Result<const GgufPair*> GgufFile::array(std::string_view key, GgufType type, uint64_t most) const {
  const GgufPair* pair = find(key);
  if (pair == nullptr) return nullptr;
  const std::string where = fmt::format("{}: key '{}' at offset {}", path().filename().string(), key, pair->offset);
  if (!pair->is_array || pair->type != type)
    return fail(ErrorCode::invalid_file, "{}: its value is {}, expected an array of {}", where, described(*pair), gguf_type_name(type));
  if (pair->count > most) return fail(ErrorCode::unsupported, "{}: it has {} elements, {} are supported", where, pair->count, most);
  return pair;
}

Result<std::vector<std::string_view>> GgufFile::texts(std::string_view key, uint64_t most) const {
  PHISCOPE_ASSIGN(const GgufPair* pair, array(key, GgufType::string, most));
  std::vector<std::string_view> texts;
  if (pair == nullptr) return texts;
  texts.reserve(pair->count);
  uint64_t at = pair->offset;
  for (uint64_t i = 0; i < pair->count; ++i) {
    const auto length = value_at<uint64_t>(mapped_->bytes(), at);
    texts.emplace_back(reinterpret_cast<const char*>(mapped_->bytes().data()) + at + 8, length);
    at += 8 + length;
  }
  return texts;
}

Result<std::vector<float>> GgufFile::floats(std::string_view key, uint64_t most) const {
  PHISCOPE_ASSIGN(const GgufPair* pair, array(key, GgufType::f32, most));
  std::vector<float> values;
  if (pair == nullptr) return values;
  values.resize(pair->count);
  std::memcpy(values.data(), mapped_->bytes().data() + pair->offset, values.size() * sizeof(float));
  return values;
}

Result<std::vector<int64_t>> GgufFile::integers(std::string_view key, uint64_t most) const {
  const GgufPair* found = find(key);
  // Writers differ in the width of small numbers.
  const bool is_whole = found != nullptr && found->type != GgufType::string && whole_number(std::array<std::byte, 8>{}, found->type, 0).has_value();
  PHISCOPE_ASSIGN(const GgufPair* pair, array(key, is_whole ? found->type : GgufType::i32, most));
  std::vector<int64_t> values;
  if (pair == nullptr) return values;
  values.reserve(pair->count);
  for (uint64_t i = 0; i < pair->count; ++i) {
    const uint64_t at = pair->offset + i * gguf_type_bytes(pair->type);
    const auto value = whole_number(mapped_->bytes(), pair->type, at);
    if (!value) return fail(ErrorCode::invalid_file, "{}: key '{}': the element at offset {} is beyond the signed range", path().filename().string(), key, at);
    values.push_back(*value);
  }
  return values;
}

}  // namespace phiscope
