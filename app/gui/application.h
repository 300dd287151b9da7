#pragma once
// The window with its panels over one workspace. Main thread only.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/gui/panels/panel.h"
#include "app/gui/window.h"
#include "app/session/workspace.h"

namespace phiscope::gui {

struct ApplicationOptions {
  std::filesystem::path database;         // empty = the default
  std::filesystem::path config_folder;    // empty = the user's
  std::vector<std::string> models;        // opened at the start
  float scale = 0;                        // 0 = settings, else the monitor
  std::optional<ThemeKind> theme;         // empty = settings
  int width = 1440, height = 900;
};

class Application {
 public:
  static Result<std::unique_ptr<Application>> open(const ApplicationOptions& options);
  ~Application();

  /// Until the window is closed. Sleeps while nothing changes; while a benchmark measures it redraws on input and twice a second.
  void run();

  // For tests: one frame at a time.
  void draw_frame(bool skip_drawing = false);
  Window& window() { return *window_; }
  session::Workspace& workspace() { return *workspace_; }
  void show(const std::string& panel) { focus_ = panel; }
  void set_appearance(ThemeKind theme, float scale);

 private:
  struct OpenPanel {
    const PanelRow* row = nullptr;
    std::unique_ptr<Panel> panel;
    bool is_open = true;
  };

  Application() = default;
  void begin_layout();
  void draw_menu();
  void draw_help();
  void draw_panels(PanelContext& context);
  void apply(const PanelContext& context);
  void handle_drop(PanelContext& context);
  float wanted_scale() const;

  std::filesystem::path config_folder_;
  Settings settings_;
  float forced_scale_ = 0;
  std::unique_ptr<Window> window_;
  Theme theme_;
  std::vector<OpenPanel> panels_;
  std::string focus_, front_;
  std::vector<std::string> dropped_;
  bool shows_help_ = false, resets_layout_ = false, has_new_appearance_ = false, keeps_files_ = true;
  std::unique_ptr<session::Workspace> workspace_;  // last: its threads wake the window
};

}  // namespace phiscope::gui
