#include "core/convert/weights_file.h"

#include <algorithm>
#include <array>

namespace phiscope {
namespace {

constexpr uint64_t kAlignment = 8;

uint64_t item_bytes(const SafetensorsWriter::Item& item) {
  uint64_t bytes = dtype_bytes(item.dtype);
  for (const int64_t size : item.shape) bytes *= static_cast<uint64_t>(size);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<WeightsFile>> WeightsFile::create(const std::filesystem::path& path, const Plan& plan,
                                                         const std::vector<ArtifactTensor>& tensors) {
  std::vector<SafetensorsWriter::Item> real;
  for (const PlanVector& vector : plan.vectors) real.push_back({vector.name, DType::f32, {static_cast<int64_t>(vector.values.size())}});
  for (const ArtifactTensor& tensor : tensors) {
    if (tensor.from_source) continue;
    for (SafetensorsWriter::Item& item : tensor_items(tensor)) real.push_back(std::move(item));
  }
  auto file = std::unique_ptr<WeightsFile>(new WeightsFile());
  std::vector<SafetensorsWriter::Item> items;
  uint64_t end = 0;
  for (SafetensorsWriter::Item& item : real) {
    const uint64_t bytes = item_bytes(item);
    const uint64_t padding = (kAlignment - bytes % kAlignment) % kAlignment;
    end += bytes;
    file->item_ends_.push_back(end);
    file->paddings_.push_back(padding);
    items.push_back(std::move(item));
    if (padding != 0) items.push_back({fmt::format("padding.{}", items.size()), DType::u8, {static_cast<int64_t>(padding)}});
  }
  PHISCOPE_ASSIGN(file->writer_, SafetensorsWriter::create(path, std::move(items), {{"format", "phiscope"}}));
  return file;
}

Status WeightsFile::write_raw(std::span<const std::byte> bytes) {
  hasher_.update(bytes);
  return writer_->write(bytes);
}

Status WeightsFile::write(std::span<const std::byte> bytes) {
  if (item_ >= item_ends_.size() || written_ + bytes.size() > item_ends_[item_])
    return fail(ErrorCode::internal, "{} bytes do not fit item {} of the weights file", bytes.size(), item_);
  PHISCOPE_TRY(write_raw(bytes));
  written_ += bytes.size();
  if (written_ < item_ends_[item_]) return {};
  constexpr std::array<std::byte, kAlignment> kZeros{};
  return write_raw(std::span(kZeros).first(static_cast<size_t>(paddings_[item_++])));
}

Result<std::string> WeightsFile::commit() {
  PHISCOPE_TRY(writer_->commit());
  return hasher_.hex();
}

}  // namespace phiscope
