#include "app/session/device_profiles.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "core/base/files.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/convert/artifact.h"

namespace phiscope::session {
namespace {

constexpr const char* kThisMachine = "this-machine";

std::string today() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

std::filesystem::path this_machine_file() { return own_devices_folder() / (std::string(kThisMachine) + ".toml"); }

}  // namespace

std::filesystem::path own_devices_folder() { return platform::user_config_folder() / "devices"; }

std::string this_device_name() { return platform::cpu_info().model; }

Result<std::vector<device::DeviceProfile>> list_devices() {
  PHISCOPE_ASSIGN(auto profiles, device::list_profiles(datasets_folder() / "devices"));
  PHISCOPE_ASSIGN(auto own, device::list_profiles(own_devices_folder()));
  for (device::DeviceProfile& profile : own) {
    const auto same = std::find_if(profiles.begin(), profiles.end(), [&](const auto& other) { return other.id == profile.id; });
    if (same != profiles.end())
      *same = std::move(profile);
    else
      profiles.push_back(std::move(profile));
  }
  return profiles;
}

Result<device::DeviceProfile> find_device(const std::string& name) {
  if (name.ends_with(".toml")) return device::read_profile(name);
  PHISCOPE_ASSIGN(const auto profiles, list_devices());
  std::vector<std::string> names;
  for (const device::DeviceProfile& profile : profiles) {
    if (profile.id == name) return profile;
    names.push_back(profile.id);
  }
  const std::string near = nearest_name(name, names);
  return fail(ErrorCode::not_found, "there is no device profile '{}'{}; phiscope device list shows all {}, or give the path of a .toml file", name,
              near.empty() ? "" : fmt::format(" (did you mean '{}')", near), names.size());
}

Result<device::DeviceProfile> measure_this_machine(const std::vector<ProbeResult>& probed) {
  device::Measured measured{.cpu = this_device_name(), .date = today(), .memory_bytes = platform::system_memory().total};
  for (const ProbeResult& result : probed)
    if (result.backend == "cpu") measured.values = result.values;
  if (measured.values.empty())
    return fail(ErrorCode::unsupported, "no CPU backend measured this machine; name a device with --device (phiscope device list)");
  const device::DeviceProfile profile = device::measured_profile(measured);
  std::error_code ignored;
  std::filesystem::create_directories(own_devices_folder(), ignored);
  PHISCOPE_TRY(write_file(this_machine_file(), device::profile_text(profile)));
  return profile;
}

Result<device::DeviceProfile> this_machine(const CallOptions& options) {
  auto known = device::read_profile(this_machine_file());
  if (known && known->is_device_of(this_device_name())) return known;
  PHISCOPE_ASSIGN(const auto probed, probe_device("", 0, options));
  return measure_this_machine(probed);
}

}  // namespace phiscope::session
