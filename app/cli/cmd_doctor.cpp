#include <fmt/format.h>

#include <memory>

#include "app/cli/calls.h"
#include "app/cli/command.h"
#include "app/cli/output.h"
#include "app/session/stored_runs.h"
#include "core/base/files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/convert/artifact.h"

namespace phiscope::cli {
namespace {

struct Check {
  std::string name;
  bool ok = false;
  std::string finding;  // what was found, or what is wrong
  std::string remedy;   // the command or step that mends it; empty when ok
};

Check worker_check(const session::CallOptions& call) {
  const auto worker = session::check_worker(call);
  if (worker) return {"worker", true, *worker, ""};
  return {"worker", false, worker.error().message, "build it with: cmake --preset release && cmake --build --preset release"};
}

void check_backends(const session::CallOptions& call, std::vector<Check>& checks) {
  const auto backends = session::list_backends(call);
  if (!backends) return;  // the worker's own check says why
  for (const auto& backend : *backends)
    checks.push_back({fmt::format("backend {}", backend.name), backend.available.ok,
                      backend.available.ok ? backend.description : backend.available.reason, ""});
}

Check check_datasets() {
  const std::filesystem::path folder = datasets_folder();
  std::error_code ignored;
  const bool ok = std::filesystem::exists(folder / "suites" / "quick.toml", ignored);
  return {"data sets", ok, folder.string(), ok ? "" : "set PHISCOPE_DATASETS to the folder 'datasets' of the source tree"};
}

Check check_bundled_model() {
  const auto model = resolve_model("bundled:tiny-phi");
  return {"bundled model", model.has_value(), model ? model->path.string() : model.error().message, model ? "" : "get the whole source tree, datasets included"};
}

Check check_database(const std::filesystem::path& db) {
  const auto store = session::open_store(db);
  const std::string path = (db.empty() ? Store::default_path() : db).string();
  if (store) return {"database", true, fmt::format("{}, schema {}", path, (*store)->schema_version()), ""};
  return {"database", false, store.error().message, "choose another with --db or PHISCOPE_DB"};
}

Check check_cache() {
  const std::filesystem::path folder = platform::user_cache_folder();
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  const Status written = write_file(folder / ".doctor", "");
  std::filesystem::remove(folder / ".doctor", ignored);
  return {"cache", written.has_value(), written ? folder.string() : written.error().message, written ? "" : "choose another with PHISCOPE_CACHE"};
}

Check check_processor() {
  const platform::CpuInfo& cpu = platform::cpu_info();
  return {"processor", true, fmt::format("{}, {} usable cores, {}", cpu.model, cpu.usable_cores, platform::cpu_feature_names(cpu.features)), ""};
}

Result<int> run(const std::filesystem::path& db, const Shared& shared) {
  ProgressLine line(true);
  const session::CallOptions call = call_options(line);
  std::vector<Check> checks{check_processor(), worker_check(call)};
  check_backends(call, checks);
  checks.insert(checks.end(), {check_datasets(), check_bundled_model(), check_database(db), check_cache()});
  bool all_ok = true;
  Json document;
  document["schema"] = "phiscope/doctor/1";
  document["checks"] = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const Check& check : checks) {
    all_ok = all_ok && check.ok;
    document["checks"].push_back({{"name", check.name}, {"ok", check.ok}, {"finding", check.finding}, {"remedy", check.remedy}});
    rows.push_back({check.ok ? "ok" : "MISSING", check.name, check.remedy.empty() ? check.finding : fmt::format("{}; {}", check.finding, check.remedy)});
  }
  document["ok"] = all_ok;
  if (shared.json)
    print_json(document);
  else
    print(format_rows(rows) + (all_ok ? "everything is in place" : "mend what is marked MISSING"));
  return all_ok ? kExitDone : kExitFailed;
}

}  // namespace

Action add_doctor(CLI::App& command, const Shared& shared) {
  auto db = std::make_shared<std::filesystem::path>();
  add_db_option(command, *db);
  return [db, &shared] { return run(*db, shared); };
}

}  // namespace phiscope::cli
