#include "tests/gui/scenarios.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "core/base/files.h"
#include "core/store/store.h"
#include "reports/export/exporter.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

using session::QueueEntry;
using session::Snapshot;

// Before the application starts there is no test engine to tell.
void must(bool holds) {
  if (holds) return;
  std::fprintf(stderr, "the scenario's files could not be prepared\n");
  std::exit(2);
}

// --- what there is before the application starts --------------------------------------------------------------------------

void with_tiny_suite(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "config");
  const std::string settings = R"({"suite": ")" + source_path("tests/cases/tiny_suite.toml").string() + R"("})";
  must(write_file(folder / "config/gui.json", settings).has_value());
}

void with_example_runs(const std::filesystem::path& folder) {
  const auto store = Store::open(folder / "runs.db");
  must(store.has_value());
  for (Run run : example_runs()) {
    run.environment["bench.id"] = "one bench";  // shown together
    must((*store)->save(run).has_value());
  }
}

bool is_settled(const Snapshot& s) { return !s.runs_are_loading && !s.comparison.is_loading && !s.backends.empty(); }

// --- scenarios --------------------------------------------------------------------------------------------------------------

void first_start_to_report(Stage& stage) {
  IM_CHECK(stage.wait(is_settled));
  stage.picture("first-start");
  stage.context.ItemClick(stage.item("compare", "Benchmark the bundled Phi").c_str());
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.is_measuring() && s.queue.front().progress.fraction > 0; }));
  stage.picture("measuring");
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.queue.front().has_ended() && s.comparison.document != nullptr; }, 300));
  const auto done = stage.snapshot();
  IM_CHECK_EQ(done->queue.front().state, QueueEntry::State::done);
  IM_CHECK_EQ(done->queue.front().outcomes.size(), size_t{5});
  stage.show("compare");
  stage.picture("compare-measured");
  stage.show("report");
  stage.context.ItemClick(stage.item("report", "Save report...").c_str());
  stage.context.Yield(2);
  stage.context.ItemInputValue("//$FOCUSED/##path", stage.folder.string().c_str());
  stage.context.KeyPress(ImGuiKey_Enter);
  stage.context.ItemClick("//$FOCUSED/Save");
  IM_CHECK(stage.wait([](const Snapshot& s) { return !s.export_state.written.empty() || !s.export_state.problem.empty(); }));
  IM_CHECK(std::filesystem::file_size(stage.folder / "phiscope-report.html") > 100'000);
}

void cancel_in_the_middle(Stage& stage) {
  IM_CHECK(stage.wait(is_settled));
  stage.show("run");
  stage.context.ItemClick(stage.item("run", "Run").c_str());
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.is_measuring(); }));
  stage.context.ItemClick(stage.item("run", "$$1/Cancel").c_str());
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.queue.front().has_ended(); }));
  IM_CHECK_EQ(stage.snapshot()->queue.front().state, QueueEntry::State::cancelled);
  stage.context.ItemClick(stage.item("run", "$$1/Retry").c_str());
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.queue.size() == 2 && s.queue[1].has_ended(); }, 300));
  IM_CHECK_EQ(stage.snapshot()->queue[1].state, QueueEntry::State::done);
}

// Children of this process, from /proc.
std::vector<pid_t> children() {
  std::vector<pid_t> result;
  std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    for (pid_t child = 0; list >> child;) result.push_back(child);
  }
  return result;
}

void a_killed_worker_is_a_red_row(Stage& stage) {
  IM_CHECK(stage.wait(is_settled));
  stage.show("run");
  stage.context.ItemClick(stage.item("run", "Run").c_str());
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.is_measuring() && s.queue.front().progress.what.find("prefill") != std::string::npos; }, 120));
  for (const pid_t child : children()) ::kill(child, SIGKILL);
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.queue.front().has_ended(); }, 120));
  IM_CHECK_EQ(stage.snapshot()->queue.front().state, QueueEntry::State::failed);
  stage.picture("killed-worker");
  stage.context.ItemClick(stage.item("run", "$$1/Retry").c_str());
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.queue.size() == 2 && s.queue[1].has_ended(); }, 300));
  IM_CHECK_EQ(stage.snapshot()->queue[1].state, QueueEntry::State::done);
}

void with_corrupt_model(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "corrupt");
  must(write_file(folder / "corrupt/config.json", R"({"model_type": "phi3", "hidden_size": -1})").has_value());
}

