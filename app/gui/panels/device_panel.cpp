// This machine: what it is, what it reaches, which backends run and why not.

#include "app/gui/panels/panel.h"
#include "app/gui/widgets/text.h"
#include "core/base/text.h"

namespace phiscope::gui {
namespace {

constexpr ImGuiTableFlags kTable = ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter | ImGuiTableFlags_SizingStretchProp;

class DevicePanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    const Theme& theme = context.theme;
    const session::DeviceView& device = context.snapshot.device;
    heading(theme, "Backends");
    if (!context.snapshot.backends_problem.empty()) problem_text(theme, context.snapshot.backends_problem);
    for (const session::BackendDescription& backend : context.snapshot.backends) {
      text_colored(backend.available.ok ? theme.good() : theme.bad(), backend.available.ok ? "runs" : "does not run");
      ImGui::SameLine();
      text(backend.name);
      ImGui::SameLine();
      text_muted(theme, backend.available.ok ? backend.description : backend.available.reason);
    }
    ImGui::Spacing();
    heading(theme, "Limits");
    ImGui::BeginDisabled(device.is_probing || context.snapshot.is_measuring());
    if (ImGui::Button(device.is_probing ? "Measuring..." : "Measure this machine")) context.workspace.probe();
    ImGui::EndDisabled();
    if (!device.problem.empty()) problem_text(theme, device.problem);
    if (device.probe.empty() && device.problem.empty()) help_text(theme, "Memory bandwidth and arithmetic rates: what a run's speed is held against. Takes some seconds.");
    draw_probe(theme, device);
    ImGui::Spacing();
    heading(theme, "Machine");
    draw_facts(theme, device);
  }

 private:
  static void draw_probe(const Theme& theme, const session::DeviceView& device) {
    for (const session::ProbeResult& result : device.probe) {
      if (result.values.empty() || !ImGui::BeginTable(result.backend.c_str(), 3, kTable)) continue;
      for (const char* title : {"Measured", "Value", "Unit"}) ImGui::TableSetupColumn(title);
      ImGui::TableHeadersRow();
      for (const ProbeValue& value : result.values) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text(result.backend + ": " + value.id);
        ImGui::TableNextColumn();
        number(theme, format_number(value.value, 4));
        ImGui::TableNextColumn();
        text_muted(theme, value.unit);
      }
      ImGui::EndTable();
    }
  }

  static void draw_facts(const Theme& theme, const session::DeviceView& device) {
    if (!ImGui::BeginTable("facts", 2, kTable)) return;
    for (const auto& [key, value] : device.facts) {
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      text_muted(theme, key);
      ImGui::TableNextColumn();
      text_wrapped(value);
    }
    ImGui::EndTable();
  }
};

}  // namespace

std::unique_ptr<Panel> device_panel() { return std::make_unique<DevicePanel>(); }

}  // namespace phiscope::gui
