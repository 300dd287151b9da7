#pragma once
// The state of the desktop application and its commands, without a window. A command returns at once; its result comes in a later snapshot.

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/session/job_thread.h"
#include "app/session/snapshot.h"

namespace phiscope::session {

struct WorkspaceOptions {
  std::filesystem::path database;             // empty = Store::default_path()
  std::filesystem::path config_folder;        // of the shelf of models; empty = platform::user_config_folder()
  std::function<void()> on_change;            // a newer snapshot is there; called on any thread; may be empty
};

/// Thread-safe. The destructor cancels what runs and waits for it.
class Workspace {
 public:
  explicit Workspace(WorkspaceOptions options);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  std::shared_ptr<const Snapshot> snapshot() const;

  // Models. An argument that cannot be read stays on the shelf with its reason until it is removed.
  void open_model(const std::string& argument);
  void remove_model(const std::string& argument);

  // Queue of benchmarks: one at a time, in order.
  void enqueue(const BenchRequest& request);
  void cancel(int64_t entry);                 // a waiting one never starts
  void retry(int64_t entry);                  // a new entry with the same request
  void clear_ended();
  void pause(bool paused);                    // the entry that runs goes on; the next does not start

  // Runs.
  void refresh_runs();
  void delete_runs(const std::vector<std::string>& ids);
  void undo_delete();
  /// Empty = the runs of the newest bench.
  void compare(const std::vector<std::string>& ids, const std::string& reference = "");

  /// Writes the report of the comparison that is shown.
  void export_report(const std::string& format, const std::filesystem::path& path);

  /// Refused with a sentence while a benchmark is measuring.
  void ask(const std::string& model, const std::vector<std::string>& recipes, const std::string& question, int64_t max_new_tokens);
  void stop_answering();

  void probe();

 private:
  void change(const std::function<void(Snapshot&)>& edit);
  void add_log(std::string_view line);
  void load_shelf();
  void save_shelf() const;
  void run_entry(int64_t id);
  BenchEvents events_of(int64_t id);

  const WorkspaceOptions options_;
  mutable std::mutex mutex_;
  Snapshot state_;
  mutable std::shared_ptr<const Snapshot> published_;  // of state_.version, made when asked for
  CancelToken bench_cancel_, chat_cancel_, other_cancel_;
  // Last members: their threads use everything above.
  JobThread models_, database_, queue_, chat_, device_;
};

}  // namespace phiscope::session
