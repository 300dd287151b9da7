#pragma once
// One colour and one marker per recipe, in every chart the same. Colours of Okabe and Ito (2008), told apart by all common kinds of colour
// vision; black turns light on a dark page.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reports/document/document.h"

namespace phiscope::reports {

struct Style {
  std::string_view light, dark;  // colours on a light and on a dark page
  std::string_view marker;       // Chart.js pointStyle
};
/// Style of every series name that occurs in the charts, in the order of first appearance; parts of a whole (no recipe) get colours alone.
std::map<std::string, Style> assign_styles(const std::vector<const Chart*>& charts);

}  // namespace phiscope::reports
