#pragma once
// Devices by name: those described in datasets/devices, the user's own, and this machine as measured.

#include <string>
#include <vector>

#include "app/session/commands.h"
#include "core/device/profile.h"

namespace phiscope::session {

/// Where the user's own profiles and this machine's are: devices/ in the user's config folder.
std::filesystem::path own_devices_folder();

/// The described devices, then the user's own (a file of the same name wins).
Result<std::vector<device::DeviceProfile>> list_devices();
/// `name`: the id of a profile, or a path to a .toml file. Errors: not_found with the nearest name.
Result<device::DeviceProfile> find_device(const std::string& name);

/// This machine from what its backends measure, also written to own_devices_folder()/this-machine.toml. Takes seconds.
Result<device::DeviceProfile> measure_this_machine(const std::vector<ProbeResult>& probed);
/// The profile of this machine that was measured before, if it is of this processor; else measures now.
Result<device::DeviceProfile> this_machine(const CallOptions& options);
/// Run::device of runs of this machine.
std::string this_device_name();

}  // namespace phiscope::session
