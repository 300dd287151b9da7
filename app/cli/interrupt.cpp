#include "app/cli/interrupt.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/base/platform/platform.h"

namespace phiscope::cli {
namespace {

void on_signal(int) {
  if (interrupt_token().cancelled()) std::_Exit(kExitCancelled);
  interrupt_token().cancel();
}

}  // namespace

CancelToken& interrupt_token() {
  static CancelToken token;
  return token;
}

void install_interrupt_handler() {
  interrupt_token();  // constructed before a signal may come
  platform::install_stop_handler(on_signal);
}

int become_worker(int argc, char** argv) {
  const std::string program = (platform::executable_path().parent_path() / "phiscope-worker").string();
  std::vector<std::string> arguments(argv + 1, argv + argc);
  arguments[0] = program;
  print_error(platform::become_program(arguments).message + "; install it beside phiscope");
  return kExitFailed;
}

}  // namespace phiscope::cli
