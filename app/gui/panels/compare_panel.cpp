// The precisions side by side: the table and the charts of a report, live.

#include <algorithm>

#include "app/gui/panels/panel.h"
#include "app/gui/widgets/document.h"
#include "app/gui/widgets/text.h"

namespace phiscope::gui {
namespace {

class ComparePanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    const session::ComparisonView& view = context.snapshot.comparison;
    if (!view.problem.empty()) problem_text(context.theme, view.problem);
    if (view.document == nullptr) return draw_empty(context);
    if (view.document != shown_ || context.theme.kind() != theme_) {
      shown_ = view.document;
      theme_ = context.theme.kind();
      styles_ = context.theme.styles(*shown_);
    }
    heading(context.theme, shown_->title);
    text_muted(context.theme, shown_->subtitle);
    if (view.is_loading) {
      ImGui::SameLine();
      text_muted(context.theme, "updating...");
    }
    draw_reference(context);
    for (const reports::Block& block : shown_->blocks) draw_block(context, block);
    flush_charts(context);
  }

 private:
  static void draw_empty(PanelContext& context) {
    if (context.snapshot.comparison.is_loading) return help_text(context.theme, "Reading runs...");
    const bool is_busy = !context.snapshot.queue.empty() && !context.snapshot.queue.back().has_ended();
    if (is_busy) {
      empty_state(context.theme, "Measuring", "The comparison appears here when the first runs are done; Plan and run shows how far they are.", nullptr);
    } else if (empty_state(context.theme, "What does each bit cost, and what does it buy?",
                           "Nothing has been measured on this machine yet. One press measures the bundled Phi in five precisions: size, speed, memory, "
                           "fidelity and tasks, in about a minute.",
                           "Benchmark the bundled Phi")) {
      session::BenchRequest request;
      request.models = {"bundled:tiny-phi"};
      request.recipes = "fp32,fp16,int8,int4,int4-dyn";
      request.suite = context.settings.suite;
      request.threads = context.settings.threads;
      context.workspace.enqueue(request);
      context.focus_panel = "run";
    }
  }

  void draw_reference(PanelContext& context) {
    const reports::Comparison& comparison = *context.snapshot.comparison.comparison;
    std::vector<const Run*> runs{&comparison.reference};
    for (const auto& candidate : comparison.candidates) runs.push_back(&candidate.run);
    ImGui::SetNextItemWidth(context.theme.px(260));
    if (!ImGui::BeginCombo("Reference", comparison.reference.recipe.c_str())) return;
    std::vector<std::string> ids;
    for (const Run* run : runs) ids.push_back(run->run_id);
    for (const Run* run : runs) {
      const std::string label = run->recipe + " on " + run->backend + "##" + run->run_id;
      if (ImGui::Selectable(label.c_str(), run == runs.front())) context.workspace.compare(ids, run->run_id);
    }
    ImGui::EndCombo();
  }

  // Charts that follow each other stand side by side where the panel is wide enough.
  void flush_charts(PanelContext& context) {
    if (charts_.empty()) return;
    const int columns = std::max(1, std::min(static_cast<int>(charts_.size()), static_cast<int>(ImGui::GetContentRegionAvail().x / context.theme.px(460))));
    ImGui::PushID(charts_.front()->id.c_str());
    if (ImGui::BeginTable("charts", columns, ImGuiTableFlags_SizingStretchSame)) {
      for (const reports::Chart* chart : charts_) {
        ImGui::TableNextColumn();
        draw_chart(context.theme, *chart, styles_, 300);
        ImGui::Spacing();
      }
      ImGui::EndTable();
    }
    ImGui::PopID();
    charts_.clear();
  }

  void draw_block(PanelContext& context, const reports::Block& block) {
    const Theme& theme = context.theme;
    if (const auto* chart = std::get_if<reports::Chart>(&block)) {
      if (!chart->series.empty()) charts_.push_back(chart);
      return;
    }
    flush_charts(context);
    if (const auto* head = std::get_if<reports::Heading>(&block)) {
      ImGui::Spacing();
      heading(theme, head->text);
    } else if (const auto* paragraph = std::get_if<reports::Paragraph>(&block)) {
      text_wrapped(paragraph->text);
    } else if (const auto* list = std::get_if<reports::List>(&block)) {
      for (const auto& item : list->items) text_wrapped(item.key.empty() ? "- " + item.text : "- " + item.key + ": " + item.text);
    } else if (const auto* code = std::get_if<reports::Code>(&block)) {
      ImGui::PushFont(theme.mono(), Theme::kSmallSize);
      text_wrapped(code->text);
      ImGui::PopFont();
    } else if (const auto* table = std::get_if<reports::Table>(&block)) {
      const bool is_open = !table->is_detail || ImGui::CollapsingHeader((table->title + "##" + table->id).c_str());
      if (!is_open) return;
      if (!table->is_detail && !table->title.empty()) {
        ImGui::PushFont(theme.bold(), 0);
        text(table->title);
        ImGui::PopFont();
      }
      draw_table(theme, *table);
      if (!table->caption.empty()) help_text(theme, table->caption);
    }
  }

  std::shared_ptr<const reports::Document> shown_;
  ThemeKind theme_ = ThemeKind::light;
  Styles styles_;
  std::vector<const reports::Chart*> charts_;
};

}  // namespace

std::unique_ptr<Panel> compare_panel() { return std::make_unique<ComparePanel>(); }

}  // namespace phiscope::gui
