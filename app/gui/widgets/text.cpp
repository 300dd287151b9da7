#include "app/gui/widgets/text.h"

#include <algorithm>

namespace phiscope::gui {
namespace {

const char* end_of(std::string_view text) { return text.data() + text.size(); }

// Fonts of a row are pushed by size at scale 1: ImGui applies the scale.
struct FontScope {
  FontScope(ImFont* font, float size) { ImGui::PushFont(font, size); }
  ~FontScope() { ImGui::PopFont(); }
};

}  // namespace

void text(std::string_view text) { ImGui::TextUnformatted(text.data(), end_of(text)); }

void text_wrapped(std::string_view text) {
  ImGui::PushTextWrapPos(0);
  ImGui::TextUnformatted(text.data(), end_of(text));
  ImGui::PopTextWrapPos();
}

void text_colored(const ImVec4& color, std::string_view value) {
  ImGui::PushStyleColor(ImGuiCol_Text, color);
  text(value);
  ImGui::PopStyleColor();
}

void text_muted(const Theme& theme, std::string_view value) { text_colored(theme.muted(), value); }

void help_text(const Theme& theme, std::string_view value) {
  ImGui::PushStyleColor(ImGuiCol_Text, theme.muted());
  text_wrapped(value);
  ImGui::PopStyleColor();
}

void problem_text(const Theme& theme, std::string_view value) {
  ImGui::PushStyleColor(ImGuiCol_Text, theme.bad());
  text_wrapped(value);
  ImGui::PopStyleColor();
}

void heading(const Theme& theme, std::string_view value) {
  const FontScope font(theme.bold(), Theme::kTitleSize);
  text(value);
}

void number(const Theme& theme, std::string_view value) {
  const FontScope font(theme.mono(), Theme::kSmallSize);
  text(value);
}

void tooltip(const Theme& theme, std::string_view value) {
  if (value.empty() || !ImGui::BeginItemTooltip()) return;
  ImGui::PushTextWrapPos(theme.px(420));
  text(value);
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

bool empty_state(const Theme& theme, std::string_view title, std::string_view what_to_do, const char* button) {
  ImGui::Dummy({0, theme.px(24)});
  heading(theme, title);
  help_text(theme, what_to_do);
  ImGui::Spacing();
  if (button == nullptr) return false;
  ImGui::PushStyleColor(ImGuiCol_Button, theme.accent());
  ImGui::PushStyleColor(ImGuiCol_Text, theme.kind() == ThemeKind::dark ? ImVec4(0.05f, 0.08f, 0.1f, 1) : ImVec4(1, 1, 1, 1));
  const bool is_pressed = ImGui::Button(button);
  ImGui::PopStyleColor(2);
  return is_pressed;
}

void precision_mark(const Theme& theme, const SeriesStyle& style) {
  const float size = ImGui::GetTextLineHeight(), radius = size * 0.32f;
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  const ImVec2 center{corner.x + size / 2, corner.y + size / 2};
  const ImU32 color = ImGui::ColorConvertFloat4ToU32(style.color);
  ImDrawList& draw = *ImGui::GetWindowDrawList();
  const float line = theme.px(2);
  switch (style.marker) {
    case ImPlotMarker_Square: draw.AddRectFilled({center.x - radius, center.y - radius}, {center.x + radius, center.y + radius}, color); break;
    case ImPlotMarker_Diamond: draw.AddNgonFilled(center, radius * 1.25f, color, 4); break;
    case ImPlotMarker_Up:
      draw.AddTriangleFilled({center.x, center.y - radius}, {center.x + radius, center.y + radius}, {center.x - radius, center.y + radius}, color);
      break;
    case ImPlotMarker_Asterisk:
      draw.AddLine({center.x, center.y - radius}, {center.x, center.y + radius}, color, line);
      [[fallthrough]];
    case ImPlotMarker_Cross:
      draw.AddLine({center.x - radius, center.y - radius}, {center.x + radius, center.y + radius}, color, line);
      draw.AddLine({center.x - radius, center.y + radius}, {center.x + radius, center.y - radius}, color, line);
      break;
    default: draw.AddCircleFilled(center, radius, color); break;
  }
  ImGui::Dummy({size, size});
  ImGui::SameLine(0, theme.px(4));
}

}  // namespace phiscope::gui
