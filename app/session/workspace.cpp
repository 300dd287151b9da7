#include "app/session/workspace.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "app/session/report.h"
#include "app/session/stored_runs.h"
#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "reports/export/exporter.h"

namespace phiscope::session {
namespace {

constexpr size_t kLogLines = 2000;
constexpr const char* kBundledModel = "bundled:tiny-phi";

template <class T>
void erase_where(std::vector<T>& values, const std::function<bool(const T&)>& goes) {
  values.erase(std::remove_if(values.begin(), values.end(), goes), values.end());
}

}  // namespace

bool Snapshot::is_measuring() const {
  return std::any_of(queue.begin(), queue.end(), [](const QueueEntry& entry) { return entry.state == QueueEntry::State::running; });
}

const ShelfModel* Snapshot::find_model(const std::string& argument) const {
  const auto found = std::find_if(models.begin(), models.end(), [&](const ShelfModel& model) { return model.argument == argument; });
  return found == models.end() ? nullptr : &*found;
}

Workspace::Workspace(WorkspaceOptions options) : options_(std::move(options)) {
  state_.database = options_.database.empty() ? Store::default_path() : options_.database;
  state_.device.facts = platform::describe_machine();
  load_shelf();
  refresh_runs();
  compare({});
  device_.post("backends", [this] {
    CallOptions call;
    call.cancel = &other_cancel_;
    const auto found = list_backends(call);
    change([&](Snapshot& state) {
      if (found) state.backends = *found;
      else state.backends_problem = found.error().message;
    });
  });
}

Workspace::~Workspace() {
  pause(true);  // before the cancel, so that no waiting entry starts and resets it
  bench_cancel_.cancel();
  chat_cancel_.cancel();
  other_cancel_.cancel();
}

std::shared_ptr<const Snapshot> Workspace::snapshot() const {
  const std::scoped_lock lock(mutex_);
  if (published_ == nullptr || published_->version != state_.version) published_ = std::make_shared<Snapshot>(state_);
  return published_;
}

void Workspace::change(const std::function<void(Snapshot&)>& edit) {
  {
    const std::scoped_lock lock(mutex_);
    edit(state_);
    ++state_.version;
  }
  if (options_.on_change) options_.on_change();
}

void Workspace::add_log(std::string_view line) {
  change([&](Snapshot& state) {
    auto lines = std::make_shared<std::vector<LogLine>>(*state.log);
    if (lines->size() >= kLogLines) lines->erase(lines->begin(), lines->begin() + kLogLines / 4);
    lines->push_back({iso_time(unix_ms()), std::string(line)});
    state.log = std::move(lines);
  });
}

// --- models -----------------------------------------------------------------------------------------------------------------

// One MODEL argument a line, in the order shown.
void Workspace::load_shelf() {
  std::vector<std::string> arguments{kBundledModel};
  const std::filesystem::path folder = options_.config_folder.empty() ? platform::user_config_folder() : options_.config_folder;
  std::ifstream file(folder / "models.txt");
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && std::find(arguments.begin(), arguments.end(), line) == arguments.end()) arguments.push_back(line);
  }
  for (const std::string& argument : arguments) open_model(argument);
}

void Workspace::save_shelf() const {
  const std::filesystem::path folder = options_.config_folder.empty() ? platform::user_config_folder() : options_.config_folder;
  std::string text;
  for (const ShelfModel& model : snapshot()->models) text += model.argument + "\n";
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  // A shelf that cannot be kept is no reason to disturb anybody: it is shorter next time.
  (void)write_file(folder / "models.txt", text);
}

void Workspace::open_model(const std::string& argument) {
  change([&](Snapshot& state) {
    if (state.find_model(argument) == nullptr) state.models.push_back({argument, ShelfModel::State::reading, nullptr, ""});
  });
  models_.post("", [this, argument] {
    auto report = inspect_model(argument);
    change([&](Snapshot& state) {
      for (ShelfModel& model : state.models) {
        if (model.argument != argument) continue;
        model.state = report ? ShelfModel::State::ready : ShelfModel::State::refused;
        model.report = report ? std::make_shared<const ModelReport>(std::move(*report)) : nullptr;
        model.problem = report ? "" : report.error().message;
      }
    });
    save_shelf();
  });
}

void Workspace::remove_model(const std::string& argument) {
  change([&](Snapshot& state) { erase_where<ShelfModel>(state.models, [&](const ShelfModel& model) { return model.argument == argument; }); });
  models_.post("shelf", [this] { save_shelf(); });
}

// --- queue ------------------------------------------------------------------------------------------------------------------

void Workspace::enqueue(const BenchRequest& request) {
  int64_t id = 0;
  change([&](Snapshot& state) {
    QueueEntry entry;
    entry.id = id = state.queue.empty() ? 1 : state.queue.back().id + 1;
    entry.request = request;
    entry.request.database = state.database;
    state.queue.push_back(std::move(entry));
  });
  queue_.post("", [this, id] { run_entry(id); });
}

