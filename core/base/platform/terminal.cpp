#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/platform/platform.h"

namespace phiscope::platform {
namespace {

constexpr int kDefaultWidth = 80;

}  // namespace

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

int terminal_width() {
  struct winsize size {};
  for (const int descriptor : {STDERR_FILENO, STDOUT_FILENO})
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int chosen = columns == nullptr ? 0 : std::atoi(columns);
  return chosen > 0 ? std::min(chosen, 1000) : kDefaultWidth;
}

}  // namespace phiscope::platform
