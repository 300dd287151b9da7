#pragma once
// Reports of stored runs in every format; PDF through a browser of the Chromium family, where there is one.

#include <filesystem>
#include <string>

#include "core/base/result.h"
#include "reports/compare/compare.h"
#include "reports/document/document.h"

namespace phiscope::session {

/// The document of a comparison, with the places to read in their text where the model's tokenizer is still at hand and still the same.
reports::Document report_document(const reports::Comparison& comparison);

/// A browser of the Chromium family in PATH; empty when there is none.
std::filesystem::path find_browser();

/// The pages that the browser prints of an HTML report: the PDF's bytes. Errors: unsupported without a browser, naming what to install; what the
/// browser said when it failed; hung after two minutes.
Result<std::string> print_to_pdf(const std::string& html);

}  // namespace phiscope::session
