#include "core/base/platform/streams.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/base/platform/descriptor.h"
#include "core/base/platform/platform.h"
#include "core/base/platform/system_error.h"

namespace phiscope::platform {
namespace {

sigset_t only_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

bool sigpipe_is_pending() {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

}  // namespace

SigpipeGuard::SigpipeGuard() : was_pending_(sigpipe_is_pending()) {
  const sigset_t set = only_sigpipe();
  sigset_t old;
  pthread_sigmask(SIG_BLOCK, &set, &old);
  was_blocked_ = sigismember(&old, SIGPIPE) == 1;
}

SigpipeGuard::~SigpipeGuard() {
  const sigset_t set = only_sigpipe();
  const timespec no_wait{};
  if (!was_pending_ && sigpipe_is_pending())
    while (sigtimedwait(&set, nullptr, &no_wait) == -1 && errno == EINTR) {
    }
  if (!was_blocked_) pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Status write_existing_file(const std::filesystem::path& path, std::string_view text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.is_open()) return fail(system_error(path, "open", errno));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return fail(system_error(path, "write", errno));
  return {};
}

Status write_all(int descriptor, std::string_view bytes) {
  const SigpipeGuard guard;
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EPIPE) return fail(ErrorCode::crashed, "nobody reads this stream any more: the other program has ended");
    if (done < 0) return fail(ErrorCode::io, "cannot write to the stream: {}", error_text(errno));
    bytes.remove_prefix(static_cast<size_t>(done));
  }
  return {};
}

Result<int> take_stdout() {
  std::fflush(stdout);
  Descriptor duplicate(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!duplicate.is_open()) return fail(ErrorCode::io, "cannot duplicate standard output: {}", error_text(errno));
  if (::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return fail(ErrorCode::io, "cannot point standard output at standard error: {}", error_text(errno));
  return duplicate.release();
}

}  // namespace phiscope::platform
