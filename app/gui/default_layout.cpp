#include <utility>

#include "app/gui/settings_file.h"

namespace phiscope::gui {
namespace {

constexpr std::pair<std::string_view, std::string_view> kFiles[] = {
#include "default_layout.inc"
};

}  // namespace

std::string_view default_layout() { return kFiles[0].second; }

}  // namespace phiscope::gui
