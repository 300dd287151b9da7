#include "app/gui/widgets/document.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "app/gui/widgets/text.h"

namespace phiscope::gui {
namespace {

// Rows in the order that the table's header asks for; rows without a number come last.
std::vector<size_t> sorted_rows(const reports::Table& table) {
  std::vector<size_t> order(table.rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const ImGuiTableSortSpecs* specs = ImGui::TableGetSortSpecs();
  if (specs == nullptr || specs->SpecsCount == 0) return order;
  const auto column = static_cast<size_t>(specs->Specs[0].ColumnIndex);
  const bool falls = specs->Specs[0].SortDirection == ImGuiSortDirection_Descending;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (column >= table.rows[a].size() || column >= table.rows[b].size()) return table.rows[a].size() > table.rows[b].size();
    const reports::Cell &x = table.rows[a][column], &y = table.rows[b][column];
    if (x.value.has_value() != y.value.has_value()) return x.value.has_value();
    if (x.value && *x.value != *y.value) return falls ? *x.value > *y.value : *x.value < *y.value;
    return falls ? x.text > y.text : x.text < y.text;
  });
  return order;
}

ImVec4 note_color(const Theme& theme, std::string_view note) {
  if (note.starts_with("better")) return theme.good();
  if (note.starts_with("worse")) return theme.bad();
  if (note.starts_with("unclear")) return theme.caution();
  return theme.muted();
}

void draw_cell(const Theme& theme, const reports::Cell& cell) {
  ImGui::PushFont(cell.best ? theme.bold() : nullptr, 0);
  text(cell.text);
  ImGui::PopFont();
  if (cell.note.empty()) return;
  // The verdict's word stands below the number; the sentence is one hover away.
  const std::string_view word = std::string_view(cell.note).substr(0, cell.note.find_first_of(":;,("));
  ImGui::PushFont(nullptr, Theme::kSmallSize);
  text_colored(note_color(theme, cell.note), word);
  ImGui::PopFont();
  if (word.size() < cell.note.size()) tooltip(theme, cell.note);
}

ImPlotSpec spec_of(const Theme& theme, const SeriesStyle& style) {
  ImPlotSpec spec;
  spec.LineColor = spec.FillColor = spec.MarkerFillColor = spec.MarkerLineColor = style.color;
  spec.LineWeight = theme.px(1.8f);
  spec.MarkerSize = theme.px(5.5f);
  spec.Size = theme.px(6);
  spec.Marker = style.marker;
  return spec;
}

struct Columns {
  std::vector<double> x, y, below, above;
  bool has_intervals = false;
  explicit Columns(const reports::ChartSeries& series) {
    for (const reports::Point& point : series.points) {
      x.push_back(point.x);
      y.push_back(point.y);
      below.push_back(point.low ? std::max(0.0, point.y - *point.low) : 0);
      above.push_back(point.high ? std::max(0.0, *point.high - point.y) : 0);
      has_intervals = has_intervals || point.low || point.high;
    }
  }
  int size() const { return static_cast<int>(x.size()); }
};

void draw_points(const Theme& theme, const reports::Chart& chart, const reports::ChartSeries& series, const SeriesStyle& style) {
  Columns columns(series);
  ImPlotSpec spec = spec_of(theme, style);
  if (series.is_guide) {
    spec.Marker = ImPlotMarker_None;
    spec.LineWeight = theme.px(1);
    ImPlot::PlotLine(series.name.c_str(), columns.x.data(), columns.y.data(), columns.size(), spec);
    return;
  }
  if (columns.has_intervals) {
    ImPlotSpec bars = spec;
    bars.LineWeight = theme.px(1.2f);
    ImPlot::PlotErrorBars(series.name.c_str(), columns.x.data(), columns.y.data(), columns.below.data(), columns.above.data(), columns.size(), bars);
  }
  if (chart.kind == reports::Chart::Kind::line) {
    // A long line needs no marker at every point.
    if (columns.size() > 60) spec.Marker = ImPlotMarker_None;
    ImPlot::PlotLine(series.name.c_str(), columns.x.data(), columns.y.data(), columns.size(), spec);
  } else {
    ImPlot::PlotScatter(series.name.c_str(), columns.x.data(), columns.y.data(), columns.size(), spec);
  }
}

// Bars of one category stand side by side, or on each other.
void draw_bars(const Theme& theme, const reports::Chart& chart, const Styles& styles) {
  const double width = chart.is_stacked ? 0.6 : 0.8 / static_cast<double>(std::max<size_t>(1, chart.series.size()));
  std::map<double, double> tops;
  for (size_t s = 0; s < chart.series.size(); ++s) {
    const reports::ChartSeries& series = chart.series[s];
    Columns columns(series);
    const double shift = chart.is_stacked ? 0 : (static_cast<double>(s) - static_cast<double>(chart.series.size() - 1) / 2) * width;
    std::vector<double> bottom(columns.x.size(), 0);
    for (size_t i = 0; i < columns.x.size(); ++i) {
      if (chart.is_stacked) {
        bottom[i] = tops[columns.x[i]];
        tops[columns.x[i]] += columns.y[i];
      }
      columns.x[i] += shift;
    }
    ImPlotSpec spec = spec_of(theme, styles.at(series.name));
    spec.LineWeight = 0;
    if (!chart.is_stacked) {
      ImPlot::PlotBars(series.name.c_str(), columns.x.data(), columns.y.data(), columns.size(), width, spec);
    } else {
      for (size_t i = 0; i < columns.x.size(); ++i) {
        const double left = columns.x[i] - width / 2, right = columns.x[i] + width / 2;
        const double xs[] = {left, right}, low[] = {bottom[i], bottom[i]}, high[] = {bottom[i] + columns.y[i], bottom[i] + columns.y[i]};
        ImPlot::PlotShaded(series.name.c_str(), xs, low, high, 2, spec);
      }
    }
    if (!columns.has_intervals) continue;
    ImPlotSpec bars = spec_of(theme, {ImGui::GetStyleColorVec4(ImGuiCol_Text), ImPlotMarker_None});
    bars.LineWeight = theme.px(1);
    ImPlot::PlotErrorBars((series.name + "##interval").c_str(), columns.x.data(), columns.y.data(), columns.below.data(), columns.above.data(),
                          columns.size(), bars);
  }
}

// Categories of a bar chart on the x axis.
void name_categories(const reports::Chart& chart) {
  std::map<double, std::string> names;
  for (const reports::ChartSeries& series : chart.series)
    for (const reports::Point& point : series.points) names[point.x] = point.label;
  std::vector<double> positions;
  std::vector<const char*> labels;
  for (const auto& [x, label] : names) {
    positions.push_back(x);
    labels.push_back(label.c_str());
  }
  if (!positions.empty()) ImPlot::SetupAxisTicks(ImAxis_X1, positions.data(), static_cast<int>(positions.size()), labels.data());
}

struct Limits {
  double low = 0, high = 1;
};

// Room around all points and intervals. ImPlot's own fit pads a logarithmic axis by decades.
Limits limits_of(const reports::Chart& chart, bool is_x, bool is_log) {
  double low = 0, high = 0;
  bool is_first = true;
  const auto take = [&](double value) {
    if (is_log && value <= 0) return;
    low = is_first ? value : std::min(low, value);
    high = is_first ? value : std::max(high, value);
    is_first = false;
  };
  for (const reports::ChartSeries& series : chart.series)
    for (const reports::Point& point : series.points) {
      take(is_x ? point.x : point.y);
      if (is_x) continue;
      if (point.low) take(*point.low);
      if (point.high) take(*point.high);
    }
  if (is_first) return {};
  if (is_log) {
    const double room = std::max(1.2, std::pow(high / low, 0.08));
    return {low / room, high * room};
  }
  const double room = high > low ? (high - low) * 0.08 : std::max(1.0, std::abs(high) * 0.1);
  return {low >= 0 && low < (high - low) ? 0 : low - room, high + room};
}

void hover_nearest(const Theme& theme, const reports::Chart& chart) {
  if (!ImPlot::IsPlotHovered()) return;
  const ImVec2 pointer = ImGui::GetMousePos();
  const reports::Point* nearest = nullptr;
  const reports::ChartSeries* of = nullptr;
  float best = theme.px(14);
  for (const reports::ChartSeries& series : chart.series) {
    if (series.is_guide) continue;
    for (const reports::Point& point : series.points) {
      const ImVec2 at = ImPlot::PlotToPixels(point.x, point.y);
      const float distance = std::max(std::abs(at.x - pointer.x), std::abs(at.y - pointer.y));
      if (distance >= best) continue;
      best = distance;
      nearest = &point;
      of = &series;
    }
  }
  if (nearest == nullptr) return;
  std::string range;
  if (nearest->low && nearest->high) range = fmt::format(" [{:.4g} .. {:.4g}]", *nearest->low, *nearest->high);
  ImGui::SetTooltip("%s", fmt::format("{}\n{}: {:.4g}{}\n{}: {:.4g}", of->name, chart.y_label, nearest->y, range, chart.x_label, nearest->x).c_str());
}

}  // namespace