void a_corrupt_model_says_why(Stage& stage) {
  IM_CHECK(stage.wait(is_settled));
  const std::string path = (stage.folder / "corrupt").string();
  stage.app.workspace().open_model(path);
  IM_CHECK(stage.wait([&](const Snapshot& s) { return s.find_model(path) != nullptr && s.find_model(path)->state == session::ShelfModel::State::refused; }));
  stage.show("models");
  stage.picture("corrupt-model");
  IM_CHECK(stage.snapshot()->find_model(path)->problem.find("config.json") != std::string::npos);
}

void a_damaged_database_is_said(Stage& stage) {
  IM_CHECK(stage.wait([](const Snapshot& s) { return !s.database_problem.empty(); }));
  stage.show("history");
  stage.picture("damaged-database");
  std::filesystem::remove(stage.folder / "runs.db");
  stage.context.ItemClick(stage.item("history", "Try again").c_str());
  IM_CHECK(stage.wait([](const Snapshot& s) { return s.database_problem.empty(); }));
}

void with_damaged_database(const std::filesystem::path& folder) {
  must(write_file(folder / "runs.db", std::string(5000, 'x')).has_value());
}

void every_format_is_written(Stage& stage) {
  IM_CHECK(stage.wait([](const Snapshot& s) { return is_settled(s) && s.comparison.document != nullptr; }));
  for (const reports::Exporter& exporter : reports::exporters()) {
    const std::filesystem::path path = stage.folder / ("report" + std::string(exporter.extension));
    stage.show("report");
    stage.context.ItemClick(stage.item("report", std::string(exporter.name)).c_str());
    stage.app.workspace().export_report(std::string(exporter.name), path);
    IM_CHECK(stage.wait([](const Snapshot& s) { return !s.export_state.is_running; }));
    IM_CHECK(std::filesystem::exists(path) || !stage.snapshot()->export_state.problem.empty());
  }
}

void history_finds_compares_and_undoes(Stage& stage) {
  IM_CHECK(stage.wait([](const Snapshot& s) { return is_settled(s) && s.comparison.document != nullptr; }));
  const size_t count = stage.snapshot()->runs->size();
  stage.show("history");
  stage.picture("history");
  const std::string id = stage.snapshot()->runs->front().run_id;
  stage.app.workspace().delete_runs({id});
  IM_CHECK(stage.wait([&](const Snapshot& s) { return s.runs->size() == count - 1 && !s.deleted->empty(); }));
  stage.context.ItemClick(stage.item("history", "Undo: bring back 1 run").c_str());
  IM_CHECK(stage.wait([&](const Snapshot& s) { return s.runs->size() == count && s.deleted->empty(); }));
}

// Every panel at three sizes and two scales, light and dark.
void every_panel_is_drawn(Stage& stage) {
  IM_CHECK(stage.wait([](const Snapshot& s) { return is_settled(s) && s.comparison.document != nullptr; }));
  struct View {
    int width, height;
    float scale;
    gui::ThemeKind theme;
    const char* name;
  };
  constexpr View kViews[] = {{1440, 900, 1, gui::ThemeKind::light, "medium"}, {1024, 700, 1, gui::ThemeKind::dark, "small"},
                             {1920, 1080, 1, gui::ThemeKind::light, "large"}, {1920, 1080, 1.5f, gui::ThemeKind::dark, "scaled"}};
  for (const View& view : kViews) {
    stage.app.set_appearance(view.theme, view.scale);
    stage.app.window().resize(view.width, view.height);
    stage.context.Yield(4);
    for (const gui::PanelRow& row : gui::panel_table()) {
      stage.show(row.id);
      stage.picture(std::string(row.id) + "-" + view.name);
    }
  }
}

constexpr Scenario kScenarios[] = {
    {"first_start_to_report", &with_tiny_suite, &first_start_to_report},
    {"cancel_in_the_middle", &with_tiny_suite, &cancel_in_the_middle},
    {"a_killed_worker_is_a_red_row", &with_tiny_suite, &a_killed_worker_is_a_red_row},
    {"a_corrupt_model_says_why", &with_corrupt_model, &a_corrupt_model_says_why},
    {"a_damaged_database_is_said", &with_damaged_database, &a_damaged_database_is_said},
    {"every_format_is_written", &with_example_runs, &every_format_is_written},
    {"history_finds_compares_and_undoes", &with_example_runs, &history_finds_compares_and_undoes},
    {"every_panel_is_drawn", &with_example_runs, &every_panel_is_drawn},
};

}  // namespace

std::span<const Scenario> scenarios() { return kScenarios; }

}  // namespace phiscope::test
