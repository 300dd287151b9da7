#include "core/base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "core/base/platform/descriptor.h"
#include "core/base/platform/system_error.h"
#include "core/base/text.h"

namespace phiscope {
namespace {

using platform::Descriptor;
using platform::system_error;

/// Opens an existing file to read; folders are refused here because open() accepts them.
Result<Descriptor> open_to_read(const std::filesystem::path& path, struct stat& facts) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return fail(system_error(path, "open", errno));
  if (::fstat(file.get(), &facts) != 0) return fail(system_error(path, "read its size", errno));
  if (S_ISDIR(facts.st_mode)) return fail(ErrorCode::io, "{}: is a folder, a file was expected", path.string());
  return file;
}

std::string random_suffix() {
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device device;
  std::string suffix(6, 'x');
  for (char& letter : suffix) letter = kLetters[device() % kLetters.size()];
  return suffix;
}

std::filesystem::path parent_folder(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

/// Makes a rename durable. Some file systems refuse to sync folders; the data itself is safe by then.
void sync_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.is_open()) (void)::fsync(descriptor.get());
}

/// "folder/" names the same folder as "folder"; a suffix must not land inside it.
std::filesystem::path without_trailing_separator(const std::filesystem::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

constexpr int kNameAttempts = 32;

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  struct stat facts {};
  PHISCOPE_ASSIGN(const Descriptor file, open_to_read(path, facts));
  const auto too_large = [&](uint64_t size) {
    return fail(ErrorCode::invalid_file, "{}: has {}, at most {} were expected", path.string(), format_bytes(size), format_bytes(limit_bytes));
  };
  const auto size = static_cast<uint64_t>(facts.st_size);
  if (size > limit_bytes) return too_large(size);
  // Files under /proc say 0 bytes: read until the end, whatever the size says. One byte more than the size sees the end at once.
  std::string content;
  size_t used = 0;
  content.resize(static_cast<size_t>(size) + 1);
  while (true) {
    if (used == content.size()) content.resize(std::max<size_t>(content.size() * 2, 4096));
    const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(path, "read", errno));
    if (got == 0) break;
    used += static_cast<size_t>(got);
    if (used > limit_bytes) return too_large(used);
  }
  content.resize(used);
  return content;
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  struct stat facts {};
  PHISCOPE_ASSIGN(const Descriptor file, open_to_read(path, facts));
  if (!S_ISREG(facts.st_mode)) return fail(ErrorCode::io, "{}: is not a regular file and cannot be mapped", path.string());
  std::shared_ptr<MappedFile> mapped(new MappedFile());
  mapped->path_ = path;
  mapped->size_ = static_cast<size_t>(facts.st_size);
  if (mapped->size_ > 0) {  // mmap refuses empty ranges
    void* address = ::mmap(nullptr, mapped->size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (address == MAP_FAILED) {
      mapped->size_ = 0;
      return fail(system_error(path, "map into memory", errno));
    }
    mapped->data_ = static_cast<const std::byte*>(address);
  }
  return std::shared_ptr<const MappedFile>(std::move(mapped));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

namespace {

/// madvise on the pages of [offset, offset + size): all that it touches when `outward`, else only those that lie wholly inside.
void advise(std::span<const std::byte> bytes, size_t offset, size_t size, bool outward, int advice) {
  if (offset >= bytes.size()) return;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t end = offset + std::min(size, bytes.size() - offset);
  const bool ends_file = end == bytes.size();
  const size_t first = outward ? offset / page * page : (offset + page - 1) / page * page;
  const size_t last = outward || ends_file ? end : end / page * page;
  if (first < last) (void)::madvise(const_cast<std::byte*>(bytes.data() + first), last - first, advice);
}

}  // namespace

void MappedFile::will_need(size_t offset, size_t size) const { advise(bytes(), offset, size, true, MADV_WILLNEED); }
void MappedFile::drop(size_t offset, size_t size) const { advise(bytes(), offset, size, false, MADV_DONTNEED); }

Result<std::unique_ptr<AtomicFile>> AtomicFile::create(const std::filesystem::path& target) {
  std::unique_ptr<AtomicFile> file(new AtomicFile());
  std::error_code error;
  file->target_ = target;
  // Writing through a symbolic link replaces what it points to, as a plain write would.
  if (std::filesystem::is_symlink(target, error)) file->target_ = std::filesystem::weakly_canonical(target, error);
  if (std::filesystem::is_directory(file->target_, error))
    return fail(ErrorCode::io, "{}: is a folder, a file name was expected", target.string());
  for (int attempt = 0; attempt < kNameAttempts && file->descriptor_ < 0; ++attempt) {
    file->temporary_ = file->target_;
    file->temporary_ += ".tmp-" + random_suffix();
    file->descriptor_ = ::open(file->temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file->descriptor_ < 0 && errno != EEXIST) return fail(system_error(target, "create", errno));
  }
  if (file->descriptor_ < 0) return fail(system_error(target, "create a temporary file beside it", EEXIST));
  return file;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      const int problem = errno;
      const off_t written = ::lseek(descriptor_, 0, SEEK_CUR);  // given back when the unfinished file goes, needed again by the next try
      return fail(system_error(target_, "write", problem, static_cast<uint64_t>(std::max<off_t>(written, 0)) + bytes.size()));
    }
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
  return {};
}

Status AtomicFile::write(std::string_view text) { return write(std::as_bytes(std::span(text.data(), text.size()))); }

Status AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) return fail(system_error(target_, "write", errno));
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) return fail(system_error(target_, "put the finished file in its place", errno));
  ::close(descriptor_);
  descriptor_ = -1;
  sync_folder(parent_folder(target_));
  return {};
}

Status write_file(const std::filesystem::path& target, std::string_view content) {
  PHISCOPE_ASSIGN(const auto file, AtomicFile::create(target));
  PHISCOPE_TRY(file->write(content));
  return file->commit();
}

Result<std::filesystem::path> make_directory_beside(const std::filesystem::path& target) {
  const std::filesystem::path base = without_trailing_separator(target);
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    std::filesystem::path folder = base;
    folder += ".tmp-" + random_suffix();
    if (::mkdir(folder.c_str(), 0777) == 0) return folder;
    if (errno != EEXIST) return fail(system_error(folder, "create the folder", errno));
  }
  return fail(system_error(base, "create a folder beside it", EEXIST));
}

Status replace_directory(const std::filesystem::path& filled, const std::filesystem::path& target) {
  const std::filesystem::path place = without_trailing_separator(target);
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(place, error))) {
    if (::rename(filled.c_str(), place.c_str()) != 0) return fail(system_error(place, "put the finished folder in its place", errno));
  } else if (::renameat2(AT_FDCWD, filled.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) == 0) {
    std::filesystem::remove_all(filled, error);  // now the old content; what cannot be removed stays under its temporary name
  } else {
    // Not every file system can exchange: move the old one aside, and back when the new one cannot follow.
    std::filesystem::path aside = place;
    aside += ".tmp-" + random_suffix();
    if (::rename(place.c_str(), aside.c_str()) != 0) return fail(system_error(place, "move the old folder aside", errno));
    if (::rename(filled.c_str(), place.c_str()) != 0) {
      const int reason = errno;
      (void)::rename(aside.c_str(), place.c_str());
      return fail(system_error(place, "put the finished folder in its place", reason));
    }
    std::filesystem::remove_all(aside, error);
  }
  sync_folder(parent_folder(place));
  return {};
}

}  // namespace phiscope
