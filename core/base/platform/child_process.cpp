#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "core/base/clock.h"
#include "core/base/platform/descriptor.h"
#include "core/base/platform/platform.h"
#include "core/base/platform/spawn.h"
#include "core/base/platform/streams.h"
#include "core/base/platform/system_error.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

/// A child that reads nothing for so long while its pipe is full is hung.
constexpr double kSendLimitSeconds = 60;
/// Longest line of the protocol; bulk data travels by file.
constexpr size_t kLineLimitBytes = size_t{256} << 20;
/// stderr lines are for people; what is longer comes in pieces.
constexpr size_t kStderrLineBytes = size_t{64} << 10;
/// From the end of a child's output to its exit status.
constexpr double kReapSeconds = 2;

/// Counts down over several waits.
class Deadline {
 public:
  explicit Deadline(double seconds) : end_ns_(seconds > 0 ? monotonic_ns() + static_cast<int64_t>(std::min(seconds, 1e9) * 1e9) : 0) {}
  bool is_over() const { return end_ns_ != 0 && monotonic_ns() >= end_ns_; }
  /// Milliseconds for poll(), rounded up; -1 = for ever.
  int poll_ms() const {
    if (end_ns_ == 0) return -1;
    const int64_t left_ns = std::max<int64_t>(0, end_ns_ - monotonic_ns());
    return static_cast<int>(std::min<int64_t>((left_ns + 999'999) / 1'000'000, 1 << 30));
  }

 private:
  int64_t end_ns_ = 0;
};

/// A flag that poll() can wait for. Thread-safe.
class Wakeup {
 public:
  Wakeup() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  void raise() const {
    const uint64_t one = 1;
    (void)!::write(event_.get(), &one, sizeof one);
  }
  /// True when it was raised; lowers it.
  bool take() const {
    uint64_t count = 0;
    return ::read(event_.get(), &count, sizeof count) == sizeof count;
  }
  int descriptor() const { return event_.get(); }

 private:
  Descriptor event_;
};

/// True when `descriptor` is ready (or at its end), false when time is over or `wakeup` was raised.
bool wait_ready(int descriptor, short events, const Wakeup& wakeup, const Deadline& deadline) {
  while (true) {
    pollfd watched[2] = {{descriptor, events, 0}, {wakeup.descriptor(), POLLIN, 0}};
    const int ready = ::poll(watched, 2, deadline.poll_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (ready > 0 && (watched[1].revents & POLLIN) != 0) return false;
    if (ready != 0) return true;
    if (deadline.is_over()) return false;
  }
}

/// Passes complete lines of `buffer` on and keeps the rest.
void pass_lines(std::string& buffer, const std::function<void(std::string_view)>& on_line, bool at_end) {
  size_t start = 0;
  for (size_t end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n', start)) {
    on_line(std::string_view(buffer).substr(start, end - start));
    start = end + 1;
  }
  buffer.erase(0, start);
  if (buffer.empty() || (!at_end && buffer.size() < kStderrLineBytes)) return;
  on_line(buffer);
  buffer.clear();
}

class LinuxChild final : public ChildProcess {
 public:
  LinuxChild(SpawnedChild child, Options options)
      : name_(std::filesystem::path(options.arguments[0]).filename().string()), process_id_(child.process_id), stdin_(std::move(child.in)),
        stdout_(std::move(child.out)), stderr_(std::move(child.err)), on_stderr_line_(std::move(options.on_stderr_line)) {
    stderr_pump_ = std::thread([this] { pump_stderr(); });
  }
  ~LinuxChild() override {
    kill();
    wait(0);
  }

  Status send_line(std::string_view line) override {
    std::string text(line);
    text += '\n';
    const SigpipeGuard guard;
    std::string_view rest = text;
    Deadline deadline(kSendLimitSeconds);
    while (!rest.empty()) {
      if (!stdin_.is_open()) return fail(ErrorCode::crashed, "{}: its input was closed already", title());
      const ssize_t done = ::write(stdin_.get(), rest.data(), rest.size());
      if (done > 0) {
        rest.remove_prefix(static_cast<size_t>(done));
        deadline = Deadline(kSendLimitSeconds);
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return fail(gone());
      if (wait_ready(stdin_.get(), POLLOUT, interrupted_, deadline)) continue;
      if (interrupted_.take()) return fail(ErrorCode::cancelled, "{}: interrupted while sending", title());
      return fail(ErrorCode::hung, "{}: took no input for {}", title(), format_seconds(kSendLimitSeconds));
    }
    return {};
  }

  Result<std::string> receive_line(double timeout_s) override {
    Deadline deadline(timeout_s);
    while (true) {
      if (interrupted_.take()) return fail(ErrorCode::cancelled, "{}: interrupted while waiting for it", title());
      if (auto line = take_line()) return std::move(*line);
      if (received_.size() > kLineLimitBytes)
        return fail(ErrorCode::internal, "{}: sent a line of more than {}", title(), format_bytes(kLineLimitBytes));
      if (!wait_ready(stdout_.get(), POLLIN, interrupted_, deadline)) {
        if (deadline.is_over()) return fail(ErrorCode::hung, "{}: was silent for {}", title(), format_seconds(timeout_s));
        continue;
      }
      const size_t used = received_.size();
      received_.resize(used + kReadBytes);
      const ssize_t got = ::read(stdout_.get(), received_.data() + used, kReadBytes);
      received_.resize(used + (got > 0 ? static_cast<size_t>(got) : 0));
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) return fail(gone());
      deadline = Deadline(timeout_s);
    }
  }

  void interrupt() override { interrupted_.raise(); }
  void close_stdin() override { stdin_.reset(); }

  void kill() override {
    const std::scoped_lock lock(mutex_);
    if (exit_) return;
    // A child that has ended already keeps its own reason.
    if (reap(WNOHANG)) return;
    was_killed_by_us_ = true;
    ::kill(-process_id_, SIGKILL);  // the whole group, so that helpers of a foreign engine die too
  }

  Exit wait(double timeout_s) override {
    if (!wait_for_exit(timeout_s)) kill();
    {
      const std::scoped_lock lock(mutex_);
      if (!exit_) reap(0);
    }
    // What the child wrote last has arrived when this returns.
    stop_pump_.raise();
    if (stderr_pump_.joinable()) stderr_pump_.join();
    const std::scoped_lock lock(mutex_);
    return *exit_;
  }

  int process_id() const override { return process_id_; }

 private:
  static constexpr size_t kReadBytes = size_t{64} << 10;

  std::string title() const { return fmt::format("{} (process {})", name_, process_id_); }

  std::optional<std::string> take_line() {
    const size_t end = received_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = received_.size();
      return std::nullopt;
    }
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    searched_ = 0;
    return line;
  }

  /// The error for the end of the streams, with the reason when the child has ended too.
  Error gone() {
    if (!wait_for_exit(kReapSeconds)) return Error{ErrorCode::crashed, fmt::format("{}: closed its output but still runs", title())};
    const std::scoped_lock lock(mutex_);
    return Error{ErrorCode::crashed, fmt::format("{} {}", title(), exit_->describe())};
  }

  /// Collects the exit status if there is one. Call with the lock held.
  bool reap(int flags) {
    int status = 0;
    pid_t got = 0;
    do got = ::waitpid(process_id_, &status, flags);
    while (got < 0 && errno == EINTR);
    if (got == 0) return false;
    exit_ = Exit{};  // also when somebody else reaped it: nothing more can be known
    if (got > 0 && WIFEXITED(status)) exit_->status = WEXITSTATUS(status);
    if (got > 0 && WIFSIGNALED(status)) exit_->signal = WTERMSIG(status);
    exit_->was_stopped_by_us = was_killed_by_us_ && exit_->signal == SIGKILL;
    return true;
  }

  /// Polls with growing pauses: the exit of a child has no descriptor on older kernels.
  bool wait_for_exit(double timeout_s) {
    const Deadline deadline(std::max(timeout_s, 1e-9));
    std::chrono::microseconds pause(100);
    while (true) {
      {
        const std::scoped_lock lock(mutex_);
        if (exit_ || reap(WNOHANG)) return true;
      }
      if (deadline.is_over()) return false;
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::microseconds(10'000));
    }
  }

  void pump_stderr() {
    std::string buffer;
    char piece[4096];
    bool is_open = true;
    while (is_open) {
      const bool is_stopping = !wait_ready(stderr_.get(), POLLIN, stop_pump_, Deadline(0));
      while (true) {  // everything there is now; the descriptor does not block
        const ssize_t got = ::read(stderr_.get(), piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0 || (got < 0 && errno != EAGAIN)) is_open = false;
        if (got <= 0) break;
        buffer.append(piece, static_cast<size_t>(got));
        if (on_stderr_line_) pass_lines(buffer, on_stderr_line_, false);
        else buffer.clear();
      }
      if (is_stopping) break;
    }
    if (on_stderr_line_) pass_lines(buffer, on_stderr_line_, true);
  }

  const std::string name_;
  const pid_t process_id_;
  Descriptor stdin_, stdout_, stderr_;
  const std::function<void(std::string_view)> on_stderr_line_;
  Wakeup interrupted_, stop_pump_;
  std::string received_;
  size_t searched_ = 0;  // of received_, without a newline
  std::mutex mutex_;     // guards exit_ and was_killed_by_us_, and the process id against reuse between reap and kill
  std::optional<Exit> exit_;
  bool was_killed_by_us_ = false;
  std::thread stderr_pump_;
};

}  // namespace

std::string ChildProcess::Exit::describe() const {
  if (was_stopped_by_us) return "was stopped by Phiscope";
  if (signal == 0) return status == 0 ? "ended by itself" : fmt::format("ended with exit status {}", status);
  const char* abbreviation = ::sigabbrev_np(signal);
  std::string text = fmt::format("was killed by signal {} (SIG{})", signal, abbreviation == nullptr ? "?" : abbreviation);
  if (signal == SIGKILL) text += ", which the kernel's out-of-memory killer sends when memory runs out";
  return text;
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(Options options) {
  if (options.arguments.empty()) return fail(ErrorCode::invalid_argument, "a child process needs a program path");
  PHISCOPE_ASSIGN(SpawnedChild child, spawn(options.arguments, options.environment));
  return std::make_unique<LinuxChild>(std::move(child), std::move(options));
}

}  // namespace phiscope::platform
