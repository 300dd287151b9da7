#pragma once
// Plain structs that everyone shares: what was measured and where. No logic but look-ups. Every member has a default, so that
// {.id = "perplexity", .value = 12.5} needs no further fields.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phiscope {

enum class Direction : uint8_t { higher, lower, none };
std::string_view direction_name(Direction direction);  // "higher", "lower", "none"
Direction direction_from_name(std::string_view name);      // unknown names are `none`

/// A row of the metric catalogue. `id` is the family: "decode_tokens_per_s" covers "decode_tokens_per_s@128" and "...@64d2048".
struct MetricInfo {
  std::string id{};
  int version = 1;
  std::string label{};       // "Decode"
  std::string unit{};        // "tok/s"
  Direction direction = Direction::none;
  std::string group{};       // "speed", "fidelity", "tasks", "memory", "size"
  std::string definition{};  // one sentence with the formula
  double relevant_difference = 0;  // the smallest effect that matters
  bool relevant_is_relative = true;  // of the reference's value; else absolute
};

/// One computed number. Without a value it has a reason.
struct Metric {
  std::string id{};  // with shape: "prefill_tokens_per_s@512", "task_accuracy:addition"
  std::optional<double> value{};
  std::string reason{};
  int64_t n = 0;                    // samples or scored items behind it
  std::optional<double> low{}, high{};  // 95 % interval, or quartiles for timings (the catalogue's definition says which)
  int version = 1;
};
/// "prefill_tokens_per_s" of "prefill_tokens_per_s@512"; "task_accuracy" of "task_accuracy:addition".
std::string_view metric_family(std::string_view id);

/// One raw scalar measurement.
struct Sample {
  std::string metric{};  // id with shape
  int64_t item = 0;    // prompt, window or task item
  int64_t repetition = 0;
  double value = 0;
  std::string mark{};  // why it was disturbed ("waited 3.1 %"); empty = undisturbed. Of several with the same metric, item and repetition the last counts
};

/// A raw series kept as one compressed blob: token timeline (ns), memory timeline, per-position results.
struct Series {
  std::string kind{};    // "token_timeline", "memory_timeline", "position_scores", "task_items"
  std::string metric{};  // what it belongs to, with shape
  int64_t item = 0, repetition = 0;
  std::vector<std::string> columns{};       // names with units, "time_ns"
  std::vector<std::vector<double>> rows{};  // [columns][n]: one vector per column
};

struct Warning {
  std::string id{};        // "noisy", "disturbed", "converted_at_load"
  std::string sentence{};  // what happened
  std::string remedy{};    // what to do about it
};

enum class RunStatus : uint8_t { done, failed, cancelled, refused };
std::string_view run_status_name(RunStatus status);
RunStatus run_status_from_name(std::string_view name);  // unknown names are `failed`

/// One artifact on one engine through one suite in one environment.
struct Run {
  std::string run_id{};       // ULID
  std::string started_at{};   // ISO 8601, UTC
  double seconds = 0;
  std::string model{};        // as the user named it
  std::string model_hash{};   // source
  std::string artifact_hash{};
  std::string tokenizer_hash{};
  std::string recipe{};
  std::string backend{};
  std::string suite{};
  std::string suite_hash{};
  RunStatus status = RunStatus::done;
  std::string reason{};       // of failed, cancelled, refused
  int threads = 0;
  std::string device{};       // CPU or GPU name
  std::string requested{};    // precision asked for
  std::string effective{};    // precision that ran, one line
  std::string app_version{};
  std::map<std::string, std::string> environment{};  // os, kernel, cpu, instruction_set, memory, build, convention.*, ...
  std::vector<Metric> metrics{};
  std::vector<MetricInfo> metric_infos{};  // of the families that occur
  std::vector<Sample> samples{};
  std::vector<Series> series{};
  std::vector<Warning> warnings{};

  /// Null when the run has no such metric.
  const Metric* find_metric(std::string_view id) const;
  /// The row of the metric's family; null when the run has none.
  const MetricInfo* find_info(std::string_view metric_id) const;
};

}  // namespace phiscope
