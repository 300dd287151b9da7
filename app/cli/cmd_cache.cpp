#include <fmt/format.h>

#include <memory>

#include "app/cli/command.h"
#include "app/cli/output.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/convert/artifact.h"

namespace phiscope::cli {
namespace {

Result<int> list(bool json) {
  const std::filesystem::path folder = platform::user_cache_folder();
  PHISCOPE_ASSIGN(const auto entries, list_cache(folder));
  uint64_t total = 0;
  Json document;
  document["schema"] = "phiscope/cache/1";
  document["folder"] = folder.string();
  document["entries"] = Json::array();
  std::vector<std::vector<std::string>> rows{{"kind", "size", "last used", "name"}};
  for (const CacheEntry& entry : entries) {
    total += entry.bytes;
    document["entries"].push_back({{"kind", entry.kind}, {"name", entry.name}, {"path", entry.path.string()}, {"bytes", entry.bytes},
                                   {"used_at", iso_time(entry.used_unix_ms)}});
    rows.push_back({entry.kind, format_bytes(entry.bytes), iso_time(entry.used_unix_ms), entry.name});
  }
  document["bytes"] = total;
  if (json)
    print_json(document);
  else if (entries.empty())
    print(fmt::format("{} is empty", folder.string()));
  else
    print(fmt::format("{}{} entries, {} in {}", format_rows(rows), entries.size(), format_bytes(total), folder.string()));
  return kExitDone;
}

Result<int> clear(bool json) {
  PHISCOPE_ASSIGN(const uint64_t freed, clear_cache(platform::user_cache_folder()));
  if (json)
    print_json({{"schema", "phiscope/cache/1"}, {"freed_bytes", freed}});
  else
    print(fmt::format("freed {}", format_bytes(freed)));
  return kExitDone;
}

}  // namespace

Action add_cache(CLI::App& command, const Shared& shared) {
  command.require_subcommand(1);
  CLI::App* list_command = command.add_subcommand("list", "What is cached, with sizes")->fallthrough();
  command.add_subcommand("clear", "Remove everything; it is made again when needed")->fallthrough();
  return [list_command, &shared] { return list_command->parsed() ? list(shared.json) : clear(shared.json); };
}

}  // namespace phiscope::cli
