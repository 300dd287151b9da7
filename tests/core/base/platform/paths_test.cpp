#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "core/base/platform/platform.h"

namespace phiscope {
namespace {

/// Sets variables for one test.
class Paths : public testing::Test {
 protected:
  ~Paths() override {
    for (const auto& [name, value] : old_) value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }
  void set(const std::string& name, const std::string& value) {
    const char* now = std::getenv(name.c_str());
    old_.emplace(name, now == nullptr ? std::nullopt : std::optional<std::string>(now));
    ::setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  std::map<std::string, std::optional<std::string>> old_;
};

TEST_F(Paths, FollowTheXdgVariables) {
  set("XDG_DATA_HOME", "/x/data");
  set("XDG_CACHE_HOME", "/x/cache");
  set("XDG_CONFIG_HOME", "/x/config");
  set("PHISCOPE_CACHE", "");
  EXPECT_EQ(platform::user_data_folder(), "/x/data/phiscope");
  EXPECT_EQ(platform::user_cache_folder(), "/x/cache/phiscope");
  EXPECT_EQ(platform::user_config_folder(), "/x/config/phiscope");
}

TEST_F(Paths, FallBackToTheHomeFolderAndIgnoreRelativeValues) {
  set("HOME", "/users/a");
  set("XDG_DATA_HOME", "relative");
  set("XDG_CACHE_HOME", "");
  set("PHISCOPE_CACHE", "");
  EXPECT_EQ(platform::user_data_folder(), "/users/a/.local/share/phiscope");
  EXPECT_EQ(platform::user_cache_folder(), "/users/a/.cache/phiscope");
}

TEST_F(Paths, TakeTheCacheFolderThatWasChosen) {
  set("PHISCOPE_CACHE", "/fast/cache");
  EXPECT_EQ(platform::user_cache_folder(), "/fast/cache");
}

TEST_F(Paths, SurviveAnEmptyHome) {
  set("HOME", "");
  set("XDG_DATA_HOME", "");
  EXPECT_EQ(platform::user_data_folder().filename(), "phiscope");
}

TEST(ExecutablePath, IsThisProgram) { EXPECT_EQ(platform::executable_path().filename(), "base_test"); }

}  // namespace
}  // namespace phiscope
