#include "app/gui/panels/panel.h"

namespace phiscope::gui {

const std::vector<PanelRow>& panel_table() {
  static const std::vector<PanelRow> kPanels{
      {"models", "Models", "Ctrl+1", ImGuiMod_Ctrl | ImGuiKey_1, &models_panel},
      {"run", "Plan and run", "Ctrl+2", ImGuiMod_Ctrl | ImGuiKey_2, &run_panel},
      {"compare", "Compare", "Ctrl+3", ImGuiMod_Ctrl | ImGuiKey_3, &compare_panel},
      {"history", "History", "Ctrl+4", ImGuiMod_Ctrl | ImGuiKey_4, &history_panel},
      {"report", "Report", "Ctrl+5", ImGuiMod_Ctrl | ImGuiKey_5, &report_panel},
      {"device", "Device", "Ctrl+6", ImGuiMod_Ctrl | ImGuiKey_6, &device_panel},
      {"log", "Log", "Ctrl+7", ImGuiMod_Ctrl | ImGuiKey_7, &log_panel},
      {"settings", "Settings", "Ctrl+8", ImGuiMod_Ctrl | ImGuiKey_8, &settings_panel},
  };
  return kPanels;
}

}  // namespace phiscope::gui
