#pragma once
// What a device offers: memory, bandwidth, arithmetic rates, engines. Described in a file (datasets/devices/README.md has the format) or
// measured by `phiscope device probe`. A figure stands beside the source that states it; what no source states is absent (0), never guessed.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend/backend.h"
#include "core/base/result.h"

namespace phiscope::device {

enum class UnitKind : uint8_t { cpu, gpu, npu };
std::string_view unit_kind_name(UnitKind kind);  // "CPU", "GPU", "NPU"

struct Rate {
  std::string type{};            // "fp32", "fp16", "bf16", "int8", "int4", "fp8"; without sparsity
  double giga_operations_s = 0;  // a multiply-add is two operations
  std::string source{};
};
struct ComputeUnit {
  UnitKind kind = UnitKind::cpu;
  std::string name{};
  std::vector<std::string> engines{};  // ids of core/device/formats.cpp
  uint64_t memory_bytes = 0;           // its own; 0 = it shares the device's
  double bandwidth_gb_s = 0;           // 0 = the device's
  std::string source{};                // of memory and bandwidth
  std::vector<Rate> rates{};

  /// The rate of a type; null when no source states one.
  const Rate* find_rate(std::string_view type) const;
};

/// Devices of a class share what is customary: how much memory the system keeps, and the cookbook's advice.
struct DeviceClass {
  std::string_view id;              // "phone", as in a profile
  std::string_view name;            // "a phone"
  double reserve_fraction;          // of the memory that is left to system and other programs: an assumption, said so wherever it counts
  double reserve_gb;                // at least
  std::string_view guidance;        // the cookbook's precisions in order, separated by spaces: "int4"
  std::string_view guidance_words;  // for a reader
};
/// All classes. Never empty.
const std::vector<DeviceClass>& device_classes();
const DeviceClass* find_device_class(std::string_view id);

struct DeviceProfile {
  std::string id{};               // file name without .toml
  std::string name{};
  std::string device_class{};
  std::string note{};
  uint64_t memory_bytes = 0;      // 0 = not stated
  double bandwidth_gb_s = 0;      // 0 = not stated
  std::string source{};           // of the two
  std::vector<std::string> matches{};  // parts of Run::device by which runs of this device are known
  std::vector<ComputeUnit> units{};
  bool is_measured = false;       // by Phiscope's probe

  double bandwidth_of(const ComputeUnit& unit) const { return unit.bandwidth_gb_s > 0 ? unit.bandwidth_gb_s : bandwidth_gb_s; }
  uint64_t memory_of(const ComputeUnit& unit) const { return unit.memory_bytes > 0 ? unit.memory_bytes : memory_bytes; }
  const std::string& bandwidth_source(const ComputeUnit& unit) const { return unit.bandwidth_gb_s > 0 ? unit.source : source; }
  /// What system and other programs keep of a unit's memory, by the class's custom. A card's own memory keeps 0.5 GB.
  uint64_t reserve_of(const ComputeUnit& unit) const;
  bool is_device_of(std::string_view run_device) const;
};

/// Errors: not_found; invalid_file naming file, table and key (unknown keys and figures without a source are errors).
Result<DeviceProfile> read_profile(const std::filesystem::path& path);
/// All profiles of a folder by id; an empty list when there is no such folder.
Result<std::vector<DeviceProfile>> list_profiles(const std::filesystem::path& folder);
/// A profile as the text of its file.
std::string profile_text(const DeviceProfile& profile);

/// A profile from what the backends of this machine measured: the rates with the most threads.
struct Measured {
  std::string cpu{}, date{};  // date: "2026-11-23"
  uint64_t memory_bytes = 0;
  std::vector<ProbeValue> values{};
};
DeviceProfile measured_profile(const Measured& measured);

}  // namespace phiscope::device
