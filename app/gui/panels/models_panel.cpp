// What there is to measure: bundled, opened before, dropped in; sizes per precision; asking two precisions the same question.

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "app/gui/panels/panel.h"
#include "app/gui/widgets/file_dialog.h"
#include "app/gui/widgets/text.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/quant/recipe.h"

namespace phiscope::gui {
namespace {

using session::ShelfModel;

class ModelsPanel : public Panel {
 public:
  void draw(PanelContext& context) override {
    draw_bar(context);
    draw_list(context);
    const ShelfModel* model = context.snapshot.find_model(chosen_);
    if (model == nullptr && !context.snapshot.models.empty()) chosen_ = context.snapshot.models.front().argument;
    if (model != nullptr) draw_model(context, *model);
  }

  bool drop(PanelContext& context, const std::vector<std::string>& paths) override {
    for (const std::string& path : paths) open(context, path);
    return true;
  }

 private:
  void open(PanelContext& context, const std::string& argument) {
    context.workspace.open_model(argument);
    chosen_ = argument;
  }

  void draw_bar(PanelContext& context) {
    ImGui::SetNextItemWidth(-context.theme.px(150));
    const bool entered = ImGui::InputTextWithHint("##argument", "folder, bundled:NAME or synthetic:NAME", &typed_, ImGuiInputTextFlags_EnterReturnsTrue);
    ImGui::SameLine();
    if ((ImGui::Button("Add") || entered) && !typed_.empty()) {
      open(context, typed_);
      typed_.clear();
    }
    ImGui::SameLine();
    if (ImGui::Button("Browse...")) dialog_.open("Choose a model folder", FileDialog::Kind::folder);
    if (const auto path = dialog_.draw(context.theme)) open(context, path->string());
  }

  void draw_list(PanelContext& context) {
    const Theme& theme = context.theme;
    const float height = std::min(6.0f, static_cast<float>(context.snapshot.models.size())) * ImGui::GetFrameHeightWithSpacing() + theme.px(8);
    if (!ImGui::BeginChild("list", {0, height}, ImGuiChildFlags_Borders)) return ImGui::EndChild();
    for (const ShelfModel& model : context.snapshot.models) {
      ImGui::PushID(model.argument.c_str());
      if (ImGui::Selectable(model.argument.c_str(), model.argument == chosen_, ImGuiSelectableFlags_AllowOverlap)) chosen_ = model.argument;
      if (model.state == ShelfModel::State::refused) {
        tooltip(theme, model.problem);
        ImGui::SameLine();
        text_colored(theme.bad(), "cannot be read");
      } else if (model.state == ShelfModel::State::reading) {
        ImGui::SameLine();
        text_muted(theme, "reading...");
      }
      ImGui::PopID();
    }
    ImGui::EndChild();
  }

  void draw_model(PanelContext& context, const ShelfModel& model) {
    const Theme& theme = context.theme;
    if (model.state == ShelfModel::State::refused) {
      problem_text(theme, model.problem);
      if (ImGui::Button("Try again")) context.workspace.open_model(model.argument);
      ImGui::SameLine();
      if (ImGui::Button("Remove")) context.workspace.remove_model(model.argument);
      return;
    }
    if (model.report == nullptr) return;
    const session::ModelReport& report = *model.report;
    heading(theme, report.name);
    text_wrapped(fmt::format("{} ({}), {:.3g} million parameters, {} layers of {}, {} heads ({} for keys and values), vocabulary {}, context {}",
                             report.config.architecture, report.kind, static_cast<double>(report.parameters) / 1e6, report.config.layers,
                             report.config.hidden_size, report.config.heads, report.config.kv_heads, report.config.vocab_size,
                             report.config.max_positions));
    for (const std::string& notice : report.notices) help_text(theme, notice);
    draw_sizes(theme, report);
    draw_chat(context, model);
    if (model.argument.find("bundled:") != 0 && ImGui::Button("Remove from the list")) context.workspace.remove_model(model.argument);
  }

  static void draw_sizes(const Theme& theme, const session::ModelReport& report) {
    const uint64_t available = platform::system_memory().available;
    constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter | ImGuiTableFlags_SizingStretchProp;
    if (!ImGui::BeginTable("sizes", 5, kFlags)) return;
    for (const char* title : {"Precision", "Weights", "Bits a weight", "KV for 1,000 tokens", "Fits here"}) ImGui::TableSetupColumn(title);
    ImGui::TableHeadersRow();
    for (const session::PrecisionSize& size : report.sizes) {
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      precision_mark(theme, theme.recipe(size.recipe));
      text(size.recipe);
      tooltip(theme, size.description);
      ImGui::TableNextColumn();
      number(theme, format_bytes(size.weight_bytes));
      ImGui::TableNextColumn();
      number(theme, fmt::format("{:.2f}", size.bits_per_weight));
      ImGui::TableNextColumn();
      number(theme, format_bytes(size.kv_bytes_per_token * 1000));
      ImGui::TableNextColumn();
      const bool fits = available == 0 || size.weight_bytes < available;
      text_colored(fits ? theme.good() : theme.bad(), fits ? "yes" : "no");
      if (!fits) tooltip(theme, fmt::format("{} are free", format_bytes(available)));
    }
    ImGui::EndTable();
  }

  void draw_chat(PanelContext& context, const ShelfModel& model) {
    const Theme& theme = context.theme;
    if (!ImGui::CollapsingHeader("Ask two precisions the same thing")) return;
    const session::Chat& chat = context.snapshot.chat;
    for (size_t i = 0; i < recipes_.size(); ++i) {
      ImGui::PushID(static_cast<int>(i));
      if (i > 0) ImGui::SameLine();
      ImGui::SetNextItemWidth(theme.px(130));
      if (ImGui::BeginCombo("##recipe", recipes_[i].c_str())) {
        for (const Recipe& recipe : builtin_recipes())
          if (ImGui::Selectable(recipe.name.c_str(), recipe.name == recipes_[i])) recipes_[i] = recipe.name;
        ImGui::EndCombo();
      }
      ImGui::PopID();
    }
    ImGui::InputTextMultiline("##question", &question_, {-1, theme.px(60)});
    ImGui::BeginDisabled(chat.is_running || question_.empty());
    if (ImGui::Button("Ask")) context.workspace.ask(model.argument, {recipes_[0], recipes_[1]}, question_, 96);
    ImGui::EndDisabled();
    if (chat.is_running) {
      ImGui::SameLine();
      if (ImGui::Button("Stop")) context.workspace.stop_answering();
    }
    if (chat.answers.empty() || chat.model != model.argument || !ImGui::BeginTable("answers", static_cast<int>(chat.answers.size()), ImGuiTableFlags_BordersInnerV)) return;
    ImGui::TableNextRow();
    for (const session::Answer& answer : chat.answers) {
      ImGui::TableNextColumn();
      precision_mark(theme, theme.recipe(answer.recipe));
      text(answer.recipe);
      if (answer.tokens_per_s > 0) {
        ImGui::SameLine();
        text_muted(theme, fmt::format("{:.3g} tok/s", answer.tokens_per_s));
      }
      if (!answer.problem.empty()) problem_text(theme, answer.problem);
      text_wrapped(answer.text.empty() && answer.is_running ? "..." : answer.text);
    }
    ImGui::EndTable();
  }

  std::string typed_, chosen_, question_ = "Once upon a time";
  std::vector<std::string> recipes_{"fp32", "int4"};
  FileDialog dialog_;
};

}  // namespace

std::unique_ptr<Panel> models_panel() { return std::make_unique<ModelsPanel>(); }

}  // namespace phiscope::gui
