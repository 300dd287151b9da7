#include "app/cli/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "app/cli/output.h"

namespace phiscope::cli {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

size_t longest_line(const std::string& text) {
  size_t longest = 0;
  for (const std::string& line : lines_of(text)) longest = std::max(longest, display_width(line));
  return longest;
}

reports::Table table_of_two_rows() {
  reports::Table table;
  table.columns = {"Recipe", "File", "Perplexity", "KLD mean"};
  for (const char* recipe : {"fp32", "int4"})
    table.rows.push_back({{.text = recipe}, {.text = "20.2 MB", .value = 1.0}, {.text = "98.93", .value = 1.0}, {.text = "0.00293", .value = 1.0}});
  return table;
}

TEST(FoldTable, IsOneBlockWhereAnyWidthWillDo) {
  EXPECT_EQ(fold_table(table_of_two_rows(), false, 0),
            "                                 KLD\n"
            "Recipe     File  Perplexity     mean\n"
            "------  -------  ----------  -------\n"
            "fp32    20.2 MB       98.93  0.00293\n"
            "int4    20.2 MB       98.93  0.00293\n");
}

TEST(FoldTable, GoesOnBelowItselfWithItsFirstColumnWhereTheTerminalIsNarrow) {
  const std::string text = fold_table(table_of_two_rows(), false, 28);
  EXPECT_LE(longest_line(text), 28U);
  const std::vector<std::string> lines = lines_of(text);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("int4"); }), 2);
  EXPECT_NE(text.find("int4    20.2 MB       98.93\n\n"), std::string::npos) << text;
  EXPECT_NE(text.find("int4    0.00293\n"), std::string::npos) << text;
}

TEST(FoldTable, KeepsAColumnThatIsWiderThanTheTerminal) {
  const std::string text = fold_table(table_of_two_rows(), false, 3);
  for (const char* value : {"20.2 MB", "98.93", "0.00293"}) EXPECT_NE(text.find(value), std::string::npos) << value;
}

TEST(FormatParagraph, BreaksBetweenWords) {
  EXPECT_EQ(format_paragraph("about 40 pairs instead of 10 would settle it", 4, 24), "    about 40 pairs\n    instead of 10 would\n    settle it\n");
  EXPECT_EQ(format_paragraph("one line", 2, 0), "  one line\n");
  EXPECT_EQ(format_paragraph("a_word_that_is_too_long", 2, 10), "  a_word_that_is_too_long\n");
}

}  // namespace
}  // namespace phiscope::cli
