#include "reports/export/formats.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>

#include "core/base/text.h"

namespace phiscope::reports {
namespace {

constexpr std::array kNoteStyles{
    NoteStyle{"better", "▲", "better"},   NoteStyle{"worse", "▼", "worse"},
    NoteStyle{"same", "≈", "same"},       NoteStyle{"unclear", "?", "unclear"},
    NoteStyle{"not comparable", "✕", "incomparable"}, NoteStyle{"reference", "◆", "reference"},
};

// Of runs that came to no end; they need no line in the legend.
constexpr std::array kStatusStyles{
    NoteStyle{"failed", "✕", "incomparable"}, NoteStyle{"refused", "✕", "incomparable"}, NoteStyle{"cancelled", "✕", "incomparable"}};

const NoteStyle* find_in(std::span<const NoteStyle> styles, std::string_view note) {
  for (const NoteStyle& style : styles) {
    if (!note.starts_with(style.word)) continue;
    const std::string_view rest = note.substr(style.word.size());
    if (rest.empty() || rest.front() == ':' || rest.front() == ' ') return &style;
  }
  return nullptr;
}

}  // namespace

const NoteStyle* find_note_style(std::string_view note) {
  const NoteStyle* verdict = find_in(kNoteStyles, note);
  return verdict != nullptr ? verdict : find_in(kStatusStyles, note);
}

std::string note_legend() {
  std::string text;
  for (const NoteStyle& style : kNoteStyles) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", style.symbol, style.word);
  return text + ", ★ best in its column";
}

std::string exact_text(std::optional<double> value) { return value ? fmt::format("{}", *value) : std::string(); }

Table chart_table(const Chart& chart) {
  Table table{.id = chart.id, .title = chart.title + ": data", .caption = chart.caption, .columns = {"Series", "Point", chart.x_label, chart.y_label, "Low", "High"}};
  const auto number = [](std::optional<double> value) { return Cell{.text = value ? format_number(*value) : "", .value = value}; };
  for (const ChartSeries& series : chart.series) {
    if (series.is_guide) continue;
    for (const Point& point : series.points) {
      // The x of a bar is its place, which means nothing to a reader.
      const std::optional<double> x = chart.kind == Chart::Kind::bar ? std::nullopt : std::optional<double>(point.x);
      table.rows.push_back({{.text = series.name}, {.text = point.label}, number(x), number(point.y), number(point.low), number(point.high)});
    }
  }
  return table;
}

Json json_number(std::optional<double> value) { return value && std::isfinite(*value) ? Json(*value) : Json(nullptr); }

}  // namespace phiscope::reports
