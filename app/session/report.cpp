#include "app/session/report.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "app/session/model_report.h"
#include "core/base/files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"

namespace phiscope::session {
namespace {

constexpr double kBrowserSeconds = 120;
constexpr std::array kBrowsers{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "brave-browser"};

/// Of the reference's model, when it is where it was and its tokenizer is the one that the runs used.
std::shared_ptr<const Tokenizer> tokenizer_of(const Run& run) {
  const auto model = inspect_model(run.model);
  if (!model || !model->tokenizer || model->tokenizer->hash() != run.tokenizer_hash) return nullptr;
  return model->tokenizer;
}

/// A folder that goes away with the object.
class ScratchFolder {
 public:
  static Result<ScratchFolder> create() {
    std::error_code error;
    const std::filesystem::path base = std::filesystem::temp_directory_path(error);
    PHISCOPE_ASSIGN(auto folder, make_directory_beside(base / "phiscope-report"));
    return ScratchFolder(std::move(folder));
  }
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Runs the browser once; the last line that it said when it wrote nothing.
Status print_page(const std::filesystem::path& browser, const std::filesystem::path& folder, bool with_sandbox) {
  std::string said;
  platform::ChildProcess::Options options;
  options.arguments = {browser.string(), "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", "--virtual-time-budget=5000",
                       "--user-data-dir=" + (folder / "profile").string(), "--print-to-pdf=" + (folder / "report.pdf").string(),
                       "file://" + (folder / "report.html").string()};
  if (!with_sandbox) options.arguments.insert(options.arguments.begin() + 1, "--no-sandbox");
  options.on_stderr_line = [&said](std::string_view line) { said = line; };
  PHISCOPE_ASSIGN(const auto child, platform::ChildProcess::start(std::move(options)));
  for (;;) {
    const auto line = child->receive_line(kBrowserSeconds);
    if (line) continue;
    if (line.error().code != ErrorCode::crashed) return fail(line.error());
    break;  // the end of its output
  }
  const auto exit = child->wait(kBrowserSeconds);
  std::error_code ignored;
  if (exit.status == 0 && exit.signal == 0 && std::filesystem::exists(folder / "report.pdf", ignored)) return {};
  return fail(ErrorCode::crashed, "{} printed no page: {}", browser.string(), said.empty() ? exit.describe() : said);
}

}  // namespace

reports::Document report_document(const reports::Comparison& comparison) {
  const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_of(comparison.reference);
  reports::TokenText text;
  if (tokenizer) text = [tokenizer](std::span<const int32_t> ids) { return tokenizer->decode(ids); };
  return reports::build_document(comparison, text);
}

std::filesystem::path find_browser() {
  const char* path = std::getenv("PATH");
  for (const char* name : kBrowsers)
    for (const std::string& folder : split(path != nullptr ? path : "", ':')) {
      std::error_code ignored;
      const std::filesystem::path program = std::filesystem::path(folder) / name;
      if (!folder.empty() && std::filesystem::is_regular_file(program, ignored)) return program;
    }
  return {};
}

Result<std::string> print_to_pdf(const std::string& html) {
  const std::filesystem::path browser = find_browser();
  if (browser.empty())
    return fail(ErrorCode::unsupported, "a PDF is printed by a browser of the Chromium family and there is none in PATH; install one (Debian: chromium), or "
                                        "write html and print it from your browser");
  PHISCOPE_ASSIGN(const ScratchFolder folder, ScratchFolder::create());
  PHISCOPE_TRY(write_file(folder.path() / "report.html", html));
  Status printed = print_page(browser, folder.path(), true);
  // Inside containers and for root the browser's sandbox cannot start; the page is our own and may load nothing.
  if (!printed) printed = print_page(browser, folder.path(), false);
  if (!printed) return fail(printed.error());
  return read_file(folder.path() / "report.pdf");
}

}  // namespace phiscope::session
