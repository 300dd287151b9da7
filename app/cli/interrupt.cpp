#include "app/cli/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/base/platform/platform.h"

namespace phiscope::cli {
namespace {

void on_signal(int) {
  if (interrupt_token().cancelled()) _exit(kExitCancelled);
  interrupt_token().cancel();
}

}  // namespace

CancelToken& interrupt_token() {
  static CancelToken token;
  return token;
}

void install_interrupt_handler() {
  interrupt_token();  // constructed before a signal may come
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A closed pipe and a file that may not grow are errors of a write, not the end of the program; the worker inherits this.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

int become_worker(int argc, char** argv) {
  const std::string program = (platform::executable_path().parent_path() / "phiscope-worker").string();
  std::vector<char*> arguments(argv + 1, argv + argc);
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  print_error(fmt::format("{} cannot be started: {}; install it beside phiscope", program, std::strerror(errno)));
  return kExitFailed;
}

}  // namespace phiscope::cli
