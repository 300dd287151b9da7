#include "core/base/text.h"
#include "reports/export/formats.h"

namespace phiscope::reports {
namespace {

// One long table: every cell of every table, every point of every chart, every scalar sample.
constexpr const char* kHeader = "kind,id,row,column,text,x,value,low,high,best,note\n";

// Spreadsheets take a text that begins like this for a formula; a quote before it keeps it a text.
bool looks_like_formula(std::string_view text) {
  return text.size() > 1 && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@' || text[0] == '\t');
}

std::string quoted(std::string_view raw) {
  std::string text = sanitize_utf8(raw);
  if (looks_like_formula(text)) text.insert(text.begin(), '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (char character : text) {
    if (character == '"') result += '"';
    result += character;
  }
  return result + '"';
}

struct Row {
  std::string_view kind, id, row, column, text;
  std::string x{}, value{}, low{}, high{};
  bool best = false;
  std::string_view note{};
};

void put(std::string& out, const Row& row) {
  for (std::string_view text : {row.kind, row.id, row.row, row.column, row.text}) out += quoted(text) + ",";
  for (const std::string& number : {row.x, row.value, row.low, row.high}) out += number + ",";
  out += std::string(row.best ? "1" : "") + "," + quoted(row.note) + "\n";
}

void put_block(std::string& out, const Table& table) {
  for (const auto& cells : table.rows) {
    for (size_t c = 1; c < cells.size(); ++c) {
      const Cell& cell = cells[c];
      put(out, {.kind = "table", .id = table.id, .row = cells[0].text, .column = c < table.columns.size() ? std::string_view(table.columns[c]) : "",
                .text = cell.text, .value = exact_text(cell.value), .low = exact_text(cell.low), .high = exact_text(cell.high), .best = cell.best,
                .note = cell.note});
    }
  }
}

void put_block(std::string& out, const Chart& chart) {
  for (const ChartSeries& series : chart.series) {
    if (series.is_guide) continue;
    for (const Point& point : series.points)
      put(out, {.kind = "chart", .id = chart.id, .row = series.name, .column = chart.y_label, .text = point.label,
                .x = chart.kind == Chart::Kind::bar ? std::string() : exact_text(point.x), .value = exact_text(point.y),
                .low = exact_text(point.low), .high = exact_text(point.high)});
  }
}

void put_block(std::string& out, const Answer& answer) {
  for (const Answer::Option& option : answer.options)
    for (const auto& [column, text] : {std::pair{"saves", option.saves}, std::pair{"costs", option.costs}, std::pair{"sure", option.sure}})
      put(out, {.kind = "answer", .id = option.heading, .row = option.label, .column = column, .text = text});
}

// Texts carry no numbers.
void put_block(std::string&, const Heading&) {}
void put_block(std::string&, const Paragraph&) {}
void put_block(std::string&, const List&) {}
void put_block(std::string&, const Code&) {}

}  // namespace

Result<std::string> write_csv(const Document& document) {
  std::string out = kHeader;
  for (const Block& block : document.blocks) std::visit([&](const auto& part) { put_block(out, part); }, block);
  for (const Run& run : document.runs) {
    for (const Sample& sample : run.samples) {
      const std::string item = std::to_string(sample.item);
      put(out, {.kind = "sample", .id = sample.metric, .row = run.run_id, .column = item, .text = "", .x = std::to_string(sample.repetition),
                .value = exact_text(sample.value)});
    }
  }
  return out;
}

}  // namespace phiscope::reports
