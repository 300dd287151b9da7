#include "reports/export/palette.h"

#include <algorithm>
#include <array>
#include <set>

namespace phiscope::reports {
namespace {

struct RecipeStyle {
  std::string_view recipe;
  Style style;
};
// To give a recipe its place: a row. Yellow is left to what is rare: it is weak on white.
constexpr std::array kRecipeStyles{
    RecipeStyle{"fp32", {"#000000", "#f2f2f2", "circle"}},
    RecipeStyle{"source", {"#6b6b6b", "#b5b5b5", "circle"}},
    RecipeStyle{"fp16", {"#56b4e9", "#56b4e9", "triangle"}},
    RecipeStyle{"bf16", {"#cc79a7", "#cc79a7", "triangle"}},
    RecipeStyle{"int8", {"#0072b2", "#3b9fdc", "rect"}},
    RecipeStyle{"int8-dyn", {"#009e73", "#14b98a", "rectRot"}},
    RecipeStyle{"int8-static", {"#b8a800", "#f0e442", "rectRounded"}},
    RecipeStyle{"int4", {"#d55e00", "#ee7a20", "rect"}},
    RecipeStyle{"int4-asym", {"#e69f00", "#e69f00", "star"}},
    RecipeStyle{"int4-dyn", {"#cc79a7", "#cc79a7", "rectRot"}},
    RecipeStyle{"int4-a4", {"#b8a800", "#f0e442", "crossRot"}},
    RecipeStyle{"fp8", {"#009e73", "#14b98a", "star"}},
};

constexpr std::array<std::array<std::string_view, 2>, 7> kColours{{{"#0072b2", "#3b9fdc"}, {"#d55e00", "#ee7a20"}, {"#009e73", "#14b98a"},
                                                                   {"#cc79a7", "#cc79a7"}, {"#e69f00", "#e69f00"}, {"#56b4e9", "#56b4e9"},
                                                                   {"#6b6b6b", "#b5b5b5"}}};
// Parts of a whole differ in lightness and share no colour with a recipe.
constexpr std::array<std::array<std::string_view, 2>, 4> kParts{{{"#34495a", "#d3dee7"}, {"#6f8798", "#9db1c0"}, {"#a9bac6", "#6a7f8f"}, {"#d8e0e6", "#414e59"}}};
constexpr std::array<std::string_view, 6> kMarkers{"circle", "triangle", "rect", "rectRot", "star", "crossRot"};

// The first pair of colour and marker that nobody has; after all are gone they repeat.
Style spare_style(const std::set<std::pair<std::string_view, std::string_view>>& used) {
  for (const std::string_view marker : kMarkers)
    for (const auto& [light, dark] : kColours)
      if (!used.contains({light, marker})) return {light, dark, marker};
  return {kColours[0][0], kColours[0][1], kMarkers[0]};
}

}  // namespace

std::map<std::string, Style> assign_styles(const std::vector<const Chart*>& charts) {
  std::map<std::string, Style> styles;
  std::set<std::pair<std::string_view, std::string_view>> used;
  size_t part = 0;
  for (const Chart* chart : charts) {
    for (const ChartSeries& series : chart->series) {
      if (styles.contains(series.name)) continue;
      if (series.recipe.empty()) {
        const auto& [light, dark] = kParts[part++ % kParts.size()];
        styles[series.name] = {light, dark, "rect"};
        continue;
      }
      const auto* row = std::find_if(kRecipeStyles.begin(), kRecipeStyles.end(), [&](const RecipeStyle& r) { return r.recipe == series.recipe; });
      const bool is_free = row != kRecipeStyles.end() && (series.is_guide || !used.contains({row->style.light, row->style.marker}));
      const Style style = is_free ? row->style : spare_style(used);
      if (!series.is_guide) used.insert({style.light, style.marker});
      styles[series.name] = style;
    }
  }
  return styles;
}

}  // namespace phiscope::reports
