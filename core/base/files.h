#pragma once
// Whole-file reads, read-only mappings, and writes that are complete or absent.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace phiscope {

/// Reads a file of at most `limit_bytes`. Errors: not_found, io, invalid_file when larger than the limit.
Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit_bytes = uint64_t{1} << 32);

/// A read-only private mapping of a whole regular file; shared between owners, unmapped with the last one. Thread-safe to read.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  /// Tells the kernel that a range will be needed soon (readahead).
  void will_need(size_t offset, size_t size) const;
  /// Drops resident pages of a range; the next access reads them again. Keeps one tensor's pages from staying counted after packing.
  void drop(size_t offset, size_t size) const;

 private:
  MappedFile() = default;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::filesystem::path path_;
};

/// Writes beside the target and renames on commit(): readers see the old file or the whole new one. Destroyed without commit() it
/// removes its temporary file. Not thread-safe. Errors: io with the operating system's reason (a full disk is named so).
class AtomicFile {
 public:
  static Result<std::unique_ptr<AtomicFile>> create(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);
  /// Flushes to disk and renames over the target.
  Status commit();
  const std::filesystem::path& temporary_path() const { return temporary_; }

 private:
  AtomicFile() = default;
  int descriptor_ = -1;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
};

/// create + write + commit.
Status write_file(const std::filesystem::path& target, std::string_view content);

/// A new empty directory beside `target` ("<target>.tmp-XXXXXX") to fill and then move into place with replace_directory.
Result<std::filesystem::path> make_directory_beside(const std::filesystem::path& target);
/// Renames `filled` to `target`; when `target` exists already it is swapped out and removed.
Status replace_directory(const std::filesystem::path& filled, const std::filesystem::path& target);

}  // namespace phiscope
