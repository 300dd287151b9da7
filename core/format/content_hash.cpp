#include <algorithm>

#include "core/base/hash.h"
#include "core/format/tensor_file.h"

namespace phiscope {
namespace {

constexpr uint64_t kReadWholeBelow = 64 << 20;
constexpr uint64_t kSampleBytes = 1 << 20;

std::string header_line(const TensorEntry& tensor) {
  return fmt::format("{}\n{} {} {}\n", tensor.name, tensor.view.type_name(), shape_text(tensor.view.shape), tensor.view.bytes());
}

// First, middle and last megabyte: enough to tell checkpoints apart; the modification time catches the rest.
void hash_samples(const MappedFile& file, Hasher& hasher) {
  const std::span<const std::byte> bytes = file.bytes();
  const uint64_t sample = std::min<uint64_t>(kSampleBytes, bytes.size());
  for (const uint64_t first : {uint64_t{0}, (bytes.size() - sample) / 2, bytes.size() - sample}) hasher.update(bytes.subspan(first, sample));
  std::error_code ignored;
  const auto time = std::filesystem::last_write_time(file.path(), ignored);
  hasher.update(fmt::format("{} {}\n", bytes.size(), time.time_since_epoch().count()));
}

}  // namespace

std::string TensorFiles::content_hash() const {
  const std::scoped_lock lock(hash_mutex_);
  if (!hash_.empty()) return hash_;
  uint64_t total = 0;
  for (const auto& file : files_) total += file->bytes().size();
  std::vector<const TensorEntry*> by_name;
  for (const TensorEntry& tensor : tensors_) by_name.push_back(&tensor);
  std::sort(by_name.begin(), by_name.end(), [](const TensorEntry* a, const TensorEntry* b) { return a->name < b->name; });

  Hasher hasher;
  const bool whole = total <= kReadWholeBelow;
  for (const TensorEntry* tensor : by_name) {
    hasher.update(header_line(*tensor));
    if (whole) hasher.update(std::span(tensor->view.data, tensor->view.bytes()));
  }
  if (!whole)
    for (const auto& file : files_) hash_samples(*file, hasher);
  hash_ = hasher.hex();
  return hash_;
}

}  // namespace phiscope
