#pragma once
// Settings and the layout of panels, kept in the user's config folder. A damaged file counts as absent.

#include <filesystem>
#include <string>

#include "app/gui/panels/panel.h"

namespace phiscope::gui {

Settings load_settings(const std::filesystem::path& folder);
void save_settings(const std::filesystem::path& folder, const Settings& settings);

/// ImGui's ini text with every position and size multiplied: a layout is kept at scale 1.
std::string scale_layout(std::string_view ini, float factor);
/// The committed default (imgui.ini of the repository), at scale 1.
std::string_view default_layout();
/// The person's own layout, else the default; at scale 1.
std::string load_layout(const std::filesystem::path& folder);
void save_layout(const std::filesystem::path& folder, std::string_view ini);

}  // namespace phiscope::gui
