#include "app/session/report.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "reports/export/exporter.h"
#include "tests/support/example_runs.h"

namespace phiscope::session {
namespace {

std::string example_html() {
  const auto runs = test::example_runs();
  return reports::find_exporter("html").value()->write(report_document(reports::compare_runs(runs[0], {runs[1], runs[4]}))).value();
}

TEST(PrintToPdf, GivesTheBytesOfAPdfWithPages) {
  if (find_browser().empty()) {
    const char* required = std::getenv("PHISCOPE_REQUIRE_BROWSER");
    if (required != nullptr && std::string(required) == "1") FAIL() << "no chromium in PATH; apt-get install chromium";
    GTEST_SKIP() << "no chromium in PATH";
  }
  const auto pdf = print_to_pdf(example_html());
  ASSERT_TRUE(pdf.has_value()) << pdf.error().message;
  EXPECT_EQ(pdf->substr(0, 5), "%PDF-");
  EXPECT_NE(pdf->find("/Type /Page"), std::string::npos);
  EXPECT_NE(pdf->rfind("%%EOF"), std::string::npos);
}

TEST(PrintToPdf, WithoutABrowserSaysWhatToInstall) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const auto pdf = print_to_pdf("<html></html>");
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_FALSE(pdf.has_value());
  EXPECT_EQ(pdf.error().code, ErrorCode::unsupported);
  EXPECT_NE(pdf.error().message.find("Debian: chromium"), std::string::npos);
}

// The example runs name another tokenizer than the bundled model's: no text is better than a wrong text.
TEST(ReportDocument, ShowsNoTextOfATokenizerThatTheRunsDidNotUse) {
  EXPECT_NE(example_html().find("tokenizer of these runs is not at hand"), std::string::npos);
}

}  // namespace
}  // namespace phiscope::session