void draw_table(const Theme& theme, const reports::Table& table) {
  if (table.columns.empty()) return;
  constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter | ImGuiTableFlags_BordersInnerH | ImGuiTableFlags_ScrollX |
                                     ImGuiTableFlags_Sortable | ImGuiTableFlags_SortTristate | ImGuiTableFlags_Hideable | ImGuiTableFlags_Reorderable |
                                     ImGuiTableFlags_SizingFixedFit | ImGuiTableFlags_NoSavedSettings;
  // ScrollX wants a height: that of its rows, with a line for notes where there are any.
  float lines = 0;
  for (const auto& row : table.rows) {
    const bool has_note = std::any_of(row.begin(), row.end(), [](const reports::Cell& cell) { return !cell.note.empty(); });
    lines += has_note ? 2.0f : 1.0f;
  }
  const float row_padding = 2 * ImGui::GetStyle().CellPadding.y;
  const float height = lines * ImGui::GetTextLineHeightWithSpacing() + static_cast<float>(table.rows.size() + 1) * row_padding +
                       ImGui::GetTextLineHeight() + ImGui::GetStyle().ScrollbarSize + theme.px(4);
  if (!ImGui::BeginTable(table.id.c_str(), static_cast<int>(table.columns.size()), kFlags, {0, height})) return;
  for (const std::string& column : table.columns) ImGui::TableSetupColumn(column.c_str());
  ImGui::TableSetupScrollFreeze(1, 1);
  ImGui::TableHeadersRow();
  for (const size_t index : sorted_rows(table)) {
    ImGui::TableNextRow();
    for (const reports::Cell& cell : table.rows[index]) {
      if (ImGui::TableNextColumn()) draw_cell(theme, cell);
    }
  }
  ImGui::EndTable();
}

