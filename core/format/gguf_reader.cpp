#include "core/format/gguf_reader.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/base/text.h"
#include "core/format/safetensors.h"

namespace phiscope {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in the file");

// A published file has 30 to 60 pairs and up to 400 tensors; the caps keep the tables of a hostile one below 40 MB.
constexpr uint64_t kMaxPairs = 65536, kMaxTensors = 65536;
constexpr uint64_t kMaxKeyBytes = 65535, kMaxNameBytes = 63, kMaxStringBytes = uint64_t{1} << 30, kMaxElements = uint64_t{1} << 30;
constexpr uint64_t kMaxDims = 4;
// Smallest encodings: length, one byte, type, one byte; length, one byte, dimension count, one dimension, type, offset.
constexpr uint64_t kLeastPairBytes = 8 + 1 + 4 + 1, kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

struct TypeRow {
  std::string_view name;
  uint64_t bytes;
};
// In the order of GgufType.
constexpr std::array kTypes{TypeRow{"u8", 1},   TypeRow{"i8", 1},   TypeRow{"u16", 2},    TypeRow{"i16", 2},   TypeRow{"u32", 4}, TypeRow{"i32", 4},  TypeRow{"f32", 4},
                            TypeRow{"bool", 1}, TypeRow{"string", 0}, TypeRow{"array", 0}, TypeRow{"u64", 8}, TypeRow{"i64", 8},   TypeRow{"f64", 8}};

struct TensorTypeRow {
  uint32_t number;
  std::string_view name;
  DType dtype;      // u8 for blocks
  BlockType block;
  bool is_read;
};
// To add a type: its row here after the type itself (core/tensor).
constexpr TensorTypeRow kTensorTypes[] = {
    {0, "F32", DType::f32, BlockType::none, true},       {1, "F16", DType::f16, BlockType::none, true},
    {30, "BF16", DType::bf16, BlockType::none, true},    {28, "F64", DType::f64, BlockType::none, true},
    {24, "I8", DType::i8, BlockType::none, true},        {25, "I16", DType::i16, BlockType::none, true},
    {26, "I32", DType::i32, BlockType::none, true},      {27, "I64", DType::i64, BlockType::none, true},
    {2, "Q4_0", DType::u8, BlockType::q4_0, true},       {3, "Q4_1", DType::u8, BlockType::q4_1, true},
    {6, "Q5_0", DType::u8, BlockType::q5_0, true},       {7, "Q5_1", DType::u8, BlockType::q5_1, true},
    {8, "Q8_0", DType::u8, BlockType::q8_0, true},       {10, "Q2_K", DType::u8, BlockType::q2_k, true},
    {11, "Q3_K", DType::u8, BlockType::q3_k, true},      {12, "Q4_K", DType::u8, BlockType::q4_k, true},
    {13, "Q5_K", DType::u8, BlockType::q5_k, true},      {14, "Q6_K", DType::u8, BlockType::q6_k, true},
    {20, "IQ4_NL", DType::u8, BlockType::iq4_nl, true},  {23, "IQ4_XS", DType::u8, BlockType::iq4_xs, true},
    {9, "Q8_1", DType::u8, BlockType::none, false},      {15, "Q8_K", DType::u8, BlockType::none, false},
    {16, "IQ2_XXS", DType::u8, BlockType::none, false},  {17, "IQ2_XS", DType::u8, BlockType::none, false},
    {18, "IQ3_XXS", DType::u8, BlockType::none, false},  {19, "IQ1_S", DType::u8, BlockType::none, false},
    {21, "IQ3_S", DType::u8, BlockType::none, false},    {22, "IQ2_S", DType::u8, BlockType::none, false},
    {29, "IQ1_M", DType::u8, BlockType::none, false},    {34, "TQ1_0", DType::u8, BlockType::none, false},
    {35, "TQ2_0", DType::u8, BlockType::none, false},    {39, "MXFP4", DType::u8, BlockType::none, false},
    {40, "NVFP4", DType::u8, BlockType::none, false},
};

std::string read_types_list() {
  std::string list;
  for (const TensorTypeRow& row : kTensorTypes)
    if (row.is_read) list += fmt::format("{}{}", list.empty() ? "" : ", ", row.name);
  return list;
}

bool padded(uint64_t value, uint64_t alignment, uint64_t& out) {
  if (__builtin_add_overflow(value, alignment - 1, &out)) return false;
  out &= ~(alignment - 1);
  return true;
}

}  // namespace

std::string_view gguf_type_name(GgufType type) { return kTypes[static_cast<size_t>(type)].name; }
uint64_t gguf_type_bytes(GgufType type) { return kTypes[static_cast<size_t>(type)].bytes; }

