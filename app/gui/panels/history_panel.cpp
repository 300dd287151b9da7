// Every run that is stored: search, choose, compare, delete with undo; the trend of a metric.

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <set>

#include "app/gui/panels/panel.h"
#include "app/gui/view_models/run_list.h"
#include "app/gui/widgets/text.h"
#include "core/base/text.h"

namespace phiscope::gui {
namespace {

constexpr const char* kColumns[] = {"Started (UTC)", "Model", "Precision", "Backend", "Suite", "Status"};

class HistoryPanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    if (!context.snapshot.database_problem.empty()) {
      problem_text(context.theme, context.snapshot.database_problem);
      if (ImGui::Button("Try again")) context.workspace.refresh_runs();
    }
    draw_bar(context);
    update(context);
    if (context.snapshot.runs->empty()) {
      if (context.snapshot.runs_are_loading) return help_text(context.theme, "Reading runs...");
      return void(empty_state(context.theme, "No runs yet", "Runs appear here as soon as a benchmark has finished one: see Plan and run.", nullptr));
    }
    draw_list(context);
    draw_trend(context);
  }

 private:
  // The list is made again only when its runs, the words or the order changed.
  void update(PanelContext& context) {
    if (runs_ == context.snapshot.runs && words_ == filtered_by_) return;
    runs_ = context.snapshot.runs;
    filtered_by_ = words_;
    order_ = filter_runs(*runs_, words_);
    sort_runs(*runs_, order_, column_, falls_);
    metrics_ = metric_ids(*runs_, order_);
    trends_ = metric_trends(*runs_, order_, metric_);
  }

  std::vector<std::string> chosen_ids() const { return {chosen_.begin(), chosen_.end()}; }

  void draw_bar(PanelContext& context) {
    ImGui::SetNextItemWidth(context.theme.px(260));
    ImGui::InputTextWithHint("##words", "search: model, precision, id, status...", &words_);
    ImGui::SameLine();
    ImGui::BeginDisabled(chosen_.size() < 2);
    if (ImGui::Button("Compare")) {
      context.workspace.compare(chosen_ids());
      context.focus_panel = "compare";
    }
    ImGui::EndDisabled();
    ImGui::SameLine();
    ImGui::BeginDisabled(chosen_.empty());
    if (ImGui::Button("Delete")) {
      context.workspace.delete_runs(chosen_ids());
      chosen_.clear();
    }
    ImGui::EndDisabled();
    if (!context.snapshot.deleted->empty()) {
      ImGui::SameLine();
      if (ImGui::Button(fmt::format("Undo: bring back {} run{}", context.snapshot.deleted->size(), context.snapshot.deleted->size() == 1 ? "" : "s").c_str()))
        context.workspace.undo_delete();
    }
    ImGui::SameLine();
    text_muted(context.theme, fmt::format("{} of {} runs, {} chosen", order_.size(), context.snapshot.runs->size(), chosen_.size()));
  }

