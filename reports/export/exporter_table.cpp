#include <fmt/format.h>

#include <array>

#include "reports/export/exporter.h"
#include "reports/export/formats.h"

namespace phiscope::reports {
namespace {

// To add a format: <format>_exporter.cpp, its declaration in formats.h and a row here (order = order shown).
constexpr std::array kExporters{
    Exporter{"html", "one self-contained page with charts", ".html", write_html},
    Exporter{"md", "Markdown with pipe tables", ".md", write_markdown},
    Exporter{"csv", "every number in one long table", ".csv", write_csv},
    Exporter{"json", "the report and its runs with all scalar samples", ".json", write_json},
};

}  // namespace

std::span<const Exporter> exporters() { return kExporters; }

Result<const Exporter*> find_exporter(std::string_view name) {
  std::string names;
  for (const Exporter& exporter : kExporters) {
    if (exporter.name == name) return &exporter;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", exporter.name);
  }
  return fail(ErrorCode::invalid_argument, "'{}' is not a report format; choose one of {}, or pdf", name, names);
}

}  // namespace phiscope::reports
