#pragma once
// The exporters of this folder, one file each, and what they share.

#include <optional>
#include <string>
#include <string_view>

#include "core/base/json.h"
#include "core/base/result.h"
#include "reports/document/document.h"

namespace phiscope::reports {

Result<std::string> write_html(const Document& document);
Result<std::string> write_markdown(const Document& document);
Result<std::string> write_csv(const Document& document);
Result<std::string> write_json(const Document& document);

/// How the beginning of a Cell's note is shown: a symbol beside the word, so that colour is never alone.
struct NoteStyle {
  std::string_view word;    // "better", also the beginning of the note
  std::string_view symbol;
  std::string_view css;     // class
};
/// Null for a note that is no verdict (the reason of a missing value).
const NoteStyle* find_note_style(std::string_view note);
/// "▲ better, ▼ worse, ..." for a reader.
std::string note_legend();

/// The shortest text that gives back the same double; "" without a value, for non-finite numbers "inf", "-inf", "nan".
std::string exact_text(std::optional<double> value);
/// Points of a chart as a table: series, label, x, y, low, high.
Table chart_table(const Chart& chart);
/// A number, or null where JSON has none.
Json json_number(std::optional<double> value);

}  // namespace phiscope::reports
