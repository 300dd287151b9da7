#include "core/format/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

namespace phiscope {
namespace {

// The reference parser's limit on the header.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr uint64_t kLengthBytes = 8;

// Sorted keys: looking one up in the ordered kind costs the square of a hostile header's length.
using Header = nlohmann::json;

struct TypeName {
  std::string_view name;
  DType type;
};
constexpr TypeName kTypes[] = {
    {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}, {"F64", DType::f64},     {"I8", DType::i8},
    {"U8", DType::u8},   {"I16", DType::i16}, {"U16", DType::u16},   {"I32", DType::i32},     {"U32", DType::u32},
    {"I64", DType::i64}, {"U64", DType::u64}, {"BOOL", DType::boolean}, {"F8_E4M3", DType::f8_e4m3}, {"F8_E5M2", DType::f8_e5m2},
};

Result<DType> parse_type(const Header& info, const std::string& where) {
  const auto found = info.find("dtype");
  if (found == info.end() || !found->is_string()) return fail(ErrorCode::invalid_file, "{}: 'dtype' must be a string", where);
  const auto& text = found->get_ref<const std::string&>();
  for (const TypeName& row : kTypes)
    if (row.name == text) return row.type;
  return fail(ErrorCode::invalid_file, "{}: dtype '{}' is not one that Phiscope reads", where, text);
}

Result<std::vector<int64_t>> parse_shape(const Header& info, const std::string& where) {
  const auto found = info.find("shape");
  if (found == info.end() || !found->is_array())
    return fail(ErrorCode::invalid_file, "{}: 'shape' must be a list of sizes", where);
  std::vector<int64_t> shape;
  for (const Header& size : *found) {
    if (!size.is_number_unsigned() || size.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return fail(ErrorCode::invalid_file, "{}: shape holds {}, sizes are whole numbers from 0", where, size.dump());
    shape.push_back(static_cast<int64_t>(size.get<uint64_t>()));
  }
  return shape;
}

Result<uint64_t> shape_bytes(std::span<const int64_t> shape, DType type, const std::string& where) {
  uint64_t bytes = dtype_bytes(type);
  for (const int64_t size : shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes))
      return fail(ErrorCode::invalid_file, "{}: shape {} has more bytes than 64 bits can count", where, shape_text(shape));
  return bytes;
}

struct Range {
  uint64_t begin = 0, end = 0;
};

Result<Range> parse_range(const Header& info, const std::string& where, uint64_t data_bytes) {
  const auto found = info.find("data_offsets");
  if (found == info.end() || !found->is_array() || found->size() != 2 || !(*found)[0].is_number_unsigned() ||
      !(*found)[1].is_number_unsigned())
    return fail(ErrorCode::invalid_file, "{}: 'data_offsets' must be two whole numbers from 0", where);
  const Range range{(*found)[0].get<uint64_t>(), (*found)[1].get<uint64_t>()};
  if (range.begin > range.end)
    return fail(ErrorCode::invalid_file, "{}: data begins at byte {} and ends before it, at {}", where, range.begin, range.end);
  if (range.end > data_bytes)
    return fail(ErrorCode::invalid_file, "{}: data ends at byte {}, the file has {} bytes of data; is the download complete?", where,
                range.end, data_bytes);
  return range;
}

// nlohmann keeps the last of equal keys; a file that says two things must not be read as one of them.
Result<Header> parse_header(std::string_view text, const std::string& file) {
  std::array<std::set<std::string>, 3> keys;  // by depth: tensors, and the fields of one
  std::string repeated;
  const auto check = [&](int depth, Header::parse_event_t event, Header& parsed) {
    const auto level = static_cast<size_t>(depth);
    if (event == Header::parse_event_t::object_start && level + 1 < keys.size()) keys[level + 1].clear();
    if (event == Header::parse_event_t::key && level < keys.size()) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!keys[level].insert(name).second) repeated = name;
    }
    return true;
  };
  Header header = Header::parse(text, check, false);
  if (header.is_discarded()) return fail(ErrorCode::invalid_file, "{}: the header is not valid JSON in UTF-8", file);
  if (!header.is_object()) return fail(ErrorCode::invalid_file, "{}: the header is not a JSON object", file);
  if (!repeated.empty()) return fail(ErrorCode::invalid_file, "{}: '{}' appears twice in the header", file, repeated);
  return header;
}

Result<TensorEntry> parse_entry(const std::string& name, const Header& info, const std::string& file, std::span<const std::byte> data) {
  const std::string where = fmt::format("{}: tensor '{}'", file, name);
  if (!info.is_object()) return fail(ErrorCode::invalid_file, "{}: its description is not an object", where);
  TensorEntry entry;
  entry.name = name;
  PHISCOPE_ASSIGN(entry.view.dtype, parse_type(info, where));
  PHISCOPE_ASSIGN(entry.view.shape, parse_shape(info, where));
  PHISCOPE_ASSIGN(const Range range, parse_range(info, where, data.size()));
  PHISCOPE_ASSIGN(const uint64_t bytes, shape_bytes(entry.view.shape, entry.view.dtype, where));
  if (bytes != range.end - range.begin)
    return fail(ErrorCode::invalid_file, "{}: {} {} takes {} bytes, the data from {} to {} has {}", where,
                dtype_name(entry.view.dtype), shape_text(entry.view.shape), bytes, range.begin, range.end, range.end - range.begin);
  entry.offset = range.begin;
  entry.view.data = data.data() + range.begin;
  return entry;
}

