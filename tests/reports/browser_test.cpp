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

/// The page's document after `script` ran in it, opened from disk in a window of `width`; the browser's log in `log`.
std::string page_after(const std::string& browser, std::string html, const std::string& script, int width, const std::string& more, std::string& log) {
  html.insert(html.rfind("</body>"), "<script>" + script + "</script>");
  const test::TemporaryFolder folder;
  EXPECT_TRUE(write_file(folder / "report.html", html).has_value());
  const std::string output = output_of(fmt::format(
      "timeout 60 '{}' --headless --no-sandbox --disable-gpu --window-size={},900 {} --user-data-dir='{}' --enable-logging=stderr "
      "--virtual-time-budget=3000 --dump-dom 'file://{}' 2>'{}'",
      browser, width, more, (folder / "profile").string(), (folder / "report.html").string(), (folder / "log").string()));
  log = read_file(folder / "log").value_or("");
  return output.substr(0, 500);
}

std::string example_page() {
  const auto runs = test::example_runs();
  return find_exporter("html").value()->write(build_document(compare_runs(runs[0], {runs.begin() + 1, runs.end()}))).value();
}

/// Skips, or fails where a browser is required.
#define PHISCOPE_BROWSER(browser)                                                                                  \
  const std::string browser = find_browser();                                                                      \
  if (browser.empty()) {                                                                                           \
    const char* required = std::getenv("PHISCOPE_REQUIRE_BROWSER");                                                \
    if (required != nullptr && std::string(required) == "1") FAIL() << "no chromium in PATH; apt-get install chromium"; \
    GTEST_SKIP() << "no chromium in PATH";                                                                         \
  }                                                                                                                \
  static_assert(true)

TEST(Browser, DrawsEveryChartAndSortsTheTableWithoutAnError) {
  PHISCOPE_BROWSER(browser);
  // A click on "Decode", twice: descending; the order of the rows ends up in the page's own attributes.
  const std::string script =
      "const head = Array.from(document.querySelectorAll('#table-precisions thead button')).find(b => b.textContent.startsWith('Decode'));"
      "head.click(); head.click(); document.documentElement.dataset.order = "
      "Array.from(document.querySelectorAll('#table-precisions tbody th > span:first-child')).map(c => c.textContent).join(' ');";
  std::string log;
  const std::string page = page_after(browser, example_page(), script, 1440, "", log);
  EXPECT_NE(page.find("data-charts=\"9\""), std::string::npos) << page << "\n" << log;
  EXPECT_NE(page.find("data-order=\"int4 int8-dyn int8 fp16 fp32 fp8\""), std::string::npos) << page;
  EXPECT_EQ(page.find("data-error"), std::string::npos) << page;
  EXPECT_EQ(log.find("CONSOLE"), std::string::npos) << log;
}

// On a phone nothing but the tables' own boxes scrolls sideways; the answer stands above the first table.
TEST(Browser, ANarrowPageHasNoSidewaysScroll) {
  PHISCOPE_BROWSER(browser);
  std::string log;
  const std::string script =
      "const root = document.documentElement; root.dataset.over = String(root.scrollWidth - root.clientWidth);"
      "root.dataset.first = String(document.getElementById('answer').getBoundingClientRect().top < document.getElementById('table-precisions').getBoundingClientRect().top);";
  const std::string page = page_after(browser, example_page(), script, 500, "", log);
  EXPECT_NE(page.find("data-over=\"0\""), std::string::npos) << page;
  EXPECT_NE(page.find("data-first=\"true\""), std::string::npos) << page;
}

TEST(Browser, FollowsTheSystemIntoTheDark) {
  PHISCOPE_BROWSER(browser);
  std::string log;
  const std::string script = "document.documentElement.dataset.back = getComputedStyle(document.body).backgroundColor;";
  const std::string light = page_after(browser, example_page(), script, 1440, "--blink-settings=preferredColorScheme=1", log);
  const std::string dark = page_after(browser, example_page(), script, 1440, "--blink-settings=preferredColorScheme=0", log);
  EXPECT_NE(light.find("data-back=\"rgb(255, 255, 255)\""), std::string::npos) << light;
  EXPECT_NE(dark.find("data-back=\"rgb(20, 23, 27)\""), std::string::npos) << dark;
}

}  // namespace
}  // namespace phiscope::reports
