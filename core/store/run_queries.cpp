#include "core/store/run_queries.h"

#include <SQLiteCpp/Statement.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <tuple>

namespace phiscope::store {
namespace {

/// Binds in order, steps once and can be used again.
class Insert {
 public:
  Insert(SQLite::Database& database, const char* sql) : statement_(database, sql) {}

  template <class... Values>
  void row(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
    statement_.exec();
    statement_.reset();
    statement_.clearBindings();
  }

 private:
  void bind(int index, const std::string& text) { statement_.bind(index, text); }
  void bind(int index, std::string_view text) { statement_.bind(index, std::string(text)); }
  void bind(int index, int value) { statement_.bind(index, value); }
  void bind(int index, bool value) { statement_.bind(index, value ? 1 : 0); }
  void bind(int index, int64_t value) { statement_.bind(index, value); }
  void bind(int index, double value) { statement_.bind(index, value); }  // SQLite keeps NaN as NULL
  void bind(int index, const std::optional<double>& value) {
    if (value) statement_.bind(index, *value);
  }
  struct Bytes {
    const std::string& data;
  };
  void bind(int index, const Bytes& bytes) { statement_.bind(index, bytes.data.data(), static_cast<int>(bytes.data.size())); }

  SQLite::Statement statement_;

 public:
  static Bytes bytes(const std::string& data) { return {data}; }
};

SQLite::Statement select(SQLite::Database& database, const char* sql, int64_t row) {
  SQLite::Statement statement(database, sql);
  statement.bind(1, row);
  return statement;
}

std::optional<double> optional_number(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return column.getDouble();
}

// A value that is not a number was not measured: absent, with a reason.
std::string metric_reason(const Metric& metric) {
  if (metric.value && std::isnan(*metric.value) && metric.reason.empty()) return "the result is not a number";
  return metric.reason;
}

int64_t insert_head(SQLite::Database& database, const Run& run) {
  Insert(database,
         "INSERT INTO run (run_id, started_at, seconds, model, model_hash, artifact_hash, tokenizer_hash, recipe, backend, suite, "
         "suite_hash, status, reason, threads, device, requested, effective, app_version) "
         "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .row(run.run_id, run.started_at, run.seconds, run.model, run.model_hash, run.artifact_hash, run.tokenizer_hash, run.recipe,
           run.backend, run.suite, run.suite_hash, run_status_name(run.status), run.reason, run.threads, run.device, run.requested,
           run.effective, run.app_version);
  return database.getLastInsertRowid();
}

void insert_samples(SQLite::Database& database, int64_t row, const std::vector<Sample>& samples) {
  Insert insert(database, "INSERT INTO sample (run, position, metric, item, repetition, value, mark, is_replaced) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  // Only a marked sample can have been measured again.
  std::map<std::tuple<std::string_view, int64_t, int64_t>, size_t> last;
  for (size_t i = 0; i < samples.size(); ++i) last[{samples[i].metric, samples[i].item, samples[i].repetition}] = i;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    const bool is_replaced = !sample.mark.empty() && last.at({sample.metric, sample.item, sample.repetition}) != i;
    insert.row(row, static_cast<int64_t>(i), sample.metric, sample.item, sample.repetition, sample.value, sample.mark, is_replaced);
  }
}

void insert_series(SQLite::Database& database, int64_t row, const Run& run, const std::vector<EncodedSeries>& encoded) {
  Insert insert(database,
                "INSERT INTO series (run, position, kind, metric, item, repetition, columns, length, checksum, data) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (size_t i = 0; i < encoded.size(); ++i) {
    const Series& series = run.series[i];
    insert.row(row, static_cast<int64_t>(i), series.kind, series.metric, series.item, series.repetition, encoded[i].columns,
               encoded[i].length, encoded[i].checksum, Insert::bytes(encoded[i].data));
  }
}

}  // namespace

void insert_metrics(SQLite::Database& database, int64_t row, const std::vector<Metric>& metrics, const std::vector<MetricInfo>& infos) {
  Insert info_row(database,
                  "INSERT OR REPLACE INTO metric_info (run, position, family, version, label, unit, direction, metric_group, definition, "
                  "relevant_difference, relevant_is_relative) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  int64_t position = 0;
  for (const MetricInfo& info : infos)
    info_row.row(row, position++, info.id, info.version, info.label, info.unit, direction_name(info.direction), info.group,
                 info.definition, info.relevant_difference, info.relevant_is_relative);
  Insert metric_row(database,
                    "INSERT OR REPLACE INTO metric (run, position, metric, family, version, value, reason, n, low, high) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  position = 0;
  for (const Metric& metric : metrics)
    metric_row.row(row, position++, metric.id, metric_family(metric.id), metric.version, metric.value, metric_reason(metric), metric.n,
                   metric.low, metric.high);
}

void delete_metrics(SQLite::Database& database, int64_t row) {
  select(database, "DELETE FROM metric WHERE run = ?", row).exec();
  select(database, "DELETE FROM metric_info WHERE run = ?", row).exec();
}

void insert_run(SQLite::Database& database, const Run& run, const std::vector<EncodedSeries>& series) {
  Insert(database, "DELETE FROM run WHERE run_id = ?").row(run.run_id);
  const int64_t row = insert_head(database, run);
  insert_metrics(database, row, run.metrics, run.metric_infos);
  insert_samples(database, row, run.samples);
  insert_series(database, row, run, series);
  Insert warning_row(database, "INSERT INTO warning (run, position, warning, sentence, remedy) VALUES (?, ?, ?, ?, ?)");
  int64_t position = 0;
  for (const Warning& warning : run.warnings) warning_row.row(row, position++, warning.id, warning.sentence, warning.remedy);
  Insert environment_row(database, "INSERT INTO environment (run, key, value) VALUES (?, ?, ?)");
  for (const auto& [key, value] : run.environment) environment_row.row(row, key, value);
}

namespace {

void read_head(SQLite::Database& database, int64_t row, Run& run) {
  SQLite::Statement head = select(
      database,
      "SELECT run_id, started_at, seconds, model, model_hash, artifact_hash, tokenizer_hash, recipe, backend, suite, suite_hash, "
      "status, reason, threads, device, requested, effective, app_version FROM run WHERE id = ?",
      row);
  if (!head.executeStep()) return;
  run.run_id = head.getColumn(0).getString();
  run.started_at = head.getColumn(1).getString();
  run.seconds = head.getColumn(2).getDouble();
  run.model = head.getColumn(3).getString();
  run.model_hash = head.getColumn(4).getString();
  run.artifact_hash = head.getColumn(5).getString();
  run.tokenizer_hash = head.getColumn(6).getString();
  run.recipe = head.getColumn(7).getString();
  run.backend = head.getColumn(8).getString();
  run.suite = head.getColumn(9).getString();
  run.suite_hash = head.getColumn(10).getString();
  run.status = run_status_from_name(head.getColumn(11).getString());
  run.reason = head.getColumn(12).getString();
  run.threads = head.getColumn(13).getInt();
  run.device = head.getColumn(14).getString();
  run.requested = head.getColumn(15).getString();
  run.effective = head.getColumn(16).getString();
  run.app_version = head.getColumn(17).getString();
}

void read_metrics(SQLite::Database& database, int64_t row, Run& run) {
  SQLite::Statement metrics = select(
      database, "SELECT metric, version, value, reason, n, low, high FROM metric WHERE run = ? ORDER BY position", row);
  while (metrics.executeStep()) {
    Metric metric;
    metric.id = metrics.getColumn(0).getString();
    metric.version = metrics.getColumn(1).getInt();
    metric.value = optional_number(metrics.getColumn(2));
    metric.reason = metrics.getColumn(3).getString();
    metric.n = metrics.getColumn(4).getInt64();
    metric.low = optional_number(metrics.getColumn(5));
    metric.high = optional_number(metrics.getColumn(6));
    run.metrics.push_back(std::move(metric));
  }
  SQLite::Statement infos = select(database,
                                   "SELECT family, version, label, unit, direction, metric_group, definition, relevant_difference, "
                                   "relevant_is_relative FROM metric_info WHERE run = ? ORDER BY position",
                                   row);
  while (infos.executeStep()) {
    MetricInfo info;
    info.id = infos.getColumn(0).getString();
    info.version = infos.getColumn(1).getInt();
    info.label = infos.getColumn(2).getString();
    info.unit = infos.getColumn(3).getString();
    info.direction = direction_from_name(infos.getColumn(4).getString());
    info.group = infos.getColumn(5).getString();
    info.definition = infos.getColumn(6).getString();
    info.relevant_difference = infos.getColumn(7).getDouble();
    info.relevant_is_relative = infos.getColumn(8).getInt() != 0;
    run.metric_infos.push_back(std::move(info));
  }
}

}  // namespace

Run read_run(SQLite::Database& database, int64_t row) {
  Run run;
  read_head(database, row, run);
  read_metrics(database, row, run);
  SQLite::Statement warnings = select(database, "SELECT warning, sentence, remedy FROM warning WHERE run = ? ORDER BY position", row);
  while (warnings.executeStep())
    run.warnings.push_back(
        {warnings.getColumn(0).getString(), warnings.getColumn(1).getString(), warnings.getColumn(2).getString()});
  SQLite::Statement environment = select(database, "SELECT key, value FROM environment WHERE run = ?", row);
  while (environment.executeStep()) run.environment[environment.getColumn(0).getString()] = environment.getColumn(1).getString();
  return run;
}

void read_samples(SQLite::Database& database, int64_t row, Run& run) {
  SQLite::Statement samples =
      select(database, "SELECT metric, item, repetition, value, mark FROM sample WHERE run = ? ORDER BY position", row);
  while (samples.executeStep())
    run.samples.push_back({samples.getColumn(0).getString(), samples.getColumn(1).getInt64(), samples.getColumn(2).getInt64(),
                           optional_number(samples.getColumn(3)).value_or(std::numeric_limits<double>::quiet_NaN()), samples.getColumn(4).getString()});
}

void read_series(SQLite::Database& database, int64_t row, Run& run) {
  SQLite::Statement rows = select(
      database, "SELECT kind, metric, item, repetition, columns, length, checksum, data FROM series WHERE run = ? ORDER BY position", row);
  while (rows.executeStep()) {
    Series series;
    series.kind = rows.getColumn(0).getString();
    series.metric = rows.getColumn(1).getString();
    series.item = rows.getColumn(2).getInt64();
    series.repetition = rows.getColumn(3).getInt64();
    const EncodedSeries encoded{rows.getColumn(4).getString(), rows.getColumn(5).getInt64(), rows.getColumn(6).getString(),
                                rows.getColumn(7).getString()};
    const Status status = decode_series(encoded, series);
    if (status) {
      run.series.push_back(std::move(series));
    } else {
      run.warnings.push_back({"damaged_series",
                              fmt::format("The series '{}' of '{}' (item {}, repetition {}) was left out: {}.", series.kind,
                                          series.metric, series.item, series.repetition, status.error().message),
                              "Measure again, or restore the database from a copy."});
    }
  }
}

}  // namespace phiscope::store
