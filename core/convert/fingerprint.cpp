#include "core/convert/fingerprint.h"

#include "core/base/files.h"
#include "core/base/hash.h"

namespace phiscope {
namespace {

constexpr size_t kWholeBelow = size_t{64} << 20;
constexpr size_t kSamples = 64, kSampleBytes = size_t{64} << 10;

}  // namespace

Result<FileRecord> fingerprint_file(const std::filesystem::path& folder, const std::string& name) {
  PHISCOPE_ASSIGN(const auto file, MappedFile::open(folder / name));
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() <= kWholeBelow) return FileRecord{name, bytes.size(), hash_bytes(bytes)};
  Hasher hasher;
  hasher.update(fmt::format("{}:", bytes.size()));
  for (size_t i = 0; i < kSamples; ++i) {
    const size_t first = (bytes.size() - kSampleBytes) / (kSamples - 1) * i;
    hasher.update(bytes.subspan(i + 1 == kSamples ? bytes.size() - kSampleBytes : first, kSampleBytes));
  }
  return FileRecord{name, bytes.size(), hasher.hex()};
}

Status check_fingerprint(const std::filesystem::path& folder, const FileRecord& recorded) {
  PHISCOPE_ASSIGN(const FileRecord found, fingerprint_file(folder, recorded.name));
  if (found.bytes != recorded.bytes)
    return fail(ErrorCode::invalid_file, "{}: has {} bytes, the manifest says {}", (folder / recorded.name).string(), found.bytes, recorded.bytes);
  if (found.hash != recorded.hash)
    return fail(ErrorCode::invalid_file, "{}: its content is not what the manifest says", (folder / recorded.name).string());
  return {};
}

}  // namespace phiscope