Status parse_metadata(const Header& value, const std::string& file, std::map<std::string, std::string>& metadata) {
  if (!value.is_object()) return fail(ErrorCode::invalid_file, "{}: '__metadata__' must be an object of strings", file);
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return fail(ErrorCode::invalid_file, "{}: '__metadata__' entry '{}' is not a string", file, key);
    metadata.emplace(key, text.get<std::string>());
  }
  return {};
}

// Sorted by offset the tensors must cover the data exactly: no gap, no overlap, nothing after the last.
Status check_cover(std::vector<TensorEntry>& entries, const std::string& file, uint64_t data_bytes) {
  std::stable_sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.view.bytes() < b.view.bytes();
  });
  uint64_t covered = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.offset != covered)
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' begins at data byte {}, the tensors before it end at {} ({})", file, entry.name,
                  entry.offset, covered, entry.offset < covered ? "overlap" : "gap");
    covered += entry.view.bytes();
  }
  if (covered != data_bytes)
    return fail(ErrorCode::invalid_file, "{}: the tensors cover {} bytes of data, the file has {}", file, covered, data_bytes);
  return {};
}

Result<std::string_view> header_text(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < kLengthBytes)
    return fail(ErrorCode::invalid_file, "{}: a safetensors file begins with 8 bytes of header length, this one has {} bytes", file,
                bytes.size());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes)
    return fail(ErrorCode::invalid_file, "{}: the header claims {} bytes, the limit is {}; is this a safetensors file?", file, length,
                kMaxHeaderBytes);
  if (length > bytes.size() - kLengthBytes)
    return fail(ErrorCode::invalid_file, "{}: the header claims {} bytes, {} follow; is the download complete?", file, length,
                bytes.size() - kLengthBytes);
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  // The JSON parser takes a NUL for the end of its input.
  if (const size_t nul = header.find('\0'); nul != std::string_view::npos)
    return fail(ErrorCode::invalid_file, "{}: the header holds a NUL byte at offset {}, it is not JSON", file, kLengthBytes + nul);
  return header;
}

}  // namespace

std::string_view safetensors_dtype(DType type) {
  for (const TypeName& row : kTypes)
    if (row.type == type) return row.name;
  return "";
}

Status TensorFilesBuilder::add(std::shared_ptr<const MappedFile> mapped) {
  const std::string file = mapped->path().filename().string();
  PHISCOPE_ASSIGN(const std::string_view text, header_text(mapped->bytes(), file));
  PHISCOPE_ASSIGN(const Header header, parse_header(text, file));

  const uint64_t data_start = kLengthBytes + text.size();
  const std::span<const std::byte> data = mapped->bytes().subspan(data_start);
  std::vector<TensorEntry> entries;
  for (const auto& [name, info] : header.items()) {
    if (name == "__metadata__") {
      PHISCOPE_TRY(parse_metadata(info, file, files_->metadata_));
      continue;
    }
    PHISCOPE_ASSIGN(TensorEntry entry, parse_entry(name, info, file, data));
    entries.push_back(std::move(entry));
  }
  PHISCOPE_TRY(check_cover(entries, file, data.size()));
  for (TensorEntry& entry : entries) entry.offset += data_start;
  return add(std::move(mapped), std::move(entries));
}

Status TensorFilesBuilder::add(std::shared_ptr<const MappedFile> mapped, std::vector<TensorEntry> entries) {
  const std::string file = mapped->path().filename().string();
  const int file_index = static_cast<int>(files_->files_.size());
  for (TensorEntry& entry : entries) {
    entry.file = file_index;
    const auto [known, is_new] = files_->index_.emplace(entry.name, static_cast<int>(files_->tensors_.size()));
    if (!is_new) {
      const TensorEntry& other = files_->tensors_[static_cast<size_t>(known->second)];
      if (other.file == file_index) return fail(ErrorCode::invalid_file, "{}: tensor '{}' is there twice", file, entry.name);
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' is also in {}", file, entry.name,
                  files_->files_[static_cast<size_t>(other.file)]->path().filename().string());
    }
    files_->tensors_.push_back(std::move(entry));
  }
  files_->files_.push_back(std::move(mapped));
  return {};
}

Result<std::shared_ptr<const TensorFiles>> TensorFiles::open_file(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(auto mapped, MappedFile::open(path));
  TensorFilesBuilder builder;
  PHISCOPE_TRY(builder.add(std::move(mapped)));
  return builder.finish();
}

const TensorEntry* TensorFiles::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[static_cast<size_t>(found->second)];
}

}  // namespace phiscope
