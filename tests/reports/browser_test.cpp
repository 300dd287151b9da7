// Opens the report in a headless browser: no console error, every chart drawn, tables sort. Skipped by name where there is no Chromium, unless
// PHISCOPE_REQUIRE_BROWSER=1.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/base/files.h"
#include "core/base/text.h"
#include "reports/export/exporter.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::reports {
namespace {

std::string find_browser() {
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path != nullptr ? path : "", ':'))
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
      std::error_code ignored;
      const auto program = std::filesystem::path(folder) / name;
      if (std::filesystem::exists(program, ignored)) return program.string();
    }
  return {};
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[4096];
  for (size_t size = std::fread(buffer, 1, sizeof buffer, pipe); size > 0; size = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, size);
  ::pclose(pipe);
  return text;
}

TEST(Browser, DrawsEveryChartAndSortsTheTableWithoutAnError) {
  const std::string browser = find_browser();
  if (browser.empty()) {
    const char* required = std::getenv("PHISCOPE_REQUIRE_BROWSER");
    if (required != nullptr && std::string(required) == "1") FAIL() << "no chromium in PATH; apt-get install chromium";
    GTEST_SKIP() << "no chromium in PATH";
  }
  const auto runs = test::example_runs();
  std::string html = find_exporter("html").value()->write(build_document(compare_runs(runs[0], {runs.begin() + 1, runs.end()}))).value();
  // A click on "Decode", twice: descending; the order of the rows and a tooltip's worth of pixels end up in the page's own attributes.
  const std::string probe =
      "<script>const head = Array.from(document.querySelectorAll('#table-precisions thead button')).find(b => b.textContent.startsWith('Decode'));"
      "head.click(); head.click(); document.documentElement.dataset.order = "
      "Array.from(document.querySelectorAll('#table-precisions tbody th > span:first-child')).map(c => c.textContent).join(' ');</script>";
  html.insert(html.rfind("</body>"), probe);
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "report.html", html).has_value());
  const std::string output = output_of(fmt::format(
      "timeout 60 '{}' --headless --no-sandbox --disable-gpu --user-data-dir='{}' --enable-logging=stderr --virtual-time-budget=3000 --dump-dom "
      "'file://{}' 2>'{}'",
      browser, (folder / "profile").string(), (folder / "report.html").string(), (folder / "log").string()));
  const std::string log = read_file(folder / "log").value_or("");
  EXPECT_NE(output.find("data-charts=\"7\""), std::string::npos) << output.substr(0, 300) << "\n" << log;
  EXPECT_NE(output.find("data-order=\"int4 int8-dyn int8 fp16 fp32 fp8\""), std::string::npos) << output.substr(0, 300);
  EXPECT_EQ(output.substr(0, 500).find("data-error"), std::string::npos) << output.substr(0, 500);
  EXPECT_EQ(log.find("CONSOLE"), std::string::npos) << log;
}

}  // namespace
}  // namespace phiscope::reports
