// How the window looks and what a benchmark starts with.

#include "app/gui/panels/panel.h"
#include "app/gui/widgets/text.h"

namespace phiscope::gui {
namespace {

struct ScaleRow {
  const char* name;
  float value;
};
constexpr ScaleRow kScales[] = {{"As the monitor says", 0}, {"100 %", 1}, {"125 %", 1.25f}, {"150 %", 1.5f}, {"200 %", 2}};

class SettingsPanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    Settings& settings = context.settings;
    heading(context.theme, "Appearance");
    if (ImGui::RadioButton("Light", settings.theme == ThemeKind::light)) change(context, [&] { settings.theme = ThemeKind::light; });
    ImGui::SameLine();
    if (ImGui::RadioButton("Dark", settings.theme == ThemeKind::dark)) change(context, [&] { settings.theme = ThemeKind::dark; });
    for (const ScaleRow& row : kScales)
      if (ImGui::RadioButton(row.name, settings.scale == row.value)) change(context, [&] { settings.scale = row.value; });
    if (ImGui::Button("Reset layout")) context.reset_layout = true;
    ImGui::Spacing();
    heading(context.theme, "Benchmarks");
    ImGui::SetNextItemWidth(context.theme.px(120));
    if (ImGui::InputInt("threads (0 = all cores that may be used)", &settings.threads)) change(context, [&] { settings.threads = std::max(0, settings.threads); });
    ImGui::Spacing();
    heading(context.theme, "Database");
    text_wrapped(context.snapshot.database.string());
    help_text(context.theme, "Another one: start with phiscope-gui --db PATH.");
  }

 private:
  template <class Edit>
  static void change(PanelContext& context, Edit edit) {
    edit();
    context.settings_changed = true;
  }
};

}  // namespace

std::unique_ptr<Panel> settings_panel() { return std::make_unique<SettingsPanel>(); }

}  // namespace phiscope::gui
