// gui_test NAME [--pictures FOLDER]   plays one scenario;   gui_test --list   names them all.

#include <cstdio>
#include <cstring>

#include "tests/gui/scenarios.h"

int main(int argc, char** argv) {
  using phiscope::test::scenarios;
  if (argc > 1 && std::strcmp(argv[1], "--list") == 0) {
    for (const auto& scenario : scenarios()) std::printf("%s\n", scenario.name);
    return 0;
  }
  const std::filesystem::path pictures = argc > 3 && std::strcmp(argv[2], "--pictures") == 0 ? argv[3] : "";
  for (const auto& scenario : scenarios()) {
    if (argc < 2 || std::strcmp(argv[1], scenario.name) != 0) continue;
    const bool passed = phiscope::test::play(scenario, pictures);
    std::printf("%s: %s\n", scenario.name, passed ? "passed" : "failed");
    return passed ? 0 : 1;
  }
  std::fprintf(stderr, "usage: gui_test NAME [--pictures FOLDER]; gui_test --list names the scenarios\n");
  return 2;
}
