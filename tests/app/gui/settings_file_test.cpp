#include "app/gui/settings_file.h"

#include <gtest/gtest.h>

#include "core/base/files.h"
#include "tests/support/fixtures.h"

namespace phiscope::gui {
namespace {

TEST(SettingsFile, WhatIsSavedComesBack) {
  const test::TemporaryFolder folder;
  save_settings(folder / "phiscope", {ThemeKind::dark, 1.5f, "standard", 2});
  const Settings read = load_settings(folder / "phiscope");
  EXPECT_EQ(read.theme, ThemeKind::dark);
  EXPECT_EQ(read.scale, 1.5f);
  EXPECT_EQ(read.suite, "standard");
  EXPECT_EQ(read.threads, 2);
}

TEST(SettingsFile, ADamagedFileCountsAsAbsent) {
  const test::TemporaryFolder folder;
  for (const char* text : {"", "{", "[1]", R"({"scale": "large", "threads": -4, "theme": 7})", R"({"scale": 1e30})"}) {
    ASSERT_TRUE(write_file(folder / "gui.json", text).has_value());
    const Settings read = load_settings(folder.path());
    EXPECT_EQ(read.theme, ThemeKind::light) << text;
    EXPECT_EQ(read.scale, 0.0f) << text;
    EXPECT_EQ(read.threads, 0) << text;
  }
}

TEST(Layout, PixelsAreScaledAndNothingElse) {
  const std::string ini = "[Window][Run###run]\nPos=0,24\nSize=400,876\nDockId=0x00000003,1\nCollapsed=0\n\n[Docking][Data]\n"
                          "DockSpace ID=0x08BD597D Window=0x1BBC0F80 Pos=0,24 Size=1440,876 Split=X\n  DockNode Parent=0x08BD597D SizeRef=400,876 Selected=0x25\n";
  const std::string doubled = scale_layout(ini, 2);
  EXPECT_NE(doubled.find("Pos=0,48\nSize=800,1752\nDockId=0x00000003,1\nCollapsed=0"), std::string::npos) << doubled;
  EXPECT_NE(doubled.find("SizeRef=800,1752 Selected=0x25"), std::string::npos) << doubled;
  EXPECT_EQ(scale_layout(doubled, 0.5f), ini);
}

TEST(Layout, TheDefaultNamesEveryPanel) {
  for (const PanelRow& row : panel_table())
    EXPECT_NE(default_layout().find(std::string("[Window][") + row.id + "]"), std::string_view::npos) << row.id << " has no place in imgui.ini";
}

}  // namespace
}  // namespace phiscope::gui
