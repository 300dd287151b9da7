#include "core/base/platform/kernel_files.h"

#include <algorithm>
#include <charconv>

#include "core/base/files.h"
#include "core/base/text.h"

namespace phiscope::platform {
namespace {

std::optional<uint64_t> leading_number(std::string_view text) {
  text = trim(text);
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

/// Start of the line that begins with `key`.
size_t find_line(std::string_view text, std::string_view key) {
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1))
    if (at == 0 || text[at - 1] == '\n') return at;
  return std::string_view::npos;
}

}  // namespace

std::string kernel_text(const std::filesystem::path& path) { return read_file(path, uint64_t{1} << 24).value_or(std::string()); }

std::string kernel_line(const std::filesystem::path& path) {
  const std::string text = kernel_text(path);
  return std::string(trim(std::string_view(text).substr(0, text.find('\n'))));
}

std::optional<uint64_t> kernel_number(const std::filesystem::path& path) { return leading_number(kernel_line(path)); }

uint64_t number_after(std::string_view text, std::string_view key) { return leading_number(text_after(text, key)).value_or(0); }

std::string text_after(std::string_view text, std::string_view key) {
  const size_t at = find_line(text, key);
  if (at == std::string_view::npos) return {};
  std::string_view line = text.substr(at + key.size());
  line = line.substr(0, line.find('\n'));
  const size_t value = line.find_first_not_of(" \t:=");
  return value == std::string_view::npos ? std::string() : std::string(trim(line.substr(value)));
}

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  for (const std::string& part : split(trim(text), ',')) {
    const auto first = leading_number(part);
    if (!first) continue;
    const size_t dash = part.find('-');
    const auto last = dash == std::string::npos ? first : leading_number(std::string_view(part).substr(dash + 1));
    for (uint64_t cpu = *first; last && cpu <= *last && cpu < 65536; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

std::vector<std::filesystem::path> numbered_entries(const std::filesystem::path& folder, std::string_view prefix) {
  std::vector<std::pair<uint64_t, std::filesystem::path>> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
    const std::string_view digits = std::string_view(name).substr(prefix.size());
    if (digits.find_first_not_of("0123456789") != std::string_view::npos) continue;
    if (const auto number = leading_number(digits)) found.emplace_back(*number, it->path());
  }
  std::sort(found.begin(), found.end());
  std::vector<std::filesystem::path> paths;
  for (auto& entry : found) paths.push_back(std::move(entry.second));
  return paths;
}

}  // namespace phiscope::platform
