#include "core/store/series_codec.h"

#include <zstd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/hash.h"
#include "core/base/json.h"

namespace phiscope::store {
namespace {

enum class Form : uint8_t { f64 = 0, varint = 1, f32 = 2 };

constexpr int kCompressionLevel = 3;
constexpr int64_t kMaxLength = int64_t{1} << 31;       // values in a column
constexpr double kMaxWhole = 9007199254740992.0;       // 2^53
constexpr uint64_t kMaxBytesPerValue = 10;             // LEB128 of 64 bits

bool same_bits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool is_whole(double value) {
  return std::abs(value) < kMaxWhole && same_bits(static_cast<double>(static_cast<int64_t>(value)), value);
}

bool is_float(double value) {
  if (std::isfinite(value) && std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) return false;
  return same_bits(static_cast<double>(static_cast<float>(value)), value);
}

template <class Unsigned>
void put_little_endian(std::string& out, Unsigned bits) {
  for (size_t shift = 0; shift < 8 * sizeof(bits); shift += 8) out.push_back(static_cast<char>((bits >> shift) & 0xffU));
}

void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
    value >>= 7U;
  }
  out.push_back(static_cast<char>(value));
}

uint64_t zigzag(int64_t value) { return (static_cast<uint64_t>(value) << 1U) ^ static_cast<uint64_t>(value >> 63); }
int64_t unzigzag(uint64_t value) { return static_cast<int64_t>(value >> 1U) ^ -static_cast<int64_t>(value & 1U); }

Form best_form(const std::vector<double>& column) {
  bool whole = true;
  bool single = true;
  for (double value : column) {
    whole = whole && is_whole(value);
    single = single && is_float(value);
  }
  if (whole) return Form::varint;
  return single ? Form::f32 : Form::f64;
}

void put_column(std::string& out, const std::vector<double>& column) {
  const Form form = best_form(column);
  out.push_back(static_cast<char>(form));
  int64_t before = 0;
  for (double value : column) {
    if (form == Form::f64) {
      put_little_endian(out, std::bit_cast<uint64_t>(value));
    } else if (form == Form::f32) {
      put_little_endian(out, std::bit_cast<uint32_t>(static_cast<float>(value)));
    } else {
      const auto whole = static_cast<int64_t>(value);
      put_varint(out, zigzag(whole - before));
      before = whole;
    }
  }
}

/// Reads forward through the uncompressed bytes; false at their end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool is_at_end() const { return at_ == bytes_.size(); }

  bool byte(uint8_t& value) {
    if (at_ >= bytes_.size()) return false;
    value = static_cast<uint8_t>(bytes_[at_++]);
    return true;
  }
  template <class Unsigned>
  bool little_endian(Unsigned& value) {
    if (bytes_.size() - at_ < sizeof(value)) return false;
    value = 0;
    for (size_t i = 0; i < sizeof(value); ++i)
      value |= static_cast<Unsigned>(static_cast<Unsigned>(static_cast<uint8_t>(bytes_[at_ + i])) << (8 * i));
    at_ += sizeof(value);
    return true;
  }
  bool varint(uint64_t& value) {
    value = 0;
    uint8_t part = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (!byte(part)) return false;
      value |= static_cast<uint64_t>(part & 0x7fU) << shift;
      if (part < 0x80) return true;
    }
    return false;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

bool read_column(Reader& reader, int64_t length, std::vector<double>& column) {
  uint8_t form = 0;
  if (!reader.byte(form) || form > static_cast<uint8_t>(Form::f32)) return false;
  uint64_t before = 0;
  for (int64_t i = 0; i < length; ++i) {
    if (form == static_cast<uint8_t>(Form::f64)) {
      uint64_t bits = 0;
      if (!reader.little_endian(bits)) return false;
      column.push_back(std::bit_cast<double>(bits));
    } else if (form == static_cast<uint8_t>(Form::f32)) {
      uint32_t bits = 0;
      if (!reader.little_endian(bits)) return false;
      column.push_back(static_cast<double>(std::bit_cast<float>(bits)));
    } else {
      uint64_t code = 0;
      if (!reader.varint(code)) return false;
      before += static_cast<uint64_t>(unzigzag(code));
      column.push_back(static_cast<double>(static_cast<int64_t>(before)));
    }
  }
  return true;
}

