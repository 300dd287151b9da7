#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "core/device/profile.h"

namespace phiscope::device {
namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;

std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char character : sanitize_utf8(text)) {
    if (static_cast<unsigned char>(character) < 0x20) {
      result += ' ';
      continue;
    }
    if (character == '"' || character == '\\') result += '\\';
    result += character;
  }
  return result + "\"";
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + toml_string(text);
  return "[" + result + "]";
}

void put_memory(std::string& out, uint64_t memory_bytes, double bandwidth_gb_s, const std::string& source) {
  if (memory_bytes > 0) out += fmt::format("memory_gib = {}\n", format_number(static_cast<double>(memory_bytes) / kGib, 6));
  if (bandwidth_gb_s > 0) out += fmt::format("bandwidth_gb_s = {}\n", format_number(bandwidth_gb_s, 6));
  if (!source.empty()) out += fmt::format("source = {}\n", toml_string(source));
}

std::string lower_name(UnitKind kind) {
  std::string name(unit_kind_name(kind));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  return name;
}

// "read_gb_s" and 2 of "read_gb_s@2t".
struct ProbeId {
  std::string_view family;
  int threads = 0;
};
ProbeId split_id(std::string_view id) {
  const size_t at = id.find('@');
  ProbeId result{id.substr(0, at), 0};
  if (at != std::string_view::npos) std::from_chars(id.data() + at + 1, id.data() + id.size(), result.threads);
  return result;
}

// The largest value of a family over the thread counts: a second thread may add nothing, but takes nothing away.
double best_value(const std::vector<ProbeValue>& values, std::string_view family) {
  double best = 0;
  for (const ProbeValue& value : values)
    if (split_id(value.id).family == family) best = std::max(best, value.value);
  return best;
}

}  // namespace

std::string profile_text(const DeviceProfile& profile) {
  std::string out = fmt::format("name = {}\nclass = {}\n", toml_string(profile.name), toml_string(profile.device_class));
  if (!profile.note.empty()) out += fmt::format("note = {}\n", toml_string(profile.note));
  if (!profile.matches.empty()) out += fmt::format("matches = {}\n", list_of(profile.matches));
  if (profile.is_measured) out += "measured = \"by phiscope device probe\"\n";
  put_memory(out, profile.memory_bytes, profile.bandwidth_gb_s, profile.source);
  for (const ComputeUnit& unit : profile.units) {
    out += fmt::format("\n[[unit]]\nkind = {}\nname = {}\nengines = {}\n", toml_string(lower_name(unit.kind)), toml_string(unit.name), list_of(unit.engines));
    put_memory(out, unit.memory_bytes, unit.bandwidth_gb_s, unit.source);
    if (unit.rates.empty()) continue;
    out += "[unit.rates]  # tera operations per second\n";
    for (const Rate& rate : unit.rates) out += fmt::format("{} = {}\n", rate.type, format_number(rate.giga_operations_s / 1000, 6));
    out += fmt::format("source = {}\n", toml_string(unit.rates.front().source));
  }
  return out;
}

DeviceProfile measured_profile(const Measured& measured) {
  const std::string source = fmt::format("measured by phiscope device probe on {}", measured.date);
  DeviceProfile profile{.id = "this-machine", .name = fmt::format("this machine ({})", measured.cpu), .device_class = "pc"};
  profile.matches = {measured.cpu};
  profile.memory_bytes = measured.memory_bytes;
  profile.bandwidth_gb_s = best_value(measured.values, "read_gb_s");
  profile.source = source;
  profile.is_measured = true;
  ComputeUnit cpu{.kind = UnitKind::cpu, .name = measured.cpu, .engines = {"phiscope", "llama.cpp", "onnxruntime-genai", "openvino"}};
  const auto add = [&](const char* type, std::string_view family) {
    const double value = best_value(measured.values, family);
    if (value > 0) cpu.rates.push_back({type, value, source});
  };
  add("fp32", "fp32_gflop_s");
  add("bf16", "bf16_gflop_s");
  add("int8", "int8_gop_s");
  profile.units.push_back(std::move(cpu));
  return profile;
}

}  // namespace phiscope::device
