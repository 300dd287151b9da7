#include "app/cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "app/cli/layout.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::cli {
namespace {

constexpr auto kRedrawInterval = std::chrono::milliseconds(100);
constexpr int kBarCells = 24;

void write_to(std::FILE* stream, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream); }

std::string progress_text(double fraction, std::string_view what, double elapsed_s) {
  if (fraction < 0) return fmt::format("{} ...", what);
  const int filled = static_cast<int>(fraction * kBarCells + 0.5);
  std::string left;
  if (fraction > 0.02 && fraction < 1 && elapsed_s > 1) left = fmt::format("  {} left", format_seconds(elapsed_s * (1 - fraction) / fraction));
  return fmt::format("[{}{}] {:3.0f} %  {}{}", std::string(static_cast<size_t>(filled), '#'),
                     std::string(static_cast<size_t>(kBarCells - filled), ' '), fraction * 100, what, left);
}

// Sentences quote what files hold, and a terminal obeys control characters: they are shown as \x1b.
std::string printable(std::string_view text) {
  std::string out;
  for (const char letter : sanitize_utf8(text)) {
    const auto code = static_cast<unsigned char>(letter);
    if ((code < 0x20 && letter != '\n' && letter != '\t') || code == 0x7f) out += fmt::format("\\x{:02x}", code);
    else out += letter;
  }
  return out;
}

}  // namespace

bool use_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return (no_colour == nullptr || *no_colour == '\0') && platform::stdout_is_terminal();
}

void print(std::string_view text) {
  write_to(stdout, text);
  write_to(stdout, "\n");
}

void print_json(const Json& document) { print(document.dump(2, ' ', false, Json::error_handler_t::replace)); }

void print_note(std::string_view text) {
  write_to(stderr, printable(text));
  write_to(stderr, "\n");
}

void print_error(std::string_view text) { print_note(fmt::format("phiscope: {}", text)); }

size_t display_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string format_precisions(const reports::Comparison& comparison) {
  const reports::Table effective = reports::build_effective_table(comparison);
  const auto width = stdout_width();
  std::string text = fold_table(reports::build_precision_table(comparison), use_colour(), width) + effective.title + ":\n";
  size_t longest = 0;
  for (const auto& row : effective.rows) longest = std::max(longest, display_width(row.front().text));
  for (const auto& row : effective.rows) {
    const std::string what = format_paragraph(row.back().text, longest + 4, width);
    text += "  " + pad(row.front().text, longest + 2, false) + what.substr(longest + 4);
  }
  return text;
}

std::string format_rows(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], display_width(row[c]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) line += c + 1 < row.size() ? pad(row[c], widths[c], false) + "  " : row[c];
    while (!line.empty() && line.back() == ' ') line.pop_back();
    text += line + "\n";
  }
  return text;
}

ProgressLine::ProgressLine(bool quiet)
    : enabled_(!quiet), terminal_(platform::stderr_is_terminal()), started_(std::chrono::steady_clock::now()) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::update(double fraction, std::string_view what) {
  if (!enabled_) return;
  const auto now = std::chrono::steady_clock::now();
  const bool new_step = what != step_;
  step_ = what;
  if (!terminal_) {
    if (new_step) print_note(what);
    return;
  }
  if (!new_step && now - drawn_at_ < kRedrawInterval) return;
  drawn_at_ = now;
  const double elapsed_s = std::chrono::duration<double>(now - started_).count();
  std::string line = progress_text(std::min(fraction, 1.0), what, elapsed_s);
  const size_t width = static_cast<size_t>(std::max(platform::terminal_width() - 1, 20));
  if (line.size() > width) line.resize(width);
  write_to(stderr, fmt::format("\r\x1b[K{}", line));
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressLine::clear() {
  if (!drawn_) return;
  write_to(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace phiscope::cli
