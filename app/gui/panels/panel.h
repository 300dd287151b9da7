#pragma once
// A panel draws a snapshot and calls commands; it keeps only what concerns its own view (a filter, a selection).

#include <memory>
#include <string>
#include <vector>

#include "app/gui/theme.h"
#include "app/session/workspace.h"

namespace phiscope::gui {

/// What the person prefers; kept in the config folder.
struct Settings {
  ThemeKind theme = ThemeKind::light;
  float scale = 0;                       // 0 = the monitor's
  std::string suite = "quick";
  int threads = 0;
};

/// What a panel may ask of the window around it. Valid for one frame.
struct PanelContext {
  const session::Snapshot& snapshot;
  session::Workspace& workspace;
  const Theme& theme;
  Settings& settings;
  double time_s = 0;                     // since the start
  // Asked for by panels, done by the application after the frame.
  std::string focus_panel;               // id of a panel to bring to the front
  bool settings_changed = false, reset_layout = false;
};

class Panel {
 public:
  virtual ~Panel() = default;
  virtual void draw(PanelContext& context) = 0;
  /// Files dropped on the window while the panel is the front one; true = taken.
  virtual bool drop(PanelContext&, const std::vector<std::string>&) { return false; }
};

struct PanelRow {
  const char* id;                        // stable: in layouts and tests
  const char* title;
  const char* shortcut;                  // "Ctrl+1"
  int key;                               // ImGuiKeyChord
  std::unique_ptr<Panel> (*make)();
};
/// All panels, in the order of the View menu. To add one: <name>_panel.cpp with its function, a row in panel_table.cpp, a test in tests/gui.
const std::vector<PanelRow>& panel_table();

std::unique_ptr<Panel> models_panel();
std::unique_ptr<Panel> run_panel();
std::unique_ptr<Panel> compare_panel();
std::unique_ptr<Panel> history_panel();
std::unique_ptr<Panel> report_panel();
std::unique_ptr<Panel> device_panel();
std::unique_ptr<Panel> log_panel();
std::unique_ptr<Panel> settings_panel();

}  // namespace phiscope::gui
