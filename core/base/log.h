#pragma once
// Diagnostic messages of libraries: they never print; the program decides where messages go (by default nowhere).

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace phiscope::log {

enum class Level { debug, info, warning };

using Sink = std::function<void(Level, std::string_view)>;

/// Replaces the sink; an empty one discards. Thread-safe.
void set_sink(Sink sink);
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::debug, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::info, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::warning, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace phiscope::log
