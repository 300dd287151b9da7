#include <fmt/format.h>

#include <cctype>

#include "core/base/text.h"
#include "reports/export/formats.h"

namespace phiscope::reports {
namespace {

bool is_word(std::string_view text, size_t at) { return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0; }

// No character of a model's or a user's text may act as markup.
std::string escaped(std::string_view raw) {
  const std::string text = sanitize_utf8(raw);
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const char character = text[i];
    if (character == '<') {
      result += "&lt;";
    } else if (character == '>') {
      result += "&gt;";
    } else if (character == '&') {
      result += "&amp;";
    } else if (character == '\n' || character == '\r') {
      result += ' ';
    } else {
      const bool is_inner_underscore = character == '_' && i > 0 && is_word(text, i - 1) && is_word(text, i + 1);
      if (std::string_view("\\`*_[]|~").find(character) != std::string_view::npos && !is_inner_underscore) result += '\\';
      result += character;
    }
  }
  return result;
}

std::string cell_text(const Cell& cell) {
  std::string text = escaped(cell.text);
  if (cell.best) text = "**" + text + "** ★";
  const NoteStyle* style = find_note_style(cell.note);
  if (style == nullptr) return cell.note.empty() ? text : text + " (" + escaped(cell.note) + ")";
  if (!cell.text.empty()) return text + " " + std::string(style->symbol);
  return std::string(style->symbol) + " " + escaped(cell.note);
}

void put(std::string& out, const Answer& answer) {
  out += "**" + escaped(answer.headline) + "**\n\n";
  for (const Answer::Option& option : answer.options) {
    out += "- **" + escaped(option.heading) + ": " + escaped(option.label) + "**\n";
    if (!option.saves.empty()) out += "  - saves: " + escaped(option.saves) + "\n";
    out += "  - costs: " + escaped(option.costs) + "\n  - how sure: " + escaped(option.sure) + "\n";
  }
  out += "\n" + escaped(answer.rule) + "\n\n";
}
void put(std::string& out, const Heading& heading) {
  out += std::string(static_cast<size_t>(heading.level), '#') + " " + escaped(heading.text) + "\n\n";
}
void put(std::string& out, const Paragraph& paragraph) { out += escaped(paragraph.text) + "\n\n"; }
void put(std::string& out, const List& list) {
  for (const List::Item& item : list.items)
    out += "- " + (item.key.empty() ? "" : "**" + escaped(item.key) + ":** ") + escaped(item.text) + "\n";
  out += "\n";
}
// Indented code: nothing in it can end it.
void put(std::string& out, const Code& code) {
  out += "    ";
  for (char character : sanitize_utf8(code.text)) out += character == '\n' || character == '\r' ? std::string("\n    ") : std::string(1, character);
  out += "\n\n";
}

// What is folded in HTML is folded here too (GitHub and GitLab show <details>), so that a pull request shows the answer and the table.
void put(std::string& out, const Table& table) {
  if (table.is_detail)
    out += "<details><summary>" + escaped(table.title) + "</summary>\n\n";
  else if (!table.title.empty())
    out += "### " + escaped(table.title) + "\n\n";
  std::string rule = "|";
  out += "|";
  for (size_t c = 0; c < table.columns.size(); ++c) {
    out += " " + escaped(table.columns[c]) + " |";
    bool is_numeric = false;
    for (const auto& row : table.rows) is_numeric = is_numeric || (c < row.size() && row[c].value.has_value());
    rule += is_numeric ? " ---: |" : " --- |";
  }
  out += "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    out += "|";
    for (const Cell& cell : row) out += " " + cell_text(cell) + " |";
    out += "\n";
  }
  out += "\n";
  if (!table.caption.empty()) out += escaped(table.caption) + "\n\n";
  if (table.id == "precisions") out += note_legend() + ".\n\n";
  if (table.is_detail) out += "</details>\n\n";
}

void put(std::string& out, const Chart& chart) {
  Table table = chart_table(chart);
  table.is_detail = true;
  put(out, table);
}

}  // namespace

Result<std::string> write_markdown(const Document& document) {
  std::string out = "# " + escaped(document.title) + "\n\n" + escaped(document.subtitle) + "\n\n";
  for (const Block& block : document.blocks) std::visit([&](const auto& part) { put(out, part); }, block);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace phiscope::reports
