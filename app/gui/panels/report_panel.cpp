// The comparison as a file: choose a format, save.

#include <algorithm>

#include "app/gui/panels/panel.h"
#include "app/gui/widgets/document.h"
#include "app/gui/widgets/file_dialog.h"
#include "app/gui/widgets/text.h"
#include "reports/export/exporter.h"

namespace phiscope::gui {
namespace {

class ReportPanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    const Theme& theme = context.theme;
    const auto& document = context.snapshot.comparison.document;
    if (document == nullptr) {
      return void(empty_state(theme, "Nothing to report yet", "A report is made of the runs that Compare shows: measure something, or choose runs in History.", nullptr));
    }
    text_wrapped(fmt::format("The report holds the {} runs that Compare shows; its data lies in the file, so that it can be opened anywhere.", document->runs.size()));
    for (const reports::Exporter& exporter : reports::exporters()) {
      const std::string name(exporter.name);
      if (ImGui::RadioButton(name.c_str(), format_ == name)) format_ = name;
      ImGui::SameLine();
      text_muted(theme, exporter.description);
    }
    ImGui::BeginDisabled(context.snapshot.export_state.is_running);
    if (ImGui::Button("Save report...")) {
      const auto chosen = std::find_if(reports::exporters().begin(), reports::exporters().end(), [&](const auto& row) { return row.name == format_; });
      dialog_.open("Save report", FileDialog::Kind::save_file, "phiscope-report" + std::string(chosen->extension));
    }
    ImGui::EndDisabled();
    if (const auto path = dialog_.draw(theme)) context.workspace.export_report(format_, *path);
    const session::ExportState& state = context.snapshot.export_state;
    if (state.is_running) help_text(theme, "Writing...");
    if (!state.problem.empty()) problem_text(theme, state.problem);
    if (!state.written.empty()) {
      text_colored(theme.good(), "Saved " + state.written.string());
      ImGui::SameLine();
      if (ImGui::SmallButton("Copy path")) ImGui::SetClipboardText(state.written.c_str());
    }
    draw_preview(context, *document);
  }

 private:
  static void draw_preview(PanelContext& context, const reports::Document& document) {
    ImGui::SeparatorText("First page");
    heading(context.theme, document.title);
    text_muted(context.theme, document.subtitle);
    for (const reports::Block& block : document.blocks) {
      if (const auto* paragraph = std::get_if<reports::Paragraph>(&block)) text_wrapped(paragraph->text);
      if (const auto* list = std::get_if<reports::List>(&block))
        for (const auto& item : list->items) text_wrapped(item.key.empty() ? "- " + item.text : "- " + item.key + ": " + item.text);
      if (const auto* table = std::get_if<reports::Table>(&block)) {
        draw_table(context.theme, *table);
        return;
      }
    }
  }

  std::string format_ = "html";
  FileDialog dialog_;
};

}  // namespace

std::unique_ptr<Panel> report_panel() { return std::make_unique<ReportPanel>(); }

}  // namespace phiscope::gui
