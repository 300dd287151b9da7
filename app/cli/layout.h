#pragma once
// Text laid out for the width of a terminal. Pure, but for stdout_width.

#include <string>
#include <string_view>

#include "reports/document/document.h"

namespace phiscope::cli {

/// Columns of the terminal behind stdout; 0 = it is none, and lines may have any length.
size_t stdout_width();

/// `text` filled up to `width` columns with spaces behind it, or before it when `right`.
std::string pad(std::string_view text, size_t width, bool right);

/// Columns as wide as their content, long heads on several lines; numbers to the right; the best value of a column in bold.
/// A table wider than `width` goes on below itself, its first column repeated; 0 = any width.
std::string fold_table(const reports::Table& table, bool colour, size_t width);

/// Text on lines of at most `width` columns where its words allow it, each after `indent` spaces; 0 = one line. Ends with a newline.
std::string format_paragraph(std::string_view text, size_t indent, size_t width);

}  // namespace phiscope::cli
