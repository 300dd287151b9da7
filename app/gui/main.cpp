// phiscope-gui: the desktop application.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "app/gui/application.h"
#include "core/base/version.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app("Phiscope: what does each bit cost, and what does it buy, on this device?", "phiscope-gui");
  app.footer("Example:  phiscope-gui --db runs.db bundled:tiny-phi");
  app.set_version_flag("--version", std::string("phiscope-gui ") + phiscope::kVersion);
  phiscope::gui::ApplicationOptions options;
  std::string theme;
  app.add_option("MODEL", options.models, "Models to open: folders, bundled:NAME, synthetic:NAME");
  app.add_option("--db", options.database, "Database of runs (default: the user data folder, or PHISCOPE_DB)")->type_name("PATH");
  app.add_option("--scale", options.scale, "Size of everything; 1 = 96 dots an inch (default: the monitor's)")->check(CLI::Range(0.5, 4.0));
  app.add_option("--theme", theme, "light or dark")->check(CLI::IsMember({"light", "dark"}));
  CLI11_PARSE(app, argc, argv);
  if (!theme.empty()) options.theme = theme == "dark" ? phiscope::gui::ThemeKind::dark : phiscope::gui::ThemeKind::light;
  const auto application = phiscope::gui::Application::open(options);
  if (!application) {
    std::fprintf(stderr, "phiscope-gui: %s\n", application.error().message.c_str());
    return 1;
  }
  (*application)->run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "phiscope-gui: internal error: %s\n", error.what());
    return 1;
  }
}
