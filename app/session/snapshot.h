#pragma once
// All that the desktop application shows, as one immutable value. Large parts are shared, so a copy is cheap.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/session/bench.h"
#include "app/session/commands.h"
#include "app/session/model_report.h"
#include "reports/document/document.h"

namespace phiscope::session {

/// A model on the shelf: bundled, opened before, or dropped in.
struct ShelfModel {
  enum class State : uint8_t { reading, ready, refused };
  std::string argument;                          // MODEL argument
  State state = State::reading;
  std::shared_ptr<const ModelReport> report;     // ready only
  std::string problem;                           // refused: the sentence
};

/// How one run of a queue entry ended.
struct RunOutcome {
  std::string run_id, model, recipe, backend;
  RunStatus status = RunStatus::done;
  std::string reason;
};

/// One press of Run.
struct QueueEntry {
  enum class State : uint8_t { waiting, running, done, failed, cancelled };
  int64_t id = 0;
  BenchRequest request;
  State state = State::waiting;
  BenchProgress progress;
  std::string notice;                            // "waiting for another benchmark on this machine: ..."
  std::string problem;                           // failed as a whole
  std::vector<RunOutcome> outcomes;              // finished runs so far
  int64_t started_ns = 0, ended_ns = 0;          // monotonic; 0 = not yet
  bool has_ended() const { return state != State::waiting && state != State::running; }
};

struct Answer {
  std::string recipe, text, problem;
  double tokens_per_s = 0;
  bool is_running = false;
};
/// The same question to several precisions.
struct Chat {
  std::string model, question;
  std::vector<Answer> answers;
  bool is_running = false;
};

struct LogLine {
  std::string time, text;
};

struct ExportState {
  bool is_running = false;
  std::filesystem::path written;                 // last success
  std::string problem;                           // last failure
};

struct DeviceView {
  bool is_probing = false;
  std::vector<ProbeResult> probe;
  std::string problem;
  std::vector<std::pair<std::string, std::string>> facts;  // the machine, as runs store it
};

struct ComparisonView {
  std::vector<std::string> run_ids;              // what was asked for
  bool is_loading = false;
  std::string problem;
  std::shared_ptr<const reports::Comparison> comparison;
  std::shared_ptr<const reports::Document> document;
};

struct Snapshot {
  uint64_t version = 0;                          // grows with every change
  std::filesystem::path database;
  std::string database_problem;                  // why runs cannot be read or kept; empty = fine
  bool runs_are_loading = true;
  std::shared_ptr<const std::vector<Run>> runs = std::make_shared<std::vector<Run>>();  // newest first, without samples
  std::shared_ptr<const std::vector<Run>> deleted = std::make_shared<std::vector<Run>>();  // last deletion, whole: for undo
  std::vector<ShelfModel> models;
  std::vector<BackendDescription> backends;      // empty until the worker has answered
  std::string backends_problem;
  std::vector<QueueEntry> queue;                 // oldest first
  bool queue_is_paused = false;
  ComparisonView comparison;
  Chat chat;
  ExportState export_state;
  DeviceView device;
  std::shared_ptr<const std::vector<LogLine>> log = std::make_shared<std::vector<LogLine>>();

  bool is_measuring() const;
  const ShelfModel* find_model(const std::string& argument) const;
};

}  // namespace phiscope::session