  void draw_list(PanelContext& context) {
    constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter | ImGuiTableFlags_ScrollY | ImGuiTableFlags_Sortable |
                                       ImGuiTableFlags_Resizable | ImGuiTableFlags_SizingStretchProp;
    const float height = std::max(context.theme.px(160), ImGui::GetContentRegionAvail().y - context.theme.px(metrics_.empty() ? 0 : 320));
    if (!ImGui::BeginTable("runs", 6, kFlags, {0, height})) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    for (size_t i = 0; i < std::size(kColumns); ++i)
      ImGui::TableSetupColumn(kColumns[i], i == 0 ? ImGuiTableColumnFlags_DefaultSort | ImGuiTableColumnFlags_PreferSortDescending : 0);
    ImGui::TableHeadersRow();
    if (ImGuiTableSortSpecs* specs = ImGui::TableGetSortSpecs(); specs != nullptr && specs->SpecsDirty && specs->SpecsCount > 0) {
      column_ = static_cast<RunColumn>(specs->Specs[0].ColumnIndex);
      falls_ = specs->Specs[0].SortDirection == ImGuiSortDirection_Descending;
      sort_runs(*runs_, order_, column_, falls_);
      specs->SpecsDirty = false;
    }
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(order_.size()));
    while (clipper.Step())
      for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) draw_row(context, (*runs_)[order_[static_cast<size_t>(i)]]);
    ImGui::EndTable();
  }

  void draw_row(PanelContext& context, const Run& run) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    const std::string label = run.started_at.substr(0, 10) + " " + (run.started_at.size() > 18 ? run.started_at.substr(11, 8) : "") + "##" + run.run_id;
    if (ImGui::Selectable(label.c_str(), chosen_.contains(run.run_id), ImGuiSelectableFlags_SpanAllColumns)) {
      if (!ImGui::GetIO().KeyCtrl && !ImGui::GetIO().KeyShift && !chosen_.contains(run.run_id)) chosen_.clear();
      if (!chosen_.insert(run.run_id).second) chosen_.erase(run.run_id);
    }
    tooltip(context.theme, fmt::format("{}\n{}\nasked for {}, ran {}\n{}{}\n\nCtrl-click chooses several.", run.run_id, run.device, run.requested, run.effective,
                                       format_seconds(run.seconds), run.reason.empty() ? "" : "\n" + run.reason));
    ImGui::TableNextColumn();
    text(run.model);
    ImGui::TableNextColumn();
    precision_mark(context.theme, context.theme.recipe(run.recipe));
    text(run.recipe);
    ImGui::TableNextColumn();
    text(run.backend);
    ImGui::TableNextColumn();
    text(run.suite);
    ImGui::TableNextColumn();
    const bool is_bad = run.status == RunStatus::failed || run.status == RunStatus::refused;
    text_colored(is_bad ? context.theme.bad() : run.status == RunStatus::done ? context.theme.good() : context.theme.muted(), run_status_name(run.status));
  }

  void draw_trend(PanelContext& context) {
    if (metrics_.empty()) return;
    if (std::find(metrics_.begin(), metrics_.end(), metric_) == metrics_.end()) choose_metric(metrics_.front());
    ImGui::SetNextItemWidth(context.theme.px(320));
    if (ImGui::BeginCombo("over time", metric_.c_str())) {
      for (const std::string& id : metrics_)
        if (ImGui::Selectable(id.c_str(), id == metric_)) choose_metric(id);
      ImGui::EndCombo();
    }
    if (!ImPlot::BeginPlot("##trend", {-1, context.theme.px(250)}, ImPlotFlags_NoMenus | ImPlotFlags_NoBoxSelect)) return;
    ImPlot::SetupAxes("", trends_.empty() ? "" : trends_.front().unit.c_str(), ImPlotAxisFlags_AutoFit, ImPlotAxisFlags_AutoFit);
    ImPlot::SetupAxisScale(ImAxis_X1, ImPlotScale_Time);
    ImPlot::SetupLegend(ImPlotLocation_South, ImPlotLegendFlags_Outside | ImPlotLegendFlags_Horizontal);
    for (const Trend& trend : trends_) {
      std::vector<double> x, y;
      for (const TrendPoint& point : trend.points) {
        x.push_back(point.unix_s);
        y.push_back(point.value);
      }
      const SeriesStyle style = context.theme.recipe(trend.recipe);
      ImPlotSpec spec;
      spec.LineColor = spec.MarkerFillColor = spec.MarkerLineColor = style.color;
      spec.Marker = style.marker;
      spec.MarkerSize = context.theme.px(4.5f);
      ImPlot::PlotLine(trend.recipe.c_str(), x.data(), y.data(), static_cast<int>(x.size()), spec);
    }
    ImPlot::EndPlot();
  }

  void choose_metric(const std::string& id) {
    metric_ = id;
    trends_ = metric_trends(*runs_, order_, metric_);
  }

  std::string words_, filtered_by_ = "\n";  // nothing that a person types
  std::shared_ptr<const std::vector<Run>> runs_;
  std::vector<size_t> order_;
  RunColumn column_ = RunColumn::started;
  bool falls_ = true;
  std::set<std::string> chosen_;
  std::vector<std::string> metrics_;
  std::string metric_ = "kld_mean";
  std::vector<Trend> trends_;
};

}  // namespace

std::unique_ptr<Panel> history_panel() { return std::make_unique<HistoryPanel>(); }

}  // namespace phiscope::gui
