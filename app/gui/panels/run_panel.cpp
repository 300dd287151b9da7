// Precisions x backends to tick, and the queue of what runs.

#include <algorithm>
#include <set>

#include "app/gui/panels/panel.h"
#include "app/gui/view_models/plan_grid.h"
#include "app/gui/widgets/text.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::gui {
namespace {

using session::QueueEntry;

constexpr int64_t kSuiteContext = 4096;
constexpr const char* kSuites[] = {"quick", "standard", "full"};

struct StateLook {
  QueueEntry::State state;
  const char* name;
};
constexpr StateLook kStates[] = {{QueueEntry::State::waiting, "waiting"}, {QueueEntry::State::running, "running"}, {QueueEntry::State::done, "done"},
                                 {QueueEntry::State::failed, "failed"},   {QueueEntry::State::cancelled, "cancelled"}};

std::string time_left(const QueueEntry& entry) {
  const double fraction = entry.progress.fraction;
  if (entry.state != QueueEntry::State::running || fraction < 0.02) return "";
  const double passed = static_cast<double>(monotonic_ns() - entry.started_ns) * 1e-9;
  return format_seconds(passed * (1 - fraction) / fraction) + " left";
}

class RunPanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    draw_choice(context);
    draw_grid(context);
    draw_start(context);
    draw_queue(context);
  }

 private:
  using Cell = std::pair<std::string, std::string>;  // recipe, backend

  void draw_choice(PanelContext& context) {
    const auto& models = context.snapshot.models;
    if (context.snapshot.find_model(model_) == nullptr && !models.empty()) model_ = models.front().argument;
    ImGui::SetNextItemWidth(context.theme.px(260));
    if (ImGui::BeginCombo("Model", model_.c_str())) {
      for (const session::ShelfModel& model : models) {
        ImGui::BeginDisabled(model.state != session::ShelfModel::State::ready);
        if (ImGui::Selectable(model.argument.c_str(), model.argument == model_)) model_ = model.argument;
        ImGui::EndDisabled();
      }
      ImGui::EndCombo();
    }
    ImGui::SetNextItemWidth(context.theme.px(140));
    if (ImGui::BeginCombo("Suite", context.settings.suite.c_str())) {
      for (const char* suite : kSuites)
        if (ImGui::Selectable(suite, suite == context.settings.suite)) {
          context.settings.suite = suite;
          context.settings_changed = true;
        }
      ImGui::EndCombo();
    }
    tooltip(context.theme, "quick: under 20 seconds a run on the bundled model; standard: depths and the whole text; full: everything, minutes a run");
  }

  void draw_grid(PanelContext& context) {
    const Theme& theme = context.theme;
    if (!context.snapshot.backends_problem.empty()) return problem_text(theme, context.snapshot.backends_problem);
    if (context.snapshot.backends.empty()) return help_text(theme, "Asking the worker which backends this machine has...");
    grid_ = make_plan_grid(context.snapshot, context.snapshot.find_model(model_), context.settings.suite, platform::system_memory().available, kSuiteContext);
    constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter | ImGuiTableFlags_SizingStretchProp;
    if (!ImGui::BeginTable("grid", static_cast<int>(grid_.backends.size()) + 1, kFlags)) return;
    ImGui::TableSetupColumn("Precision");
    for (const std::string& backend : grid_.backends) ImGui::TableSetupColumn(backend.c_str());
    ImGui::TableHeadersRow();
    for (const PlanRow& row : grid_.rows) {
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      precision_mark(theme, theme.recipe(row.recipe));
      text(row.recipe);
      tooltip(theme, row.description);
      for (size_t b = 0; b < row.cells.size(); ++b) {
        ImGui::TableNextColumn();
        draw_cell(theme, {row.recipe, grid_.backends[b]}, row.cells[b]);
      }
    }
    ImGui::EndTable();
  }

  void draw_cell(const Theme& theme, const Cell& key, const PlanCell& cell) {
    ImGui::PushID((key.first + "/" + key.second).c_str());
    bool is_ticked = ticked_.contains(key) && cell.can_run;
    ImGui::BeginDisabled(!cell.can_run);
    if (ImGui::Checkbox("##tick", &is_ticked)) {
      if (is_ticked) ticked_.insert(key);
      else ticked_.erase(key);
    }
    ImGui::EndDisabled();
    if (!cell.can_run) {
      if (ImGui::IsItemHovered(ImGuiHoveredFlags_AllowWhenDisabled)) ImGui::SetTooltip("%s", cell.reason.c_str());
    } else {
      ImGui::SameLine();
      std::string note = cell.memory_bytes > 0 ? format_bytes(cell.memory_bytes) : "";
      if (cell.seconds) note += (note.empty() ? "" : ", ") + format_seconds(*cell.seconds);
      ImGui::PushFont(nullptr, Theme::kSmallSize);
      text_muted(theme, note);
      ImGui::PopFont();
    }
    ImGui::PopID();
  }

  /// Ticked cells that can run, by backend: one bench call a backend.
  std::vector<session::BenchRequest> requests(PanelContext& context, std::vector<const PlanCell*>& cells) const {
    std::vector<session::BenchRequest> result;
    for (size_t b = 0; b < grid_.backends.size(); ++b) {
      std::string recipes;
      for (const PlanRow& row : grid_.rows) {
        if (b >= row.cells.size() || !row.cells[b].can_run || !ticked_.contains({row.recipe, grid_.backends[b]})) continue;
        recipes += (recipes.empty() ? "" : ",") + row.recipe;
        cells.push_back(&row.cells[b]);
      }
      if (recipes.empty()) continue;
      session::BenchRequest request;
      request.models = {model_};
      request.recipes = recipes;
      request.backends = {grid_.backends[b]};
      request.suite = context.settings.suite;
      request.threads = context.settings.threads;
      result.push_back(std::move(request));
    }
    return result;
  }

  void draw_start(PanelContext& context) {
    std::vector<const PlanCell*> cells;
    const auto wanted = requests(context, cells);
    ImGui::BeginDisabled(wanted.empty() || model_.empty());
    if (ImGui::Button("Run", {context.theme.px(110), 0}))
      for (const session::BenchRequest& request : wanted) context.workspace.enqueue(request);
    ImGui::EndDisabled();
    ImGui::SameLine();
    const std::string time = estimated_time(cells);
    text_muted(context.theme, wanted.empty() ? "tick at least one precision" : fmt::format("{} run{}{}", cells.size(), cells.size() == 1 ? "" : "s",
                                                                                            time.empty() ? "" : ", " + time));
    ImGui::SameLine(0, context.theme.px(24));
    bool is_paused = context.snapshot.queue_is_paused;
    if (ImGui::Checkbox("Pause after the current one", &is_paused)) context.workspace.pause(is_paused);
  }

  void draw_queue(PanelContext& context) {
    if (context.snapshot.queue.empty()) return;
    ImGui::SeparatorText("Queue");
    bool has_ended = false;
    for (auto entry = context.snapshot.queue.rbegin(); entry != context.snapshot.queue.rend(); ++entry) {
      draw_entry(context, *entry);
      has_ended = has_ended || entry->has_ended();
    }
    if (has_ended && ImGui::Button("Clear what has ended")) context.workspace.clear_ended();
  }

  void draw_entry(PanelContext& context, const QueueEntry& entry) {
    const Theme& theme = context.theme;
    ImGui::PushID(static_cast<int>(entry.id));
    ImGui::PushFont(theme.bold(), 0);
    text(fmt::format("{}  {}", entry.request.models.front(), entry.request.recipes));
    ImGui::PopFont();
    ImGui::SameLine();
    const char* state = std::find_if(std::begin(kStates), std::end(kStates), [&](const StateLook& row) { return row.state == entry.state; })->name;
    text_colored(entry.state == QueueEntry::State::failed ? theme.bad() : entry.state == QueueEntry::State::done ? theme.good() : theme.muted(), state);
    if (!entry.has_ended()) {
      ImGui::SameLine();
      if (ImGui::SmallButton("Cancel")) context.workspace.cancel(entry.id);
    } else if (entry.state != QueueEntry::State::done) {
      ImGui::SameLine();
      if (ImGui::SmallButton("Retry")) context.workspace.retry(entry.id);
    }
    if (entry.state == QueueEntry::State::running) {
      ImGui::ProgressBar(static_cast<float>(entry.progress.fraction), {-1, 0});
      text_muted(theme, fmt::format("{} {}  {}", entry.progress.recipe, entry.progress.what, time_left(entry)));
    }
    if (!entry.notice.empty()) help_text(theme, entry.notice);
    if (!entry.problem.empty()) problem_text(theme, entry.problem);
    for (const session::RunOutcome& outcome : entry.outcomes) {
      if (outcome.status == RunStatus::done) continue;
      problem_text(theme, fmt::format("{}: {}", outcome.recipe, outcome.reason));
    }
    ImGui::Spacing();
    ImGui::PopID();
  }

  std::string model_;
  std::set<Cell> ticked_{{"fp32", "cpu"}, {"int8", "cpu"}, {"int4", "cpu"}};
  PlanGrid grid_;
};

}  // namespace

std::unique_ptr<Panel> run_panel() { return std::make_unique<RunPanel>(); }

}  // namespace phiscope::gui
