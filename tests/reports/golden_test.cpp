// One fixed set of runs in every format. PHISCOPE_UPDATE_GOLDEN=1 writes the files anew; review the difference.
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/files.h"
#include "reports/export/exporter.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::reports {
namespace {

Document golden_document() {
  static const Comparison comparison = [] {
    const auto runs = test::example_runs();
    return compare_runs(runs[0], {runs[2], runs[4], runs[5]});
  }();
  return build_document(comparison);
}

// Style and scripts are sources of this repository or of Debian: only the content is pinned.
std::string without_page_files(std::string html) {
  for (const auto& [begin, end] : {std::pair{"<style>\n", "</style>"}, std::pair{"<script>\n", "</script>"}, std::pair{"<script>\n", "</script>"}}) {
    const std::string placeholder = std::string(begin).substr(0, std::string(begin).size() - 1);
    const size_t from = html.find(begin);
    const size_t to = html.find(end, from);
    if (from == std::string::npos || to == std::string::npos) return html;
    html.replace(from, to - from, placeholder + "[left out]");
  }
  return html;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, ReportIsTheSameToTheLastByte) {
  const auto exporter = find_exporter(GetParam());
  ASSERT_TRUE(exporter.has_value());
  const auto written = (*exporter)->write(golden_document());
  ASSERT_TRUE(written.has_value());
  const std::string content = GetParam() == "html" ? without_page_files(*written) : *written;
  const auto path = test::source_path("tests/golden/export/report" + std::string((*exporter)->extension));
  if (std::getenv("PHISCOPE_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file(path, content).has_value());
    return;
  }
  const auto expected = read_file(path);
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  if (content == *expected) return;
  size_t at = 0;
  while (at < content.size() && at < expected->size() && content[at] == (*expected)[at]) ++at;
  const size_t from = at > 60 ? at - 60 : 0;
  FAIL() << path << " differs at byte " << at << "\nexpected: ..." << expected->substr(from, 160) << "\nwritten:  ..." << content.substr(from, 160)
         << "\nPHISCOPE_UPDATE_GOLDEN=1 writes it anew";
}

INSTANTIATE_TEST_SUITE_P(Formats, Golden, ::testing::Values("html", "md", "csv", "json"), [](const auto& each) { return each.param; });

TEST(Report, OfTheSameRunsIsTheSameEveryTime) {
  for (const Exporter& exporter : exporters()) EXPECT_EQ(exporter.write(golden_document()).value(), exporter.write(golden_document()).value());
}

}  // namespace
}  // namespace phiscope::reports
