#pragma once
// What the command line prints: documents on stdout, everything else on stderr.

#include <chrono>
#include <string>
#include <string_view>

#include "core/base/json.h"
#include "reports/document/document.h"

namespace phiscope::cli {

/// Colours and bold are used when stdout is a terminal and NO_COLOR is not set.
bool use_colour();

void print(std::string_view text);       // to stdout, with a newline
void print_json(const Json& document);   // one document, indented
void print_note(std::string_view text);  // to stderr
void print_error(std::string_view text); // to stderr, "phiscope: <text>"

/// The side-by-side table of a comparison, with what ran below it, as wide as the terminal.
std::string format_precisions(const reports::Comparison& comparison);
/// Plain rows, columns as wide as their content; the first is the head.
std::string format_rows(const std::vector<std::vector<std::string>>& rows);
/// Columns that a text occupies on a terminal (UTF-8 code points; combining marks and wide characters are not told apart).
size_t display_width(std::string_view text);

/// A line on stderr that is rewritten in place: "[#####     ] 52 %  quantizing ...  12 s left". On anything but a terminal it prints a line for
/// each new step only. Not thread-safe.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  /// `fraction` in 0..1 of the whole job; negative = unknown.
  void update(double fraction, std::string_view what);
  /// Removes the line; the next update draws it again.
  void clear();

 private:
  bool enabled_ = false;
  bool terminal_ = false;
  bool drawn_ = false;
  std::string step_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point drawn_at_{};
};

}  // namespace phiscope::cli
