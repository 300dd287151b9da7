#include "app/gui/application.h"

#include <imgui_internal.h>

#include <algorithm>

#include "app/gui/settings_file.h"
#include "app/gui/widgets/text.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/version.h"

namespace phiscope::gui {
namespace {

constexpr int kFramesAfterInput = 3;          // ImGui settles hover and layout in so many
constexpr double kIdleSeconds = 5;            // a wait without anything to do
constexpr double kMeasuringSeconds = 0.5;     // between frames while a timed block may run

double now_s() { return static_cast<double>(monotonic_ns()) * 1e-9; }

std::string window_name(const PanelRow& row) { return std::string(row.title) + "###" + row.id; }

}  // namespace

Result<std::unique_ptr<Application>> Application::open(const ApplicationOptions& options) {
  std::unique_ptr<Application> app(new Application);
  app->config_folder_ = options.config_folder.empty() ? platform::user_config_folder() : options.config_folder;
  app->settings_ = load_settings(app->config_folder_);
  if (options.theme) app->settings_.theme = *options.theme;
  app->forced_scale_ = options.scale;
  WindowOptions window;
  window.width = options.width;
  window.height = options.height;
  window.scale = options.scale > 0 ? options.scale : app->settings_.scale;
  window.on_drop = [self = app.get()](const std::vector<std::string>& paths) { self->dropped_ = paths; };
  PHISCOPE_ASSIGN(app->window_, Window::open(std::move(window)));
  app->theme_.apply(app->settings_.theme, app->window_->scale());
  for (const PanelRow& row : panel_table()) app->panels_.push_back({&row, row.make(), true});
  app->begin_layout();
  app->workspace_ = std::make_unique<session::Workspace>(session::WorkspaceOptions{options.database, app->config_folder_, &Window::wake});
  for (const std::string& model : options.models) app->workspace_->open_model(model);
  return app;
}

Application::~Application() {
  workspace_.reset();
  if (window_ == nullptr) return;
  size_t size = 0;
  const char* ini = ImGui::SaveIniSettingsToMemory(&size);
  save_layout(config_folder_, scale_layout({ini, size}, 1 / theme_.scale()));
}

float Application::wanted_scale() const { return forced_scale_ > 0 ? forced_scale_ : settings_.scale > 0 ? settings_.scale : window_->scale(); }

void Application::begin_layout() {
  const std::string ini = scale_layout(resets_layout_ ? std::string(default_layout()) : load_layout(config_folder_), theme_.scale());
  ImGui::LoadIniSettingsFromMemory(ini.data(), ini.size());
  focus_ = "compare";
}

void Application::set_appearance(ThemeKind theme, float scale) {
  settings_.theme = theme;
  forced_scale_ = scale;
  has_new_appearance_ = true;
}

void Application::draw_menu() {
  if (!ImGui::BeginMainMenuBar()) return;
  if (ImGui::BeginMenu("File")) {
    if (ImGui::MenuItem("Add a model...")) focus_ = "models";
    if (ImGui::MenuItem("Quit", "Ctrl+Q")) window_->ask_to_close();
    ImGui::EndMenu();
  }
  if (ImGui::BeginMenu("View")) {
    for (OpenPanel& one : panels_)
      if (ImGui::MenuItem(one.row->title, one.row->shortcut)) focus_ = one.row->id;
    ImGui::Separator();
    if (ImGui::MenuItem("Reset layout")) resets_layout_ = true;
    ImGui::EndMenu();
  }
  if (ImGui::BeginMenu("Help")) {
    if (ImGui::MenuItem("Shortcuts and reading the figures", "F1")) shows_help_ = true;
    ImGui::EndMenu();
  }
  const std::string version = std::string("Phiscope ") + kVersion;
  ImGui::SameLine(ImGui::GetWindowWidth() - ImGui::CalcTextSize(version.c_str()).x - theme_.px(16));
  text_muted(theme_, version);
  ImGui::EndMainMenuBar();
}

void Application::draw_help() {
  if (ImGui::Shortcut(ImGuiKey_F1, ImGuiInputFlags_RouteGlobal)) shows_help_ = true;
  if (shows_help_) ImGui::OpenPopup("Help###help");
  shows_help_ = false;
  ImGui::SetNextWindowSize({theme_.px(560), 0});
  if (!ImGui::BeginPopupModal("Help###help", nullptr, ImGuiWindowFlags_AlwaysAutoResize)) return;
  heading(theme_, "Shortcuts");
  for (const PanelRow& row : panel_table()) text(fmt::format("{}  {}", row.shortcut, row.title));
  text("F1  this help      Ctrl+Q  quit      Tab, arrows, Space  everything by keyboard");
  ImGui::Spacing();
  heading(theme_, "Reading the figures");
  text_wrapped("KLD says how far a precision's predictions are from the reference's: 0 is equal. Same top-1 is the share of positions where the most "
               "likely token is the same. A verdict (better, worse, same, unclear) holds an interval against the smallest difference that matters; "
               "unclear says how many more repetitions would settle it. Rest the pointer on a number for its sentence.");
  ImGui::Spacing();
  if (ImGui::Button("Close") || ImGui::IsKeyPressed(ImGuiKey_Escape)) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
}

void Application::draw_panels(PanelContext& context) {
  for (OpenPanel& one : panels_) {
    if (ImGui::Shortcut(one.row->key, ImGuiInputFlags_RouteGlobal)) focus_ = one.row->id;
  }
  for (OpenPanel& one : panels_) {
    if (focus_ == one.row->id) ImGui::SetNextWindowFocus();
    if (ImGui::Begin(window_name(*one.row).c_str())) {
      if (ImGui::IsWindowFocused(ImGuiFocusedFlags_RootAndChildWindows)) front_ = one.row->id;
      one.panel->draw(context);
    }
    ImGui::End();
  }
  focus_.clear();
}

void Application::handle_drop(PanelContext& context) {
  if (dropped_.empty()) return;
  const std::vector<std::string> paths = std::exchange(dropped_, {});
  for (OpenPanel& one : panels_)
    if (one.row->id == front_ && one.panel->drop(context, paths)) return;
  // Whatever is in front: a dropped model goes on the shelf.
  for (OpenPanel& one : panels_)
    if (one.panel->drop(context, paths)) {
      focus_ = one.row->id;
      return;
    }
}

void Application::apply(const PanelContext& context) {
  if (!context.focus_panel.empty()) focus_ = context.focus_panel;
  if (context.reset_layout) resets_layout_ = true;
  if (context.settings_changed) {
    save_settings(config_folder_, settings_);
    has_new_appearance_ = true;
  }
}

void Application::draw_frame(bool skip_drawing) {
  if (std::exchange(has_new_appearance_, false)) theme_.apply(settings_.theme, wanted_scale());
  if (resets_layout_) {
    begin_layout();
    resets_layout_ = false;
  }
  const auto snapshot = workspace_->snapshot();
  window_->begin_frame();
  ImGui::DockSpaceOverViewport(ImGui::GetID("main"));
  if (ImGui::Shortcut(ImGuiMod_Ctrl | ImGuiKey_Q, ImGuiInputFlags_RouteGlobal)) window_->ask_to_close();
  draw_menu();
  PanelContext context{*snapshot, *workspace_, theme_, settings_, ImGui::GetTime(), "", false, false};
  draw_panels(context);
  handle_drop(context);
  draw_help();
  apply(context);
  window_->end_frame(skip_drawing);
}

void Application::run() {
  uint64_t drawn_version = 0;
  double drawn_at = 0;
  int frames_due = kFramesAfterInput;
  while (!window_->should_close()) {
    const auto snapshot = workspace_->snapshot();
    const bool is_measuring = snapshot->is_measuring();
    const bool has_news = snapshot->version != drawn_version;
    double wait = frames_due > 0 ? 0 : kIdleSeconds;
    if (frames_due == 0 && has_news) wait = is_measuring ? std::max(0.0, drawn_at + kMeasuringSeconds - now_s()) : 0;
    window_->wait_events(wait);
    if (!ImGui::GetCurrentContext()->InputEventsQueue.empty() || !dropped_.empty()) frames_due = kFramesAfterInput;
    const bool is_due = has_news && (!is_measuring || now_s() >= drawn_at + kMeasuringSeconds);
    if (frames_due == 0 && !is_due) continue;
    drawn_version = snapshot->version;
    draw_frame(!window_->is_visible());
    drawn_at = now_s();
    frames_due = std::max(0, frames_due - 1);
  }
}

}  // namespace phiscope::gui
