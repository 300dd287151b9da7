#include "app/gui/widgets/file_dialog.h"

#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cstdlib>

#include "app/gui/widgets/text.h"

namespace phiscope::gui {
namespace {

std::filesystem::path start_folder() {
  const char* home = std::getenv("HOME");
  std::error_code ignored;
  return home != nullptr ? std::filesystem::path(home) : std::filesystem::current_path(ignored);
}

}  // namespace

void FileDialog::open(std::string title, Kind kind, std::string name) {
  title_ = std::move(title);
  kind_ = kind;
  name_ = std::move(name);
  opens_ = true;
  go_to(folder_.empty() ? start_folder() : folder_);
}

void FileDialog::go_to(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<Entry> found;
  for (std::filesystem::directory_iterator at(folder, std::filesystem::directory_options::skip_permission_denied, error), end; at != end && !error;
       at.increment(error)) {
    std::error_code ignored;
    const std::string name = at->path().filename().string();
    const bool is_folder = at->is_directory(ignored);
    if (!name.starts_with(".") && (is_folder || kind_ != Kind::folder)) found.push_back({name, is_folder});
  }
  problem_ = error ? folder.string() + " cannot be read: " + error.message() : "";
  if (error) return;
  std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) { return a.is_folder != b.is_folder ? a.is_folder : a.name < b.name; });
  entries_ = std::move(found);
  folder_ = folder;
  path_text_ = folder.string();
}

std::optional<std::filesystem::path> FileDialog::draw_entries(const Theme& theme) {
  std::optional<std::filesystem::path> chosen;
  if (ImGui::BeginChild("entries", {theme.px(560), theme.px(320)}, ImGuiChildFlags_Borders)) {
    const std::vector<Entry> shown = entries_;  // going into a folder replaces them
    for (const Entry& entry : shown) {
      const std::string label = entry.is_folder ? entry.name + "/" : entry.name;
      if (!ImGui::Selectable(label.c_str(), entry.name == name_)) continue;
      if (entry.is_folder) {
        go_to(folder_ / entry.name);
      } else {
        name_ = entry.name;
        if (kind_ == Kind::open_file && ImGui::IsMouseDoubleClicked(0)) chosen = folder_ / name_;
      }
    }
    if (shown.empty()) text_muted(theme, "nothing here");
  }
  ImGui::EndChild();
  return chosen;
}

std::optional<std::filesystem::path> FileDialog::draw(const Theme& theme) {
  const std::string id = title_ + "###file_dialog";
  if (opens_) ImGui::OpenPopup(id.c_str());
  opens_ = false;
  std::optional<std::filesystem::path> chosen;
  if (!ImGui::BeginPopupModal(id.c_str(), nullptr, ImGuiWindowFlags_AlwaysAutoResize)) return chosen;
  if (ImGui::Button("Up")) go_to(folder_.parent_path());
  ImGui::SameLine();
  ImGui::SetNextItemWidth(-1);
  if (ImGui::InputText("##path", &path_text_, ImGuiInputTextFlags_EnterReturnsTrue)) go_to(path_text_);
  chosen = draw_entries(theme);
  if (!problem_.empty()) problem_text(theme, problem_);
  if (kind_ != Kind::folder) ImGui::InputText("Name", &name_);
  ImGui::BeginDisabled(kind_ != Kind::folder && name_.empty());
  const char* action = kind_ == Kind::folder ? "Choose this folder" : kind_ == Kind::open_file ? "Open" : "Save";
  if (ImGui::Button(action)) chosen = kind_ == Kind::folder ? folder_ : folder_ / name_;
  ImGui::EndDisabled();
  ImGui::SameLine();
  if (chosen || ImGui::Button("Cancel") || ImGui::IsKeyPressed(ImGuiKey_Escape)) ImGui::CloseCurrentPopup();
  ImGui::EndPopup();
  return chosen;
}

}  // namespace phiscope::gui
