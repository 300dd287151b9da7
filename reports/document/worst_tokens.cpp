// The places where a precision hurts, readable: the tokens with the largest divergence, in their text.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/text.h"
#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

constexpr size_t kPlaces = 8;
constexpr size_t kContextTokens = 14;
constexpr double kWorthReading = 1e-3;  // nat: below it nobody would notice

struct Place {
  const Series* window = nullptr;
  size_t position = 0;
  double kld = 0;
};

const std::vector<double>* column_of(const Series& series, std::string_view name) {
  const auto found = std::find(series.columns.begin(), series.columns.end(), name);
  const auto at = static_cast<size_t>(found - series.columns.begin());
  return found == series.columns.end() || at >= series.rows.size() ? nullptr : &series.rows[at];
}

double at(const Series& series, std::string_view name, size_t position) {
  const std::vector<double>* column = column_of(series, name);
  return column != nullptr && position < column->size() ? (*column)[position] : std::nan("");
}

std::vector<Place> worst_places(const Run& run) {
  std::vector<Place> places;
  for (const Series& series : run.series) {
    if (series.kind != "position_scores") continue;
    const std::vector<double>* kld = column_of(series, "kld");
    if (kld == nullptr || column_of(series, "id") == nullptr) continue;
    for (size_t i = 0; i < kld->size(); ++i)
      if ((*kld)[i] > kWorthReading) places.push_back({&series, i, (*kld)[i]});
  }
  std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.kld > b.kld; });
  if (places.size() > kPlaces) places.resize(kPlaces);
  return places;
}

std::string words(const TokenText& text, std::vector<int32_t> ids) {
  std::string result = text(ids);
  for (char& character : result)
    if (character == '\n' || character == '\r' || character == '\t') character = ' ';
  return result;
}

std::vector<int32_t> ids_before(const Place& place) {
  const std::vector<double>& ids = *column_of(*place.window, "id");
  std::vector<int32_t> result;
  for (size_t i = place.position - std::min(place.position, kContextTokens); i < place.position; ++i) result.push_back(static_cast<int32_t>(ids[i]));
  return result;
}

std::string token(const TokenText& text, double id) {
  if (!std::isfinite(id)) return "-";
  return "“" + words(text, {static_cast<int32_t>(id)}) + "”";
}

std::string percent(double nll) { return std::isfinite(nll) ? fmt::format("{} %", format_number(100 * std::exp(-nll), 3)) : "-"; }

Table table_of(const Labelled& row, const Labelled& reference, const TokenText& text) {
  Table table{.id = "worst:" + row.run->run_id, .title = fmt::format("Where {} diverges most from {}", row.label, reference.label)};
  table.columns = {"The text so far", "went on with", "Probability, " + reference.label, "Probability, " + row.label, "First choice, " + reference.label,
                   "First choice, " + row.label, "KLD, nat"};
  for (const Place& place : worst_places(*row.run)) {
    const Series& window = *place.window;
    const double nll = at(window, "nll", place.position), nll0 = at(window, "nll_reference", place.position);
    table.rows.push_back({{.text = "… " + words(text, ids_before(place))},
                          {.text = token(text, at(window, "id", place.position))},
                          {.text = percent(nll0), .value = std::exp(-nll0)},
                          {.text = percent(nll), .value = std::exp(-nll)},
                          {.text = token(text, at(window, "top1_reference", place.position))},
                          {.text = token(text, at(window, "top1", place.position))},
                          {.text = format_number(place.kld, 3), .value = place.kld}});
  }
  return table;
}

}  // namespace

std::vector<Block> build_worst_tokens(const std::vector<Labelled>& runs, const TokenText& text) {
  std::vector<Block> blocks{Heading{2, "Where it hurts"}};
  bool has_scores = false;
  for (const Labelled& row : runs)
    has_scores = has_scores || std::any_of(row.run->series.begin(), row.run->series.end(), [](const Series& s) { return s.kind == "position_scores"; });
  if (!has_scores) {
    blocks.push_back(Paragraph{"These runs scored no text, so there is nothing to read here: a suite with a fidelity part does."});
    return blocks;
  }
  if (!text) {
    blocks.push_back(Paragraph{"The tokenizer of these runs is not at hand, so the places cannot be shown in their text; report them where the model is."});
    return blocks;
  }
  for (const Labelled& row : runs) {
    if (row.comparison == nullptr) continue;
    Table table = table_of(row, runs.front(), text);
    if (!table.rows.empty()) blocks.push_back(std::move(table));
  }
  if (blocks.size() == 1) {
    blocks.push_back(Paragraph{"No token of the scored text diverges by more than 0.001 nat: no reader would notice a difference."});
    return blocks;
  }
  for (size_t i = 1; i + 1 < blocks.size(); ++i) std::get<Table>(blocks[i]).is_detail = true;  // the last, usually the fewest bits, is open
  return blocks;
}

}  // namespace phiscope::reports
