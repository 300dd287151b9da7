#pragma once
// One file per format: a pure function from Document to bytes. To add one: <format>_exporter.cpp and a row in exporter_table.cpp.

#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "reports/document/document.h"

namespace phiscope::reports {

struct Exporter {
  std::string_view name;         // "html"
  std::string_view description;
  std::string_view extension;    // ".html"
  Result<std::string> (*write)(const Document& document);
};
std::span<const Exporter> exporters();
/// Error invalid_argument naming the formats that exist.
Result<const Exporter*> find_exporter(std::string_view name);

}  // namespace phiscope::reports
