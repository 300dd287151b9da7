#include "app/gui/settings_file.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>

#include "core/base/files.h"
#include "core/base/json.h"

namespace phiscope::gui {
namespace {

constexpr const char* kSettingsFile = "gui.json";
constexpr const char* kLayoutFile = "layout.ini";
// Keys of an ini whose values are pixels.
constexpr std::string_view kPixelKeys[] = {"Pos=", "Size=", "SizeRef=", "DockNodeSizeRef=", "ViewportPos="};

std::string read_if_there(const std::filesystem::path& path) {
  auto text = read_file(path);
  return text ? std::move(*text) : std::string();
}

void write_quietly(const std::filesystem::path& path, std::string_view text) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  // Where a folder cannot be written the next start looks as the first one did; nothing else is lost.
  (void)write_file(path, text);
}

bool starts_pixels(std::string_view text, size_t at) {
  if (at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0) return false;
  for (const std::string_view key : kPixelKeys)
    if (text.substr(at).starts_with(key)) return true;
  return false;
}

}  // namespace

Settings load_settings(const std::filesystem::path& folder) {
  Settings settings;
  const auto json = Json::parse(read_if_there(folder / kSettingsFile), nullptr, false);
  if (!json.is_object()) return settings;
  settings.theme = json_string_or(json, "theme", "light") == "dark" ? ThemeKind::dark : ThemeKind::light;
  if (json.contains("scale") && json["scale"].is_number()) settings.scale = json["scale"].get<float>();
  if (!(settings.scale >= 0.5f && settings.scale <= 4)) settings.scale = 0;
  settings.suite = json_string_or(json, "suite", "quick");
  if (json.contains("threads") && json["threads"].is_number_integer()) settings.threads = std::max(0, json["threads"].get<int>());
  return settings;
}

void save_settings(const std::filesystem::path& folder, const Settings& settings) {
  const Json json{{"theme", settings.theme == ThemeKind::dark ? "dark" : "light"}, {"scale", settings.scale}, {"suite", settings.suite}, {"threads", settings.threads}};
  write_quietly(folder / kSettingsFile, json.dump(2) + "\n");
}

std::string scale_layout(std::string_view ini, float factor) {
  std::string out;
  out.reserve(ini.size());
  for (size_t at = 0; at < ini.size();) {
    if (!starts_pixels(ini, at)) {
      out += ini[at++];
      continue;
    }
    while (ini[at] != '=') out += ini[at++];
    out += ini[at++];
    // One number or two with a comma; a hexadecimal id (0x...) is no pixel.
    while (at < ini.size() && (std::isdigit(static_cast<unsigned char>(ini[at])) != 0 || ini[at] == '-' || ini[at] == ',')) {
      if (ini[at] == ',' || ini[at] == '-') {
        out += ini[at++];
        continue;
      }
      long value = 0;
      while (at < ini.size() && std::isdigit(static_cast<unsigned char>(ini[at])) != 0) value = value * 10 + (ini[at++] - '0');
      out += fmt::format("{}", std::lround(static_cast<float>(value) * factor));
    }
  }
  return out;
}

std::string load_layout(const std::filesystem::path& folder) {
  std::string own = read_if_there(folder / kLayoutFile);
  return own.empty() ? std::string(default_layout()) : own;
}

void save_layout(const std::filesystem::path& folder, std::string_view ini) { write_quietly(folder / kLayoutFile, ini); }

}  // namespace phiscope::gui