void draw_chart(const Theme& theme, const reports::Chart& chart, const Styles& styles, float height) {
  const bool is_bar = chart.kind == reports::Chart::Kind::bar;
  ImPlotFlags flags = ImPlotFlags_NoMenus | ImPlotFlags_NoBoxSelect;
  if (!ImPlot::BeginPlot((chart.title + "##" + chart.id).c_str(), {-1, theme.px(height)}, flags)) return;
  // Bars fit themselves: stacked ones end where the sum is.
  const ImPlotAxisFlags fit = is_bar ? ImPlotAxisFlags_AutoFit : ImPlotAxisFlags_None;
  ImPlot::SetupAxes(chart.x_label.c_str(), chart.y_label.c_str(), fit, fit);
  if (chart.log_x) ImPlot::SetupAxisScale(ImAxis_X1, ImPlotScale_Log10);
  if (chart.log_y) ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
  if (!is_bar) {
    const Limits x = limits_of(chart, true, chart.log_x), y = limits_of(chart, false, chart.log_y);
    ImPlot::SetupAxesLimits(x.low, x.high, y.low, y.high);
  }
  ImPlot::SetupLegend(ImPlotLocation_South, ImPlotLegendFlags_Outside | ImPlotLegendFlags_Horizontal);
  if (is_bar) {
    name_categories(chart);
    draw_bars(theme, chart, styles);
  } else {
    for (const reports::ChartSeries& series : chart.series) draw_points(theme, chart, series, styles.at(series.name));
  }
  hover_nearest(theme, chart);
  ImPlot::EndPlot();
  if (!chart.caption.empty()) help_text(theme, chart.caption);
}

}  // namespace phiscope::gui
