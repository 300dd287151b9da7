#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "core/format/tensor_file.h"

namespace phiscope {

Result<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::create(const std::filesystem::path& path, std::vector<Item> items,
                                                                     const std::map<std::string, std::string>& metadata) {
  std::unique_ptr<SafetensorsWriter> writer(new SafetensorsWriter);
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string_view> names;
  for (const Item& item : items) {
    if (item.name == "__metadata__" || !names.insert(item.name).second)
      return fail(ErrorCode::invalid_argument, "{}: two tensors cannot both be called '{}'", path.string(), item.name);
    const TensorView shape{item.dtype, item.shape, nullptr};
    const uint64_t begin = writer->expected_;
    writer->expected_ += shape.bytes();
    // operator[] of an ordered object searches the keys before it; push_back does not.
    header.get_ref<Json::object_t&>().push_back(
        {item.name, Json{{"dtype", safetensors_dtype(item.dtype)}, {"shape", item.shape}, {"data_offsets", {begin, writer->expected_}}}});
  }
  std::string text = dump_line(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::array<std::byte, 8> prefix;
  std::memcpy(prefix.data(), &length, prefix.size());
  PHISCOPE_ASSIGN(writer->file_, AtomicFile::create(path));
  PHISCOPE_TRY(writer->file_->write(prefix));
  PHISCOPE_TRY(writer->file_->write(text));
  return writer;
}

SafetensorsWriter::~SafetensorsWriter() = default;

Status SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > expected_ - written_)
    return fail(ErrorCode::internal, "safetensors writer: {} bytes more than the {} that were declared", bytes.size() - (expected_ - written_),
                expected_);
  PHISCOPE_TRY(file_->write(bytes));
  written_ += bytes.size();
  return {};
}

Status SafetensorsWriter::commit() {
  if (written_ != expected_)
    return fail(ErrorCode::internal, "safetensors writer: {} of {} declared bytes were written", written_, expected_);
  return file_->commit();
}

}  // namespace phiscope
