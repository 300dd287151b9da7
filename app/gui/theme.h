#pragma once
// Fonts, colours and sizes. A precision has the same colour and marker as in the reports (reports/export/palette.h).

#include <imgui.h>
#include <implot.h>

#include <map>
#include <string>
#include <string_view>

#include "reports/compare/compare.h"
#include "reports/document/document.h"

namespace phiscope::gui {

enum class ThemeKind : uint8_t { light, dark };

struct SeriesStyle {
  ImVec4 color;
  ImPlotMarker marker = ImPlotMarker_Circle;
};

class Theme {
 public:
  /// Loads fonts once (Inter, JetBrains Mono where installed, else ImGui's own) and applies colours. Needs an ImGui context.
  void apply(ThemeKind kind, float scale);
  ThemeKind kind() const { return kind_; }
  float scale() const { return scale_; }
  /// A length in pixels at scale 1.
  float px(float length) const { return length * scale_; }

  ImFont* text() const { return text_; }
  ImFont* bold() const { return bold_; }
  ImFont* mono() const { return mono_; }  // tabular digits
  static constexpr float kTextSize = 15, kTitleSize = 20, kSmallSize = 13;

  ImVec4 muted() const { return muted_; }
  ImVec4 accent() const { return accent_; }
  ImVec4 good() const { return good_; }
  ImVec4 bad() const { return bad_; }
  ImVec4 caution() const { return caution_; }
  ImVec4 verdict(reports::Verdict verdict) const;

  /// Styles of all series of a document's charts: equal names are equal everywhere.
  std::map<std::string, SeriesStyle> styles(const reports::Document& document) const;
  /// Of one recipe alone.
  SeriesStyle recipe(const std::string& recipe) const;

 private:
  void load_fonts();
  void set_colors();

  ThemeKind kind_ = ThemeKind::light;
  float scale_ = 1;
  ImFont *text_ = nullptr, *bold_ = nullptr, *mono_ = nullptr;
  ImVec4 muted_, accent_, good_, bad_, caution_;
};

}  // namespace phiscope::gui