std::optional<uint32_t> gguf_tensor_type(DType dtype, BlockType block) {
  for (const TensorTypeRow& row : kTensorTypes)
    if (row.is_read && row.block == block && (block != BlockType::none || row.dtype == dtype)) return row.number;
  return std::nullopt;
}

GgufReader::GgufReader(std::shared_ptr<const MappedFile> mapped)
    : out_(new GgufFile()), bytes_(mapped->bytes()), file_(mapped->path().filename().string()) {
  out_->mapped_ = std::move(mapped);
}

template <class T>
Result<T> GgufReader::read(std::string_view what) {
  if (left() < sizeof(T))
    return fail(ErrorCode::invalid_file, "{}: {} at offset {} takes {} bytes, the file has {} left; is the download complete?", file_, what, at_,
                sizeof(T), left());
  T value;
  std::memcpy(&value, bytes_.data() + at_, sizeof(T));
  at_ += sizeof(T);
  return value;
}

Result<std::string_view> GgufReader::read_string(const std::string& what) {
  const uint64_t begin = at_;
  uint64_t length = 0;
  if (left() < sizeof(length))
    return fail(ErrorCode::invalid_file, "{}: the length of {} at offset {} takes 8 bytes, the file has {} left; is the download complete?", file_, what, begin,
                left());
  std::memcpy(&length, bytes_.data() + at_, sizeof(length));
  at_ += sizeof(length);
  if (length > left() || length > kMaxStringBytes)
    return fail(ErrorCode::invalid_file, "{}: {} at offset {} claims {} bytes, the file has {} left and {} is the limit", file_, what, begin, length,
                left(), kMaxStringBytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
  at_ += length;
  return text;
}

Status GgufReader::read_head(uint64_t& tensors, uint64_t& pairs) {
  constexpr std::string_view kMagic = "GGUF";
  if (bytes_.size() < kMagic.size() || std::memcmp(bytes_.data(), kMagic.data(), kMagic.size()) != 0)
    return fail(ErrorCode::invalid_file, "{}: the first four bytes are not 'GGUF'; this is no GGUF file", file_);
  at_ = kMagic.size();
  PHISCOPE_ASSIGN(out_->version_, read<uint32_t>("the version"));
  if ((out_->version_ & 0xffff) == 0)
    return fail(ErrorCode::unsupported, "{}: the version at offset 4 is {:#010x}, a file in big-endian byte order; only little-endian files are read", file_,
                out_->version_);
  if (out_->version_ != 2 && out_->version_ != 3)
    return fail(ErrorCode::unsupported, "{}: the version at offset 4 is {}; versions 2 and 3 are read, convert the model again with a current llama.cpp", file_,
                out_->version_);
  PHISCOPE_ASSIGN(tensors, read<uint64_t>("the number of tensors"));
  PHISCOPE_ASSIGN(pairs, read<uint64_t>("the number of metadata pairs"));
  if (pairs > kMaxPairs || pairs > left() / kLeastPairBytes)
    return fail(ErrorCode::invalid_file, "{}: {} metadata pairs are claimed at offset 16, the file has {} bytes left and {} is the limit", file_, pairs, left(),
                kMaxPairs);
  if (tensors > kMaxTensors || tensors > left() / kLeastTensorBytes)
    return fail(ErrorCode::invalid_file, "{}: {} tensors are claimed at offset 8, the file has {} bytes left and {} is the limit", file_, tensors, left(),
                kMaxTensors);
  return {};
}

Status GgufReader::read_pair() {
  const uint64_t begin = at_;
  PHISCOPE_ASSIGN(const std::string_view key, read_string(fmt::format("key {}", out_->pairs_.size())));
  if (key.empty() || key.size() > kMaxKeyBytes)
    return fail(ErrorCode::invalid_file, "{}: the key at offset {} has {} bytes, expected 1 to {}", file_, begin, key.size(), kMaxKeyBytes);
  if (!is_valid_utf8(key) || key.find('\0') != std::string_view::npos)
    return fail(ErrorCode::invalid_file, "{}: the key at offset {} is not text in UTF-8", file_, begin);
  GgufPair pair{.key = std::string(key)};
  const std::string where = fmt::format("{}: key '{}' at offset {}", file_, key, begin);
  PHISCOPE_TRY(skip_value(pair, where));
  pair.bytes = at_ - pair.offset;
  out_->pairs_.push_back(std::move(pair));
  return {};
}

Status GgufReader::skip_value(GgufPair& pair, const std::string& where) {
  const auto read_type = [&](GgufType& type) -> Status {
    PHISCOPE_ASSIGN(const uint32_t number, read<uint32_t>(fmt::format("the type of key '{}'", pair.key)));
    if (number >= kTypes.size()) return fail(ErrorCode::invalid_file, "{}: value type {} is unknown, expected 0 to {}", where, number, kTypes.size() - 1);
    type = static_cast<GgufType>(number);
    return {};
  };
  PHISCOPE_TRY(read_type(pair.type));
  pair.is_array = pair.type == GgufType::array;
  if (pair.is_array) {
    PHISCOPE_TRY(read_type(pair.type));
    if (pair.type == GgufType::array) return fail(ErrorCode::unsupported, "{}: arrays of arrays are not read", where);
    PHISCOPE_ASSIGN(pair.count, read<uint64_t>(fmt::format("the length of array '{}'", pair.key)));
    const uint64_t least = pair.type == GgufType::string ? 8 : gguf_type_bytes(pair.type);
    if (pair.count > kMaxElements || pair.count > left() / least)
      return fail(ErrorCode::invalid_file, "{}: an array of {} {} is claimed, the file has {} bytes left and {} is the limit", where, pair.count,
                  gguf_type_name(pair.type), left(), kMaxElements);
  }
  pair.offset = at_;
  return skip_elements(pair, where);
}

Status GgufReader::skip_elements(const GgufPair& pair, const std::string& where) {
  if (pair.type == GgufType::string) {
    const std::string what = fmt::format("a string of key '{}'", pair.key);
    for (uint64_t i = 0; i < pair.count; ++i) {
      PHISCOPE_ASSIGN([[maybe_unused]] const std::string_view text, read_string(what));
    }
    return {};
  }
  const uint64_t size = gguf_type_bytes(pair.type) * pair.count;
  if (size > left())
    return fail(ErrorCode::invalid_file, "{}: its {} value takes {} bytes, the file has {} left; is the download complete?", where, gguf_type_name(pair.type),
                size, left());
  for (uint64_t i = 0; pair.type == GgufType::boolean && i < size; ++i)
    if (static_cast<uint8_t>(bytes_[at_ + i]) > 1)
      return fail(ErrorCode::invalid_file, "{}: the bool at offset {} is {}, expected 0 or 1", where, at_ + i, static_cast<int>(bytes_[at_ + i]));
  at_ += size;
  return {};
}

Status GgufReader::check_alignment() {
  const GgufPair* pair = out_->find("general.alignment");
  if (pair == nullptr) return {};
  if (pair->is_array || pair->type != GgufType::u32)
    return fail(ErrorCode::invalid_file, "{}: key 'general.alignment' at offset {} has type {}{}, expected u32", file_, pair->offset,
                pair->is_array ? "array of " : "", gguf_type_name(pair->type));
  uint32_t value = 0;
  std::memcpy(&value, bytes_.data() + pair->offset, sizeof(value));
  if (!std::has_single_bit(value))
    return fail(ErrorCode::invalid_file, "{}: key 'general.alignment' at offset {} is {}, expected a power of two", file_, pair->offset, value);
  alignment_ = value;
  return {};
}

Status GgufReader::check_split() const {
  PHISCOPE_ASSIGN(const auto count, out_->integer("split.count", 0, 65535));
  if (!count || *count <= 1) return {};
  return fail(ErrorCode::unsupported, "{}: is one of {} parts of a split model; join them with 'llama-gguf-split --merge FIRST_PART NEW_FILE'", file_, *count);
}

Status GgufReader::read_shape(TensorInfo& info, const std::string& where) {
  PHISCOPE_ASSIGN(const uint32_t dims, read<uint32_t>("the dimension count of a tensor"));
  if (dims < 1 || dims > kMaxDims) return fail(ErrorCode::invalid_file, "{}: it has {} dimensions, expected 1 to {}", where, dims, kMaxDims);
  uint64_t elements = 1;
  for (uint32_t i = 0; i < dims; ++i) {
    PHISCOPE_ASSIGN(const uint64_t size, read<uint64_t>("a dimension of a tensor"));
    if (size < 1 || size > static_cast<uint64_t>(INT64_MAX) || __builtin_mul_overflow(elements, size, &elements) ||
        elements > static_cast<uint64_t>(INT64_MAX) / 8)
      return fail(ErrorCode::invalid_file, "{}: dimension {} is {}, expected a size from 1 whose product with the others fits into 60 bits", where, i, size);
    info.entry.view.shape.push_back(static_cast<int64_t>(size));
  }
  std::reverse(info.entry.view.shape.begin(), info.entry.view.shape.end());
  return {};
}

Status GgufReader::read_type(TensorInfo& info, const std::string& where) {
  PHISCOPE_ASSIGN(const uint32_t number, read<uint32_t>("the type of a tensor"));
  const auto* row = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes), [&](const TensorTypeRow& candidate) { return candidate.number == number; });
  if (row == std::end(kTensorTypes)) return fail(ErrorCode::invalid_file, "{}: its type {} is unknown; read are {}", where, number, read_types_list());
  if (!row->is_read) return fail(ErrorCode::unsupported, "{}: its type {} is not read; {} are", where, row->name, read_types_list());
  TensorView& view = info.entry.view;
  view.dtype = row->dtype;
  view.block = row->block;
  if (view.block != BlockType::none && view.shape.back() % block_layout(view.block).values != 0)
    return fail(ErrorCode::invalid_file, "{}: its rows of {} values are no whole number of {} blocks of {}", where, view.shape.back(), row->name,
                block_layout(view.block).values);
  info.bytes = view.bytes();
  return {};
}

