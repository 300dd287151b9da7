#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "app/worker/jobs.h"
#include "core/base/log.h"
#include "core/base/platform/platform.h"
#include "core/base/version.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("phiscope-worker %s\n", phiscope::kVersion);
    return 0;
  }
  if (argc > 1) {
    std::fprintf(stderr, "phiscope-worker takes no arguments; it is started by phiscope and speaks JSON lines on stdin and stdout\n");
    return 2;
  }
  // A Ctrl-C in the terminal reaches the whole group; the parent decides what becomes of this process.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  phiscope::log::set_sink([](phiscope::log::Level, std::string_view message) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
  });
  const auto output = phiscope::platform::take_stdout();
  if (!output) {
    std::fprintf(stderr, "%s\n", output.error().message.c_str());
    return 1;
  }
  const int status = phiscope::worker::serve(std::cin, *output);
  // The reading thread may still be inside a read: static destructors must not run under it.
  std::_Exit(status);
}
