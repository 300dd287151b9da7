#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/platform/platform.h"
#include "core/base/platform/system_error.h"

namespace phiscope::platform {

void install_stop_handler(void (*handler)(int signal)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM}) ::sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int number : {SIGPIPE, SIGXFSZ}) ::sigaction(number, &action, nullptr);
}

Error become_program(const std::vector<std::string>& arguments) {
  std::vector<std::string> texts = arguments;
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  if (texts.empty()) return Error{ErrorCode::invalid_argument, "a program path is missing"};
  ::execv(list[0], list.data());
  return system_error(arguments[0], "run this program", errno);
}

}  // namespace phiscope::platform
