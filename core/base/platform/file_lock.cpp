#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/platform/descriptor.h"
#include "core/base/platform/platform.h"
#include "core/base/platform/system_error.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

/// The file stays for ever: removing it would let two processes lock two files of one name. Several users share it, so it is made
/// writable for all, and one who may only read it can still lock it. O_CREAT comes second because Linux refuses it on other people's
/// files in sticky folders (fs.protected_regular).
Descriptor open_lock_file(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open() && errno == ENOENT) {
    file = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (file.is_open()) (void)::fchmod(file.get(), 0666);
  }
  if (!file.is_open() && (errno == EACCES || errno == EPERM)) file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file;
}

std::string read_holder(int descriptor) {
  std::string text(512, '\0');
  const ssize_t got = ::pread(descriptor, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return sanitize_utf8(trim(std::string_view(text).substr(0, text.find('\n'))));
}

}  // namespace

Result<std::unique_ptr<FileLock>> FileLock::try_lock(const std::filesystem::path& path, std::string_view holder) {
  std::error_code ignored;  // a folder that cannot be made shows when the file is opened
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  Descriptor file = open_lock_file(path);
  if (!file.is_open()) return fail(system_error(path, "open the lock", errno));
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return fail(system_error(path, "lock", errno));
    const std::string text = read_holder(file.get());
    return fail(ErrorCode::busy, "{} holds the lock {}; wait until it ends or stop it", text.empty() ? "another process" : text, path.string());
  }
  // The text only informs: a lock whose text cannot be written is still a lock.
  if (::ftruncate(file.get(), 0) == 0) (void)write_all(file.get(), std::string(holder) + "\n");
  std::unique_ptr<FileLock> lock(new FileLock());
  lock->descriptor_ = file.release();
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  (void)!::ftruncate(descriptor_, 0);
  ::close(descriptor_);
}

}  // namespace phiscope::platform