Result<std::vector<std::string>> read_names(std::string_view text) {
  PHISCOPE_ASSIGN(const Json names, parse_json(text, "column names of a series"));
  if (!names.is_array()) return fail(ErrorCode::invalid_file, "the column names of a series are not a list");
  std::vector<std::string> result;
  for (const Json& name : names) {
    if (!name.is_string()) return fail(ErrorCode::invalid_file, "a column name of a series is not a text");
    result.push_back(name.get<std::string>());
  }
  return result;
}

Result<std::string> decompress(std::string_view data, uint64_t limit_bytes) {
  const unsigned long long size = ZSTD_getFrameContentSize(data.data(), data.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > limit_bytes)
    return fail(ErrorCode::invalid_file, "the bytes are not a zstd frame of at most {} bytes", limit_bytes);
  std::string bytes(size, '\0');
  const size_t written = ZSTD_decompress(bytes.data(), bytes.size(), data.data(), data.size());
  if (ZSTD_isError(written) != 0U || written != size)
    return fail(ErrorCode::invalid_file, "the bytes do not decompress ({})", ZSTD_getErrorName(written));
  return bytes;
}

}  // namespace

Result<EncodedSeries> encode_series(const Series& series) {
  if (series.columns.size() != series.rows.size())
    return fail(ErrorCode::invalid_argument, "series '{}' of '{}' has {} column names and {} columns", series.kind, series.metric,
                series.columns.size(), series.rows.size());
  const size_t length = series.rows.empty() ? 0 : series.rows.front().size();
  std::string bytes;
  for (const std::vector<double>& column : series.rows) {
    if (column.size() != length || static_cast<int64_t>(length) > kMaxLength)
      return fail(ErrorCode::invalid_argument, "series '{}' of '{}' has columns of {} and {} values; all must be equally long",
                  series.kind, series.metric, length, column.size());
    put_column(bytes, column);
  }
  EncodedSeries encoded;
  encoded.columns = dump_line(Json(series.columns));
  encoded.length = static_cast<int64_t>(length);
  encoded.checksum = hash_text(bytes);
  encoded.data.resize(ZSTD_compressBound(bytes.size()));
  const size_t written = ZSTD_compress(encoded.data.data(), encoded.data.size(), bytes.data(), bytes.size(), kCompressionLevel);
  if (ZSTD_isError(written) != 0U)
    return fail(ErrorCode::out_of_memory, "series '{}' of '{}' cannot be compressed ({})", series.kind, series.metric,
                ZSTD_getErrorName(written));
  encoded.data.resize(written);
  return encoded;
}

Status decode_series(const EncodedSeries& encoded, Series& series) {
  PHISCOPE_ASSIGN(series.columns, read_names(encoded.columns));
  if (encoded.length < 0 || encoded.length > kMaxLength)
    return fail(ErrorCode::invalid_file, "its length is {}, which no series has", encoded.length);
  const uint64_t limit_bytes = series.columns.size() * (1 + kMaxBytesPerValue * static_cast<uint64_t>(encoded.length));
  PHISCOPE_ASSIGN(const std::string bytes, decompress(encoded.data, limit_bytes));
  if (hash_text(bytes) != encoded.checksum) return fail(ErrorCode::invalid_file, "its checksum does not match its bytes");
  Reader reader(bytes);
  series.rows.assign(series.columns.size(), {});
  for (std::vector<double>& column : series.rows)
    if (!read_column(reader, encoded.length, column)) return fail(ErrorCode::invalid_file, "it ends before its last value");
  if (!reader.is_at_end()) return fail(ErrorCode::invalid_file, "it holds bytes after its last value");
  return {};
}

}  // namespace phiscope::store
