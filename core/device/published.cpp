#include "core/device/published.h"

#include "core/device/toml_table.h"

namespace phiscope::device {
namespace {

Result<PublishedSpeed> read_speed(TomlTable& table) {
  PublishedSpeed row;
  PHISCOPE_TRY(table.required_text("model", row.model));
  PHISCOPE_TRY(table.required_text("device", row.device));
  PHISCOPE_TRY(table.required_text("unit", row.unit));
  PHISCOPE_TRY(table.text("format", row.format));
  PHISCOPE_TRY(table.number("bits", row.bits));
  PHISCOPE_TRY(table.number("decode_tokens_per_s", row.decode_tokens_per_s));
  PHISCOPE_TRY(table.number("ttft_ms", row.ttft_ms));
  PHISCOPE_TRY(table.number("prompt", row.prompt));
  PHISCOPE_TRY(table.number("memory_bytes", row.memory_bytes));
  PHISCOPE_TRY(table.text("setup", row.setup));
  PHISCOPE_TRY(table.required_text("source", row.source));
  return row;
}

Result<PublishedQuality> read_quality(TomlTable& table) {
  PublishedQuality row;
  PHISCOPE_TRY(table.required_text("model", row.model));
  PHISCOPE_TRY(table.required_text("scheme", row.scheme));
  PHISCOPE_TRY(table.required_text("metric", row.metric));
  row.is_perplexity = row.metric.find("perplexity") != std::string::npos;
  PHISCOPE_TRY(table.number("reference", row.reference));
  PHISCOPE_TRY(table.number("value", row.value));
  PHISCOPE_TRY(table.text("note", row.note));
  PHISCOPE_TRY(table.required_text("source", row.source));
  if (row.reference <= 0 || row.value <= 0) return fail(ErrorCode::invalid_file, "{}: 'reference' and 'value' must be above 0", table.where());
  return row;
}

Result<PublishedShare> read_share(TomlTable& table) {
  PublishedShare row;
  PHISCOPE_TRY(table.required_text("unit", row.unit));
  PHISCOPE_TRY(table.required_text("engine", row.engine));
  PHISCOPE_TRY(table.required_text("limit", row.limit));
  PHISCOPE_TRY(table.number("bits", row.bits));
  PHISCOPE_TRY(table.number("share", row.share));
  PHISCOPE_TRY(table.required_text("what", row.what));
  PHISCOPE_TRY(table.required_text("source", row.source));
  if (row.share <= 0 || row.share > 1) return fail(ErrorCode::invalid_file, "{}: 'share' must lie above 0 and at most at 1", table.where());
  if (row.limit != "bandwidth" && row.limit != "arithmetic")
    return fail(ErrorCode::invalid_file, "{}: 'limit' must be bandwidth or arithmetic", table.where());
  return row;
}

template <class Row>
Status read_rows(TomlTable& root, const char* key, Result<Row> (*read)(TomlTable&), std::vector<Row>& rows) {
  PHISCOPE_ASSIGN(const auto tables, root.tables(key));
  for (size_t i = 0; i < tables.size(); ++i) {
    TomlTable table(*tables[i], fmt::format("{} [[{}]] {}", root.where(), key, i + 1));
    PHISCOPE_ASSIGN(Row row, read(table));
    PHISCOPE_TRY(table.finish());
    rows.push_back(std::move(row));
  }
  return {};
}

}  // namespace

Result<Published> read_published(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const toml::table content, read_toml(path));
  TomlTable root(content, path.filename().string());
  Published published;
  PHISCOPE_TRY(read_rows(root, "speed", read_speed, published.speeds));
  PHISCOPE_TRY(read_rows(root, "quality", read_quality, published.qualities));
  PHISCOPE_TRY(read_rows(root, "share", read_share, published.shares));
  PHISCOPE_TRY(root.finish());
  return published;
}

}  // namespace phiscope::device
