#include "app/gui/theme.h"

#include <array>
#include <filesystem>

#include "reports/export/palette.h"

namespace phiscope::gui {
namespace {

struct FontFile {
  const char* debian;    // fonts-inter, fonts-jetbrains-mono
  const char* other;     // where some other distributions have it
};
constexpr FontFile kText{"/usr/share/fonts/opentype/inter/Inter-Regular.otf", "/usr/share/fonts/inter/Inter-Regular.otf"};
constexpr FontFile kBold{"/usr/share/fonts/opentype/inter/Inter-SemiBold.otf", "/usr/share/fonts/inter/Inter-SemiBold.otf"};
constexpr FontFile kMono{"/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Regular.ttf", "/usr/share/fonts/jetbrains-mono/JetBrainsMono-Regular.ttf"};

ImFont* load_font(const FontFile& file, ImFont* otherwise) {
  std::error_code ignored;
  for (const char* path : {file.debian, file.other})
    if (std::filesystem::exists(path, ignored))
      if (ImFont* font = ImGui::GetIO().Fonts->AddFontFromFileTTF(path, Theme::kTextSize)) return font;
  return otherwise;
}

ImVec4 rgb(unsigned value, float alpha = 1) {
  return {static_cast<float>(value >> 16 & 255) / 255, static_cast<float>(value >> 8 & 255) / 255, static_cast<float>(value & 255) / 255, alpha};
}

ImVec4 from_hex(std::string_view text) { return rgb(static_cast<unsigned>(std::stoul(std::string(text.substr(1)), nullptr, 16))); }

struct Marker {
  std::string_view name;  // Chart.js pointStyle
  ImPlotMarker marker;
};
constexpr std::array kMarkers{Marker{"circle", ImPlotMarker_Circle}, Marker{"triangle", ImPlotMarker_Up}, Marker{"rect", ImPlotMarker_Square},
                              Marker{"rectRounded", ImPlotMarker_Square}, Marker{"rectRot", ImPlotMarker_Diamond}, Marker{"star", ImPlotMarker_Asterisk},
                              Marker{"crossRot", ImPlotMarker_Cross}};

ImPlotMarker marker_of(std::string_view name) {
  for (const Marker& row : kMarkers)
    if (row.name == name) return row.marker;
  return ImPlotMarker_Circle;
}

struct ThemeColor {
  ImGuiCol slot;
  unsigned light, dark;
  float alpha = 1;
};
// To change a colour: here. Contrast of text on WindowBg is above 7 in both themes.
constexpr ThemeColor kColors[] = {
    {ImGuiCol_Text, 0x1b2530, 0xe6ebf0},         {ImGuiCol_TextDisabled, 0x5b6b7a, 0x94a3b2},   {ImGuiCol_WindowBg, 0xfafbfc, 0x151b22},
    {ImGuiCol_ChildBg, 0xfafbfc, 0x151b22},      {ImGuiCol_PopupBg, 0xffffff, 0x1d252e},        {ImGuiCol_Border, 0xb9c4ce, 0x3b4856},
    {ImGuiCol_FrameBg, 0xedf1f4, 0x232d38},      {ImGuiCol_FrameBgHovered, 0xe0e7ed, 0x2c3845}, {ImGuiCol_FrameBgActive, 0xd3dde6, 0x354452},
    {ImGuiCol_TitleBg, 0xe9edf1, 0x10151b},      {ImGuiCol_TitleBgActive, 0xe9edf1, 0x10151b},  {ImGuiCol_MenuBarBg, 0xe9edf1, 0x10151b},
    {ImGuiCol_ScrollbarBg, 0xf3f5f7, 0x151b22},  {ImGuiCol_ScrollbarGrab, 0xc3ccd5, 0x3a4754},  {ImGuiCol_CheckMark, 0x0b63a8, 0x6cb8f0},
    {ImGuiCol_Button, 0xe2e9ef, 0x2a3642},       {ImGuiCol_ButtonHovered, 0xd2dee8, 0x36475a},  {ImGuiCol_ButtonActive, 0xbfd2e2, 0x41597a},
    {ImGuiCol_Header, 0xdfeaf4, 0x24384c},       {ImGuiCol_HeaderHovered, 0xcfe0f0, 0x2c4660},  {ImGuiCol_HeaderActive, 0xbdd5ea, 0x355575},
    {ImGuiCol_Separator, 0xd5dce3, 0x2e3945},    {ImGuiCol_Tab, 0xe9edf1, 0x10151b},            {ImGuiCol_TabHovered, 0xcfe0f0, 0x2c4660},
    {ImGuiCol_TabSelected, 0xfafbfc, 0x1e2833},  {ImGuiCol_TabDimmed, 0xe9edf1, 0x10151b},      {ImGuiCol_TabDimmedSelected, 0xfafbfc, 0x1a222b},
    {ImGuiCol_TabSelectedOverline, 0x0b63a8, 0x6cb8f0}, {ImGuiCol_DockingEmptyBg, 0xe9edf1, 0x10151b}, {ImGuiCol_PlotHistogram, 0x0b63a8, 0x6cb8f0},
    {ImGuiCol_TableHeaderBg, 0xedf1f4, 0x202932}, {ImGuiCol_TableBorderStrong, 0xd5dce3, 0x2e3945}, {ImGuiCol_TableBorderLight, 0xe6ebef, 0x252f3a},
    {ImGuiCol_TableRowBg, 0xfafbfc, 0x151b22},   {ImGuiCol_TableRowBgAlt, 0xf3f6f8, 0x1a222b},  {ImGuiCol_TextSelectedBg, 0xb4d5f0, 0x2f5d86},
    {ImGuiCol_NavCursor, 0x0b63a8, 0x6cb8f0},    {ImGuiCol_ModalWindowDimBg, 0x1b2530, 0x000000, 0.35f},
};

}  // namespace

void Theme::load_fonts() {
  ImFontAtlas& fonts = *ImGui::GetIO().Fonts;
  ImFont* own = fonts.AddFontDefaultVector();
  text_ = load_font(kText, own);
  bold_ = load_font(kBold, text_);
  mono_ = load_font(kMono, own);
  ImGui::GetIO().FontDefault = text_;
}

void Theme::set_colors() {
  const bool is_dark = kind_ == ThemeKind::dark;
  if (is_dark) {
    ImGui::StyleColorsDark();
    ImPlot::StyleColorsDark();
  } else {
    ImGui::StyleColorsLight();
    ImPlot::StyleColorsLight();
  }
  for (const ThemeColor& row : kColors) ImGui::GetStyle().Colors[row.slot] = rgb(is_dark ? row.dark : row.light, row.alpha);
  muted_ = rgb(is_dark ? 0x94a3b2 : 0x5b6b7a);
  accent_ = rgb(is_dark ? 0x6cb8f0 : 0x0b63a8);
  good_ = rgb(is_dark ? 0x4cc38a : 0x0a7d4b);
  bad_ = rgb(is_dark ? 0xff8d7a : 0xb3261e);
  caution_ = rgb(is_dark ? 0xf0c05a : 0x8a5a00);
}

void Theme::apply(ThemeKind kind, float scale) {
  kind_ = kind;
  scale_ = scale;
  if (text_ == nullptr) load_fonts();
  ImGui::GetStyle() = ImGuiStyle();
  ImPlot::GetStyle() = ImPlotStyle();
  set_colors();
  ImGuiStyle& style = ImGui::GetStyle();
  style.WindowPadding = {12, 10};
  style.FramePadding = {9, 5};
  style.ItemSpacing = {9, 7};
  style.CellPadding = {8, 5};
  style.FrameRounding = style.PopupRounding = style.GrabRounding = 4;
  style.WindowRounding = style.TabRounding = 3;
  style.WindowBorderSize = style.PopupBorderSize = style.FrameBorderSize = 1;
  style.TabBarOverlineSize = 2;
  style.FontSizeBase = kTextSize;
  style.ScaleAllSizes(scale);
  style.FontScaleDpi = scale;
  ImPlot::GetStyle().PlotPadding = {px(8), px(8)};
  ImPlot::GetStyle().FitPadding = {0.08f, 0.08f};
}

ImVec4 Theme::verdict(reports::Verdict verdict) const {
  switch (verdict) {
    case reports::Verdict::better: return good_;
    case reports::Verdict::worse: return bad_;
    case reports::Verdict::unclear: return caution_;
    default: return muted_;
  }
}

std::map<std::string, SeriesStyle> Theme::styles(const reports::Document& document) const {
  std::vector<const reports::Chart*> charts;
  for (const reports::Block& block : document.blocks)
    if (const auto* chart = std::get_if<reports::Chart>(&block)) charts.push_back(chart);
  std::map<std::string, SeriesStyle> styles;
  for (const auto& [name, style] : reports::assign_styles(charts))
    styles[name] = {from_hex(kind_ == ThemeKind::dark ? style.dark : style.light), marker_of(style.marker)};
  return styles;
}

SeriesStyle Theme::recipe(const std::string& recipe) const {
  reports::Chart chart;
  chart.series.push_back({.name = recipe, .recipe = recipe});
  const auto styles = reports::assign_styles({&chart});
  const reports::Style& style = styles.at(recipe);
  return {from_hex(kind_ == ThemeKind::dark ? style.dark : style.light), marker_of(style.marker)};
}

}  // namespace phiscope::gui
