#include "core/device/profile.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/device/formats.h"
#include "core/device/toml_table.h"

namespace phiscope::device {
namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;  // memory is sold in GiB under the name GB
constexpr double kCardReserveBytes = 0.5e9;    // display and driver of a card with its own memory
constexpr std::array<std::string_view, 3> kUnitNames{"CPU", "GPU", "NPU"};
constexpr std::array<std::string_view, 6> kTypes{"fp32", "fp16", "bf16", "int8", "int4", "fp8"};

Result<UnitKind> unit_kind_of(const std::string& text, const std::string& where) {
  for (size_t i = 0; i < kUnitNames.size(); ++i) {
    std::string lower(kUnitNames[i]);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    if (text == lower) return static_cast<UnitKind>(i);
  }
  return fail(ErrorCode::invalid_file, "{}: kind '{}' is none of cpu, gpu, npu", where, text);
}

Status read_memory(TomlTable& table, uint64_t& memory_bytes, double& bandwidth_gb_s, std::string& source) {
  double gib = 0;
  PHISCOPE_TRY(table.number("memory_gib", gib));
  PHISCOPE_TRY(table.number("bandwidth_gb_s", bandwidth_gb_s));
  PHISCOPE_TRY(table.text("source", source));
  memory_bytes = static_cast<uint64_t>(std::llround(gib * kGib));
  if ((memory_bytes > 0 || bandwidth_gb_s > 0) && source.empty())
    return fail(ErrorCode::invalid_file, "{}: figures of memory need a 'source'", table.where());
  return {};
}

// [unit.rates]: one number a type in tera operations per second, and the source of all of them.
Status read_rates(const toml::table& rates, const std::string& where, ComputeUnit& unit) {
  TomlTable table(rates, where + " rates");
  std::string source;
  PHISCOPE_TRY(table.required_text("source", source));
  for (const std::string_view type : kTypes) {
    double tera = 0;
    PHISCOPE_TRY(table.number(std::string(type).c_str(), tera));
    if (tera > 0) unit.rates.push_back({std::string(type), tera * 1000, source});
  }
  return table.finish();
}

Result<ComputeUnit> read_unit(const toml::table& node, const std::string& where) {
  TomlTable table(node, where);
  ComputeUnit unit;
  std::string kind;
  PHISCOPE_TRY(table.required_text("kind", kind));
  PHISCOPE_ASSIGN(unit.kind, unit_kind_of(kind, where));
  PHISCOPE_TRY(table.required_text("name", unit.name));
  PHISCOPE_TRY(table.texts("engines", unit.engines));
  for (const std::string& engine : unit.engines)
    if (!is_engine(engine)) return fail(ErrorCode::invalid_file, "{}: engine '{}' is unknown; there are {}", where, engine, engine_names());
  PHISCOPE_TRY(read_memory(table, unit.memory_bytes, unit.bandwidth_gb_s, unit.source));
  if (const toml::table* rates = table.table("rates")) PHISCOPE_TRY(read_rates(*rates, where, unit));
  PHISCOPE_TRY(table.finish());
  return unit;
}

}  // namespace

std::string_view unit_kind_name(UnitKind kind) { return kUnitNames[static_cast<size_t>(kind)]; }

const Rate* ComputeUnit::find_rate(std::string_view type) const {
  const auto found = std::find_if(rates.begin(), rates.end(), [&](const Rate& rate) { return rate.type == type; });
  return found == rates.end() ? nullptr : &*found;
}

const std::vector<DeviceClass>& device_classes() {
  // To add a class: a row. Guidance: Microsoft's Phi cookbook (mobile and IoT INT4; AI PC INT8, FP16; ONNX recommended); it names no
  // precision for desktop cards and servers, where "CUDA" and "ONNX" stand alone.
  static const std::vector<DeviceClass> rows{
      {"phone", "a phone", 0.5, 0, "int4", "the Phi cookbook recommends INT4 for mobile devices, ONNX as the format"},
      {"iot", "an IoT board", 0.1, 0.5, "int4", "the Phi cookbook recommends INT4 for IoT devices, ONNX as the format"},
      {"ai-pc", "an AI PC", 0.2, 4, "int8 fp16 bf16", "the Phi cookbook recommends INT8 and FP16 for AI PCs, ONNX as the format"},
      {"mac", "a Mac", 0.3, 2, "int4 int8 bf16", "the Phi cookbook recommends MLX on Apple silicon, without a precision of its own"},
      {"pc", "a PC", 0.1, 2, "int8 fp16 bf16", "the Phi cookbook recommends INT8 and FP16 for PCs, ONNX as the format"},
      {"desktop-gpu", "a PC with a graphics card", 0.1, 2, "fp16 bf16 int8", "the Phi cookbook recommends CUDA on NVIDIA cards, ONNX as the format"},
      {"server", "a server", 0.05, 4, "fp16 bf16 int8 fp8", "the Phi cookbook names no precision for servers; the shipped type is 16 bits"},
  };
  return rows;
}

const DeviceClass* find_device_class(std::string_view id) {
  for (const DeviceClass& row : device_classes())
    if (row.id == id) return &row;
  return nullptr;
}

uint64_t DeviceProfile::reserve_of(const ComputeUnit& unit) const {
  if (unit.memory_bytes > 0) return static_cast<uint64_t>(kCardReserveBytes);
  const DeviceClass* row = find_device_class(device_class);
  if (row == nullptr) return 0;
  return static_cast<uint64_t>(std::max(row->reserve_fraction * static_cast<double>(memory_bytes), row->reserve_gb * 1e9));
}

bool DeviceProfile::is_device_of(std::string_view run_device) const {
  return std::any_of(matches.begin(), matches.end(), [&](const std::string& part) { return run_device.find(part) != std::string_view::npos; });
}

Result<DeviceProfile> read_profile(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const toml::table root, read_toml(path));
  TomlTable table(root, path.filename().string());
  DeviceProfile profile;
  profile.id = path.stem().string();
  PHISCOPE_TRY(table.required_text("name", profile.name));
  PHISCOPE_TRY(table.required_text("class", profile.device_class));
  if (find_device_class(profile.device_class) == nullptr) {
    std::string names;
    for (const DeviceClass& row : device_classes()) names += (names.empty() ? "" : ", ") + std::string(row.id);
    return fail(ErrorCode::invalid_file, "{}: class '{}' is none of {}", table.where(), profile.device_class, names);
  }
  PHISCOPE_TRY(table.text("note", profile.note));
  PHISCOPE_TRY(table.texts("matches", profile.matches));
  std::string measured;
  PHISCOPE_TRY(table.text("measured", measured));
  profile.is_measured = !measured.empty();
  PHISCOPE_TRY(read_memory(table, profile.memory_bytes, profile.bandwidth_gb_s, profile.source));
  PHISCOPE_ASSIGN(const auto units, table.tables("unit"));
  for (size_t i = 0; i < units.size(); ++i) {
    PHISCOPE_ASSIGN(ComputeUnit unit, read_unit(*units[i], fmt::format("{} [[unit]] {}", table.where(), i + 1)));
    profile.units.push_back(std::move(unit));
  }
  if (profile.units.empty()) return fail(ErrorCode::invalid_file, "{}: a device needs at least one [[unit]]", table.where());
  PHISCOPE_TRY(table.finish());
  return profile;
}

Result<std::vector<DeviceProfile>> list_profiles(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".toml") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<DeviceProfile> profiles;
  for (const auto& path : paths) {
    PHISCOPE_ASSIGN(DeviceProfile profile, read_profile(path));
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

}  // namespace phiscope::device
