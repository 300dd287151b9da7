#include "app/cli/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "app/cli/output.h"
#include "core/base/platform/platform.h"

namespace phiscope::cli {
namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kColumnGap = "  ";

/// Breaks a head after spaces, underscores and before '@' where the column's values are narrower.
std::vector<std::string> wrap_head(std::string_view head, size_t width) {
  std::vector<std::string> lines{""};
  std::string word;
  const auto flush = [&] {
    if (!lines.back().empty() && display_width(lines.back()) + display_width(word) > width) lines.emplace_back();
    lines.back() += word;
    word.clear();
  };
  for (const char c : head) {
    if (c == '@') flush();
    word += c;
    if (c == ' ' || c == '_') flush();
  }
  flush();
  for (std::string& line : lines)
    while (!line.empty() && line.back() == ' ') line.pop_back();
  return lines;
}

/// What all lines of a table share.
struct Layout {
  std::vector<size_t> widths;
  std::vector<bool> numeric;
  std::vector<std::vector<std::string>> heads;  // lines of each column's head
};

Layout layout_of(const reports::Table& table) {
  const size_t columns = table.columns.size();
  Layout layout{std::vector<size_t>(columns), std::vector<bool>(columns, false), {}};
  for (size_t c = 0; c < columns; ++c) {
    for (const auto& row : table.rows) {
      if (c >= row.size()) continue;
      layout.widths[c] = std::max(layout.widths[c], display_width(row[c].text));
      layout.numeric[c] = layout.numeric[c] || row[c].value.has_value();
    }
    layout.heads.push_back(wrap_head(table.columns[c], layout.widths[c]));
    for (const std::string& line : layout.heads[c]) layout.widths[c] = std::max(layout.widths[c], display_width(line));
  }
  return layout;
}

/// The columns of each part of a table that is folded to a width; every part begins with the first column.
std::vector<std::vector<size_t>> fold_columns(const Layout& layout, size_t width) {
  std::vector<std::vector<size_t>> parts;
  size_t used = 0;
  for (size_t c = 0; c < layout.widths.size(); ++c) {
    const size_t needed = layout.widths[c] + (c == 0 ? 0 : kColumnGap.size());
    if (parts.empty() || (width > 0 && used + needed > width && parts.back().size() > 1)) {
      parts.push_back(c == 0 ? std::vector<size_t>{} : std::vector<size_t>{0});
      used = c == 0 ? 0 : layout.widths[0];
    }
    parts.back().push_back(c);
    used += needed;
  }
  return parts;
}

std::string format_part(const reports::Table& table, const Layout& layout, const std::vector<size_t>& columns, bool colour) {
  const auto ending = [&](size_t c) { return c == columns.back() ? std::string_view("\n") : kColumnGap; };
  std::string text;
  size_t head_lines = 1;
  for (const size_t c : columns) head_lines = std::max(head_lines, layout.heads[c].size());
  for (size_t line = 0; line < head_lines; ++line)
    for (const size_t c : columns) {
      const size_t blank = head_lines - layout.heads[c].size();  // heads stand on the rule
      text += pad(line < blank ? "" : layout.heads[c][line - blank], layout.widths[c], layout.numeric[c]);
      text += ending(c);
    }
  for (const size_t c : columns) text.append(layout.widths[c], '-').append(ending(c));
  for (const auto& row : table.rows) {
    for (const size_t c : columns) {
      const reports::Cell cell = c < row.size() ? row[c] : reports::Cell{};
      const std::string padded = pad(cell.text, layout.widths[c], layout.numeric[c]);
      text += colour && cell.best ? fmt::format("{}{}{}", kBold, padded, kReset) : padded;
      text += ending(c);
    }
  }
  return text;
}

}  // namespace

size_t stdout_width() { return platform::stdout_is_terminal() ? static_cast<size_t>(platform::terminal_width()) : 0; }

std::string pad(std::string_view text, size_t width, bool right) {
  const size_t used = display_width(text);
  const std::string fill(width > used ? width - used : 0, ' ');
  return right ? fill + std::string(text) : std::string(text) + fill;
}

std::string fold_table(const reports::Table& table, bool colour, size_t width) {
  const Layout layout = layout_of(table);
  std::string text;
  for (const std::vector<size_t>& columns : fold_columns(layout, width))
    text += (text.empty() ? "" : "\n") + format_part(table, layout, columns, colour);
  return text;
}

std::string format_paragraph(std::string_view text, size_t indent, size_t width) {
  std::string result, line;
  const auto flush = [&] {
    result += std::string(indent, ' ') + line + "\n";
    line.clear();
  };
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (width > 0 && !line.empty() && indent + display_width(line) + 1 + display_width(word) > width) flush();
    if (!line.empty()) line += ' ';
    line += word;
    begin = end + 1;
  }
  flush();
  return result;
}

}  // namespace phiscope::cli
