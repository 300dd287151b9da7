#include "core/format/gguf_writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "core/format/gguf_reader.h"

namespace phiscope {
namespace {

constexpr uint64_t kAlignment = 32;  // general.alignment's default
constexpr uint32_t kVersion = 3;
constexpr size_t kMaxNameBytes = 63;

uint64_t padding_after(uint64_t bytes) { return (kAlignment - bytes % kAlignment) % kAlignment; }

template <class T>
void append_number(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

Status check_unique(const std::vector<std::string>& names, std::string_view what, const std::filesystem::path& path) {
  std::set<std::string_view> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second) return fail(ErrorCode::invalid_argument, "{}: there are two {} '{}'", path.string(), what, name);
  return {};
}

Status check_tensor(const GgufTensor& tensor, const std::filesystem::path& path) {
  const auto where = [&] { return fmt::format("{}: tensor '{}'", path.string(), tensor.name); };
  if (tensor.name.empty() || tensor.name.size() > kMaxNameBytes)
    return fail(ErrorCode::invalid_argument, "{}: its name has {} bytes, GGUF takes 1 to {}", where(), tensor.name.size(), kMaxNameBytes);
  if (tensor.shape.empty() || tensor.shape.size() > 4)
    return fail(ErrorCode::invalid_argument, "{}: it has {} dimensions, GGUF takes 1 to 4", where(), tensor.shape.size());
  if (!gguf_tensor_type(tensor.dtype, tensor.block))
    return fail(ErrorCode::invalid_argument, "{}: GGUF has no type {}", where(), dtype_name(tensor.dtype));
  if (tensor.block != BlockType::none && tensor.shape.back() % block_layout(tensor.block).values != 0)
    return fail(ErrorCode::invalid_argument, "{}: its rows of {} values are no whole number of {} blocks", where(), tensor.shape.back(),
                block_layout(tensor.block).name);
  return {};
}

void append_info(std::string& bytes, const GgufTensor& tensor, uint64_t offset) {
  append_number<uint64_t>(bytes, tensor.name.size());
  bytes.append(tensor.name);
  append_number<uint32_t>(bytes, static_cast<uint32_t>(tensor.shape.size()));
  for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) append_number<int64_t>(bytes, *size);
  append_number<uint32_t>(bytes, *gguf_tensor_type(tensor.dtype, tensor.block));
  append_number<uint64_t>(bytes, offset);
}

}  // namespace

void GgufMetadata::append(const void* bytes, size_t count) { bytes_.append(static_cast<const char*>(bytes), count); }

void GgufMetadata::append_text(std::string_view text) {
  append_number<uint64_t>(bytes_, text.size());
  bytes_.append(text);
}

void GgufMetadata::begin(std::string_view key, GgufType type) {
  keys_.emplace_back(key);
  append_text(key);
  append_number(bytes_, static_cast<uint32_t>(type));
}

void GgufMetadata::begin_array(std::string_view key, GgufType type, size_t count) {
  begin(key, GgufType::array);
  append_number(bytes_, static_cast<uint32_t>(type));
  append_number<uint64_t>(bytes_, count);
}

void GgufMetadata::add_u32(std::string_view key, uint32_t value) {
  begin(key, GgufType::u32);
  append(&value, sizeof(value));
}

void GgufMetadata::add_f32(std::string_view key, float value) {
  begin(key, GgufType::f32);
  append(&value, sizeof(value));
}

void GgufMetadata::add_bool(std::string_view key, bool value) {
  begin(key, GgufType::boolean);
  append_number<uint8_t>(bytes_, value ? 1 : 0);
}

void GgufMetadata::add_text(std::string_view key, std::string_view value) {
  begin(key, GgufType::string);
  append_text(value);
}

void GgufMetadata::add_texts(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::string, values.size());
  for (const std::string& value : values) append_text(value);
}

void GgufMetadata::add_f32s(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufType::f32, values.size());
  append(values.data(), values.size_bytes());
}

void GgufMetadata::add_i32s(std::string_view key, std::span<const int32_t> values) {
  begin_array(key, GgufType::i32, values.size());
  append(values.data(), values.size_bytes());
}

uint64_t GgufTensor::bytes() const { return TensorView{.dtype = block == BlockType::none ? dtype : DType::u8, .shape = shape, .block = block}.bytes(); }

Result<std::unique_ptr<GgufWriter>> GgufWriter::create(const std::filesystem::path& path, const GgufMetadata& metadata, std::vector<GgufTensor> tensors) {
  PHISCOPE_TRY(check_unique(metadata.keys_, "keys", path));
  std::vector<std::string> names;
  for (const GgufTensor& tensor : tensors) {
    PHISCOPE_TRY(check_tensor(tensor, path));
    names.push_back(tensor.name);
  }
  PHISCOPE_TRY(check_unique(names, "tensors", path));

  std::unique_ptr<GgufWriter> writer(new GgufWriter);
  std::string head = "GGUF";
  append_number(head, kVersion);
  append_number<uint64_t>(head, tensors.size());
  append_number<uint64_t>(head, metadata.keys_.size());
  head.append(metadata.bytes_);
  uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    append_info(head, tensor, offset);
    writer->sizes_.push_back(tensor.bytes());
    offset += writer->sizes_.back() + padding_after(writer->sizes_.back());
  }
  head.append(padding_after(head.size()), '\0');
  PHISCOPE_ASSIGN(writer->file_, AtomicFile::create(path));
  PHISCOPE_TRY(writer->file_->write(head));
  return writer;
}

Status GgufWriter::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  if (tensor_ >= sizes_.size() || bytes.size() > sizes_[tensor_] - written_)
    return fail(ErrorCode::internal, "GGUF writer: {} bytes do not fit tensor {} of {}", bytes.size(), tensor_, sizes_.size());
  PHISCOPE_TRY(file_->write(bytes));
  written_ += bytes.size();
  if (written_ < sizes_[tensor_]) return {};
  constexpr std::array<std::byte, kAlignment> kZeros{};
  const uint64_t padding = padding_after(sizes_[tensor_++]);
  written_ = 0;
  return file_->write(std::span(kZeros).first(padding));
}

Status GgufWriter::commit() {
  if (tensor_ != sizes_.size()) return fail(ErrorCode::internal, "GGUF writer: {} of {} tensors were written", tensor_, sizes_.size());
  return file_->commit();
}

}  // namespace phiscope