void Workspace::cancel(int64_t id) {
  change([&](Snapshot& state) {
    for (QueueEntry& entry : state.queue) {
      if (entry.id != id) continue;
      if (entry.state == QueueEntry::State::running) bench_cancel_.cancel();
      if (entry.state == QueueEntry::State::waiting) entry.state = QueueEntry::State::cancelled;
    }
  });
}

void Workspace::retry(int64_t id) {
  const auto now = snapshot();
  for (const QueueEntry& entry : now->queue)
    if (entry.id == id) return enqueue(entry.request);
}

void Workspace::clear_ended() {
  change([](Snapshot& state) { erase_where<QueueEntry>(state.queue, [](const QueueEntry& entry) { return entry.has_ended(); }); });
}

void Workspace::pause(bool paused) {
  change([&](Snapshot& state) { state.queue_is_paused = paused; });
  if (paused) return;
  const auto now = snapshot();
  for (const QueueEntry& entry : now->queue)
    if (entry.state == QueueEntry::State::waiting) queue_.post("", [this, id = entry.id] { run_entry(id); });
}

BenchEvents Workspace::events_of(int64_t id) {
  const auto edit = [this, id](const std::function<void(QueueEntry&)>& change_entry) {
    change([&](Snapshot& state) {
      for (QueueEntry& entry : state.queue)
        if (entry.id == id) change_entry(entry);
    });
  };
  BenchEvents events;
  events.on_progress = [edit](const BenchProgress& progress) {
    edit([&](QueueEntry& entry) {
      entry.progress = progress;
      entry.notice.clear();
    });
  };
  events.on_run_finished = [this, edit](const Run& run) {
    edit([&](QueueEntry& entry) { entry.outcomes.push_back({run.run_id, run.model, run.recipe, run.backend, run.status, run.reason}); });
    if (run.status == RunStatus::failed) add_log(fmt::format("run {} ({}) failed: {}", run.run_id, run.recipe, run.reason));
    refresh_runs();
  };
  events.on_notice = [this, edit](std::string_view sentence) {
    edit([&](QueueEntry& entry) { entry.notice = sentence; });
    add_log(sentence);
  };
  events.on_log = [this](std::string_view line) { add_log(line); };
  return events;
}

// Posted once for every time that an entry may start: one that is not waiting any more, or while the queue is paused, is left as it is.
void Workspace::run_entry(int64_t id) {
  BenchRequest request;
  bool starts = false;
  change([&](Snapshot& state) {
    for (QueueEntry& entry : state.queue) {
      if (entry.id != id || entry.state != QueueEntry::State::waiting || state.queue_is_paused) continue;
      bench_cancel_.reset();
      entry.state = QueueEntry::State::running;
      entry.started_ns = monotonic_ns();
      request = entry.request;
      starts = true;
    }
  });
  if (!starts) return;
  const auto result = run_bench(request, events_of(id), &bench_cancel_);
  std::vector<std::string> ids;
  change([&](Snapshot& state) {
    for (QueueEntry& entry : state.queue) {
      if (entry.id != id) continue;
      entry.ended_ns = monotonic_ns();
      const bool is_cancelled = result ? result->cancelled : result.error().code == ErrorCode::cancelled;
      entry.state = is_cancelled ? QueueEntry::State::cancelled : result && result->all_done() ? QueueEntry::State::done : QueueEntry::State::failed;
      if (!result && !is_cancelled) entry.problem = result.error().message;
      for (const RunOutcome& outcome : entry.outcomes)
        if (outcome.status == RunStatus::done) ids.push_back(outcome.run_id);
    }
  });
  if (!ids.empty()) compare(ids);
}

// --- runs -------------------------------------------------------------------------------------------------------------------

void Workspace::refresh_runs() {
  database_.post("refresh", [this] {
    const auto store = open_store(options_.database);
    auto runs = store ? (*store)->list({}) : Result<std::vector<Run>>(fail(store.error()));
    change([&](Snapshot& state) {
      state.runs_are_loading = false;
      state.database_problem = runs ? "" : runs.error().message;
      if (runs) state.runs = std::make_shared<const std::vector<Run>>(std::move(*runs));
    });
  });
}

void Workspace::delete_runs(const std::vector<std::string>& ids) {
  database_.post("", [this, ids] {
    const auto store = open_store(options_.database);
    std::vector<Run> kept;
    Status status;
    for (const std::string& id : ids) {
      if (!store) break;
      if (auto run = (*store)->load(id)) kept.push_back(std::move(*run));
      if (status = (*store)->remove(id); !status) break;
    }
    if (!store || !status) add_log("runs were not deleted: " + (store ? status.error().message : store.error().message));
    change([&](Snapshot& state) { state.deleted = std::make_shared<const std::vector<Run>>(std::move(kept)); });
  });
  refresh_runs();
}

