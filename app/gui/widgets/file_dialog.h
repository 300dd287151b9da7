#pragma once
// A plain dialog for files and folders inside the window: the same with every desktop, and tests can drive it.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/gui/theme.h"

namespace phiscope::gui {

class FileDialog {
 public:
  enum class Kind : uint8_t { folder, open_file, save_file };
  /// Shows it from the next draw() on. `name` is proposed for save_file.
  void open(std::string title, Kind kind, std::string name = "");
  /// Draws it while it is open; gives the path once when one was chosen.
  std::optional<std::filesystem::path> draw(const Theme& theme);

 private:
  struct Entry {
    std::string name;
    bool is_folder = false;
  };
  void go_to(const std::filesystem::path& folder);
  std::optional<std::filesystem::path> draw_entries(const Theme& theme);

  std::string title_, name_, problem_, path_text_;
  Kind kind_ = Kind::folder;
  bool opens_ = false;
  std::filesystem::path folder_;
  std::vector<Entry> entries_;
};

}  // namespace phiscope::gui