Result<GgufReader::TensorInfo> GgufReader::read_tensor() {
  TensorInfo info;
  info.info_offset = at_;
  PHISCOPE_ASSIGN(const std::string_view name, read_string("a tensor's name"));
  if (name.empty() || name.size() > kMaxNameBytes)
    return fail(ErrorCode::invalid_file, "{}: the tensor name at offset {} has {} bytes, expected 1 to {}", file_, info.info_offset, name.size(), kMaxNameBytes);
  if (!is_valid_utf8(name) || name.find('\0') != std::string_view::npos)
    return fail(ErrorCode::invalid_file, "{}: the tensor name at offset {} is not text in UTF-8", file_, info.info_offset);
  info.entry.name = name;
  const std::string where = fmt::format("{}: tensor '{}' at offset {}", file_, name, info.info_offset);
  PHISCOPE_TRY(read_shape(info, where));
  PHISCOPE_TRY(read_type(info, where));
  PHISCOPE_ASSIGN(info.data_offset, read<uint64_t>("the data offset of a tensor"));
  return info;
}

// In file order each tensor begins where the one before ends, padded: no gap, no overlap.
Status GgufReader::place_tensors(std::vector<TensorInfo> infos) {
  uint64_t data_start = 0, expected = 0;
  if (!padded(at_, alignment_, data_start)) return fail(ErrorCode::invalid_file, "{}: alignment {} reaches beyond 64 bits", file_, alignment_);
  const uint64_t data_bytes = data_start <= bytes_.size() ? bytes_.size() - data_start : 0;
  std::vector<TensorEntry> entries;
  for (TensorInfo& info : infos) {
    const std::string where = fmt::format("{}: tensor '{}' at offset {}", file_, info.entry.name, info.info_offset);
    if (info.data_offset != expected)
      return fail(ErrorCode::invalid_file, "{}: its data begin at data byte {}, the tensors before it end at {} ({})", where, info.data_offset, expected,
                  info.data_offset < expected ? "overlap" : "gap");
    if (info.bytes > data_bytes || info.data_offset > data_bytes - info.bytes)
      return fail(ErrorCode::invalid_file, "{}: its data end at data byte {}, the file has {} bytes of data; is the download complete?", where,
                  info.data_offset + info.bytes, data_bytes);
    if (!padded(info.data_offset + info.bytes, alignment_, expected))
      return fail(ErrorCode::invalid_file, "{}: alignment {} reaches beyond 64 bits", where, alignment_);
    info.entry.offset = data_start + info.data_offset;
    info.entry.view.data = bytes_.data() + info.entry.offset;
    entries.push_back(std::move(info.entry));
  }
  TensorFilesBuilder builder;
  PHISCOPE_TRY(builder.add(out_->mapped_, std::move(entries)));
  out_->tensors_ = builder.finish();
  return {};
}

Result<std::shared_ptr<const GgufFile>> GgufReader::run() {
  uint64_t tensors = 0, pairs = 0;
  PHISCOPE_TRY(read_head(tensors, pairs));
  out_->pairs_.reserve(pairs);
  for (uint64_t i = 0; i < pairs; ++i) PHISCOPE_TRY(read_pair());
  for (size_t i = 0; i < out_->pairs_.size(); ++i) {
    const GgufPair& pair = out_->pairs_[i];
    if (!out_->index_.emplace(pair.key, i).second)
      return fail(ErrorCode::invalid_file, "{}: key '{}' is there twice, the second time with its value at offset {}", file_, pair.key, pair.offset);
  }
  PHISCOPE_TRY(check_alignment());
  PHISCOPE_TRY(check_split());
  std::vector<TensorInfo> infos;
  infos.reserve(tensors);
  for (uint64_t i = 0; i < tensors; ++i) {
    PHISCOPE_ASSIGN(TensorInfo info, read_tensor());
    infos.push_back(std::move(info));
  }
  out_->header_bytes_ = at_;
  PHISCOPE_TRY(place_tensors(std::move(infos)));
  return std::shared_ptr<const GgufFile>(std::move(out_));
}

}  // namespace phiscope
