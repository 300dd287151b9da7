#include "core/base/platform/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/platform/system_error.h"

namespace phiscope::platform {
namespace {

struct Pipe {
  Descriptor reader, writer;
};

/// Both ends close on exec and are above 2, so that dup2 onto 0..2 in the child never meets its own source.
Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::io, "cannot make a pipe: {}", error_text(errno));
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  for (Descriptor* end : {&pipe.reader, &pipe.writer}) {
    if (end->get() > STDERR_FILENO) continue;
    *end = Descriptor(::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!end->is_open()) return fail(ErrorCode::io, "cannot make a pipe: {}", error_text(errno));
  }
  return pipe;
}

void make_non_blocking(const Descriptor& descriptor) {
  ::fcntl(descriptor.get(), F_SETFL, ::fcntl(descriptor.get(), F_GETFL) | O_NONBLOCK);
}

/// "NAME=value" of ours with the additions in place of what they replace.
std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> merged;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    bool is_replaced = false;
    for (const auto& addition : additions) is_replaced = is_replaced || text.starts_with(addition.first + "=");
    if (!is_replaced) merged.emplace_back(text);
  }
  for (const auto& [name, value] : additions) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

/// Everything the child needs, made before the fork: after it only async-signal-safe calls are allowed.
struct Launch {
  char* const* arguments;
  char* const* environment;
  int in, out, err, failure;
  pid_t parent;
};

[[noreturn]] void run_child(const Launch& launch) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != launch.parent) ::_exit(127);  // the parent died before the line above
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaction(number, &standard, nullptr);
  ::dup2(launch.in, STDIN_FILENO);
  ::dup2(launch.out, STDOUT_FILENO);
  ::dup2(launch.err, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);  // descriptors of libraries that forgot; older kernels refuse
  ::execve(launch.arguments[0], launch.arguments, launch.environment);
  const int reason = errno;
  (void)!::write(launch.failure, &reason, sizeof reason);
  ::_exit(127);
}

/// PR_SET_PDEATHSIG fires when the forking *thread* ends, so one thread that lives as long as the process does all forking.
class Forker {
 public:
  static Forker& instance() {
    static Forker* const forker = new Forker;  // never destroyed: its thread ends with the process
    return *forker;
  }

  /// Process id in `result`, or -1 with the reason in `error_number`.
  pid_t fork_child(const Launch& launch, int& error_number) {
    const std::scoped_lock one_caller(callers_);
    std::unique_lock lock(mutex_);
    request_ = &launch;
    changed_.notify_all();
    changed_.wait(lock, [this] { return request_ == nullptr; });
    error_number = error_number_;
    return result_;
  }

 private:
  Forker() {
    std::thread([this] { serve(); }).detach();
  }

  void serve() {
    sigset_t all;  // handlers of the program run on its own threads
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return request_ != nullptr; });
      result_ = ::fork();
      error_number_ = errno;
      if (result_ == 0) run_child(*request_);
      request_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex callers_, mutex_;
  std::condition_variable changed_;
  const Launch* request_ = nullptr;
  pid_t result_ = -1;
  int error_number_ = 0;
};

/// Blocks until the child runs its program or has said why it cannot; 0 = it runs.
int read_failure(const Descriptor& failure) {
  int reason = 0;
  ssize_t got = 0;
  do got = ::read(failure.get(), &reason, sizeof reason);
  while (got < 0 && errno == EINTR);
  return got == sizeof reason ? reason : 0;
}

}  // namespace

Result<SpawnedChild> spawn(const std::vector<std::string>& arguments, const std::vector<std::pair<std::string, std::string>>& environment) {
  PHISCOPE_ASSIGN(Pipe in, make_pipe());
  PHISCOPE_ASSIGN(Pipe out, make_pipe());
  PHISCOPE_ASSIGN(Pipe err, make_pipe());
  PHISCOPE_ASSIGN(Pipe failure, make_pipe());
  std::vector<std::string> argument_texts = arguments, environment_texts = merged_environment(environment);
  const std::vector<char*> argument_list = pointers(argument_texts), environment_list = pointers(environment_texts);
  const Launch launch{argument_list.data(),   environment_list.data(), in.reader.get(), out.writer.get(),
                      err.writer.get(),       failure.writer.get(),    ::getpid()};
  int reason = 0;
  SpawnedChild child;
  child.process_id = Forker::instance().fork_child(launch, reason);
  if (child.process_id < 0) return fail(system_error(arguments[0], "start a process", reason));
  for (Descriptor* theirs : {&in.reader, &out.writer, &err.writer, &failure.writer}) theirs->reset();
  reason = read_failure(failure.reader);
  if (reason != 0) {
    ::waitpid(child.process_id, nullptr, 0);
    return fail(system_error(arguments[0], "run this program", reason));
  }
  child.in = std::move(in.writer);
  child.out = std::move(out.reader);
  child.err = std::move(err.reader);
  for (const Descriptor* ours : {&child.in, &child.out, &child.err}) make_non_blocking(*ours);
  return child;
}

}  // namespace phiscope::platform
