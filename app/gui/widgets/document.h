#pragma once
// A report's tables and charts in the window: the same rows, texts and colours as in every exported format.

#include <map>
#include <string>

#include "app/gui/theme.h"
#include "reports/document/document.h"

namespace phiscope::gui {

using Styles = std::map<std::string, SeriesStyle>;

/// A sortable table; cells in bold where they are best, their note as a chip below or as a tooltip.
void draw_table(const Theme& theme, const reports::Table& table);
/// One chart with error bars; `height` at scale 1.
void draw_chart(const Theme& theme, const reports::Chart& chart, const Styles& styles, float height);

}  // namespace phiscope::gui
