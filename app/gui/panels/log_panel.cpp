// What workers and jobs said.

#include "app/gui/panels/panel.h"
#include "app/gui/widgets/text.h"

namespace phiscope::gui {
namespace {

class LogPanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    const auto& lines = *context.snapshot.log;
    if (lines.empty()) return help_text(context.theme, "Messages of the worker and notices of benchmarks appear here.");
    if (ImGui::Button("Copy all")) {
      std::string all;
      for (const session::LogLine& line : lines) all += line.time + "  " + line.text + "\n";
      ImGui::SetClipboardText(all.c_str());
    }
    ImGui::BeginChild("lines");
    ImGui::PushFont(context.theme.mono(), Theme::kSmallSize);
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(lines.size()));
    while (clipper.Step())
      for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
        const session::LogLine& line = lines[static_cast<size_t>(i)];
        text_muted(context.theme, line.time.size() > 18 ? std::string_view(line.time).substr(11, 8) : line.time);
        ImGui::SameLine();
        text(line.text);
      }
    if (ImGui::GetScrollY() >= ImGui::GetScrollMaxY()) ImGui::SetScrollHereY(1);
    ImGui::PopFont();
    ImGui::EndChild();
  }
};

}  // namespace

std::unique_ptr<Panel> log_panel() { return std::make_unique<LogPanel>(); }

}  // namespace phiscope::gui
