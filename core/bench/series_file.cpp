#include "core/bench/series_file.h"

#include <cstring>

#include "core/base/files.h"
#include "core/base/json.h"

namespace phiscope::bench {

Status write_series_file(const std::filesystem::path& path, std::span<const Series> series) {
  std::string out;
  for (const Series& one : series) {
    const size_t rows = one.rows.empty() ? 0 : one.rows[0].size();
    out += dump_line(Json{{"kind", one.kind}, {"metric", one.metric}, {"item", one.item}, {"repetition", one.repetition},
                          {"columns", one.columns}, {"rows", rows}});
    out += '\n';
    for (const std::vector<double>& column : one.rows) {
      if (column.size() != rows) return fail(ErrorCode::internal, "series '{}': columns of different length", one.kind);
      out.append(reinterpret_cast<const char*>(column.data()), column.size() * sizeof(double));
    }
  }
  return write_file(path, out);
}

Result<std::vector<Series>> read_series_file(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const std::string content, read_file(path));
  const std::string where = path.filename().string();
  std::vector<Series> all;
  size_t at = 0;
  while (at < content.size()) {
    const size_t end = content.find('\n', at);
    if (end == std::string::npos) return fail(ErrorCode::invalid_file, "{}: the header at byte {} has no end", where, at);
    PHISCOPE_ASSIGN(const Json header, parse_json(std::string_view(content).substr(at, end - at), where));
    at = end + 1;
    Series one;
    PHISCOPE_ASSIGN(one.kind, json_string(header, "kind", where));
    PHISCOPE_ASSIGN(one.metric, json_string(header, "metric", where));
    PHISCOPE_ASSIGN(one.item, json_int(header, "item", where, 0, INT64_MAX));
    PHISCOPE_ASSIGN(one.repetition, json_int(header, "repetition", where, 0, INT64_MAX));
    PHISCOPE_ASSIGN(const int64_t rows, json_int(header, "rows", where, 0, int64_t{1} << 40));
    if (!header.contains("columns") || !header["columns"].is_array())
      return fail(ErrorCode::invalid_file, "{}: key 'columns' is missing", where);
    for (const Json& name : header["columns"]) one.columns.push_back(name.is_string() ? name.get<std::string>() : "");
    const size_t column_bytes = static_cast<size_t>(rows) * sizeof(double);
    for (size_t c = 0; c < one.columns.size(); ++c) {
      if (content.size() - at < column_bytes)
        return fail(ErrorCode::invalid_file, "{}: column '{}' ends at byte {}, the file has {} bytes", where, one.columns[c],
                    at + column_bytes, content.size());
      std::vector<double> column(static_cast<size_t>(rows));
      std::memcpy(column.data(), content.data() + at, column_bytes);
      one.rows.push_back(std::move(column));
      at += column_bytes;
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace phiscope::bench
