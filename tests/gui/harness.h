#pragma once
// The real application in a real window (Xvfb), driven by Dear ImGui Test Engine: a scenario is a function of a row in scenarios.cpp.

#include <imgui.h>
#include <imgui_te_context.h>
#include <imgui_te_engine.h>

#include <filesystem>
#include <functional>
#include <string>

#include "app/gui/application.h"

namespace phiscope::test {

/// What a scenario has in its hands. Scenarios run in the test engine's coroutine: wait() lets frames pass.
struct Stage {
  gui::Application& app;
  ImGuiTestContext& context;
  std::filesystem::path folder;                        // its own, empty at the start
  std::function<void(const std::string& name)> picture;  // saves the next frame as <pictures>/<name>.png

  std::shared_ptr<const session::Snapshot> snapshot() const { return app.workspace().snapshot(); }
  /// Lets frames pass until `is_reached`; fails the scenario after `seconds`.
  bool wait(const std::function<bool(const session::Snapshot&)>& is_reached, double seconds = 60);
  void show(const std::string& panel);
  /// Item of a panel: item("run", "Run") -> "//Plan and run###run/Run".
  std::string item(const std::string& panel, const std::string& path) const;
};

struct Scenario {
  const char* name;
  void (*prepare)(const std::filesystem::path& folder);  // before the application starts; may be null
  void (*play)(Stage& stage);
  int width = 1440, height = 900;
  float scale = 1;
};

/// Runs one scenario; true when it passed. `pictures` may be empty: no pictures are kept.
bool play(const Scenario& scenario, const std::filesystem::path& pictures);

}  // namespace phiscope::test
