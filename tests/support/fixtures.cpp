#include "tests/support/fixtures.h"

#include <cstdlib>
#include <random>

namespace phiscope::test {

std::filesystem::path source_path(const std::string& relative) { return std::filesystem::path(PHISCOPE_SOURCE_FOLDER) / relative; }

std::filesystem::path fixture(const std::string& relative) {
  const char* chosen = std::getenv("PHISCOPE_FIXTURES");
  const std::filesystem::path root = chosen != nullptr ? std::filesystem::path(chosen) : source_path("../shared/fixtures");
  std::error_code error;
  const std::filesystem::path path = root / relative;
  return std::filesystem::exists(path, error) ? path : std::filesystem::path{};
}

bool fixtures_required() {
  const char* required = std::getenv("PHISCOPE_REQUIRE_FIXTURES");
  return required != nullptr && std::string(required) == "1";
}

TemporaryFolder::TemporaryFolder() {
  std::random_device device;
  do {
    path_ = std::filesystem::temp_directory_path() / ("phiscope-test-" + std::to_string(device()) + std::to_string(device()));
  } while (!std::filesystem::create_directories(path_));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace phiscope::test
