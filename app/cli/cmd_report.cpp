#include <fmt/format.h>

#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/report.h"
#include "app/session/stored_runs.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "reports/export/exporter.h"

namespace phiscope::cli {
namespace {

struct Pdf {
  std::string_view name = "pdf", extension = ".pdf";
};
constexpr Pdf kPdf;

struct Options {
  std::vector<std::string> runs;
  std::string reference, format;
  std::filesystem::path out, db;
};

/// Without --format the extension of --out decides.
std::string format_of(const Options& options) {
  if (!options.format.empty()) return options.format;
  for (const reports::Exporter& exporter : reports::exporters())
    if (options.out.extension() == exporter.extension) return std::string(exporter.name);
  return options.out.extension() == kPdf.extension ? std::string(kPdf.name) : "html";
}

/// The PDF is the HTML report, printed.
Result<std::string> content_of(const std::string& format, const reports::Document& document) {
  const bool is_pdf = format == kPdf.name;
  PHISCOPE_ASSIGN(const reports::Exporter* exporter, reports::find_exporter(is_pdf ? "html" : format));
  PHISCOPE_ASSIGN(std::string content, exporter->write(document));
  if (is_pdf) return session::print_to_pdf(content);
  return content;
}

Result<int> run(const Options& options, const Shared& shared) {
  const std::string format = format_of(options);
  if (format != kPdf.name) {
    PHISCOPE_TRY(reports::find_exporter(format));
  }
  PHISCOPE_ASSIGN(const auto comparison, session::compare_stored_runs(options.db, options.runs, options.reference));
  PHISCOPE_ASSIGN(const std::string content, content_of(format, session::report_document(comparison)));
  if (options.out == "-") {
    print(content);
    return kExitDone;
  }
  PHISCOPE_TRY(write_file(options.out, content));
  const size_t runs = comparison.candidates.size() + 1;
  if (shared.json)
    print_json({{"schema", "phiscope/report/1"}, {"path", options.out.string()}, {"format", format},
                {"bytes", content.size()}, {"runs", runs}});
  else
    print(fmt::format("wrote {} ({}, {} runs, {})", options.out.string(), format, runs, format_bytes(content.size())));
  return kExitDone;
}

}  // namespace

Action add_report(CLI::App& command, const Shared& shared) {
  auto options = std::make_shared<Options>();
  command.add_option("RUN", options->runs, "Runs: id, the beginning of an id, last, last~1 ... (default: the last bench)");
  command.add_option("--reference", options->reference, "Run that the others are compared with (default: fp32 if it is among them, else the first)");
  command.add_option("--format", options->format, "html, pdf, md, csv or json (default: by the extension of --out)");
  command.add_option("--out", options->out, "File to write; - is stdout")->required()->type_name("PATH");
  add_db_option(command, options->db);
  return [options, &shared] { return run(*options, shared); };
}

}  // namespace phiscope::cli