void Workspace::undo_delete() {
  database_.post("", [this] {
    const auto deleted = snapshot()->deleted;
    const auto store = open_store(options_.database);
    Status status;
    for (const Run& run : *deleted)
      if (store && status) status = (*store)->save(run);
    if (!store || !status) return add_log("runs were not brought back: " + (store ? status.error().message : store.error().message));
    change([](Snapshot& state) { state.deleted = std::make_shared<const std::vector<Run>>(); });
  });
  refresh_runs();
}

void Workspace::compare(const std::vector<std::string>& ids, const std::string& reference) {
  change([&](Snapshot& state) {
    state.comparison.run_ids = ids;
    state.comparison.is_loading = true;
  });
  database_.post("compare", [this, ids, reference] {
    auto comparison = compare_stored_runs(options_.database, ids, reference);
    std::shared_ptr<const reports::Comparison> shown;
    std::shared_ptr<const reports::Document> document;
    if (comparison) {
      document = std::make_shared<const reports::Document>(report_document(*comparison));
      shown = std::make_shared<const reports::Comparison>(std::move(*comparison));
    }
    change([&](Snapshot& state) {
      // An empty database is a beginning, not a problem: the panel says what to do.
      const bool is_empty = !comparison && comparison.error().code == ErrorCode::not_found && ids.empty();
      state.comparison = {ids, false, comparison || is_empty ? "" : comparison.error().message, shown, document};
    });
  });
}

void Workspace::export_report(const std::string& format, const std::filesystem::path& path) {
  const auto document = snapshot()->comparison.document;
  change([](Snapshot& state) { state.export_state = {true, {}, ""}; });
  database_.post("export", [this, format, path, document] {
    Status status = document == nullptr ? Status(fail(ErrorCode::not_found, "there is no comparison to report; run a benchmark or choose runs in History"))
                                        : Status();
    if (status) {
      const auto exporter = reports::find_exporter(format);
      const auto text = exporter ? (*exporter)->write(*document) : Result<std::string>(fail(exporter.error()));
      status = text ? write_file(path, *text) : Status(fail(text.error()));
    }
    change([&](Snapshot& state) { state.export_state = {false, status ? path : std::filesystem::path(), status ? "" : status.error().message}; });
  });
}

// --- chat and device --------------------------------------------------------------------------------------------------------

void Workspace::ask(const std::string& model, const std::vector<std::string>& recipes, const std::string& question, int64_t max_new_tokens) {
  bool starts = false;
  change([&](Snapshot& state) {
    if (state.chat.is_running) return;
    state.chat = {model, question, {}, false};
    const bool is_measuring = state.is_measuring();
    for (const std::string& recipe : recipes)
      state.chat.answers.push_back({recipe, "", is_measuring ? "a benchmark is measuring; asking now would disturb it" : "", 0, false});
    state.chat.is_running = starts = !is_measuring;
  });
  if (!starts) return;
  chat_cancel_.reset();
  chat_.post("", [this, model, recipes, question, max_new_tokens] {
    for (size_t i = 0; i < recipes.size() && !chat_cancel_.cancelled(); ++i) {
      const auto edit = [&](const std::function<void(Answer&)>& change_answer) { change([&](Snapshot& state) { change_answer(state.chat.answers[i]); }); };
      edit([](Answer& answer) { answer.is_running = true; });
      GenerateRequest request;
      request.target.model = model;
      request.target.recipe = recipes[i];
      request.prompt = question;
      const ShelfModel* shelf = snapshot()->find_model(model);
      request.chat = shelf != nullptr && shelf->report != nullptr && shelf->report->tokenizer != nullptr && !shelf->report->tokenizer->chat_template().empty();
      request.max_new_tokens = max_new_tokens;
      CallOptions call;
      call.cancel = &chat_cancel_;
      call.on_log = [this](std::string_view line) { add_log(line); };
      const auto result = generate(request, [&](std::string_view text) { edit([&](Answer& answer) { answer.text += text; }); }, call);
      edit([&](Answer& answer) {
        answer.is_running = false;
        if (result) answer.tokens_per_s = result->decode_tokens_per_s;
        else answer.problem = result.error().message;
      });
    }
    change([](Snapshot& state) { state.chat.is_running = false; });
  });
}

void Workspace::stop_answering() { chat_cancel_.cancel(); }

void Workspace::probe() {
  change([](Snapshot& state) { state.device.is_probing = true; });
  device_.post("probe", [this] {
    CallOptions call;
    call.cancel = &other_cancel_;
    auto result = snapshot()->is_measuring() ? Result<std::vector<ProbeResult>>(fail(ErrorCode::busy, "a benchmark is measuring; probe when it has ended"))
                                             : probe_device("", 0, call);
    change([&](Snapshot& state) {
      state.device.is_probing = false;
      state.device.problem = result ? "" : result.error().message;
      if (result) state.device.probe = std::move(*result);
    });
  });
}

}  // namespace phiscope::session
