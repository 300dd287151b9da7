#include <fmt/format.h>

#include "core/base/text.h"
#include "reports/export/formats.h"
#include "reports/export/palette.h"

namespace phiscope::reports {
namespace {

struct EmbeddedText {
  std::string_view name;
  std::string_view text;
};
// Compilers need not take literals beyond 64 KiB, but those that we support do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverlength-strings"
constexpr EmbeddedText kPageFiles[] = {
#include "page.inc"  // generated: report.css, report.js, chart.min.js
};
#pragma GCC diagnostic pop

std::string_view page_file(std::string_view name) {
  for (const EmbeddedText& file : kPageFiles)
    if (file.name == name) return file.text;
  return {};
}

// Safe in element content and in quoted attributes.
std::string escaped(std::string_view raw) {
  std::string result;
  for (char character : sanitize_utf8(raw)) {
    switch (character) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: result += character;
    }
  }
  return result;
}

// JSON inside a script element: no "<" can end the element or open a comment.
std::string script_json(const Json& json) {
  std::string result;
  for (char character : json.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (character == '<')
      result += "\\u003c";
    else if (character == '>')
      result += "\\u003e";
    else if (character == '&')
      result += "\\u0026";
    else
      result += character;
  }
  return result;
}

// A column header may break where its parts meet, but not inside a unit such as tok/s.
std::string breakable(std::string_view header) {
  constexpr size_t kLongestUnit = 4;
  std::string result;
  for (size_t i = 0; i < header.size(); ++i) {
    if (header[i] == '@') result += "<wbr>";
    result += header[i];
    if (header[i] == '_' || (header[i] == '/' && header.size() - i > kLongestUnit)) result += "<wbr>";
  }
  return result;
}

std::string percent_encoded(std::string_view text) {
  std::string result;
  for (unsigned char character : text) {
    const bool is_plain = (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z');
    result += is_plain ? std::string(1, static_cast<char>(character)) : fmt::format("%{:02X}", character);
  }
  return result;
}

std::string chip(const Cell& cell) {
  const NoteStyle* style = find_note_style(cell.note);
  if (style == nullptr) return {};
  const std::string mark = fmt::format("<span class=\"chip {}\" title=\"{}\"><span aria-hidden=\"true\">{}</span> {}</span>", style->css,
                                       escaped(cell.note), style->symbol, style->word);
  if (!cell.text.empty()) return mark;
  // The cell is the verdict itself: its reason is shown in full.
  std::string_view rest = std::string_view(cell.note).substr(style->word.size());
  if (rest.starts_with(":")) rest.remove_prefix(1);
  return mark + (rest.empty() ? "" : "<span class=\"reason\">" + escaped(rest) + "</span>");
}

std::string cell_html(const Cell& cell, bool is_first, bool is_numeric) {
  std::string classes = is_numeric ? "number" : "";
  if (cell.best) classes += " best";
  const std::string_view tag = is_first ? "th scope=\"row\"" : "td";
  std::string html = fmt::format("<{}", tag);
  if (!classes.empty()) html += fmt::format(" class=\"{}\"", trim(classes));
  if (cell.value) html += fmt::format(" data-value=\"{}\"", exact_text(cell.value));
  const bool is_reason = !cell.note.empty() && find_note_style(cell.note) == nullptr;
  if (is_reason) html += fmt::format(" title=\"{}\"", escaped(cell.note));
  html += ">";
  std::string text = escaped(cell.text);
  if (cell.best) text += "<span class=\"star\" title=\"best in its column\">★</span>";
  html += is_reason ? "<abbr>" + text + "</abbr>" : "<span>" + text + "</span>";
  return html + chip(cell) + (is_first ? "</th>" : "</td>");
}

std::string table_html(const Table& table) {
  std::vector<bool> is_numeric(table.columns.size(), false);
  for (const auto& row : table.rows)
    for (size_t c = 0; c < row.size() && c < is_numeric.size(); ++c) is_numeric[c] = is_numeric[c] || row[c].value.has_value();
  std::string html = "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>";
  for (size_t c = 0; c < table.columns.size(); ++c)
    html += fmt::format("<th scope=\"col\"{}><button type=\"button\">{}</button></th>", is_numeric[c] ? " class=\"number\"" : "",
                        breakable(escaped(table.columns[c])));
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (size_t c = 0; c < row.size(); ++c) html += cell_html(row[c], c == 0, c < is_numeric.size() && is_numeric[c]);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

void put(std::string& out, const Answer& answer) {
  out += "<section id=\"answer\"><p class=\"headline\">" + escaped(answer.headline) + "</p>\n<div class=\"options\">\n";
  for (const Answer::Option& option : answer.options) {
    out += fmt::format("<article class=\"option\"><p class=\"when\">{}</p><h3>{}</h3>\n<dl>", escaped(option.heading), escaped(option.label));
    if (!option.saves.empty()) out += "<dt>Saves</dt><dd>" + escaped(option.saves) + "</dd>";
    out += "<dt>Costs</dt><dd>" + escaped(option.costs) + "</dd><dt>How sure</dt><dd>" + escaped(option.sure) + "</dd></dl></article>\n";
  }
  out += "</div>\n<p class=\"caption\">" + escaped(answer.rule) + "</p></section>\n";
}
void put(std::string& out, const Heading& heading) { out += fmt::format("<h{0}>{1}</h{0}>\n", heading.level, escaped(heading.text)); }
void put(std::string& out, const Paragraph& paragraph) { out += "<p>" + escaped(paragraph.text) + "</p>\n"; }
void put(std::string& out, const Code& code) { out += "<pre><code>" + escaped(code.text) + "</code></pre>\n"; }
void put(std::string& out, const List& list) {
  out += "<ul>\n";
  for (const List::Item& item : list.items)
    out += "<li>" + (item.key.empty() ? "" : "<strong>" + escaped(item.key) + ":</strong> ") + escaped(item.text) + "</li>\n";
  out += "</ul>\n";
}

void put(std::string& out, const Table& table) {
  const std::string id = escaped("table-" + table.id);
  std::string body = table_html(table);
  if (!table.caption.empty()) body += "<p class=\"caption\">" + escaped(table.caption) + "</p>\n";
  if (table.id == "precisions") body += "<p class=\"caption legend\">" + escaped(note_legend()) + ".</p>\n";
  if (table.is_detail)
    out += fmt::format("<details id=\"{}\"><summary>{}</summary>\n{}</details>\n", id, escaped(table.title), body);
  else
    out += fmt::format("<section id=\"{}\" class=\"{}\"><h3>{}</h3>\n{}</section>\n", id, table.id == "precisions" ? "main-table" : "table",
                       escaped(table.title), body);
}

std::string csv_of(const Table& table) {
  std::string csv = "series,point,x,y,low,high\n";
  for (const auto& row : table.rows) {
    std::string name = row[0].text, point = row[1].text;
    for (std::string* text : {&name, &point})
      for (char& character : *text)
        if (character == ',' || character == '"' || character == '\n' || character == '\r') character = ' ';
    csv += fmt::format("{},{},{},{},{},{}\n", name, point, exact_text(row[2].value), exact_text(row[3].value), exact_text(row[4].value),
                       exact_text(row[5].value));
  }
  return csv;
}

void put(std::string& out, const Chart& chart) {
  const Table data = chart_table(chart);
  out += fmt::format("<figure class=\"chart\"><h3>{0}</h3>\n<div class=\"canvas\"><canvas id=\"chart-{1}\" role=\"img\" aria-label=\"{0}\"></canvas></div>\n",
                     escaped(chart.title), escaped(chart.id));
  out += "<figcaption>" + escaped(chart.caption) + "</figcaption>\n";
  out += fmt::format("<details><summary>Data</summary>{}<p><a download=\"{}.csv\" href=\"data:text/csv;charset=utf-8,{}\">Save as CSV</a></p></details></figure>\n",
                     table_html(data), escaped(chart.id), percent_encoded(csv_of(data)));
}

Json chart_json(const Chart& chart, const std::map<std::string, Style>& styles) {
  static constexpr const char* kKinds[] = {"scatter", "bar", "line"};
  Json all = Json::array();
  for (const ChartSeries& series : chart.series) {
    Json points = Json::array();
    for (const Point& point : series.points)
      points.push_back({{"x", json_number(point.x)}, {"y", json_number(point.y)}, {"low", json_number(point.low)}, {"high", json_number(point.high)}, {"label", point.label}});
    const Style& style = styles.at(series.name);
    all.push_back({{"name", series.name}, {"light", style.light}, {"dark", style.dark}, {"marker", style.marker}, {"guide", series.is_guide}, {"points", points}});
  }
  return {{"id", chart.id}, {"kind", kKinds[static_cast<size_t>(chart.kind)]}, {"xLabel", chart.x_label}, {"yLabel", chart.y_label},
          {"logX", chart.log_x}, {"logY", chart.log_y}, {"stacked", chart.is_stacked}, {"series", all}};
}

// All scalar samples, folded: one row a metric and run.
std::string samples_html(const Document& document) {
  Table table{.id = "samples", .title = "Raw samples", .columns = {"Metric", "Recipe", "Run", "Samples", "Values in the order measured"}, .is_detail = true};
  for (const Run& run : document.runs) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<double>> values;
    for (const Sample& sample : run.samples) {
      if (!values.contains(sample.metric)) order.push_back(sample.metric);
      values[sample.metric].push_back(sample.value);
    }
    for (const std::string& metric : order) {
      std::string text;
      for (double value : values[metric]) text += (text.empty() ? "" : "  ") + format_number(value, 6);
      table.rows.push_back({{.text = metric}, {.text = run.recipe}, {.text = run.run_id},
                            {.text = std::to_string(values[metric].size()), .value = static_cast<double>(values[metric].size())}, {.text = text}});
    }
  }
  if (table.rows.empty()) return {};
  std::string out = "<h2>Raw data</h2>\n";
  put(out, table);
  return out + "<p class=\"caption\">Token timelines and scores of every position come out through <code>phiscope runs export</code>.</p>\n";
}

std::string head(const Document& document) {
  // The policy forbids every request: the page holds all it needs.
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
      "img-src data:\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
      "content=\"light dark\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<header><p class=\"brand\">Phiscope</p><h1>{}</h1>\n"
      "<p class=\"subtitle\">{}</p></header>\n<main>\n",
      escaped(document.title), page_file("report.css"), escaped(document.title), escaped(document.subtitle));
}

}  // namespace

Result<std::string> write_html(const Document& document) {
  std::vector<const Chart*> charts;
  for (const Block& block : document.blocks)
    if (const Chart* chart = std::get_if<Chart>(&block)) charts.push_back(chart);
  const std::map<std::string, Style> styles = assign_styles(charts);
  std::string out = head(document);
  bool in_charts = false;
  for (const Block& block : document.blocks) {
    const bool is_chart = std::holds_alternative<Chart>(block);
    if (is_chart != in_charts) out += is_chart ? "<div class=\"charts\">\n" : "</div>\n";
    in_charts = is_chart;
    std::visit([&](const auto& part) { put(out, part); }, block);
  }
  if (in_charts) out += "</div>\n";
  out += samples_html(document);
  Json data = Json::array();
  for (const Chart* chart : charts) data.push_back(chart_json(*chart, styles));
  out += "</main>\n<script type=\"application/json\" id=\"chart-data\">" + script_json(data) + "</script>\n<script>\n";
  out += page_file("chart.min.js");
  out += "\n</script>\n<script>\n";
  out += page_file("report.js");
  return out + "</script>\n</body>\n</html>\n";
}

}  // namespace phiscope::reports
