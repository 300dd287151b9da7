#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/base/platform/energy.h"
#include "core/base/platform/kernel_files.h"

namespace phiscope::platform {
namespace {

namespace fs = std::filesystem;

struct Domain {
  fs::path counter;
  uint64_t range_uj = 0, last_uj = 0;
  double joules = 0;
};

class RaplMeter final : public EnergyMeter {
 public:
  RaplMeter(std::vector<Domain> domains, std::string source) : domains_(std::move(domains)), source_(std::move(source)) {}
  const std::string& source() const override { return source_; }

  Result<double> joules() override {
    double sum = 0;
    for (Domain& domain : domains_) {
      const auto now = kernel_number(domain.counter);
      if (!now) return fail(ErrorCode::io, "{}: the energy counter cannot be read any more", domain.counter.string());
      const uint64_t moved = *now >= domain.last_uj ? *now - domain.last_uj : *now + domain.range_uj - domain.last_uj;
      domain.last_uj = *now;
      domain.joules += static_cast<double>(moved) * 1e-6;
      sum += domain.joules;
    }
    return sum;
  }

 private:
  std::vector<Domain> domains_;
  std::string source_;
};

/// "intel-rapl:0" is a package (AMD's driver uses the same names); "intel-rapl:0:1" lies inside it, and of the inner ones only DRAM is not
/// part of the package's count. "psys", the whole board, holds all of them and is left out.
bool is_counted(const fs::path& zone, const std::string& name) {
  const std::string folder = zone.filename().string();
  const bool is_inner = folder.find(':') != folder.rfind(':');
  return is_inner ? name == "dram" : name.starts_with("package");
}

}  // namespace

Result<std::unique_ptr<EnergyMeter>> open_rapl(const fs::path& root) {
  const fs::path tree = root / "sys/class/powercap";
  std::error_code error;
  std::vector<fs::path> zones;
  for (fs::directory_iterator it(tree, error), end; !error && it != end; it.increment(error)) zones.push_back(it->path());
  std::sort(zones.begin(), zones.end());
  std::vector<Domain> domains;
  std::string source;
  bool is_forbidden = false;
  for (const fs::path& zone : zones) {
    if (!zone.filename().string().starts_with("intel-rapl:")) continue;
    const std::string name = kernel_line(zone / "name");
    if (!is_counted(zone, name)) continue;
    const auto now = kernel_number(zone / "energy_uj");
    is_forbidden = is_forbidden || !now;
    if (!now) continue;
    domains.push_back({zone / "energy_uj", kernel_number(zone / "max_energy_range_uj").value_or(0), *now, 0});
    source += (source.empty() ? "rapl " : ", ") + name;
  }
  if (!domains.empty()) return std::make_unique<RaplMeter>(std::move(domains), std::move(source));
  if (is_forbidden)
    return fail(ErrorCode::unsupported, "the processor's energy counters may be read by root only; allow it with: sudo chmod a+r {}/intel-rapl:*/energy_uj",
                tree.string());
  return fail(ErrorCode::unsupported, "this machine shows no energy counters ({} has none, as in most virtual machines)", tree.string());
}

}  // namespace phiscope::platform
